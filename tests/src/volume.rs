//! What is in an ext volume of a disk image, without mounting it.

use crate::tool;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Takes the folder `name` out of partition `number` (from 1) of `disk`, whose file system must be sound (`e2fsck -fn`).
/// Returns where it is, in a new folder inside `work`.
///
/// # Errors
/// If there is no such partition, `e2fsck` finds anything, or the folder is not there.
pub fn take_out(disk: &Path, number: usize, name: &str, work: &Path) -> Result<PathBuf> {
    let table = tool::text(Command::new("sfdisk").arg("--json").arg(disk))?;
    let table: serde_json::Value = serde_json::from_str(&table)?;
    let partition = number
        .checked_sub(1)
        .and_then(|index| table["partitiontable"]["partitions"].get(index))
        .with_context(|| format!("{} has no partition {number}", disk.display()))?;
    let sectors = |field: &str| partition[field].as_u64().context("sfdisk says no sectors");
    let volume = work.join("volume");
    tool::shell(
        r#"dd if="$1" of="$2" bs=512 skip="$3" count="$4" conv=sparse status=none; e2fsck -fn "$2""#,
        &[
            disk.as_os_str(),
            volume.as_os_str(),
            sectors("start")?.to_string().as_ref(),
            sectors("size")?.to_string().as_ref(),
        ],
    )?;
    let out = work.join("out");
    fs::create_dir(&out)?;
    // debugfs has no errors to tell: what counts is that the folder is there.
    let dump = format!("rdump /{name} {}", out.display());
    tool::run(Command::new("debugfs").arg("-R").arg(dump).arg(&volume))?;
    fs::remove_file(&volume)?;
    let found = out.join(name);
    fs::metadata(&found).with_context(|| format!("no {name} in partition {number} of {}", disk.display()))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_out_whole() {
        let work = tempfile::tempdir().unwrap();
        let (tree, disk) = (work.path().join("tree"), work.path().join("disk"));
        fs::create_dir_all(tree.join("oldpc")).unwrap();
        fs::write(tree.join("oldpc/disk0"), "bytes").unwrap();
        fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
        tool::shell(
            r#"printf 'size=2M\nsize=8M\n' | sfdisk -q "$1"; mkfs.ext4 -q -F -d "$2" -E offset=3145728 "$1" 8192k"#,
            &[disk.as_os_str(), tree.as_os_str()],
        )
        .unwrap();
        let found = take_out(&disk, 2, "oldpc", work.path()).unwrap();
        assert_eq!(fs::read_to_string(found.join("disk0")).unwrap(), "bytes");
        for (number, name) in [(0, "oldpc"), (1, "oldpc"), (2, "newpc"), (3, "oldpc")] {
            let other = tempfile::tempdir().unwrap();
            assert!(
                take_out(&disk, number, name, other.path()).is_err(),
                "{name} in {number}"
            );
        }
    }
}
