//! For which processor a program was built: the headers of ELF and PE files. Whether a driver file is whole.

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

/// What is wrong with a Windows driver that is to start on `architecture`; the end of a sentence. Besides its processor,
/// its checksum is compared, as Windows itself does for every driver: so the file is whole.
///
/// Source: Microsoft "PE Format", "Optional Header": `CheckSum` at 64, `Subsystem` at 68 (1: native).
pub(crate) fn driver_fault(file: &[u8], architecture: &str) -> Option<String> {
    match pe_machine(file) {
        None => return Some("it is not a Windows driver".to_owned()),
        Some(machine) if machine != architecture => return Some(format!("it is for {machine}, not {architecture}")),
        Some(_) => {}
    }
    let Some((at, checksum, subsystem)) = optional_header(file) else {
        return Some("its header is cut off".to_owned());
    };
    if subsystem != 1 {
        return Some("it is a program, not a driver".to_owned());
    }
    (checksum != pe_checksum(file, at)).then(|| "its checksum is wrong: it is damaged".to_owned())
}

/// Where the checksum lies, the checksum, and the subsystem.
fn optional_header(file: &[u8]) -> Option<(usize, u32, u16)> {
    let at = u32::from_le_bytes(file.get(0x3c..0x40)?.try_into().ok()?);
    let header = usize::try_from(at).ok()?.checked_add(24)?;
    let place = header.checked_add(64)?;
    let checksum = u32::from_le_bytes(file.get(place..place.checked_add(4)?)?.try_into().ok()?);
    let subsystem = header.checked_add(68)?;
    let subsystem = u16::from_le_bytes(file.get(subsystem..subsystem.checked_add(2)?)?.try_into().ok()?);
    Some((place, checksum, subsystem))
}

/// The checksum of a PE file whose own lies at `place`: the 16-bit words' sum with its carries added, and the length.
fn pe_checksum(file: &[u8], place: usize) -> u32 {
    let word = |(number, pair): (usize, &[u8])| -> u32 {
        // A word at an odd place would be read in halves; the field's bytes count as zeros.
        let byte = |index: usize| -> u32 {
            let at = number.saturating_mul(2).saturating_add(index);
            let own = at >= place && at < place.saturating_add(4);
            pair.get(index).filter(|_| !own).map_or(0, |byte| u32::from(*byte))
        };
        byte(0) | byte(1) << 8
    };
    let sum = file.chunks(2).enumerate().map(word).fold(0u32, |sum, word| {
        let sum = sum.wrapping_add(word);
        (sum & 0xFFFF).wrapping_add(sum >> 16)
    });
    sum.wrapping_add(u32::try_from(file.len()).unwrap_or(u32::MAX))
}

/// The Windows that a driver was built for, major and minor; (0, 0) if it cannot be told.
///
/// Source: Microsoft "PE Format", "Optional Header": `MajorSubsystemVersion` at 48.
pub(crate) fn subsystem_version(file: &[u8]) -> (u32, u32) {
    let half = |back: usize| -> Option<u32> {
        let at = optional_header(file)?.0.checked_sub(back)?;
        let bytes = file.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(u32::from(u16::from_le_bytes(bytes)))
    };
    (half(16).unwrap_or(0), half(14).unwrap_or(0))
}

/// The version in a file's resources, its four numbers from high to low; 0 if there is none.
///
/// Source: Microsoft, `VS_FIXEDFILEINFO`: the signature, then the file's version in two halves at 8 and 12.
pub(crate) fn file_version(file: &[u8]) -> u64 {
    const SIGNATURE: [u8; 4] = 0xFEEF_04BDu32.to_le_bytes();
    let half = |info: &[u8], at: usize| -> Option<u64> {
        let bytes = info.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(u64::from(u32::from_le_bytes(bytes)))
    };
    let info = file.chunks_exact(4).position(|word| word == SIGNATURE);
    let info = info.and_then(|word| file.get(word.checked_mul(4)?..));
    info.and_then(|info| Some(half(info, 8)? << 32 | half(info, 12)?))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_drivers::fake_driver;

    #[test]
    fn a_driver_must_be_whole_and_for_the_processor() {
        let driver = fake_driver(0x14c, b"code of an odd length", 0x0005_0001_0A28_0000);
        assert_eq!(driver_fault(&driver, "x86"), None);
        assert_eq!(file_version(&driver), 0x0005_0001_0A28_0000);
        let fault = |file: &[u8], architecture| driver_fault(file, architecture).unwrap();
        assert!(fault(&driver, "x86_64").contains("for x86"));
        assert!(fault(b"text", "x86").contains("not a Windows driver"));
        assert!(fault(&driver[..0x90], "x86").contains("cut off"));
        let mut program = driver.clone();
        program[0x80 + 24 + 68] = 2;
        assert!(fault(&program, "x86").contains("a program"));
        for at in [0x1F0, driver.len() - 1, 0x80 + 24 + 64] {
            let mut damaged = driver.clone();
            damaged[at] ^= 1;
            assert!(fault(&damaged, "x86").contains("checksum"), "{at}");
        }
        assert!(fault(&driver[..driver.len() - 1], "x86").contains("checksum"));
    }

    #[test]
    fn checksums_are_those_of_pefile() {
        const JUDGE: &str = "import pefile, sys; print(pefile.PE(sys.argv[1]).verify_checksum())";
        for (machine, len) in [(0x14c, 0), (0x8664, 1), (0x14c, 70_001), (0x8664, 200_000)] {
            let contents: Vec<u8> = (0..len)
                .map(|at: u32| at.wrapping_mul(2_654_435_761).to_le_bytes()[3])
                .collect();
            let mut driver = fake_driver(machine, &contents, 7);
            let file = tempfile::NamedTempFile::new().unwrap();
            for expected in ["True", "False"] {
                std::fs::write(file.path(), &driver).unwrap();
                let mut python = std::process::Command::new("/usr/bin/python3");
                let output = python.args(["-c", JUDGE]).arg(file.path()).output().unwrap();
                let words = String::from_utf8_lossy(&output.stdout);
                let package = "pefile is in the Debian package python3-pefile";
                assert_eq!(
                    words.trim(),
                    expected,
                    "{package}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                driver[0x1F0] ^= 1;
            }
        }
    }

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
