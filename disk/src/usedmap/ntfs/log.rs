//! Whether Windows closed the volume: the restart pages of $LogFile.
//!
//! Source: the structures as the Linux-NTFS project documents them ($LogFile: restart page header and restart area).

use super::record::fix_up;
use crate::bytes::Fields;

/// Size of the part of the log that is looked at: two restart pages.
pub(super) const START: usize = 2 * PAGE;
const PAGE: usize = 4096;
/// No client uses the log.
const NO_CLIENT: u16 = 0xFFFF;
/// The volume was unmounted.
const CLEAN: u16 = 0x0002;

/// What the log says about the rest of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Everything in it has reached its place.
    Clean,
    /// The volume was in use when the computer stopped, or still is: a crash, hibernation, "fast startup".
    InUse,
    /// It cannot be read.
    Unknown,
}

/// Judges a log by its first [`START`] bytes.
pub(super) fn state(start: &[u8]) -> State {
    // A fresh volume, or one whose log was reset.
    if start.len() == START && start.iter().all(|byte| *byte == 0xFF) {
        return State::Clean;
    }
    let mut newest: Option<(u64, State)> = None;
    for page in start.chunks_exact(PAGE) {
        let Some((number, state)) = restart_page(page) else {
            continue;
        };
        if newest.is_none_or(|(other, _)| number >= other) {
            newest = Some((number, state));
        }
    }
    newest.map_or(State::Unknown, |(_, state)| state)
}

/// The age of a restart page and what it says.
fn restart_page(page: &[u8]) -> Option<(u64, State)> {
    let mut page = page.to_vec();
    if !page.starts_with(b"RSTR") || !fix_up(&mut page) {
        return None;
    }
    let header = Fields(&page);
    if header.le32(0x10) != 4096 {
        return None;
    }
    // Version 2 belongs to Windows 8 and later and is turned back to 1.1 when the volume is unmounted.
    let old_version = header.le16(0x1C) == 1;
    let area = Fields(header.from(usize::from(header.le16(0x18))));
    if area.0.len() < 48 {
        return None;
    }
    let idle = area.le16(0xC) == NO_CLIENT || area.le16(0xE) & CLEAN != 0;
    let state = if idle && old_version {
        State::Clean
    } else {
        State::InUse
    };
    Some((area.le64(0), state))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// A restart page of the given age.
    fn page(lsn: u64, client: u16, flags: u16, version: u16) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"RSTR\x1E\0\x09\0");
        put(0x10, &4096u32.to_le_bytes());
        put(0x18, &[0x30, 0]);
        put(0x1C, &version.to_le_bytes());
        put(0x30, &lsn.to_le_bytes());
        put(0x3C, &client.to_le_bytes());
        put(0x3E, &flags.to_le_bytes());
        for block in 0..8 {
            put(block * 512 + 510, &[1, 0]);
        }
        put(0x1E, &[1, 0]);
        page
    }

    #[test]
    fn the_newer_page_decides() {
        let open = page(5, 0, 0, 1);
        let flagged = page(6, 0, CLEAN, 1);
        let idle = page(6, NO_CLIENT, 0, 1);
        let fast_startup = page(6, NO_CLIENT, CLEAN, 2);
        let torn = {
            let mut page = page(7, NO_CLIENT, CLEAN, 1);
            page[511] = 9;
            page
        };
        let both = |a: &[u8], b: &[u8]| state(&[a, b].concat());
        assert_eq!(both(&open, &flagged), State::Clean);
        assert_eq!(both(&idle, &open), State::Clean);
        assert_eq!(both(&open, &page(4, NO_CLIENT, CLEAN, 1)), State::InUse);
        assert_eq!(both(&open, &fast_startup), State::InUse);
        assert_eq!(both(&open, &torn), State::InUse);
        assert_eq!(both(&torn, &torn), State::Unknown);
        assert_eq!(both(&torn, &vec![0xFF; PAGE]), State::Unknown);
        assert_eq!(state(&vec![0xFF; START]), State::Clean);
        assert_eq!(state(&[]), State::Unknown);
    }
}
