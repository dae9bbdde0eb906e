//! A metadata area: a header, and a ring of bytes in which every change leaves a whole new text.
//!
//! Source: libvslvm "LVM format", "Metadata area header" and "Raw location descriptor".

use super::{HEADER, LvmError};
use crate::bytes::Fields;
use crate::checksum::crc32_lvm;
use crate::io::ReadAt;
use std::ops::Range;

const MAGIC: &[u8] = b" LVM2 x[5A%r0N*>";
/// A longer text is not read, in bytes. LVM's areas have 1 MiB by default; ten thousand volumes fit in this.
const LONGEST: u64 = 4 << 20;
/// The text is not to be used (`pvchange --metadataignore`).
const IGNORED: u32 = 1;

/// The current text in the metadata area `area` (bytes) of `volume`; `None` if there is none, or it is not to be used. At
/// most `room` bytes are read.
pub(super) fn read<D: ReadAt + ?Sized>(volume: &D, area: &Range<u64>, room: u64) -> Result<Option<Vec<u8>>, LvmError> {
    let damaged = |what| LvmError::Damaged {
        structure: "metadata area",
        offset: area.start,
        what,
    };
    let mut header = [0; HEADER];
    volume.read_at(area.start, &mut header)?;
    let header = Fields(&header);
    if !header.has(4, MAGIC) {
        return Err(damaged("its mark is not there"));
    }
    if crc32_lvm(&[header.from(4)]) != header.le32(0) {
        return Err(damaged("its checksum is wrong"));
    }
    if header.le32(20) != 1 {
        return Err(damaged("its version is not known"));
    }
    let size = header.le64(32);
    let length = area.end.saturating_sub(area.start);
    if header.le64(24) != area.start || size > length {
        return Err(damaged("it says that it is somewhere else"));
    }
    let (offset, text_size, checksum) = (header.le64(40), header.le64(48), header.le32(56));
    if (offset, text_size) == (0, 0) || header.le32(60) & IGNORED != 0 {
        return Ok(None);
    }
    // The ring is what is behind the header's sector.
    let ring = 512u64;
    if offset < ring || offset >= size || text_size > size.saturating_sub(ring) {
        return Err(damaged("its text is outside of it"));
    }
    if text_size > LONGEST.min(room) {
        return Err(damaged("its text is longer than any that is known"));
    }
    let first = text_size.min(size.saturating_sub(offset));
    let mut text = read_part(volume, area.start, offset, first)?;
    text.extend(read_part(volume, area.start, ring, text_size.saturating_sub(first))?);
    if crc32_lvm(&[&text]) != checksum {
        return Err(damaged("the checksum of its text is wrong"));
    }
    Ok(Some(text))
}

fn read_part<D: ReadAt + ?Sized>(volume: &D, area: u64, offset: u64, size: u64) -> Result<Vec<u8>, LvmError> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    if !bytes.is_empty() {
        volume.read_at(area.saturating_add(offset), &mut bytes)?;
    }
    Ok(bytes)
}
