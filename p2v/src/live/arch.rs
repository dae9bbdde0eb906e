//! For which PCs a stick is: 64-bit ones, or those before them.

use crate::error::{Failure, Result};
use clap::ValueEnum;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Of the processors that the stick is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// 64-bit PCs: nearly all since about 2006
    Amd64,
    /// PCs with 32-bit processors, from the Pentium Pro of 1995 on
    I386,
}

/// A file in the FAT volume for UEFI firmware, and its name among the parts that `system/customize.sh` makes.
type Loader = (&'static str, &'static str);

impl Arch {
    /// Debian's name of it.
    pub(super) fn debian(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::I386 => "i386",
        }
    }

    /// The kernel's package. Of the two 32-bit ones the one without PAE: it starts on all PCs, those with PAE too, and
    /// a capture has no use for memory beyond 4 GiB.
    pub(super) fn kernel(self) -> &'static str {
        match self {
            Arch::Amd64 => "linux-image-amd64",
            Arch::I386 => "linux-image-686",
        }
    }

    /// Packages with what starts the kernel: unpacked while the system is made, never installed in it.
    pub(super) fn loaders(self) -> &'static [&'static str] {
        match self {
            Arch::Amd64 => &[
                "grub-common",
                "grub-pc-bin",
                "grub-efi-ia32-bin",
                "grub-efi-amd64-signed",
                "shim-signed",
            ],
            Arch::I386 => &["grub-common", "grub-pc-bin", "grub-efi-ia32-bin"],
        }
    }

    /// What UEFI firmware finds. 64-bit firmware cannot start a 32-bit kernel.
    pub(super) fn uefi(self) -> &'static [Loader] {
        match self {
            Arch::Amd64 => &[
                ("EFI/BOOT/BOOTX64.EFI", "bootx64.efi"),
                ("EFI/BOOT/grubx64.efi", "grubx64.efi"),
                ("EFI/BOOT/BOOTIA32.EFI", "bootia32.efi"),
            ],
            Arch::I386 => &[("EFI/BOOT/BOOTIA32.EFI", "bootia32.efi")],
        }
    }

    /// The p2v that goes onto the stick if none is named: this one, or for 32-bit PCs its neighbour `p2v-i386`.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let this = std::env::current_exe()
            .map_err(|error| Failure::failed(format!("cannot tell where this p2v is: {error}")))?;
        match self {
            Arch::Amd64 => Ok(this),
            Arch::I386 => {
                let neighbour = this.with_file_name("p2v-i386");
                if neighbour.is_file() {
                    return Ok(neighbour);
                }
                let what = format!("there is no p2v for 32-bit PCs: {}", neighbour.display());
                Err(Failure::refused(what).advice(
                    "In p2v's source tree, `cargo xtask i386` makes it. `--program FILE` takes it from elsewhere.",
                ))
            }
        }
    }

    /// Refused unless `program` is one for these processors: making a system takes minutes, and it would be in vain.
    pub(crate) fn check(self, program: &Path) -> Result<()> {
        let failed = |error| Failure::refused(format!("cannot read the program {}: {error}", program.display()));
        let mut header = [0; 20];
        let read = File::open(program).and_then(|file| file.read_exact_at(&mut header, 0));
        read.map_err(failed)?;
        if is_elf(&header, self) {
            return Ok(());
        }
        let what = format!("{} is no program for {}", program.display(), self.debian());
        Err(Failure::refused(what).advice("`--program` names the p2v that goes onto the stick, `--arch` its kind."))
    }
}

/// Whether an ELF header (`e_ident`, `e_machine` at byte 18; System V ABI, chapter 4) is of a program for `arch`.
fn is_elf(header: &[u8; 20], arch: Arch) -> bool {
    let (class, machine) = match arch {
        Arch::Amd64 => (2, 62),
        Arch::I386 => (1, 3),
    };
    let [0x7f, b'E', b'L', b'F', found, 1, .., low, high] = *header else {
        return false;
    };
    found == class && u16::from_le_bytes([low, high]) == machine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_for_the_processors_it_runs_on() {
        let this = std::env::current_exe().unwrap();
        let (mine, other) = if cfg!(target_arch = "x86_64") {
            (Arch::Amd64, Arch::I386)
        } else {
            (Arch::I386, Arch::Amd64)
        };
        mine.check(&this).unwrap();
        other.check(&this).unwrap_err();
        // Too short, and no program.
        mine.check(Path::new("/dev/null")).unwrap_err();
        mine.check(Path::new("/proc/self/status")).unwrap_err();
    }
}
