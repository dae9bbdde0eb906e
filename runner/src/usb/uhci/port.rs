//! A port of the root hub: its register (PORTSC), and what is plugged in.
//! Source: Intel Universal Host Controller Interface 1.1, 2.1.7.

use super::super::{Tablet, UsbDevice};

const CONNECTED: u16 = 0x0001;
const CONNECTION_CHANGED: u16 = 0x0002;
const ENABLED: u16 = 0x0004;
const ENABLE_CHANGED: u16 = 0x0008;
const RESUME_DETECTED: u16 = 0x0040;
const ALWAYS: u16 = 0x0080;
const RESET: u16 = 0x0200;
const SUSPENDED: u16 = 0x1000;

/// What the guest may write: enable, resume, reset, suspend.
const WRITABLE: u16 = ENABLED | RESUME_DETECTED | RESET | SUSPENDED;
/// What goes away when a one is written to it.
const CLEARABLE: u16 = CONNECTION_CHANGED | ENABLE_CHANGED;

/// A port. Only tablets are made so far.
#[derive(Debug, Default)]
pub(super) struct Port {
    device: Option<Tablet>,
    status: u16,
}

impl Port {
    pub(super) fn new(device: Option<Tablet>) -> Self {
        let mut port = Port { device, status: 0 };
        port.reset();
        port
    }

    /// The reset of the controller: what is plugged in is found anew.
    pub(super) fn reset(&mut self) {
        self.status = match &mut self.device {
            Some(device) => {
                device.reset();
                CONNECTED | CONNECTION_CHANGED
            }
            None => 0,
        };
    }

    pub(super) fn read(&self) -> u16 {
        self.status | ALWAYS
    }

    pub(super) fn write(&mut self, value: u16) {
        let Some(device) = &mut self.device else {
            self.status &= !(value & CLEARABLE);
            return;
        };
        if value & RESET != 0 && self.status & RESET == 0 {
            device.reset();
        }
        self.status = self.status & !WRITABLE & !(value & CLEARABLE) | value & WRITABLE;
        // A port in reset is not enabled.
        if value & RESET != 0 {
            self.status &= !(ENABLED | SUSPENDED);
        }
    }

    /// The device, if packets reach it.
    pub(super) fn reachable(&mut self) -> Option<&mut Tablet> {
        let awake = self.status & (ENABLED | SUSPENDED | RESET) == ENABLED;
        self.device.as_mut().filter(|_| awake)
    }

    pub(super) fn device(&self) -> Option<&Tablet> {
        self.device.as_ref()
    }

    pub(super) fn device_mut(&mut self) -> Option<&mut Tablet> {
        self.device.as_mut()
    }

    /// The device wakes its host; true if it does so now. `asleep`: the whole bus sleeps.
    pub(super) fn wake(&mut self, asleep: bool) -> bool {
        let sleeps = self.status & ENABLED != 0 && (asleep || self.status & SUSPENDED != 0);
        let wants = self.device.as_ref().is_some_and(UsbDevice::wants_to_wake);
        let wakes = sleeps && wants && self.status & RESUME_DETECTED == 0;
        if wakes {
            self.status |= RESUME_DETECTED;
        }
        wakes
    }
}
