//! `disk0.map`: a ddrescue mapfile that says what was read (`+`), what could not be (`-`), and what was left out because
//! it is free (`?`).
//!
//! Source: GNU ddrescue manual, chapter "Mapfile structure".

use super::rescue::map::{Status, StatusMap};
use crate::error::{Failure, Result};
use disk::ExtentSet;
use std::fmt::Write;
use std::path::Path;

/// The mapfile of a disk of `size` bytes of which `used` was to be copied, and not all of it could be read.
pub(crate) fn text(size: u64, used: &ExtentSet, lost: &StatusMap) -> String {
    let mut map = StatusMap::new(&ExtentSet::from_range(0..size), Status::NonTried);
    for range in used.iter() {
        map.set(range, Status::Finished);
    }
    for (range, status) in lost.iter() {
        map.set(range, status);
    }
    let mut text = format!(
        "# Mapfile. Created by p2v version {}\n\
         # + was copied from the disk; - could not be read and is zero in the image\n\
         # ? is free space that was not read and is zero in the image\n\
         # current_pos  current_status  current_pass\n\
         {size:#010x}     +               1\n\
         #      pos        size  status\n",
        env!("CARGO_PKG_VERSION")
    );
    for (range, status) in map.iter() {
        let _ = writeln!(
            text,
            "{:#010x}  {:#010x}  {}",
            range.start,
            range.end - range.start,
            status.symbol()
        );
    }
    text
}

/// The mapfile at `path`, ours or ddrescue's, for a disk of `size` bytes.
pub(crate) fn load(path: &Path, size: u64) -> Result<StatusMap> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(format!("cannot read the map {}: {error}", path.display())))?;
    parse(&text, size).map_err(|line| {
        Failure::failed(format!("{} is not a map of this disk: line `{line}`", path.display()))
            .advice("Without the map p2v cannot tell which parts of the disk were copied.")
    })
}

/// The map; or the line that makes no sense. The first line holds ddrescue's own position, status and pass, which mean
/// nothing here. Numbers are decimal, hexadecimal with `0x` or octal with `0`, as in C.
fn parse(text: &str, size: u64) -> std::result::Result<StatusMap, String> {
    let mut ranges = Vec::new();
    let mut at = 0u64;
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .skip(1)
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [start, length, status] = words[..] else {
            return Err(line.to_owned());
        };
        let range = number(start)
            .zip(number(length))
            .and_then(|(start, length)| Some(start..start.checked_add(length)?));
        let range = range
            .filter(|range| range.start == at && !range.is_empty())
            .ok_or(line)?;
        at = range.end;
        ranges.push((range, Status::of_symbol(status).ok_or(line)?));
    }
    // ddrescue rounds nothing, but a map may be longer than the disk is said to be: it is another disk's.
    if at != size {
        return Err(format!("(the end: {at} of {size} bytes)"));
    }
    Ok(ranges.into_iter().collect())
}

fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if word.len() > 1 && word.starts_with('0') => u64::from_str_radix(word, 8).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn reads_back_what_was_written() {
        let used: ExtentSet = [4096..8192, 12288..20480].into_iter().collect();
        let lost = StatusMap::new(&ExtentSet::from_range(6144..6656), Status::Bad);
        let none = StatusMap::default();
        let copied = |text: &str, size| parse(text, size).unwrap().having(Status::Finished);
        assert_eq!(copied(&text(20480, &used, &none), 20480), used);
        assert_eq!(copied(&text(1 << 44, &used, &none), 1 << 44), used);
        assert!(parse(&text(20480, &used, &none), 20481).is_err());
        let all = ExtentSet::from_range(0..512);
        assert_eq!(copied(&text(512, &all, &none), 512), all);
        let map = parse(&text(20480, &used, &lost), 20480).unwrap();
        assert_eq!(map.having(Status::Bad), ExtentSet::from_range(6144..6656));
        assert_eq!(map.having(Status::Finished).bytes(), used.bytes() - 512);
    }

    #[test]
    fn lines_that_overlap_or_make_no_sense_are_refused() {
        let head = "0x0 + 1\n";
        assert!(parse(&format!("{head}0x0 0x10 +\n0x8 0x8 +\n"), 16).is_err());
        assert!(
            parse(
                &format!("{head}0x0 0xffffffffffffffff +\n0xffffffffffffffff 0x2 +\n"),
                16
            )
            .is_err()
        );
        assert!(parse(&format!("{head}0x0 zz +\n"), 16).is_err());
        assert!(parse("", 16).is_err());
        assert!(parse(&format!("{head}0x0 0x10 x\n"), 16).is_err());
        assert!(parse(&format!("{head}0 020 +\n"), 16).is_ok());
    }

    #[test]
    fn ddrescuelog_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk0.map");
        let used: ExtentSet = [0..4096, 1 << 20..3 << 20].into_iter().collect();
        std::fs::write(&path, text(4 << 20, &used, &StatusMap::default())).unwrap();
        let output = Command::new("ddrescuelog").arg("-t").arg(&path).output();
        let output = output.expect("ddrescuelog is needed: apt-get install gddrescue");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("2101 kB") || said.contains("2101248"), "{said}");
    }
}
