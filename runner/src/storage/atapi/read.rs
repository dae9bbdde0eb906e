//! Sectors of the disc in the form that was asked for.

use super::super::medium::Medium;
use super::toc::to_msf;
use std::io;

/// Bytes of user data a sector.
pub(super) const USER: u64 = 2048;
/// Bytes of a raw sector.
const RAW: u64 = 2352;
/// How many sectors are read at once for PIO.
const LOAD: u32 = 64;

/// What of each sector is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// 2048 bytes of user data.
    User,
    /// 2352 bytes: sync, header, user data; the error codes are left 0, which drivers do not check.
    Raw,
}

impl Format {
    fn len(self) -> u64 {
        match self {
            Format::User => USER,
            Format::Raw => RAW,
        }
    }
}

/// Sectors that lie on the disc.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) lba: u32,
    pub(super) count: u32,
    pub(super) format: Format,
}

impl Span {
    /// Bytes to send for all of it.
    pub(super) fn len(self) -> u64 {
        u64::from(self.count) * self.format.len()
    }

    /// Where it starts on the medium, in bytes.
    pub(super) fn offset(self) -> u64 {
        u64::from(self.lba) * USER
    }

    /// Reads the next few sectors and moves on. The span is not empty.
    pub(super) fn load(&mut self, medium: &Medium) -> io::Result<Vec<u8>> {
        let count = self.count.min(LOAD);
        let mut user = vec![0; (u64::from(count) * USER) as usize];
        medium.read(self.offset(), &mut user)?;
        let bytes = match self.format {
            Format::User => user,
            Format::Raw => (self.lba..)
                .zip(user.chunks(USER as usize))
                .flat_map(|(lba, data)| raw(lba, data))
                .collect(),
        };
        self.lba += count;
        self.count -= count;
        Ok(bytes)
    }
}

/// A mode 1 sector around `data`.
fn raw(lba: u32, data: &[u8]) -> Vec<u8> {
    let mut sector = vec![0; RAW as usize];
    sector[1..11].fill(0xFF);
    for (byte, value) in sector[12..15].iter_mut().zip(to_msf(lba)) {
        *byte = ((value / 10) << 4) | (value % 10);
    }
    sector[15] = 1;
    sector[16..16 + data.len()].copy_from_slice(data);
    sector
}
