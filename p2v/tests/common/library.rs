//! A library of machines in a temporary folder.

use super::running::boot_disk;
use super::*;

/// A library in a temporary folder.
pub(crate) struct Library {
    pub(crate) folder: tempfile::TempDir,
}

impl Library {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Library { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("machines")
    }

    pub(crate) fn p2v(&self, subcommand: &str) -> Command {
        let mut command = p2v(subcommand);
        command.env("P2V_MACHINES", self.path()).current_dir(self.folder.path());
        command
    }

    /// Captures a disk with a boot sector; returns its folder.
    pub(crate) fn capture(&self, more: &[&str]) -> PathBuf {
        let disk = boot_disk(self.folder.path());
        let text = run(self.p2v("capture").arg(disk).arg("--json").args(more));
        let outcome: serde_json::Value = serde_json::from_str(&text).unwrap();
        outcome["folder"].as_str().unwrap().into()
    }

    pub(crate) fn list(&self) -> Vec<serde_json::Value> {
        serde_json::from_str(&run(self.p2v("list").arg("--json"))).unwrap()
    }

    pub(crate) fn state(&self, name: &str) -> String {
        let all = self.list();
        let one = all.iter().find(|machine| machine["name"] == name);
        one.unwrap_or_else(|| panic!("no {name} in {all:?}"))["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

pub(crate) fn name_in_toml(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("machine.toml")).unwrap();
    let value: toml::Table = text.parse().unwrap();
    value["name"].as_str().unwrap().to_owned()
}
