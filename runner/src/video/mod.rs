//! The display adapter: VGA with Bochs VBE extensions, or with those of a Cirrus Logic GD5446 (`cirrus`), and pictures
//! of its screen.
//!
//! ```text
//! ports 3B0h–3DFh → registers ┐                       ┌ text, planar ┐
//! ports 1CEh–1CFh → vbe       ├ adapter → Snapshot → render           ├ → Frame
//! A0000h–BFFFFh   → planes    ┘                       └ linear       ┘
//! ```

mod adapter;
mod cirrus;
mod edid;
mod frame;
mod layout;
mod memory;
mod pci;
mod planes;
mod registers;
mod render;
mod scene;
mod timing;
mod vbe;

#[cfg(test)]
mod tests;

pub use adapter::{MEMORY_SIZE, Vga, Window};
pub(crate) use cirrus::Cursor;
pub use frame::Frame;
pub use render::Snapshot;
pub use scene::Scene;
