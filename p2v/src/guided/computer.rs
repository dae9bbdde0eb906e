//! What the guided interface asks of the computer that it runs on.

use super::disks::{Disk, Looked};
use super::health::Health;
use super::places::{Place, Volume};
use std::path::{Path, PathBuf};

/// An answer, or why there is none: a sentence for the owner.
pub(super) type Answer<T> = Result<T, String>;

/// Disks and places. Everything here may take its time; nothing but [`mount`](Computer::mount) changes anything.
pub(super) trait Computer: Send + Sync {
    /// The disks, without a look into them.
    fn disks(&self) -> Answer<Vec<Disk>>;

    /// A look into one: the systems on it, and how much there is to copy.
    fn look(&self, disk: &Path) -> Answer<Looked>;

    /// What the disk says of its own health.
    fn health(&self, disk: &Path) -> Health;

    /// Where a copy of `source` with `data` bytes could go.
    fn places(&self, source: &Path, data: u64) -> Vec<Place>;

    /// Mounts what the person has chosen, for reading and writing, and says where. Never the source.
    fn mount(&self, volume: &Volume, source: &Path, data: u64) -> Answer<PathBuf>;

    /// Undoes [`mount`](Computer::mount), when everything is written.
    fn unmount(&self, point: &Path) -> Answer<()>;

    /// Whether a copy of `source` with `data` bytes can go into a folder of this name.
    fn check_folder(&self, folder: &Path, source: &Path, data: u64) -> Answer<()>;
}
