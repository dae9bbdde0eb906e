//! Disks made by the field's tools, captured, and read back by the field's tools: nothing is lost.

use anyhow::Result;
use p2v_tests::fixtures::{debian, files};
use p2v_tests::{p2v, tool};
use std::path::Path;
use std::process::Command;

/// The capture in `folder` as a raw disk, by qemu-img.
fn raw(folder: &Path) -> Result<std::path::PathBuf> {
    let raw = folder.join("back.raw");
    tool::run(
        Command::new("qemu-img")
            .args(["convert", "-O", "raw"])
            .arg(folder.join("disk0.qcow2"))
            .arg(&raw),
    )?;
    Ok(raw)
}

/// `qemu-img check` finds nothing to say, and `p2v verify` neither, also against the source.
fn assert_sound(folder: &Path, source: &Path) -> Result<()> {
    tool::run(
        Command::new("qemu-img")
            .args(["check", "-q"])
            .arg(folder.join("disk0.qcow2")),
    )?;
    tool::run(p2v::command("verify")?.arg(folder))?;
    tool::run(p2v::command("verify")?.arg(folder).arg("--against").arg(source))?;
    Ok(())
}

#[test]
fn every_file_of_ntfs_and_fat_is_the_same_after_capture() -> Result<()> {
    let disk = files::disk()?;
    let folder = tempfile::tempdir()?;
    let machine = folder.path().join("files");
    p2v::capture(&disk.image, &machine)?;
    assert_sound(&machine, &disk.image)?;
    let raw = raw(&machine)?;
    assert!(disk.ntfs_manifest.lines().count() > 600, "the disk holds too few files");
    assert_eq!(files::ntfs_checksums(&raw)?, disk.ntfs_manifest);
    assert_eq!(files::fat_checksums(&raw)?, disk.fat_manifest);
    Ok(())
}

#[test]
fn what_deleted_files_held_is_not_copied() -> Result<()> {
    let disk = files::disk()?;
    let folder = tempfile::tempdir()?;
    let machine = folder.path().join("files");
    p2v::capture(&disk.image, &machine)?;
    // 456 MiB of the disk hold data that does not compress; the files are about 30 MB of it.
    let size = std::fs::metadata(machine.join("disk0.qcow2"))?.len();
    assert!(size < 80 << 20, "the image has {size} bytes: free clusters were copied");
    Ok(())
}

#[test]
fn a_debian_disk_is_captured_whole() -> Result<()> {
    let disk = debian::i386().disk()?;
    let folder = tempfile::tempdir()?;
    let machine = folder.path().join("oldpc");
    p2v::capture(&disk.image, &machine)?;
    assert_sound(&machine, &disk.image)?;
    let raw = raw(&machine)?;
    // The filesystem as e2fsprogs sees it, at its offset.
    let script = "dd if=\"$1\" of=\"$2/root\" bs=1M skip=1 count=1917 status=none conv=sparse
        e2fsck -fn \"$2/root\"
        debugfs -R \"rdump /home/user/photos $2\" \"$2/root\" 2> /dev/null
        cd \"$2/photos\" && sha256sum --quiet -c \"$3\"";
    tool::shell(
        script,
        &[raw.as_os_str(), folder.path().as_os_str(), disk.manifest.as_os_str()],
    )?;
    // Boot sector, partition table and GRUB's core image: the first MiB is the same byte for byte.
    tool::shell(
        "cmp --bytes=1048576 \"$1\" \"$2\"",
        &[raw.as_os_str(), disk.image.as_os_str()],
    )?;
    let inspected = tool::text(p2v::command("inspect")?.arg(&machine))?;
    for expected in ["MBR", "ext4", "swap", "Debian GNU/Linux 12 (bookworm)", "oldpc"] {
        assert!(inspected.contains(expected), "no {expected:?} in:\n{inspected}");
    }
    Ok(())
}
