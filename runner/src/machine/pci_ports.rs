//! Ports CF8h–CFFh: the PCI configuration mechanism, with the reset register in its midst.

use super::board::Board;
use crate::bus::{Shared, lock};
use crate::chipset::piix3::ResetControl;
use crate::device::PortDevice;
use crate::pci::PciRoot;
use std::sync::Weak;

const ADDRESS: u16 = 0xcf8;
const RESET: u16 = 0xcf9;
const DATA: u16 = 0xcfc;

/// The ports; after a configuration write the board follows what changed.
pub(super) struct PciPorts {
    root: Shared<PciRoot>,
    reset: ResetControl,
    board: Weak<Board>,
}

impl PciPorts {
    pub(super) fn new(root: Shared<PciRoot>, reset: ResetControl, board: Weak<Board>) -> Self {
        PciPorts { root, reset, board }
    }
}

impl PortDevice for PciPorts {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        match port {
            ADDRESS if size == 4 => lock(&self.root).address(),
            RESET if size == 1 => self.reset.read(port, size),
            DATA.. => lock(&self.root).read((port - DATA) as u8, size),
            _ => u32::MAX,
        }
    }
    fn write(&mut self, port: u16, size: u8, value: u32) {
        match port {
            ADDRESS if size == 4 => lock(&self.root).set_address(value),
            RESET if size == 1 => self.reset.write(port, size, value),
            DATA.. => {
                let written = lock(&self.root).write((port - DATA) as u8, size, value);
                if let (Some(function), Some(board)) = (written, self.board.upgrade()) {
                    board.follow(function);
                }
            }
            _ => {}
        }
    }
}
