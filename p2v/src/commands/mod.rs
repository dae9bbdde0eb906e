//! One file a subcommand: from what was typed to what is printed.

pub(crate) mod adapt;
pub(crate) mod capture;
pub(crate) mod completions;
mod confirm;
mod control;
pub(crate) mod disc;
pub(crate) mod disks;
pub(crate) mod inspect;
pub(crate) mod launch;
pub(crate) mod launcher;
pub(crate) mod list;
pub(crate) mod live_usb;
pub(crate) mod man;
pub(crate) mod receive;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod reset;
pub(crate) mod screenshot;
pub(crate) mod shutdown;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod type_;
pub(crate) mod verify;
