//! Cabinets made by gcab (MSZIP) and by our own LZX encoder, judged by cabextract.

use super::archive::Archive;
use super::{lzx, *};
use crate::made_drivers::{X64, X86, fake_driver};
use crate::volumes::VolumeId;
use disk::Mapping;
use disk::guestfs::{GuestFs, GuestFsError};
use disk::usedmap::VolumeKind;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Files in memory; names are found whatever their case.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn get(&self, path: &str) -> Result<&Vec<u8>, GuestFsError> {
        let not_found = || GuestFsError::NotFound(path.to_owned());
        self.0.get(&path.to_lowercase()).ok_or_else(not_found)
    }
}

impl GuestFs for Memory {
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError> {
        Ok(self.get(path)?.len() as u64)
    }
    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError> {
        Ok(self
            .get(path)?
            .iter()
            .take(usize::try_from(len).unwrap())
            .copied()
            .collect())
    }
    fn exists(&mut self, path: &str) -> bool {
        self.get(path).is_ok()
    }
    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError> {
        let start = format!("{}/", path.to_lowercase());
        let names = self
            .0
            .keys()
            .filter_map(|name| name.strip_prefix(&start)?.split('/').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.dedup();
        Ok(names)
    }
}

fn volume(files: &[(&str, Vec<u8>)]) -> MountedVolume {
    let files = files.iter().map(|(path, data)| (path.to_lowercase(), data.clone()));
    MountedVolume {
        id: VolumeId::Partition(1),
        partition: 1,
        name: None,
        kind: VolumeKind::Ntfs,
        mapping: Mapping::of_range(&(0..0)),
        read_only: None,
        bytes: Arc::new(Vec::new()),
        fs: Box::new(Memory(files.collect())),
    }
}

/// A file with much that repeats, near and far, calls, and noise.
fn code(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut data: Vec<u8> = Vec::new();
    while data.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = usize::try_from(state >> 8).unwrap();
        match number % 7 {
            0 => data.extend([&[0xE8][..], &(state % 70_000).to_le_bytes()].concat()),
            1 => data.extend(vec![u8::try_from(number % 251).unwrap(); number % 300]),
            2 | 3 if data.len() > 1000 => {
                let from = number % (data.len() - 600);
                data.extend_from_within(from..from + number % 600);
            }
            4 => data.extend(b"a sequence of words that comes again and again "),
            _ => data.extend(state.to_le_bytes()),
        }
    }
    data.truncate(len);
    data
}

/// What cabextract takes out of a cabinet.
fn cabextract(cabinet: &[u8], name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cab");
    std::fs::write(&path, cabinet).unwrap();
    let mut command = Command::new("cabextract");
    command.arg("-q").arg("-d").arg(folder.path()).arg(&path);
    run("cabextract", &mut command);
    std::fs::read(folder.path().join(name)).unwrap()
}

fn run(package: &str, command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; it is in the Debian package {package}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn lzx_is_read_as_cabextract_reads_it() {
    for (window, block, calls) in [
        (21, 1 << 20, true),
        (21, 50_001, true),
        (15, 7001, false),
        (18, 40_000, true),
        (21, 32_768, false),
    ] {
        let files = [
            ("first.sys", code(1, 1111)),
            ("INTELIDE.SYS", code(2, 300_007)),
            ("last.sys", code(3, 65_537)),
        ];
        let cabinet = lzx::cabinet(&files, window, block, calls);
        let whole: usize = files.iter().map(|(_, data)| data.len()).sum();
        assert!(
            cabinet.len() < whole || block < 10_000,
            "nothing was compressed: {}",
            cabinet.len()
        );
        let mut archive = Archive::open(cabinet.clone()).unwrap();
        for (name, data) in &files {
            assert!(
                cabextract(&cabinet, name) == *data,
                "cabextract {name} {window} {block}"
            );
            let read = archive.read(&name.to_lowercase(), 1 << 20).unwrap().unwrap();
            assert!(read == *data, "{name} {window} {block}");
        }
        assert_eq!(archive.read("none.sys", 1 << 20), Ok(None));
        assert!(archive.read("first.sys", 1110).unwrap_err().contains("1111 bytes"));
    }
}

#[test]
fn cabinets_of_gcab_are_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("atapi.sys"), code(1, 200_000)).unwrap();
    std::fs::write(folder.path().join("pciide.sys"), code(2, 3000)).unwrap();
    for option in ["-cz", "-c"] {
        let mut gcab = Command::new("gcab");
        gcab.current_dir(folder.path())
            .args([option, "-n", "x.cab", "atapi.sys", "pciide.sys"]);
        run("gcab", &mut gcab);
        let mut archive = Archive::open(std::fs::read(folder.path().join("x.cab")).unwrap()).unwrap();
        assert!(archive.read("pciide.sys", 1 << 20).unwrap().unwrap() == code(2, 3000));
        assert!(archive.read("ATAPI.sys", 1 << 20).unwrap().unwrap() == code(1, 200_000));
        std::fs::remove_file(folder.path().join("x.cab")).unwrap();
    }
    assert!(!Path::new("x.cab").exists());
}

#[test]
fn the_newest_source_with_a_usable_file_wins() {
    let driver = |machine, text: &str| fake_driver(machine, text.as_bytes(), 0);
    let mut damaged = driver(X86, "damaged");
    damaged[0x1F0] ^= 1;
    let sp2 = lzx::cabinet(
        &[
            ("atapi.sys", driver(X86, "sp2")),
            ("intelide.sys", damaged),
            ("pciide.sys", driver(X64, "wrong")),
        ],
        21,
        1 << 20,
        true,
    );
    let oldest = lzx::cabinet(
        &[
            ("atapi.sys", driver(X86, "old")),
            ("intelide.sys", driver(X86, "old")),
            ("pciidex.sys", driver(X86, "old")),
        ],
        21,
        1 << 20,
        true,
    );
    let mut volume = volume(&[
        ("WINDOWS/ServicePackFiles/i386/disk.sys", driver(X86, "plain")),
        (
            "WINDOWS/ServicePackFiles/i386/pciidex.sy_",
            lzx::stored(&[("pciidex.sys", driver(X86, "packed"))]),
        ),
        (
            "WINDOWS/ServicePackFiles/i386/isapnp.sy_",
            b"SZDD\x88\xF0\x27\x33A".to_vec(),
        ),
        ("WINDOWS/Driver Cache/i386/sp2.cab", sp2),
        ("WINDOWS/Driver Cache/i386/sp3.cab", b"MSCF but not really".to_vec()),
        ("WINDOWS/Driver Cache/i386/driver.cab", oldest),
    ]);
    let names = [
        "atapi.sys",
        "intelide.sys",
        "pciide.sys",
        "pciidex.sys",
        "disk.sys",
        "isapnp.sys",
    ];
    let found = find(&mut volume, "WINDOWS", &names, "x86");
    let expect = |name: &str, text: &str, origin: &str| {
        let found = found[name].as_ref().unwrap();
        assert_eq!((&found.bytes, &found.origin[..]), (&driver(X86, text), origin));
    };
    expect("atapi.sys", "sp2", "WINDOWS/Driver Cache/i386/sp2.cab");
    expect("intelide.sys", "old", "WINDOWS/Driver Cache/i386/driver.cab");
    expect("pciidex.sys", "packed", "WINDOWS/ServicePackFiles/i386/pciidex.sy_");
    expect("disk.sys", "plain", "WINDOWS/ServicePackFiles/i386/disk.sys");
    let missing = found["pciide.sys"].as_ref().unwrap_err().to_string();
    assert!(
        missing.contains("sp3.cab: it cannot be read") && missing.contains("it is for x86_64, not x86"),
        "{missing}"
    );
    let missing = found["isapnp.sys"].as_ref().unwrap_err().to_string();
    assert!(missing.contains("MS-DOS"), "{missing}");
}

#[test]
fn the_newest_package_of_the_driver_store_wins() {
    let driver = |machine, version| fake_driver(machine, b"", version);
    const STORE: &str = "Windows/System32/DriverStore/FileRepository";
    let path = |package: &str| format!("{STORE}/{package}/intelide.sys");
    let files = [
        (path("mshdc.inf_amd64_neutral_1"), driver(X64, 0x6_0001_1DB1_0000)),
        (path("mshdc.inf_amd64_neutral_2"), driver(X64, 0x6_0001_1DB1_4001)),
        (path("mshdc.inf_amd64_neutral_3"), driver(X64, 0x6_0001_1DB0_FFFF)),
        (path("mshdc.inf_x86_neutral_4"), driver(X86, 0x7_0000_0000_0000)),
        (path("other.inf_amd64_5"), driver(X64, 0x8_0000_0000_0000)),
    ];
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(path, data)| (&path[..], data.clone())).collect();
    let found = find(&mut volume(&files), "Windows", &["intelide.sys", "none.sys"], "x86_64");
    assert!(found["intelide.sys"].as_ref().unwrap().origin.contains("neutral_2"));
    assert_eq!(
        found["none.sys"].as_ref().unwrap_err().to_string(),
        "this Windows keeps no usable none.sys"
    );
}

proptest! {
    /// Whatever a cabinet says, there is an answer.
    #[test]
    fn damaged_cabinets_give_errors(lzx: bool, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let files = [("a.sys", code(1, 40_000)), ("b.sys", code(2, 30_000))];
        let mut cabinet = if lzx { lzx::cabinet(&files, 16, 20_001, true) } else { lzx::stored(&files) };
        for (at, value) in changes {
            // Half of the changes in the headers.
            let at = if value % 2 == 0 { at.index(cabinet.len()) } else { at.index(100) };
            cabinet[at] = value;
        }
        cabinet.truncate(cabinet.len() - cut.index(cabinet.len()) / 50);
        if let Ok(mut archive) = Archive::open(cabinet) {
            for name in ["a.sys", "b.sys"] {
                if let Ok(Some(bytes)) = archive.read(name, 1 << 20) {
                    prop_assert!(bytes.len() <= 1 << 20);
                }
            }
        }
    }
}
