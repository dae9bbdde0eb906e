//! The controllers of the virtual machine and the drivers that find a disk at them.

use std::collections::BTreeSet;
use std::fmt;

/// A controller that the virtual machine can have its disk at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Controller {
    /// Intel PIIX3 (PCI 8086:7010).
    Ide,
    /// SATA.
    Ahci,
    /// virtio-blk on PCI.
    VirtioBlk,
    /// NVM Express.
    Nvme,
}

impl Controller {
    /// The drivers of all controllers and their disks, some of them more than once.
    pub(crate) fn drivers() -> impl Iterator<Item = &'static str> {
        WAYS.iter().flat_map(|way| way.drivers).copied()
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ide => "an IDE controller (PIIX3)",
            Self::Ahci => "a SATA controller (AHCI)",
            Self::VirtioBlk => "a virtio-blk controller",
            Self::Nvme => "an NVMe controller",
        })
    }
}

/// Drivers that together find a disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) controller: Controller,
    /// The controller's driver and the disk's, where that is another; what they need is not named.
    pub(crate) drivers: &'static [&'static str],
    /// The name of the first disk in `/dev`.
    pub(crate) disk: &'static str,
    /// The first kernel version whose drivers do.
    since: (u32, u32, u32),
}

/// All ways, the better ones first.
///
/// - libata's `ata_piix` has the PATA controllers since 2.6.19; before, it left them to `piix`.
/// - The disk driver of the old IDE drivers is `ide-disk`, from 2.6.28 to their end in 5.14 `ide-gd_mod`.
/// - `ata_generic` and `ide-pci-generic` take a controller like this one only if a parameter (`all_generic_ide`) tells
///   them to, `ide-generic` and `pata_legacy` leave the ports of PCI controllers alone: none of them counts.
static WAYS: [Way; 6] = [
    Way {
        controller: Controller::Ide,
        drivers: &["ata_piix", "sd_mod"],
        disk: "sda",
        since: (2, 6, 19),
    },
    Way {
        controller: Controller::Ide,
        drivers: &["piix", "ide_gd_mod"],
        disk: "hda",
        since: (2, 6, 28),
    },
    Way {
        controller: Controller::Ide,
        drivers: &["piix", "ide_disk"],
        disk: "hda",
        since: (0, 0, 0),
    },
    Way {
        controller: Controller::Ahci,
        drivers: &["ahci", "sd_mod"],
        disk: "sda",
        since: (0, 0, 0),
    },
    Way {
        controller: Controller::VirtioBlk,
        drivers: &["virtio_pci", "virtio_blk"],
        disk: "vda",
        since: (0, 0, 0),
    },
    Way {
        controller: Controller::Nvme,
        drivers: &["nvme"],
        disk: "nvme0n1",
        since: (0, 0, 0),
    },
];

/// The ways to a disk for a kernel of this version that has the modules of which `has` says so; the better ones first.
/// If there are several to one controller, the disk may get either name.
pub(crate) fn ways_of(version: &str, has: impl Fn(&str) -> bool) -> Vec<&'static Way> {
    let version = number(version);
    let possible = |way: &&Way| version >= way.since && way.drivers.iter().all(|driver| has(driver));
    WAYS.iter().filter(possible).collect()
}

/// The controllers at which a kernel with these modules, as files or in itself, finds its disk.
pub(crate) fn controllers_of(
    version: &str,
    modules: &BTreeSet<String>,
    builtin: &BTreeSet<String>,
) -> BTreeSet<Controller> {
    let has = |name: &str| modules.contains(name) || builtin.contains(name);
    ways_of(version, has).iter().map(|way| way.controller).collect()
}

/// The first three numbers of a version such as `2.6.32-754.el6.x86_64`.
fn number(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    (next(), next(), next())
}

/// Which of the drivers above are in the kernel itself, by its configuration (`/boot/config-VERSION`). For kernels
/// that are too old for `modules.builtin`.
pub(crate) fn builtin_of_config(config: &str) -> BTreeSet<String> {
    const OPTIONS: [(&str, &str); 10] = [
        ("CONFIG_ATA_PIIX", "ata_piix"),
        ("CONFIG_SCSI_ATA_PIIX", "ata_piix"),
        ("CONFIG_BLK_DEV_SD", "sd_mod"),
        ("CONFIG_SATA_AHCI", "ahci"),
        ("CONFIG_BLK_DEV_PIIX", "piix"),
        ("CONFIG_BLK_DEV_IDEDISK", "ide_disk"),
        ("CONFIG_IDE_GD", "ide_gd_mod"),
        ("CONFIG_VIRTIO_PCI", "virtio_pci"),
        ("CONFIG_VIRTIO_BLK", "virtio_blk"),
        ("CONFIG_BLK_DEV_NVME", "nvme"),
    ];
    let mut names = BTreeSet::new();
    for line in config.lines() {
        let Some(option) = line.trim().strip_suffix("=y") else {
            continue;
        };
        let names_of = OPTIONS.iter().filter(|(name, _)| *name == option);
        names.extend(names_of.map(|(_, module)| (*module).to_owned()));
    }
    names
}
