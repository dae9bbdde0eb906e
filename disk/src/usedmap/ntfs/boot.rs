//! The boot sector: sizes, and where the master file table lies.
//!
//! Source: the structure as the Linux-NTFS project documents it ($Boot); large clusters as Windows 10 1709 and
//! ntfs-3g 2021.8 encode them.

use crate::bytes::Fields;

pub(super) const SIZE: usize = 512;

/// What the boot sector says, checked. Sizes are in bytes.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    pub(super) cluster_size: u64,
    /// Whole clusters; the bitmap has one bit for each.
    pub(super) clusters: u64,
    pub(super) record_size: usize,
    /// First clusters of $MFT and $MFTMirr.
    pub(super) mft: u64,
    pub(super) mirror: u64,
}

/// The serial number as blkid prints it.
pub(super) fn serial(bytes: &[u8; SIZE]) -> String {
    format!("{:016X}", Fields(bytes).le64(0x48))
}

/// Reads a boot sector. `volume_size` is in bytes. The error is a sentence: why the volume must be copied whole.
pub(super) fn parse(bytes: &[u8; SIZE], volume_size: u64) -> Result<Boot, String> {
    let fields = Fields(bytes);
    let impossible = |what: &str| format!("impossible {what} in the boot sector");
    if !fields.has(510, &[0x55, 0xAA]) {
        return Err("the boot sector lacks its end mark".to_owned());
    }
    let sector = u64::from(fields.le16(0x0B));
    if !sector.is_power_of_two() || !(256..=4096).contains(&sector) {
        return Err(impossible("sector size"));
    }
    // Above 128 the byte is a negative power of two.
    let per_cluster = match fields.u8(0x0D) {
        count @ 1..=128 => u64::from(count),
        shift => power(shift).ok_or_else(|| impossible("cluster size"))?,
    };
    let cluster_size = sector.saturating_mul(per_cluster);
    if !per_cluster.is_power_of_two() || cluster_size > 2 << 20 {
        return Err(impossible("cluster size"));
    }
    let record_size = match fields.u8(0x40) {
        count @ 1..=127 => u64::from(count).saturating_mul(cluster_size),
        shift => power(shift).ok_or_else(|| impossible("record size"))?,
    };
    if !record_size.is_power_of_two() || !(512..=65536).contains(&record_size) {
        return Err(impossible("record size"));
    }
    let bytes = fields
        .le64(0x28)
        .checked_mul(sector)
        .ok_or_else(|| impossible("size"))?;
    if bytes > volume_size {
        return Err("the filesystem is larger than its partition".to_owned());
    }
    let clusters = bytes.checked_div(cluster_size).unwrap_or(0);
    let (mft, mirror) = (fields.le64(0x30), fields.le64(0x38));
    if mft == 0 || mft >= clusters || mirror >= clusters {
        return Err(impossible("place of the master file table"));
    }
    Ok(Boot {
        cluster_size,
        clusters,
        record_size: usize::try_from(record_size).map_err(|_| impossible("record size"))?,
        mft,
        mirror,
    })
}

/// 2 to the power of minus the byte read as a signed number.
fn power(byte: u8) -> Option<u64> {
    let shift = u32::from(byte.wrapping_neg());
    (shift <= 31).then(|| 1 << shift)
}
