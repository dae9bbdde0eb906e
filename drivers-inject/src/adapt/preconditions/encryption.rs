//! Encrypted volumes, and boot loaders of disk encryption.

use super::super::finding::{Effect, Finding, Kind};
use super::{number, warning};
use crate::volumes::MountedVolume;
use disk::ReadAt;
use disk::io::Window;
use disk::layout::PartitionContents;
use disk::usedmap::{BitLocker, Protector, VolumeKind, bitlocker};

/// Words in the first sector of a disk, and whose boot loader has them.
///
/// Source: TrueCrypt's `BootSector.asm` (VeraCrypt's is the same with its own name); the mark of PGP Whole Disk
/// Encryption is the one that forensic tools look for.
const LOADERS: [(&[u8], &str); 3] = [
    (b"TrueCrypt Boot Loader", "TrueCrypt"),
    (b"VeraCrypt Boot Loader", "VeraCrypt"),
    (b"PGPGUARD", "PGP / Symantec Drive Encryption"),
];

/// VeraCrypt's boot loader on an EFI system partition.
const EFI_LOADER: &str = "EFI/VeraCrypt/DcsBoot.efi";

const LEFT: &str = "What is encrypted is left as it is; it asks for its password as on the old computer. To have a system \
     on it adapted, decrypt it there permanently, then capture again.";

/// The boot loader of a program that encrypts whole disks, in the first sector.
pub(super) fn boot_loader(disk: &dyn ReadAt) -> Option<Finding> {
    let mut sector = [0; 512];
    disk.read_at(0, &mut sector).ok()?;
    let has = |words: &[u8]| sector.windows(words.len()).any(|part| part == words);
    let (_, name) = LOADERS.into_iter().find(|(words, _)| has(words))?;
    let what = format!(
        "The disk starts with the boot loader of {name}: its Windows is, or was, encrypted as a whole, and p2v cannot \
         look into that"
    );
    Some(warning(Kind::EncryptionLoader, what, LEFT))
}

/// The same on EFI system partitions.
pub(in super::super) fn efi_loaders(volumes: &mut [MountedVolume]) -> Vec<Finding> {
    let fat = volumes.iter_mut().filter(|volume| volume.kind == VolumeKind::Fat);
    let loaders = fat.filter_map(|volume| {
        let what = "The EFI system partition has the boot loader of VeraCrypt: Windows is, or was, encrypted as a \
                    whole, and p2v cannot look into that";
        let found = volume.fs.exists(EFI_LOADER);
        found.then(|| Finding::on_disk(Kind::EncryptionLoader, Effect::Warning, volume.partition, what, LEFT))
    });
    loaders.collect()
}

/// A volume that is encrypted.
pub(super) fn of_volume(disk: &dyn ReadAt, contents: &PartitionContents) -> Option<Finding> {
    match contents.volume.label_of_kind.as_str() {
        "BitLocker" => Some(of_bitlocker(&state(disk, contents), number(contents))),
        "LUKS" => Some(Finding::on_disk(
            Kind::Luks,
            Effect::Warning,
            number(contents),
            "The volume is encrypted with LUKS; a system on it cannot be adapted, and asks for its passphrase when it \
             starts. A key that was kept in the old computer's TPM (clevis, systemd-cryptenroll) is not in the virtual \
             machine",
            "It is left as it is. Have the passphrase at hand; if the system does not find its disk, choose the \
             fallback or rescue entry of its boot menu.",
        )),
        _ => None,
    }
}

fn state(disk: &dyn ReadAt, contents: &PartitionContents) -> BitLocker {
    let end = contents.start.saturating_add(contents.size);
    let volume = Window::new(disk, contents.start..end);
    let state = volume.and_then(|volume| bitlocker(&volume));
    state.ok().flatten().unwrap_or_default()
}

fn of_bitlocker(state: &BitLocker, partition: u32) -> Finding {
    let has = |protector| state.protectors.contains(&protector);
    let (effect, what, default) = if has(Protector::ClearKey) {
        (
            Effect::Warning,
            "The volume is encrypted with BitLocker, and its protection is suspended: the key lies open on the disk, so \
             that a Windows on it starts without asking. p2v does not look into it all the same",
            "It is left as it is. If its Windows does not start, turn BitLocker off on the old computer (decrypt the \
             drive), then capture again.",
        )
    } else if state.to_go {
        (
            Effect::Note,
            "The volume is encrypted with BitLocker To Go: it holds files, no Windows that starts, and asks for its \
             password where it is opened",
            "It is left as it is.",
        )
    } else if !has(Protector::Tpm) && (has(Protector::Password) || has(Protector::StartupKey)) {
        (
            Effect::Warning,
            "The volume is encrypted with BitLocker. A Windows on it cannot be adapted; it asks for its password or its \
             startup key (a USB stick), as on the old computer, or for its recovery key",
            "It is left as it is. If the old computer still runs, turn BitLocker off there (decrypt the drive), then \
             capture again; else have password or recovery key at hand.",
        )
    } else {
        (
            Effect::Warning,
            "The volume is encrypted with BitLocker. A Windows on it cannot be adapted, and will ask for its recovery \
             key, since the key in the old computer's TPM is not in the virtual one",
            "It is left as it is. If the old computer still runs, turn BitLocker off there (decrypt the drive), then \
             capture again; else have the recovery key at hand.",
        )
    };
    Finding::on_disk(Kind::BitLocker, effect, partition, what, default)
}
