//! Everybody who looks at the guest's screen and types: remote screens and the window.
//!
//! ```text
//! machine (Console) → hub: one thread draws what changed → Viewer → vnc::Session → client → TCP, Unix socket, WebSocket
//!                      ↑ keys, pointer ────────────────────┘
//!                                                         └──> window
//! ```

mod address;
mod client;
mod config;
mod damage;
mod hub;
mod input;
mod renderer;
mod server;
mod transport;
pub mod vnc;
mod wake;
mod web;
#[cfg(feature = "window")]
pub mod window;

pub use address::{AddressError, ListenAddress};
pub use config::{DisplayConfig, DisplayKind, DisplayStatus};
pub use damage::{Damage, Rect, TILE_HEIGHT, TILE_WIDTH};
pub use hub::{Console, Hub, Update, Viewer, Waker};
pub use server::{DisplayError, Handle, Place, Server};
