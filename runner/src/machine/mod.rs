//! The board: memory, virtual processors, buses, chipset, and the loop that serves guest exits.

use crate::config::{MachineConfig, Outcome, RunError};

/// Builds the machine and runs it until it ends. Blocks the calling thread.
pub fn run(config: MachineConfig) -> Result<Outcome, RunError> {
    let _ = config;
    todo!()
}
