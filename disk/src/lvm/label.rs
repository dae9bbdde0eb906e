//! The label of a physical volume, and the header behind it that says where the metadata are.
//!
//! Source: libvslvm "LVM format", "Physical volume label" and "Physical volume header".

use super::{HEADER, LvmError};
use crate::bytes::Fields;
use crate::checksum::crc32_lvm;
use crate::io::ReadAt;
use std::ops::Range;

/// The label is in one of so many first sectors.
const SECTORS: u64 = 4;
/// A list of areas with more entries than this is damaged: LVM itself writes at most two.
const MOST_AREAS: usize = 4;

/// What a physical volume says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// In LVM's usual form, with hyphens.
    pub(super) uuid: String,
    /// Its metadata areas, in bytes from its start.
    pub(super) areas: Vec<Range<u64>>,
}

/// Bytes at the start of a physical volume that the label may be in.
pub(super) const LABEL_AREA: Range<u64> = 0..SECTORS * super::SECTOR;

/// Reads the label of `volume`.
pub(super) fn read<D: ReadAt + ?Sized>(volume: &D) -> Result<Header, LvmError> {
    let mut damaged = None;
    for number in 0..SECTORS {
        let offset = number.saturating_mul(super::SECTOR);
        let mut sector = [0; HEADER];
        volume.read_at(offset, &mut sector)?;
        match decode(&sector, number, volume.size()) {
            Ok(Some(header)) => return Ok(header),
            Ok(None) => {}
            Err(what) => damaged = Some((offset, what)),
        }
    }
    let (offset, what) = damaged.unwrap_or((0, "it is not there"));
    Err(LvmError::Damaged {
        structure: "label",
        offset,
        what,
    })
}

/// The label in this sector; `None` if there is none.
fn decode(sector: &[u8; HEADER], number: u64, size: u64) -> Result<Option<Header>, &'static str> {
    let label = Fields(sector);
    if !label.has(0, b"LABELONE") {
        return Ok(None);
    }
    if label.le64(8) != number {
        return Err("it was written for another sector");
    }
    // The checksum is over what follows it.
    if crc32_lvm(&[label.from(20)]) != label.le32(16) {
        return Err("its checksum is wrong");
    }
    if !label.has(24, b"LVM2 001") {
        return Err("its type is not LVM2");
    }
    let at = usize::try_from(label.le32(20)).unwrap_or(usize::MAX);
    if !(32..=HEADER).contains(&at) {
        return Err("its header is outside of its sector");
    }
    let header = Fields(label.from(at));
    // UUID (32 characters), size, then two lists of areas (offset, size), each ended by zeros: data, metadata.
    let uuid = with_hyphens(header.0.get(..32).ok_or("its header is cut off")?).ok_or("its UUID is no text")?;
    let (_, next) = areas(header, 40)?;
    let (areas, _) = areas(header, next)?;
    if areas.iter().any(|area| area.end > size) {
        return Err("a metadata area ends behind the volume");
    }
    Ok(Some(Header { uuid, areas }))
}

/// A list of areas from `at`, and where it ends.
fn areas(header: Fields<'_>, mut at: usize) -> Result<(Vec<Range<u64>>, usize), &'static str> {
    const ENTRY: usize = 16;
    let mut areas = Vec::new();
    loop {
        if header.from(at).len() < ENTRY || areas.len() > MOST_AREAS {
            return Err("its list of areas has no end");
        }
        let (offset, size) = (header.le64(at), header.le64(at.saturating_add(8)));
        at = at.saturating_add(ENTRY);
        if offset == 0 {
            return Ok((areas, at));
        }
        areas.push(offset..offset.checked_add(size).ok_or("an area ends nowhere")?);
    }
}

/// A UUID in groups of 6-4-4-4-4-4-6 characters, as LVM prints it.
fn with_hyphens(id: &[u8]) -> Option<String> {
    let mut text = String::new();
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 6 | 10 | 14 | 18 | 22 | 26) {
            text.push('-');
        }
        text.push(Some(char::from(*byte)).filter(char::is_ascii_graphic)?);
    }
    Some(text)
}
