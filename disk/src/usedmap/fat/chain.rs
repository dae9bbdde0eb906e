//! The clusters of one file.

use super::boot::{self, Width};
use super::entry;
use crate::io::ReadAt;
use std::io;
use std::ops::Range;

/// Bytes of the table that are read at once. A multiple of every entry's size, also of two FAT12 entries.
const PIECE: u64 = 12 << 10;

/// Where the clusters of a file lie, as ranges of bytes from the volume's start: as many as `size` bytes need.
/// `first` is the position of its first byte. The inner error is a sentence: what is wrong with the volume.
pub(crate) fn chain<D: ReadAt + ?Sized>(
    device: &D,
    first: u64,
    size: u64,
) -> io::Result<Result<Vec<Range<u64>>, String>> {
    let mut sector = [0; boot::SIZE];
    device.read_at(0, &mut sector)?;
    let boot = match boot::parse(&sector, device.size()) {
        Ok(boot) => boot,
        Err(why) => return Ok(Err(why)),
    };
    let wrong = |what: &str| Ok(Err(what.to_owned()));
    let mut left = size.div_ceil(boot.cluster_size);
    if left > boot.clusters {
        return wrong("it is larger than the volume");
    }
    let offset = first
        .checked_sub(boot.data)
        .filter(|offset| offset.is_multiple_of(boot.cluster_size));
    let Some(mut number) = offset.map(|offset| offset.checked_div(boot.cluster_size).unwrap_or(0).saturating_add(2))
    else {
        return wrong("it does not begin at a cluster");
    };
    let end = boot.clusters.saturating_add(2);
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut piece = Piece::default();
    while left > 0 {
        if !(2..end).contains(&number) {
            return wrong("its chain of clusters ends too early");
        }
        let range = boot.cluster(number)..boot.cluster(number.saturating_add(1));
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
        left = left.saturating_sub(1);
        number = u64::from(piece.entry(device, &boot, number)?);
    }
    Ok(Ok(ranges))
}

/// The part of the table that was read last.
#[derive(Default)]
struct Piece {
    number: Option<u64>,
    bytes: Vec<u8>,
}

impl Piece {
    /// What the table says for a cluster: the next one, or the mark of the end, which is no cluster's number.
    fn entry<D: ReadAt + ?Sized>(&mut self, device: &D, boot: &boot::Boot, cluster: u64) -> io::Result<u32> {
        let per_piece = super::entries(boot.width, usize::try_from(PIECE).unwrap_or(0)).max(1);
        let number = cluster.checked_div(per_piece).unwrap_or(0);
        if self.number != Some(number) {
            let start = number.saturating_mul(PIECE);
            let len = boot.table_size.saturating_sub(start).min(PIECE);
            self.bytes.resize(usize::try_from(len).unwrap_or(0), 0);
            device.read_at(boot.first_table.saturating_add(start), &mut self.bytes)?;
            self.number = Some(number);
        }
        let next = entry(boot.width, &self.bytes, cluster.checked_rem(per_piece).unwrap_or(0));
        // The four upper bits of FAT32 are reserved.
        Ok(if boot.width == Width::Fat32 {
            next & 0x0FFF_FFFF
        } else {
            next
        })
    }
}
