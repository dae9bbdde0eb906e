//! What is on the disc: one data track in one session (MMC-3, 5.23 and 6.25).

use super::sense::Sense;

/// Control field of a data track, and ADR 1: the address is in the entry.
const DATA_TRACK: u8 = 0x14;
/// Track number of the lead-out.
const LEAD_OUT: u8 = 0xAA;
/// Seconds before sector 0, in frames: addresses as minute, second, frame count from there.
const PREGAP: u32 = 150;

/// An address in the form that was asked for: minute, second, frame, or a sector number.
pub(super) fn address(lba: u32, msf: bool) -> [u8; 4] {
    if msf {
        let [minute, second, frame] = to_msf(lba);
        [0, minute, second, frame]
    } else {
        lba.to_be_bytes()
    }
}

/// Minute, second and frame of sector `lba`. Beyond 255 minutes (a DVD) the minutes stay at 255.
pub(super) fn to_msf(lba: u32) -> [u8; 3] {
    let frames = lba.saturating_add(PREGAP);
    let minute = u8::try_from(frames / (60 * 75)).unwrap_or(u8::MAX);
    [minute, (frames / 75 % 60) as u8, (frames % 75) as u8]
}

/// The sector at a minute, second and frame; `None` before sector 0.
pub(super) fn from_msf(msf: [u8; 3]) -> Option<u32> {
    let [minute, second, frame] = msf.map(u32::from);
    ((minute * 60 + second) * 75 + frame).checked_sub(PREGAP)
}

/// READ TOC/PMA/ATIP for a disc of `blocks` sectors.
pub(super) fn read_toc(cdb: &[u8; 12], blocks: u32) -> Result<Vec<u8>, Sense> {
    let msf = cdb[1] & 2 != 0;
    // SFF-8020i has the format in the top bits of byte 9, MMC in byte 2.
    let format = if cdb[2] & 0x0F != 0 { cdb[2] & 0x0F } else { cdb[9] >> 6 };
    match format {
        0 => table(cdb[6], blocks, msf),
        1 => Ok(sessions(msf)),
        2 => Ok(raw(blocks)),
        _ => Err(Sense::INVALID_FIELD),
    }
}

fn table(first: u8, blocks: u32, msf: bool) -> Result<Vec<u8>, Sense> {
    let mut data = vec![0, 0, 1, 1];
    if first <= 1 {
        data.extend([0, DATA_TRACK, 1, 0]);
        data.extend(address(0, msf));
    } else if first != LEAD_OUT {
        return Err(Sense::INVALID_FIELD);
    }
    data.extend([0, 0x16, LEAD_OUT, 0]);
    data.extend(address(blocks, msf));
    Ok(with_length(data))
}

fn sessions(msf: bool) -> Vec<u8> {
    let mut data = vec![0, 0, 1, 1, 0, DATA_TRACK, 1, 0];
    data.extend(address(0, msf));
    with_length(data)
}

/// The lead-in's entries: first track, last track, lead-out, track 1.
fn raw(blocks: u32) -> Vec<u8> {
    let mut data = vec![0, 0, 1, 1];
    let mut entry = |point: u8, msf: [u8; 3]| {
        data.extend([1, DATA_TRACK, 0, point, 0, 0, 0, 0]);
        data.extend(msf);
    };
    entry(0xA0, [1, 0, 0]);
    entry(0xA1, [1, 0, 0]);
    entry(0xA2, to_msf(blocks));
    entry(1, to_msf(0));
    with_length(data)
}

/// Puts the length of what follows into the first two bytes.
pub(super) fn with_length(mut data: Vec<u8>) -> Vec<u8> {
    let len = u16::try_from(data.len() - 2).unwrap_or(u16::MAX);
    data[..2].copy_from_slice(&len.to_be_bytes());
    data
}
