//! Which operating system is on a disk, and (later) the edits it needs to start on other hardware.
#![forbid(unsafe_code)]

use disk::ReadAt;
use disk::layout::DiskLayout;
use serde::Serialize;
use std::sync::Arc;

/// The family of an operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Windows NT and its descendants.
    Windows,
    /// Linux.
    Linux,
    /// DOS and Windows 9x.
    Dos,
}

/// An operating system found on a disk.
#[derive(Clone, Debug, Serialize)]
pub struct System {
    /// Windows, Linux, DOS.
    pub family: Family,
    /// The name for people: `Debian GNU/Linux 11 (bullseye)`, `Windows XP Professional Service Pack 3`.
    pub name: String,
    /// Version numbers: `11`, `5.1.2600`, `10.0.16299`.
    pub version: Option<String>,
    /// Windows edition, Linux variant.
    pub edition: Option<String>,
    /// `x86`, `x86_64`, where it can be told.
    pub architecture: Option<String>,
    /// The computer's name, where it can be told.
    pub hostname: Option<String>,
    /// Whether the hardware clock holds UTC; `None` if the system does not say.
    pub rtc_utc: Option<bool>,
    /// Partition number it was found on; 0 for a filesystem on the whole disk.
    pub partition: u32,
    /// Anything a person should know: hibernated, damaged registry.
    pub notes: Vec<String>,
}

/// Looks for operating systems on every volume of `disk`. What cannot be read is noted, never fatal.
pub fn find_systems(disk: &Arc<dyn ReadAt>, layout: &DiskLayout) -> Vec<System> {
    let _ = (disk, layout);
    todo!()
}
