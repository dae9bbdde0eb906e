//! Everybody who looks at the guest's screen and types: remote screens now, a window later.
//!
//! ```text
//! machine (Console) → hub: one thread draws what changed → Viewer → vnc::Session → TCP, Unix socket, WebSocket
//!                      ↑ keys, pointer ────────────────────┘
//! ```

mod damage;
mod hub;
mod input;
mod renderer;
pub mod vnc;

pub use damage::{Damage, Rect, TILE_HEIGHT, TILE_WIDTH};
pub use hub::{Console, Hub, Update, Viewer, Waker};
