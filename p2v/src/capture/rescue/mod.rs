//! What the pipeline left out because the disk could not read it, or only slowly: read again, in the order of [`passes`],
//! into a file beside the image ([`kept`]). What is lost stays zero there.

mod device;
mod kept;
pub(crate) mod map;
mod passes;

use super::progress::Progress;
use super::store::Store;
use crate::error::Result;
use crate::signals::Stop;
use crate::source::Input;
use device::Device;
pub(crate) use kept::Kept;
use map::StatusMap;

/// Reads what `map` does not call finished into `store`, and says in the map what became of it.
pub(super) fn run(
    input: &Input,
    map: &mut StatusMap,
    store: &mut dyn Store,
    retries: u32,
    progress: &Progress,
    stop: &Stop,
) -> Result<()> {
    let info = input.info();
    // A sector of 4096 bytes that calls itself eight of 512 fails as a whole: its parts need not be tried.
    let sector = if info.physical_sector.is_multiple_of(info.logical_sector.max(1)) && info.physical_sector <= 4096 {
        info.physical_sector
    } else {
        info.logical_sector
    };
    let mut device = Device::new(input, store, progress, stop);
    passes::run(map, &mut device, u64::from(sector), info.size, retries)
}
