//! Puts together what the physical volumes of a disk say: which groups there are, and where on the disk their logical
//! volumes lie.

use super::group::{Group, Physical};
use super::label::{self, LABEL_AREA};
use super::logical::{Logical, Stripe};
use super::{LogicalName, LogicalVolume, Lvm, LvmError, PhysicalVolume, area};
use crate::io::{ReadAt, Window};
use crate::mapping::{Mapping, Segment};
use std::collections::BTreeMap;
use std::ops::Range;

/// The most text of metadata that is read from one disk, in bytes.
const MOST_TEXT: u64 = 16 << 20;

/// A part of the disk that may be a physical volume.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Partition number; 0 for the whole disk.
    pub partition: u32,
    /// Where it lies, in bytes.
    pub range: Range<u64>,
    /// Why it must not be looked into, as the end of a sentence.
    pub doubt: Option<String>,
}

/// A physical volume whose label was read.
struct Present {
    partition: u32,
    range: Range<u64>,
    uuid: String,
    /// Its label and metadata areas, in bytes from its start: no data can be there.
    reserved: Vec<Range<u64>>,
    /// The same label is there twice.
    twice: bool,
}

/// Finds the logical volumes on these parts of `disk`. What cannot be read is no error, but a problem of its physical
/// volume.
pub fn find<D: ReadAt + ?Sized>(disk: &D, candidates: &[Candidate]) -> Lvm {
    let mut physical: Vec<PhysicalVolume> = Vec::new();
    let mut present: Vec<Present> = Vec::new();
    let mut groups = Groups {
        found: BTreeMap::new(),
        room: MOST_TEXT,
    };
    for candidate in candidates {
        let mut volume = PhysicalVolume {
            partition: candidate.partition,
            uuid: None,
            group: None,
            problems: candidate.doubt.iter().cloned().collect(),
        };
        if candidate.doubt.is_none() {
            match read(disk, candidate, &mut groups, &mut volume.problems) {
                Ok(found) => {
                    volume.uuid = Some(found.uuid.clone());
                    present.push(found);
                }
                Err(error) => volume.problems.push(error.to_string()),
            }
        }
        physical.push(volume);
    }
    mark_twins(&mut present);
    // Groups that claim the same physical volume: one of them is out of date, and it is not known which.
    let mut claims: BTreeMap<&str, usize> = BTreeMap::new();
    for member in groups.found.values().flat_map(|found| found.group.physical.values()) {
        let count = claims.entry(&member.uuid).or_default();
        *count = count.saturating_add(1);
    }
    let mut logical = Vec::new();
    for found in groups.found.values() {
        let members = Members::of(found, &present, &claims);
        for volume in &mut physical {
            let is_here = |place: &&Present| Some(&place.uuid) == volume.uuid.as_ref();
            if members.places.values().flatten().any(is_here) {
                volume.group.get_or_insert_with(|| found.group.name.clone());
            }
        }
        logical.extend(members.volumes());
    }
    logical.sort_by_key(|volume: &LogicalVolume| {
        let first = volume.segments.as_ref().and_then(|mapping| mapping.segments().first());
        (first.map_or(u64::MAX, |segment| segment.disk), volume.name.clone())
    });
    for volume in &mut physical {
        let here = |logical: &&LogicalVolume| logical.partitions.contains(&volume.partition);
        for logical in logical.iter().filter(here) {
            let why = logical.unreadable.as_ref();
            let problem = why.map(|why| format!("its logical volume {} cannot be read: {why}", logical.name));
            volume.problems.extend(problem);
        }
    }
    Lvm { physical, logical }
}

/// Reads a label, and the groups that its metadata areas describe.
fn read<D: ReadAt + ?Sized>(
    disk: &D,
    candidate: &Candidate,
    groups: &mut Groups,
    problems: &mut Vec<String>,
) -> Result<Present, LvmError> {
    let volume = Window::new(disk, candidate.range.clone())?;
    let header = label::read(&volume)?;
    for place in &header.areas {
        let added = area::read(&volume, place, groups.room).and_then(|text| groups.add(text));
        problems.extend(added.err().map(|error| error.to_string()));
    }
    let mut reserved = header.areas;
    reserved.push(LABEL_AREA);
    Ok(Present {
        partition: candidate.partition,
        range: candidate.range.clone(),
        uuid: header.uuid,
        reserved,
        twice: false,
    })
}

fn mark_twins(present: &mut [Present]) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for place in present.iter() {
        let count = count.entry(place.uuid.clone()).or_default();
        *count = count.saturating_add(1);
    }
    for place in present {
        place.twice = count.get(&place.uuid).is_some_and(|count| *count > 1);
    }
}

/// The groups that were found, by their ids.
struct Groups {
    found: BTreeMap<String, Found>,
    /// How much more text is read, in bytes.
    room: u64,
}

impl Groups {
    /// Takes what a metadata area has.
    fn add(&mut self, text: Option<Vec<u8>>) -> Result<(), LvmError> {
        let Some(text) = text else { return Ok(()) };
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.room = self.room.saturating_sub(length);
        let group = Group::parse(&text)?;
        match self.found.get_mut(&group.id) {
            Some(found) => found.add(group),
            None => {
                let id = group.id.clone();
                self.found.insert(id, Found { group, differs: false });
            }
        }
        Ok(())
    }
}

/// The newest description of a group.
struct Found {
    group: Group,
    /// There is another one with the same number that says something else.
    differs: bool,
}

impl Found {
    fn add(&mut self, other: Group) {
        if other.seqno > self.group.seqno {
            *self = Found {
                group: other,
                differs: false,
            };
        } else if other.seqno == self.group.seqno && other != self.group {
            self.differs = true;
        }
    }
}

/// A group, and the places of its physical volumes as far as they are here.
struct Members<'a> {
    found: &'a Found,
    /// By their names in the text; `None` for one that is not here.
    places: BTreeMap<&'a str, Option<&'a Present>>,
    /// Those that another group has, too, or whose label is there twice.
    doubtful: Vec<&'a str>,
}

impl<'a> Members<'a> {
    fn of(found: &'a Found, present: &'a [Present], claims: &BTreeMap<&str, usize>) -> Self {
        let mut members = Members {
            found,
            places: BTreeMap::new(),
            doubtful: Vec::new(),
        };
        let by_uuid: BTreeMap<&str, &Present> = present.iter().map(|place| (place.uuid.as_str(), place)).collect();
        for (name, physical) in &found.group.physical {
            let place = by_uuid
                .get(physical.uuid.as_str())
                .copied()
                .filter(|_| !physical.missing);
            members.places.insert(name, place);
            let claimed = claims.get(physical.uuid.as_str()).is_some_and(|count| *count > 1);
            if claimed || place.is_some_and(|place| place.twice) {
                members.doubtful.push(name);
            }
        }
        members
    }

    /// The volumes that the system shows.
    fn volumes(&self) -> Vec<LogicalVolume> {
        let crossed = self.crossed();
        let visible = self.found.group.logical.iter().enumerate();
        let visible = visible.filter(|(_, logical)| logical.visible);
        visible
            .map(|(number, logical)| self.volume(logical, crossed.get(number).copied().unwrap_or(false)))
            .collect()
    }

    /// For each volume of the group, hidden ones too: whether it shares an extent with another one, or with itself.
    fn crossed(&self) -> Vec<bool> {
        let logical = &self.found.group.logical;
        let mut crossed = vec![false; logical.len()];
        let mut pieces: Vec<(&str, u64, u64, usize)> = Vec::new();
        for (number, volume) in logical.iter().enumerate() {
            let of_volume = volume.stripes.iter();
            pieces.extend(of_volume.map(|stripe| {
                let end = stripe.extent.saturating_add(stripe.count);
                (stripe.physical.as_str(), stripe.extent, end, number)
            }));
        }
        pieces.sort_unstable();
        // The piece that reaches farthest so far.
        let mut last: Option<(&str, u64, usize)> = None;
        for (physical, start, end, number) in pieces {
            match last {
                Some((other, reach, owner)) if other == physical => {
                    if start < reach {
                        for number in [number, owner] {
                            crossed.get_mut(number).into_iter().for_each(|crossed| *crossed = true);
                        }
                    }
                    if end > reach {
                        last = Some((physical, end, number));
                    }
                }
                _ => last = Some((physical, end, number)),
            }
        }
        crossed
    }

    fn volume(&self, logical: &Logical, crossed: bool) -> LogicalVolume {
        let group = &self.found.group;
        let mapping = match &logical.unreadable {
            Some(why) => Err(why.clone()),
            None if self.found.differs => Err("the copies of its group's metadata contradict each other".to_owned()),
            None if crossed => Err("another logical volume claims the same place".to_owned()),
            None => self.mapping(logical),
        };
        let partition = |name: &str| {
            let place = self.places.get(name).copied().flatten();
            place.map(|place| place.partition)
        };
        let of_stripes = logical.stripes.iter();
        let mut partitions: Vec<u32> = of_stripes.filter_map(|stripe| partition(&stripe.physical)).collect();
        if partitions.is_empty() {
            partitions.extend(self.places.keys().filter_map(|name| partition(name)));
        }
        let mut seen = std::collections::BTreeSet::new();
        partitions.retain(|partition| seen.insert(*partition));
        let read_only = if logical.has_snapshots {
            Some("snapshots of it would change with it")
        } else if !logical.writable {
            Some("LVM itself does not let it be written")
        } else {
            None
        };
        let size = logical.extents.checked_mul(group.extent);
        let (segments, unreadable) = match mapping {
            Ok(mapping) => (Some(mapping), None),
            Err(why) => (None, Some(why)),
        };
        LogicalVolume {
            name: LogicalName {
                group: group.name.clone(),
                name: logical.name.clone(),
            },
            uuid: logical.uuid.clone(),
            size: size.unwrap_or(u64::MAX),
            partitions,
            read_only: read_only.filter(|_| segments.is_some()).map(str::to_owned),
            segments,
            unreadable,
        }
    }

    /// Where a linear volume lies on the disk, or why that is not known.
    fn mapping(&self, logical: &Logical) -> Result<Mapping, String> {
        let mut segments: Vec<Segment> = Vec::new();
        for stripe in &logical.stripes {
            let name = stripe.physical.as_str();
            let (Some(physical), Some(place)) = (self.found.group.physical.get(name), self.places.get(name)) else {
                return Err(format!("its group has no physical volume {name}"));
            };
            let place = place.ok_or_else(|| {
                format!(
                    "a part of it is on the physical volume {}, which is not on this disk",
                    physical.uuid
                )
            })?;
            if self.doubtful.contains(&name) {
                return Err(format!(
                    "the physical volume {} is there twice, or two groups have it",
                    physical.uuid
                ));
            }
            let segment = self.segment(stripe, physical, place);
            segments.push(segment.ok_or("a part of it is outside of its physical volume's data")?);
        }
        Mapping::new(segments).ok_or_else(|| "its parts do not fit together".to_owned())
    }

    fn segment(&self, stripe: &Stripe, physical: &Physical, place: &Present) -> Option<Segment> {
        let extent = self.found.group.extent;
        let last = stripe.extent.checked_add(stripe.count)?;
        let inside = |extents: u64| physical.start.checked_add(extents.checked_mul(extent)?);
        let (start, end) = (inside(stripe.extent)?, inside(last)?);
        let size = place.range.end.saturating_sub(place.range.start);
        let free = place.reserved.iter().all(|area| end <= area.start || start >= area.end);
        if last > physical.extents || end > size || !free {
            return None;
        }
        Some(Segment {
            logical: stripe.logical.checked_mul(extent)?,
            disk: place.range.start.checked_add(start)?,
            length: end.checked_sub(start)?,
        })
    }
}
