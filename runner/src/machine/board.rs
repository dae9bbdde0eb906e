//! The board: every device of the machine, wired to ports, memory, interrupt lines and the clock.

use super::clock::{MachineClock, TimedPorts, Timers};
use super::firmware;
use super::gate::Gate;
use super::memory::{LegacyWindow, Memory};
use super::pci_ports::PciPorts;
use super::requests::{InitLine, Requests};
use super::serial_io;
use crate::acpi::{self, AcpiTable, OemNames};
use crate::bus::{Bus, Shared, lock};
use crate::chipset::cmos::{Cmos, host_seconds};
use crate::chipset::debugcon::DebugPort;
use crate::chipset::fw_cfg::FwCfg;
use crate::chipset::i440fx::{BIOS_SEGMENT, I440fx, Shadow, shadow};
use crate::chipset::piix3::{Piix3, ResetControl};
use crate::chipset::piix3_ide::Piix3Ide;
use crate::chipset::pm::{GPE0, Pm, SMI_COMMAND};
use crate::chipset::serial::SerialPort;
use crate::chipset::small::{Fixed, Latches, Port92};
use crate::config::{CdromConfig, DisplayAdapter, MachineConfig, RunError};
use crate::control::{Events, RunState};
use crate::device::{GuestMemory, IrqLine, Power};
use crate::input::{BACKDOOR, I8042, I8042Lines, VmMouse};
use crate::kvm::{Mapping, Vm};
use crate::pci::{ConfigSpace, PciFunction, PciRoot};
use crate::smbios::Hardware;
use crate::storage::controller::{COMMAND_PORTS, CONTROL_PORTS};
use crate::storage::{Drive, IdeController};
use crate::usb::{Uhci, UhciLines};
use crate::video::Vga;
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
    pub(super) events: Events,
    pub(super) ide: IdeController,
    pub(super) keyboard: Shared<I8042>,
    pub(super) usb: Shared<Uhci>,
    pub(super) vmmouse: Shared<VmMouse>,
    pub(super) vga: Shared<Vga>,
    pub(super) memory: Memory,
    pub(super) root: Shared<PciRoot>,
    pub(super) bridge: Shared<I440fx>,
    pub(super) pm: Shared<Pm>,
    pub(super) cmos: Shared<Cmos>,
    pub(super) fw_cfg: Shared<FwCfg>,
    /// Serialises changes of the memory layout.
    pub(super) layout: Mutex<Layout>,
    /// Names that the firmware's ACPI tables get.
    names: Option<OemNames>,
    pub(super) phase: Mutex<RunState>,
}

/// What is remembered of the memory layout.
#[derive(Default)]
pub(super) struct Layout {
    /// Whether the segment at F0000h is memory that cannot be written.
    bios_locked: bool,
}

/// Address line 20 is always open: KVM cannot close it, and SeaBIOS opens it first thing.
struct AlwaysOpen;

impl IrqLine for AlwaysOpen {
    fn set(&self, _: bool) {}
}

fn shared<T>(device: T) -> Shared<T> {
    Arc::new(Mutex::new(device))
}

impl Board {
    /// Builds the machine. Nothing runs yet. `processor` is what CPUID leaf 1 says: EAX, EDX.
    pub(super) fn new(
        config: &MachineConfig,
        vm: &Arc<Vm>,
        gate: Arc<Gate>,
        requests: Requests,
        processor: (u32, u32),
    ) -> Result<Arc<Self>, RunError> {
        let memory = Memory::new(config.memory, &config.bios)?;
        let bus = Arc::new(Bus::default());
        let clock = MachineClock::new();
        let timers = Timers::new(clock.clone());
        let power: Arc<dyn Power> = Arc::new(requests.clone());
        let init: Arc<dyn Power> = Arc::new(InitLine(requests.clone()));
        let guest: Arc<dyn GuestMemory> = Arc::new(memory.clone());

        let bridge = shared(I440fx::new());
        let isa = (0..16).map(|irq| vm.line(irq, FROM_PCI)).collect();
        let piix3 = shared(Piix3::new(isa));
        let reschedule = timers.clone();
        let rescheduled = Box::new(move || reschedule.look());
        let pm = shared(Pm::new(clock.clone(), vm.line(9, OWN), power.clone(), rescheduled));
        let reschedule = timers.clone();
        let usb = shared(Uhci::new(UhciLines {
            irq: lock(&piix3).interrupt(1, 4),
            memory: guest.clone(),
            clock: clock.clone(),
            rescheduled: Arc::new(move || reschedule.look()),
        }));
        let lines = [vm.line(14, OWN), vm.line(15, OWN)];
        let ide = IdeController::new(drives(config)?, lines, guest.clone()).map_err(|source| RunError::System {
            what: "start the threads of the disks".into(),
            source,
        })?;
        let reset = ide.clone();
        let ide_function = Piix3Ide::new(shared(ide.bus_master_ports()), Box::new(move || reset.reset()));
        let keyboard = shared(I8042::new(I8042Lines {
            keyboard_irq: vm.line(1, OWN),
            mouse_irq: vm.line(12, OWN),
            a20: Arc::new(AlwaysOpen),
            power: init.clone(),
            clock: clock.clone(),
        }));
        let vmmouse = shared(VmMouse::default());
        bus.set_registers(BACKDOOR, vmmouse.clone());
        let vga = match config.display {
            DisplayAdapter::Standard => Vga::new(clock.clone(), &config.vga_bios),
            DisplayAdapter::Cirrus => Vga::cirrus(clock.clone(), &config.vga_bios),
        };
        let vga = vga.map_err(|source| RunError::System {
            what: "get memory for the display adapter".into(),
            source,
        })?;
        vm.watch(vga.memory());
        let vga = shared(vga);
        let mut root = PciRoot::default();
        root.add(0, 0, bridge.clone());
        root.add(1, 0, piix3);
        root.add(1, 1, shared(ide_function));
        root.add(1, 2, usb.clone());
        root.add(1, 3, pm.clone());
        root.add(2, 0, vga.clone());
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
        let hardware = Hardware {
            cpus: config.cpus,
            processor,
            low,
            high,
        };
        firmware::describe(&mut fw_cfg, config, &hardware);
        let fw_cfg = shared(fw_cfg);

        let slic = config.old_pc.acpi.iter().find(|table| table.name() == *b"SLIC");
        let names = slic.map(AcpiTable::oem);
        let board = Arc::new_cyclic(|board| {
            let ports = PciPorts::new(root.clone(), ResetControl::new(power.clone()), board.clone());
            bus.add_ports(0xcf8..0xd00, 4, shared(ports));
            bus.add_ports(0x3b0..0x3e0, 4, vga.clone());
            // A word at 1CFh reaches into 1D0h.
            bus.add_ports(0x1ce..0x1d1, 4, vga.clone());
            bus.add_memory(0xa_0000..0xc_0000, vga.clone());
            Board {
                vm: vm.clone(),
                bus: bus.clone(),
                gate,
                clock,
                timers: timers.clone(),
                requests,
                events: Events::new(),
                ide: ide.clone(),
                keyboard: keyboard.clone(),
                usb: usb.clone(),
                vmmouse,
                vga: vga.clone(),
                memory,
                root,
                bridge,
                pm: pm.clone(),
                cmos: cmos.clone(),
                fw_cfg: fw_cfg.clone(),
                layout: Mutex::default(),
                names,
                phase: Mutex::new(RunState::Running),
            }
        });

        let following = Arc::downgrade(&board);
        bus.on_move(Box::new(move || {
            if let Some(board) = following.upgrade() {
                board.follow_memory();
            }
        }));
        timers.add(pm.clone());
        timers.add(cmos.clone());
        timers.add(keyboard.clone());
        timers.add(usb);
        bus.add_ports(0x70..0x72, 1, TimedPorts::new(cmos, timers.clone()));
        let keyboard_ports = TimedPorts::new(keyboard, timers);
        bus.add_ports(0x60..0x61, 1, keyboard_ports.clone());
        bus.add_ports(0x64..0x65, 1, keyboard_ports);
        let disk_ports = shared(ide.command_ports());
        for (command, control) in COMMAND_PORTS.into_iter().zip(CONTROL_PORTS) {
            bus.add_ports(command..command + 8, 4, disk_ports.clone());
            bus.add_ports(control..control + 1, 1, disk_ports.clone());
        }
        bus.add_ports(SMI_COMMAND..SMI_COMMAND + 2, 1, pm.clone());
        bus.add_ports(GPE0..GPE0 + 4, 1, pm);
        bus.add_ports(0x510..0x51c, 4, fw_cfg);
        bus.add_ports(0x92..0x93, 1, shared(Port92::new(init)));
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
        serial_io::connect(&self.bus, 0x3f8, self.vm.line(4, OWN), &config.serial, &self.requests)?;
        let second: Shared<SerialPort<io::Sink>> = shared(SerialPort::new(self.vm.line(3, OWN), io::sink()));
        self.bus.add_ports(0x2f8..0x300, 1, second);
        Ok(())
    }

    /// Ports and memory follow the registers of every function.
    pub(super) fn follow_all(&self) -> Result<(), RunError> {
        self.try_follow(|_| true)
    }

    /// Ports follow the registers of those functions that `written` picks; memory follows all.
    pub(super) fn try_follow(&self, written: impl Fn(u8) -> bool) -> Result<(), RunError> {
        let mut layout = lock(&self.layout);
        let functions = lock(&self.root).functions().to_vec();
        let mut mappings = Vec::new();
        for (number, body) in &functions {
            let windows = lock(body).windows();
            if written(*number) {
                self.bus.set_windows(*number, body, &windows);
            }
            let body = lock(body);
            for window in windows.iter().filter(|window| !window.io) {
                if let Some(region) = body.backing(window.bar) {
                    let read_only = window.bar == ConfigSpace::ROM;
                    mappings.push(Mapping {
                        address: window.range.start,
                        size: (window.range.end - window.range.start).min(body.backing_size(window.bar) as u64),
                        region,
                        offset: 0,
                        read_only,
                    });
                }
            }
        }
        let vga = {
            let vga = lock(&self.vga);
            vga.window().map(|window| LegacyWindow {
                address: window.address,
                size: window.size,
                region: vga.memory().clone(),
                offset: window.offset,
            })
        };
        let segments = shadow(lock(&self.bridge).config());
        let wanted = self.memory.layout(&segments, vga.as_ref(), &mappings);
        if self.vm.memory_differs(&wanted) {
            self.gate.hold();
            self.gate.wait_outside();
            let result = self.vm.set_memory(&wanted);
            self.gate.release();
            result?;
        }
        // The firmware locks its segment when its tables are made, and starts a system next.
        let locked = segments[BIOS_SEGMENT].2 == Shadow::ReadOnly;
        let was_locked = std::mem::replace(&mut layout.bios_locked, locked);
        if let Some(names) = self.names.filter(|_| locked && !was_locked) {
            acpi::give_names(&self.memory, names);
        }
        Ok(())
    }
}

/// Which drive hangs where.
fn drives(config: &MachineConfig) -> Result<[[Option<Drive>; 2]; 2], RunError> {
    let mut places = [const { None }; 4];
    let free = firmware::disk_positions(config);
    if config.disks.len() > free.len() {
        return Err(RunError::Config(format!(
            "there is room for {} hard disks on the IDE controller, not for {}",
            free.len(),
            config.disks.len()
        )));
    }
    for (disk, place) in config.disks.iter().zip(free) {
        places[place] = Some(Drive::Disk(disk.clone()));
    }
    if !matches!(config.cdrom, CdromConfig::Absent) {
        places[firmware::CDROM_POSITION] = Some(Drive::Cdrom(config.cdrom.clone()));
    }
    let [a, b, c, d] = places;
    Ok([[a, b], [c, d]])
}
