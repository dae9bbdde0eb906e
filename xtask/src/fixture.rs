//! `cargo xtask fixture`: makes a disk by recipe, for use by hand.

use anyhow::Result;
use clap::ValueEnum;
use p2v_tests::fixtures::stale::Filesystem;
use p2v_tests::fixtures::{debian, files, installer, stale};
use std::path::PathBuf;

/// Make a disk by its recipe, or find the one that was made before, and print its path.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which disk
    name: Name,
}

/// The disks that there are recipes of.
#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Debian 12 i386: MBR, ext4, swap in an extended partition, GRUB, SysV init
    DebianI386,
    /// Debian 12 amd64: GPT, BIOS boot partition, ext4, systemd
    DebianAmd64,
    /// Debian 12 i386 that was on an NVMe disk, by its initramfs and its fstab
    DebianLaptop,
    /// Debian 12 i386 that names its disk /dev/sda
    DebianNamed,
    /// Debian 11 i386 with Xorg and a light desktop
    DebianDesktop,
    /// NTFS and FAT32 partitions full of files
    Files,
    /// A disc with the Debian installer, in text and in graphics
    Installer,
    /// For the benchmark: ext4 with old data in its free blocks
    Ext4Stale,
    /// For the benchmark: ext4 whose free blocks were never written
    Ext4Clean,
    /// For the benchmark: NTFS with old data in its free clusters
    NtfsStale,
    /// For the benchmark: NTFS whose free clusters were never written
    NtfsClean,
}

/// Carries out `cargo xtask fixture`.
pub(crate) fn run(args: &Args) -> Result<()> {
    crate::packages::ensure()?;
    println!("{}", make(args.name)?.display());
    Ok(())
}

fn make(name: Name) -> Result<PathBuf> {
    Ok(match name {
        Name::DebianI386 => debian::i386().disk()?.image,
        Name::DebianAmd64 => debian::amd64().disk()?.image,
        Name::DebianLaptop => debian::laptop().disk()?.image,
        Name::DebianNamed => debian::named().disk()?.image,
        Name::DebianDesktop => debian::desktop().disk()?.image,
        Name::Files => files::disk()?.image,
        Name::Installer => installer::disc()?,
        Name::Ext4Stale => stale::disk(Filesystem::Ext4, true)?,
        Name::Ext4Clean => stale::disk(Filesystem::Ext4, false)?,
        Name::NtfsStale => stale::disk(Filesystem::Ntfs, true)?,
        Name::NtfsClean => stale::disk(Filesystem::Ntfs, false)?,
    })
}
