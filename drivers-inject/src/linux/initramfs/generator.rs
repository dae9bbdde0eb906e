//! Which program made an initramfs: it decides how modules get loaded in it.

use super::Initramfs;
use std::fmt;

/// The program that made an initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Generator {
    /// Debian, Ubuntu and what comes from them.
    InitramfsTools,
    /// Fedora, Red Hat, SUSE today.
    Dracut,
    /// Arch Linux.
    Mkinitcpio,
    /// SUSE until 2014.
    SuseMkinitrd,
    /// Red Hat until 2010: a script for the `nash` shell that loads named files.
    Nash,
    /// Alpine Linux.
    AlpineMkinitfs,
    /// None of these.
    Unknown,
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
            Self::Mkinitcpio => "mkinitcpio",
            Self::SuseMkinitrd => "SUSE's mkinitrd",
            Self::Nash => "Red Hat's mkinitrd",
            Self::AlpineMkinitfs => "Alpine's mkinitfs",
            Self::Unknown => "an unknown program",
        })
    }
}

impl Initramfs {
    /// The program that made this image, told by files that only its images have.
    pub(crate) fn generator(&self) -> Generator {
        let has = |path| self.tree.has(path);
        // `/dracut-004-…` was the version file before it moved to `lib/dracut/dracut-…`.
        let dracut =
            ["lib/dracut", "usr/lib/dracut"].iter().any(|path| has(path)) || self.tree.has_beginning("dracut-");
        if has("scripts/functions") && (has("conf/initramfs.conf") || has("conf/arch.conf")) {
            Generator::InitramfsTools
        } else if dracut {
            Generator::Dracut
        } else if has("init_functions") && has("config") {
            Generator::Mkinitcpio
        } else if has("sbin/nlplug-findfs") {
            Generator::AlpineMkinitfs
        } else if has("run_all.sh") || (has("config") && self.tree.has_beginning("boot/") && has("init")) {
            Generator::SuseMkinitrd
        } else if has("bin/nash") || has("sbin/nash") {
            Generator::Nash
        } else {
            Generator::Unknown
        }
    }
}
