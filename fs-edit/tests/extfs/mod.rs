//! Volumes made by `mke2fs`, and their judges: `e2fsck` and `debugfs`.
#![allow(dead_code, unreachable_pub)]

use disk::scratch::Scratch;
use disk::source::Source;
use disk::usedmap::VolumeKind;
use fs_edit::{Editor, FsEditError};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

pub const MIB: u64 = 1 << 20;

/// The filesystems that old PCs have, and some that they could have: name and arguments of `mke2fs`.
pub const MATRIX: &[(&str, &str)] = &[
    ("ext2", "-t ext2"),
    ("ext2 revision 0", "-t ext2 -r 0 -O none -b 1024"),
    ("ext3", "-t ext3"),
    ("ext3 of 1 KiB blocks, inodes of 128 bytes", "-t ext3 -b 1024 -I 128"),
    ("ext4", "-t ext4"),
    ("ext4 of 1 KiB blocks", "-t ext4 -b 1024"),
    (
        "ext4 with 64bit and checksums",
        "-t ext4 -b 4096 -O 64bit,metadata_csum,metadata_csum_seed",
    ),
    ("ext4 without checksums", "-t ext4 -O ^metadata_csum,^64bit,uninit_bg"),
    ("ext4 with an orphan file", "-t ext4 -O orphan_file"),
    ("ext4 with bigalloc", "-t ext4 -O bigalloc -C 65536"),
    ("ext4 with inline data", "-t ext4 -O inline_data -I 256"),
    ("ext4 with meta_bg", "-t ext4 -b 1024 -O meta_bg,^resize_inode"),
    ("ext4 of 64 KiB blocks", "-t ext4 -b 65536 -F"),
];

/// Runs a command; the error is that the tool is not there.
pub fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: install the Debian package e2fsprogs"))
}

/// Runs a command that must succeed; what it printed.
pub fn run(command: &mut Command) -> String {
    let out = output(command);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}: {text}{errors}");
    text
}

/// An image with a filesystem from its first byte.
pub struct Image {
    pub folder: TempDir,
    pub path: PathBuf,
}

impl Image {
    /// `mke2fs` with `arguments`, and the files below `tree`.
    pub fn new(arguments: &str, size: u64, tree: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        File::create(&path).unwrap().set_len(size).unwrap();
        let mut command = Command::new("mke2fs");
        command.arg("-q").args(arguments.split_whitespace());
        run(command.arg("-d").arg(tree).arg(&path));
        Image { folder, path }
    }

    pub fn size(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len()
    }

    /// A disk in memory that has this image below.
    pub fn scratch(&self) -> Arc<Scratch> {
        Arc::new(Scratch::new(Arc::new(Source::open(&self.path).unwrap()), 256 * MIB))
    }

    pub fn open(&self, scratch: &Arc<Scratch>) -> Result<Box<dyn Editor>, FsEditError> {
        open(scratch, 0..self.size())
    }

    /// Puts what was changed into the image.
    pub fn apply(&self, scratch: &Scratch) {
        let file = File::options().write(true).open(&self.path).unwrap();
        for change in scratch.changes().unwrap() {
            file.write_all_at(&change.after, change.offset).unwrap();
        }
    }

    /// Changes files, and puts the result into the image.
    pub fn edit(&self, change: impl FnOnce(&mut dyn Editor)) {
        let scratch = self.scratch();
        let mut editor = self.open(&scratch).unwrap();
        change(&mut *editor);
        editor.finish().unwrap();
        self.apply(&scratch);
    }

    /// What `e2fsck -fn` says; `None` if it has nothing to complain of.
    pub fn complaint(&self) -> Option<String> {
        let out = output(Command::new("e2fsck").arg("-fn").arg(&self.path));
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        (out.status.code() != Some(0)).then(|| text.chars().take(4000).collect())
    }

    /// `debugfs` with a command that only reads.
    pub fn debugfs(&self, request: &str) -> String {
        run(Command::new("debugfs").arg("-R").arg(request).arg(&self.path))
    }

    /// `debugfs` with commands that change the image.
    pub fn change(&self, requests: &str) {
        let script = self.folder.path().join("script");
        // It cuts longer lines in two without a word.
        assert!(requests.lines().all(|line| line.len() < 250));
        std::fs::write(&script, requests).unwrap();
        let mut command = Command::new("debugfs");
        command.current_dir(self.folder.path()).arg("-w").arg("-f").arg(&script);
        run(command.arg(&self.path));
    }

    /// A file's contents, by `debugfs`.
    pub fn dump(&self, path: &str) -> Vec<u8> {
        let out = self.folder.path().join("dump");
        let _ = std::fs::remove_file(&out);
        self.debugfs(&format!("dump \"{path}\" {}", out.display()));
        let mut data = std::fs::read(&out).unwrap_or_else(|error| panic!("debugfs does not find {path}: {error}"));
        // For inline data it writes all the room that there is for them.
        let stat = self.debugfs(&format!("stat \"{path}\""));
        let size = stat
            .split("Size: ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        data.truncate(size.unwrap().parse().unwrap());
        data
    }

    pub fn has(&self, path: &str) -> bool {
        let out = output(
            Command::new("debugfs")
                .arg("-R")
                .arg(format!("stat \"{path}\""))
                .arg(&self.path),
        );
        !String::from_utf8_lossy(&out.stderr).contains("File not found")
    }
}

pub fn open(scratch: &Arc<Scratch>, range: Range<u64>) -> Result<Box<dyn Editor>, FsEditError> {
    fs_edit::open(VolumeKind::Ext, Arc::clone(scratch) as _, range)
}

/// Bytes that are nowhere alike.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect()
}
