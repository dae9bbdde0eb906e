//! The medium: the system as squashfs, a start menu, and an ISO image that starts from discs and from sticks, by BIOS
//! and by UEFI.
//!
//! On a stick the image is an MBR disk: partition 1 is the ISO 9660 filesystem, partition 2 the FAT volume for UEFI
//! firmware; a third can be added. GRUB's first sector starts it by BIOS. For discs, El Torito has both.

use super::recipe::{MENU, OPTIONS};
use super::system::{self, Recipe, System};
use super::{esp, tools};
use crate::error::{Exit, Failure, Result};
use crate::signals::Stop;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

/// Where an MBR has the disk's signature.
const SIGNATURE: u64 = 440;
/// Blocks of squashfs: larger ones are smaller on the stick, and slower to read at random.
const BLOCK: &str = "256K";
/// Zstandard, since old processors unpack it several times as fast as xz.
const LEVEL: &str = "15";

/// Makes the image `output`, which must not be there yet. Temporary files go beside it: about 1.5 GB. When `stop` says
/// so, the tools are ended, and nothing of theirs stays.
pub(crate) fn make(recipe: &Recipe, output: &Path, stop: &Stop) -> Result<()> {
    tools::ensure(&["mmdebstrap", "mformat", "mksquashfs", "xorriso"])?;
    if output.symlink_metadata().is_ok() {
        return Err(Failure::refused(format!("{} is there already", output.display()))
            .advice("Remove it, or choose another name with `-o`."));
    }
    recipe.arch.check(&recipe.program)?;
    let output = std::path::absolute(output).map_err(|error| Failure::target_write(output, &error))?;
    let folder = output.parent().unwrap_or(Path::new("/"));
    let failed = |error: io::Error| Failure::target_write(folder, &error);
    let work = tempfile::Builder::new()
        .prefix(".p2v-live-")
        .tempdir_in(folder)
        .map_err(failed)?;

    eprintln!("1 of 3: Debian packages are fetched and installed (a few hundred MB; some minutes)");
    let system = system::make(recipe, work.path(), stop)?;
    eprintln!("2 of 3: the system is compressed");
    let tree = work.path().join("tree");
    for folder in ["live", "boot/grub"] {
        fs::create_dir_all(tree.join(folder)).map_err(failed)?;
    }
    compress(&system, &tree.join("live/filesystem.squashfs"), stop)?;
    fs::remove_file(&system.archive).map_err(failed)?;
    eprintln!("3 of 3: the image is put together");
    let image = work.path().join("p2v-live.iso");
    assemble(&system, &tree, &image, stop)?;
    // Minutes have passed.
    if output.symlink_metadata().is_ok() {
        return Err(Failure::refused(format!("{} is there by now", output.display())));
    }
    fs::rename(&image, &output).map_err(|error| Failure::target_write(&output, &error))
}

/// The system's files as squashfs, in the order and with the owners that the archive has.
fn compress(system: &System, squashfs: &Path, stop: &Stop) -> Result<()> {
    let archive = File::open(&system.archive).map_err(|error| Failure::target_write(&system.archive, &error))?;
    let epoch = system.epoch.to_string();
    let mut command = tools::command("mksquashfs");
    command
        .arg("-")
        .arg(squashfs)
        .args(["-tar", "-no-progress", "-quiet", "-comp", "zstd"])
        .args(["-Xcompression-level", LEVEL, "-b", BLOCK])
        .args(["-all-time", &epoch, "-mkfs-time", &epoch])
        .env_remove("SOURCE_DATE_EPOCH");
    tools::run_on(&mut command, Stdio::from(archive), "compresses the live system", stop).map(|_| ())
}

/// Puts the image together.
fn assemble(system: &System, tree: &Path, image: &Path, stop: &Stop) -> Result<()> {
    let failed = |error: io::Error| Failure::target_write(tree, &error);
    let part = |name: &str| system.parts.join(name);
    let kernel = starts_with(&system.parts, "vmlinuz-").map_err(failed)?;
    let initrd = starts_with(&system.parts, "initrd-").map_err(failed)?;
    fs::rename(kernel, tree.join("live/vmlinuz")).map_err(failed)?;
    fs::rename(initrd, tree.join("live/initrd.img")).map_err(failed)?;
    for (name, place) in [
        ("packages", "live/packages.txt"),
        ("version", "live/p2v.txt"),
        ("bios.img", "boot/grub/bios.img"),
    ] {
        fs::rename(part(name), tree.join(place)).map_err(failed)?;
    }
    let identity = identity(tree).map_err(failed)?;
    let name = format!("P2V_{identity:08X}");
    let menu = MENU
        .replace("@OPTIONS@", &format!("{OPTIONS} p2v.medium={name}"))
        .replace("@ARCH@", system.arch.debian());
    fs::write(tree.join("boot/grub/grub.cfg"), menu).map_err(failed)?;

    // UEFI: the firmware reads this volume only; the loader then finds the medium by its name.
    let find = format!(
        "search --no-floppy --set=root --label {name}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    );
    let menu = part("efi.cfg");
    fs::write(&menu, find).map_err(failed)?;
    let esp = part("esp.img");
    let loaders = system.arch.uefi().iter().map(|(path, name)| (*path, part(name)));
    let files: Vec<_> = loaders.chain([("EFI/debian/grub.cfg", menu)]).collect();
    esp::make(&esp, &files, identity, system.epoch, stop)?;

    date(tree, system.epoch).map_err(failed)?;
    let mut command = tools::command("xorriso");
    command
        .args([
            "-as",
            "mkisofs",
            "-quiet",
            "-iso-level",
            "3",
            "-full-iso9660-filenames",
            "-rational-rock",
        ])
        .args(["-volid", &name])
        // Discs, BIOS: GRUB without emulation. Sticks, BIOS: its first sector, which is told where it lies.
        .args(["-b", "boot/grub/bios.img", "-no-emul-boot", "-boot-load-size", "4"])
        .args(["-boot-info-table", "--grub2-boot-info", "--grub2-mbr"])
        .arg(part("boot_hybrid.img"))
        // Some BIOS start only from a disk with an active partition.
        .args(["--mbr-force-bootable", "-partition_offset", "16"])
        // Discs and sticks, UEFI: the volume is a partition, and El Torito points at it.
        .args(["-append_partition", "2", "0xef"])
        .arg(&esp)
        .args([
            "-eltorito-alt-boot",
            "-e",
            "--interval:appended_partition_2:all::",
            "-no-emul-boot",
        ])
        .arg("-output")
        .arg(image)
        .arg(tree)
        // It then takes all dates, and what it would make of the clock, from here.
        .env("SOURCE_DATE_EPOCH", system.epoch.to_string());
    tools::run(&mut command, "makes the ISO image", stop)?;
    // Without a signature, Windows would write one of its own onto a stick that it sees.
    let file = OpenOptions::new().write(true).open(image);
    let signed = file.and_then(|file| {
        file.write_all_at(&identity.to_le_bytes(), SIGNATURE)?;
        file.sync_all()
    });
    signed.map_err(|error| Failure::target_write(image, &error))
}

/// A number that only this very build has: of everything that starts on the old PC.
fn identity(tree: &Path) -> io::Result<u32> {
    let mut hasher = blake3::Hasher::new();
    for name in ["filesystem.squashfs", "vmlinuz", "initrd.img"] {
        hasher.update_reader(File::open(tree.join("live").join(name))?)?;
    }
    let hash = hasher.finalize();
    let first = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    // Never zero: that is no signature.
    Ok(u32::from_le_bytes(first) | 1)
}

/// The one file whose name begins so.
fn starts_with(folder: &Path, begin: &str) -> io::Result<PathBuf> {
    let mut found = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(begin.as_bytes()))
        });
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        _ => Err(io::Error::other(format!("the system has not one {begin}*"))),
    }
}

/// Dates a folder and all that is in it.
fn date(path: &Path, epoch: i64) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            date(&entry?.path(), epoch)?;
        }
    }
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch.max(0).unsigned_abs());
    File::open(path)?.set_times(FileTimes::new().set_modified(time).set_accessed(time))
}

/// Refused unless `file` is an image that this module made: its ISO 9660 name says so (ECMA-119 §8.4.7, at byte 40 of
/// sector 16).
pub(crate) fn check(file: &Path) -> Result<u64> {
    let failed = |error: io::Error| {
        Failure::new(
            Exit::SourceUnreadable,
            format!("cannot read the image {}: {error}", file.display()),
        )
    };
    let image = File::open(file).map_err(failed)?;
    let size = image.metadata().map_err(failed)?.len();
    let mut descriptor = [0; 72];
    let read = image.read_exact_at(&mut descriptor, 16 * 2048);
    if read.is_err() || descriptor.get(1..6) != Some(b"CD001") || descriptor.get(40..44) != Some(b"P2V_") {
        return Err(
            Failure::refused(format!("{} is no image of p2v's live system", file.display()))
                .advice("Make one with `p2v live-usb -o p2v-live.iso`."),
        );
    }
    // The size that the volume claims: a download may have been cut off.
    let sectors = {
        let mut field = [0; 4];
        image.read_exact_at(&mut field, 16 * 2048 + 80).map_err(failed)?;
        u64::from(u32::from_le_bytes(field))
    };
    if sectors * 2048 > size {
        return Err(Failure::refused(format!(
            "{} is cut off: {size} bytes of {}",
            file.display(),
            sectors * 2048
        )));
    }
    Ok(size)
}
