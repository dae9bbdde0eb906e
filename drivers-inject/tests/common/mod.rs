//! Makes volumes with the field's own tools and lays them out as a disk.
#![allow(dead_code, reason = "each test binary uses its own part")]

use disk::guestfs::GuestFs;
use disk::layout::{DiskLayout, PartitionContents};
use disk::partition::{Partition, PartitionTable, Scheme};
use disk::usedmap::{Volume, VolumeKind};
use disk::{ExtentSet, ReadAt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Runs a program; panics with its output, or with the Debian package that has it.
pub(crate) fn run(package: &str, program: &str, args: &[&str]) -> String {
    run_with_input(package, program, args, "")
}

/// The same with text on its standard input.
pub(crate) fn run_with_input(package: &str, program: &str, args: &[&str], input: &str) -> String {
    use std::io::Write;
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut child = Command::new(program)
        .args(args)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; it is in the Debian package {package}"));
    // A program that ends without reading its input is no error of ours; its exit code tells.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{program} {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file tree to put on a volume: paths with contents, links, folders.
pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Tree(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
        self
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        std::fs::create_dir_all(self.0.path().join(path)).unwrap();
        self
    }

    /// An ext2/3/4 volume that holds the tree.
    pub(crate) fn ext(&self, kind: &str, megabytes: u32) -> Vec<u8> {
        let image = self.image(megabytes);
        let root = self.path().to_str().unwrap();
        run(
            "e2fsprogs",
            "mke2fs",
            &["-q", "-F", "-t", kind, "-d", root, image.path().to_str().unwrap()],
        );
        std::fs::read(image.path()).unwrap()
    }

    /// A FAT volume that holds the tree.
    pub(crate) fn fat(&self, megabytes: u32) -> Vec<u8> {
        let image = self.image(megabytes);
        let name = image.path().to_str().unwrap();
        run("dosfstools", "mkfs.vfat", &[name]);
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            run("mtools", "mcopy", &["-s", "-i", name, path.to_str().unwrap(), "::"]);
        }
        std::fs::read(image.path()).unwrap()
    }

    fn image(&self, megabytes: u32) -> tempfile::NamedTempFile {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(u64::from(megabytes) << 20).unwrap();
        image
    }
}

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
    };
    let layout = DiskLayout {
        size: disk.len() as u64,
        sector: 512,
        table,
        contents,
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
