//! The value of an attribute as bytes, wherever its parts are.

use super::damaged;
use super::record::{Attribute, Value};
use super::runs::Run;
use crate::guestfs::GuestFsError;
use crate::guestfs::volume::Volume;
use std::ops::Range;

/// Bytes of a value, and where they start on the volume; `None` for a hole.
pub(super) type Extent = (Range<u64>, Option<u64>);

/// A value that can be read.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    place: Place,
    /// Length in bytes.
    pub(super) size: u64,
    /// Flags of the attribute, see [`Attribute::flags`].
    pub(super) flags: u16,
}

#[derive(Clone, Debug)]
enum Place {
    Resident(Vec<u8>),
    Clusters {
        /// Ascending, without gaps.
        extents: Vec<Extent>,
        initialized: u64,
    },
}

impl Stream {
    /// Puts the parts of one attribute together. They must start at virtual cluster 0 and follow each other.
    pub(super) fn join(mut parts: Vec<Attribute>, cluster: u64) -> Result<Self, GuestFsError> {
        parts.sort_by_key(|part| match &part.value {
            Value::Resident(_) => 0,
            Value::Runs { first, .. } => *first,
        });
        let mut joined: Option<Stream> = None;
        let mut next = 0u64;
        for part in parts {
            match (part.value, &mut joined) {
                (Value::Resident(bytes), None) => {
                    return Ok(Stream {
                        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                        place: Place::Resident(bytes),
                        flags: part.flags,
                    });
                }
                (
                    Value::Runs { first, runs, .. },
                    Some(Stream {
                        place: Place::Clusters { extents, .. },
                        ..
                    }),
                ) if first == next => {
                    next = append(extents, &runs, first, cluster)?;
                }
                (
                    Value::Runs {
                        first: 0,
                        runs,
                        size,
                        initialized,
                    },
                    None,
                ) => {
                    let mut extents = Vec::new();
                    next = append(&mut extents, &runs, 0, cluster)?;
                    let place = Place::Clusters { extents, initialized };
                    let flags = part.flags;
                    joined = Some(Stream { place, size, flags });
                }
                _ => return Err(damaged("the parts of a file do not fit together")),
            }
        }
        joined.ok_or_else(|| damaged("a file lacks the first of its parts"))
    }

    /// Whether the value is inside the record.
    pub(super) fn is_resident(&self) -> bool {
        matches!(self.place, Place::Resident(_))
    }

    /// The clusters of a value that is not resident, as ranges of its bytes with their place on the volume (`None` for
    /// holes), and how many bytes were ever written.
    pub(super) fn clusters(&self) -> Option<(&[Extent], u64)> {
        match &self.place {
            Place::Resident(_) => None,
            Place::Clusters { extents, initialized } => Some((extents, *initialized)),
        }
    }

    /// Fills `buf` from `offset`. Both must lie inside [`size`](Self::size).
    pub(super) fn read(&self, volume: &mut Volume, offset: u64, buf: &mut [u8]) -> Result<(), GuestFsError> {
        let short = || damaged("a file is longer than its clusters");
        let (extents, initialized) = match &self.place {
            Place::Resident(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let bytes = bytes.get(start..).and_then(|rest| rest.get(..buf.len()));
                buf.copy_from_slice(bytes.ok_or_else(short)?);
                return Ok(());
            }
            Place::Clusters { extents, initialized } => (extents, *initialized),
        };
        let first = extents.partition_point(|(range, _)| range.end <= offset);
        let mut at = offset;
        let mut rest = buf;
        for (range, place) in extents.get(first..).unwrap_or_default() {
            if rest.is_empty() || at >= initialized {
                break;
            }
            // The rules of the list give range.start <= at < range.end.
            let inside = at.saturating_sub(range.start);
            let left = range.end.min(initialized).saturating_sub(at);
            let len = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at_mut(len);
            match place {
                Some(place) => volume.read_bytes(place.saturating_add(inside), now).map_err(damaged)?,
                None => now.fill(0),
            }
            at = at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            rest = later;
        }
        // Past the initialized bytes everything is zero, whether it has clusters or not.
        if !rest.is_empty() && at < initialized {
            return Err(short());
        }
        rest.fill(0);
        Ok(())
    }
}

/// Adds `runs`, which start at virtual cluster `first`, and returns the virtual cluster after them.
fn append(extents: &mut Vec<Extent>, runs: &[Run], first: u64, cluster: u64) -> Result<u64, GuestFsError> {
    let mut at = first;
    for run in runs {
        let end = at.checked_add(run.count);
        let bytes = |clusters: u64| clusters.checked_mul(cluster);
        let range = (|| Some(bytes(at)?..bytes(end?)?))();
        let place = run.cluster.map(bytes);
        match (range, end, place) {
            (Some(range), Some(end), None | Some(Some(_))) => {
                extents.push((range, place.flatten()));
                at = end;
            }
            _ => return Err(damaged("a file has clusters beyond any disk")),
        }
    }
    Ok(at)
}
