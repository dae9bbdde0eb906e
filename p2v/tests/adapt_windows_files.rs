//! `p2v adapt` where contents alone are not enough: hives and boot.ini that are written anew, drivers from the system's
//! own store and from virtio-win. Judged by ntfs-3g's tools, fsck.fat, mtools and libhivex.

mod common;
#[path = "../../drivers-inject/tests/common/drivers.rs"]
mod drivers;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../../drivers-inject/tests/common/hives.rs"]
mod hives;
#[path = "../../drivers-inject/tests/common/lzx.rs"]
mod lzx;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;
mod windows;

use common::*;
use drivers::{X86, fake_driver, package, packaged};
use drivers_inject::registry::ValueType;
use drivers_inject::registry::edit::Editor;
use hives::{NewHive, dump_bytes_with_hivex, utf16};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use volumes::Tree;
use windows::*;

const SOFTWARE: &str = "Windows/System32/config/SOFTWARE";
const SETS: [&str; 2] = ["ControlSet001", "ControlSet002"];
const MEGABYTES: u32 = 24;

/// A captured machine, and the volume in it as the capture has it and as it is adapted.
struct Adapted {
    folder: tempfile::TempDir,
    machine: PathBuf,
    before: Vec<u8>,
    captured: String,
    arguments: Vec<String>,
    report: serde_json::Value,
}

impl Adapted {
    /// Captures a disk with this volume and adapts it.
    fn new(volume: Vec<u8>, arguments: &[&str]) -> Self {
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

    fn status(&self) -> &str {
        self.report["status"].as_str().unwrap()
    }

    /// What is found, a line each.
    fn findings(&self) -> Vec<String> {
        let findings = self.report["findings"].as_array().unwrap().iter();
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
    fn edits(&self, file: &str) -> Vec<String> {
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
    fn volumes(&self) -> (PathBuf, PathBuf) {
        let (old, new) = (self.folder.path().join("old"), self.folder.path().join("new"));
        fs::write(&old, &self.before).unwrap();
        fs::write(&new, volume_of(&self.machine, "disk0.adapted.qcow2", self.before.len())).unwrap();
        (old, new)
    }

    /// The adapted NTFS volume; it must be in order, and the files of a person must be what they were.
    fn ntfs(&self) -> PathBuf {
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
    fn again_and_back(&self) {
        let adapt = |arguments: &[String]| run(p2v("adapt").arg(&self.machine).arg("--json").args(arguments));
        let overlay = sha256(&self.machine.join("disk0.adapted.qcow2"));
        let again = adapt(&self.arguments);
        assert!(again.contains("\"adapted-already\""), "{again}");
        assert_eq!(sha256(&self.machine.join("disk0.adapted.qcow2")), overlay);
        assert!(adapt(&["--undo".to_owned()]).contains("\"undone\""));
        self.nothing_there();
    }

    /// There is no overlay, and the capture is as it was.
    fn nothing_there(&self) {
        let names = fs::read_dir(&self.machine)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| name.contains("adapted")), "{names:?}");
        assert_eq!(sha256(&self.machine.join("disk0.qcow2")), self.captured);
    }
}

/// Lines of a hivex dump: keys and values that are gone or new.
fn hive_diff(before: &[u8], after: &[u8]) -> (Vec<String>, Vec<String>) {
    diff(&dump_bytes_with_hivex(before), &dump_bytes_with_hivex(after))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn value(path: &str, name: &str, kind: u32, data: &[u8]) -> String {
    format!("value\t\\{path}\t{name}\t{kind}\t{}", hex(data))
}

fn number(path: &str, name: &str, number: u32) -> String {
    value(path, name, 4, &number.to_le_bytes())
}

fn text(path: &str, name: &str, text: &str) -> String {
    value(path, name, 1, &utf16(text))
}

fn expand(path: &str, name: &str, text: &str) -> String {
    value(path, name, 2, &utf16(text))
}

fn texts(path: &str, name: &str, one: &str) -> String {
    value(path, name, 7, &[utf16(one), vec![0, 0]].concat())
}

fn has(lines: &[String], line: &str) {
    let path = line.split('\t').nth(1);
    let near: Vec<_> = lines.iter().filter(|other| other.split('\t').nth(1) == path).collect();
    assert!(near.iter().any(|other| *other == line), "no {line} in {near:#?}");
}

/// Every new key and value is below one of these keys.
fn only_below(lines: &[String], keys: &[&str]) {
    for line in lines {
        let path = line.split('\t').nth(1).unwrap().to_lowercase();
        let below = |key: &&str| path.contains(&key.to_lowercase());
        assert!(keys.iter().any(|key| below(key)), "{line}");
    }
}

/// Services, processor and what setup always writes, in both control sets.
fn system(architecture: &str, services: &[(&str, u32)]) -> NewHive {
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

fn windows_xp() -> NewHive {
    let mut hive = system("x86", &[("atapi", 0), ("IntelIde", 4), ("PCIIde", 4), ("intelppm", 1)]);
    for set in SETS {
        for id in ["*pnp0a03", "*pnp0c08"] {
            hive = hive.key(&format!(r"{set}\Control\CriticalDeviceDatabase\{id}"));
        }
    }
    hive
}

/// The hive without room for anything: its free cells are filled with values.
fn full(hive: Vec<u8>) -> Vec<u8> {
    let room = hive.len();
    let mut editor = Editor::new(hive, room).unwrap();
    let mut number = 0;
    for size in [2000, 300, 60, 8] {
        loop {
            let mut next = editor.clone();
            next.create_key("Filler").unwrap();
            let name = number.to_string();
            next.set_value("Filler", &name, ValueType::Binary, &vec![7; size])
                .unwrap();
            if next.growth() > 0 {
                break;
            }
            (editor, number) = (next, number + 1);
        }
    }
    editor.finish()
}

fn xp_tree(hive: &[u8]) -> Tree {
    tree(hive, &software("Microsoft Windows XP", "5.1", "2600"))
}

fn without(tree: Tree, files: &[&str]) -> Tree {
    for file in files {
        fs::remove_file(tree.path().join("Windows/System32/drivers").join(file)).unwrap();
    }
    tree
}

const XP_KEYS: [(&str, &str); 8] = [
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
fn judge_xp(gone: &[String], come: &[String]) {
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

#[test]
fn windows_xp_grows_and_gets_its_drivers_from_its_cabinet() {
    let hive = full(windows_xp().build());
    let (intelide, pciidex) = (
        fake_driver(X86, &noise(5, 5000), 1),
        fake_driver(X86, &noise(6, 25_000), 1),
    );
    let cabinet = lzx::cabinet(
        &[
            ("other.sys", noise(7, 40_000)),
            ("intelide.sys", intelide.clone()),
            ("pciidex.sys", pciidex.clone()),
        ],
        21,
        1 << 20,
        true,
    );
    let boot = "[boot loader]\r\ntimeout=30\r\ndefault=multi(0)disk(0)rdisk(1)partition(1)\\Windows\r\n\
                [operating systems]\r\nmulti(0)disk(0)rdisk(1)partition(1)\\Windows=\"XP\" /fastdetect\r\n";
    let tree = without(xp_tree(&hive), &["intelide.sys", "pciidex.sys", "pciide.sys"])
        .file("Windows/Driver Cache/i386/driver.cab", cabinet)
        .file("boot.ini", boot);
    let adapted = Adapted::new(tree.ntfs_with(MEGABYTES, &["-p", "2048"], ""), &[]);
    let new = adapted.ntfs();
    assert_eq!(adapted.findings(), Vec::<String>::new());

    let changed = ntfscat(&new, SYSTEM);
    let more = changed.len() - hive.len();
    assert!(more > 0 && more.is_multiple_of(4096), "{more}");
    let grown = format!(
        "the whole file: {} bytes -> {} bytes, {more} more",
        hive.len(),
        changed.len()
    );
    has(&adapted.edits(SYSTEM), &grown);
    // PCIIde has no file anywhere: it stays off, and no device is given to it.
    let (gone, come) = hive_diff(&hive, &changed);
    let expected: Vec<String> = SETS
        .iter()
        .flat_map(|set| {
            [
                number(&format!(r"{set}\Control\CrashControl"), "AutoReboot", 1),
                number(&format!(r"{set}\Services\IntelIde"), "Start", 4),
                number(&format!(r"{set}\Services\intelppm"), "Start", 1),
            ]
        })
        .collect();
    assert_eq!(gone, expected);
    for set in SETS {
        has(&come, &number(&format!(r"{set}\Services\IntelIde"), "Start", 0));
        for (id, service) in XP_KEYS.iter().filter(|(_, service)| *service != "pciide") {
            has(
                &come,
                &text(
                    &format!(r"{set}\Control\CriticalDeviceDatabase\{id}"),
                    "Service",
                    service,
                ),
            );
        }
    }
    assert!(
        !come
            .iter()
            .any(|line| line.to_lowercase().contains("pciide") || line.contains("cc_0101"))
    );
    only_below(&come, &["CriticalDeviceDatabase", "Services", "CrashControl"]);

    assert_eq!(ntfscat(&new, "Windows/System32/drivers/intelide.sys"), intelide);
    assert_eq!(ntfscat(&new, "Windows/System32/drivers/pciidex.sys"), pciidex);
    let edits = adapted.edits("Windows/System32/drivers/intelide.sys");
    assert!(
        edits[0].ends_with("bytes from Windows/Driver Cache/i386/driver.cab"),
        "{edits:?}"
    );
    assert_eq!(
        ntfscat(&new, "boot.ini"),
        boot.replace("rdisk(1)", "rdisk(0)").as_bytes()
    );
    adapted.again_and_back();
}

#[test]
fn windows_7_gets_a_missing_driver_from_its_driver_store() {
    let hive = system("AMD64", &[("atapi", 0), ("intelide", 3), ("pciide", 3), ("msahci", 3)]).build();
    let driver = |text: &str, version| fake_driver(drivers::X64, text.as_bytes(), version);
    const STORE: &str = "Windows/System32/DriverStore/FileRepository/mshdc.inf_amd64_neutral";
    let tree = without(
        tree(&hive, &software("Windows 7 Professional", "6.1", "7601")),
        &["intelide.sys", "pciidex.sys", "msahci.sys"],
    )
    .file(&format!("{STORE}_1/intelide.sys"), driver("old", 1))
    .file(&format!("{STORE}_2/intelide.sys"), driver("new", 2))
    .file(&format!("{STORE}_2/pciidex.sys"), driver("pciidex", 2))
    // Without what it imports it is of no use.
    .file(&format!("{STORE}_2/msahci.sys"), driver("msahci", 2));
    let adapted = Adapted::new(tree.ntfs_with(MEGABYTES, &["-p", "2048"], ""), &[]);
    let new = adapted.ntfs();
    assert_eq!(ntfscat(&new, "Windows/System32/drivers/intelide.sys"), driver("new", 2));
    assert_eq!(
        ntfscat(&new, "Windows/System32/drivers/pciidex.sys"),
        driver("pciidex", 2)
    );
    let (_, come) = hive_diff(&hive, &ntfscat(&new, SYSTEM));
    for set in SETS {
        has(&come, &number(&format!(r"{set}\Services\intelide"), "Start", 0));
    }
    assert!(!come.iter().any(|line| line.contains("msahci")), "{come:#?}");
    assert_eq!(
        adapted.edits("Windows/System32/drivers/msahci.sys"),
        Vec::<String>::new()
    );
    adapted.again_and_back();
}

#[test]
fn files_on_fat32_are_changed_in_place() {
    let mut hive = windows_xp().build();
    hive.extend(vec![0; 64 << 10]);
    let boot = "[operating systems]\r\nmulti(0)disk(0)rdisk(1)partition(1)\\Windows=\"XP\"\r\n";
    let volume = xp_tree(&hive)
        .file("boot.ini", boot)
        .fat_with(64, &["-F", "32", "-h", "2048"]);
    let adapted = Adapted::new(volume, &[]);
    assert_eq!(adapted.status(), "adapted", "{:#}", adapted.report);
    assert_eq!(adapted.findings(), Vec::<String>::new());
    let (old, new) = adapted.volumes();
    let fsck = |volume: &Path| run(Command::new("fsck.fat").arg("-n").arg(volume));
    assert_eq!(fsck(&new).replace("new", "old"), fsck(&old));
    let read = |path: &str| {
        let target = adapted.folder.path().join("read");
        run(Command::new("mcopy")
            .args(["-n", "-o", "-i"])
            .arg(&new)
            .arg(format!("::{path}"))
            .arg(&target));
        fs::read(target).unwrap()
    };
    let changed = read(SYSTEM);
    assert_eq!(changed.len(), hive.len());
    let (gone, come) = hive_diff(&hive, &changed);
    judge_xp(&gone, &come);
    assert_eq!(read("boot.ini"), boot.replace("rdisk(1)", "rdisk(0)").as_bytes());
    assert_eq!(read("Users/Me/photo.jpg"), noise(1, 700_000));
    // Nothing but contents of those two files: the tables and folders are the same.
    let differing = differing(&adapted.before, &fs::read(&new).unwrap());
    let hive_blocks = hive.len().div_ceil(512);
    assert!(differing.len() <= hive_blocks + 1, "{} blocks", differing.len());
    adapted.again_and_back();
}

#[test]
fn files_on_fat32_do_not_grow() {
    let adapted = Adapted::new(xp_tree(&full(windows_xp().build())).fat_with(64, &["-F", "32"]), &[]);
    assert_eq!(adapted.status(), "refused", "{:#}", adapted.report);
    let findings = adapted.findings();
    assert!(
        findings[0].starts_with("skip: Windows/System32/config/SYSTEM would need"),
        "{findings:?}"
    );
    assert!(findings[0].contains("convert c: /fs:ntfs"), "{findings:?}");
    adapted.nothing_there();

    // A driver that is missing cannot be added either; the rest is done.
    let mut hive = windows_xp().build();
    hive.extend(vec![0; 64 << 10]);
    let tree = without(xp_tree(&hive), &["intelide.sys"])
        .file("Windows/ServicePackFiles/i386/intelide.sys", fake_driver(X86, b"", 0));
    let adapted = Adapted::new(tree.fat_with(64, &["-F", "32"]), &[]);
    assert_eq!(adapted.status(), "adapted", "{:#}", adapted.report);
    let findings = adapted.findings();
    for words in [
        "intelide.sys",
        "STOP 0x7B",
        "not enabled",
        "files on FAT volumes cannot be changed",
    ] {
        assert!(findings[0].contains(words), "no {words} in {findings:?}");
    }
    assert!(
        !adapted
            .edits(SYSTEM)
            .iter()
            .any(|edit| edit.to_lowercase().contains("intelide"))
    );
    adapted.again_and_back();
}

/// A folder in the layout of the virtio-win disc.
fn virtio_win() -> tempfile::TempDir {
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

/// The same as a disc.
fn virtio_win_iso(folder: &Path) -> PathBuf {
    let source = virtio_win();
    let iso = folder.join("virtio-win.iso");
    run(Command::new("xorriso")
        .args(["-as", "mkisofs", "-quiet", "-J", "-R", "-o"])
        .args([&iso, &source.path().to_owned()]));
    iso
}

/// The files of a package are where Windows looks for them, and its driver where the kernel does.
fn judge_package(volume: &Path, name: &str, folder: &str, platform: &str) {
    let driver = packaged(folder, name, platform);
    assert_eq!(ntfscat(volume, &format!("Windows/System32/drivers/{name}.sys")), driver);
    let there = |end: &str| ntfscat(volume, &format!("Windows/Drivers/VirtIO/{name}.{end}"));
    assert_eq!(there("sys"), driver);
    assert_eq!(there("inf"), drivers::inf(name, platform, "").as_bytes());
    assert_eq!(there("cat"), format!("signatures of {name}").as_bytes());
}

/// The values that a service of the made package has, in one control set.
fn judge_service(come: &[String], set: &str, name: &str) {
    let key = format!(r"{set}\Services\{name}");
    for line in [
        number(&key, "Type", 1),
        number(&key, "Start", 0),
        number(&key, "ErrorControl", 1),
        text(&key, "Group", "SCSI miniport"),
        expand(&key, "ImagePath", &format!(r"system32\drivers\{name}.sys")),
        number(&format!(r"{key}\Parameters\PnpInterface"), "5", 1),
        number(&format!(r"{key}\Parameters"), "BusType", 1),
    ] {
        has(come, &line);
    }
}

const CLASS: &str = "{4D36E97B-E325-11CE-BFC1-08002BE10318}";

/// The ids of the made package of virtio-blk, as it names them and shorter.
const BLOCK_IDS: [&str; 6] = [
    "VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00",
    "VEN_1AF4&DEV_1001&REV_00",
    "VEN_1AF4&DEV_1001",
    "VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01",
    "VEN_1AF4&DEV_1042&REV_01",
    "VEN_1AF4&DEV_1042",
];

const VERSION_KEY: &str = r"Microsoft\Windows\CurrentVersion";
const VIRTIO_PATH: &str = r"%SystemRoot%\inf;%SystemRoot%\Drivers\VirtIO";

/// A SOFTWARE hive with a DevicePath.
fn software_with_path(name: &str, version: &str, build: &str) -> Vec<u8> {
    let hive = software(name, version, build);
    NewHive::new()
        .value(VERSION_KEY, "DevicePath", 2, &utf16(r"%SystemRoot%\inf"))
        .build_on(&hive)
}

#[test]
fn windows_xp_gets_virtio_drivers() {
    let (hive, software) = (
        windows_xp().build(),
        software_with_path("Microsoft Windows XP", "5.1", "2600"),
    );
    let drivers = virtio_win();
    let adapted = Adapted::new(
        tree(&hive, &software).ntfs_with(MEGABYTES, &["-p", "2048"], ""),
        &["--virtio-win", drivers.path().to_str().unwrap()],
    );
    let new = adapted.ntfs();
    assert_eq!(adapted.findings(), Vec::<String>::new());
    judge_package(&new, "viostor", "viostor/xp/x86", "x86");
    let (gone, come) = hive_diff(&hive, &ntfscat(&new, SYSTEM));
    judge_xp(&gone, &come);
    for set in SETS {
        judge_service(&come, set, "viostor");
        for id in BLOCK_IDS {
            let key = format!(r"{set}\Control\CriticalDeviceDatabase\pci#{}", id.to_lowercase());
            has(&come, &text(&key, "Service", "viostor"));
            has(&come, &text(&key, "ClassGUID", CLASS));
        }
    }
    only_below(&come, &["CriticalDeviceDatabase", "Services", "CrashControl"]);
    assert!(!come.iter().any(|line| line.contains("vioscsi")));
    let (gone, come) = hive_diff(&software, &ntfscat(&new, SOFTWARE));
    assert_eq!(gone, [expand(VERSION_KEY, "DevicePath", r"%SystemRoot%\inf")]);
    assert_eq!(come, [expand(VERSION_KEY, "DevicePath", VIRTIO_PATH)]);
    adapted.again_and_back();
}

#[test]
fn windows_7_gets_virtio_drivers_from_the_disc() {
    let hive = system("AMD64", &[("atapi", 0), ("intelide", 0), ("pciide", 0), ("msahci", 0)]).build();
    let software = software_with_path("Windows 7 Professional", "6.1", "7601");
    let folder = tempfile::tempdir().unwrap();
    let iso = virtio_win_iso(folder.path());
    let adapted = Adapted::new(
        tree(&hive, &software).ntfs_with(MEGABYTES, &["-p", "2048"], ""),
        &["--virtio-win", iso.to_str().unwrap()],
    );
    let new = adapted.ntfs();
    assert_eq!(adapted.findings(), Vec::<String>::new());
    let (_, come) = hive_diff(&hive, &ntfscat(&new, SYSTEM));
    for name in ["viostor", "vioscsi"] {
        judge_package(&new, name, &format!("{name}/w7/amd64"), "amd64");
        for set in SETS {
            judge_service(&come, set, name);
        }
    }
    for set in SETS {
        for id in BLOCK_IDS {
            let key = format!(r"{set}\Control\CriticalDeviceDatabase\PCI#{id}");
            has(&come, &text(&key, "Service", "viostor"));
            let key = key.replace("DEV_1001", "DEV_1004").replace("DEV_1042", "DEV_1048");
            has(&come, &text(&key, "Service", "vioscsi"));
        }
    }
    let edits = adapted.edits("Windows/System32/drivers/viostor.sys");
    let words = "from the virtio drivers, folder \"viostor/w7/amd64\", version 100.1.2.3";
    assert!(edits[0].ends_with(words), "{edits:?}");
    adapted.again_and_back();
}

fn windows_10() -> Vec<u8> {
    let mut hive = system(
        "AMD64",
        &[("atapi", 0), ("intelide", 0), ("pciide", 0), ("storahci", 0)],
    );
    for set in SETS {
        hive = hive.number(&format!(r"{set}\Services\atapi\StartOverride"), "0", 3);
    }
    for device in ["CC_0101", "CC_010601", "VEN_8086&DEV_7010", "VEN_8086&DEV_7111"] {
        let key = format!(r"DriverDatabase\DeviceIds\PCI\{device}");
        hive = hive.value(&key, "mshdc.inf", 3, &[1, 0xff, 0, 0]);
    }
    hive.build()
}

#[test]
fn windows_10_gets_virtio_drivers_into_its_driver_database() {
    let (hive, software) = (windows_10(), software_with_path("Windows 10 Pro", "10.0", "19045"));
    let drivers = virtio_win();
    let adapted = Adapted::new(
        tree(&hive, &software).ntfs_with(MEGABYTES, &["-p", "2048"], ""),
        &["--virtio-win", drivers.path().to_str().unwrap()],
    );
    let new = adapted.ntfs();
    assert_eq!(adapted.findings(), Vec::<String>::new());
    let (gone, come) = hive_diff(&hive, &ntfscat(&new, SYSTEM));
    assert_eq!(gone.len(), 4, "{gone:#?}");
    assert!(!come.iter().any(|line| line.contains("CriticalDeviceDatabase")));
    let ids = |name: &str| {
        BLOCK_IDS.map(|id| match name {
            "vioscsi" => id.replace("DEV_1001", "DEV_1004").replace("DEV_1042", "DEV_1048"),
            _ => id.to_owned(),
        })
    };
    let mut expected = Vec::new();
    for name in ["viostor", "vioscsi"] {
        judge_package(&new, name, &format!("{name}/w10/amd64"), "amd64");
        for set in SETS {
            judge_service(&come, set, name);
        }
        let (inf, conf) = (format!("{name}.inf"), format!("{name}_conf"));
        let label = format!("{inf}_amd64_0000000000000000");
        let key = format!(r"DriverDatabase\DriverInfFiles\{inf}");
        expected.extend([
            texts(&key, "", &label),
            text(&key, "Active", &label),
            texts(&key, "Configurations", &conf),
        ]);
        let package = format!(r"DriverDatabase\DriverPackages\{label}");
        // The first bytes and the class's GUID, as virt-v2v writes them.
        let version = "00ff0900000000007be9364d25e3ce11bfc108002be10318";
        expected.push(format!("value\t\\{package}\tVersion\t3\t{version}{}", "00".repeat(24)));
        let key = format!(r"{package}\Configurations\{conf}");
        expected.extend([number(&key, "ConfigFlags", 0), text(&key, "Service", name)]);
        for id in ids(name) {
            expected.push(value(
                &format!(r"DriverDatabase\DeviceIds\PCI\{id}"),
                &inf,
                3,
                &[1, 0xff, 0, 0],
            ));
            expected.push(text(
                &format!(r"{package}\Descriptors\PCI\{id}"),
                "Configuration",
                &conf,
            ));
        }
    }
    expected.sort();
    let database = come.iter().filter(|line| line.starts_with("value\t\\DriverDatabase"));
    assert_eq!(database.cloned().collect::<Vec<_>>(), expected);
    adapted.again_and_back();
}

#[test]
fn without_a_build_for_the_system_nothing_of_virtio_is_done() {
    let drivers = tempfile::tempdir().unwrap();
    package(drivers.path(), "viostor/w10/amd64", "viostor", "amd64");
    package(drivers.path(), "vioscsi/w7/amd64", "vioscsi", "amd64");
    let hive = system("AMD64", &[("atapi", 0), ("intelide", 3), ("pciide", 0), ("msahci", 0)]).build();
    let software = software_with_path("Windows 7 Professional", "6.1", "7601");
    let volume = tree(&hive, &software).ntfs_with(MEGABYTES, &["-p", "2048"], "");
    let path = drivers.path().to_str().unwrap();
    let adapted = Adapted::new(volume.clone(), &["--virtio-win", path]);
    let new = adapted.ntfs();
    let findings = adapted.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    for words in [
        "no viostor driver for this Windows",
        path,
        "Windows NT 6.1 (build 7601, a client) on x86_64",
        "IDE",
    ] {
        assert!(findings[0].contains(words), "no {words} in {findings:?}");
    }
    let (_, come) = hive_diff(&hive, &ntfscat(&new, SYSTEM));
    has(&come, &number(r"ControlSet001\Services\intelide", "Start", 0));
    assert!(!come.iter().any(|line| line.contains("vios")), "{come:#?}");
    assert_eq!(ntfscat(&new, SOFTWARE), software);
    adapted.again_and_back();

    // A source that is none stops everything.
    let refused = Adapted::new(volume, &["--virtio-win", "/nowhere/virtio-win.iso"]);
    assert_eq!(refused.status(), "refused");
    let findings = refused.findings();
    assert!(
        findings[0].starts_with("refusal: The virtio drivers in /nowhere/virtio-win.iso"),
        "{findings:?}"
    );
    refused.nothing_there();
}

#[test]
fn a_volume_that_windows_did_not_close_gets_no_files() {
    const CLOSE: [&str; 3] = ["Windows did not close it", "Start Windows once", "shutdown /s /t 0"];
    let mut volume = xp_tree(&full(windows_xp().build())).ntfs_with(MEGABYTES, &["-p", "2048"], "");
    leave_open(&mut volume);
    let adapted = Adapted::new(volume, &[]);
    assert_eq!(adapted.status(), "refused", "{:#}", adapted.report);
    let findings = adapted.findings();
    for words in CLOSE {
        assert!(findings[0].contains(words), "no {words} in {findings:?}");
    }
    adapted.nothing_there();

    // Where contents are enough, they are changed; files are not added.
    let hive = system("AMD64", &[("atapi", 0), ("intelide", 3), ("pciide", 3), ("msahci", 3)]).build();
    let tree = without(
        tree(&hive, &software_with_path("Windows 7 Professional", "6.1", "7601")),
        &["intelide.sys"],
    )
    .file(
        "Windows/System32/DriverStore/FileRepository/mshdc.inf_amd64_1/intelide.sys",
        fake_driver(drivers::X64, b"", 1),
    );
    let mut volume = tree.ntfs_with(MEGABYTES, &["-p", "2048"], "");
    leave_open(&mut volume);
    let drivers = virtio_win();
    let adapted = Adapted::new(volume, &["--virtio-win", drivers.path().to_str().unwrap()]);
    let findings = adapted.findings();
    assert_eq!(findings.len(), 3, "{findings:?}");
    for (finding, words) in findings.iter().zip(["intelide.sys", "no drivers for virtio disks", ""]) {
        assert!(finding.contains(words), "no {words} in {finding}");
    }
    for finding in &findings[..2] {
        for words in CLOSE {
            assert!(finding.contains(words), "no {words} in {finding}");
        }
    }
    assert_eq!(adapted.status(), "adapted");
    let (_, new) = adapted.volumes();
    let (gone, come) = hive_diff(&hive, &ntfscat(&new, SYSTEM));
    assert_eq!(gone.len(), 6, "{gone:#?}");
    assert!(
        !come
            .iter()
            .any(|line| line.contains("intelide") || line.contains("vios"))
    );
    adapted.again_and_back();
}
