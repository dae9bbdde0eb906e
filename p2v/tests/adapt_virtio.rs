//! `p2v adapt --virtio-win`: drivers for virtio disks, from a made folder and disc. Judged by ntfs-3g's tools and libhivex.

mod common;
#[path = "../../drivers-inject/tests/common/drivers.rs"]
mod drivers;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../../drivers-inject/tests/common/hives.rs"]
mod hives;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;
mod windows;

#[path = "windows/adapted.rs"]
mod adapted;

use adapted::*;
use common::*;
use drivers::{package, packaged};
use std::path::{Path, PathBuf};
use std::process::Command;
use windows::*;

const SOFTWARE: &str = "Windows/System32/config/SOFTWARE";

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
