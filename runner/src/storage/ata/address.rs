//! Where a command wants to go: sector addresses as cylinder/head/sector, 28-bit and 48-bit LBA.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::super::registers::{DEVICE_LBA, Deep, TaskFile};

/// The drive's CHS translation (ATA-5 and earlier; set by INITIALIZE DEVICE PARAMETERS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Translation {
    pub(in super::super) cylinders: u16,
    /// 1–16.
    pub(in super::super) heads: u8,
    /// Sectors a track, 1–255.
    pub(in super::super) sectors: u8,
}

impl Translation {
    /// What a drive of `sectors` sectors shows at power-on: 16 heads, 63 sectors, at most 16383 cylinders.
    pub(super) fn default_for(sectors: u64) -> Self {
        Self::new(16, 63, sectors).cylinders_at_most(16383)
    }

    /// With as many cylinders as fit into `total` sectors. `heads` and `sectors` are at least 1.
    pub(super) fn new(heads: u8, sectors: u8, total: u64) -> Self {
        let per_cylinder = u64::from(heads).saturating_mul(u64::from(sectors)).max(1);
        let cylinders = total.checked_div(per_cylinder).unwrap_or(0);
        Translation {
            cylinders: u16::try_from(cylinders).unwrap_or(u16::MAX),
            heads,
            sectors,
        }
    }

    fn cylinders_at_most(self, most: u16) -> Self {
        Translation {
            cylinders: self.cylinders.min(most),
            ..self
        }
    }

    /// Sectors that can be reached this way.
    pub(super) fn capacity(self) -> u32 {
        u32::from(self.cylinders)
            .saturating_mul(u32::from(self.heads))
            .saturating_mul(u32::from(self.sectors))
    }
}

/// The sectors a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// First sector.
    pub(super) lba: u64,
    /// Number of sectors, 1–65536.
    pub(super) count: u64,
    /// The command uses the 48-bit registers.
    pub(super) ext: bool,
}

impl Span {
    /// Reads address and count of a command from its registers; `None` for a CHS address that does not exist.
    pub(super) fn decode(task: &TaskFile, ext: bool, chs: Translation) -> Option<Self> {
        let lba = if ext {
            u64::from_le_bytes([
                task.low.now,
                task.mid.now,
                task.high.now,
                task.low.before,
                task.mid.before,
                task.high.before,
                0,
                0,
            ])
        } else if task.device & DEVICE_LBA != 0 {
            u64::from(u32::from_le_bytes([
                task.low.now,
                task.mid.now,
                task.high.now,
                task.device & 0x0F,
            ]))
        } else {
            chs_to_lba(task, chs)?
        };
        let count = if ext {
            match u16::from_le_bytes([task.count.now, task.count.before]) {
                0 => 0x1_0000,
                count => u64::from(count),
            }
        } else {
            match task.count.now {
                0 => 0x100,
                count => u64::from(count),
            }
        };
        Some(Span { lba, count, ext })
    }

    /// The sector after the last.
    pub(super) fn end(self) -> u64 {
        self.lba.saturating_add(self.count)
    }
}

fn chs_to_lba(task: &TaskFile, chs: Translation) -> Option<u64> {
    let cylinder = u16::from_le_bytes([task.mid.now, task.high.now]);
    let head = task.device & 0x0F;
    let sector = task.low.now.checked_sub(1)?;
    if head >= chs.heads || sector >= chs.sectors {
        return None;
    }
    u64::from(cylinder)
        .checked_mul(u64::from(chs.heads))?
        .checked_add(u64::from(head))?
        .checked_mul(u64::from(chs.sectors))?
        .checked_add(u64::from(sector))
}

/// Puts sector `lba` into the registers, in the form that the command used.
pub(super) fn encode(task: &mut TaskFile, lba: u64, ext: bool, chs: Translation) {
    let [a, b, c, d, e, f, ..] = lba.to_le_bytes();
    if ext {
        let deep = |now, before| Deep { now, before };
        (task.low, task.mid, task.high) = (deep(a, d), deep(b, e), deep(c, f));
    } else if task.device & DEVICE_LBA != 0 {
        task.low.set(a);
        task.mid.set(b);
        task.high.set(c);
        task.device = (task.device & 0xF0) | (d & 0x0F);
    } else {
        let (heads, sectors) = (u64::from(chs.heads).max(1), u64::from(chs.sectors).max(1));
        let track = lba.checked_div(sectors).unwrap_or(0);
        let sector = lba.checked_rem(sectors).unwrap_or(0).saturating_add(1);
        let [cylinder_low, cylinder_high, ..] = track.checked_div(heads).unwrap_or(0).to_le_bytes();
        let [head, ..] = track.checked_rem(heads).unwrap_or(0).to_le_bytes();
        let [sector, ..] = sector.to_le_bytes();
        task.low.set(sector);
        task.mid.set(cylinder_low);
        task.high.set(cylinder_high);
        task.device = (task.device & 0xF0) | (head & 0x0F);
    }
}
