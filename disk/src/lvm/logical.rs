//! One logical volume as the metadata describe it: its segments in extents of physical volumes.
//!
//! Source: "LVM volume group metadata", section "Sample metadata"; `lvmsystemid(7)`, `lvmthin(7)`, `lvmcache(7)` and
//! `lvmraid(7)` for what else a segment may be.

use super::LvmError;
use super::config::{Section, Value};
use std::collections::BTreeMap;

/// A piece of a logical volume on a physical one, in extents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stripe {
    /// First extent in the logical volume.
    pub(super) logical: u64,
    pub(super) count: u64,
    /// The physical volume's name in the group's text: `pv0`.
    pub(super) physical: String,
    /// First extent in the physical volume.
    pub(super) extent: u64,
}

/// A logical volume of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logical {
    pub(super) name: String,
    pub(super) uuid: String,
    /// The system shows it. What LVM hides is a part of another volume.
    pub(super) visible: bool,
    pub(super) writable: bool,
    /// Snapshots are differences to it.
    pub(super) has_snapshots: bool,
    /// In extents.
    pub(super) extents: u64,
    /// Why it is no linear volume that can be read.
    pub(super) unreadable: Option<String>,
    /// The extents that it lies on. Complete only for what can be read, but also there for what cannot.
    pub(super) stripes: Vec<Stripe>,
    /// The other volumes that it is made from, by the keys that name them.
    pub(super) uses: Vec<(Use, String)>,
}

/// In which way a logical volume uses another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is the difference to it: the other one may be read, but a change of it would show in this one.
    Origin,
    /// It keeps its data there.
    Part,
    /// It keeps the differences of a snapshot there, which goes by that volume's name.
    Snapshot,
}

/// States that a volume which can be read may have. `LOCKED`, `PVMOVE`, `CONVERTING` and the like are not among them.
const PLAIN: [&str; 5] = ["READ", "WRITE", "VISIBLE", "FIXED_MINOR", "NOTSYNCED"];
/// Flags that say nothing of where the data are.
const PLAIN_FLAGS: [&str; 2] = ["ACTIVATION_SKIP", "ERROR_WHEN_FULL"];

/// Reads the volume `name`. `is_logical` tells the names of the group's logical volumes.
pub(super) fn read(name: &str, section: &Section, is_logical: &dyn Fn(&str) -> bool) -> Result<Logical, LvmError> {
    let missing = |key: &str| LvmError::Meaning(format!("the logical volume {name} has no {key}"));
    let status = section.words("status").ok_or_else(|| missing("status"))?;
    let flags = section.words("flags").unwrap_or_default();
    let has = |wanted: &str| status.contains(&wanted);
    let mut logical = Logical {
        name: name.to_owned(),
        uuid: section.text("id").ok_or_else(|| missing("id"))?.to_owned(),
        visible: has("VISIBLE"),
        writable: has("WRITE"),
        has_snapshots: false,
        extents: 0,
        unreadable: None,
        stripes: Vec::new(),
        uses: Vec::new(),
    };
    let strange = status.iter().find(|word| !PLAIN.contains(word));
    let strange = strange.or_else(|| flags.iter().find(|word| !PLAIN_FLAGS.contains(word)));
    if let Some(word) = strange {
        logical.refuse(format!("it is in the state {word}"));
    }
    if !has("READ") {
        logical.refuse("LVM itself does not let it be read".to_owned());
    }
    let count = section
        .number("segment_count")
        .ok_or_else(|| missing("segment_count"))?;
    let mut segments: BTreeMap<u64, &Section> = BTreeMap::new();
    for (_, segment) in section.sections().filter(|(name, _)| name.starts_with("segment")) {
        let start = segment.number("start_extent").ok_or_else(|| missing("start_extent"))?;
        segments.insert(start, segment);
    }
    if u64::try_from(segments.len()) != Ok(count) || count == 0 {
        return Err(missing("complete list of segments"));
    }
    for (start, segment) in segments {
        let extents = segment.number("extent_count").filter(|count| *count > 0);
        let extents = extents.ok_or_else(|| missing("extent_count"))?;
        if start != logical.extents {
            return Err(missing("segment for each of its extents"));
        }
        logical.extents = start.checked_add(extents).ok_or_else(|| missing("end"))?;
        logical.add(segment, start, extents, is_logical);
    }
    Ok(logical)
}

impl Logical {
    /// Keeps the first reason.
    pub(super) fn refuse(&mut self, why: String) {
        self.unreadable.get_or_insert(why);
    }

    fn add(&mut self, segment: &Section, start: u64, extents: u64, is_logical: &dyn Fn(&str) -> bool) {
        let kind = segment.text("type").unwrap_or("unnamed");
        let stripes = segment.list("stripes").unwrap_or_default();
        let (pairs, rest) = stripes.as_chunks::<2>();
        let count = segment.number("stripe_count");
        let linear = kind == "striped" && count == Some(1) && pairs.len() == 1 && rest.is_empty();
        if !linear {
            self.refuse(match (kind, count) {
                ("striped", Some(2..)) => "it is striped over several places".to_owned(),
                _ => format!("it is of the type {kind}"),
            });
        }
        let each = extents
            .checked_div(u64::try_from(pairs.len()).unwrap_or(1))
            .unwrap_or(0);
        for pair in pairs {
            match pair {
                [Value::Text(name), Value::Number(extent)] if !is_logical(name) => self.stripes.push(Stripe {
                    logical: start,
                    count: each,
                    physical: name.clone(),
                    extent: *extent,
                }),
                _ => self.refuse("it lies on another logical volume".to_owned()),
            }
        }
        for (key, name) in segment
            .strings()
            .filter(|(key, name)| *key != "type" && is_logical(name))
        {
            let origin = matches!((kind, key), ("snapshot", "origin") | ("thin", "external_origin"));
            let merging = segment.text("merging_store").is_some();
            let how = match (kind, key) {
                _ if origin && !merging => Use::Origin,
                ("snapshot", "cow_store") => Use::Snapshot,
                _ => Use::Part,
            };
            self.uses.push((how, name.to_owned()));
        }
    }
}
