//! What `p2v live-usb` takes.

use crate::live::Arch;
use clap::Args;
use std::path::PathBuf;

const LIVE_EXAMPLES: &str = "\
Examples:
  p2v live-usb -o p2v-live.iso                  make the image
  p2v live-usb --write /dev/sdb p2v-live.iso    write it to a stick, and read it back
  p2v live-usb --write /dev/sdb                 both, without keeping the image
  p2v live-usb --arch i386 -o p2v-old.iso       for PCs from before about 2006, with 32-bit processors

The image also starts from a disc. It holds Debian 12 with p2v; it starts by BIOS and UEFI, needs 640 MiB of memory,
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
    /// For which PCs: amd64 for those since about 2006; i386 for older ones, whose processors have no 64 bits
    ///
    /// A stick for i386 starts by BIOS and by 32-bit UEFI, also on most 64-bit PCs. It needs a p2v of its own.
    #[arg(long, value_enum, value_name = "amd64|i386", hide_possible_values = true, default_value_t = Arch::Amd64, conflicts_with = "image")]
    pub(crate) arch: Arch,
    /// The Debian archive that packages come from [default: those of this computer's apt]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "image")]
    pub(crate) mirror: Option<String>,
    /// The p2v that goes onto the stick [default: this one; for i386 the p2v-i386 beside it]
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    pub(crate) program: Option<PathBuf>,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
