//! The used map of FAT12, FAT16 and FAT32, from the file allocation table.
//!
//! What is checked before a cluster counts as free: the boot sector, that all copies of the table are the same, that the
//! table begins as it must, and that the volume was closed.

mod boot;
mod chain;

use super::builder::UsedBuilder;
use super::{Volume, VolumeKind};
use crate::bytes::Fields;
use crate::extent::ExtentSet;
use crate::io::ReadAt;
use boot::{Boot, Width};
use std::io;

pub(crate) use chain::chain;

/// Bytes of a table that are read at once. A multiple of an entry's size; every FAT12 fits into one.
const READ: u64 = 1 << 20;
/// Most of the root directory that is searched for the label, in bytes.
const ROOT: u64 = 64 << 10;

/// Why a volume is copied whole.
type Refusal = &'static str;

/// Maps a FAT volume; its boot sector looks like one at least.
pub(super) fn map<D: ReadAt + ?Sized>(device: &D) -> io::Result<Volume> {
    let size = device.size();
    let mut volume = Volume::whole(VolumeKind::Fat, "FAT", size);
    let mut sector = [0; boot::SIZE];
    device.read_at(0, &mut sector)?;
    let boot = match boot::parse(&sector, size) {
        Ok(boot) => boot,
        Err(why) => {
            volume.copy_whole(size, format!("{why}: copied whole"));
            return Ok(volume);
        }
    };
    boot.width.name().clone_into(&mut volume.label_of_kind);
    volume.block_size = u32::try_from(boot.cluster_size).ok();
    volume.uuid.clone_from(&boot.serial);
    let root = read_root(device, &boot)?;
    volume.label = label_in(&root).or_else(|| boot.label.clone());
    if let Some(backup) = boot.backup {
        let mut copy = [0; boot::SIZE];
        device.read_at(backup, &mut copy)?;
        if !boot::same(&sector, &copy) {
            volume.copy_whole(size, "the boot sector and its backup differ: copied whole");
            return Ok(volume);
        }
    }
    let used = read_tables(device, &boot)?.and_then(|used| check_root(&root, &boot, &used).map(|()| used));
    match used {
        Ok(used) => {
            volume.used = used;
            volume.mapped = true;
        }
        Err(why) => volume.copy_whole(size, format!("{why}: copied whole")),
    }
    Ok(volume)
}

/// Compares all copies of the table and collects the clusters that are not free in it.
fn read_tables<D: ReadAt + ?Sized>(device: &D, boot: &Boot) -> io::Result<Result<ExtentSet, Refusal>> {
    let unclosed = "the volume was not closed (a check of the disk in its system mends that)";
    if boot.dirty {
        return Ok(Err(unclosed));
    }
    let mut used = UsedBuilder::new(device.size());
    // Boot sectors, tables, root directory.
    used.add(0..boot.data);
    let end = boot.clusters.saturating_add(2);
    let bytes = boot.width.table_bytes(end);
    let mut table = Vec::new();
    let mut other = Vec::new();
    let mut at = 0u64;
    let mut number = 0u64;
    while at < bytes {
        let len = usize::try_from(bytes.saturating_sub(at).min(READ)).unwrap_or(0);
        table.resize(len, 0);
        other.resize(len, 0);
        device.read_at(boot.first_table.saturating_add(at), &mut table)?;
        for copy in 1..boot.tables {
            let start = boot.first_table.saturating_add(copy.saturating_mul(boot.table_size));
            device.read_at(start.saturating_add(at), &mut other)?;
            if table != other {
                return Ok(Err("the copies of its file allocation table differ"));
            }
        }
        if at == 0 {
            match check_start(&table, boot) {
                Start::Good => {}
                Start::Dirty => return Ok(Err(unclosed)),
                Start::Wrong => return Ok(Err("the file allocation table does not begin as it must")),
            }
        }
        let entries = entries(boot.width, table.len()).min(end.saturating_sub(number));
        let is_used = |index: u64| number.saturating_add(index) >= 2 && entry(boot.width, &table, index) != 0;
        let mut index = 0;
        while index < entries {
            let start = index;
            while index < entries && is_used(index) {
                index = index.saturating_add(1);
            }
            if start < index {
                used.add(boot.cluster(number.saturating_add(start))..boot.cluster(number.saturating_add(index)));
            }
            index = index.saturating_add(1);
        }
        number = number.saturating_add(entries);
        at = at.saturating_add(READ);
    }
    used.add(boot.cluster(end)..device.size());
    let used = used.finish();
    if boot.root_cluster.is_some() && !used.contains(boot.root.start) {
        return Ok(Err("the root directory is marked as free"));
    }
    Ok(Ok(used))
}

/// How many whole entries `len` bytes of a table hold.
fn entries(width: Width, len: usize) -> u64 {
    let len = u64::try_from(len).unwrap_or(0);
    match width {
        Width::Fat12 => len.saturating_mul(2) / 3,
        Width::Fat16 => len / 2,
        Width::Fat32 => len / 4,
    }
}

/// An entry of a table; not zero means in use. The four reserved bits of FAT32 count, too: when in doubt, copy.
fn entry(width: Width, table: &[u8], index: u64) -> u32 {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let fields = Fields(table);
    match width {
        Width::Fat12 => {
            let pair = u32::from(fields.le16(index.saturating_add(index / 2)));
            if index.is_multiple_of(2) {
                pair & 0xFFF
            } else {
                pair >> 4
            }
        }
        Width::Fat16 => u32::from(fields.le16(index.saturating_mul(2))),
        Width::Fat32 => fields.le32(index.saturating_mul(4)),
    }
}

/// What the first two entries say.
enum Start {
    Good,
    Dirty,
    Wrong,
}

/// Entry 0 repeats the media byte; the two top bits of entry 1 are cleared while a volume is in use or has errors.
fn check_start(table: &[u8], boot: &Boot) -> Start {
    let (first, second) = (entry(boot.width, table, 0), entry(boot.width, table, 1));
    let [media, ..] = first.to_le_bytes();
    let good = match boot.width {
        Width::Fat12 => 0,
        Width::Fat16 => 0xC000,
        Width::Fat32 => 0x0C00_0000,
    };
    if media != boot.media || second == 0 {
        Start::Wrong
    } else if second & good != good {
        Start::Dirty
    } else {
        Start::Good
    }
}

/// The root directory of FAT12 and FAT16, the first cluster of that of FAT32.
fn read_root<D: ReadAt + ?Sized>(device: &D, boot: &Boot) -> io::Result<Vec<u8>> {
    let len = boot.root.end.saturating_sub(boot.root.start).min(ROOT);
    let mut root = vec![0; usize::try_from(len).unwrap_or(0)];
    device.read_at(boot.root.start, &mut root)?;
    Ok(root)
}

/// The entries of a directory that are neither deleted nor pieces of a long name.
fn directory(bytes: &[u8]) -> impl Iterator<Item = Fields<'_>> {
    let entries = bytes.chunks_exact(32).map(Fields).take_while(|entry| entry.u8(0) != 0);
    entries.filter(|entry| entry.u8(0) != 0xE5 && entry.u8(11) & 0x3F != 0x0F)
}

const VOLUME_LABEL: u8 = 0x08;

/// The volume label in the root directory, which is newer than that of the boot sector.
fn label_in(root: &[u8]) -> Option<String> {
    let mut labels = directory(root).filter(|entry| entry.u8(11) & VOLUME_LABEL != 0);
    labels.next().and_then(|entry| entry.text(0, 11))
}

/// Whatever the root directory names must be in use: else the table, or our idea of where it is, is wrong.
fn check_root(root: &[u8], boot: &Boot, used: &ExtentSet) -> Result<(), Refusal> {
    for entry in directory(root).filter(|entry| entry.u8(11) & VOLUME_LABEL == 0) {
        let high = if boot.width == Width::Fat32 {
            u64::from(entry.le16(20)) << 16
        } else {
            0
        };
        let first = high | u64::from(entry.le16(26));
        // Empty files have no cluster.
        let known = (2..boot.clusters.saturating_add(2)).contains(&first) && used.contains(boot.cluster(first));
        if first != 0 && !known {
            return Err("the root directory names a file whose clusters are free");
        }
    }
    Ok(())
}
