//! The small FAT volume from which UEFI firmware starts, the same for the same files.

use fatfs::{Date, DateTime, Dir, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};
use std::io::{self, Cursor, Write};

/// Room besides the files, for the tables.
const SPARE: usize = 1 << 20;
/// A FAT16 volume is at least this large.
const SMALLEST: usize = 8 << 20;
const SECTOR: usize = 512;

/// The earliest date that FAT knows: none of these files has one of its own.
#[derive(Debug)]
struct NoTime;

impl TimeProvider for NoTime {
    fn get_current_date(&self) -> Date {
        Date {
            year: 1980,
            month: 1,
            day: 1,
        }
    }

    fn get_current_date_time(&self) -> DateTime {
        let time = Time {
            hour: 0,
            min: 0,
            sec: 0,
            millis: 0,
        };
        DateTime {
            date: self.get_current_date(),
            time,
        }
    }
}

/// A volume with these files; folders in their paths are made. `id` is its serial number.
pub(super) fn volume(files: &[(&str, Vec<u8>)], id: u32) -> io::Result<Vec<u8>> {
    let contents: usize = files.iter().map(|(_, contents)| contents.len()).sum();
    // Whole MiB: the partition's end falls on one, too.
    let size = (contents + SPARE).next_multiple_of(1 << 20).max(SMALLEST);
    let sectors = u32::try_from(size / SECTOR).map_err(io::Error::other)?;
    let mut disk = Cursor::new(vec![0; size]);
    let options = FormatVolumeOptions::new()
        .total_sectors(sectors)
        .volume_id(id)
        .volume_label(*b"P2V-EFI    ");
    fatfs::format_volume(&mut disk, options)?;
    {
        let options = FsOptions::new().time_provider(&NoTime);
        let volume = FileSystem::new(&mut disk, options)?;
        for (path, contents) in files {
            let mut folder: Dir<'_, _> = volume.root_dir();
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            for part in folders.split('/').filter(|part| !part.is_empty()) {
                folder = folder.create_dir(part)?;
            }
            let mut file = folder.create_file(name)?;
            file.write_all(contents)?;
            file.flush()?;
        }
        volume.unmount()?;
    }
    Ok(disk.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2v_tests::tool;
    use std::process::Command;

    #[test]
    fn a_volume_is_sound_and_always_the_same() {
        let files = [
            ("EFI/BOOT/BOOTX64.EFI", vec![0x55; 3_000_000]),
            ("EFI/debian/grub.cfg", b"hello".to_vec()),
        ];
        let first = volume(&files, 0x1234_5678).unwrap();
        assert!(first == volume(&files, 0x1234_5678).unwrap());
        // The judges: fsck.fat and mtools.
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("esp");
        std::fs::write(&image, &first).unwrap();
        tool::run(Command::new("fsck.fat").arg("-n").arg(&image)).unwrap();
        let text = tool::text(
            Command::new("mtype")
                .arg("-i")
                .arg(&image)
                .arg("::/EFI/debian/grub.cfg"),
        );
        assert_eq!(text.unwrap(), "hello");
    }
}
