//! The first sector of a transaction log: a copy of the hive's base block with another file type.

use super::error::Unusable;
use crate::registry::base_block::{self, BaseBlock};
use crate::registry::bytes::{index, u32_at};

/// Bytes of the sectors that the clustering factor counts.
const SECTOR: usize = 512;

/// How a log is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Windows 8 and before: a map of the pages that follow.
    DirtyMap,
    /// Windows 8.1 and later: entries one after the other.
    Entries,
}

/// A log whose first sector makes sense.
#[derive(Debug)]
pub(super) struct Header<'l> {
    pub(super) format: Format,
    pub(super) base: BaseBlock,
    /// The first sector.
    pub(super) sector: &'l [u8],
    /// The whole log.
    pub(super) log: &'l [u8],
}

impl<'l> Header<'l> {
    pub(super) fn parse(log: &'l [u8]) -> Result<Self, Unusable> {
        if log.iter().take(SECTOR).all(|byte| *byte == 0) {
            return Err(Unusable::Empty);
        }
        let base = BaseBlock::decode(log).map_err(Unusable::NotALog)?;
        if !base.is_intact() {
            return Err(Unusable::Checksum);
        }
        let format = match u32_at(log, base_block::at::FILE_TYPE) {
            Some(1 | 2) => Format::DirtyMap,
            Some(6) => Format::Entries,
            other => return Err(Unusable::Type(other.unwrap_or_default())),
        };
        let factor = u32_at(log, base_block::at::CLUSTERING).map(index).unwrap_or_default();
        // Some writers leave it at 0; beyond 8 the sector would be longer than the base block.
        let sector = SECTOR.saturating_mul(factor.clamp(1, 8));
        Ok(Header {
            format,
            base,
            sector: log.get(..sector).ok_or(Unusable::Truncated)?,
            log,
        })
    }
}
