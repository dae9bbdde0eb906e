//! The board: memory, virtual processors, buses, chipset, and the loop that serves guest exits.

mod board;
mod clock;
mod control;
mod fence;
mod firmware;
mod gate;
mod memory;
mod operate;
mod pci_ports;
mod requests;
mod run;
mod serial_io;
mod window;

pub use run::run;
