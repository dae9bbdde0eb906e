//! The names of inodes, from the folders that know them.

use super::ROOT;
use crate::bytes::Fields;
use std::collections::HashMap;

/// Folders in folders: a damaged volume can have circles.
const MOST_FOLDERS: usize = 256;

/// The entries of one block of a folder, without `.` and `..`; up to the first that makes no sense. The blocks of an
/// index look like a single empty entry.
pub(super) fn entries(block: &[u8]) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut at = 0usize;
    loop {
        let entry = Fields(block.get(at..).unwrap_or_default());
        let (inode, length, name) = (entry.le32(0), usize::from(entry.le16(4)), usize::from(entry.u8(6)));
        if length < 8 || length % 4 != 0 {
            return found;
        }
        let bytes = entry.from(8).get(..name).unwrap_or_default();
        if inode != 0 && !bytes.is_empty() && bytes != b"." && bytes != b".." {
            found.push((inode, String::from_utf8_lossy(bytes).into_owned()));
        }
        at = at.saturating_add(length);
    }
}

/// The path of an inode. One that no folder knows goes by its number.
pub(super) fn path(inode: u32, names: &HashMap<u32, (u32, String)>) -> String {
    let mut parts = Vec::new();
    let mut here = inode;
    while here != ROOT {
        match names.get(&here) {
            Some((parent, name)) if parts.len() < MOST_FOLDERS => {
                parts.push(name.clone());
                here = *parent;
            }
            _ => {
                parts.push(format!("(inode {here}, whose folder is not known)"));
                break;
            }
        }
    }
    parts.push(String::new());
    parts.reverse();
    if parts.len() == 1 {
        return "/".to_owned();
    }
    parts.join("/")
}
