//! One file a subcommand: from what was typed to what is printed.

pub(crate) mod adapt;
pub(crate) mod capture;
pub(crate) mod completions;
mod confirm;
#[cfg(feature = "launch")]
mod control;
#[cfg(feature = "launch")]
pub(crate) mod disc;
pub(crate) mod disks;
pub(crate) mod inspect;
#[cfg(feature = "launch")]
pub(crate) mod launch;
pub(crate) mod launcher;
pub(crate) mod list;
pub(crate) mod live_usb;
pub(crate) mod man;
pub(crate) mod receive;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod reset;
#[cfg(feature = "launch")]
pub(crate) mod screenshot;
#[cfg(feature = "launch")]
pub(crate) mod shutdown;
pub(crate) mod snapshot;
#[cfg(feature = "launch")]
pub(crate) mod status;
#[cfg(feature = "launch")]
pub(crate) mod type_;
pub(crate) mod verify;
