//! A plan: everything that would be changed, as data, and carrying it out.

use super::finding::{Effect, Finding};
use crate::{System, Unreadable};
use disk::BlockDevice;
use disk::scratch::Change;
use serde::Serialize;
use std::io;

/// One change, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// The system's name.
    pub system: String,
    /// Partition number; 0 for a filesystem on the whole disk.
    pub partition: u32,
    /// The file, as a path inside the volume.
    pub file: String,
    /// The place in the file: `HKLM\SYSTEM\ControlSet001\Services\intelide Start`.
    pub place: String,
    /// What is there now; `None` for what is added.
    pub before: Option<String>,
    /// What will be there; `None` for what is removed.
    pub after: Option<String>,
    /// Why.
    pub why: String,
}

/// What is on a disk, what stands in the way, and what would be changed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// The systems that were found.
    pub systems: Vec<System>,
    /// Volumes that could not be looked into.
    pub unreadable: Vec<Unreadable>,
    /// What should be known, the worst first.
    pub findings: Vec<Finding>,
    /// The changes.
    pub edits: Vec<Edit>,
    /// Addresses of network cards that settings of the systems depend on: the machine's cards should have them.
    pub addresses: Vec<String>,
    /// The same changes as bytes.
    #[serde(skip)]
    pub(super) writes: Vec<Change>,
}

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The plan has a finding that forbids it.
    #[error("{0}")]
    Refused(String),
    /// The disk does not hold what it held when the plan was made.
    #[error("the disk changed since it was looked at: at byte {offset} there is something else; nothing was changed")]
    Changed {
        /// Where, in bytes from the start of the disk.
        offset: u64,
    },
    /// What was written cannot be read back.
    #[error("what was written at byte {offset} does not read back the same")]
    NotWritten {
        /// Where, in bytes from the start of the disk.
        offset: u64,
    },
    /// The disk could not be read or written.
    #[error("the disk cannot be changed at byte {offset}: {source}")]
    Io {
        /// Where, in bytes from the start of the disk.
        offset: u64,
        /// The system's error.
        source: io::Error,
    },
}

impl Plan {
    /// The findings that forbid any change.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        let refusal = |finding: &&Finding| finding.effect == Effect::Refusal;
        self.findings.iter().filter(refusal)
    }

    /// How many bytes on the disk are written.
    pub fn bytes(&self) -> u64 {
        let lengths = self.writes.iter().map(|write| write.after.len());
        lengths.fold(0, |sum, len| sum.saturating_add(u64::try_from(len).unwrap_or(u64::MAX)))
    }
}

/// Carries out a plan on the disk that it was made for, or on an overlay of it, and reads it back. Every byte is
/// compared with what the plan expects before the first one is written.
pub fn apply(plan: &Plan, device: &dyn BlockDevice) -> Result<(), ApplyError> {
    if let Some(finding) = plan.refusals().next() {
        return Err(ApplyError::Refused(finding.what.clone()));
    }
    for write in &plan.writes {
        let offset = write.offset;
        if write.before.len() != write.after.len() || read(device, offset, write.before.len())? != write.before {
            return Err(ApplyError::Changed { offset });
        }
    }
    for write in &plan.writes {
        let offset = write.offset;
        let failed = |source| ApplyError::Io { offset, source };
        device.write_at(offset, &write.after).map_err(failed)?;
    }
    let failed = |source| ApplyError::Io { offset: 0, source };
    device.flush().map_err(failed)?;
    for write in &plan.writes {
        let offset = write.offset;
        if read(device, offset, write.after.len())? != write.after {
            return Err(ApplyError::NotWritten { offset });
        }
    }
    Ok(())
}

fn read(device: &dyn BlockDevice, offset: u64, len: usize) -> Result<Vec<u8>, ApplyError> {
    let mut bytes = vec![0; len];
    let failed = |source| ApplyError::Io { offset, source };
    device.read_at(offset, &mut bytes).map_err(failed)?;
    Ok(bytes)
}
