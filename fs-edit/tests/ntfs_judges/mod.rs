//! Judges of NTFS volumes that are not ours: the ntfs-3g programs, and a mount by ntfs-3g.
#![allow(dead_code, reason = "each test binary uses its own part")]

use super::volumes::run;
use disk::ReadAt;
use disk::scratch::Scratch;
use disk::usedmap::VolumeKind;
use fs_edit::{Editor, FsEditError};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// What lies on the disk before and behind the volume, in bytes.
pub(crate) const BEFORE: usize = 1 << 20;
const BEHIND: usize = 300 << 10;
const OTHER: u8 = 0xE7;

/// A disk with a volume somewhere on it.
pub(crate) struct Disk {
    pub(crate) scratch: Arc<Scratch>,
    size: usize,
}

impl Disk {
    pub(crate) fn new(volume: &[u8]) -> Self {
        Self::with_limit(volume, 256 << 20)
    }

    /// At most `limit` bytes can be changed.
    pub(crate) fn with_limit(volume: &[u8], limit: u64) -> Self {
        let disk = [&[OTHER; BEFORE], volume, &[OTHER; BEHIND]].concat();
        Disk {
            scratch: Arc::new(Scratch::new(Arc::new(disk), limit)),
            size: volume.len(),
        }
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Editor>, FsEditError> {
        let start = BEFORE as u64;
        let device: Arc<Scratch> = Arc::clone(&self.scratch);
        fs_edit::open(VolumeKind::Ntfs, device, start..start + self.size as u64)
    }

    /// Opens, changes and closes.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut dyn Editor)) {
        let mut editor = self.open().unwrap();
        change(&mut *editor);
        editor.finish().unwrap();
    }

    /// The volume in a file of its own; nothing beside it has changed.
    pub(crate) fn volume(&self) -> NamedTempFile {
        let mut disk = vec![0; BEFORE + self.size + BEHIND];
        self.scratch.read_at(0, &mut disk).unwrap();
        let (before, rest) = disk.split_at(BEFORE);
        let (volume, behind) = rest.split_at(self.size);
        assert!(
            before.iter().chain(behind).all(|byte| *byte == OTHER),
            "bytes beside the volume changed"
        );
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(volume).unwrap();
        file
    }

    /// The volume, which `ntfsfix` and `ntfsresize` must find in order.
    pub(crate) fn sound(&self) -> NamedTempFile {
        let file = self.volume();
        let path = file.path().to_str().unwrap();
        let fix = run("ntfs-3g", "ntfsfix", &["-n", path]);
        assert!(fix.contains("processed successfully"), "{fix}");
        // It walks through every record and compares their clusters with the bitmap.
        let resize = run("ntfs-3g", "ntfsresize", &["-i", "-f", path]);
        assert!(!resize.contains("ERROR") && resize.contains("Space in use"), "{resize}");
        file
    }
}

/// Mounts a volume with ntfs-3g, runs a shell script in its root, and gives what it printed.
pub(crate) fn mounted(volume: &Path, script: &str) -> String {
    let mount = tempfile::tempdir().unwrap();
    let around = r#"set -e
        ntfs-3g -o no_detach,compression "$1" "$2" & fs=$!
        until mountpoint -q "$2"; do kill -0 $fs; done
        trap 'cd /; umount "$2"; wait $fs' EXIT
        cd "$2"; eval "$3""#;
    let (volume, folder) = (volume.to_str().unwrap(), mount.path().to_str().unwrap());
    let mut args = vec!["-c", around, "mount", volume, folder, script];
    if run("coreutils", "id", &["-u"]).trim() == "0" {
        run("ntfs-3g", "sh", &args)
    } else {
        // Mounting needs root, if only one's own.
        args.splice(0..0, ["-Urm", "sh"]);
        run("util-linux", "unshare", &args)
    }
}

/// Every file that the mounted volume shows, with its SHA-256.
pub(crate) fn hashes(volume: &Path) -> BTreeMap<String, String> {
    let text = mounted(volume, "find . -type f -exec sha256sum {} +");
    let line = |line: &str| {
        let (hash, path) = line.split_once("  ./").unwrap();
        (path.to_owned(), hash.to_owned())
    };
    text.lines().map(line).collect()
}

/// The SHA-256 of every one of these, by the same program.
pub(crate) fn expected(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (number, (path, data)) in files.iter().enumerate() {
        std::fs::write(folder.path().join(number.to_string()), data).unwrap();
        text += &format!("{path}\n");
    }
    let list = run(
        "coreutils",
        "sh",
        &[
            "-c",
            r#"cd "$1" && ls | sort -n | xargs sha256sum"#,
            "sh",
            folder.path().to_str().unwrap(),
        ],
    );
    let hashes = list.lines().map(|line| line.split_once(' ').unwrap().0.to_owned());
    text.lines().map(str::to_owned).zip(hashes).collect()
}

/// A file as ntfscat reads it.
pub(crate) fn ntfscat(volume: &Path, path: &str) -> Vec<u8> {
    let output = Command::new("ntfscat").arg("-f").arg(volume).arg(path).output();
    let output = output.unwrap_or_else(|error| panic!("ntfscat: {error}; it is in the Debian package ntfs-3g"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What ntfsinfo says of a file, attribute by attribute.
pub(crate) fn ntfsinfo(volume: &Path, path: &str) -> String {
    run(
        "ntfs-3g",
        "ntfsinfo",
        &["-f", "-v", "-F", path, volume.to_str().unwrap()],
    )
}

/// The lines of a text that start (after blanks) with one of these.
pub(crate) fn lines(text: &str, starts: &[&str]) -> Vec<String> {
    let wanted = |line: &&str| starts.iter().any(|start| line.starts_with(start));
    text.lines().map(str::trim).filter(wanted).map(str::to_owned).collect()
}

/// Sets an extended attribute through the mount: a line for a script. (Debian package attr.)
pub(crate) fn set(path: &str, name: &str, hex: &str) -> String {
    format!("setfattr -n system.{name} -v 0x{hex} '{path}'\n")
}

/// Prints an extended attribute in hexadecimal.
pub(crate) fn get(path: &str, name: &str) -> String {
    format!("getfattr --only-values -n system.{name} '{path}' | od -An -v -tx1 | tr -d ' \\n'\n")
}

/// Where the record of a file starts in the volume, by ntfsinfo. The table must not be fragmented.
pub(crate) fn record(volume: &Path, path: &str) -> usize {
    let info = ntfsinfo(volume, path);
    let (_, rest) = info.split_once("Dumping Inode ").unwrap();
    let number: usize = rest.split_whitespace().next().unwrap().parse().unwrap();
    let boot = std::fs::read(volume).unwrap();
    let mft = u64::from_le_bytes(boot[0x30..0x38].try_into().unwrap());
    usize::try_from(mft).unwrap() * usize::from(boot[0x0D]) * 512 + number * 1024
}

/// The clusters of a file that is not resident, in bytes from the start of the volume, as ntfscluster lists its runs.
pub(crate) fn clusters(volume: &Path, path: &str) -> Vec<std::ops::Range<usize>> {
    let text = run("ntfs-3g", "ntfscluster", &["-f", "-F", path, volume.to_str().unwrap()]);
    let mut ranges = Vec::new();
    for line in text.lines() {
        let numbers: Vec<usize> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        if let [_, first, count] = numbers[..] {
            ranges.push(first * 4096..(first + count) * 4096);
        }
    }
    ranges
}
