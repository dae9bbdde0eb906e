//! Lays volumes out as a disk.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

pub(crate) mod hives;
pub(crate) mod model;
#[path = "../../../disk/tests/volumes/mod.rs"]
pub(crate) mod volumes;
pub(crate) mod windows;

use disk::guestfs::GuestFs;
use disk::layout::{DiskLayout, PartitionContents};
use disk::partition::{Partition, PartitionTable, Scheme};
use disk::usedmap::{Volume, VolumeKind};
use disk::{ExtentSet, ReadAt};
use std::sync::Arc;

pub(crate) use volumes::Tree;

/// A disk with these volumes one after the other, numbered from 1.
pub(crate) fn disk_of(volumes: Vec<(VolumeKind, Vec<u8>)>) -> (Arc<dyn ReadAt>, DiskLayout) {
    let mut disk = vec![0; 1 << 20];
    let mut partitions = Vec::new();
    let mut contents = Vec::new();
    for ((kind, bytes), number) in volumes.into_iter().zip(1..) {
        let start = disk.len() as u64;
        disk.extend(&bytes);
        let partition = Partition {
            number,
            range: start..disk.len() as u64,
            type_code: "0x83".to_owned(),
            type_name: None,
            name: None,
            guid: None,
            bootable: false,
            container: false,
        };
        partitions.push(partition.clone());
        contents.push(PartitionContents {
            partition: Some(partition),
            start,
            size: bytes.len() as u64,
            volume: volume(kind),
        });
    }
    let table = PartitionTable {
        scheme: Scheme::Mbr,
        disk_id: None,
        partitions,
        warnings: Vec::new(),
        trusted: true,
        raid: None,
    };
    let layout = DiskLayout {
        size: disk.len() as u64,
        sector: 512,
        table,
        contents,
        physical: Vec::new(),
        logical: Vec::new(),
        used: ExtentSet::from_range(0..disk.len() as u64),
    };
    (Arc::new(disk), layout)
}

fn volume(kind: VolumeKind) -> Volume {
    Volume {
        kind,
        label_of_kind: String::new(),
        label: None,
        uuid: None,
        last_mounted: None,
        block_size: None,
        used: ExtentSet::new(),
        notes: Vec::new(),
        mapped: false,
    }
}

/// Opens a volume on its own.
pub(crate) fn open(kind: VolumeKind, bytes: Vec<u8>) -> Box<dyn GuestFs> {
    disk::guestfs::open(kind, Arc::new(bytes)).unwrap().unwrap()
}
