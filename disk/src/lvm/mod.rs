//! LVM2: which logical volumes are on the physical volumes of one disk, and where their bytes lie.
//!
//! [`label`] → where the metadata is → [`area`]: its newest copy → [`config`]: its text → [`group`]: what the text means
//! → [`assemble`]: places on this disk → [`Lvm`]. Reads only.
//!
//! Only what is certain is mapped: linear volumes whose pieces are all here. Anything else is named with the reason why
//! it cannot be read.
//!
//! Sources: Red Hat, "Logical Volume Manager Administration", appendix "LVM volume group metadata"; libvslvm,
//! "Logical Volume Manager (LVM) format" (offsets, sizes, checksums); `lvm.conf(5)`, "Syntax" (the text); what lvm2's
//! own tools write, which the tests compare with.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod area;
mod assemble;
mod config;
mod group;
mod label;
mod logical;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests;

use crate::mapping::Mapping;
use serde::Serialize;
use std::io;

pub use assemble::{Candidate, find};
pub use group::LogicalName;

/// LVM counts in sectors of this many bytes, whatever the disk's sectors are.
const SECTOR: u64 = 512;
/// Label, metadata area header: one sector each, in bytes.
const HEADER: usize = 512;

/// Everything of LVM on a disk.
#[derive(Clone, Debug, Default)]
pub struct Lvm {
    /// In the order of their places.
    pub physical: Vec<PhysicalVolume>,
    /// Those that the system shows, in the order of their places; parts of them that LVM hides are not listed.
    pub logical: Vec<LogicalVolume>,
}

/// A physical volume of LVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhysicalVolume {
    /// Partition number; 0 for the whole disk.
    pub partition: u32,
    /// LVM's own UUID of it, if its label could be read.
    pub uuid: Option<String>,
    /// The volume group that it belongs to.
    pub group: Option<String>,
    /// What on it cannot be read, and why: ends of sentences. Empty if all of it can.
    pub problems: Vec<String>,
}

/// A logical volume of LVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogicalVolume {
    /// The volume group's and its own.
    #[serde(flatten)]
    pub name: LogicalName,
    /// LVM's own UUID of it.
    pub uuid: String,
    /// Size in bytes.
    pub size: u64,
    /// The partitions with its physical volumes, 0 for the whole disk; those of its group if it is not known where it
    /// lies.
    pub partitions: Vec<u32>,
    /// Where its bytes lie on the disk; `None` if it cannot be read.
    pub segments: Option<Mapping>,
    /// Why it cannot be read, as the end of a sentence.
    pub unreadable: Option<String>,
    /// Why it must not be written although it can be read, as the end of a sentence.
    pub read_only: Option<String>,
}

/// Why a physical volume's metadata cannot be used. The texts are ends of sentences.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LvmError {
    /// The disk cannot be read there.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A structure is not what it should be.
    #[error("its {structure} at byte {offset} is damaged: {what}")]
    Damaged {
        /// `label`, `metadata area`.
        structure: &'static str,
        /// In bytes from the start of the physical volume.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The text of the metadata is not understood.
    #[error("its metadata are not understood at byte {offset} of their text: {what}")]
    Text {
        /// In bytes from the start of the text.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The metadata say something that cannot be.
    #[error("its metadata are not understood: {0}")]
    Meaning(String),
}
