//! The header of a cpio entry, formats `newc` (070701) and `crc` (070702): thirteen numbers of eight hexadecimal digits.

use super::error::CpioProblem;

/// Bytes of a header.
pub(super) const LEN: usize = 110;
/// The name of the entry that ends an archive.
pub(super) const TRAILER: &str = "TRAILER!!!";
/// The most bytes that the kernel takes for a name or a link's target, with the zero at its end (`PATH_MAX`).
pub(super) const PATH_MAX: u32 = 4096;

/// The fields that matter here.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) inode: u32,
    pub(super) mode: u32,
    pub(super) links: u32,
    pub(super) size: u32,
    /// Major and minor number of the device that the file was on.
    pub(super) device: (u32, u32),
    /// Bytes of the name with the zero at its end.
    pub(super) name_len: u32,
    /// The sum of the contents' bytes, in format `crc`.
    pub(super) checksum: Option<u32>,
}

impl Header {
    pub(super) fn decode(bytes: &[u8; LEN]) -> Result<Self, CpioProblem> {
        let (magic, numbers) = bytes.split_at(6);
        let has_checksum = match magic {
            b"070701" => false,
            b"070702" => true,
            _ => return Err(CpioProblem::Magic(magic.escape_ascii().to_string())),
        };
        let mut fields = [0; 13];
        for (field, digits) in fields.iter_mut().zip(numbers.chunks(8)) {
            *field = number(digits).ok_or_else(|| CpioProblem::Number(digits.escape_ascii().to_string()))?;
        }
        let [
            inode,
            mode,
            _uid,
            _gid,
            links,
            _mtime,
            size,
            major,
            minor,
            _,
            _,
            name_len,
            checksum,
        ] = fields;
        // The shortest name is one letter and the zero.
        if !(2..=PATH_MAX).contains(&name_len) {
            return Err(CpioProblem::NameLength(name_len));
        }
        Ok(Self {
            inode,
            mode,
            links,
            size,
            device: (major, minor),
            name_len,
            checksum: has_checksum.then_some(checksum),
        })
    }
}

/// Not `from_str_radix` alone: it takes a sign.
fn number(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}
