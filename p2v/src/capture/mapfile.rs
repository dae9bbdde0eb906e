//! `disk0.map`: a ddrescue mapfile that says what was read (`+`) and what was left out because it is free (`?`).
//!
//! Source: GNU ddrescue manual, chapter "Mapfile structure".

use crate::error::{Failure, Result};
use disk::ExtentSet;
use std::fmt::Write;
use std::path::Path;

/// The mapfile of a disk of `size` bytes of which `used` was copied.
pub(crate) fn text(size: u64, used: &ExtentSet) -> String {
    let mut text = format!(
        "# Mapfile. Created by p2v version {}\n\
         # + was copied from the disk; ? is free space that was not read and is zero in the image\n\
         # current_pos  current_status  current_pass\n\
         {size:#010x}     +               1\n\
         #      pos        size  status\n",
        env!("CARGO_PKG_VERSION")
    );
    let free = used.complement(size);
    let mut lines: Vec<_> = used
        .iter()
        .map(|r| (r, '+'))
        .chain(free.iter().map(|r| (r, '?')))
        .collect();
    lines.sort_by_key(|(range, _)| range.start);
    for (range, status) in lines {
        let _ = writeln!(
            text,
            "{:#010x}  {:#010x}  {status}",
            range.start,
            range.end - range.start
        );
    }
    text
}

/// The copied ranges of the mapfile at `path`, for a disk of `size` bytes.
pub(crate) fn load(path: &Path, size: u64) -> Result<ExtentSet> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(format!("cannot read the map {}: {error}", path.display())))?;
    parse(&text, size).map_err(|line| {
        Failure::failed(format!("{} is damaged: line `{line}`", path.display()))
            .advice("Without the map p2v cannot tell which parts of the disk were copied.")
    })
}

/// The copied ranges; or the line that makes no sense.
fn parse(text: &str, size: u64) -> std::result::Result<ExtentSet, String> {
    let mut copied = ExtentSet::new();
    let mut at = 0u64;
    // The first line that is no comment holds ddrescue's own position.
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .skip(1)
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
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
        if status == "+" {
            copied.insert(range);
        }
    }
    if at == size {
        Ok(copied)
    } else {
        Err(format!("(the end: {at} of {size} bytes)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn reads_back_what_was_written() {
        let used: ExtentSet = [4096..8192, 12288..20480].into_iter().collect();
        assert_eq!(parse(&text(20480, &used), 20480).unwrap(), used);
        assert_eq!(parse(&text(1 << 44, &used), 1 << 44).unwrap(), used);
        assert!(parse(&text(20480, &used), 20481).is_err());
        let all = ExtentSet::from_range(0..512);
        assert_eq!(parse(&text(512, &all), 512).unwrap(), all);
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
    }

    #[test]
    fn ddrescuelog_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk0.map");
        let used: ExtentSet = [0..4096, 1 << 20..3 << 20].into_iter().collect();
        std::fs::write(&path, text(4 << 20, &used)).unwrap();
        let output = Command::new("ddrescuelog").arg("-t").arg(&path).output();
        let output = output.expect("ddrescuelog is needed: apt-get install gddrescue");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("2101 kB") || said.contains("2101248"), "{said}");
    }
}
