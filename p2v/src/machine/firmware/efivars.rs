//! UEFI variables as one JSON file, in the form that virt-firmware (`virt-fw-vars --set-json`) and QEMU (`uefi-vars` devices,
//! `jsonfile=`) read.
//!
//! Sources: Linux, Documentation/filesystems/efivarfs.rst (a file holds the attributes, 4 bytes, little-endian, and the
//! value); QEMU, qapi/uefi.json (version 2).

use super::load_file;
use serde::Serialize;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// A value with more bytes is none that a system needs to start: key databases have some ten thousand.
const LARGEST: u64 = 256 << 10;
/// All values together; firmware has some hundred KiB for them.
const MOST: usize = 2 << 20;
/// A name with more of them is not looked at.
const MOST_VARIABLES: usize = 10_000;
/// Length of a GUID in text.
const GUID: usize = 36;

#[derive(Serialize)]
struct Variables {
    version: u32,
    variables: Vec<Variable>,
}

#[derive(Serialize)]
struct Variable {
    name: String,
    guid: String,
    attr: u32,
    data: String,
}

/// Reads all variables in an efivarfs. The answer is the text, if there is any, and what is not in it, with the reason.
pub(super) fn read(folder: &Path) -> (Option<String>, Vec<String>) {
    let mut missing = Vec::new();
    let mut variables = Vec::new();
    let mut bytes = 0;
    match names(folder) {
        Ok(names) if names.is_empty() => missing.push(format!(
            "there are no UEFI variables in {0}: is it mounted? (mount -t efivarfs -o ro efivarfs {0})",
            folder.display()
        )),
        Ok(names) => {
            for name in names {
                match variable(folder, &name, MOST.saturating_sub(bytes)) {
                    Ok(variable) => {
                        bytes += variable.data.len() / 2;
                        variables.push(variable);
                    }
                    Err(error) => missing.push(format!("cannot read the UEFI variable {name:?}: {error}")),
                }
            }
        }
        Err(error) => missing.push(format!(
            "cannot read the UEFI variables in {}: {error}",
            folder.display()
        )),
    }
    if variables.is_empty() {
        return (None, missing);
    }
    let variables = Variables { version: 2, variables };
    match serde_json::to_string_pretty(&variables) {
        Ok(text) => (Some(text + "\n"), missing),
        Err(error) => {
            missing.push(format!("cannot write down the UEFI variables: {error}"));
            (None, missing)
        }
    }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = super::names(folder)?;
    if names.len() > MOST_VARIABLES {
        let what = format!("there are {} of them", names.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    names.sort();
    Ok(names)
}

/// `NAME-GUID`.
fn variable(folder: &Path, file: &str, room: usize) -> io::Result<Variable> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let split = file.len().checked_sub(GUID + 1);
    let parts = split.and_then(|at| Some((file.get(..at)?, file.get(at..)?.strip_prefix('-')?)));
    let (name, guid) = parts
        .filter(|(_, guid)| uuid::Uuid::try_parse(guid).is_ok())
        .ok_or_else(|| invalid("its name has no GUID"))?;
    let bytes = load_file(&folder.join(file), LARGEST)?.ok_or_else(|| invalid("it is gone"))?;
    let (attributes, value) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| invalid("it has no attributes"))?;
    if value.len() > room {
        return Err(invalid("all of them together are too large"));
    }
    let mut data = String::with_capacity(2 * value.len());
    for byte in value {
        let _ = write!(data, "{byte:02x}");
    }
    Ok(Variable {
        name: name.to_owned(),
        guid: guid.to_owned(),
        attr: u32::from_le_bytes(*attributes),
        data,
    })
}
