//! SMBIOS: what a PC's firmware says about the PC. Reading the tables of another PC, and choosing what of them a virtual
//! machine may say of itself.
//!
//! Source: DMTF DSP0134, System Management BIOS Reference Specification 3.7, sections 5.2 (entry points), 6.1 (structures)
//! and 7 (types).

mod machine;
#[cfg(test)]
mod tests;

pub use machine::{Hardware, Tables};

use std::collections::BTreeSet;

/// Structures that say whose the PC is: firmware, system, board, enclosure, the maker's strings.
const IDENTITY: [u8; 5] = [0, 1, 2, 3, 11];
const END: u8 = 127;
/// Type, length, handle.
const HEADER: usize = 4;
/// The firmware keeps all tables in 256 KiB, and a 2.1 entry point speaks of at most 64 KiB. Real PCs need about 1 KiB.
const LARGEST: usize = 32 << 10;

/// What is wrong with the tables of another PC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmbiosError {
    /// The entry point is none.
    #[error("the SMBIOS entry point is damaged: {0}")]
    EntryPoint(&'static str),
    /// A structure is damaged.
    #[error("the SMBIOS structure at byte {offset} is damaged: {problem}")]
    Structure {
        /// Where it begins in the tables.
        offset: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// None of the structures says anything about the PC.
    #[error("the SMBIOS tables do not say which PC they are of")]
    Nothing,
    /// More than the firmware can take.
    #[error("the SMBIOS structures that say which PC it is have {0} bytes: no real PC has so much")]
    TooLarge(usize),
}

/// One structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure<'a> {
    /// Type.
    pub kind: u8,
    /// The number by which others refer to it.
    pub handle: u16,
    /// The whole structure: header, fields, strings, and the zeros that end them.
    pub bytes: &'a [u8],
}

/// The structures of a table, up to its end mark or its last byte. After a damaged one nothing follows.
pub fn structures(table: &[u8]) -> impl Iterator<Item = Result<Structure<'_>, SmbiosError>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = table.get(offset..).filter(|rest| !rest.is_empty())?;
        let found = first(rest).map_err(|problem| SmbiosError::Structure { offset, problem });
        offset = match &found {
            Ok(structure) if structure.kind != END => offset.saturating_add(structure.bytes.len()),
            _ => usize::MAX,
        };
        Some(found)
    })
}

/// The first structure of a table that is not empty.
fn first(table: &[u8]) -> Result<Structure<'_>, &'static str> {
    let [kind, length, low, high, ..] = *table else {
        return Err("it is cut off in its header");
    };
    let length = usize::from(length);
    if length < HEADER {
        return Err("its length is smaller than its header");
    }
    let strings = table.get(length..).ok_or("it is cut off in its fields")?;
    let end = strings.windows(2).position(|pair| pair == [0, 0]);
    let end = end.ok_or("its strings do not end")?;
    let bytes = table.get(..length + end + 2).ok_or("it is cut off")?;
    Ok(Structure {
        kind,
        handle: u16::from_le_bytes([low, high]),
        bytes,
    })
}

/// The version that an entry point speaks of: 2.1 (`_SM_`), 3.0 (`_SM3_`), or that of before 2.1 (`_DMI_`).
///
/// # Errors
/// [`SmbiosError::EntryPoint`] if it is cut off, unknown, or its checksum is wrong.
pub fn version(entry_point: &[u8]) -> Result<(u8, u8), SmbiosError> {
    let wrong = SmbiosError::EntryPoint;
    let byte = |at: usize| entry_point.get(at).copied();
    let sums = |length: usize| {
        let bytes = entry_point.get(..length).ok_or(wrong("it is cut off"))?;
        if sum(bytes) == 0 {
            Ok(())
        } else {
            Err(wrong("its checksum is wrong"))
        }
    };
    let cut = wrong("it is cut off");
    if entry_point.starts_with(b"_SM3_") {
        let length = usize::from(byte(6).ok_or(cut)?);
        if length < 0x18 {
            return Err(wrong("it is too short"));
        }
        sums(length)?;
        Ok((byte(7).ok_or(cut)?, byte(8).ok_or(cut)?))
    } else if entry_point.starts_with(b"_SM_") {
        // Specification 2.1 gave 1Eh for 1Fh, and firmware followed.
        let length = usize::from(byte(5).ok_or(cut)?).max(0x1e);
        sums(length.min(entry_point.len()).max(0x1e))?;
        Ok((byte(6).ok_or(cut)?, byte(7).ok_or(cut)?))
    } else if entry_point.starts_with(b"_DMI_") {
        sums(15)?;
        let bcd = byte(14).ok_or(cut)?;
        Ok(if bcd == 0 { (2, 0) } else { (bcd >> 4, bcd & 15) })
    } else {
        Err(wrong("it does not begin as one"))
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// Which PC it is: the structures of its tables that stay true when its system runs on other hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcIdentity {
    version: (u8, u8),
    /// The structures, one after the other, without an end mark.
    kept: Vec<u8>,
    count: u16,
    longest: u16,
    /// Every handle that the tables give or speak of in a header.
    handles: BTreeSet<u16>,
}

impl PcIdentity {
    /// Reads the tables of a PC: its entry point and its structures, as Linux shows them in `/sys/firmware/dmi/tables`
    /// (`smbios_entry_point`, `DMI`).
    ///
    /// Types 0 (firmware), 1 (system), 2 (board), 3 (enclosure) and 11 (the maker's strings) are taken. What describes
    /// hardware is not: that is another one now. Nor are the makers' own types (128 and above): drivers use them to
    /// call the old firmware, which is not there.
    ///
    /// # Errors
    /// Damage anywhere in the tables, none of the types, or more of them than any PC has.
    pub fn read(entry_point: &[u8], table: &[u8]) -> Result<Self, SmbiosError> {
        let mut identity = PcIdentity {
            version: version(entry_point)?,
            kept: Vec::new(),
            count: 0,
            longest: 0,
            handles: BTreeSet::new(),
        };
        for structure in structures(table) {
            let structure = structure?;
            identity.handles.insert(structure.handle);
            if IDENTITY.contains(&structure.kind) {
                identity.kept.extend_from_slice(structure.bytes);
                let size = identity.kept.len();
                let too_large = SmbiosError::TooLarge(size);
                if size > LARGEST {
                    return Err(too_large);
                }
                let length = u16::try_from(structure.bytes.len()).map_err(|_| too_large)?;
                identity.longest = identity.longest.max(length);
                identity.count += 1;
            }
        }
        if identity.kept.is_empty() {
            return Err(SmbiosError::Nothing);
        }
        Ok(identity)
    }

    /// The structures that were taken.
    pub fn structures(&self) -> impl Iterator<Item = Structure<'_>> {
        structures(&self.kept).flatten()
    }
}
