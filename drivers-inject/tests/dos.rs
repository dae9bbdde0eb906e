//! DOS and Windows 9x on made FAT volumes.

mod common;

use common::{Tree, disk_of};
use disk::usedmap::VolumeKind::Fat;
use drivers_inject::{Family, inspect};

/// The name of the only system on a FAT volume with this tree.
fn name_of(tree: &Tree) -> Option<String> {
    let (disk, layout) = disk_of(vec![(Fat, tree.fat(16))]);
    let mut systems = inspect(&disk, &layout).systems;
    assert!(systems.len() <= 1, "{systems:?}");
    let system = systems.pop()?;
    assert_eq!(system.family, Family::Dos);
    Some(system.name)
}

fn windows_9x(version: &str) -> Tree {
    let text = format!("[Paths]\r\nWinDir=C:\\WINDOWS\r\n[Options]\r\nWinVer={version}\r\n");
    Tree::new()
        .file("IO.SYS", "x")
        .file("MSDOS.SYS", text)
        .file("COMMAND.COM", "x")
}

#[test]
fn windows_9x_is_told_by_msdos_sys() {
    let cases = [
        ("4.00.0950", "Windows 95"),
        ("4.00.1111", "Windows 95 OSR2"),
        ("4.10.1998", "Windows 98"),
        ("4.10.2222", "Windows 98 Second Edition"),
        ("4.90.3000", "Windows Me"),
        ("", "Windows 95, 98 or Me"),
    ];
    for (version, name) in cases {
        assert_eq!(name_of(&windows_9x(version)).as_deref(), Some(name));
    }
}

#[test]
fn ms_dos_is_told_by_command_com() {
    let shell = b"\xe9..MS DOS Version 6.22 (C)Copyright 1981-1994 Microsoft Corp";
    let dos = || {
        Tree::new()
            .file("IO.SYS", "x")
            .file("MSDOS.SYS", b"\xe9\x00\x01")
            .file("COMMAND.COM", shell)
    };
    assert_eq!(name_of(&dos()).as_deref(), Some("MS-DOS 6.22"));
    let windows = dos()
        .file("WINDOWS/WIN.COM", "x")
        .file("WINDOWS/PROGMAN.EXE", "x")
        .file("WINDOWS/WIN.INI", "[windows]");
    assert_eq!(name_of(&windows).as_deref(), Some("MS-DOS 6.22 with Windows 3.x"));
}

#[test]
fn freedos_and_pc_dos_are_told_by_their_kernels() {
    let free = Tree::new()
        .file("KERNEL.SYS", "x")
        .file("FDCONFIG.SYS", "x")
        .file("FDOS/VERSION.FDI", "PLATFORM=FreeDOS\r\nVERSION=1.3\r\n");
    assert_eq!(name_of(&free).as_deref(), Some("FreeDOS 1.3"));
    let pc = Tree::new().file("IBMBIO.COM", "x").file("IBMDOS.COM", "x");
    assert_eq!(name_of(&pc).as_deref(), Some("PC DOS"));
}

#[test]
fn a_stick_with_files_is_no_system() {
    assert_eq!(
        name_of(&Tree::new().file("Photos/IO.SYS", "x").file("COMMAND.COM", "x")),
        None
    );
}
