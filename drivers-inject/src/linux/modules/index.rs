//! Writes the binary form of `modules.dep`: the only one that kmod reads.
//!
//! The format (kmod's libkmod/libkmod-index.h): magic number, version, offset of the root node; all numbers are 32 bits,
//! big-endian. A node has the letters that all its keys go on with, the offsets of its children by their next letter,
//! and the values of the key that ends there; three bits of its offset tell which of these it has.

use std::collections::BTreeMap;

const MAGIC: u32 = 0xB007_F457;
/// 2.1.
const VERSION: u32 = 0x0002_0001;
const PREFIX: u32 = 0x8000_0000;
const VALUES: u32 = 0x4000_0000;
const CHILDREN: u32 = 0x2000_0000;

/// Writes an index: each key with its priority and value. `None` if it would be longer than the format can say, or a
/// key has letters that it cannot hold.
pub(super) fn write(values: &BTreeMap<String, (u32, String)>) -> Option<Vec<u8>> {
    let keys: Vec<(&[u8], &(u32, String))> = values.iter().map(|(key, value)| (key.as_bytes(), value)).collect();
    let possible = |byte: &u8| (1..128).contains(byte);
    if !keys
        .iter()
        .all(|(key, (_, value))| key.iter().all(possible) && !value.contains('\0'))
    {
        return None;
    }
    let mut bytes = Vec::new();
    for field in [MAGIC, VERSION, 0] {
        bytes.extend(field.to_be_bytes());
    }
    let root = node(&mut bytes, &keys, true)?;
    bytes.get_mut(8..12)?.copy_from_slice(&root.to_be_bytes());
    Some(bytes)
}

/// Writes the node of these keys, which are sorted, behind its children; its offset with the three bits. depmod gives
/// the root no letters, even if all keys begin alike.
fn node(bytes: &mut Vec<u8>, keys: &[(&[u8], &(u32, String))], root: bool) -> Option<u32> {
    let first = keys.first().map_or(&[][..], |(key, _)| key);
    let last = keys.last().map_or(&[][..], |(key, _)| key);
    // Sorted, what the outermost have in common all have.
    let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    let common = if root { 0 } else { common };
    let prefix = first.get(..common)?;
    let rest: Vec<(&[u8], &(u32, String))> = keys
        .iter()
        .map(|(key, value)| (key.get(common..).unwrap_or_default(), *value))
        .collect();
    let ended = rest.first().filter(|(key, _)| key.is_empty());
    let children: Vec<&(&[u8], &(u32, String))> = rest.iter().filter(|(key, _)| !key.is_empty()).collect();
    let letter = |child: &&(&[u8], &(u32, String))| child.0.first().copied();
    let bounds = children.first().and_then(letter).zip(children.last().and_then(letter));
    let mut offsets = Vec::new();
    if let Some((low, high)) = bounds {
        let mut left = rest.get(usize::from(ended.is_some())..)?;
        for at in low..=high {
            let count = left.iter().take_while(|(key, _)| key.first() == Some(&at)).count();
            let (here, others) = left.split_at_checked(count)?;
            left = others;
            let below: Vec<(&[u8], &(u32, String))> = here
                .iter()
                .map(|(key, value)| (key.get(1..).unwrap_or_default(), *value))
                .collect();
            offsets.push(if below.is_empty() {
                0
            } else {
                node(bytes, &below, false)?
            });
        }
    }
    let mut offset = u32::try_from(bytes.len())
        .ok()
        .filter(|offset| *offset < CHILDREN / 2)?;
    if !prefix.is_empty() {
        bytes.extend(prefix);
        bytes.push(0);
        offset |= PREFIX;
    }
    if let Some((low, high)) = bounds {
        bytes.extend([low, high]);
        bytes.extend(offsets.into_iter().flat_map(u32::to_be_bytes));
        offset |= CHILDREN;
    }
    if let Some((_, (priority, value))) = ended {
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(priority.to_be_bytes());
        bytes.extend(value.bytes());
        bytes.push(0);
        offset |= VALUES;
    }
    Some(offset)
}
