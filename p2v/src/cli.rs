//! The command line: what can be typed. Shell completions and the man page come from these definitions too.
//!
//! The doc comments here are the help texts that a person reads. What was typed is resolved into plans elsewhere.

mod live;
mod machines;

pub(crate) use live::LiveUsbArgs;
pub(crate) use machines::{
    LauncherCommand, ListArgs, RemoveArgs, RenameArgs, ResetArgs, SnapshotCommand, SnapshotNameArgs,
};
use machines::{REMOVE_HELP, SNAPSHOT_EXAMPLES};

use crate::machine::sessions::Session;
use crate::machine::{Graphics, Identity};
use clap::{Args, Parser, Subcommand, ValueEnum};
#[cfg(feature = "launch")]
use runner::display::ListenAddress;
use std::path::PathBuf;

/// Printed below `p2v --help`.
const EXAMPLES: &str = "\
From the old disk to the old desktop:
  p2v                                on a terminal: asks which disk, where to, and copies it
  p2v disks                          which disks there are
  p2v inspect /dev/sda               what is on one
  p2v capture /dev/sda -o oldpc      copy it into the folder oldpc
  p2v capture /dev/sda --name oldpc  copy it into the library, under this name
  p2v verify oldpc                   check the copy
  p2v adapt oldpc                    let its Windows start on other hardware
  p2v launch oldpc                   run it
  p2v list                           which machines the library has

A machine is named by its folder, or by its name in the library: $P2V_MACHINES, else $XDG_DATA_HOME/p2v/machines, else
~/.local/share/p2v/machines. What has a slash, or is a folder here, is a folder; everything else is a name.

Exit codes:
  0    done
  1    failed, or a check found differences
  2    the command line makes no sense
  3    refused: going on could have lost or mixed up data; nothing was changed
  4    the source could not be read
  5    the target could not be written: full, gone, or not writable
  6    captured, but the disk could not read some of it: what was lost is printed
  130  interrupted; 143 terminated

The source disk is opened read-only, always. A finished capture is never written to again.";

const CAPTURE_EXAMPLES: &str = "\
Examples:
  p2v capture /dev/sda -o /media/usb/oldpc --dry-run    what would be copied, and how much
  p2v capture /dev/sda -o /media/usb/oldpc              copy the used part of a disk
  p2v capture olddisk.img -o oldpc                      the same from a raw image
  p2v capture /dev/sda                                  into the library, under the name that the system has
  p2v capture /dev/sda -o ssh://me@newpc/~/oldpc        to another computer that has p2v
  p2v capture /dev/sda --update oldpc -o oldpc-may      a month later: only what changed

What ends early (Ctrl-C, a full disk, a power cut) is gone on with by the same command.

The disk should not be in use: start the old computer from a USB stick, or attach the disk to another one.
Free space of file systems that p2v understands (ext2/3/4, NTFS, FAT, swap) is skipped; everything else is copied whole.
FOLDER then holds disk0.qcow2 (the disk), disk0.blake3 (checksums), disk0.map (ddrescue map of what was
read) and machine.toml (what the computer was). A folder without machine.toml is not a finished capture.";

const ADAPT_EXAMPLES: &str = "\
Examples:
  p2v adapt oldpc --dry-run                what would be changed, and why
  p2v adapt oldpc                          change it
  p2v adapt oldpc --virtio-win virtio-win.iso    also install drivers for fast virtio disks
  p2v adapt oldpc --undo                   take it back

The capture is never changed: what is changed goes to the overlay disk0.adapted.qcow2, which p2v launch uses;
disk0.adapted.json says what and why. Do this before the machine runs for the first time.";

const LAUNCH_EXAMPLES: &str = "\
Examples:
  p2v launch oldpc                         run it in a window; the right Ctrl key opens its menu
  p2v launch oldpc --ephemeral             run it and forget everything it writes
  p2v launch oldpc --serial stdio          its first serial port on this terminal
  p2v launch oldpc --disc setup.iso --boot disc
  p2v launch oldpc --headless --vnc        its screen for VNC clients on this computer; the address is printed
  p2v launch oldpc --headless --web        its screen in a browser

What the machine writes goes to disk0.now.qcow2. p2v reset takes that away, p2v snapshot keeps states of it.
Seen and controlled from another terminal: p2v screenshot, p2v type, p2v status, p2v shutdown.
Any number of ephemeral sessions may run at once. --session tells them apart; p2v status shows them.";

const SESSION_HELP: &str = "\
If several sessions of a machine run, --session says which is meant: `main` is the one that keeps what it writes,
ephemeral ones go by their process IDs. `p2v status` shows them.";

/// Move a whole old PC into a window on the new one.
#[derive(Debug, Parser)]
#[command(name = "p2v", version, after_help = EXAMPLES, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One subcommand each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the disks of this computer
    Disks(DisksArgs),
    /// Say what is on a disk: partitions, file systems, operating systems
    Inspect(InspectArgs),
    /// Copy the used part of a disk into a machine folder
    Capture(CaptureArgs),
    /// Check a capture against its checksums, or against the disk it came from
    Verify(VerifyArgs),
    /// Change what the captured system needs to start on other hardware, in an overlay
    Adapt(AdaptArgs),
    #[cfg(feature = "launch")]
    /// Run a captured machine
    Launch(LaunchArgs),
    /// List the machines in the library
    List(ListArgs),
    /// Give a machine another name
    Rename(RenameArgs),
    /// Remove a machine with its capture
    #[command(after_help = REMOVE_HELP)]
    Remove(RemoveArgs),
    /// Keep states of a stopped machine, and go back to them
    #[command(subcommand, after_help = SNAPSHOT_EXAMPLES)]
    Snapshot(SnapshotCommand),
    /// Take away what a machine wrote: back to the state as captured and adapted
    Reset(ResetArgs),
    /// Put a machine into the desktop's menu, or take it out
    #[command(subcommand)]
    Launcher(LauncherCommand),
    #[cfg(feature = "launch")]
    /// Say whether a machine runs
    #[command(after_help = SESSION_HELP)]
    Status(StatusArgs),
    #[cfg(feature = "launch")]
    /// Save a picture of a running machine's screen
    Screenshot(ScreenshotArgs),
    #[cfg(feature = "launch")]
    /// Type text or press keys in a running machine
    Type(TypeArgs),
    #[cfg(feature = "launch")]
    /// Change the disc in a running machine's CD-ROM drive
    Disc(DiscArgs),
    #[cfg(feature = "launch")]
    /// Press a running machine's power button
    Shutdown(ShutdownArgs),
    /// Make a USB stick from which an old PC starts, to capture it
    LiveUsb(LiveUsbArgs),
    /// Store a capture that another computer makes (it starts this through ssh)
    #[command(hide = true)]
    Receive,
    /// Print completions for a shell
    #[command(after_help = "Example: p2v completions bash > ~/.local/share/bash-completion/completions/p2v")]
    Completions(CompletionsArgs),
    /// Print the manual page (roff)
    #[command(after_help = "Example: p2v man | man -l -")]
    Man,
}

/// `p2v disks`
#[derive(Debug, Args)]
pub(crate) struct DisksArgs {
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

/// `p2v inspect`
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A disk, a raw or qcow2 image, or a machine (its name or folder)
    pub(crate) source: PathBuf,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

/// How clusters of the image are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionName {
    /// Zstandard: fast and small; QEMU 5.1 or later can read it
    Zstd,
    /// Deflate: any QEMU can read it
    Zlib,
    /// No compression
    None,
}

/// `p2v capture`
#[derive(Debug, Args)]
#[command(after_help = CAPTURE_EXAMPLES)]
pub(crate) struct CaptureArgs {
    /// The disk (/dev/sda) or image file to copy; it is only ever read
    pub(crate) source: PathBuf,
    /// The machine folder to make, new or empty, or one whose capture was not finished; ssh://me@newpc/~/oldpc for one on
    /// another computer [default: a new one in the library]
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// The machine's name [default: the folder's name; in the library the system's host name, or the disk's model]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How the image is compressed
    #[arg(long, value_enum, default_value_t = CompressionName::Zstd)]
    pub(crate) compression: CompressionName,
    /// Zstandard level, -7 (fast) to 19 (small) [default: 1]
    #[arg(long, value_parser = clap::value_parser!(i32).range(-7..=19), allow_negative_numbers = true)]
    pub(crate) level: Option<i32>,
    /// Print what would be done, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Copy although the running system writes to the disk: the copy may be inconsistent
    #[arg(long)]
    pub(crate) allow_in_use: bool,
    /// How often sectors that the disk cannot read are tried again, after everything else was read
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) retries: u32,
    /// The map of GNU ddrescue, if SOURCE is an image that it rescued: what it could not read is lost, not zeros
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,
    /// Store only what changed since MACHINE, an earlier capture of the same disk, was made; the new machine needs the old one
    #[arg(long, value_name = "MACHINE")]
    pub(crate) update: Option<PathBuf>,
    /// The ssh for ssh:// targets, with options if need be: "ssh -i key"
    #[arg(long, value_name = "COMMAND", default_value = "ssh")]
    pub(crate) ssh: String,
    /// Where p2v is on the other computer
    #[arg(long, value_name = "PROGRAM", default_value = "p2v")]
    pub(crate) remote_p2v: String,
    /// Throw away an unfinished capture of the same name, and start anew, instead of going on with it
    #[arg(long)]
    pub(crate) restart: bool,
    /// Start although the target has far too little room
    #[arg(long)]
    pub(crate) ignore_free_space: bool,
    /// The disk came from another computer: do not take CPUs, memory and network cards from this one
    #[arg(long)]
    pub(crate) from_other_pc: bool,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print the result (or with --dry-run the plan) as JSON for scripts; shows no progress
    #[arg(long)]
    pub(crate) json: bool,
}

/// `p2v verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// Compare with this disk or image too: all that was copied from it
    #[arg(long, value_name = "SOURCE")]
    pub(crate) against: Option<PathBuf>,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print the result as JSON for scripts; shows no progress
    #[arg(long)]
    pub(crate) json: bool,
}

/// `p2v adapt`
#[derive(Debug, Args)]
#[command(after_help = ADAPT_EXAMPLES)]
pub(crate) struct AdaptArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// Print what would be changed, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove what an earlier run changed
    #[arg(long, conflicts_with_all = ["dry_run", "discard_hibernation", "virtio_win"])]
    pub(crate) undo: bool,
    /// Throw away the session of a hibernated system: what was open in it and not saved is lost
    #[arg(long)]
    pub(crate) discard_hibernation: bool,
    /// Give Windows drivers for virtio disks, from the virtio-win disc (an ISO image) or a folder like it
    ///
    /// Windows has none of its own. The build for each Windows is chosen, its files are copied and it is loaded at
    /// boot. The drivers for the machine's IDE disk are set up all the same. The disc: <https://github.com/virtio-win>.
    #[arg(long, value_name = "PATH")]
    pub(crate) virtio_win: Option<PathBuf>,
    /// Print the result as JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which device the firmware starts from first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BootFrom {
    /// The hard disk
    Disk,
    /// The disc in the CD-ROM drive
    Disc,
}

/// `p2v launch`
#[cfg(feature = "launch")]
#[derive(Debug, Args)]
#[command(after_help = LAUNCH_EXAMPLES)]
pub(crate) struct LaunchArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// Open no window: for computers without a desktop, and with --vnc or --web
    #[arg(long)]
    pub(crate) headless: bool,
    /// Forget everything the machine writes when it ends
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// First serial port: "stdio" for this terminal, else a file that takes its output
    #[arg(long, value_name = "stdio|FILE")]
    pub(crate) serial: Option<PathBuf>,
    /// Memory in MiB [default: as in machine.toml]
    #[arg(long, value_name = "MiB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) memory: Option<u64>,
    /// Processors [default: as in machine.toml]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(crate) cpus: Option<u8>,
    /// Display adapter [default: as in machine.toml]
    #[arg(long, value_enum, hide_default_value = true)]
    pub(crate) graphics: Option<Graphics>,
    /// What the system sees of the old PC [default: as in machine.toml]
    #[arg(long, value_enum, hide_default_value = true)]
    pub(crate) identity: Option<Identity>,
    /// The disc in the CD-ROM drive: an image, a drive of this computer, or a folder that becomes a disc
    #[arg(long, value_name = "ISO|FOLDER")]
    pub(crate) disc: Option<PathBuf>,
    /// What to start from first
    #[arg(long, value_enum, default_value_t = BootFrom::Disk)]
    pub(crate) boot: BootFrom,
    /// Do not keep the running machine away from other files, programs and the network: for finding faults
    #[arg(long)]
    pub(crate) no_sandbox: bool,
    /// Offer the screen to VNC clients [default: 127.0.0.1, port 5900 or the next free one]
    ///
    /// ADDRESS is an IP address of this computer, with or without a port, or unix:PATH. Other computers than this one
    /// are let in only with --vnc-password-file.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1")]
    pub(crate) vnc: Option<ListenAddress>,
    /// A file whose first line is the password that --vnc and --web ask for: at most 8 characters
    #[arg(long, value_name = "FILE")]
    pub(crate) vnc_password_file: Option<PathBuf>,
    /// Offer the screen to browsers [default: 127.0.0.1, port 5800 or the next free one]
    ///
    /// The address to open is printed; it holds a random word, without which nobody gets in. Needs Debian's package
    /// `novnc`.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1")]
    pub(crate) web: Option<ListenAddress>,
    /// Write the firmware's messages to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) firmware_log: Option<PathBuf>,
}

/// Which of a machine's sessions is meant.
#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// The machine: its name or its folder
    #[arg(value_name = "MACHINE")]
    pub(crate) folder: PathBuf,
    /// Which session, if several run: "main", or the process ID of an ephemeral one
    #[arg(long, value_name = "main|PID")]
    pub(crate) session: Option<Session>,
}

/// `p2v status`
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) machine: SessionArgs,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

/// `p2v screenshot`
#[derive(Debug, Args)]
#[command(after_help = SESSION_HELP)]
pub(crate) struct ScreenshotArgs {
    #[command(flatten)]
    pub(crate) machine: SessionArgs,
    /// The PNG file to write
    #[arg(short, long, value_name = "FILE.png")]
    pub(crate) output: PathBuf,
}

/// `p2v type`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  p2v type oldpc root --enter
  p2v type oldpc --key ctrl-alt-delete
  p2v type oldpc --key f8 --key down --key ret

Text is typed on the keyboard layout that the system in the machine has: `keyboard` in machine.toml, or --keyboard. Keys have QEMU's names (ret, esc, f1, up, kp_5, ctrl, alt, shift, meta_l …).
If several sessions of the machine run, --session says which is meant; `p2v status` shows them.")]
pub(crate) struct TypeArgs {
    #[command(flatten)]
    pub(crate) machine: SessionArgs,
    /// Text to type; several words are joined by spaces
    #[arg(required_unless_present_any = ["key", "enter"])]
    pub(crate) text: Vec<String>,
    /// Press Enter after the text
    #[arg(long)]
    pub(crate) enter: bool,
    /// Keyboard layout of the system in the machine, e.g. us, de, fr, de:nodeadkeys [default: as in machine.toml]
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) keyboard: Option<String>,
    /// Press keys together, e.g. ctrl-alt-delete; may be given several times; comes before the text
    #[arg(long, value_name = "KEYS")]
    pub(crate) key: Vec<String>,
}

/// `p2v disc`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  p2v disc oldpc setup.iso
  p2v disc oldpc ~/Pictures/scans
  p2v disc oldpc none

A folder becomes a disc with what is in it now; the system in the machine cannot change it. The old disc comes out
as by the drive's button: a system that has locked the tray is told, and has 15 seconds to open it. --force does not ask.")]
pub(crate) struct DiscArgs {
    #[command(flatten)]
    pub(crate) machine: SessionArgs,
    /// A disc image, a drive of this computer (/dev/sr0), a folder that becomes a disc, or "none"
    #[arg(value_name = "ISO|FOLDER|none")]
    pub(crate) disc: PathBuf,
    /// Change the disc without asking the system in the machine, which may be reading it
    #[arg(long)]
    pub(crate) force: bool,
}

/// `p2v shutdown`
#[derive(Debug, Args)]
#[command(after_help = SESSION_HELP)]
pub(crate) struct ShutdownArgs {
    #[command(flatten)]
    pub(crate) machine: SessionArgs,
    /// Cut the power instead of asking the guest: what it has not saved is lost
    #[arg(long)]
    pub(crate) force: bool,
    /// Return only when the machine is off
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "wait")]
    pub(crate) timeout: u64,
}

/// `p2v completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }
}
