//! Mode pages and the drive's features: what it can do, for those who ask before they use it.

use super::Cdrom;
use super::sense::Sense;
use super::toc::with_length;

/// 40 times the speed of an audio CD, in kB/s.
const SPEED: u16 = 7056;

const READ_ERROR_RECOVERY: u8 = 0x01;
const CD_PARAMETERS: u8 = 0x0D;
const AUDIO_CONTROL: u8 = 0x0E;
const CAPABILITIES: u8 = 0x2A;
const ALL_PAGES: u8 = 0x3F;

const PROFILE_CD: u16 = 0x0008;
const PROFILE_DVD: u16 = 0x0010;

/// MODE SENSE: the header of 4 (`short`) or 8 bytes, and the pages (SPC-2, 7.8; MMC-3, 6.3).
pub(super) fn mode_sense(cdrom: &Cdrom, cdb: &[u8; 12], short: bool) -> Result<Vec<u8>, Sense> {
    let control = cdb[2] >> 6;
    if control == 3 {
        return Err(Sense::SAVING_NOT_SUPPORTED);
    }
    let wanted = cdb[2] & 0x3F;
    let mut pages = Vec::new();
    for code in [READ_ERROR_RECOVERY, CD_PARAMETERS, AUDIO_CONTROL, CAPABILITIES] {
        if wanted == code || wanted == ALL_PAGES {
            let page = page(cdrom, code);
            // Nothing can be changed: the mask of changeable bits is empty.
            let changeable = control == 1;
            pages.extend(
                page.iter()
                    .enumerate()
                    .map(|(at, byte)| if changeable && at > 1 { 0 } else { *byte }),
            );
        }
    }
    if pages.is_empty() {
        return Err(Sense::INVALID_FIELD);
    }
    let medium = match (cdrom.tray_open, cdrom.disc.is_some()) {
        (true, _) => 0x71,
        (false, false) => 0x70,
        (false, true) => 0x01, // 120 mm, data only
    };
    let mut data = if short {
        vec![0, medium, 0, 0]
    } else {
        vec![0, 0, medium, 0, 0, 0, 0, 0]
    };
    data.extend(pages);
    if short {
        data[0] = u8::try_from(data.len() - 1).unwrap_or(u8::MAX);
        return Ok(data);
    }
    Ok(with_length(data))
}

fn page(cdrom: &Cdrom, code: u8) -> Vec<u8> {
    match code {
        READ_ERROR_RECOVERY => vec![code, 6, 0, 5, 0, 0, 0, 0],
        CD_PARAMETERS => vec![code, 6, 0, 0x0D, 0, 60, 0, 75],
        AUDIO_CONTROL => vec![code, 14, 4, 0, 0, 0, 0, 75, 1, 0xFF, 2, 0xFF, 0, 0, 0, 0],
        _ => {
            let locked = if cdrom.locked { 2 } else { 0 };
            let [high, low] = SPEED.to_be_bytes();
            vec![
                code,
                20,            //
                0x3B,          // reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R
                0x00,          // writes nothing
                0x70,          // mode 2 form 1 and 2, multisession
                0x00,          // no audio
                0x29 | locked, // tray, can lock, can eject
                0x00,
                high,
                low,
                0,
                0, // no volume levels
                2,
                0, // 512 KiB buffer
                high,
                low,
                0,
                0,
                0,
                0,
                0,
                0,
            ]
        }
    }
}

/// GET CONFIGURATION (MMC-3, 5.5 and 6.6).
pub(super) fn configuration(cdrom: &Cdrom, cdb: &[u8; 12]) -> Vec<u8> {
    let ready = cdrom.is_ready();
    let dvd = ready && cdrom.is_dvd();
    let profile = match (ready, dvd) {
        (false, _) => 0,
        (true, false) => PROFILE_CD,
        (true, true) => PROFILE_DVD,
    };
    let request = cdb[1] & 3;
    let start = u16::from_be_bytes([cdb[2], cdb[3]]);
    let mut features = Vec::new();
    // `flags` is version, persistent, current.
    let mut feature = |code: u16, flags: u8, data: &[u8]| {
        let current = flags & 1 != 0;
        let wanted = match request {
            0 => code >= start,
            1 => code >= start && current,
            _ => code == start,
        };
        if wanted {
            features.extend(code.to_be_bytes());
            features.extend([flags, data.len() as u8]);
            features.extend(data);
        }
    };
    let mut profiles = Vec::new();
    for number in [PROFILE_DVD, PROFILE_CD] {
        profiles.extend(number.to_be_bytes());
        profiles.extend([u8::from(profile == number), 0]);
    }
    feature(0x0000, 0x03, &profiles);
    feature(0x0001, 0x03, &[0, 0, 0, 2]); // core: ATAPI
    feature(0x0003, 0x03, &[0x29, 0, 0, 0]); // removable medium: tray, eject, lock
    let random = [0, 0, 8, 0, 0, 1, 0, 0]; // 2048 bytes a block, 1 block at a time
    feature(0x0010, u8::from(ready), &random);
    feature(0x001E, u8::from(ready && !dvd), &[]); // CD read
    feature(0x001F, u8::from(dvd), &[]); // DVD read
    let mut data = Vec::new();
    data.extend((features.len() as u32 + 4).to_be_bytes());
    data.extend([0, 0]);
    data.extend(profile.to_be_bytes());
    data.extend(features);
    data
}

/// GET EVENT STATUS NOTIFICATION, polled, media events only (MMC-3, 5.6).
pub(super) fn event_status(cdrom: &mut Cdrom, cdb: &[u8; 12]) -> Result<Vec<u8>, Sense> {
    const MEDIA: u8 = 4;
    if cdb[1] & 1 == 0 {
        return Err(Sense::INVALID_FIELD);
    }
    if cdb[4] & (1 << MEDIA) == 0 {
        // No event of these classes is ever available.
        return Ok(vec![0, 2, 0x80, 1 << MEDIA]);
    }
    let event = std::mem::take(&mut cdrom.event);
    let status = u8::from(cdrom.tray_open) | (u8::from(cdrom.is_ready()) << 1);
    Ok(vec![0, 6, MEDIA, 1 << MEDIA, event as u8, status, 0, 0])
}
