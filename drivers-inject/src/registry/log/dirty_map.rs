//! Logs of Windows 8 and before (`DIRT`): a map with a bit for each 512 bytes of the bins, then the pages whose bits are
//! set. One log holds one write.

use super::error::Unusable;
use super::header::Header;
use crate::registry::bytes::index;

/// Bytes a page.
const PAGE: usize = 512;
/// Bytes of the signature before the map.
const SIGNATURE: usize = 4;

/// The pages of a log: where each goes (bytes from the first bin), and the page.
pub(super) fn pages<'l>(header: &Header<'l>) -> Result<Vec<(usize, &'l [u8])>, Unusable> {
    let log = header.log;
    let sector = header.sector.len();
    let rest = log.get(sector..).unwrap_or_default();
    if !rest.starts_with(b"DIRT") {
        return Err(Unusable::NoMap);
    }
    if header.base.sequence1 != header.base.sequence2 {
        return Err(Unusable::Unfinished);
    }
    let bins = index(header.base.bins_size);
    let bits = bins.div_ceil(PAGE);
    let map_end = SIGNATURE.saturating_add(bits.div_ceil(8));
    let map = rest.get(SIGNATURE..map_end).ok_or(Unusable::Truncated)?;
    let mut stored = rest.get(map_end.next_multiple_of(sector)..).unwrap_or_default();
    let mut pages = Vec::new();
    for number in (0..bits).filter(|number| is_set(map, *number)) {
        let page;
        (page, stored) = stored.split_at_checked(PAGE).ok_or(Unusable::Truncated)?;
        pages.push((number.saturating_mul(PAGE), page));
    }
    Ok(pages)
}

fn is_set(map: &[u8], bit: usize) -> bool {
    let byte = map.get(bit / 8).copied().unwrap_or_default();
    byte.checked_shr(u32::try_from(bit % 8).unwrap_or_default())
        .unwrap_or_default()
        & 1
        == 1
}
