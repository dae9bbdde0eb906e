//! The volume as it will be: so that everything can be checked before anything is written.

use super::log::Log;
use disk::ReadAt;
use std::collections::BTreeMap;
use std::io;

/// A volume with what waits in its journal.
pub(super) struct After<'a, V> {
    pub(super) log: &'a Log<'a, V>,
    pub(super) writes: &'a BTreeMap<u64, (u64, bool)>,
}

impl<V: ReadAt> ReadAt for After<'_, V> {
    fn size(&self) -> u64 {
        self.log.volume.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.log.volume.read_at(offset, buf)?;
        let size = self.log.superblock.block_size;
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let inside = at.checked_rem(size).unwrap_or(0);
            let len = usize::try_from(size.saturating_sub(inside)).unwrap_or(usize::MAX);
            let (part, others) = rest.split_at_mut(len.min(rest.len()));
            if let Some((place, escaped)) = at.checked_div(size).and_then(|block| self.writes.get(&block)) {
                let block = self.log.contents(*place, *escaped).map_err(io::Error::other)?;
                let from = block.iter().skip(usize::try_from(inside).unwrap_or(usize::MAX));
                for (to, from) in part.iter_mut().zip(from) {
                    *to = *from;
                }
            }
            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            rest = others;
        }
        Ok(())
    }
}
