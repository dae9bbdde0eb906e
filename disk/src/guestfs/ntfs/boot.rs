//! The boot sector: sizes, and where the master file table starts.
//!
//! Source for this and the other structures: the Linux-NTFS project's documentation of NTFS.

use super::damaged;
use crate::bytes::Fields;
use crate::guestfs::GuestFsError;

/// Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boot {
    pub(super) cluster: u64,
    /// Size of a record of the master file table.
    pub(super) record: usize,
    /// Where the master file table starts.
    pub(super) mft: u64,
}

impl Boot {
    pub(super) fn parse(sector: &[u8; 512]) -> Result<Self, GuestFsError> {
        let fields = Fields(sector);
        if !fields.has(3, b"NTFS    ") {
            return Err(damaged("its boot sector has no NTFS signature"));
        }
        let bad = || damaged("its boot sector has impossible sizes");
        let bytes_per_sector = u64::from(fields.le16(0xb));
        // From 0x81 on the byte is a negative power of two.
        let sectors = match fields.u8(0xd) {
            count @ 1..=0x80 => u64::from(count),
            power => negative_power(power).ok_or_else(bad)?,
        };
        let cluster = bytes_per_sector.saturating_mul(sectors);
        let record = match fields.u8(0x40) {
            count @ 1..=0x7f => cluster.saturating_mul(u64::from(count)),
            power => negative_power(power).ok_or_else(bad)?,
        };
        let cluster_fits = cluster.is_power_of_two() && (256..=2 << 20).contains(&cluster);
        let record_fits = record.is_power_of_two() && (256..=64 << 10).contains(&record);
        let mft = fields.le64(0x30).checked_mul(cluster);
        match (usize::try_from(record), mft) {
            (Ok(record), Some(mft)) if cluster_fits && record_fits && mft > 0 => Ok(Boot { cluster, record, mft }),
            _ => Err(bad()),
        }
    }
}

/// 2 to the power of minus the byte, read as a signed number.
fn negative_power(byte: u8) -> Option<u64> {
    1u64.checked_shl(u32::from(byte.wrapping_neg()))
        .filter(|size| *size <= 1 << 31)
}
