//! Telling a bad place on a disk from a disk that is gone.

use crate::source::Input;
use rustix::io::Errno;
use std::io;

/// Whether `error` is about the place that was read, so that others may still be good.
///
/// The numbers are those that Linux gives for block devices (`blk_errors` in `block/blk-core.c`): medium, target,
/// protection, timeout, plain I/O.
pub(super) fn is_media_error(input: &Input, error: &io::Error) -> bool {
    let Input::Disk(source) = input else { return false };
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    let of_the_place = matches!(
        errno,
        Some(Errno::IO | Errno::NODATA | Errno::REMOTEIO | Errno::ILSEQ | Errno::TIMEDOUT | Errno::BADMSG)
    );
    // A disk that was unplugged answers everything with EIO too, but its name goes away.
    of_the_place && source.info().path.exists()
}
