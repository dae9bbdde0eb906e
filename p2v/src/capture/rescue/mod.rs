//! What the pipeline left out because the disk could not read it, or only slowly: read again, in the order of [`passes`],
//! into a file beside the image. What is lost stays zero there.

mod device;
mod kept;
pub(crate) mod map;
mod passes;

use super::progress::Progress;
use crate::error::{Failure, Result};
use crate::signals::Stop;
use crate::source::Input;
use device::Device;
use disk::ExtentSet;
pub(crate) use kept::Kept;
use map::{Status, StatusMap};
use std::path::Path;
use std::sync::Arc;

/// Reads `left` (bytes, multiples of 4096 but for the disk's end) of `input` into the new file `kept`.
pub(super) fn run(
    input: &Input,
    left: &ExtentSet,
    kept: &Path,
    retries: u32,
    progress: &Progress,
    stop: &Stop,
) -> Result<(StatusMap, Arc<Kept>)> {
    let failed = |error| Failure::target_write(kept, &error);
    let info = input.info();
    let kept = Arc::new(Kept::create(kept, left, info.size).map_err(failed)?);
    // A sector of 4096 bytes that calls itself eight of 512 fails as a whole: its parts need not be tried.
    let sector = if info.physical_sector.is_multiple_of(info.logical_sector.max(1)) && info.physical_sector <= 4096 {
        info.physical_sector
    } else {
        info.logical_sector
    };
    let mut map = StatusMap::new(left, Status::NonTried);
    let mut device = Device::new(input, &kept, progress, stop);
    passes::run(&mut map, &mut device, u64::from(sector), info.size, retries)?;
    Ok((map, kept))
}
