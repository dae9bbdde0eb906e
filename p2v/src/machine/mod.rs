//! The machine folder and `machine.toml`: what a captured PC is.

mod adapted;
mod backing;
mod copy;
pub(crate) mod firmware;
mod folder;
mod geometry;
mod identity;
pub(crate) mod library;
mod lock;
pub(crate) mod names;
pub(crate) mod rename;
pub(crate) mod sessions;
pub(crate) mod settings;
mod snapshots;
mod starts;
mod survey;
mod template;

pub(crate) use adapted::Adapted;
pub(crate) use backing::{backing_name, check_independent};
pub(crate) use folder::{NewFolder, Unfinished, check_unused, unfinished};
pub(crate) use identity::{describe, is_own_disk, rfc3339};
pub(crate) use library::{Library, resolve, resolve_place};
pub(crate) use lock::FolderLock;
pub(crate) use names::{ADAPTED, ADAPTED_RECORD, CHECKSUMS, DISK, JOURNAL, LOST, MACHINE, MAP, NOW, RESCUED, SOCKETS};
pub(crate) use snapshots::Snapshots;
pub(crate) use survey::{State, Survey};

use crate::error::{Failure, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything `machine.toml` holds. Comments for people are added by [`template`](self::template).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// For window titles and lists.
    pub(crate) name: String,
    /// When it was captured, RFC 3339, UTC.
    pub(crate) created: String,
    /// Version of p2v that made it.
    pub(crate) p2v: String,
    /// What starts the system.
    pub(crate) firmware: Firmware,
    /// Virtual processors.
    pub(crate) cpus: u8,
    /// Memory in MiB.
    pub(crate) memory: u64,
    /// What the hardware clock shows.
    pub(crate) rtc: Rtc,
    /// Layout of the guest's keyboard, by which text is typed.
    #[serde(default = "us")]
    pub(crate) keyboard: String,
    /// The display adapter.
    #[serde(default)]
    pub(crate) graphics: Graphics,
    /// Whether the guest is shown which PC it was, as far as that is known.
    #[serde(default)]
    pub(crate) identity: Identity,
    /// Where the capture came from.
    pub(crate) source: Origin,
    /// In the order of the IDE positions.
    pub(crate) disks: Vec<Disk>,
    /// Network cards.
    #[serde(default)]
    pub(crate) nics: Vec<Nic>,
    /// Operating systems that were found.
    #[serde(default)]
    pub(crate) systems: Vec<FoundSystem>,
}

fn us() -> String {
    "us".to_owned()
}

/// What starts the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Firmware {
    /// A PC BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// What the hardware clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rtc {
    /// Coordinated universal time, as Linux likes it.
    Utc,
    /// Local time, as Windows and DOS like it.
    Localtime,
}

/// The display adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Graphics {
    /// A VGA with VESA modes up to 2560x1600
    #[default]
    Vga,
    /// A Cirrus Logic GD5446, for which Windows 95 to XP have a driver
    Cirrus,
}

/// Whether the guest is shown which PC it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Identity {
    /// The old PC: its maker, model, serial numbers, UUID and licence tables
    #[default]
    Shown,
    /// A virtual machine
    Hidden,
}

/// Where a capture came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The path it was read by.
    pub(crate) path: String,
    /// Vendor and model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) serial: Option<String>,
    /// World Wide Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wwn: Option<String>,
    /// Bytes.
    pub(crate) size: u64,
    /// Logical sectors.
    pub(crate) sectors: u64,
    /// Whether it was captured on the computer it belongs to.
    pub(crate) live: bool,
}

/// A disk of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disk {
    /// The capture, relative to the folder.
    pub(crate) file: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Bytes a logical sector.
    pub(crate) logical_sector: u32,
    /// Bytes a physical sector.
    pub(crate) physical_sector: u32,
    /// IDENTIFY model, at most 40 ASCII characters.
    pub(crate) model: String,
    /// IDENTIFY serial number, at most 20 ASCII characters.
    pub(crate) serial: String,
    /// The controller it hangs on.
    #[serde(default)]
    pub(crate) controller: Controller,
    /// `mbr`, `gpt` or `none`.
    pub(crate) table: String,
    /// MBR signature or GPT disk GUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) table_id: Option<String>,
    /// What INT 13h reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) geometry: Option<Geometry>,
}

/// A disk controller of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Controller {
    /// IDE, as the PIIX3 has it: what every system since the 1990s has a driver for.
    #[default]
    Ide,
}

/// Cylinders, heads, sectors as the PC BIOS reports them (INT 13h function 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Geometry {
    /// At most 1024: more cannot be said.
    pub(crate) cylinders: u32,
    /// 1–255.
    pub(crate) heads: u32,
    /// Sectors a track, 1–63.
    pub(crate) sectors: u32,
}

/// A network card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nic {
    /// `52:54:00:12:34:56`
    pub(crate) mac: String,
}

/// An operating system that was found when the disk was captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FoundSystem {
    /// For people.
    pub(crate) name: String,
    /// `windows`, `linux`, `dos`.
    pub(crate) family: String,
    /// Version numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// `x86`, `x86_64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) architecture: Option<String>,
    /// The computer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<String>,
    /// Partition number; 0 for a disk without a table.
    pub(crate) partition: u32,
}

/// A path that leads nowhere.
fn no_folder(folder: &Path) -> Failure {
    Failure::refused(format!("there is no folder {}", folder.display()))
}

impl Machine {
    /// Reads the `machine.toml` of `folder`.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(MACHINE);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            if error.kind() != std::io::ErrorKind::NotFound {
                return Failure::failed(format!("cannot read {}: {error}", path.display()));
            }
            if !matches!(unfinished(folder), Unfinished::No) {
                let what = format!("{} holds a capture that was not finished", folder.display());
                return Failure::refused(what)
                    .advice("The same `p2v capture` command goes on with it; `p2v remove` throws it away.");
            }
            if !folder.exists() {
                return no_folder(folder);
            }
            Failure::refused(format!(
                "{} is not a machine folder: it has no {MACHINE}",
                folder.display()
            ))
            .advice("Machine folders are made by `p2v capture`; `p2v list` shows those in the library.")
        })?;
        let machine: Machine = toml::from_str(&text).map_err(|error| {
            Failure::failed(format!("{} cannot be understood:\n{error}", path.display()))
                .advice("If you edited that file, check the line above; the disk itself is not affected.")
        })?;
        Ok(machine)
    }

    /// The text of `machine.toml`, with its comments.
    pub(crate) fn to_text(&self) -> Result<String> {
        template::render(self).map_err(|error| Failure::failed(format!("cannot write down the machine: {error}")))
    }

    /// The name of the first disk's capture, relative to the folder.
    pub(crate) fn capture_name(&self) -> Result<&str> {
        let disk = self.disks.first();
        disk.map(|disk| &*disk.file).ok_or_else(|| {
            Failure::failed(format!("{MACHINE} names no disk")).advice("A [[disks]] section with a `file` is needed.")
        })
    }

    /// The file of the first disk's capture in `folder`.
    pub(crate) fn capture_path(&self, folder: &Path) -> Result<PathBuf> {
        self.capture_name().map(|name| folder.join(name))
    }
}

#[cfg(test)]
mod tests;
