//! Windows systems on made NTFS and FAT volumes, with hives made by libhivex.

mod common;

use common::hives::{self, NewHive, utf16};
use common::{Tree, disk_of};
use disk::usedmap::VolumeKind::{Fat, Ntfs};
use drivers_inject::{Family, System, inspect};

const CURRENT: &str = r"Microsoft\Windows NT\CurrentVersion";

fn software_xp() -> NewHive {
    NewHive::new()
        .string(CURRENT, "ProductName", "Microsoft Windows XP")
        .string(CURRENT, "CurrentVersion", "5.1")
        .string(CURRENT, "CurrentBuild", "1.511.1 () (Obsolete data - do not use)")
        .string(CURRENT, "CurrentBuildNumber", "2600")
        .string(CURRENT, "CSDVersion", "Service Pack 3")
}

fn system_xp() -> NewHive {
    NewHive::new()
        .number("Select", "Current", 2)
        .string(
            r"ControlSet001\Control\ComputerName\ComputerName",
            "ComputerName",
            "WRONG",
        )
        .string(
            r"ControlSet002\Control\ComputerName\ComputerName",
            "ComputerName",
            "GRANDPA",
        )
        .string(
            r"ControlSet002\Control\Session Manager\Environment",
            "PROCESSOR_ARCHITECTURE",
            "x86",
        )
        .string(r"ControlSet002\Control\ProductOptions", "ProductType", "WinNT")
}

fn software_10(build: &str) -> NewHive {
    NewHive::new()
        .string(CURRENT, "ProductName", "Windows 10 Pro")
        .string(CURRENT, "CurrentVersion", "6.3")
        .number(CURRENT, "CurrentMajorVersionNumber", 10)
        .number(CURRENT, "CurrentMinorVersionNumber", 0)
        .string(CURRENT, "CurrentBuildNumber", build)
        .number(CURRENT, "UBR", 3803)
        .string(CURRENT, "EditionID", "Professional")
        .string(CURRENT, "ReleaseId", "2009")
        .string(CURRENT, "DisplayVersion", "22H2")
}

fn system_10() -> NewHive {
    NewHive::new()
        .number("Select", "Current", 1)
        .string(
            r"ControlSet001\Control\ComputerName\ComputerName",
            "ComputerName",
            "DESKTOP-1",
        )
        .number(r"ControlSet001\Control\TimeZoneInformation", "RealTimeIsUniversal", 1)
        .string(
            r"ControlSet001\Control\Session Manager\Environment",
            "PROCESSOR_ARCHITECTURE",
            "AMD64",
        )
        .number(r"ControlSet001\Control\Session Manager\Power", "HiberbootEnabled", 1)
}

fn windows(folder: &str, software: &NewHive, system: &NewHive) -> Tree {
    Tree::new()
        .file(&format!("{folder}/System32/config/SOFTWARE"), software.build())
        .file(&format!("{folder}/System32/config/SYSTEM"), system.build())
}

fn only_system(kind: disk::usedmap::VolumeKind, volume: Vec<u8>) -> System {
    let (disk, layout) = disk_of(vec![(kind, volume)]);
    let mut systems = inspect(&disk, &layout).systems;
    assert_eq!(systems.len(), 1, "{systems:?}");
    systems.remove(0)
}

#[test]
fn windows_xp_on_ntfs() {
    let system = only_system(Ntfs, windows("WINDOWS", &software_xp(), &system_xp()).ntfs(8, ""));
    let expected = System {
        family: Family::Windows,
        name: "Windows XP Professional Service Pack 3".to_owned(),
        version: Some("5.1.2600".to_owned()),
        edition: Some("Professional".to_owned()),
        architecture: Some("x86".to_owned()),
        hostname: Some("GRANDPA".to_owned()),
        rtc_utc: Some(false),
        partition: 1,
        volume: None,
        notes: Vec::new(),
    };
    assert_eq!(system, expected);
}

#[test]
fn windows_xp_home_on_fat_is_no_dos() {
    let suite = [utf16("Personal"), vec![0, 0]].concat();
    let hive = system_xp().value(r"ControlSet002\Control\ProductOptions", "ProductSuite", 7, &suite);
    let tree = windows("windows", &software_xp(), &hive)
        .file("IO.SYS", "")
        .file("MSDOS.SYS", "")
        .file("boot.ini", "[boot loader]\r\n");
    let system = only_system(Fat, tree.fat(16));
    assert_eq!(system.name, "Windows XP Home Edition Service Pack 3");
    assert_eq!(system.edition.as_deref(), Some("Home Edition"));
}

#[test]
fn windows_10_with_a_saved_session() {
    let tree = windows("Windows", &software_10("19045"), &system_10()).file("hiberfil.sys", b"HIBR and more");
    let system = only_system(Ntfs, tree.ntfs(8, ""));
    assert_eq!(system.name, "Windows 10 Pro 22H2");
    assert_eq!(system.version.as_deref(), Some("10.0.19045.3803"));
    assert_eq!(system.edition.as_deref(), Some("Professional"));
    assert_eq!(system.architecture.as_deref(), Some("x86_64"));
    assert_eq!(system.rtc_utc, Some(true));
    assert_eq!(system.notes.len(), 1, "{:?}", system.notes);
    assert!(system.notes[0].contains("Fast Startup"));
}

#[test]
fn windows_11_is_told_by_its_build() {
    let system = only_system(
        Ntfs,
        windows("Windows", &software_10("22631"), &system_10()).ntfs(8, ""),
    );
    assert_eq!(system.name, "Windows 11 Pro 22H2");
}

#[test]
fn two_systems_on_one_disk_in_folders_of_any_name() {
    let two_thousand = NewHive::new()
        .string(CURRENT, "ProductName", "Microsoft Windows 2000")
        .string(CURRENT, "CurrentVersion", "5.0")
        .string(CURRENT, "CurrentBuildNumber", "2195");
    let boot =
        "[operating systems]\r\nmulti(0)disk(0)rdisk(0)partition(2)\\Systems\\W2K=\"Windows 2000\" /fastdetect\r\n";
    let first = windows("XP-Neu", &software_xp(), &system_xp()).file("BOOT.INI", boot);
    let second = windows("Systems/W2K", &two_thousand, &system_xp());
    let (disk, layout) = disk_of(vec![(Ntfs, first.ntfs(8, "")), (Ntfs, second.ntfs(8, ""))]);
    let systems = inspect(&disk, &layout).systems;
    let names: Vec<_> = systems
        .iter()
        .map(|system| (system.partition, system.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (1, "Windows XP Professional Service Pack 3"),
            (2, "Windows 2000 Professional")
        ]
    );
}

#[test]
fn the_hibernation_file_of_a_separate_boot_volume_counts() {
    let boot = Tree::new().file("ntldr", "x").file("hiberfil.sys", "hibr");
    let windows = windows("WINDOWS", &software_xp(), &system_xp());
    let (disk, layout) = disk_of(vec![(Ntfs, boot.ntfs(4, "")), (Ntfs, windows.ntfs(8, ""))]);
    let systems = inspect(&disk, &layout).systems;
    assert_eq!(systems.len(), 1);
    assert!(systems[0].notes[0].starts_with("hibernated"), "{:?}", systems[0].notes);
}

#[test]
fn a_damaged_registry_is_noted_and_the_system_still_found() {
    let mut dirty = system_xp().build();
    dirty[4] ^= 1;
    hives::fix_checksum(&mut dirty);
    let kernel = {
        let mut bytes = vec![0; 0x80];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x40;
        bytes[0x40..0x46].copy_from_slice(b"PE\0\0\x64\x86");
        bytes
    };
    let tree = Tree::new()
        .file("WINDOWS/system32/config/SOFTWARE", "not a hive")
        .file("WINDOWS/system32/config/SYSTEM", &dirty);
    let system = only_system(Ntfs, tree.ntfs(8, ""));
    assert_eq!(system.name, "Windows");
    assert_eq!(system.hostname.as_deref(), Some("GRANDPA"));
    assert_eq!(system.notes.len(), 2, "{:?}", system.notes);

    let tree = Tree::new()
        .file("WINDOWS/system32/config/SYSTEM", "")
        .file("WINDOWS/system32/ntoskrnl.exe", kernel);
    let system = only_system(Ntfs, tree.ntfs(8, ""));
    assert_eq!(system.architecture.as_deref(), Some("x86_64"));
    assert_eq!(system.rtc_utc, None);
}

#[test]
fn a_compressed_hive_is_noted() {
    let tree = Tree::new()
        .file("Windows/System32/config/SOFTWARE", software_xp().build())
        .file("Windows/System32/config/SYSTEM", system_xp().build());
    // Files inherit FILE_ATTRIBUTE_COMPRESSED from their folder.
    let compress = r#"mkdir -p Windows/System32/config
        /usr/bin/python3 -c 'import os
os.setxattr("Windows/System32/config", "system.ntfs_attrib_be", bytes([0, 0, 8, 0]))'"#;
    let system = only_system(Ntfs, tree.ntfs(8, compress));
    assert!(system.notes[0].contains("LZNT1"), "{:?}", system.notes);
}
