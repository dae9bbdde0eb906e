//! Making the live system: mmdebstrap installs packages and runs the recipe's script in it.

use super::recipe::{CUSTOMIZE, FILES, FIRMWARE, KEPT, LEFT_OUT, SUITE, SYSTEM, TOOLS};
use super::{Arch, sources, tools};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a person may choose.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// For which PCs.
    pub(crate) arch: Arch,
    /// The `p2v` that goes onto the stick.
    pub(crate) program: PathBuf,
    /// Address of a Debian archive, in the place of those of this computer's apt.
    pub(crate) mirror: Option<String>,
}

/// A made system, in a folder for temporary files.
pub(super) struct System {
    pub(super) arch: Arch,
    /// All files, as a tar archive.
    pub(super) archive: PathBuf,
    /// Kernel, start files and loaders (the names are in `system/customize.sh`).
    pub(super) parts: PathBuf,
    /// The moment that all its files are dated at, in seconds since 1970: that of the newest package.
    pub(super) epoch: i64,
}

/// Makes it in `folder`, which must be empty.
pub(super) fn make(recipe: &Recipe, folder: &Path, stop: &Stop) -> Result<System> {
    let sources = sources::lines(recipe.mirror.as_deref())?;
    let inside = folder.join("inside");
    fill(recipe, &inside).map_err(|error| Failure::target_write(&inside, &error))?;
    let configuration = folder.join("dpkg.cfg");
    let rules: String = LEFT_OUT.iter().map(|path| format!("path-exclude={path}\n")).collect();
    fs::write(&configuration, format!("{rules}path-include={KEPT}\n"))
        .map_err(|error| Failure::target_write(&configuration, &error))?;

    let archive = folder.join("system.tar");
    let parts = folder.join("parts");
    let arch = recipe.arch;
    let include = [&[arch.kernel()], SYSTEM, TOOLS, FIRMWARE].concat().join(",");
    let mut command = tools::command("mmdebstrap");
    command
        .args(["--variant=minbase", "--format=tar"])
        .arg(format!("--architectures={}", arch.debian()))
        .arg(format!("--include={include}"))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg(joined("--dpkgopt=", &configuration))
        .arg("--customize-hook=mkdir -p \"$1/p2v-build\"")
        .arg(hook("sync-in", &[&inside, Path::new("/p2v-build")])?)
        // apt runs outside, where it has its way to the archives.
        .arg(
            "--customize-hook=cd \"$1/p2v-build/loaders\" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq download \
             $P2V_LOADERS && for package in *.deb; do dpkg-deb --fsys-tarfile \"$package\" | tar -x; done",
        )
        .arg("--customize-hook=chroot \"$1\" sh -eu /p2v-build/customize.sh")
        .arg(hook("sync-out", &[Path::new("/p2v-build/out"), &parts])?)
        .arg("--customize-hook=rm -rf \"$1/p2v-build\"")
        .arg(SUITE)
        .arg(&archive)
        .args(sources)
        .env("P2V_LOADERS", arch.loaders().join(" "))
        // The script makes the start files once, at its end: not each package that thinks they should be new.
        .env("INITRD", "No")
        // The recipe's script dates everything; it takes this one if it is set.
        .env("P2V_EPOCH", std::env::var_os("SOURCE_DATE_EPOCH").unwrap_or_default())
        .env_remove("SOURCE_DATE_EPOCH");
    tools::run(&mut command, "makes the live system", stop)?;
    let epoch = parts.join("epoch");
    let text = fs::read_to_string(&epoch).unwrap_or_default();
    let epoch = text
        .trim()
        .parse()
        .map_err(|_| Failure::failed(format!("no date in {}: {text:?}", epoch.display())))?;
    Ok(System {
        arch,
        archive,
        parts,
        epoch,
    })
}

/// Lays out what the script finds in `/p2v-build`.
fn fill(recipe: &Recipe, inside: &Path) -> io::Result<()> {
    for part in ["files", "loaders", "out"] {
        fs::create_dir_all(inside.join(part))?;
    }
    for (name, contents) in FILES {
        fs::write(inside.join("files").join(name), contents)?;
    }
    fs::write(inside.join("customize.sh"), CUSTOMIZE)?;
    fs::copy(&recipe.program, inside.join("p2v")).map(|_| ())
}

/// A special hook of mmdebstrap's, whose words a shell would split.
fn hook(name: &str, paths: &[&Path]) -> Result<OsString> {
    let mut hook = OsString::from(format!("--customize-hook={name}"));
    for path in paths {
        let text = path.to_str().filter(|text| !text.contains(['\'', '\n', '\\']));
        let text = text.ok_or_else(|| {
            Failure::refused(format!("mmdebstrap cannot work in {}", path.display()))
                .advice("Make the image in a folder whose name has no quotes or backslashes.")
        })?;
        hook.push(format!(" '{text}'"));
    }
    Ok(hook)
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut joined = OsString::from(option);
    joined.push(path);
    joined
}
