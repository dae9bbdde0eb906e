//! Bytes that lie in pieces on something larger: a partition is one piece, a logical volume may be several.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use crate::io::{BlockDevice, ReadAt, check_bounds, past_end};
use serde::Serialize;
use std::io;
use std::ops::Range;

/// One piece, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Its first byte in the volume.
    pub logical: u64,
    /// Its first byte on the disk.
    pub disk: u64,
    /// How long it is.
    pub length: u64,
}

/// Where the bytes of a volume lie on its disk. Every byte of the volume has a place, and none is beyond 2⁶⁴.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Mapping {
    /// In ascending order of the volume's bytes, without gaps, none of them empty.
    segments: Vec<Segment>,
}

impl Mapping {
    /// From segments in ascending order; `None` if there is a gap, an empty segment, or an end beyond 2⁶⁴.
    pub fn new(segments: Vec<Segment>) -> Option<Self> {
        let mut next = 0u64;
        for segment in &segments {
            segment.disk.checked_add(segment.length)?;
            if segment.logical != next || segment.length == 0 {
                return None;
            }
            next = next.checked_add(segment.length)?;
        }
        Some(Mapping { segments })
    }

    /// One range of the disk, as a partition is.
    pub fn of_range(range: &Range<u64>) -> Self {
        let length = range.end.saturating_sub(range.start);
        let segment = Segment {
            logical: 0,
            disk: range.start,
            length,
        };
        Mapping {
            segments: if length == 0 { Vec::new() } else { vec![segment] },
        }
    }

    /// The volume's size in bytes.
    pub fn size(&self) -> u64 {
        let last = self.segments.last();
        last.map_or(0, |last| last.logical.saturating_add(last.length))
    }

    /// The pieces.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The first byte on the disk behind all pieces.
    pub fn end(&self) -> u64 {
        let ends = self.segments.iter();
        ends.map(|segment| segment.disk.saturating_add(segment.length))
            .max()
            .unwrap_or(0)
    }

    /// Where `length` bytes at `offset` of the volume lie on the disk, in the volume's order; `None` if they are not all
    /// in it.
    pub fn pieces(&self, offset: u64, length: u64) -> Option<Vec<Range<u64>>> {
        let end = offset.checked_add(length).filter(|end| *end <= self.size())?;
        let first = self
            .segments
            .partition_point(|segment| segment.logical.saturating_add(segment.length) <= offset);
        let mut pieces = Vec::new();
        for segment in self.segments.get(first..)? {
            if segment.logical >= end || length == 0 {
                break;
            }
            let from = offset.saturating_sub(segment.logical);
            let to = end.checked_sub(segment.logical)?.min(segment.length);
            pieces.push(segment.disk.checked_add(from)?..segment.disk.checked_add(to)?);
        }
        Some(pieces)
    }
}

/// A volume in the pieces of a [`Mapping`], as a thing of its own.
#[derive(Clone)]
pub struct Linear<T> {
    inner: T,
    mapping: Mapping,
}

impl<T: ReadAt> Linear<T> {
    /// The bytes of `inner` that `mapping` names; an error if they are not all there.
    pub fn new(inner: T, mapping: Mapping) -> io::Result<Self> {
        if mapping.end() > inner.size() {
            return Err(past_end(mapping.end(), 0, inner.size()));
        }
        Ok(Linear { inner, mapping })
    }

    /// The pieces of a buffer of `len` bytes at `offset`: where each lies on the disk, and how long it is.
    fn pieces(&self, offset: u64, len: usize) -> io::Result<Vec<(u64, usize)>> {
        let outside = || past_end(offset, len, self.mapping.size());
        check_bounds(offset, len, self.mapping.size())?;
        let pieces = u64::try_from(len).ok().and_then(|len| self.mapping.pieces(offset, len));
        let length = |piece: &Range<u64>| usize::try_from(piece.end.saturating_sub(piece.start)).ok();
        let pieces = pieces.ok_or_else(outside)?.into_iter();
        pieces
            .map(|piece| Some((piece.start, length(&piece)?)))
            .collect::<Option<_>>()
            .ok_or_else(outside)
    }
}

impl<T: ReadAt> ReadAt for Linear<T> {
    fn size(&self) -> u64 {
        self.mapping.size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let len = buf.len();
        let mut rest = buf;
        for (place, length) in self.pieces(offset, len)? {
            let (piece, more) = rest
                .split_at_mut_checked(length)
                .ok_or_else(|| past_end(offset, len, self.mapping.size()))?;
            self.inner.read_at(place, piece)?;
            rest = more;
        }
        Ok(())
    }
}

impl<T: BlockDevice> BlockDevice for Linear<T> {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut rest = data;
        for (place, length) in self.pieces(offset, data.len())? {
            let (piece, more) = rest
                .split_at_checked(length)
                .ok_or_else(|| past_end(offset, data.len(), self.mapping.size()))?;
            self.inner.write_at(place, piece)?;
            rest = more;
        }
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
    use super::*;
    use crate::scratch::Scratch;
    use proptest::prelude::*;
    use std::sync::Arc;

    const DISK: usize = 4096;

    fn disk() -> Vec<u8> {
        (0..DISK)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 7) as u8)
            .collect()
    }

    fn mapping(pieces: &[(usize, usize)]) -> Mapping {
        let mut logical = 0;
        let segments = pieces.iter().map(|(disk, length)| {
            let segment = Segment {
                logical,
                disk: *disk as u64,
                length: *length as u64,
            };
            logical += segment.length;
            segment
        });
        Mapping::new(segments.collect()).unwrap()
    }

    /// Pieces of the disk that do not overlap, in any order: the cells of a grid, the first so many bytes of each.
    fn pieces() -> impl Strategy<Value = Vec<(usize, usize)>> {
        let cells: Vec<usize> = (0..DISK / 256).collect();
        let picked = prop::sample::subsequence(cells, 1..8).prop_shuffle();
        (picked, prop::collection::vec(1usize..=256, 8)).prop_map(|(cells, lengths)| {
            let both = cells.iter().zip(lengths);
            both.map(|(cell, length)| (cell * 256, length)).collect()
        })
    }

    proptest! {
        /// A volume is its pieces one after the other; a write changes these bytes of the disk and no others.
        #[test]
        fn a_volume_is_its_pieces(pieces in pieces(), offset in 0usize..2100, len in 0usize..2100) {
            let mapping = mapping(&pieces);
            let places: Vec<usize> = pieces.iter().flat_map(|(at, length)| *at..*at + *length).collect();
            let scratch = Arc::new(Scratch::new(Arc::new(disk()), 1 << 20));
            let volume = Linear::new(Arc::clone(&scratch), mapping).unwrap();
            prop_assert_eq!(volume.size(), places.len() as u64);
            let mut seen = vec![0; len];
            let data = vec![0xEE; len];
            let inside = offset + len <= places.len();
            prop_assert_eq!(volume.read_at(offset as u64, &mut seen).is_ok(), inside);
            prop_assert_eq!(volume.write_at(offset as u64, &data).is_ok(), inside);
            let mut model = disk();
            if inside {
                let part = &places[offset..offset + len];
                prop_assert_eq!(seen, part.iter().map(|at| model[*at]).collect::<Vec<u8>>());
                part.iter().for_each(|at| model[*at] = 0xEE);
            }
            let mut after = vec![0; DISK];
            scratch.read_at(0, &mut after).unwrap();
            prop_assert_eq!(after, model);
        }
    }

    #[test]
    fn gaps_and_overflows_are_refused() {
        let segment = |logical, disk, length| Segment { logical, disk, length };
        assert!(Mapping::new(vec![segment(1, 0, 1)]).is_none());
        assert!(Mapping::new(vec![segment(0, 0, 1), segment(2, 0, 1)]).is_none());
        assert!(Mapping::new(vec![segment(0, 0, 0)]).is_none());
        assert!(Mapping::new(vec![segment(0, u64::MAX, 1)]).is_none());
        let last = Mapping::new(vec![segment(0, u64::MAX - 1, 1)]).unwrap();
        assert!(Linear::new(disk(), last).is_err());
        let partition = Mapping::of_range(&(100..200));
        assert_eq!(partition.pieces(90, 10).unwrap().first(), Some(&(190..200)));
        assert_eq!(partition.pieces(90, 11), None);
        assert_eq!(partition.pieces(100, 0).unwrap(), []);
        assert_eq!(partition.pieces(u64::MAX, 2), None);
    }
}
