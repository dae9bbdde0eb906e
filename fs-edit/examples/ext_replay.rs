//! Replays the journal of an ext3 or ext4 image in place: for comparing with `e2fsck` and the kernel by hand.

use disk::raw::RawFile;
use disk::{ReadAt, usedmap::VolumeKind};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: ext_replay IMAGE")?;
    let device = RawFile::open(path.as_ref(), true)?;
    let replayed = fs_edit::replay_journal(VolumeKind::Ext, &device, 0..device.size())?;
    println!("{replayed:?}");
    Ok(())
}
