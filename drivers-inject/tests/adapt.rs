//! Plans for made Windows volumes: what is edited, and that nothing else would be written.

mod common;

use common::hives::NewHive;
use common::windows::*;
use disk::ReadAt;
use disk::usedmap::VolumeKind::Ntfs;
use drivers_inject::adapt::{self, ApplyError, Effect, Kind, Options, apply};
use std::sync::Arc;

#[test]
fn a_plan_is_carried_out_once_and_only_on_its_disk() {
    let (disk, layout, plan) = plan_of(&windows("6.1", &seven().build()));
    assert_eq!(edits(&plan), [MSAHCI]);
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    // The base block and the value: two blocks.
    assert_eq!(plan.bytes(), 1024);

    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    let there: Arc<dyn ReadAt> = changed.clone();
    let again = adapt::plan(&there, &layout, Options::default());
    assert_eq!(edits(&again), [""; 0]);
    // It does not fit any more.
    assert!(matches!(apply(&plan, &*changed), Err(ApplyError::Changed { .. })));
    let empty: Arc<dyn ReadAt> = Arc::new(vec![0; disk.size() as usize]);
    let other = memory(&empty);
    assert!(matches!(apply(&plan, &*other), Err(ApplyError::Changed { .. })));
    assert_eq!(other.changes().unwrap(), []);
}

#[test]
fn windows_xp_gets_keys_for_the_ide_controller_that_it_has_drivers_for() {
    // Real hives have room: in free cells, or behind the last bin.
    let mut hive = xp().build();
    hive.extend(vec![0; 64 << 10]);
    let (disk, layout, plan) = plan_of(&windows("5.1", &hive));
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    let edits = edits(&plan);
    for expected in [
        r"ControlSet001\Services\atapi Start: 4 -> 0",
        r"ControlSet001\Services\atapi Tag: - -> 25",
        r"ControlSet001\Services\IntelIde Start: 4 -> 0",
        r"ControlSet001\Services\intelppm Start: 1 -> 4",
        r"ControlSet001\Services\viaagp Start: 0 -> 4",
        r"ControlSet001\Control\CrashControl AutoReboot: 1 -> 0",
    ] {
        assert!(edits.iter().any(|edit| edit == expected), "no {expected} in {edits:#?}");
    }
    for set in ["ControlSet001", "ControlSet002"] {
        let key = format!(
            r"{set}\Control\CriticalDeviceDatabase\pci#ven_8086&dev_7010: - -> a new key with Service = intelide"
        );
        assert!(
            edits.iter().any(|edit| edit.starts_with(&key)),
            "no {key} in {edits:#?}"
        );
    }
    // A service that is not there is added whole, where its file is.
    let pciide = r"ControlSet002\Services\PCIIde: - -> a new key with Type = 1, Start = 0";
    assert!(edits.iter().any(|edit| edit.starts_with(pciide)), "{edits:#?}");
    assert!(!edits.iter().any(|edit| edit.contains("agp440")), "{edits:#?}");
    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    let again = adapt::plan(&(changed as Arc<dyn ReadAt>), &layout, Options::default());
    assert!(again.edits.is_empty() && found(&again).is_empty(), "{again:#?}");
}

#[test]
fn a_driver_without_its_file_is_never_enabled() {
    let mut hive = NewHive::new().number("Select", "Current", 1);
    for (name, start) in [("atapi", 3), ("intelide", 3), ("pciide", 3), ("msahci", 3)] {
        hive = service(hive, name, start);
    }
    let tree = windows("6.1", &hive.build());
    for file in ["IntelIde.sys", "pciide.sys", "disk.sys"] {
        std::fs::remove_file(tree.path().join("Windows/System32/drivers").join(file)).unwrap();
    }
    let (.., plan) = plan_of(&tree);
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::DriverMissing, Effect::Warning));
    assert!(finding.what.contains("intelide.sys"), "{}", finding.what);
    let edits = edits(&plan);
    assert!(
        !edits
            .iter()
            .any(|edit| edit.contains("intelide") || edit.contains("pciide")),
        "{edits:#?}"
    );
    assert!(edits.contains(&r"ControlSet001\Services\atapi Start: 3 -> 0".to_owned()));
}

#[test]
fn windows_10_gets_every_start_override_zeroed() {
    let mut hive = NewHive::new().number("Select", "Current", 1);
    for name in ["atapi", "intelide", "pciide", "storahci"] {
        hive = service(hive, name, 0);
    }
    for (value, start) in [("0", 3), ("1", 0), ("5", 3)] {
        hive = hive.number(r"ControlSet001\Services\storahci\StartOverride", value, start);
    }
    for device in ["CC_0101", "CC_010601", "VEN_8086&DEV_7010"] {
        let key = format!(r"DriverDatabase\DeviceIds\PCI\{device}");
        hive = hive.value(&key, "mshdc.inf", 3, &[1, 0xff, 0, 0]);
    }
    let (.., plan) = plan_of(&windows("10.0", &hive.build()));
    assert_eq!(
        edits(&plan),
        [
            r"ControlSet001\Services\storahci\StartOverride 0: 3 -> 0",
            r"ControlSet001\Services\storahci\StartOverride 5: 3 -> 0",
        ]
    );
    let finding = only(&plan);
    assert_eq!(finding.kind, Kind::UnknownToDriverDatabase);
    assert!(
        finding.what.contains("VEN_8086&DEV_7111") && !finding.what.contains("7010"),
        "{}",
        finding.what
    );
}

#[test]
fn filters_are_kept_unless_they_would_stop_the_disk() {
    let hive = service(service(seven(), "prl_strg", 0), "prl_dd", 1)
        .string(
            r"ControlSet001\Services\stdcfltn",
            "ImagePath",
            r"system32\DRIVERS\stdcfltn.sys",
        )
        .string(
            r"ControlSet001\Services\gone",
            "ImagePath",
            r"\SystemRoot\System32\drivers\gone.sys",
        )
        .string(
            r"ControlSet001\Services\elsewhere",
            "ImagePath",
            r"\??\D:\elsewhere.sys",
        )
        .value(DISK_CLASS, "UpperFilters", 7, &list(&["partmgr", "gone", "elsewhere"]))
        .value(DISK_CLASS, "LowerFilters", 7, &list(&["prl_strg"]));
    let hive = hive.value(
        DISK_CLASS,
        "LowerFilters",
        7,
        &list(&["EhStorClass", "prl_strg", "stdcfltn"]),
    );
    let tree = windows("6.1", &hive.build()).file("Windows/System32/drivers/stdcfltn.sys", "x");
    let (.., plan) = plan_of(&tree);
    assert_eq!(
        edits(&plan),
        [
            MSAHCI.to_owned(),
            format!("{DISK_CLASS} UpperFilters: partmgr, gone, elsewhere -> partmgr, elsewhere"),
            format!("{DISK_CLASS} LowerFilters: EhStorClass, prl_strg, stdcfltn -> EhStorClass, stdcfltn"),
            r"ControlSet001\Services\prl_dd Start: 1 -> 4".to_owned(),
            r"ControlSet001\Services\prl_strg Start: 0 -> 4".to_owned(),
        ]
    );
    let unknown: Vec<_> = found(&plan)
        .iter()
        .map(|finding| (finding.kind, finding.effect))
        .collect();
    assert_eq!(unknown, [(Kind::UnknownFilter, Effect::Note); 2]);
}

#[test]
fn filters_of_one_device_are_judged_like_those_of_a_class() {
    const NODE: &str = r"ControlSet001\Enum\IDE\DiskMaker_Model\5&1234&0&0.0.0";
    const KEYBOARD: &str = r"ControlSet001\Enum\ACPI\PNP0303\4&1";
    let hive = service(seven(), "prl_strg", 0)
        .string(
            r"ControlSet001\Services\gone",
            "ImagePath",
            r"System32\drivers\gone.sys",
        )
        .string(NODE, "ClassGUID", "{4d36e967-e325-11ce-bfc1-08002be10318}")
        .value(NODE, "UpperFilters", 7, &list(&["partmgr", "gone"]))
        .value(NODE, "LowerFilters", 7, &list(&["prl_strg"]))
        // Not of a class that matters for the start.
        .string(KEYBOARD, "ClassGUID", "{4d36e96b-e325-11ce-bfc1-08002be10318}")
        .value(KEYBOARD, "UpperFilters", 7, &list(&["gone"]));
    let (disk, layout, plan) = plan_of(&windows("6.1", &hive.build()));
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    assert_eq!(
        edits(&plan),
        [
            MSAHCI.to_owned(),
            format!("{NODE} UpperFilters: partmgr, gone -> partmgr"),
            format!("{NODE} LowerFilters: prl_strg -> -"),
            r"ControlSet001\Services\prl_strg Start: 0 -> 4".to_owned(),
        ]
    );
    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    assert_eq!(
        edits(&adapt::plan(&(changed as Arc<dyn ReadAt>), &layout, Options::default())),
        [""; 0]
    );
}

#[test]
fn boot_ini_names_the_first_disk() {
    let hive = NewHive::new()
        .number("Select", "Current", 1)
        .key(r"ControlSet001\Control\CriticalDeviceDatabase\*pnp0a03")
        .key(r"ControlSet001\Control\CriticalDeviceDatabase\*pnp0c08")
        .build();
    let line = "multi(0)disk(0)rdisk(1)partition(1)\\Windows=\"XP\" /fastdetect\r\n";
    let long = format!("[operating systems]\r\n{}", line.repeat(40));
    let (disk, layout, plan) = plan_of(&windows("5.1", &hive).file("boot.ini", &long));
    let edit = plan.edits.last().unwrap();
    assert_eq!(
        (edit.file.as_str(), edit.after.as_deref()),
        ("boot.ini", Some("rdisk(0)"))
    );
    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    let window = disk::io::Window::new(changed as Arc<dyn ReadAt>, 1 << 20..disk.size()).unwrap();
    let mut fs = disk::guestfs::open(Ntfs, Arc::new(window)).unwrap().unwrap();
    assert_eq!(
        fs.read("boot.ini", 1 << 20).unwrap(),
        long.replace("rdisk(1)", "rdisk(0)").as_bytes()
    );
    drop(layout);

    // A short one lies in the master file table.
    let (disk, _, plan) = plan_of(&windows("5.1", &hive).file("boot.ini", line));
    assert_eq!((found(&plan).len(), plan.edits.last()), (0, Some(edit)));
    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    let window = disk::io::Window::new(changed as Arc<dyn ReadAt>, 1 << 20..disk.size()).unwrap();
    let mut fs = disk::guestfs::open(Ntfs, Arc::new(window)).unwrap().unwrap();
    let now = fs.read("boot.ini", 1 << 20).unwrap();
    assert_eq!(now, line.replace("rdisk(1)", "rdisk(0)").as_bytes());
    let two = long.replacen("rdisk(1)", "rdisk(0)", 1);
    let (.., plan) = plan_of(&windows("5.1", &hive).file("boot.ini", two));
    assert!(only(&plan).what.contains("several disks"), "{:?}", plan.findings);
}

#[test]
fn the_second_copy_of_windows_2000_is_kept_the_same() {
    let mut hive = xp().build();
    hive.extend(vec![0; 64 << 10]);
    let tree = windows("5.0", &hive).file("Windows/System32/config/SYSTEM.ALT", &hive);
    let (disk, _, plan) = plan_of(&tree);
    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    let window = disk::io::Window::new(changed as Arc<dyn ReadAt>, 1 << 20..disk.size()).unwrap();
    let mut fs = disk::guestfs::open(Ntfs, Arc::new(window)).unwrap().unwrap();
    let new = fs.read(SYSTEM, 1 << 24).unwrap();
    assert!(new != hive);
    assert!(fs.read("Windows/System32/config/SYSTEM.ALT", 1 << 24).unwrap() == new);

    // Both grow.
    let small = xp().build();
    let tree = windows("5.0", &small).file("Windows/System32/config/SYSTEM.ALT", &small);
    let (disk, layout, plan) = plan_of(&tree);
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    let changed: Arc<dyn ReadAt> = changed;
    let window = disk::io::Window::new(Arc::clone(&changed), 1 << 20..disk.size()).unwrap();
    let mut fs = disk::guestfs::open(Ntfs, Arc::new(window)).unwrap().unwrap();
    let new = fs.read(SYSTEM, 1 << 24).unwrap();
    assert!(new.len() > small.len());
    assert!(fs.read("Windows/System32/config/SYSTEM.ALT", 1 << 24).unwrap() == new);
    assert_eq!(edits(&adapt::plan(&changed, &layout, Options::default())), [""; 0]);

    let mut other = hive.clone();
    other[5000] ^= 1;
    let (.., plan) = plan_of(&windows("5.0", &hive).file("Windows/System32/config/SYSTEM.ALT", &other));
    assert_eq!((only(&plan).kind, only(&plan).effect), (Kind::Registry, Effect::Skip));
    assert!(only(&plan).what.contains("SYSTEM.ALT"));
}
