//! Linux swap space: the header is kept, the contents are skipped.
//!
//! Source: Linux `include/linux/swap.h` (`union swap_header`), `kernel/power/swap.c` (the mark of a hibernated system).

use super::signature::swap_page;
use super::{Volume, VolumeKind};
use crate::bytes::{Fields, uuid};
use crate::extent::ExtentSet;
use crate::io::ReadAt;
use std::io;

/// Largest page.
const MAX_PAGE: u64 = 64 << 10;

/// Maps swap space; it has the signature at least.
pub(super) fn map<D: ReadAt + ?Sized>(device: &D) -> io::Result<Volume> {
    let size = device.size();
    let mut volume = Volume::whole(VolumeKind::Swap, "swap", size);
    let mut bytes = vec![0; usize::try_from(size.min(MAX_PAGE)).unwrap_or(0)];
    device.read_at(0, &mut bytes)?;
    let header = Fields(&bytes);
    let Some((page, hibernated)) = swap_page(header) else {
        return Ok(volume);
    };
    volume.block_size = Some(page);
    if hibernated {
        volume.copy_whole(size, "a hibernated system is kept in it: copied whole");
        return Ok(volume);
    }
    let new_style = header.has(usize::try_from(page.saturating_sub(10)).unwrap_or(0), b"SWAPSPACE2");
    // Another byte order shows as another version.
    if !new_style || header.le32(1024) != 1 {
        volume.copy_whole(size, "this version of swap space is not known: copied whole");
        return Ok(volume);
    }
    volume.uuid = uuid(header.array(1036));
    volume.label = header.text(1052, 16);
    let page = u64::from(page);
    let end = u64::from(header.le32(1028)).saturating_add(1).saturating_mul(page);
    if end <= page || end > size {
        volume.copy_whole(size, "the swap space is larger than its partition: copied whole");
        return Ok(volume);
    }
    volume.used = ExtentSet::from_range(0..page);
    volume.used.insert(end..size);
    volume.mapped = true;
    volume
        .notes
        .push("what was swapped out is not copied, only the header".to_owned());
    Ok(volume)
}

/// Bytes of a signature of swap space.
const MARK: usize = 10;

/// A hibernated system in swap space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapSession {
    /// Where its mark is, in bytes from the start of the swap space.
    pub offset: u64,
    /// The mark that a starting system looks for.
    pub mark: [u8; 10],
    /// The signature that was there before, if it was kept: with it in place there is swap space and no session.
    pub original: Option<[u8; 10]>,
}

/// The hibernated system in this volume, if it is swap space with one.
pub fn swap_session<D: ReadAt + ?Sized>(device: &D) -> io::Result<Option<SwapSession>> {
    let mut bytes = vec![0; usize::try_from(device.size().min(MAX_PAGE)).unwrap_or(0)];
    device.read_at(0, &mut bytes)?;
    let header = Fields(&bytes);
    let Some((page, true)) = swap_page(header) else {
        return Ok(None);
    };
    let page = usize::try_from(page).unwrap_or(0);
    let at = page.saturating_sub(MARK);
    // `struct swsusp_header` ends in the original signature and the mark; TuxOnIce has another header.
    let original: [u8; MARK] = header.array(at.saturating_sub(MARK));
    let known = [*b"SWAPSPACE2", *b"SWAP-SPACE"].contains(&original);
    Ok(Some(SwapSession {
        offset: u64::try_from(at).unwrap_or(0),
        mark: header.array(at),
        original: known.then_some(original),
    }))
}
