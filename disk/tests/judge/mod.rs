//! What the used-map tests share: making volumes, and `partclone`'s view of them.
#![allow(dead_code, unreachable_pub)]

use disk::ExtentSet;
use disk::source::Source;
use disk::usedmap::{Volume, map_volume};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

pub const MIB: u64 = 1 << 20;

/// A sparse image of `size` bytes. Its name ends in a letter, or `sfdisk` would put a `p` before partition numbers.
pub fn sparse(size: u64) -> NamedTempFile {
    let image = tempfile::Builder::new().suffix(".img").tempfile().unwrap();
    image.as_file().set_len(size).unwrap();
    image
}

/// Runs a tool of the Debian package `package`, which must succeed; returns what it printed.
pub fn run(package: &str, command: &mut Command) -> String {
    let out = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: install the Debian package {package}"));
    let printed = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{command:?}: {printed}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    printed
}

/// Our map.
pub fn map(image: &Path) -> Volume {
    map_volume(&Source::open(image).unwrap()).unwrap()
}

/// What `partclone.KIND` would copy: its domain log, lines of `position size +`.
pub fn partclone(kind: &str, image: &Path) -> ExtentSet {
    let folder = tempfile::tempdir().unwrap();
    let domain = folder.path().join("domain");
    let mut command = Command::new(format!("partclone.{kind}"));
    command
        .arg("--domain")
        .arg("--source")
        .arg(image)
        .arg("--output")
        .arg(&domain);
    run("partclone", command.arg("--logfile").arg(folder.path().join("log")));
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let text = std::fs::read_to_string(&domain).unwrap();
    let used: ExtentSet = text
        .lines()
        .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [start, size, "+"] => Some(hex(start)..hex(start) + hex(size)),
            _ => None,
        })
        .collect();
    assert!(!used.is_empty(), "{text}");
    used
}

/// The bytes of `a` that are not in `b`.
pub fn minus(a: &ExtentSet, b: &ExtentSet) -> ExtentSet {
    let free = b.complement(u64::MAX);
    a.iter()
        .flat_map(|range| free.within(range).collect::<Vec<_>>())
        .collect()
}

/// Asserts that our map holds everything that the judge copies, and nothing else but `extra`.
pub fn agrees(what: &str, volume: &Volume, judge: &ExtentSet, extra: &ExtentSet) {
    assert!(volume.mapped, "{what}: {:?}", volume.notes);
    let missing = minus(judge, &volume.used);
    assert!(missing.is_empty(), "{what}: LEFT OUT {missing:x?}");
    let more = minus(&minus(&volume.used, judge), extra);
    assert!(more.is_empty(), "{what}: copied beyond the judge {more:x?}");
}
