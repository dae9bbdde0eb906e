//! What `p2v live-usb` takes.

use clap::Args;
use std::path::PathBuf;

const LIVE_EXAMPLES: &str = "\
Examples:
  p2v live-usb -o p2v-live.iso                  make the image
  p2v live-usb --write /dev/sdb p2v-live.iso    write it to a stick, and read it back
  p2v live-usb --write /dev/sdb                 both, without keeping the image

The image also starts from a disc. It holds Debian 12 (64-bit) with p2v; it starts by BIOS and UEFI, needs 640 MiB of memory,
and writes to none of the PC's disks: they are read-only until `p2v-mount` is typed there.
The rest of the stick becomes a partition for captures (ext4, P2V-CAPTURES). Everything that was on the stick is lost.";

/// `p2v live-usb`
#[derive(Debug, Args)]
#[command(after_help = LIVE_EXAMPLES)]
pub(crate) struct LiveUsbArgs {
    /// Write this image, which was made before, in the place of a new one
    #[arg(value_name = "ISO", requires = "write", conflicts_with = "output")]
    pub(crate) image: Option<PathBuf>,
    /// Make the image, and keep it here
    #[arg(short, long, value_name = "FILE", required_unless_present = "write")]
    pub(crate) output: Option<PathBuf>,
    /// Write it to this stick (/dev/sdb), or to a file that stands for one, and read it back
    #[arg(long, value_name = "DISK")]
    pub(crate) write: Option<PathBuf>,
    /// Write even to a disk that is neither removable nor on USB
    #[arg(long, requires = "write")]
    pub(crate) even_if_not_removable: bool,
    /// Overwrite the stick without asking
    #[arg(long, requires = "write")]
    pub(crate) yes: bool,
    /// The Debian archive that packages come from [default: those of this computer's apt]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "image")]
    pub(crate) mirror: Option<String>,
    /// The p2v that goes onto the stick [default: this one]
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    pub(crate) program: Option<PathBuf>,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
