//! A disk's health in words, from what it says of itself (SMART).
//!
//! Source: smartctl(8) of smartmontools, `--json`. Attributes of ATA disks: 5 (sectors that were replaced), 197 (sectors that wait
//! for it), 198 (sectors that could not be read when the disk looked for such).

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a disk says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing to complain of; hours that it ran.
    Good(Option<u64>),
    /// It works, and shows wear: a sentence.
    Worn(String),
    /// It says that it will fail.
    Failing,
    /// It does not say.
    Unknown,
}

impl Health {
    /// For the owner.
    pub(super) fn text(&self) -> String {
        match self {
            Health::Good(Some(1)) => "good (has run for an hour)".to_owned(),
            Health::Good(Some(hours)) => format!("good (has run for {hours} hours)"),
            Health::Good(None) => "good".to_owned(),
            Health::Worn(why) => format!("worn: {why}. Copy it soon."),
            Health::Failing => "FAILING: the disk says so itself. Copy it now, use it for nothing else.".to_owned(),
            Health::Unknown => "not known".to_owned(),
        }
    }

    /// Whether it is bad news.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self, Health::Worn(_) | Health::Failing)
    }
}

/// Asks `smartctl`, if it is installed.
pub(super) fn ask(disk: &Path) -> Health {
    let output = Command::new("smartctl")
        .args(["--json", "--health", "--attributes"])
        .arg(disk)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    // Its exit status is a set of bits, some of which are set by sick disks: what it prints counts.
    let json = output
        .ok()
        .and_then(|output| serde_json::from_slice(&output.stdout).ok());
    json.map_or(Health::Unknown, |json| read(&json))
}

fn read(json: &Value) -> Health {
    let Some(passed) = json["smart_status"]["passed"].as_bool() else {
        return Health::Unknown;
    };
    if !passed {
        return Health::Failing;
    }
    let nvme = &json["nvme_smart_health_information_log"];
    let unreadable = attribute(json, 197)
        .max(attribute(json, 198))
        .max(nvme["media_errors"].as_u64().unwrap_or(0));
    let replaced = attribute(json, 5);
    if unreadable > 0 {
        return Health::Worn(format!("it has places that it cannot read ({unreadable})"));
    }
    if replaced > 0 {
        return Health::Worn(format!("it has replaced bad places ({replaced})"));
    }
    if nvme["percentage_used"].as_u64().is_some_and(|used| used >= 100) {
        return Health::Worn("it was written more than it was made for".to_owned());
    }
    Health::Good(json["power_on_time"]["hours"].as_u64())
}

/// The raw value of an attribute of an ATA disk; 0 if it has none.
fn attribute(json: &Value, id: u64) -> u64 {
    let table = json["ata_smart_attributes"]["table"].as_array();
    let found = table.into_iter().flatten().find(|attribute| attribute["id"] == id);
    found.map_or(0, |attribute| attribute["raw"]["value"].as_u64().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_smartctl_prints_becomes_words() {
        let ata = |id: u64, value: u64| {
            json!({"smart_status": {"passed": true}, "power_on_time": {"hours": 4711},
                   "ata_smart_attributes": {"table": [{"id": 9, "raw": {"value": 4711}}, {"id": id, "raw": {"value": value}}]}})
        };
        assert_eq!(read(&ata(5, 0)), Health::Good(Some(4711)));
        assert!(matches!(read(&ata(5, 3)), Health::Worn(why) if why.contains("replaced")));
        assert!(matches!(read(&ata(197, 8)), Health::Worn(why) if why.contains("cannot read (8)")));
        assert_eq!(read(&json!({"smart_status": {"passed": false}})), Health::Failing);
        let nvme =
            json!({"smart_status": {"passed": true}, "nvme_smart_health_information_log": {"percentage_used": 104}});
        assert!(matches!(read(&nvme), Health::Worn(_)));
        // A disk without SMART, or behind a bridge that does not pass it on.
        assert_eq!(read(&json!({"smartctl": {"exit_status": 2}})), Health::Unknown);
        assert_eq!(read(&json!([1, 2])), Health::Unknown);
    }
}
