//! The live stick: a small Debian that starts on an old PC with p2v on it, and leaves the PC's disks alone.
//!
//! [`recipe`] (packages, files) → [`system`] (mmdebstrap) → [`medium`] (squashfs, start menu, ISO) → [`stick`]
//! (written, read back, a partition for captures).

mod arch;
mod esp;
pub(crate) mod medium;
mod recipe;
mod sources;
pub(crate) mod stick;
mod system;
mod tools;

pub(crate) use arch::Arch;
pub(crate) use system::Recipe;
