//! Services in INF files, and the registry values that belong to them.
//!
//! Source: Microsoft, "INF AddService Directive", "INF AddReg Directive".

use super::InfError;
use super::target::number_of;
use super::text::{Line, Text};

/// A service to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its key's name: `viostor`.
    pub(crate) name: String,
    /// Whether it is the one that drives the device (`SPSVCINST_ASSOCSERVICE`).
    pub(crate) drives_the_device: bool,
    /// `ServiceType`: 1 is a kernel driver.
    pub(crate) kind: u32,
    /// `StartType`: 0 is at boot.
    pub(crate) start: u32,
    /// `ErrorControl`.
    pub(crate) error_control: u32,
    /// The number of the folder that its file is in; 12 is `System32\drivers`.
    pub(crate) folder: Option<u32>,
    /// The file's path inside that folder: `viostor.sys`.
    pub(crate) binary: String,
    /// `LoadOrderGroup`: `SCSI miniport`.
    pub(crate) group: Option<String>,
    pub(crate) display_name: Option<String>,
    /// Values below its key.
    pub(crate) settings: Vec<Setting>,
}

/// A value below a service's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The key below the service's; empty for the service's own: `Parameters\PnpInterface`.
    pub(crate) key: String,
    /// `BusType`; empty for the key's default value.
    pub(crate) name: String,
    pub(crate) data: Data,
}

/// A registry value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    String(String),
    ExpandString(String),
    Strings(Vec<String>),
    Number(u32),
    Long(u64),
    Binary(Vec<u8>),
}

/// The services that a `.Services` section makes; none if there is no such section.
pub(super) fn services(text: &Text, section: &str) -> Result<Vec<Service>, InfError> {
    let lines = text.section(section).unwrap_or_default();
    let lines = lines
        .iter()
        .filter(|line| line.is("AddService") && !line.value(0).is_empty());
    lines.map(|line| service(text, line)).collect()
}

/// `AddService = name, flags, install-section, …`
fn service(text: &Text, line: &Line) -> Result<Service, InfError> {
    const DRIVES_THE_DEVICE: u32 = 0x2;
    let (name, section) = (line.value(0), line.value(2));
    let missing = |what: &str| InfError::new(format!("does not tell the {what} of the service {name}"));
    let lines = text.section(section).ok_or_else(|| missing("section"))?;
    let entry = |key: &str| lines.iter().find(|line| line.is(key)).map(|line| line.value(0));
    let number = |key: &str| entry(key).and_then(number_of).ok_or_else(|| missing(key));
    let words = |key: &str| entry(key).filter(|words| !words.is_empty()).map(str::to_owned);
    let (folder, binary) = place(entry("ServiceBinary").ok_or_else(|| missing("ServiceBinary"))?);
    let mut settings = Vec::new();
    for line in lines.iter().filter(|line| line.is("AddReg")) {
        for section in line.values.iter().filter(|section| !section.is_empty()) {
            let lines = text.section(section);
            let lines = lines.ok_or_else(|| InfError::new(format!("has no section [{section}]")))?;
            for line in &lines {
                settings.extend(setting(section, line)?);
            }
        }
    }
    Ok(Service {
        name: name.to_owned(),
        drives_the_device: number_of(line.value(1)).unwrap_or(0) & DRIVES_THE_DEVICE != 0,
        kind: number("ServiceType")?,
        start: number("StartType")?,
        error_control: number("ErrorControl")?,
        folder,
        binary,
        group: words("LoadOrderGroup"),
        display_name: words("DisplayName"),
        settings,
    })
}

/// The folder's number and the path in it: `%12%\viostor.sys`.
fn place(binary: &str) -> (Option<u32>, String) {
    let numbered = binary.strip_prefix('%').and_then(|rest| rest.split_once('%'));
    match numbered.and_then(|(number, path)| Some((number_of(number)?, path))) {
        Some((number, path)) => (Some(number), path.trim_start_matches('\\').to_owned()),
        None => (None, binary.to_owned()),
    }
}

/// `HKR, key, name, flags, value, …`. Values of other roots, deletions and the like are nothing that a service needs.
fn setting(section: &str, line: &Line) -> Result<Option<Setting>, InfError> {
    /// `FLG_ADDREG_DELVAL`, `FLG_ADDREG_APPEND`, `FLG_ADDREG_KEYONLY`, `FLG_ADDREG_OVERWRITEONLY`.
    const NO_NEW_VALUE: u32 = 0x4 | 0x8 | 0x10 | 0x20;
    /// The bits of the flags that tell the type.
    const TYPE: u32 = 0xFFFF_0001;
    let wrong = |what: &str| InfError::new(format!("has a wrong {what} in [{section}]"));
    if !line.value(0).eq_ignore_ascii_case("HKR") {
        return Ok(None);
    }
    let flags = match line.value(3) {
        "" => 0,
        flags => number_of(flags).ok_or_else(|| wrong("type"))?,
    };
    if flags & NO_NEW_VALUE != 0 {
        return Ok(None);
    }
    let values = line.values.get(4..).unwrap_or_default();
    let first = line.value(4);
    let bytes = || -> Option<Vec<u8>> {
        let bytes = values
            .iter()
            .map(|byte| u8::from_str_radix(byte.trim().trim_start_matches("0x"), 16).ok());
        bytes.collect()
    };
    let data = match flags & TYPE {
        0x0000_0000 => Data::String(first.to_owned()),
        0x0001_0000 => Data::Strings(values.to_vec()),
        0x0002_0000 => Data::ExpandString(first.to_owned()),
        // A number, or its four bytes.
        0x0001_0001 => Data::Number(match values.len() {
            4 => u32::from_le_bytes(
                bytes()
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or_else(|| wrong("number"))?,
            ),
            _ => number_of(first).ok_or_else(|| wrong("number"))?,
        }),
        0x000B_0001 => {
            let bytes = bytes().and_then(|bytes| bytes.try_into().ok());
            Data::Long(u64::from_le_bytes(bytes.ok_or_else(|| wrong("number"))?))
        }
        0x0000_0001 => Data::Binary(bytes().ok_or_else(|| wrong("byte"))?),
        _ => return Ok(None),
    };
    Ok(Some(Setting {
        key: line.value(1).to_owned(),
        name: line.value(2).to_owned(),
        data,
    }))
}
