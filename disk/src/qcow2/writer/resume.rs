//! Going on with an image that was left unfinished.

use super::{Writer, WriterOptions, ZERO_ENTRY, check};
use crate::qcow2::Qcow2Error;
use crate::qcow2::entry::L2Entry;
use crate::qcow2::lock::LockedFile;
use crate::qcow2::output::Output;
use crate::qcow2::space::Space;
use std::fs::File;
use std::io;
use std::path::Path;

impl Writer {
    /// Goes on with an image that an earlier writer left unfinished: `path` holds what `clusters` say, numbers and what
    /// [`append`](Writer::append) gave for them, in the first `length` bytes. What lies behind is cut off.
    ///
    /// The earlier writer's tables are not looked for: they are made again, and where they were stays unused.
    pub fn resume(
        path: &Path,
        options: WriterOptions,
        length: u64,
        clusters: impl IntoIterator<Item = io::Result<(u64, u64)>>,
    ) -> Result<Self, Qcow2Error> {
        let options = options.whole_sectors();
        check(path, options)?;
        let failed = |e| Qcow2Error::io(path, e);
        let file = File::options().read(true).write(true).open(path).map_err(failed)?;
        let file = LockedFile::exclusive(file, path)?;
        let there = file.metadata().map_err(failed)?.len();
        if there < length {
            let message = format!("it has {there} bytes of the {length} that were safe on the disk before");
            return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, message)));
        }
        file.set_len(length).map_err(failed)?;
        let mut out = Output::new(file, path);
        // It may have been finished and not been put to use: its header speaks of tables that are gone.
        out.write(0, &[0; 512][..512.min(usize::try_from(length).unwrap_or(512))])?;
        let space = Space::resumed(&mut out, options.cluster_bits, length)?;
        let mut writer = Writer::with(out, options, space);
        for cluster in clusters {
            let (cluster, entry) = cluster.map_err(failed)?;
            writer.restore(cluster, entry, length)?;
        }
        Ok(writer)
    }

    /// Enters a cluster that is in the file already.
    fn restore(&mut self, cluster: u64, entry: u64, length: u64) -> Result<(), Qcow2Error> {
        let size = self.cluster_size();
        let (start, end) = match L2Entry::decode(entry, self.options.cluster_bits, true) {
            L2Entry::Plain(offset) => {
                self.plain_clusters += 1;
                (offset, offset.saturating_add(size))
            }
            L2Entry::Compressed { offset, max_len } => {
                self.compressed_clusters += 1;
                (offset, offset.saturating_add(max_len))
            }
            L2Entry::Zero if entry == ZERO_ENTRY => {
                let slot = self.free_slot(cluster)?;
                return self.l2.set(&mut self.out, slot.0, slot.1, &entry.to_be_bytes());
            }
            L2Entry::Unallocated | L2Entry::Zero => {
                return Err(self.misuse(format!("cluster {cluster} is in no place of the file")));
            }
        };
        // The length is rounded up to whole sectors of 512 bytes, and the last ones may not be full.
        let inside = start >= size && end <= length.saturating_add(511);
        if cluster >= self.options.virtual_size.div_ceil(size) || !inside {
            return Err(self.misuse(format!("cluster {cluster} lies outside of what was written")));
        }
        let slot = self.free_slot(cluster)?;
        let mut referred = start & !(size - 1);
        while referred < end.min(length) {
            self.space.refer(&mut self.out, referred)?;
            referred += size;
        }
        self.l2.set(&mut self.out, slot.0, slot.1, &entry.to_be_bytes())
    }
}
