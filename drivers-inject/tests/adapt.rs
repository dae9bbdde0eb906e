//! Plans for made Windows volumes: what is found, what is edited, and that nothing else would be written.

mod common;

use common::hives::{self, NewHive};
use common::{Tree, disk_of};
use disk::layout::DiskLayout;
use disk::usedmap::VolumeKind::{self, Fat, Ntfs};
use disk::{BlockDevice, ReadAt};
use drivers_inject::adapt::{self, ApplyError, Effect, Finding, Kind, Options, Plan, apply};
use std::io;
use std::sync::{Arc, Mutex};

const SYSTEM: &str = "Windows/System32/config/SYSTEM";
const DISK_CLASS: &str = r"ControlSet001\Control\Class\{4D36E967-E325-11CE-BFC1-08002BE10318}";
const DRIVERS: [&str; 8] = [
    "atapi.sys",
    "IntelIde.sys",
    "pciide.sys",
    "PCIIDEX.SYS",
    "msahci.sys",
    "storahci.sys",
    "disk.sys",
    "isapnp.sys",
];

/// A disk in memory that takes writes.
struct Memory(Mutex<Vec<u8>>);

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.lock().unwrap().read_at(offset, buf)
    }
}

impl BlockDevice for Memory {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = offset as usize;
        self.0.lock().unwrap()[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn memory(disk: &Arc<dyn ReadAt>) -> Arc<Memory> {
    let mut bytes = vec![0; disk.size() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    Arc::new(Memory(Mutex::new(bytes)))
}

/// A Windows with this SYSTEM hive and all drivers; the kernel's version is what its SOFTWARE hive says.
fn windows(version: &str, system: &[u8]) -> Tree {
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

fn service(hive: NewHive, name: &str, start: u32) -> NewHive {
    hive.number(&format!(r"ControlSet001\Services\{name}"), "Start", start)
}

/// The SYSTEM hive of a Windows 7 that needs one edit: `msahci`.
fn seven() -> NewHive {
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
fn plan_of(tree: &Tree) -> (Arc<dyn ReadAt>, DiskLayout, Plan) {
    let (disk, layout) = disk_of(vec![(Ntfs, tree.ntfs(12, ""))]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    (disk, layout, plan)
}

fn only(plan: &Plan) -> &Finding {
    assert_eq!(plan.findings.len(), 1, "{:#?}", plan.findings);
    &plan.findings[0]
}

/// `place: before -> after` of each edit, without what all places begin with.
fn edits(plan: &Plan) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let line = |edit: &adapt::Edit| {
        let place = edit.place.trim_start_matches(r"HKLM\SYSTEM\");
        format!("{place}: {} -> {}", text(&edit.before), text(&edit.after))
    };
    plan.edits.iter().map(line).collect()
}

const MSAHCI: &str = r"ControlSet001\Services\msahci Start: 3 -> 0";

#[test]
fn a_plan_is_carried_out_once_and_only_on_its_disk() {
    let (disk, layout, plan) = plan_of(&windows("6.1", &seven().build()));
    assert_eq!(edits(&plan), [MSAHCI]);
    assert_eq!(plan.findings, []);
    // The base block and the value: two blocks.
    assert_eq!(plan.bytes(), 1024);

    let changed = memory(&disk);
    apply(&plan, &*changed).unwrap();
    let there: Arc<dyn ReadAt> = changed.clone();
    let again = adapt::plan(&there, &layout, Options::default());
    assert_eq!(edits(&again), [""; 0]);
    // It does not fit any more.
    assert!(matches!(apply(&plan, &*changed), Err(ApplyError::Changed { .. })));
    let other = Memory(Mutex::new(vec![0; disk.size() as usize]));
    assert!(matches!(apply(&plan, &other), Err(ApplyError::Changed { .. })));
    assert!(other.0.into_inner().unwrap().iter().all(|byte| *byte == 0));
}

/// The SYSTEM hive of a Windows XP that needs keys, with two control sets, the second nearly empty.
fn xp() -> NewHive {
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

#[test]
fn windows_xp_gets_keys_for_the_ide_controller_that_it_has_drivers_for() {
    // Real hives have room: in free cells, or behind the last bin.
    let mut hive = xp().build();
    hive.extend(vec![0; 64 << 10]);
    let (disk, layout, plan) = plan_of(&windows("5.1", &hive));
    assert_eq!(plan.findings, []);
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
    assert_eq!((again.edits, again.findings), (Vec::new(), Vec::new()));
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

/// A multi-string.
fn list(names: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = names.iter().flat_map(|name| hives::utf16(name)).collect();
    bytes.extend([0, 0]);
    bytes
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
    let unknown: Vec<_> = plan
        .findings
        .iter()
        .map(|finding| (finding.kind, finding.effect))
        .collect();
    assert_eq!(unknown, [(Kind::UnknownFilter, Effect::Note); 2]);
}

#[test]
fn disk_encryption_stops_everything() {
    let hive = seven().value(DISK_CLASS, "UpperFilters", 7, &list(&["PGPwded", "partmgr"]));
    let (disk, _, plan) = plan_of(&windows("6.1", &hive.build()));
    let finding = only(&plan);
    assert_eq!(
        (finding.kind, finding.effect),
        (Kind::EncryptionFilter, Effect::Refusal)
    );
    assert!(finding.what.contains("PGP"), "{}", finding.what);
    assert!(matches!(apply(&plan, &*memory(&disk)), Err(ApplyError::Refused(_))));
}

#[test]
fn a_saved_session_is_only_thrown_away_when_asked() {
    let mut session = b"HIBR".repeat(4000);
    session.truncate(15_000);
    for (signature, words) in [
        (*b"HIBR", "hiberfil.sys"),
        (*b"wake", "resumed"),
        (*b"RSTR", "not understood"),
    ] {
        session[..4].copy_from_slice(&signature);
        let tree = windows("6.1", &seven().build()).file("hiberfil.sys", &session);
        let (disk, layout, plan) = plan_of(&tree);
        let finding = only(&plan);
        assert_eq!((finding.kind, finding.effect), (Kind::Hibernated, Effect::Refusal));
        assert!(finding.what.contains(words), "{}", finding.what);
        assert!(finding.option.unwrap().starts_with("--discard-hibernation"));
        assert!(finding.option.unwrap().contains("lost"));
        assert!(matches!(apply(&plan, &*memory(&disk)), Err(ApplyError::Refused(_))));

        let discard = Options {
            discard_hibernation: true,
        };
        let plan = adapt::plan(&disk, &layout, discard);
        assert_eq!(only(&plan).effect, Effect::Warning);
        let changed = memory(&disk);
        apply(&plan, &*changed).unwrap();
        let changed: Arc<dyn ReadAt> = changed;
        assert_eq!(adapt::plan(&changed, &layout, Options::default()).findings, []);
        let window = disk::io::Window::new(changed, 1 << 20..disk.size()).unwrap();
        let mut fs = disk::guestfs::open(Ntfs, Arc::new(window)).unwrap().unwrap();
        let now = fs.read("hiberfil.sys", 1 << 20).unwrap();
        assert!(now[..4096].iter().all(|byte| *byte == 0));
        assert_eq!(now[4096..], session[4096..]);
    }
}

#[test]
fn a_hive_that_was_not_written_completely_needs_its_logs() {
    let mut dirty = seven().build();
    dirty[4] ^= 1;
    hives::fix_checksum(&mut dirty);
    let (.., plan) = plan_of(&windows("6.1", &dirty));
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::DirtyRegistry, Effect::Skip));
    assert!(finding.what.contains(".LOG1"), "{}", finding.what);
    assert_eq!(plan.edits, []);
}

#[test]
fn what_cannot_be_edited_in_place_is_refused() {
    // FAT has no places yet.
    let tree = windows("6.1", &seven().build());
    let (disk, layout) = disk_of(vec![(Fat, tree.fat(16))]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::Registry, Effect::Skip));
    assert!(finding.what.contains("not supported on this kind"), "{}", finding.what);
    assert_eq!(plan.edits, []);

    // One that can be is adapted all the same.
    let (disk, layout) = disk_of(vec![(Fat, tree.fat(16)), (Ntfs, tree.ntfs(12, ""))]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(plan.findings[0].effect, Effect::Skip);
    assert_eq!((edits(&plan), plan.edits[0].partition), (vec![MSAHCI.to_owned()], 2));

    // No room for keys in the file that there is.
    let (.., plan) = plan_of(&windows("5.1", &xp().build()));
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::Registry, Effect::Skip));
    assert!(
        finding.what.contains("bytes more than its file has"),
        "{}",
        finding.what
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
    let (.., plan) = plan_of(&windows("5.1", &hive).file("boot.ini", line));
    assert_eq!((only(&plan).kind, only(&plan).effect), (Kind::BootIni, Effect::Warning));
    let two = long.replacen("rdisk(1)", "rdisk(0)", 1);
    let (.., plan) = plan_of(&windows("5.1", &hive).file("boot.ini", two));
    assert!(only(&plan).what.contains("several disks"), "{:?}", plan.findings);
}

#[test]
fn an_unclosed_volume_is_reported_and_edited_in_place_only() {
    let mut volume = windows("6.1", &seven().build()).ntfs(12, "");
    mark_log_in_use(&mut volume);
    let (disk, layout) = disk_of(vec![(Ntfs, volume)]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(
        (only(&plan).kind, only(&plan).effect),
        (Kind::UncleanVolume, Effect::Warning)
    );
    assert_eq!(edits(&plan), [MSAHCI]);
}

/// Writes a restart page that says that the volume is in use.
fn mark_log_in_use(volume: &mut [u8]) {
    let place = {
        let mut fs = disk::guestfs::open(Ntfs, Arc::new(volume.to_vec())).unwrap().unwrap();
        fs.place("$LogFile").unwrap().data[0].clone()
    };
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RSTR\x1E\0\x09\0");
    put(0x10, &4096u32.to_le_bytes());
    put(0x18, &[0x30, 0]);
    put(0x1C, &1u16.to_le_bytes());
    put(0x30, &5u64.to_le_bytes());
    for block in 0..8 {
        put(block * 512 + 510, &[1, 0]);
    }
    put(0x1E, &[1, 0]);
    for copy in [0, 4096] {
        let start = place.start as usize + copy;
        volume[start..start + 4096].copy_from_slice(&page);
    }
}

/// A layout that differs from a good one in one thing.
fn findings_with(change: impl FnOnce(&mut DiskLayout)) -> Vec<Finding> {
    let (disk, mut layout) = disk_of(vec![
        (Ntfs, windows("6.1", &seven().build()).ntfs(12, "")),
        (VolumeKind::Other, vec![0; 1 << 20]),
    ]);
    change(&mut layout);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(edits(&plan), [MSAHCI], "the other Windows is adapted all the same");
    plan.findings
}

/// What is found on which partition, a word of it, and what of the layout makes it so.
type Case = (Kind, u32, &'static str, fn(&mut DiskLayout));

#[test]
fn what_the_layout_says_is_told() {
    let cases: [Case; 6] = [
        (Kind::BitLocker, 2, "recovery key", |layout| {
            layout.contents[1].volume.label_of_kind = "BitLocker".to_owned();
        }),
        (Kind::Luks, 2, "passphrase", |layout| {
            layout.contents[1].volume.label_of_kind = "LUKS".to_owned();
        }),
        (Kind::DynamicDisk, 0, "several disks", |layout| {
            layout.contents[0].partition.as_mut().unwrap().type_code = "0x42".to_owned();
        }),
        (Kind::StorageSpaces, 0, "storage pool", |layout| {
            layout.contents[1].partition.as_mut().unwrap().type_code =
                "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D".to_owned();
        }),
        (Kind::LargeSectors, 0, "4096 bytes", |layout| layout.sector = 4096),
        (Kind::DoubtfulTable, 0, "Intel RAID", |layout| {
            layout.table.trusted = false;
            layout.table.warnings.push("a member of an Intel RAID".to_owned());
        }),
    ];
    for (kind, partition, words, change) in cases {
        let findings = findings_with(change);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!((findings[0].kind, findings[0].partition), (kind, partition));
        assert_eq!(findings[0].effect, Effect::Warning);
        assert!(findings[0].what.contains(words), "{}", findings[0].what);
    }
    assert_eq!(findings_with(|_| {}), []);
}

#[test]
fn two_systems_on_one_disk_are_both_adapted() {
    let volume = windows("6.1", &seven().build()).ntfs(12, "");
    let (disk, layout) = disk_of(vec![(Ntfs, volume.clone()), (Ntfs, volume)]);
    let plan = adapt::plan(&disk, &layout, Options::default());
    assert_eq!(edits(&plan), [MSAHCI, MSAHCI]);
    assert_eq!(
        (only(&plan).kind, only(&plan).effect),
        (Kind::SeveralSystems, Effect::Note)
    );
    assert_eq!((plan.edits[0].partition, plan.edits[1].partition), (1, 2));
    apply(&plan, &*memory(&disk)).unwrap();
}

#[test]
fn a_damaged_hive_is_refused_or_edited_but_never_more() {
    let hive = seven().build();
    let volume = windows("6.1", &hive).ntfs(12, "");
    let place = {
        let mut fs = disk::guestfs::open(Ntfs, Arc::new(volume.clone())).unwrap().unwrap();
        fs.place(SYSTEM).unwrap().data[0].clone()
    };
    let (mut refused, mut state) = (0, 1u64);
    for _ in 0..200 {
        let mut volume = volume.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Past the base block, whose checksum would give the damage away.
            let at = 4096 + (state >> 33) as usize % (hive.len() - 4096);
            volume[place.start as usize + at] ^= (state >> 16) as u8;
        }
        let (disk, layout) = disk_of(vec![(Ntfs, volume)]);
        let plan = adapt::plan(&disk, &layout, Options::default());
        if plan.findings.iter().any(|finding| finding.effect == Effect::Skip) {
            refused += 1;
            assert_eq!((&plan.edits[..], plan.bytes()), (&[][..], 0));
        } else {
            apply(&plan, &*memory(&disk)).unwrap();
        }
    }
    assert!(refused > 20, "only {refused} of 200 damaged hives were refused");
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

    let mut other = hive.clone();
    other[5000] ^= 1;
    let (.., plan) = plan_of(&windows("5.0", &hive).file("Windows/System32/config/SYSTEM.ALT", &other));
    assert_eq!((only(&plan).kind, only(&plan).effect), (Kind::Registry, Effect::Skip));
    assert!(only(&plan).what.contains("SYSTEM.ALT"));
}
