//! Room in a new image's file: clusters handed out one after the other, each with its reference count.

use super::Qcow2Error;
use super::header::MAX_REFCOUNT_TABLE_BYTES;
use super::output::Output;
use super::tables::Tables;
use std::io;

/// Reference counts have 16 bits.
const COUNT_BYTES: usize = 2;
/// Memory for refcount blocks. A block of 64 KiB counts for 2 GiB of the file: hardly more than one is in use.
const MEMORY: usize = 4 << 20;

/// The clusters of the file and how often each is referred to.
pub(super) struct Space {
    counts: Tables,
    cluster_bits: u32,
    /// Clusters handed out: the file ends there.
    end: u64,
}

impl Space {
    /// A file in which only the header's cluster is taken.
    pub(super) fn new(out: &mut Output, cluster_bits: u32) -> Result<Self, Qcow2Error> {
        Space::resumed(out, cluster_bits, 0)
    }

    /// A file of which the first `length` bytes were handed out before; nothing but the header refers to them yet.
    pub(super) fn resumed(out: &mut Output, cluster_bits: u32, length: u64) -> Result<Self, Qcow2Error> {
        let mut space = Space {
            counts: Tables::new(1 << cluster_bits, MEMORY),
            cluster_bits,
            end: length.div_ceil(1 << cluster_bits).max(1),
        };
        space.refer(out, 0)?;
        Ok(space)
    }

    /// 2^bits bytes a cluster.
    pub(super) fn cluster_bits(&self) -> u32 {
        self.cluster_bits
    }

    /// Where the file ends (bytes), if everything handed out is used.
    pub(super) fn end(&self) -> u64 {
        self.end << self.cluster_bits
    }

    /// Hands out `clusters` clusters in a row that nothing refers to yet; their offset in bytes.
    pub(super) fn reserve(&mut self, clusters: u64) -> u64 {
        let offset = self.end();
        self.end += clusters;
        offset
    }

    /// Takes back what was handed out last: the file ends at `offset` (bytes) again.
    pub(super) fn give_back(&mut self, offset: u64) {
        self.end = offset >> self.cluster_bits;
    }

    /// Hands out `clusters` clusters in a row, referred to once each; their offset in bytes.
    pub(super) fn allocate(&mut self, out: &mut Output, clusters: u64) -> Result<u64, Qcow2Error> {
        let offset = self.reserve(clusters);
        for number in 0..clusters {
            self.refer(out, offset + (number << self.cluster_bits))?;
        }
        Ok(offset)
    }

    /// Counts one more reference to the cluster that holds the byte at `offset`; how many there are now.
    pub(super) fn refer(&mut self, out: &mut Output, offset: u64) -> Result<u16, Qcow2Error> {
        let cluster = offset >> self.cluster_bits;
        let block = self.block_of(cluster);
        if !self.counts.exists(block) {
            // The block has a cluster of its own, counted in itself or in the next one. It must exist before that
            // cluster is counted, or it would be made again.
            let place = self.reserve(1);
            self.counts.create(block, place);
            self.refer(out, place)?;
        }
        let at = (cluster & (self.block_entries() - 1)) as usize * COUNT_BYTES;
        let count = u16::from_be_bytes(self.counts.get(out, block, at)?).saturating_add(1);
        self.counts.set(out, block, at, &count.to_be_bytes())?;
        Ok(count)
    }

    /// Allocates the refcount table, then writes it and all blocks. Nothing can be handed out afterwards.
    /// Returns the table's offset in bytes, its length in clusters, and the length of the file in bytes.
    pub(super) fn finish(mut self, out: &mut Output) -> Result<(u64, u32, u64), Qcow2Error> {
        let entries_a_cluster = 1u64 << (self.cluster_bits - 3);
        // The table needs an entry for each block, also for the blocks that its own clusters need: grow until it fits.
        let mut clusters = 1;
        loop {
            let blocks_at_most = self.block_of(self.end + clusters) as u64 + 3;
            if blocks_at_most <= clusters * entries_a_cluster {
                break;
            }
            clusters += 1;
        }
        if clusters << self.cluster_bits > MAX_REFCOUNT_TABLE_BYTES {
            let message = "the image file has become too large for its cluster size";
            return Err(out.error(io::Error::new(io::ErrorKind::FileTooLarge, message)));
        }
        let offset = self.allocate(out, clusters)?;
        self.counts.flush(out)?;
        let mut table: Vec<u8> = self.counts.offsets().iter().flat_map(|o| o.to_be_bytes()).collect();
        table.resize((clusters << self.cluster_bits) as usize, 0);
        out.write(offset, &table)?;
        Ok((offset, clusters as u32, self.end()))
    }

    fn block_entries(&self) -> u64 {
        1 << (self.cluster_bits - 1)
    }

    fn block_of(&self, cluster: u64) -> usize {
        (cluster >> (self.cluster_bits - 1)) as usize
    }
}
