//! Drivers that setup left out, since the old hardware did not need them: taken from the files that the system keeps
//! for such cases.

use super::registry::RegistryError;
use super::system::Windows;
use super::{Generation, nt5, nt6, nt62};
use crate::windows::cabinet;

/// What drivers from Vista on import that comes in the same package. Windows 2000 to 2003: see their table.
const IMPORTS: &[(&str, &[&str])] = &[
    ("intelide.sys", &["pciidex.sys"]),
    ("pciide.sys", &["pciidex.sys"]),
    ("atapi.sys", &["ataport.sys"]),
    ("msahci.sys", &["ataport.sys", "pciidex.sys"]),
];

const WHY: &str = "the machine's disk needs this driver, and setup left it out";

/// Plans to write the drivers that are missing, where the system keeps them. What is missing for good is noted in
/// [`Windows::unrecovered`] with the reason.
pub(super) fn drivers(windows: &mut Windows<'_>, generation: Generation, sets: &[String]) -> Result<(), RegistryError> {
    let mut wanted = wanted(windows, generation, sets)?;
    wanted.retain(|files| !windows.missing(files).is_empty());
    let mut missing: Vec<&str> = wanted.iter().flat_map(|files| windows.missing(files)).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let architecture = match windows.system.architecture.as_deref() {
        Some(architecture @ ("x86" | "x86_64")) => Ok(architecture.to_owned()),
        _ => Err("p2v cannot replace it: for which processor this Windows was built is not known.".to_owned()),
    };
    let can_write = windows.can_make_files().map_err(|why| {
        format!("p2v cannot take it from the files that Windows keeps (Driver Cache, DriverStore): {why}")
    });
    let architecture = match can_write.and(architecture) {
        Ok(architecture) => architecture,
        Err(why) => {
            windows.unrecovered = missing.iter().map(|file| ((*file).to_owned(), why.clone())).collect();
            return Ok(());
        }
    };
    let mut found = cabinet::find(windows.volume, windows.folder, &missing, &architecture);
    for files in wanted {
        let missing = windows.missing(&files);
        // Half of a driver is of no use.
        if missing.iter().all(|file| found.get(*file).is_some_and(Result::is_ok)) {
            for file in missing {
                if let Some(Ok(found)) = found.remove(file) {
                    windows.write_driver(file, found.bytes, &found.origin, WHY);
                }
            }
        }
    }
    for (file, result) in found {
        if let Err(error) = result {
            windows
                .unrecovered
                .insert(file, format!("{}.", super::sentence(&error.to_string())));
        }
    }
    Ok(())
}

/// The files that are needed, those of one driver together.
fn wanted(
    windows: &Windows<'_>,
    generation: Generation,
    sets: &[String],
) -> Result<Vec<Vec<&'static str>>, RegistryError> {
    let table = match generation {
        Generation::Nt62 => nt62::DRIVERS,
        Generation::Nt6 => nt6::DRIVERS,
        _ => return Ok(nt5::files()),
    };
    let mut wanted = Vec::new();
    for (service, file, ..) in table {
        // Without its service nothing would load it.
        let mut has_service = false;
        for set in sets {
            has_service |= windows.registry.has_key(&format!(r"{set}\Services\{service}"))?;
        }
        if has_service && !windows.has_drivers(&[file]) {
            let imports = IMPORTS.iter().find(|(importer, _)| importer == file);
            let imports = imports.map_or(&[][..], |(_, imports)| imports);
            wanted.push([&[*file], imports].concat());
        }
    }
    Ok(wanted)
}
