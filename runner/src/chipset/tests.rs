//! All of the chipset on one bus, under random traffic: nothing a guest does may stop the runner.

use super::cmos::Cmos;
use super::debugcon::DebugPort;
use super::fw_cfg::FwCfg;
use super::i440fx::{I440fx, shadow};
use super::piix3::{Piix3, ResetControl};
use super::piix3_ide::Piix3Ide;
use super::pm::Pm;
use super::serial::SerialPort;
use super::small::{Fixed, Latches, Port92};
use crate::bus::{Bus, Shared, lock};
use crate::device::{IrqLine, PortDevice, Power, TestClock, TestIrq, TestMemory};
use crate::pci::{PciFunction, PciRoot};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

struct Nothing;
impl Power for Nothing {
    fn reset(&self) {}
    fn power_off(&self) {}
}

fn shared<T>(device: T) -> Shared<T> {
    Arc::new(Mutex::new(device))
}

/// Ports CF8h–CFFh without a board behind them.
struct Pci(PciRoot);
impl PortDevice for Pci {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        if port < 0xcfc {
            self.0.address()
        } else {
            self.0.read((port & 3) as u8, size)
        }
    }
    fn write(&mut self, port: u16, size: u8, value: u32) {
        if port < 0xcfc {
            self.0.set_address(value);
        } else {
            self.0.write((port & 3) as u8, size, value);
        }
    }
}

fn chipset() -> (Bus, Shared<Pci>) {
    let power: Arc<dyn Power> = Arc::new(Nothing);
    let clock = Arc::new(TestClock::default());
    let bus = Bus::default();
    let isa = (0..16).map(|_| TestIrq::new() as Arc<dyn IrqLine>).collect();
    let pm = shared(Pm::new(clock.clone(), TestIrq::new(), power.clone(), Box::new(|| {})));
    let ide = Piix3Ide::new(shared(Latches::new(0, 16)), Box::new(|| {}));
    let mut root = PciRoot::default();
    let functions: [(u8, Shared<dyn PciFunction>); 4] = [
        (0, shared(I440fx::new())),
        (8, shared(Piix3::new(isa))),
        (9, shared(ide)),
        (11, pm.clone()),
    ];
    for (number, body) in functions {
        root.add(number >> 3, number & 7, body);
    }
    let pci = shared(Pci(root));
    bus.add_ports(0xcf9..0xcfa, 1, shared(ResetControl::new(power.clone())));
    bus.add_ports(0xcf8..0xd00, 4, pci.clone());
    bus.add_ports(
        0x70..0x72,
        1,
        shared(Cmos::new(clock, TestIrq::new(), 0, 1 << 30, 0, 1)),
    );
    bus.add_ports(0x510..0x51c, 4, shared(FwCfg::new(TestMemory::new(4096))));
    bus.add_ports(0xb2..0xb4, 1, pm);
    bus.add_ports(0x92..0x93, 1, shared(Port92::new(power)));
    bus.add_ports(0x80..0x90, 1, shared(Latches::new(0x80, 16)));
    bus.add_ports(0xae00..0xae14, 1, shared(Fixed::new(0xae00, Vec::new())));
    bus.add_ports(0x402..0x403, 1, shared(DebugPort::new(std::io::sink())));
    bus.add_ports(
        0x3f8..0x400,
        1,
        shared(SerialPort::new(TestIrq::new(), std::io::sink())),
    );
    (bus, pci)
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(0xcf8u16),
        0xcf8u16..0xd00,
        0x70u16..0x72,
        0x510u16..0x51c,
        0x80u16..0xc0,
        0x3f0u16..0x403,
        any::<u16>(),
    ]
}

proptest! {
    #[test]
    fn any_traffic_is_survived(
        accesses in prop::collection::vec(
            (port(), prop::sample::select(vec![1u8, 2, 4]), any::<u32>(), any::<bool>(), 1usize..4),
            0..128,
        ),
    ) {
        let (bus, pci) = chipset();
        for (port, size, value, config, count) in accesses {
            // Half of the time, aim at a function that is there.
            let value = if config { 0x8000_0000 | value & 0x1bfc } else { value };
            let data = value.to_le_bytes()[..usize::from(size)].repeat(count);
            bus.write_ports(port, size, &data);
            let mut data = vec![0; usize::from(size) * count];
            bus.read_ports(port, size, &mut data);
            for (number, body) in lock(&pci).0.functions() {
                let windows = lock(body).windows();
                bus.set_windows(*number, body, &windows);
                prop_assert!(windows.iter().all(|window| window.range.start < window.range.end));
                let _ = shadow(lock(body).config());
            }
        }
    }
}
