//! What opens a BitLocker volume. Nothing is decrypted.
//!
//! Source: Joachim Metz, "BitLocker Drive Encryption (BDE) format specification" (libbde): volume header, FVE metadata
//! block, metadata entries, key protector types. `cryptsetup bitlkDump` reads the same.

use crate::bytes::Fields;
use crate::io::ReadAt;
use serde::Serialize;
use std::io;

/// A way to the volume's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Protector {
    /// The key lies open on the disk: protection is suspended, or was never finished.
    ClearKey,
    /// The old computer's TPM, alone or with a PIN or a startup key.
    Tpm,
    /// A file on a USB stick.
    StartupKey,
    /// 48 digits.
    RecoveryPassword,
    /// A password.
    Password,
    /// Something that is not known here: a smart card, a network.
    Other,
}

/// How a BitLocker volume is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BitLocker {
    /// BitLocker To Go: a removable disk with data, never a Windows that starts.
    pub to_go: bool,
    /// What opens it, each kind once; empty if its metadata cannot be read.
    pub protectors: Vec<Protector>,
}

const SIGNATURE: &[u8] = b"-FVE-FS-";
/// The identifier before the places of the metadata, as stored, and where it stands in the volume header: on fixed
/// disks, on removable ones.
const IDENTIFIER: &[u8] = b"\x3B\xD6\x67\x49\x29\x2E\xD8\x4A\x83\x99\xF6\xA3\x39\xE3\xD0\x01";
const AT: usize = 160;
const AT_TO_GO: usize = 424;
/// Most that is read of a metadata block, in bytes.
const BLOCK: u64 = 64 << 10;
/// Bytes of a block's own header, before the header of the metadata.
const BLOCK_HEADER: usize = 64;
/// Bytes before an entry's data: size, type, value type, version, 16 bits each.
const ENTRY_HEADER: usize = 8;

/// Reads how a volume is protected; `None` if it is not a BitLocker volume.
pub fn bitlocker<D: ReadAt + ?Sized>(volume: &D) -> io::Result<Option<BitLocker>> {
    let mut sector = [0; 512];
    if volume.size() < super::MIN_SIZE {
        return Ok(None);
    }
    volume.read_at(0, &mut sector)?;
    let header = Fields(&sector);
    let to_go = header.has(AT_TO_GO, IDENTIFIER);
    if !to_go && !header.has(3, SIGNATURE) {
        return Ok(None);
    }
    let mut found = BitLocker {
        to_go,
        protectors: Vec::new(),
    };
    let identifier = if to_go { AT_TO_GO } else { AT };
    // Windows Vista has no identifier there, and its metadata elsewhere.
    if !header.has(identifier, IDENTIFIER) {
        return Ok(Some(found));
    }
    for copy in 0..3usize {
        let at = header.le64(identifier.saturating_add(16).saturating_add(copy.saturating_mul(8)));
        let len = volume.size().saturating_sub(at).min(BLOCK);
        let mut block = vec![0; usize::try_from(len).unwrap_or(0)];
        if at == 0 || block.is_empty() || volume.read_at(at, &mut block).is_err() {
            continue;
        }
        if let Some(protectors) = protectors(&block) {
            found.protectors = protectors;
            break;
        }
    }
    Ok(Some(found))
}

/// The protectors in one copy of the metadata; `None` if it is damaged.
fn protectors(block: &[u8]) -> Option<Vec<Protector>> {
    Fields(block).has(0, SIGNATURE).then_some(())?;
    let metadata = block.get(BLOCK_HEADER..)?;
    let size = usize::try_from(Fields(metadata).le32(0)).ok()?;
    let header = usize::try_from(Fields(metadata).le32(8)).ok()?;
    let mut entries = metadata.get(..size)?.get(header..)?;
    let mut found = Vec::new();
    while entries.len() >= ENTRY_HEADER {
        let entry = Fields(entries);
        let size = usize::from(entry.le16(0));
        // The end, or damage: an entry is no smaller than its header.
        if size < ENTRY_HEADER {
            break;
        }
        // A volume master key: identifier (16 bytes), time (8), unknown (2), protection type (2).
        if (entry.le16(2), entry.le16(4)) == (2, 8) {
            found.push(match entry.le16(ENTRY_HEADER.saturating_add(26)) {
                0x0000 => Protector::ClearKey,
                0x0100 | 0x0400 | 0x0500 | 0x0600 => Protector::Tpm,
                0x0200 => Protector::StartupKey,
                0x0800 => Protector::RecoveryPassword,
                0x2000 => Protector::Password,
                _ => Protector::Other,
            });
        }
        entries = entries.get(size..)?;
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}
