//! For which processor a program was built: the headers of ELF and PE files.

use disk::guestfs::GuestFs;

/// Enough for every header that is looked at.
const HEADER: u64 = 4096;

/// The architecture of the first of `paths` that is an executable file.
pub(crate) fn architecture(fs: &mut dyn GuestFs, paths: &[&str]) -> Option<&'static str> {
    paths
        .iter()
        .find_map(|path| machine(&fs.read_start(path, HEADER).ok()?))
}

/// The architecture in an executable's first bytes.
fn machine(header: &[u8]) -> Option<&'static str> {
    elf_machine(header).or_else(|| pe_machine(header))
}

/// ELF: System V ABI, "ELF header": `e_ident[EI_DATA]` at 5, `e_machine` at 18.
fn elf_machine(header: &[u8]) -> Option<&'static str> {
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    let bytes = [*header.get(18)?, *header.get(19)?];
    let big_endian = header.get(5) == Some(&2);
    let code = if big_endian {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    };
    Some(match code {
        3 => "x86",
        62 => "x86_64",
        40 => "arm",
        183 => "aarch64",
        8 => "mips",
        20 => "ppc",
        21 => "ppc64",
        243 => "riscv",
        _ => return None,
    })
}

/// PE: Microsoft "PE Format": the offset of the signature at 0x3c, the machine right after the signature.
fn pe_machine(header: &[u8]) -> Option<&'static str> {
    if !header.starts_with(b"MZ") {
        return None;
    }
    let at = u32::from_le_bytes(header.get(0x3c..0x40)?.try_into().ok()?);
    let pe = header.get(usize::try_from(at).ok()?..)?;
    let machine = pe.strip_prefix(b"PE\0\0")?.get(..2)?;
    Some(match u16::from_le_bytes(machine.try_into().ok()?) {
        0x14c => "x86",
        0x8664 => "x86_64",
        0xaa64 => "aarch64",
        0x200 => "ia64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_test_knows_its_own_machine() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(machine(&this[..4096]), Some(std::env::consts::ARCH));
    }

    #[test]
    fn a_pe_header_that_lies_beyond_the_bytes_is_no_header() {
        let mut header = vec![0; 0x40];
        header[..2].copy_from_slice(b"MZ");
        header[0x3c] = 0x3e;
        assert_eq!(machine(&header), None);
        header[0x3c..0x40].fill(0xff);
        assert_eq!(machine(&header), None);
        header[0x3c..0x40].copy_from_slice(&0x40u32.to_le_bytes());
        header.extend(b"PE\0\0\x4c\x01");
        assert_eq!(machine(&header), Some("x86"));
    }
}
