//! `p2v adapt` where contents alone are not enough: hives and boot.ini that are written anew, drivers from the system's
//! own store. Judged by ntfs-3g's tools, fsck.fat, mtools and libhivex.

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

#[path = "windows/adapted.rs"]
mod adapted;

use adapted::*;
use common::*;
use drivers::{X86, fake_driver};
use drivers_inject::registry::ValueType;
use drivers_inject::registry::edit::Editor;
use std::fs;
use std::path::Path;
use std::process::Command;
use windows::*;

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
