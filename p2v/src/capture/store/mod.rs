//! Where a capture is stored, and what of it is safe there. The copy gives chunks and does not know where they go.
//!
//! ```text
//! chunks ──> Store ──> local: image, journal, what was read late ──> conclude: machine folder
//!               │           └──> syncer: durable first, then in the journal
//!               └────> remote ── ssh ──> serve ──> local
//! ```

mod address;
mod base;
mod conclude;
mod frame;
pub(crate) mod journal;
mod line;
mod local;
mod past;
mod remote;
mod samples;
mod serve;
mod ssh;
mod ssh_words;
mod syncer;
mod wire;

pub(crate) use address::Address;
pub(crate) use base::Base;
pub(crate) use line::Line;
pub(crate) use local::{Local, Place};
pub(crate) use past::Past;
pub(crate) use remote::Found;
pub(crate) use serve::serve;
pub(crate) use ssh::{Asks, Way};
pub(crate) use wire::Wish;

use super::lost::Lost;
use super::progress::Progress;
use super::rescue::map::{Status, StatusMap};
use crate::error::Result;
use crate::machine::firmware::FirmwareFile;
use crate::signals::Stop;
use blake3::Hash;
use disk::ExtentSet;
use disk::qcow2::EncodedCluster;
use std::ops::Range;

/// A chunk on its way into the image.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Number on the disk.
    pub(crate) index: u64,
    /// Bytes that were read for it.
    pub(crate) read: u64,
    /// Checksum, if it holds anything but zeros.
    pub(crate) hash: Option<Hash>,
    /// Clusters that hold data, ascending.
    pub(crate) clusters: Vec<(u64, EncodedCluster)>,
}

/// Takes what the pipeline gives, in ascending order.
pub(crate) trait Sink {
    /// A chunk.
    fn append(&mut self, chunk: Packed) -> Result<()>;

    /// Ranges of a chunk that is left for later.
    fn leave(&mut self, ranges: &[Range<u64>]) -> Result<()>;
}

/// What a finished capture consists of beside what was stored before.
pub(crate) struct Conclusion {
    /// Bytes a logical sector.
    pub(crate) sector: u32,
    /// Everything that the image holds.
    pub(crate) used: ExtentSet,
    /// What of it could not be read.
    pub(crate) map: StatusMap,
    /// The text of machine.toml.
    pub(crate) machine: String,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Concluded {
    /// Size of the image file in bytes.
    pub(crate) image_bytes: u64,
    /// Chunks of the disk that hold anything but zeros.
    pub(crate) chunks_with_data: u64,
    /// What the disk could not read.
    pub(crate) lost: Lost,
}

/// A capture in the making. What was stored is safe after a while: at most [`UNSAFE`] bytes of the disk are not.
pub(crate) trait Store: Sink {
    /// Keeps what the old PC's firmware says of it, at once and durably. What an earlier run kept stays as it is: a disk can
    /// be in another PC by now.
    fn keep_firmware(&mut self, files: &[FirmwareFile]) -> Result<()>;

    /// `set`, in addition to what was said before, will be read late.
    fn begin_late(&mut self, set: &ExtentSet) -> Result<()>;

    /// Bytes at `offset` of the disk that were read late.
    fn keep(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// What became of a range that is read late.
    fn note(&mut self, range: Range<u64>, status: Status) -> Result<()>;

    /// Whether there is something worth going on with, as far as is known.
    fn is_worth(&self) -> bool;

    /// Makes everything safe that was stored. The answer is whether there is anything worth going on with.
    fn suspend(&mut self) -> Result<bool>;

    /// Makes it a machine.
    fn conclude(&mut self, conclusion: &Conclusion, progress: &Progress, stop: &Stop) -> Result<Concluded>;
}

/// At most so many bytes of what was read are not safe yet; what the pipeline holds comes on top of it.
pub(crate) const UNSAFE: u64 = 24 << 20;
