//! What a person sees of a finding: the same disk through `p2v inspect`, `p2v adapt --dry-run` and `p2v adapt`.
#![allow(dead_code, reason = "each test binary uses its own part")]

use super::common::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Output;

pub(crate) const REFUSED: i32 = 3;

/// A disk with these partitions one after the other from 1 MiB on: sfdisk's name of the type, and what is on it.
pub(crate) fn disk_of(path: &Path, label: &str, parts: &[(&str, &[u8])]) -> PathBuf {
    let file = File::create(path).unwrap();
    let (mut table, mut start) = (format!("label: {label}\nunit: sectors\n"), MIB);
    for (kind, bytes) in parts {
        file.write_all_at(bytes, start).unwrap();
        let size = (bytes.len() as u64).next_multiple_of(MIB);
        table += &format!("start={}, size={}, type={kind}\n", start / 512, size / 512);
        start += size;
    }
    file.set_len(start + MIB).unwrap();
    feed(
        std::process::Command::new("sfdisk")
            .args(["-q", "--no-reread"])
            .arg(path),
        &table,
    );
    path.to_owned()
}

/// What util-linux calls a volume.
pub(crate) fn assert_blkid(volume: &[u8], kind: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), volume).unwrap();
    let mut blkid = std::process::Command::new("blkid");
    let found = run(blkid.args(["-p", "-o", "value", "-s", "TYPE"]).arg(file.path()));
    assert_eq!(found.trim(), kind);
}

/// A captured disk, and what is said of it.
pub(crate) struct Machine {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Machine {
    /// Captures the disk that `make` makes at the path that it is given.
    pub(crate) fn of(make: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = make(&folder.path().join("disk.img"));
        let path = folder.path().join("oldpc");
        capture(&disk, &path, &[]);
        Machine { _folder: folder, path }
    }

    /// A disk with an MBR.
    pub(crate) fn mbr(parts: &[(&str, &[u8])]) -> Self {
        Self::of(|path| disk_of(path, "dos", parts))
    }

    /// A disk with a GPT.
    pub(crate) fn gpt(parts: &[(&str, &[u8])]) -> Self {
        Self::of(|path| disk_of(path, "gpt", parts))
    }

    /// Every file of its folder, and its checksum.
    fn files(&self) -> BTreeMap<String, String> {
        let entries = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().path());
        entries
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), sha256(&path)))
            .collect()
    }

    /// `p2v adapt` on it: nothing that is in the folder changes, but for `machine.toml`.
    pub(crate) fn adapt(&self, more: &[&str]) -> Output {
        let before = self.files();
        let output = start(p2v("adapt").arg(&self.path).args(more));
        let after = self.files();
        let written = after.iter().filter(|(name, sum)| before.get(*name) != Some(*sum));
        let written: Vec<&str> = written.map(|(name, _)| name.as_str()).collect();
        let allowed = ["disk0.adapted.json", "disk0.adapted.qcow2", "machine.toml"];
        let none = more.contains(&"--dry-run") || output.status.code() != Some(0);
        assert!(before.keys().all(|name| after.contains_key(name)));
        assert!(
            written.iter().all(|name| !none && allowed.contains(name)),
            "written by p2v adapt {more:?}: {written:?}"
        );
        output
    }

    /// The plan with these options, as `p2v adapt --dry-run` shows it: text and `--json` agree.
    pub(crate) fn look(&self, more: &[&str]) -> Seen {
        let text = self.adapt(&[&["--dry-run"], more].concat());
        let json = self.adapt(&[&["--dry-run", "--json"], more].concat());
        assert_eq!(text.status.code(), json.status.code());
        let seen = Seen {
            code: text.status.code().unwrap(),
            text: String::from_utf8(text.stdout).unwrap(),
            json: serde_json::from_slice(&json.stdout).unwrap(),
        };
        println!("$ p2v adapt oldpc --dry-run {}\n{}", more.join(" "), seen.text);
        seen
    }

    /// Looks at it: this must be found, with these words, by `p2v inspect` too.
    pub(crate) fn shows(&self, kind: &str, effect: &str, partition: u32, words: &[&str]) -> Seen {
        let seen = self.look(&[]);
        seen.shows(kind, effect, partition, words);
        let inspected = run(p2v("inspect").arg(&self.path));
        let json: Value = serde_json::from_str(&run(p2v("inspect").arg(&self.path).arg("--json"))).unwrap();
        assert_eq!(json["adapt"], seen.json["findings"]);
        for finding in seen.findings() {
            let default = finding["default"].as_str().unwrap();
            assert!(inspected.contains(default), "no `{default}` in: {inspected}");
        }
        seen
    }

    /// Carries the plan out.
    pub(crate) fn adapts(&self, more: &[&str]) {
        let output = self.adapt(more);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        assert!(self.path.join("disk0.adapted.qcow2").exists());
    }

    /// Nothing is written, with and without `--dry-run`, and the exit code says so.
    pub(crate) fn refuses(&self) {
        let output = self.adapt(&[]);
        assert_eq!(output.status.code(), Some(REFUSED), "{}", errors(&output));
        assert!(errors(&output).contains("nothing was changed"), "{}", errors(&output));
        assert_eq!(self.look(&[]).code, REFUSED);
    }
}

/// A plan as a person and as a program see it.
pub(crate) struct Seen {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Seen {
    pub(crate) fn findings(&self) -> &[Value] {
        self.json["findings"].as_array().unwrap()
    }

    /// This is found, and the text that a person sees has what it means, what p2v does, and the option.
    pub(crate) fn shows(&self, kind: &str, effect: &str, partition: u32, words: &[&str]) {
        let wanted = |finding: &&Value| finding["kind"] == kind && finding["partition"] == partition;
        let finding = self.findings().iter().find(wanted);
        let finding = finding.unwrap_or_else(|| panic!("no {kind} of partition {partition} in {:#}", self.json));
        assert_eq!(finding["effect"], effect, "{finding:#}");
        for part in ["what", "default"] {
            let part = finding[part].as_str().unwrap().trim_end_matches('.');
            assert!(self.text.contains(part), "no `{part}` in: {}", self.text);
        }
        for word in words {
            assert!(self.text.contains(word), "no `{word}` in: {}", self.text);
        }
    }

    /// Partitions with edits.
    pub(crate) fn edited(&self) -> Vec<u64> {
        let edits = self.json["edits"].as_array().unwrap().iter();
        let mut partitions: Vec<u64> = edits.map(|edit| edit["partition"].as_u64().unwrap()).collect();
        partitions.dedup();
        partitions
    }
}
