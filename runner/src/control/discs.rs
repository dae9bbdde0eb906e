//! The CD-ROM drive in QMP's words: `query-block`, `blockdev-change-medium`, `eject`.
//!
//! A new disc comes as an open file: `add-fd` names it, `/dev/fdset/N` refers to it. The machine opens no files for
//! its clients.

use super::commands::{Answer, Failure, Session, no_set, parse};
use super::handover::Files;
use super::{DiscError, DiscStatus};
use serde::Deserialize;
use serde_json::{Value, json};

/// What QEMU calls the drive of this board.
const DRIVE: &str = "ide1-cd0";

fn is_drive(name: Option<&str>) -> Result<(), Failure> {
    match name {
        Some(DRIVE) => Ok(()),
        Some(other) => Err(Failure::generic(format!("Device '{other}' not found"))),
        None => Err(Failure::generic("Need exactly one of 'device' and 'id'")),
    }
}

impl From<DiscError> for Failure {
    fn from(error: DiscError) -> Self {
        Failure::generic(error.to_string())
    }
}

pub(super) fn query(status: Option<&DiscStatus>) -> Value {
    let drives = status.iter().map(|status| {
        let mut drive = json!({
            "device": DRIVE,
            "type": "unknown",
            "removable": true,
            "locked": status.locked,
        });
        if status.inserted {
            drive["inserted"] = json!({ "ro": true });
        } else {
            drive["tray_open"] = json!(false);
        }
        drive
    });
    drives.collect()
}

impl Session<'_> {
    pub(super) fn add_fd(&mut self, arguments: Value) -> Answer {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Arguments {
            fdset_id: Option<u64>,
        }
        let arguments: Arguments = parse(arguments)?;
        let number = self.files.add(arguments.fdset_id).map_err(Failure::generic)?;
        Ok(json!({ "fdset-id": number, "fd": number }))
    }

    pub(super) fn remove_fd(&mut self, arguments: Value) -> Answer {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Arguments {
            fdset_id: u64,
        }
        let arguments: Arguments = parse(arguments)?;
        match self.files.take(arguments.fdset_id) {
            Some(_) => Ok(json!({})),
            None => Err(no_set(arguments.fdset_id)),
        }
    }

    pub(super) fn change_medium(&mut self, arguments: Value) -> Answer {
        #[derive(Deserialize)]
        struct Arguments {
            #[serde(alias = "id")]
            device: Option<String>,
            filename: String,
            #[serde(default)]
            force: bool,
        }
        let arguments: Arguments = parse(arguments)?;
        is_drive(arguments.device.as_deref())?;
        let number = Files::number(&arguments.filename).ok_or_else(|| {
            Failure::generic("the machine opens no files: hand the disc over with 'add-fd' and name it /dev/fdset/N")
        })?;
        let file = self.files.take(number).ok_or_else(|| no_set(number))?;
        self.control.set_disc(Some(file), arguments.force)?;
        Ok(json!({}))
    }

    pub(super) fn eject(&mut self, arguments: Value) -> Answer {
        #[derive(Deserialize)]
        struct Arguments {
            #[serde(alias = "id")]
            device: Option<String>,
            #[serde(default)]
            force: bool,
        }
        let arguments: Arguments = parse(arguments)?;
        is_drive(arguments.device.as_deref())?;
        self.control.set_disc(None, arguments.force)?;
        Ok(json!({}))
    }
}
