//! The guided interface: `p2v` without arguments, on a terminal. For the owner of an old PC who started it from a stick.
//!
//! ```text
//! keys ──> pages::Guide (which page, what is chosen) ──> Task ──> run: threads ──> computer: disks, places, mounts
//!                 ↑          │                                            └──────> capture: plan, carry_out
//!              Event <───────┼─────────────────────────────────────────────────────────────┘
//!                            └──> draw: 80x25 characters
//! ```
//!
//! `Guide` knows neither terminal nor system: it turns events into tasks, and `draw` turns it into a picture. Everything that
//! may take time, or hang with a disk, is done by threads that nobody waits for.

mod computer;
mod connections;
mod disks;
mod draw;
mod draw_far;
mod draw_working;
mod events;
mod far;
mod health;
mod input;
mod mounts;
mod network;
mod pace;
mod pages;
mod places;
mod planning;
mod report;
mod run;
mod terminal;
mod texts;
mod this_computer;
mod words;
mod working;
mod wrap;

#[cfg(test)]
mod tests;

pub(crate) use run::run;
pub(crate) use terminal::is_there;
