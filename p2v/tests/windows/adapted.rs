//! Machines that were adapted, their judges, and made Windows systems.
#![allow(dead_code, reason = "each test binary uses its own part")]

use super::common::*;
use super::drivers::package;
use super::hives::{NewHive, dump_bytes_with_hivex, utf16};
use super::volumes::Tree;
use super::windows::*;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub(crate) const SETS: [&str; 2] = ["ControlSet001", "ControlSet002"];
pub(crate) const MEGABYTES: u32 = 24;

/// A captured machine, and the volume in it as the capture has it and as it is adapted.
pub(crate) struct Adapted {
    pub(crate) folder: tempfile::TempDir,
    machine: PathBuf,
    pub(crate) before: Vec<u8>,
    captured: String,
    arguments: Vec<String>,
    pub(crate) report: serde_json::Value,
}

impl Adapted {
    /// Captures a disk with this volume and adapts it.
    pub(crate) fn new(volume: Vec<u8>, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path(), &volume);
        let captured = sha256(&machine.join("disk0.qcow2"));
        let output = start(p2v("adapt").arg(&machine).arg("--json").args(arguments));
        let text = String::from_utf8_lossy(&output.stdout);
        let report = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", errors(&output)));
        Adapted {
            folder,
            machine,
            before: volume,
            captured,
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            report,
        }
    }

    pub(crate) fn status(&self) -> &str {
        self.report["status"].as_str().unwrap()
    }

    /// What is found, a line each; but for what every Windows is told.
    pub(crate) fn findings(&self) -> Vec<String> {
        let findings = self.report["findings"].as_array().unwrap().iter();
        let findings = findings.filter(|finding| finding["kind"] != "new-computer");
        let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
        findings
            .map(|finding| {
                format!(
                    "{}: {} {}",
                    text(finding, "effect"),
                    text(finding, "what"),
                    text(finding, "default")
                )
            })
            .collect()
    }

    /// The edits of a file: `place: before -> after`.
    pub(crate) fn edits(&self, file: &str) -> Vec<String> {
        let edits = self.report["edits"].as_array().unwrap().iter();
        let edits = edits.filter(|edit| edit["file"] == file);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        edits
            .map(|edit| {
                format!(
                    "{}: {} -> {}",
                    text(&edit["place"]),
                    text(&edit["before"]),
                    text(&edit["after"])
                )
            })
            .collect()
    }

    /// The volume as it was captured and as it is adapted, as files.
    pub(crate) fn volumes(&self) -> (PathBuf, PathBuf) {
        let (old, new) = (self.folder.path().join("old"), self.folder.path().join("new"));
        fs::write(&old, &self.before).unwrap();
        fs::write(&new, volume_of(&self.machine, "disk0.adapted.qcow2", self.before.len())).unwrap();
        (old, new)
    }

    /// The adapted NTFS volume; it must be in order, and the files of a person must be what they were.
    pub(crate) fn ntfs(&self) -> PathBuf {
        assert_eq!(self.status(), "adapted", "{:#}", self.report);
        let (old, new) = self.volumes();
        assert_eq!(ntfsfix(&new), ntfsfix(&old).replace("old", "new"));
        ntfsresize(&new);
        assert_eq!(ntfscat(&new, "Users/Me/photo.jpg"), noise(1, 700_000));
        assert_eq!(ntfscat(&new, "Users/Me/small.txt"), b"resident");
        run(Command::new("qemu-img")
            .args(["check", "-q"])
            .arg(self.machine.join("disk0.adapted.qcow2")));
        new
    }

    /// A second run changes nothing, `--undo` leaves nothing, and the capture is as it was.
    pub(crate) fn again_and_back(&self) {
        let adapt = |arguments: &[String]| run(p2v("adapt").arg(&self.machine).arg("--json").args(arguments));
        let overlay = sha256(&self.machine.join("disk0.adapted.qcow2"));
        let again = adapt(&self.arguments);
        assert!(again.contains("\"adapted-already\""), "{again}");
        assert_eq!(sha256(&self.machine.join("disk0.adapted.qcow2")), overlay);
        assert!(adapt(&["--undo".to_owned()]).contains("\"undone\""));
        self.nothing_there();
    }

    /// There is no overlay, and the capture is as it was.
    pub(crate) fn nothing_there(&self) {
        let names = fs::read_dir(&self.machine)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| name.contains("adapted")), "{names:?}");
        assert_eq!(sha256(&self.machine.join("disk0.qcow2")), self.captured);
    }
}

/// Lines of a hivex dump: keys and values that are gone or new.
pub(crate) fn hive_diff(before: &[u8], after: &[u8]) -> (Vec<String>, Vec<String>) {
    diff(&dump_bytes_with_hivex(before), &dump_bytes_with_hivex(after))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn value(path: &str, name: &str, kind: u32, data: &[u8]) -> String {
    format!("value\t\\{path}\t{name}\t{kind}\t{}", hex(data))
}

pub(crate) fn number(path: &str, name: &str, number: u32) -> String {
    value(path, name, 4, &number.to_le_bytes())
}

pub(crate) fn text(path: &str, name: &str, text: &str) -> String {
    value(path, name, 1, &utf16(text))
}

pub(crate) fn expand(path: &str, name: &str, text: &str) -> String {
    value(path, name, 2, &utf16(text))
}

pub(crate) fn texts(path: &str, name: &str, one: &str) -> String {
    value(path, name, 7, &[utf16(one), vec![0, 0]].concat())
}

pub(crate) fn has(lines: &[String], line: &str) {
    let path = line.split('\t').nth(1);
    let near: Vec<_> = lines.iter().filter(|other| other.split('\t').nth(1) == path).collect();
    assert!(near.iter().any(|other| *other == line), "no {line} in {near:#?}");
}

/// Every new key and value is below one of these keys.
pub(crate) fn only_below(lines: &[String], keys: &[&str]) {
    for line in lines {
        let path = line.split('\t').nth(1).unwrap().to_lowercase();
        assert!(keys.iter().any(|key| path.contains(&key.to_lowercase())), "{line}");
    }
}

/// Services, processor and what setup always writes, in both control sets.
pub(crate) fn system(architecture: &str, services: &[(&str, u32)]) -> NewHive {
    let mut hive = NewHive::new().number("Select", "Current", 1);
    for set in SETS {
        hive = hive
            .number(&format!(r"{set}\Control\CrashControl"), "AutoReboot", 1)
            .string(&format!(r"{set}\Control\ProductOptions"), "ProductType", "WinNT")
            .string(
                &format!(r"{set}\Control\Session Manager\Environment"),
                "PROCESSOR_ARCHITECTURE",
                architecture,
            );
        for (service, start) in services {
            let key = format!(r"{set}\Services\{service}");
            hive = hive.number(&key, "Type", 1).number(&key, "Start", *start);
            hive = hive.number(&key, "ErrorControl", 1).number(&key, "Tag", 9);
            hive = hive.string(&key, "Group", "Some group");
        }
    }
    hive
}

pub(crate) fn windows_xp() -> NewHive {
    let mut hive = system("x86", &[("atapi", 0), ("IntelIde", 4), ("PCIIde", 4), ("intelppm", 1)]);
    for set in SETS {
        for id in ["*pnp0a03", "*pnp0c08"] {
            hive = hive.key(&format!(r"{set}\Control\CriticalDeviceDatabase\{id}"));
        }
    }
    hive
}

pub(crate) fn xp_tree(hive: &[u8]) -> Tree {
    tree(hive, &software("Microsoft Windows XP", "5.1", "2600"))
}

pub(crate) fn without(tree: Tree, files: &[&str]) -> Tree {
    for file in files {
        fs::remove_file(tree.path().join("Windows/System32/drivers").join(file)).unwrap();
    }
    tree
}

pub(crate) const XP_KEYS: [(&str, &str); 8] = [
    ("pci#ven_8086&dev_7010", "intelide"),
    ("pci#ven_8086&dev_7111", "intelide"),
    ("pci#cc_0101", "pciide"),
    ("primary_ide_channel", "atapi"),
    ("secondary_ide_channel", "atapi"),
    ("gendisk", "disk"),
    ("pci#ven_8086&dev_7000", "isapnp"),
    ("pci#ven_8086&dev_7110", "isapnp"),
];

/// What the tables change in the hive of [`windows_xp`].
pub(crate) fn judge_xp(gone: &[String], come: &[String]) {
    let mut expected = Vec::new();
    for set in SETS {
        expected.push(number(&format!(r"{set}\Services\IntelIde"), "Start", 4));
        expected.push(number(&format!(r"{set}\Services\PCIIde"), "Start", 4));
        expected.push(number(&format!(r"{set}\Services\intelppm"), "Start", 1));
        expected.push(number(&format!(r"{set}\Control\CrashControl"), "AutoReboot", 1));
    }
    expected.sort();
    assert_eq!(gone, expected);
    for set in SETS {
        has(come, &number(&format!(r"{set}\Services\IntelIde"), "Start", 0));
        has(come, &number(&format!(r"{set}\Services\PCIIde"), "Start", 0));
        has(come, &number(&format!(r"{set}\Services\intelppm"), "Start", 4));
        for (id, service) in XP_KEYS {
            has(
                come,
                &text(
                    &format!(r"{set}\Control\CriticalDeviceDatabase\{id}"),
                    "Service",
                    service,
                ),
            );
        }
    }
}

pub(crate) const VERSION_KEY: &str = r"Microsoft\Windows\CurrentVersion";
pub(crate) const VIRTIO_PATH: &str = r"%SystemRoot%\inf;%SystemRoot%\Drivers\VirtIO";

/// A SOFTWARE hive with a DevicePath.
pub(crate) fn software_with_path(name: &str, version: &str, build: &str) -> Vec<u8> {
    let hive = software(name, version, build);
    NewHive::new()
        .value(VERSION_KEY, "DevicePath", 2, &utf16(r"%SystemRoot%\inf"))
        .build_on(&hive)
}

/// A folder in the layout of the virtio-win disc.
pub(crate) fn virtio_win() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (system, platforms) in [
        ("xp", &["x86"][..]),
        ("w7", &["x86", "amd64"]),
        ("w10", &["x86", "amd64"]),
    ] {
        for platform in platforms {
            for name in ["viostor", "vioscsi"] {
                // There is no vioscsi for Windows XP.
                if (system, name) != ("xp", "vioscsi") {
                    package(folder.path(), &format!("{name}/{system}/{platform}"), name, platform);
                }
            }
        }
    }
    folder
}
