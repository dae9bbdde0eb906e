//! A volume group as the metadata describe it.
//!
//! Source: "LVM volume group metadata", section "Metadata contents".

use super::config::{self, Section};
use super::logical::{self, Logical, Use};
use super::{LvmError, SECTOR};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The name of a logical volume: its group's and its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LogicalName {
    /// The volume group.
    pub group: String,
    /// The logical volume in it.
    pub name: String,
}

impl LogicalName {
    /// Its name in `/dev/mapper`: hyphens of the two names are doubled (`lvm(8)`, "VALID NAMES").
    pub fn mapper(&self) -> String {
        let doubled = |name: &str| name.replace('-', "--");
        format!("{}-{}", doubled(&self.group), doubled(&self.name))
    }
}

impl std::fmt::Display for LogicalName {
    /// `group/volume`, as LVM's own commands take it.
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}/{}", self.group, self.name)
    }
}

/// A physical volume of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Physical {
    pub(super) uuid: String,
    /// Where its first extent starts, in bytes from its start.
    pub(super) start: u64,
    /// In extents.
    pub(super) extents: u64,
    pub(super) missing: bool,
}

/// A volume group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) id: String,
    /// Counts the changes of the metadata.
    pub(super) seqno: u64,
    /// Bytes of an extent.
    pub(super) extent: u64,
    /// By their names in the text.
    pub(super) physical: BTreeMap<String, Physical>,
    pub(super) logical: Vec<Logical>,
}

impl Group {
    /// Reads a text.
    pub(super) fn parse(text: &[u8]) -> Result<Self, LvmError> {
        let root = config::parse(text)?;
        let meaning = |what: &str| LvmError::Meaning(what.to_owned());
        if root.text("contents") != Some("Text Format Volume Group") || root.number("version") != Some(1) {
            return Err(meaning("they are not those of a volume group"));
        }
        let mut sections = root.sections();
        let (Some((name, section)), None) = (sections.next(), sections.next()) else {
            return Err(meaning("they are not those of one volume group"));
        };
        let number = |key: &str| {
            let number = section.number(key);
            number.ok_or_else(|| LvmError::Meaning(format!("the group has no {key}")))
        };
        let extent = number("extent_size")?.checked_mul(SECTOR).filter(|extent| *extent > 0);
        let mut group = Group {
            name: name.to_owned(),
            id: section
                .text("id")
                .ok_or_else(|| meaning("the group has no id"))?
                .to_owned(),
            seqno: number("seqno")?,
            extent: extent.ok_or_else(|| meaning("the extents have no size"))?,
            physical: BTreeMap::new(),
            logical: Vec::new(),
        };
        for (name, physical) in section
            .section("physical_volumes")
            .into_iter()
            .flat_map(Section::sections)
        {
            group.physical.insert(name.to_owned(), read_physical(name, physical)?);
        }
        if let Some(volumes) = section.section("logical_volumes") {
            let is_logical = |name: &str| volumes.section(name).is_some();
            for (name, volume) in volumes.sections() {
                group.logical.push(logical::read(name, volume, &is_logical)?);
            }
        }
        let status = section
            .words("status")
            .ok_or_else(|| meaning("the group has no status"))?;
        group.judge(&status);
        Ok(group)
    }

    /// What the group's state and its volumes' dependence on each other mean for each volume.
    fn judge(&mut self, status: &[&str]) {
        let uses: Vec<(Use, String)> = self.logical.iter().flat_map(|logical| logical.uses.clone()).collect();
        let with = |wanted: Use| -> BTreeSet<&str> {
            let names = uses.iter().filter(|(how, _)| *how == wanted);
            names.map(|(_, name)| name.as_str()).collect()
        };
        let (parts, origins, snapshots) = (with(Use::Part), with(Use::Origin), with(Use::Snapshot));
        for logical in &mut self.logical {
            if !status.contains(&"READ") || status.contains(&"EXPORTED") {
                logical.refuse("its volume group is exported, or not to be read".to_owned());
            }
            if parts.contains(logical.name.as_str()) {
                logical.refuse("it is a part of another logical volume, or is to become one".to_owned());
            }
            if snapshots.contains(logical.name.as_str()) {
                logical.visible = true;
                logical.refuse("it is a snapshot".to_owned());
            }
            // A change would show in the snapshots, whose unchanged blocks are read from here.
            logical.has_snapshots = origins.contains(logical.name.as_str());
            logical.writable &= status.contains(&"WRITE");
        }
    }
}

fn read_physical(name: &str, section: &Section) -> Result<Physical, LvmError> {
    let missing = |key: &str| LvmError::Meaning(format!("the physical volume {name} has no {key}"));
    let start = section.number("pe_start").and_then(|start| start.checked_mul(SECTOR));
    let marks = ["status", "flags"]
        .iter()
        .flat_map(|key| section.words(key).unwrap_or_default());
    Ok(Physical {
        uuid: section.text("id").ok_or_else(|| missing("id"))?.to_owned(),
        start: start.ok_or_else(|| missing("pe_start"))?,
        extents: section.number("pe_count").ok_or_else(|| missing("pe_count"))?,
        missing: marks.into_iter().any(|mark| mark == "MISSING"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyphens_are_doubled() {
        let name = LogicalName {
            group: "vg-a".to_owned(),
            name: "lv--b".to_owned(),
        };
        assert_eq!(name.mapper(), "vg--a-lv----b");
        assert_eq!(name.to_string(), "vg-a/lv--b");
    }
}
