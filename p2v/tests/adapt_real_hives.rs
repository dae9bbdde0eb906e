//! `p2v adapt` on registry hives of real Windows machines, which are not part of this project: `P2V_REAL_HIVES` names
//! the folder that has them, compressed with xz.

mod common;
#[path = "../../drivers-inject/tests/common/drivers.rs"]
mod drivers;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../../drivers-inject/tests/common/hives.rs"]
mod hives;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;
mod windows;

use common::*;
use drivers_inject::registry::log::{Recovered, recover};
use hives::dump_with_hivex;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use windows::*;

/// The folder with the hives; without it the test says so and ends.
fn hives_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("P2V_REAL_HIVES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: P2V_REAL_HIVES is not set, so real registry hives were NOT tested");
    }
    folder
}

fn unpack(folder: &Path, name: &str) -> Vec<u8> {
    let output = start(Command::new("xz").arg("-dc").arg(folder.join(format!("{name}.xz"))));
    assert!(output.status.success(), "{}", errors(&output));
    output.stdout
}

/// What came of adapting a machine.
struct Adapted {
    /// What libhivex reads from the hive that the edits start from, and from the one that they made.
    before: String,
    after: String,
    /// Bytes of the hive's file before and after.
    sizes: (usize, usize),
    report: serde_json::Value,
}

/// Adapts a machine with this SYSTEM hive (and these logs), in place. `before` is the hive that the edits start from.
fn adapt(hive: &[u8], logs: &[(&str, Vec<u8>)], before: &[u8]) -> (String, String, serde_json::Value) {
    let software = b"no hive: the generation must come from SYSTEM";
    let in_place = |volume: &[u8], after: &[u8], new: &Path| {
        // On the volume only clusters of the hive's file differ.
        let allowed = clusters(new, SYSTEM, 4096);
        for block in differing(volume, after) {
            assert!(
                allowed.iter().any(|range| range.contains(&block)),
                "block at {block} was changed"
            );
        }
    };
    let adapted = adapt_with(hive, logs, before, software, &[], in_place);
    // 0 bytes of growth.
    assert_eq!(adapted.sizes, (hive.len(), hive.len()));
    (adapted.before, adapted.after, adapted.report)
}

/// The same with this SOFTWARE hive and options; `judge` sees the volume before and after, and the latter as a file.
fn adapt_with(
    hive: &[u8],
    logs: &[(&str, Vec<u8>)],
    before: &[u8],
    software: &[u8],
    options: &[&str],
    judge: impl FnOnce(&[u8], &[u8], &Path),
) -> Adapted {
    let folder = tempfile::tempdir().unwrap();
    let mut tree = tree(hive, software);
    for (name, log) in logs {
        tree = tree.file(&format!("Windows/System32/config/{name}"), log);
    }
    let volume = tree.ntfs_with(64, &["-p", "2048"], "");
    let machine = machine(folder.path(), &volume);
    let captured = sha256(&machine.join("disk0.qcow2"));
    let adapt = || run(p2v("adapt").arg(&machine).arg("--json").args(options));
    let report: serde_json::Value = serde_json::from_str(&adapt()).unwrap();
    assert_eq!(report["status"], "adapted", "{report:#}");

    let after = volume_of(&machine, "disk0.adapted.qcow2", volume.len());
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::write(&old, &volume).unwrap();
    fs::write(&new, &after).unwrap();
    let changed = ntfscat(&new, SYSTEM);
    judge(&volume, &after, &new);
    assert_eq!(ntfsfix(&new).replace("new", "old"), ntfsfix(&old));
    ntfsresize(&new);
    let again = adapt();
    assert!(again.contains("\"adapted-already\""), "{again}");
    run(p2v("adapt").arg(&machine).arg("--undo"));
    assert_eq!(sha256(&machine.join("disk0.qcow2")), captured);

    let (old_hive, new_hive) = (folder.path().join("old.hive"), folder.path().join("new.hive"));
    fs::write(&old_hive, before).unwrap();
    fs::write(&new_hive, &changed).unwrap();
    Adapted {
        before: dump_with_hivex(&old_hive),
        after: dump_with_hivex(&new_hive),
        sizes: (hive.len(), changed.len()),
        report,
    }
}

/// The line that a DWORD has in a dump.
fn dword(path: &str, name: &str, number: u32) -> String {
    let bytes: String = number.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("value\t\\{path}\t{name}\t4\t{bytes}")
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

const BOTH: [&str; 2] = ["ControlSet001", "ControlSet002"];

#[test]
fn windows_7_x86_needs_six_numbers() {
    let Some(folder) = hives_folder() else { return };
    let hive = unpack(&folder, "win7sp1_x86_vmware.SYSTEM");
    let (before, after, _) = adapt(&hive, &[], &hive);
    let (gone, come) = diff(&before, &after);
    let expected = |start, reboot| {
        let lines = BOTH.iter().flat_map(|set| {
            [
                dword(&format!(r"{set}\services\pciide"), "Start", start),
                dword(&format!(r"{set}\services\msahci"), "Start", start),
                dword(&format!(r"{set}\Control\CrashControl"), "AutoReboot", reboot),
            ]
        });
        sorted(lines.collect())
    };
    assert_eq!(gone, expected(3, 1));
    assert_eq!(come, expected(0, 0));
}

#[test]
fn windows_xp_needs_four_numbers_and_ten_keys() {
    let Some(folder) = hives_folder() else { return };
    let hive = unpack(&folder, "xp_sp3_x86_M57PAT.SYSTEM");
    let (before, after, _) = adapt(&hive, &[], &hive);
    let (gone, come) = diff(&before, &after);
    let numbers = |start, reboot| -> Vec<String> {
        let lines = BOTH.iter().flat_map(|set| {
            [
                dword(&format!(r"{set}\Services\intelppm"), "Start", start),
                dword(&format!(r"{set}\Control\CrashControl"), "AutoReboot", reboot),
            ]
        });
        lines.collect()
    };
    assert_eq!(gone, sorted(numbers(1, 1)));
    let (keys, values): (Vec<_>, Vec<_>) = come.into_iter().partition(|line| line.starts_with("key\t"));
    assert_eq!(keys.len(), 10, "{keys:#?}");
    let utf16 = |text: &str| -> String { hives::utf16(text).iter().map(|byte| format!("{byte:02x}")).collect() };
    let (hdc, system) = (
        "{4D36E96A-E325-11CE-BFC1-08002BE10318}",
        "{4D36E97D-E325-11CE-BFC1-08002BE10318}",
    );
    let mut expected = numbers(4, 0);
    for set in BOTH {
        for (id, service, class) in [
            ("pci#ven_8086&dev_7010", "intelide", hdc),
            ("pci#ven_8086&dev_7111", "intelide", hdc),
            ("pci#cc_0101", "pciide", hdc),
            ("pci#ven_8086&dev_7000", "isapnp", system),
            ("pci#ven_8086&dev_7110", "isapnp", system),
        ] {
            let key = format!(r"\{set}\Control\CriticalDeviceDatabase\{id}");
            assert!(
                keys.iter().any(|line| line.split('\t').nth(1) == Some(&key)),
                "no {key}"
            );
            expected.push(format!("value\t{key}\tService\t1\t{}", utf16(service)));
            expected.push(format!("value\t{key}\tClassGUID\t1\t{}", utf16(class)));
        }
    }
    assert_eq!(sorted(values), sorted(expected));
}

/// Names and contents of a hive's logs.
type Logs = [(&'static str, Vec<u8>); 2];

/// The hive of Windows 10, its logs, and the hive with these applied.
fn windows_10(folder: &Path) -> (Vec<u8>, Logs, Recovered) {
    const NAME: &str = "win10_1709_x64_LatitudeE6430.SYSTEM";
    let hive = unpack(folder, NAME);
    let logs = ["SYSTEM.LOG1", "SYSTEM.LOG2"].map(|log| {
        let name = log.replace("SYSTEM", NAME);
        (log, unpack(folder, &name))
    });
    let bytes: Vec<_> = logs.iter().map(|(_, log)| log.clone()).collect();
    let whole = recover(hive.clone(), &bytes).unwrap();
    (hive, logs, whole)
}

#[test]
fn windows_10_needs_its_logs_and_five_numbers() {
    let Some(folder) = hives_folder() else { return };
    let (hive, logs, whole) = windows_10(&folder);
    assert_eq!(whole.entries, 24);
    let (before, after, report) = adapt(&hive, &logs, &whole.bytes);
    assert_eq!(after.lines().filter(|line| line.starts_with("key\t")).count(), 35_595);
    let (gone, come) = diff(&before, &after);
    let expected = |start, reboot| {
        let mut lines = vec![dword(r"ControlSet001\Control\CrashControl", "AutoReboot", reboot)];
        for service in ["atapi", "intelide", "pciide", "storahci"] {
            lines.push(dword(
                &format!(r"ControlSet001\Services\{service}\StartOverride"),
                "0",
                start,
            ));
        }
        sorted(lines)
    };
    assert_eq!(gone, expected(3, 1));
    assert_eq!(come, expected(0, 0));
    let findings = report["findings"].as_array().unwrap().iter();
    let findings: Vec<_> = findings.filter(|finding| finding["kind"] != "new-computer").collect();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["kind"], "unknown-filter");
    assert!(findings[0]["what"].as_str().unwrap().contains("stdcfltn"));
}

/// A folder with a made viostor package for one Windows.
fn viostor(folder: &str, platform: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    drivers::package(root.path(), folder, "viostor", platform);
    root
}

/// The driver of virtio disks is where the kernel and Windows look for it.
fn judge_driver(volume: &Path, folder: &str, platform: &str) {
    let driver = drivers::packaged(folder, "viostor", platform);
    assert_eq!(ntfscat(volume, "Windows/System32/drivers/viostor.sys"), driver);
    assert_eq!(ntfscat(volume, "Windows/Drivers/VirtIO/viostor.sys"), driver);
}

/// New keys and values but for the IDE edits: how many are below each of these keys, and none elsewhere.
fn count(come: &[String], below: &[&str]) -> Vec<usize> {
    let mut counts = vec![0; below.len()];
    for line in come
        .iter()
        .filter(|line| line.contains("viostor") || line.contains("1AF4"))
    {
        let path = line.split('\t').nth(1).unwrap().to_lowercase();
        let place = below.iter().position(|key| path.contains(&key.to_lowercase()));
        counts[place.unwrap_or_else(|| panic!("{line}"))] += 1;
    }
    counts
}

#[test]
fn windows_7_x86_grows_for_virtio() {
    let Some(folder) = hives_folder() else { return };
    let hive = unpack(&folder, "win7sp1_x86_vmware.SYSTEM");
    let source = viostor("viostor/w7/x86", "x86");
    let adapted = adapt_with(
        &hive,
        &[],
        &hive,
        &software("Windows 7 Professional", "6.1", "7601"),
        &["--virtio-win", source.path().to_str().unwrap()],
        |_, _, new| judge_driver(new, "viostor/w7/x86", "x86"),
    );
    let (before, after) = adapted.sizes;
    println!("Windows 7 x86 grew by {} bytes", after - before);
    assert!(after > before && after - before <= 64 << 10, "{before} {after}");
    let (gone, come) = diff(&adapted.before, &adapted.after);
    // The six numbers of the IDE edits, and nothing else.
    assert_eq!(gone.len(), 6, "{gone:#?}");
    // In each of two control sets: six devices with two values; service, Parameters and PnpInterface with seven.
    let counts = count(&come, &["CriticalDeviceDatabase\\PCI#VEN_1AF4", "services\\viostor"]);
    assert_eq!(counts, [2 * 6 * 3, 2 * (3 + 7)], "{come:#?}");
    assert_eq!(come.len(), 6 + 2 * 6 * 3 + 2 * 10);
}

#[test]
fn windows_10_gets_virtio_into_its_driver_database() {
    let Some(folder) = hives_folder() else { return };
    let (hive, logs, whole) = windows_10(&folder);
    let source = viostor("viostor/w10/amd64", "amd64");
    let adapted = adapt_with(
        &hive,
        &logs,
        &whole.bytes,
        &software("Windows 10 Pro", "10.0", "16299"),
        &["--virtio-win", source.path().to_str().unwrap()],
        |_, _, new| judge_driver(new, "viostor/w10/amd64", "amd64"),
    );
    let (before, after) = adapted.sizes;
    println!("Windows 10 1709 grew by {} bytes", after - before);
    let (gone, come) = diff(&adapted.before, &adapted.after);
    assert_eq!(gone.len(), 5, "{gone:#?}");
    let counts = count(
        &come,
        &[
            "DriverDatabase\\DeviceIds\\PCI\\VEN_1AF4",
            "DriverDatabase\\Driver",
            "services\\viostor",
        ],
    );
    // Six devices; the INF file with three values, the package, its configuration and Descriptors\PCI; one service.
    let package = 1 + 3 + 1 + 1 + 2 + 2 + 2 + 6 * 2;
    assert_eq!(counts, [6 * 2, package, 3 + 7], "{come:#?}");
    assert_eq!(come.len(), 5 + 6 * 2 + package + 10);
}
