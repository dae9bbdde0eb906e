//! Partition tables against `sfdisk`.
#![allow(missing_docs)]

use disk::partition::{Partition, PartitionTable, Scheme, read_table};
use disk::source::Source;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

const MIB: u64 = 1 << 20;

/// An image of `size` bytes that `sfdisk` divided as `script` says.
fn divided(size: u64, script: &str) -> NamedTempFile {
    let image = NamedTempFile::new().unwrap();
    image.as_file().set_len(size).unwrap();
    let mut sfdisk = Command::new("sfdisk")
        .arg("--quiet")
        .arg(image.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("sfdisk is needed: install the Debian package fdisk");
    sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success(), "sfdisk {script}");
    image
}

/// Number, start and size in sectors, and type of every partition.
fn ours(table: &PartitionTable, sector: u64) -> Vec<(u32, u64, u64, String)> {
    let line = |p: &Partition| {
        let size = (p.range.end - p.range.start) / sector;
        (p.number, p.range.start / sector, size, p.type_code.clone())
    };
    table.partitions.iter().map(line).collect()
}

/// The same from `sfdisk --dump`, whose lines are `NAME1 : start= 2048, size= 4096, type=83`.
fn theirs(image: &Path) -> Vec<(u32, u64, u64, String)> {
    let out = Command::new("sfdisk").arg("--dump").arg(image).output().unwrap();
    assert!(out.status.success());
    let name = image.to_str().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .filter_map(|line| {
            let (number, rest) = line.strip_prefix(name)?.split_once(':')?;
            let field = |key: &str| {
                let mut fields = rest.split(',');
                fields
                    .find_map(|field| field.trim().strip_prefix(key))
                    .unwrap()
                    .trim()
                    .to_owned()
            };
            let mut kind = field("type=");
            if kind.len() < 3 {
                kind = format!("0x{kind:0>2}");
            }
            // A name that ends in a digit gets a `p` before the number.
            let number = number.trim().trim_start_matches('p').parse().unwrap();
            Some((
                number,
                field("start=").parse().unwrap(),
                field("size=").parse().unwrap(),
                kind,
            ))
        })
        .collect()
}

fn read(image: &Path) -> PartitionTable {
    let source = Source::open(image).unwrap();
    read_table(&source, source.info().logical_sector).unwrap()
}

fn agrees(script: &str, scheme: Scheme) -> PartitionTable {
    let image = divided(256 * MIB, script);
    let table = read(image.path());
    assert_eq!(ours(&table, 512), theirs(image.path()), "{script}");
    assert_eq!(table.scheme, scheme);
    assert!(table.trusted, "{:?}", table.warnings);
    assert_eq!(table.warnings, Vec::<String>::new());
    table
}

#[test]
fn mbr_with_logical_partitions_is_as_sfdisk_says() {
    let table = agrees(
        "label: dos\nlabel-id: 0x1234abcd\n,20M,83,*\n,30M,7\n,150M,f\n,10M,82\n,20M,83\n,30M,c\n,5M,6\n",
        Scheme::Mbr,
    );
    assert_eq!(table.disk_id.as_deref(), Some("1234abcd"));
    assert_eq!(table.partitions.len(), 7);
    assert!(table.partitions[0].bootable && !table.partitions[1].bootable);
    assert!(table.partitions[2].container);
}

#[test]
fn mbr_without_partitions_and_with_primaries_only() {
    agrees("label: dos\n", Scheme::Mbr);
    agrees("label: dos\n,20M\n,20M\n,20M\n,20M\n", Scheme::Mbr);
    // An extended partition without anything in it.
    agrees("label: dos\n,20M\n,20M,5\n", Scheme::Mbr);
}

#[test]
fn gpt_is_as_sfdisk_says() {
    let table = agrees(
        "label: gpt\nlabel-id: 6F1A6B0B-9B6F-4C0C-A2CB-5B4D1C9E1234\n,20M,U,*\nsize=30M,type=L,name=\"Döner 2\"\n\
         size=40M,type=S,attrs=LegacyBIOSBootable\n",
        Scheme::Gpt,
    );
    assert_eq!(table.disk_id.as_deref(), Some("6F1A6B0B-9B6F-4C0C-A2CB-5B4D1C9E1234"));
    assert_eq!(table.partitions[1].name.as_deref(), Some("Döner 2"));
    assert!(table.partitions[2].bootable);
    assert_eq!(table.partitions[0].type_name, Some("EFI system"));
}

const GPT: &str = "label: gpt\n,20M\n,30M\n";

fn overwrite(image: &File, offset: u64, bytes: &[u8]) {
    image.write_all_at(bytes, offset).unwrap();
}

#[test]
fn a_damaged_gpt_is_read_from_its_other_copy() {
    // In the header, in the entries.
    for offset in [512 + 60, 1024 + 40] {
        let image = divided(256 * MIB, GPT);
        let whole = read(image.path());
        overwrite(image.as_file(), offset, b"?");
        let table = read(image.path());
        assert_eq!(table.partitions, whole.partitions);
        assert!(table.trusted);
        assert_eq!(table.warnings.len(), 1, "{:?}", table.warnings);

        overwrite(image.as_file(), 256 * MIB - 512 + 60, b"?");
        let table = read(image.path());
        assert!(!table.trusted);
        assert_eq!((table.scheme, table.partitions.len()), (Scheme::Gpt, 0));
    }
}

#[test]
fn a_damaged_backup_and_a_grown_disk_are_reported() {
    let image = divided(256 * MIB, GPT);
    overwrite(image.as_file(), 256 * MIB - 512, &[0; 512]);
    let table = read(image.path());
    assert!(table.trusted && table.partitions.len() == 2);
    assert_eq!(table.warnings, ["the backup of the GUID partition table is missing"]);

    let image = divided(256 * MIB, GPT);
    image.as_file().set_len(300 * MIB).unwrap();
    let table = read(image.path());
    assert!(table.trusted && table.partitions.len() == 2);
    assert!(table.warnings[0].contains("grown"), "{:?}", table.warnings);
}

#[test]
fn a_chain_that_runs_in_a_circle_ends() {
    let image = divided(256 * MIB, "label: dos\n1:size=200M,type=5\n5:size=20M\n6:size=20M\n");
    let table = read(image.path());
    // sfdisk puts each record one MiB before its partition. The second one now points back to the first.
    let second = table.partitions[2].range.start - MIB;
    let mut link = [0; 16];
    link[4] = 5;
    link[12..].copy_from_slice(&4096u32.to_le_bytes());
    overwrite(image.as_file(), second + 446 + 16, &link);
    let table = read(image.path());
    assert!(!table.trusted);
    assert!(table.warnings[0].contains("circle"), "{:?}", table.warnings);
    assert_eq!(table.partitions.len(), 3);
}

/// `sfdisk` takes the sector size from the device; the crates write tables for any.
#[test]
fn tables_of_disks_with_4096_byte_sectors() {
    let image = NamedTempFile::new().unwrap();
    image.as_file().set_len(256 * MIB).unwrap();
    let mut file = image.reopen().unwrap();
    let protective = gpt::mbr::ProtectiveMBR::with_lb_size((256 * MIB / 4096 - 1) as u32);
    protective.overwrite_lba0(&mut file).unwrap();
    let config = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(gpt::disk::LogicalBlockSize::Lb4096);
    let mut disk = config.create_from_device(file, None).unwrap();
    disk.add_partition("one", 20 * MIB, gpt::partition_types::LINUX_FS, 0, Some(256))
        .unwrap();
    disk.add_partition("two", 30 * MIB, gpt::partition_types::BASIC, 0, Some(256))
        .unwrap();
    let expected: Vec<_> = disk
        .partitions()
        .values()
        .map(|p| p.first_lba * 4096..(p.last_lba + 1) * 4096)
        .collect();
    disk.write().unwrap();
    let source = Source::open(image.path()).unwrap();
    assert_eq!(source.info().logical_sector, 4096);
    let table = read_table(&source, 4096).unwrap();
    assert!(table.trusted && table.warnings.is_empty(), "{:?}", table.warnings);
    assert_eq!(
        table.partitions.iter().map(|p| p.range.clone()).collect::<Vec<_>>(),
        expected
    );
    // Seen through an enclosure that has other sectors: readable, but not to be relied on.
    let table = read_table(&source, 512).unwrap();
    assert_eq!((table.partitions.len(), table.trusted), (2, false));

    let mut mbr = mbrman::MBR::new_from(&mut image.reopen().unwrap(), 4096, [1, 2, 3, 4]).unwrap();
    let entry = |sys, starting_lba, sectors| mbrman::MBRPartitionEntry {
        boot: 0,
        first_chs: mbrman::CHS::empty(),
        sys,
        last_chs: mbrman::CHS::empty(),
        starting_lba,
        sectors,
    };
    mbr[1] = entry(0x83, 256, 1000);
    mbr[2] = entry(0x0F, 2048, 20000);
    mbr.align = 1;
    mbr.push(0x07, 2048, 500).unwrap();
    mbr.push(0x83, 4096, 600).unwrap();
    mbr.write_into(&mut image.reopen().unwrap()).unwrap();
    let table = read_table(&source, 4096).unwrap();
    let starts: Vec<_> = ours(&table, 4096)
        .into_iter()
        .map(|(number, start, size, _)| (number, start, size))
        .collect();
    let expected: Vec<_> = mbr
        .iter()
        .filter(|(_, p)| p.is_used())
        .map(|(number, p)| (number as u32, u64::from(p.starting_lba), u64::from(p.sectors)))
        .collect();
    assert_eq!(starts, expected);
    assert_eq!(starts.len(), 4);
}
