//! DOS and Windows 9x.

use crate::System;
use crate::volumes::MountedVolume;

/// The DOS or Windows 9x system on a FAT volume.
pub(crate) fn find(volume: &mut MountedVolume) -> Option<System> {
    let _ = volume;
    None
}
