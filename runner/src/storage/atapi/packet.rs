//! The packet commands (MMC-3, clause 5; SFF-8020i for what old drivers still use).

use super::read::{Format, Span};
use super::sense::Sense;
use super::{Cdrom, Event, identity, mode, toc};

/// What a packet leads to.
pub(super) enum Answer {
    /// No data.
    Done,
    /// Data for the host.
    Data(Vec<u8>),
    /// Sectors of the disc for the host.
    Sectors(Span),
    /// This many bytes of parameters come from the host; none of them changes anything.
    Parameters(usize),
}

impl Cdrom {
    /// Executes a packet.
    pub(super) fn execute(&mut self, cdb: &[u8; 12]) -> Result<Answer, Sense> {
        let opcode = cdb[0];
        // INQUIRY, REQUEST SENSE, GET CONFIGURATION and GET EVENT STATUS NOTIFICATION do not report it.
        if !matches!(opcode, 0x12 | 0x03 | 0x46 | 0x4A)
            && let Some(attention) = self.attention.take()
        {
            return Err(attention);
        }
        let length8 = usize::from(cdb[4]);
        let length16 = usize::from(u16::from_be_bytes([cdb[7], cdb[8]]));
        let length16_at_8 = usize::from(u16::from_be_bytes([cdb[8], cdb[9]]));
        match opcode {
            // TEST UNIT READY
            0x00 => self.medium().map(|_| Answer::Done),
            0x03 => data(self.take_sense().encode(), length8),
            // INQUIRY; there are no vital product data.
            0x12 if cdb[1] & 1 != 0 || cdb[2] != 0 => Err(Sense::INVALID_FIELD),
            0x12 => data(identity::inquiry(), length8),
            0x15 => Ok(Answer::Parameters(length8)),
            0x55 => Ok(Answer::Parameters(length16)),
            0x1A => data(mode::mode_sense(self, cdb, true)?, length8),
            0x5A => data(mode::mode_sense(self, cdb, false)?, length16),
            0x1B => self.start_stop(cdb[4]),
            // PREVENT/ALLOW MEDIUM REMOVAL
            0x1E => {
                self.locked = cdb[4] & 1 != 0;
                Ok(Answer::Done)
            }
            0x23 => data(self.format_capacities()?, length16),
            0x25 => self.read_capacity(),
            0x28 => self.read(be32(cdb, 2), length16 as u32, Format::User),
            0xA8 => self.read(be32(cdb, 2), be32(cdb, 6), Format::User),
            0xBE => self.read_cd(cdb),
            0xB9 => self.read_cd_msf(cdb),
            // SEEK
            0x2B if be32(cdb, 2) < self.blocks()? => Ok(Answer::Done),
            0x2B => Err(Sense::ADDRESS_OUT_OF_RANGE),
            0x42 => data(self.read_subchannel(cdb)?, length16),
            0x43 => data(toc::read_toc(cdb, self.blocks()?)?, length16),
            0x44 => data(self.read_header(cdb)?, length16),
            // PLAY AUDIO (10, MSF, 12)
            0x45 | 0x47 | 0xA5 => self.medium().and(Err(Sense::NOT_AN_AUDIO_TRACK)),
            0x46 => data(mode::configuration(self, cdb), length16),
            0x4A => data(mode::event_status(self, cdb)?, length16),
            // STOP PLAY/SCAN
            0x4E => self.medium().map(|_| Answer::Done),
            0x51 => data(self.disc_information()?, length16),
            0x52 => data(self.track_information(cdb)?, length16),
            0xAD => data(self.dvd_structure(cdb)?, length16_at_8),
            // SET CD SPEED
            0xBB => Ok(Answer::Done),
            // MECHANISM STATUS
            0xBD => data(vec![0, u8::from(self.tray_open) << 4, 0, 0, 0, 1, 0, 0], length16_at_8),
            _ => Err(Sense::INVALID_OPCODE),
        }
    }

    /// The sense data of the last command, or a unit attention that nobody has seen yet; either is gone then.
    fn take_sense(&mut self) -> Sense {
        let sense = std::mem::take(&mut self.sense);
        if sense == Sense::NONE {
            self.attention.take().unwrap_or(Sense::NONE)
        } else {
            sense
        }
    }

    /// Sectors on the disc, or why there are none.
    fn blocks(&self) -> Result<u32, Sense> {
        self.medium()
            .map(|medium| u32::try_from(medium.size() / 2048).unwrap_or(u32::MAX))
    }

    fn start_stop(&mut self, what: u8) -> Result<Answer, Sense> {
        let (start, load_or_eject) = (what & 1 != 0, what & 2 != 0);
        match (load_or_eject, start) {
            (true, false) if self.locked => return Err(Sense::REMOVAL_PREVENTED),
            (true, false) => self.open_tray(),
            (true, true) if self.tray_open => self.close_tray(),
            // Starting and stopping the motor.
            _ => {}
        }
        Ok(Answer::Done)
    }

    fn read_capacity(&self) -> Result<Answer, Sense> {
        let last = self.blocks()?.saturating_sub(1);
        let mut reply = last.to_be_bytes().to_vec();
        reply.extend(2048u32.to_be_bytes());
        Ok(Answer::Data(reply))
    }

    /// READ FORMAT CAPACITIES: a disc as it is, or the largest there could be.
    fn format_capacities(&self) -> Result<Vec<u8>, Sense> {
        let blocks = self.blocks()?;
        let mut reply = vec![0, 0, 0, 8];
        reply.extend(blocks.to_be_bytes());
        reply.extend([2, 0, 8, 0]);
        Ok(reply)
    }

    fn read(&self, lba: u32, count: u32, format: Format) -> Result<Answer, Sense> {
        let blocks = self.blocks()?;
        if lba.checked_add(count).is_none_or(|end| end > blocks) {
            return Err(Sense::ADDRESS_OUT_OF_RANGE);
        }
        Ok(Answer::Sectors(Span { lba, count, format }))
    }

    fn read_cd(&self, cdb: &[u8; 12]) -> Result<Answer, Sense> {
        let count = u32::from_be_bytes([0, cdb[6], cdb[7], cdb[8]]);
        self.read_cd_span(cdb, be32(cdb, 2), count)
    }

    fn read_cd_msf(&self, cdb: &[u8; 12]) -> Result<Answer, Sense> {
        let start = toc::from_msf([cdb[3], cdb[4], cdb[5]]).ok_or(Sense::ADDRESS_OUT_OF_RANGE)?;
        let end = toc::from_msf([cdb[6], cdb[7], cdb[8]]).ok_or(Sense::ADDRESS_OUT_OF_RANGE)?;
        let count = end.checked_sub(start).ok_or(Sense::INVALID_FIELD)?;
        self.read_cd_span(cdb, start, count)
    }

    fn read_cd_span(&self, cdb: &[u8; 12], lba: u32, count: u32) -> Result<Answer, Sense> {
        // Expected sector type: any, or mode 1. No C2 error information, no subchannels.
        if !matches!(cdb[1] >> 2 & 7, 0 | 2) || cdb[9] & 0x06 != 0 || cdb[10] & 0x07 != 0 {
            return Err(Sense::INVALID_FIELD);
        }
        match cdb[9] & 0xF8 {
            0x00 => self.read(lba, 0, Format::User),
            0x10 => self.read(lba, count, Format::User),
            0xF8 => self.read(lba, count, Format::Raw),
            _ => Err(Sense::INVALID_FIELD),
        }
    }

    fn read_subchannel(&self, cdb: &[u8; 12]) -> Result<Vec<u8>, Sense> {
        self.medium()?;
        let mut reply = vec![0, 0x15, 0, 0]; // no audio status
        if cdb[2] & 0x40 != 0 {
            match cdb[3] {
                // Position: track 1, index 1, the disc's start.
                1 => {
                    reply.extend([1, 0x14, 1, 1]);
                    reply.extend(toc::address(0, cdb[1] & 2 != 0));
                    reply.extend([0; 4]);
                }
                // Catalogue number or ISRC: there is none.
                format @ (2 | 3) => {
                    reply.extend([format, 0x14, 1, 0]);
                    reply.extend([0; 16]);
                }
                _ => return Err(Sense::INVALID_FIELD),
            }
        }
        let len = (reply.len() - 4) as u8;
        reply[3] = len;
        Ok(reply)
    }

    fn read_header(&self, cdb: &[u8; 12]) -> Result<Vec<u8>, Sense> {
        let lba = be32(cdb, 2);
        if lba >= self.blocks()? {
            return Err(Sense::ADDRESS_OUT_OF_RANGE);
        }
        let mut reply = vec![1, 0, 0, 0]; // mode 1
        reply.extend(toc::address(lba, cdb[1] & 2 != 0));
        Ok(reply)
    }

    /// READ DISC INFORMATION: complete, one session, one track.
    fn disc_information(&self) -> Result<Vec<u8>, Sense> {
        self.medium()?;
        let mut reply = vec![0; 34];
        reply[2..8].copy_from_slice(&[0x0E, 1, 1, 1, 1, 0x20]);
        reply[16..24].fill(0xFF); // no lead-in or lead-out to write
        Ok(toc::with_length(reply))
    }

    /// READ TRACK INFORMATION, by sector, track or session: it is always track 1.
    fn track_information(&self, cdb: &[u8; 12]) -> Result<Vec<u8>, Sense> {
        let blocks = self.blocks()?;
        let number = be32(cdb, 2);
        let known = match cdb[1] & 3 {
            0 => number < blocks,
            _ => number == 1,
        };
        if !known {
            return Err(Sense::INVALID_FIELD);
        }
        let mut reply = vec![0; 36];
        reply[2..7].copy_from_slice(&[1, 1, 0, 0x04, 0x01]);
        reply[24..28].copy_from_slice(&blocks.to_be_bytes());
        Ok(toc::with_length(reply))
    }

    /// READ DVD STRUCTURE: the physical format of a DVD-ROM with one layer, no copyright protection.
    fn dvd_structure(&self, cdb: &[u8; 12]) -> Result<Vec<u8>, Sense> {
        const FIRST_SECTOR: u32 = 0x3_0000;
        let blocks = self.blocks()?;
        if !self.is_dvd() {
            return Err(Sense::WRONG_MEDIUM);
        }
        let mut reply = vec![0; 4];
        match cdb[7] {
            0 => {
                let last = FIRST_SECTOR.saturating_add(blocks).saturating_sub(1);
                reply.extend([0x01, 0x0F, 0x01, 0x00]);
                reply.extend(FIRST_SECTOR.to_be_bytes());
                reply.extend(last.to_be_bytes());
                reply.resize(4 + 2048, 0);
            }
            1 => reply.extend([0; 4]),
            _ => return Err(Sense::INVALID_FIELD),
        }
        Ok(toc::with_length(reply))
    }

    fn open_tray(&mut self) {
        if !self.tray_open {
            self.tray_open = true;
            self.event = Event::Removed;
        }
    }

    pub(super) fn close_tray(&mut self) {
        self.tray_open = false;
        if self.disc.is_some() {
            self.event = Event::NewMedium;
            self.attention = Some(Sense::MEDIUM_CHANGED);
        }
    }
}

/// Data for the host, at most as much as it has room for.
fn data(mut bytes: Vec<u8>, room: usize) -> Result<Answer, Sense> {
    bytes.truncate(room);
    Ok(Answer::Data(bytes))
}

fn be32(cdb: &[u8; 12], at: usize) -> u32 {
    u32::from_be_bytes([cdb[at], cdb[at + 1], cdb[at + 2], cdb[at + 3]])
}
