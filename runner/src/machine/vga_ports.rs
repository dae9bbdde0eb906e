//! The display adapter's ports: what the guest writes there may open or close its window below 1 MiB.

use super::board::Board;
use crate::bus::{Shared, lock};
use crate::device::PortDevice;
use crate::video::Vga;
use std::sync::Weak;

/// Ports 3B0h–3DFh and 1CEh–1CFh; the board follows when the window moves.
pub(super) struct VgaPorts {
    vga: Shared<Vga>,
    board: Weak<Board>,
}

impl VgaPorts {
    pub(super) fn new(vga: Shared<Vga>, board: Weak<Board>) -> Self {
        VgaPorts { vga, board }
    }
}

impl PortDevice for VgaPorts {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        lock(&self.vga).read(port, size)
    }
    fn write(&mut self, port: u16, size: u8, value: u32) {
        let moved = {
            let mut vga = lock(&self.vga);
            PortDevice::write(&mut *vga, port, size, value);
            vga.has_moved()
        };
        if let Some(board) = self.board.upgrade().filter(|_| moved) {
            board.follow_memory();
        }
    }
}
