//! The small FAT volume from which UEFI firmware starts, the same for the same files; made by mtools.
//!
//! The crate `fatfs` (0.3.6) gives `.` and `..` long names, which `fsck.fat` calls damage.

use super::tools;
use crate::error::{Failure, Result};
use crate::signals::Stop;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room besides the files, for the tables.
const SPARE: u64 = 1 << 20;
/// A FAT16 volume is at least this large.
const SMALLEST: u64 = 8 << 20;
const SECTOR: u64 = 512;

/// Makes the volume `image` with these files: their paths in it, and where they are now. `id` is its serial number,
/// `epoch` the date of all that is in it.
pub(super) fn make(image: &Path, files: &[(&str, PathBuf)], id: u32, epoch: i64, stop: &Stop) -> Result<()> {
    let failed = |error| Failure::target_write(image, &error);
    let mut contents = 0;
    for (_, file) in files {
        contents += fs::metadata(file).map_err(failed)?.len();
    }
    // Whole MiB: the partition's end falls on one, too.
    let size = (contents + SPARE).next_multiple_of(1 << 20).max(SMALLEST);
    File::create_new(image)
        .and_then(|file| file.set_len(size))
        .map_err(failed)?;
    let run = |program: &str, more: &dyn Fn(&mut Command)| {
        let mut command = tools::command(program);
        command.arg("-i").arg(image);
        more(&mut command);
        command
            .env("SOURCE_DATE_EPOCH", epoch.to_string())
            .env("TZ", "UTC")
            .env("MTOOLS_SKIP_CHECK", "1")
            .env("MTOOLSRC", "/dev/null");
        tools::run(&mut command, "makes the volume for UEFI firmware", stop).map(|_| ())
    };
    run("mformat", &|command| {
        let sectors = (size / SECTOR).to_string();
        command.args(["-v", "P2V-EFI", "-N", &format!("{id:08x}"), "-T", &sectors]);
        command.args(["-h", "16", "-s", "63", "::"]);
    })?;
    let mut folders = BTreeSet::new();
    for (path, _) in files {
        // Its folders, from the outermost: in this order they sort, too.
        folders.extend(path.match_indices('/').filter_map(|(at, _)| path.get(..at)));
    }
    for folder in folders {
        run("mmd", &|command| {
            command.arg(format!("::/{folder}"));
        })?;
    }
    for (path, file) in files {
        run("mcopy", &|command| {
            command.arg(file).arg(format!("::/{path}"));
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2v_tests::tool;

    #[test]
    fn a_volume_is_sound_and_always_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, contents: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, contents).unwrap();
            path
        };
        let files = [
            ("EFI/BOOT/BOOTX64.EFI", file("loader", &[0x55; 9_000_000])),
            ("EFI/debian/grub.cfg", file("menu", b"hello")),
        ];
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        make(&first, &files, 0x1234_5678, 1_700_000_000, &Stop::default()).unwrap();
        make(&second, &files, 0x1234_5678, 1_700_000_000, &Stop::default()).unwrap();
        assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap());
        // Nothing has the time of this run.
        let dates = tool::text(Command::new("mdir").env("TZ", "UTC").arg("-/i").arg(&first).arg("::/"));
        let dates = dates.unwrap();
        assert_eq!(dates.matches("2023-11-14  22:13").count(), 11, "{dates}");
        tool::run(Command::new("fsck.fat").arg("-n").arg(&first)).unwrap();
        let text = tool::text(
            Command::new("mtype")
                .arg("-i")
                .arg(&first)
                .arg("::/EFI/debian/grub.cfg"),
        );
        assert_eq!(text.unwrap(), "hello");
    }
}
