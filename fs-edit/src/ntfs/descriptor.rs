//! Security descriptors: whether a folder gives rights on to what is made in it.
//!
//! Source: Microsoft, [MS-DTYP] 2.4.6 `SECURITY_DESCRIPTOR` (self-relative), 2.4.5 `ACL`, 2.4.4 `ACE`.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

/// `OBJECT_INHERIT_ACE` and `CONTAINER_INHERIT_ACE`.
const FOR_FILES: u8 = 0x01;
const FOR_FOLDERS: u8 = 0x02;
/// `ACCESS_ALLOWED_ACE_TYPE`.
const ALLOWED: u8 = 0;

/// Whether somebody is allowed something in new files (or folders) of the folder with this descriptor.
pub(super) fn gives_on(descriptor: &[u8], to_folders: bool) -> bool {
    let wanted = if to_folders { FOR_FOLDERS } else { FOR_FILES };
    entries(descriptor)
        .unwrap_or_default()
        .into_iter()
        .any(|(kind, flags)| kind == ALLOWED && flags & wanted != 0)
}

/// Type and flags of every entry of the discretionary list; `None` if there is none, or it cannot be read.
fn entries(descriptor: &[u8]) -> Option<Vec<(u8, u8)>> {
    let offset = u32::from_le_bytes(descriptor.get(16..20)?.try_into().ok()?);
    let list = descriptor.get(usize::try_from(offset).ok().filter(|offset| *offset != 0)?..)?;
    let count = le16(list, 4)?;
    let mut rest = list.get(8..)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let size = usize::from(le16(rest, 2)?);
        entries.push((*rest.first()?, *rest.get(1)?));
        rest = rest.get(size.max(4)..)?;
    }
    Some(entries)
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::gives_on;
    use proptest::prelude::*;

    /// A descriptor whose list has these entries, each for the group "Everyone" (S-1-1-0).
    fn descriptor(entries: &[(u8, u8)]) -> Vec<u8> {
        let mut bytes = vec![1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0];
        let size = u8::try_from(8 + entries.len() * 20).unwrap();
        bytes.extend([2, 0, size, 0, u8::try_from(entries.len()).unwrap(), 0, 0, 0]);
        for (kind, flags) in entries {
            bytes.extend([*kind, *flags, 20, 0, 0xFF, 1, 31, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        }
        bytes
    }

    #[test]
    fn only_inheritable_permissions_are_given_on() {
        assert!(gives_on(&descriptor(&[(0, 0), (0, 1)]), false));
        assert!(!gives_on(&descriptor(&[(0, 0), (0, 1)]), true));
        assert!(gives_on(&descriptor(&[(0, 0x0B)]), true));
        assert!(!gives_on(&descriptor(&[(1, 3), (0, 0x10)]), false));
        assert!(!gives_on(&descriptor(&[]), false));
        assert!(!gives_on(&[1, 0, 4, 0x80], false));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..80), folders: bool) {
            gives_on(&bytes, folders);
        }
    }
}
