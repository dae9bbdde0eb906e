//! Which version a kernel file is: its modules are in a folder of that name.

use crate::volumes::MountedVolume;

/// The first part of a kernel file, with the setup code and its texts.
const START: u64 = 64 << 10;

/// The version of the kernel in a file, as `uname -r` gives it: from its header, else from its name.
pub(super) fn of(volumes: &mut [MountedVolume], place: &(usize, String)) -> Option<String> {
    let volume = volumes.get_mut(place.0)?;
    let start = volume.fs.read_start(&place.1, START).ok()?;
    of_header(&start).or_else(|| of_name(&place.1))
}

/// Source: Linux' boot protocol for x86 (Documentation/arch/x86/boot.rst), `header` and `kernel_version`.
fn of_header(start: &[u8]) -> Option<String> {
    if start.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let pointer: [u8; 2] = start.get(0x20e..0x210)?.try_into().ok()?;
    let at = usize::from(u16::from_le_bytes(pointer)).checked_add(0x200)?;
    let text = start.get(at..)?.split(|byte| *byte == 0).next()?;
    let version = std::str::from_utf8(text.get(..text.len().min(200))?).ok()?;
    let version = version.split_whitespace().next()?;
    (at > 0x200 && is_version(version)).then(|| version.to_owned())
}

/// `vmlinuz-5.10.0-8-686` and the like.
fn of_name(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let version = ["vmlinuz-", "vmlinux-", "kernel-", "bzImage-", "linux-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    is_version(version).then(|| version.to_owned())
}

/// It begins with a number, and is the name of a folder.
fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('/')
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_it_better_than_the_name() {
        let mut kernel = vec![0; 0x400];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x20e..0x210].copy_from_slice(&0x80u16.to_le_bytes());
        kernel[0x280..0x28d].copy_from_slice(b"6.1.0-18 (x) ");
        assert_eq!(of_header(&kernel).as_deref(), Some("6.1.0-18"));
        assert_eq!(of_header(&kernel[..0x20f]), None);
        assert_eq!(of_name("boot/vmlinuz-2.6.32-5-686").as_deref(), Some("2.6.32-5-686"));
        assert_eq!(of_name("boot/vmlinuz-linux"), None);
    }
}
