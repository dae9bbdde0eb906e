//! What the size of a disk costs if little of it is used.

use super::capture::tempfile_beside;
use super::measure::{median, shell};
use super::report::{Bar, Report};
use anyhow::Result;
use p2v_tests::fixtures::{noise, stale};
use p2v_tests::tool;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Photographs of 4 MB.
const PHOTOS: u32 = 1000;
const PHOTO: usize = 4_000_000;

/// Captures a disk of nearly 16 TiB and one of 16 GB with the same 4 GB of files, in turn.
pub(super) fn compare(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let disk = stale::disk(stale::Filesystem::Ext4, false)?;
    let work = tempfile_beside(&disk)?;
    let folder = work.path();
    let tree = folder.join("tree");
    fs::create_dir(&tree)?;
    for number in 0..PHOTOS {
        let name = format!("img{number:04}.jpg");
        fs::write(tree.join(&name), noise(&name, PHOTO))?;
    }
    // ext4 lets a file have 16 TiB less one block.
    for (name, size) in [("large", (16u64 << 40) - (1 << 20)), ("small", 16_000_000_000)] {
        let volume = folder.join(name);
        fs::File::create_new(&volume)?.set_len(size)?;
        let mut make = Command::new("mke2fs");
        make.args(["-q", "-F", "-t", "ext4", "-E", "nodiscard", "-d"]);
        tool::run(make.arg(&tree).arg(&volume))?;
    }
    fs::remove_dir_all(&tree)?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (name, times) in ["large", "small"].into_iter().zip(&mut times) {
            let (place, p2v) = (folder.display(), program.display());
            let cost = shell(&format!("cd '{place}'; '{p2v}' capture --quiet {name} -o out"), folder)?;
            times.push(cost.wall);
            shell(&format!("cd '{place}'; rm -rf out; sync"), folder)?;
        }
    }
    let [large, small] = times.map(median);
    report.add(
        "4 GB of files on a sparse disk of 16 TiB / on one of 16 GB: wall time",
        &format!("{large:.1} s against {small:.1} s"),
        large / small,
        Bar::AtMost(1.1),
    );
    Ok(())
}
