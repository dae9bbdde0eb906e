//! Little-endian fields in a slice that may be too short: read, and written.

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    let end = at.checked_add(N)?;
    bytes.get(at..end)?.try_into().ok()
}

/// The two bytes at `at`.
pub(super) fn pair(bytes: &[u8], at: usize) -> Option<[u8; 2]> {
    array(bytes, at)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(super) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    array(bytes, at).map(i32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// A file offset or length as an index. No supported target has a smaller `usize`.
pub(super) fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Writes `field` at `at`; `None`, and nothing written, where it does not fit.
pub(super) fn put(bytes: &mut [u8], at: usize, field: &[u8]) -> Option<()> {
    let end = at.checked_add(field.len())?;
    bytes.get_mut(at..end)?.copy_from_slice(field);
    Some(())
}

/// Writes a number at `at`; `None`, and nothing written, where it does not fit.
pub(super) fn put_u32(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
    put(bytes, at, &value.to_le_bytes())
}
