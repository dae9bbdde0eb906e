//! By what a disk is known again when a capture goes on: by what it says it is, and by the places on it that change when
//! somebody uses it. Not by its name: `/dev/sdb` may be another disk tomorrow.

use super::rescue::map::StatusMap;
use crate::source::Input;
use disk::ReadAt;
use disk::io::Window;
use disk::layout::DiskLayout;
use disk::usedmap::{VolumeKind, marks};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What is known of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    size: u64,
    sector: u32,
    model: Option<String>,
    serial: Option<String>,
    wwn: Option<String>,
    table_id: Option<String>,
    /// What was known to be lost before (`--map`).
    lost: Option<[u8; 32]>,
    marks: Vec<Mark>,
}

/// A place that changes when its volume is mounted for writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Number of the partition; 0 for the disk itself.
    partition: u32,
    start: u64,
    length: u64,
    /// BLAKE3; `None` if it could not be read.
    hash: Option<[u8; 32]>,
}

/// Why a disk is not the one that was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// It is another one; this is what differs.
    Another(&'static str),
    /// It is the same, but somebody wrote to this partition; 0 for the partition table.
    Changed(u32),
    /// What `--map` said is not what it says now.
    Map,
}

impl Fingerprint {
    /// Looks at a disk.
    pub(super) fn of(input: &Input, layout: &DiskLayout, lost: &StatusMap) -> Self {
        let info = input.info();
        let reader = input.reader();
        let mut places = vec![(0, marks(&*reader, VolumeKind::Unknown), 0)];
        for contents in &layout.contents {
            let number = contents.partition.as_ref().map_or(0, |partition| partition.number);
            let range = contents.start..contents.start.saturating_add(contents.size);
            if let Ok(volume) = Window::new(&*reader, range) {
                places.push((number, marks(&volume, contents.volume.kind), contents.start));
            }
        }
        let marks = places.into_iter().flat_map(|(partition, marks, at)| {
            let reader = &reader;
            marks.into_iter().map(move |mark| {
                let (start, length) = (at + mark.start, mark.end - mark.start);
                Mark {
                    partition,
                    start,
                    length,
                    hash: hash_of(&**reader, start..start + length),
                }
            })
        });
        Fingerprint {
            size: info.size,
            sector: info.logical_sector,
            model: info.model,
            serial: info.serial,
            wwn: info.wwn,
            table_id: layout.table.disk_id.clone(),
            lost: (!lost.lost().is_empty()).then(|| hash_of_ranges(lost)),
            marks: marks.collect(),
        }
    }

    /// Size of the disk in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What tells `now` from this. What could not be read, then or now, tells nothing.
    pub(super) fn difference(&self, now: &Fingerprint) -> Option<Difference> {
        let differ = |then: &Option<String>, now: &Option<String>| then.is_some() && now.is_some() && then != now;
        if self.size != now.size {
            return Some(Difference::Another("size"));
        }
        if differ(&self.serial, &now.serial) {
            return Some(Difference::Another("serial number"));
        }
        if differ(&self.wwn, &now.wwn) {
            return Some(Difference::Another("World Wide Name"));
        }
        if self.sector != now.sector {
            return Some(Difference::Another("sector size"));
        }
        if differ(&self.table_id, &now.table_id) {
            return Some(Difference::Another("identity of the partition table"));
        }
        if self.lost != now.lost {
            return Some(Difference::Map);
        }
        let changed = self.marks.iter().find(|mark| {
            let same_place = |now: &&Mark| now.start == mark.start && now.length == mark.length;
            let now = now.marks.iter().find(same_place);
            now.is_some_and(|now| mark.hash.is_some() && now.hash.is_some() && now.hash != mark.hash)
        });
        changed.map(|mark| Difference::Changed(mark.partition))
    }

    /// The disk in words.
    pub(super) fn text(&self) -> String {
        let size = crate::report::size(self.size);
        let model = self.model.as_deref().unwrap_or("a disk");
        match &self.serial {
            Some(serial) => format!("{model} ({serial}, {size})"),
            None => format!("{model} ({size})"),
        }
    }
}

fn hash_of(reader: &dyn ReadAt, range: Range<u64>) -> Option<[u8; 32]> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).ok()?];
    reader.read_at(range.start, &mut bytes).ok()?;
    Some(*blake3::hash(&bytes).as_bytes())
}

fn hash_of_ranges(map: &StatusMap) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for range in map.lost().iter() {
        hasher.update(&range.start.to_le_bytes());
        hasher.update(&range.end.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Fingerprint {
        let mark = |partition, start, hash| Mark {
            partition,
            start,
            length: 10,
            hash,
        };
        Fingerprint {
            size: 100,
            sector: 512,
            serial: Some("A".into()),
            marks: vec![mark(0, 0, Some([1; 32])), mark(2, 50, Some([2; 32])), mark(3, 70, None)],
            ..Fingerprint::default()
        }
    }

    #[test]
    fn another_disk_and_a_changed_one_are_told_from_the_same() {
        let then = known();
        assert_eq!(then.difference(&then), None);
        let changed = |change: fn(&mut Fingerprint)| {
            let mut now = known();
            change(&mut now);
            then.difference(&now)
        };
        assert_eq!(changed(|now| now.size = 99), Some(Difference::Another("size")));
        assert_eq!(
            changed(|now| now.serial = Some("B".into())),
            Some(Difference::Another("serial number"))
        );
        assert_eq!(changed(|now| now.serial = None), None);
        assert_eq!(
            changed(|now| now.marks[1].hash = Some([3; 32])),
            Some(Difference::Changed(2))
        );
        assert_eq!(changed(|now| now.marks[1].hash = None), None);
        assert_eq!(changed(|now| now.marks[2].hash = Some([3; 32])), None);
        assert_eq!(changed(|now| now.lost = Some([0; 32])), Some(Difference::Map));
    }
}
