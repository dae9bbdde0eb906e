//! Made Windows volumes for `adapt`, and words to look at its plans.

use super::hives::{self, NewHive};
use super::{Tree, disk_of};
use disk::ReadAt;
use disk::layout::DiskLayout;
use disk::scratch::Scratch;
use disk::usedmap::VolumeKind::Ntfs;
use drivers_inject::adapt::{self, Finding, Kind, Options, Plan};
use std::sync::Arc;

pub(crate) const SYSTEM: &str = "Windows/System32/config/SYSTEM";
pub(crate) const DISK_CLASS: &str = r"ControlSet001\Control\Class\{4D36E967-E325-11CE-BFC1-08002BE10318}";
pub(crate) const DRIVERS: [&str; 8] = [
    "atapi.sys",
    "IntelIde.sys",
    "pciide.sys",
    "PCIIDEX.SYS",
    "msahci.sys",
    "storahci.sys",
    "disk.sys",
    "isapnp.sys",
];

/// The disk, so that it takes writes: they stay in memory.
pub(crate) fn memory(disk: &Arc<dyn ReadAt>) -> Arc<Scratch> {
    Arc::new(Scratch::new(Arc::clone(disk), u64::MAX))
}

/// A Windows with this SYSTEM hive and all drivers; the kernel's version is what its SOFTWARE hive says.
pub(crate) fn windows(version: &str, system: &[u8]) -> Tree {
    const KEY: &str = r"Microsoft\Windows NT\CurrentVersion";
    let mut software = NewHive::new()
        .string(KEY, "ProductName", "Windows")
        .string(KEY, "CurrentVersion", version)
        .string(KEY, "CurrentBuildNumber", "1000");
    if version == "10.0" {
        software = software
            .number(KEY, "CurrentMajorVersionNumber", 10)
            .number(KEY, "CurrentMinorVersionNumber", 0);
    }
    let mut tree = Tree::new()
        .file(SYSTEM, system)
        .file("Windows/System32/config/SOFTWARE", software.build());
    for driver in DRIVERS {
        tree = tree.file(&format!("Windows/System32/drivers/{driver}"), driver);
    }
    tree
}

pub(crate) fn service(hive: NewHive, name: &str, start: u32) -> NewHive {
    hive.number(&format!(r"ControlSet001\Services\{name}"), "Start", start)
}

/// The SYSTEM hive of a Windows 7 that needs one edit: `msahci`.
pub(crate) fn seven() -> NewHive {
    let mut hive = NewHive::new().number("Select", "Current", 1);
    for (name, start) in [("atapi", 0), ("intelide", 0), ("pciide", 0), ("msahci", 3)] {
        hive = service(hive, name, start);
    }
    let ids = [
        "PCI#VEN_8086&DEV_7010",
        "PCI#CC_0101",
        "PCI#CC_010601",
        "Internal_IDE_Channel",
        "Primary_IDE_Channel",
        "Secondary_IDE_Channel",
        "GenDisk",
    ];
    ids.iter().fold(hive, |hive, id| {
        hive.key(&format!(r"ControlSet001\Control\CriticalDeviceDatabase\{id}"))
    })
}

/// The plan for one NTFS volume.
pub(crate) fn plan_of(tree: &Tree) -> (Arc<dyn ReadAt>, DiskLayout, Plan) {
    let (disk, layout) = disk_of(vec![(Ntfs, tree.ntfs(12, ""))]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    (disk, layout, plan)
}

/// What was found, but for what is said of every Windows.
pub(crate) fn found(plan: &Plan) -> Vec<&Finding> {
    let special = |finding: &&Finding| finding.kind != Kind::NewComputer;
    plan.findings.iter().filter(special).collect()
}

pub(crate) fn only(plan: &Plan) -> &Finding {
    let found = found(plan);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0]
}

/// `place: before -> after` of each edit, without what all places begin with.
pub(crate) fn edits(plan: &Plan) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let line = |edit: &adapt::Edit| {
        let place = edit.place.trim_start_matches(r"HKLM\SYSTEM\");
        format!("{place}: {} -> {}", text(&edit.before), text(&edit.after))
    };
    plan.edits.iter().map(line).collect()
}

pub(crate) const MSAHCI: &str = r"ControlSet001\Services\msahci Start: 3 -> 0";

/// The SYSTEM hive of a Windows XP that needs keys, with two control sets, the second nearly empty.
pub(crate) fn xp() -> NewHive {
    let mut hive = NewHive::new()
        .number("Select", "Current", 2)
        .number(r"ControlSet001\Control\CrashControl", "AutoReboot", 1)
        .key(r"ControlSet002\Control");
    for id in ["*pnp0a03", "*pnp0c08"] {
        for set in ["ControlSet001", "ControlSet002"] {
            hive = hive.key(&format!(r"{set}\Control\CriticalDeviceDatabase\{id}"));
        }
    }
    for (name, start) in [
        ("atapi", 4),
        ("IntelIde", 4),
        ("intelppm", 1),
        ("agp440", 0),
        ("viaagp", 0),
    ] {
        hive = service(hive, name, start);
    }
    let listed = hives::utf16("agp440").into_iter().chain([0, 0]).collect::<Vec<_>>();
    hive.value(
        r"ControlSet001\Enum\PCI\VEN_8086&DEV_1234\3&1",
        "UpperFilters",
        7,
        &listed,
    )
}

/// A multi-string.
pub(crate) fn list(names: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = names.iter().flat_map(|name| hives::utf16(name)).collect();
    bytes.extend([0, 0]);
    bytes
}
