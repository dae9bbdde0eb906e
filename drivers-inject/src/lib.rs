//! Which operating system is on a disk, and the edits it needs to start on other hardware.
//!
//! Data flows one way: [`disk::layout`] → [`inspect`]: each volume that has a reader is opened once → [`linux`],
//! [`windows`] and [`dos`] each look for their systems → [`Findings`]. [`adapt`] goes on from there.
#![forbid(unsafe_code)]

pub mod adapt;
mod dos;
mod executable;
#[doc(hidden)]
pub mod fuzzing;
mod iso9660;
mod linux;
#[cfg(test)]
#[path = "../tests/common/drivers.rs"]
mod made_drivers;
pub mod registry;
mod volumes;
mod windows;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct System {
    /// Windows, Linux, DOS.
    pub family: Family,
    /// The name for people: `Debian GNU/Linux 11 (bullseye)`, `Windows XP Professional Service Pack 3`.
    pub name: String,
    /// Version numbers: `11`, `5.1.2600`, `10.0.19045.3803`.
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
    /// The logical volume of LVM that it was found on, as `group/volume`.
    pub volume: Option<String>,
    /// Anything a person should know: hibernated, damaged registry.
    pub notes: Vec<String>,
}

/// What [`inspect`] found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// The operating systems, in the order of their partitions.
    pub systems: Vec<System>,
    /// Volumes whose filesystem was recognised but could not be opened.
    pub unreadable: Vec<Unreadable>,
}

/// A volume that could not be looked into.
#[derive(Clone, Debug, Serialize)]
pub struct Unreadable {
    /// Partition number; 0 for a filesystem on the whole disk.
    pub partition: u32,
    /// Why, as a sentence.
    pub reason: String,
}

/// Looks for operating systems on every volume of `disk`. What cannot be read is reported, never fatal.
pub fn inspect(disk: &Arc<dyn ReadAt>, layout: &DiskLayout) -> Findings {
    let (mut volumes, unreadable) = volumes::open_all(disk, layout);
    let mut systems = linux::find(&mut volumes);
    systems.extend(windows::find(&mut volumes));
    for volume in &mut volumes {
        systems.extend(dos::find(volume));
    }
    systems.sort_by_key(|system| system.partition);
    Findings { systems, unreadable }
}
