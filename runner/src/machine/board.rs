//! The board: every device of the machine, wired to ports, memory, interrupt lines and the clock.

use super::clock::{MachineClock, TimedPorts, Timers};
use super::firmware;
use super::gate::Gate;
use super::memory::Memory;
use super::pci_ports::PciPorts;
use super::requests::{Request, Requests};
use super::serial_io;
use crate::bus::{Bus, Shared, lock};
use crate::chipset::cmos::{Cmos, host_seconds};
use crate::chipset::debugcon::DebugPort;
use crate::chipset::fw_cfg::FwCfg;
use crate::chipset::i440fx::{I440fx, shadow};
use crate::chipset::piix3::{Piix3, ResetControl};
use crate::chipset::pm::{GPE0, Pm, SMI_COMMAND};
use crate::chipset::serial::SerialPort;
use crate::chipset::small::{Fixed, Latches, Port92};
use crate::config::{MachineConfig, RunError};
use crate::device::{GuestMemory, Power};
use crate::kvm::{Mapping, Vm};
use crate::pci::{ConfigSpace, PciFunction, PciRoot};
use std::io;
use std::sync::{Arc, Mutex};

/// Sources of interrupt lines that several devices share.
const OWN: u32 = 0;
const FROM_PCI: u32 = 1;

/// All devices and the routes between them.
pub(super) struct Board {
    pub(super) vm: Arc<Vm>,
    pub(super) bus: Arc<Bus>,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Arc<MachineClock>,
    pub(super) timers: Arc<Timers>,
    pub(super) requests: Requests,
    memory: Memory,
    root: Shared<PciRoot>,
    bridge: Shared<I440fx>,
    pm: Shared<Pm>,
    cmos: Shared<Cmos>,
    fw_cfg: Shared<FwCfg>,
    /// Serialises changes of the memory layout.
    layout: Mutex<()>,
}

fn shared<T>(device: T) -> Shared<T> {
    Arc::new(Mutex::new(device))
}

impl Board {
    /// Builds the machine. Nothing runs yet.
    pub(super) fn new(
        config: &MachineConfig,
        vm: Arc<Vm>,
        gate: Arc<Gate>,
        requests: Requests,
    ) -> Result<Arc<Self>, RunError> {
        let memory = Memory::new(config.memory, &config.bios)?;
        let bus = Arc::new(Bus::default());
        let clock = MachineClock::new();
        let timers = Timers::new(clock.clone());
        let power: Arc<dyn Power> = Arc::new(requests.clone());
        let guest: Arc<dyn GuestMemory> = Arc::new(memory.clone());

        let bridge = shared(I440fx::new());
        let isa = (0..16).map(|irq| vm.line(irq, FROM_PCI)).collect();
        let piix3 = shared(Piix3::new(isa));
        let reschedule = timers.clone();
        let rescheduled = Box::new(move || reschedule.look());
        let pm = shared(Pm::new(clock.clone(), vm.line(9, OWN), power.clone(), rescheduled));
        let mut root = PciRoot::default();
        root.add(0, 0, bridge.clone());
        root.add(1, 0, piix3);
        root.add(1, 3, pm.clone());
        let root = shared(root);

        let (low, high) = (memory.low_size(), memory.high_size());
        let seconds = host_seconds(config.rtc);
        let cmos = shared(Cmos::new(
            clock.clone(),
            vm.line(8, OWN),
            seconds,
            low,
            high,
            config.cpus,
        ));
        let mut fw_cfg = FwCfg::new(guest);
        firmware::describe(&mut fw_cfg, config, low, high);
        let fw_cfg = shared(fw_cfg);

        let board = Arc::new_cyclic(|board| {
            let ports = PciPorts::new(root.clone(), ResetControl::new(power.clone()), board.clone());
            bus.add_ports(0xcf8..0xd00, 4, shared(ports));
            Board {
                vm: vm.clone(),
                bus: bus.clone(),
                gate,
                clock,
                timers: timers.clone(),
                requests,
                memory,
                root,
                bridge,
                pm: pm.clone(),
                cmos: cmos.clone(),
                fw_cfg: fw_cfg.clone(),
                layout: Mutex::new(()),
            }
        });

        timers.add(pm.clone());
        timers.add(cmos.clone());
        bus.add_ports(0x70..0x72, 1, TimedPorts::new(cmos, timers));
        bus.add_ports(SMI_COMMAND..SMI_COMMAND + 2, 1, pm.clone());
        bus.add_ports(GPE0..GPE0 + 4, 1, pm);
        bus.add_ports(0x510..0x51c, 4, fw_cfg);
        bus.add_ports(0x92..0x93, 1, shared(Port92::new(power)));
        for (base, count) in [(0x00, 0x10), (0x80, 0x10), (0xc0, 0x20)] {
            bus.add_ports(base..base + count, 1, shared(Latches::new(base, count.into())));
        }
        // Hot-plug blocks of the firmware's ACPI tables: no PCI slots, and the processors that are there.
        bus.add_ports(0xae00..0xae14, 1, shared(Fixed::new(0xae00, Vec::new())));
        let present = (1u16 << config.cpus.min(15)) - 1;
        bus.add_ports(
            0xaf00..0xaf20,
            1,
            shared(Fixed::new(0xaf00, present.to_le_bytes().to_vec())),
        );
        if let Some(path) = &config.firmware_log {
            let log = serial_io::append(path)?;
            bus.add_ports(0x402..0x403, 1, shared(DebugPort::new(log)));
        }
        board.add_serial(config)?;
        board.follow_all()?;
        Ok(board)
    }

    fn add_serial(&self, config: &MachineConfig) -> Result<(), RunError> {
        serial_io::connect(&self.bus, 0x3f8, self.vm.line(4, OWN), &config.serial)?;
        let second: Shared<SerialPort<io::Sink>> = shared(SerialPort::new(self.vm.line(3, OWN), io::sink()));
        self.bus.add_ports(0x2f8..0x300, 1, second);
        Ok(())
    }

    /// The registers of `function` (or of all) were written: ports and memory follow.
    pub(super) fn follow(&self, function: Option<u8>) {
        if let Err(error) = self.try_follow(function) {
            self.requests.ask(Request::Failed(error));
        }
    }

    fn follow_all(&self) -> Result<(), RunError> {
        self.try_follow(None)
    }

    fn try_follow(&self, function: Option<u8>) -> Result<(), RunError> {
        let _one_at_a_time = lock(&self.layout);
        let functions = lock(&self.root).functions().to_vec();
        let mut mappings = Vec::new();
        for (number, body) in &functions {
            let windows = lock(body).windows();
            if function.is_none_or(|written| written == *number) {
                self.bus.set_windows(*number, body, &windows);
            }
            let body = lock(body);
            for window in windows.iter().filter(|window| !window.io) {
                if let Some(region) = body.backing(window.bar) {
                    let read_only = window.bar == ConfigSpace::ROM;
                    mappings.push(Mapping {
                        address: window.range.start,
                        size: (window.range.end - window.range.start).min(region.size() as u64),
                        region,
                        offset: 0,
                        read_only,
                    });
                }
            }
        }
        let segments = shadow(lock(&self.bridge).config());
        let wanted = self.memory.layout(&segments, None, &mappings);
        if self.vm.memory_differs(&wanted) {
            self.gate.hold();
            self.gate.wait_outside();
            let result = self.vm.set_memory(&wanted);
            self.gate.release();
            result?;
        }
        Ok(())
    }

    /// The reset line reaches every device; memory and CMOS stay. The processors must be parked.
    pub(super) fn reset(&self) -> Result<(), RunError> {
        self.drain()?;
        for (_, body) in lock(&self.root).functions() {
            lock(body).reset();
        }
        lock(&self.root).reset();
        lock(&self.cmos).reset();
        lock(&self.fw_cfg).reset();
        self.vm.reset_chips()?;
        self.follow_all()?;
        self.timers.look();
        Ok(())
    }

    /// Waits for what the disks are doing and makes it durable. The processors must be parked.
    pub(super) fn drain(&self) -> Result<(), RunError> {
        Ok(())
    }

    /// The power button.
    pub(super) fn power_button(&self) {
        lock(&self.pm).power_button();
    }
}
