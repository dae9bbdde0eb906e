//! The virtual machine: interrupt controllers and timer in the kernel, interrupt lines, memory slots.

use super::{Pages, Region};
use crate::bus::lock;
use crate::config::RunError;
use crate::device::IrqLine;
use kvm_bindings::{
    KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE,
    KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, KVM_PIT_FLAGS_SPEAKER_DATA_ON, KVM_PIT_SPEAKER_DUMMY, KvmIrqRouting,
    kvm_irq_routing_entry, kvm_irqchip, kvm_pit_config, kvm_pit_state2, kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VmFd};
use std::sync::{Arc, Mutex};

/// Where KVM keeps the pages that Intel processors need to run real mode: below the firmware, reserved in the e820 map.
pub const RESERVED: std::ops::Range<u64> = 0xfeff_c000..0xff00_0000;

/// One memory slot: guest-physical memory that is memory of this process.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Guest-physical address, page-aligned.
    pub address: u64,
    /// Size in bytes.
    pub size: u64,
    /// The memory behind it.
    pub region: Region,
    /// Where in the region it starts, bytes.
    pub offset: usize,
    /// Guest writes come to the bus as exits instead.
    pub read_only: bool,
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        let key = |m: &Mapping| (m.address, m.size, m.region.host_address(), m.offset, m.read_only);
        key(self) == key(other)
    }
}

/// The region whose writes are logged.
struct Watched {
    region: Region,
    /// Written to in slots that are gone, and not asked for yet.
    before: Pages,
}

impl Watched {
    fn shows(&self, mapping: &Mapping) -> bool {
        self.region.host_address() == mapping.region.host_address() && !mapping.read_only
    }
}

/// A KVM virtual machine with its interrupt controllers.
pub struct Vm {
    fd: VmFd,
    slots: Mutex<Vec<Option<Mapping>>>,
    watched: Mutex<Option<Watched>>,
    lines: Mutex<[u32; 24]>,
    chips: [kvm_irqchip; 3],
    pit: kvm_pit_state2,
}

/// Names a failed system call.
pub(crate) fn failed(what: &str) -> impl FnOnce(kvm_ioctls::Error) -> RunError + '_ {
    move |error| RunError::System {
        what: what.to_owned(),
        source: std::io::Error::from_raw_os_error(error.errno()),
    }
}

impl Vm {
    /// Makes the machine with PIC, IOAPIC and PIT in the kernel. The timer interrupt goes to IOAPIC pin 2, as on a
    /// PC; the firmware announces it (fw_cfg `irq0-override`).
    pub fn new(kvm: &Kvm) -> Result<Arc<Vm>, RunError> {
        let fd = kvm
            .create_vm()
            .map_err(failed("make a virtual machine (KVM_CREATE_VM)"))?;
        fd.set_identity_map_address(RESERVED.start)
            .map_err(failed("place the identity map (KVM_SET_IDENTITY_MAP_ADDR)"))?;
        fd.set_tss_address(RESERVED.start as usize + 0x1000)
            .map_err(failed("place the task state segment (KVM_SET_TSS_ADDR)"))?;
        fd.create_irq_chip()
            .map_err(failed("make the interrupt controllers (KVM_CREATE_IRQCHIP)"))?;
        let pit_config = kvm_pit_config {
            flags: KVM_PIT_SPEAKER_DUMMY,
            ..Default::default()
        };
        fd.create_pit2(pit_config)
            .map_err(failed("make the interval timer (KVM_CREATE_PIT2)"))?;
        fd.set_gsi_routing(&routing()?)
            .map_err(failed("route the interrupts (KVM_SET_GSI_ROUTING)"))?;
        let mut chips = [kvm_irqchip::default(); 3];
        for (id, chip) in (0..).zip(&mut chips) {
            chip.chip_id = id;
            fd.get_irqchip(chip).map_err(failed("read an interrupt controller"))?;
        }
        let pit = fd.get_pit2().map_err(failed("read the interval timer"))?;
        Ok(Arc::new(Vm {
            fd,
            slots: Mutex::default(),
            watched: Mutex::default(),
            lines: Mutex::default(),
            chips,
            pit,
        }))
    }

    /// Whether the speaker sounds: port 61h lets the timer's third channel through, and that makes a square wave. KVM
    /// serves port 61h itself, and tells since Linux 6.0 what was written there.
    pub fn speaker_sounds(&self) -> bool {
        let Ok(pit) = self.fd.get_pit2() else { return false };
        let on = pit.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON != 0;
        on && pit
            .channels
            .last()
            .is_some_and(|channel| channel.gate != 0 && matches!(channel.mode, 3 | 7))
    }

    /// The descriptor.
    pub fn fd(&self) -> &VmFd {
        &self.fd
    }

    /// A source for interrupt `gsi` (0–23). Several sources of one line are wired together: it is high while any is.
    pub fn line(self: &Arc<Self>, gsi: u32, source: u32) -> Arc<dyn IrqLine> {
        Arc::new(Line {
            vm: self.clone(),
            gsi,
            bit: 1 << (source & 31),
        })
    }

    fn set_line(&self, gsi: u32, bit: u32, high: bool) {
        let mut lines = lock(&self.lines);
        let Some(sources) = lines.get_mut(gsi as usize) else {
            return;
        };
        let before = *sources;
        *sources = if high { before | bit } else { before & !bit };
        if (before == 0) != (*sources == 0) {
            // It cannot fail for a line that exists; there is nobody to tell if it does.
            let _ = self.fd.set_irq_line(gsi, *sources != 0);
        }
    }

    /// Interrupt controllers and timer as after power-on.
    pub fn reset_chips(&self) -> Result<(), RunError> {
        let mut lines = lock(&self.lines);
        for (gsi, sources) in (0..).zip(lines.iter_mut()) {
            if std::mem::take(sources) != 0 {
                let _ = self.fd.set_irq_line(gsi, false);
            }
        }
        for chip in &self.chips {
            self.fd
                .set_irqchip(chip)
                .map_err(failed("reset an interrupt controller"))?;
        }
        self.fd.set_pit2(&self.pit).map_err(failed("reset the interval timer"))
    }

    /// Makes the memory slots be `wanted`. A slot that changes is deleted and made anew, because KVM cannot change
    /// one in place: no processor may be in the guest meanwhile.
    pub fn set_memory(&self, wanted: &[Mapping]) -> Result<(), RunError> {
        let mut slots = lock(&self.slots);
        for (id, slot) in (0..).zip(slots.iter_mut()) {
            if let Some(mapping) = slot.take_if(|mapping| !wanted.contains(mapping)) {
                if let Some(watched) = lock(&self.watched).as_mut().filter(|watched| watched.shows(&mapping)) {
                    self.add_log(id, &mapping, &mut watched.before);
                }
                self.set_slot(id, &mapping, 0)?;
            }
        }
        for mapping in wanted {
            if slots.iter().flatten().any(|slot| slot == mapping) {
                continue;
            }
            let id = slots.iter().position(Option::is_none).unwrap_or_else(|| {
                slots.push(None);
                slots.len() - 1
            });
            self.set_slot(id as u32, mapping, mapping.size)?;
            slots[id] = Some(mapping.clone());
        }
        Ok(())
    }

    /// Whether [`set_memory`](Self::set_memory) would change anything.
    pub fn memory_differs(&self, wanted: &[Mapping]) -> bool {
        let slots = lock(&self.slots);
        slots.iter().flatten().count() != wanted.len()
            || wanted
                .iter()
                .any(|mapping| !slots.iter().flatten().any(|slot| slot == mapping))
    }

    /// Has writes of the guest to `region` logged, wherever it is mapped from now on.
    pub fn watch(&self, region: &Region) {
        *lock(&self.watched) = Some(Watched {
            region: region.clone(),
            before: Pages::none(),
        });
    }

    /// Pages of the watched region that the guest has written to through its memory slots since the last call.
    pub fn written(&self) -> Pages {
        let slots = lock(&self.slots);
        let mut watched = lock(&self.watched);
        let Some(watched) = watched.as_mut() else {
            return Pages::none();
        };
        let mut pages = std::mem::take(&mut watched.before);
        for (id, slot) in (0..).zip(slots.iter()) {
            if let Some(mapping) = slot.as_ref().filter(|mapping| watched.shows(mapping)) {
                self.add_log(id, mapping, &mut pages);
            }
        }
        pages
    }

    /// Takes the log of a slot. Without a log everything counts as written.
    fn add_log(&self, slot: u32, mapping: &Mapping, pages: &mut Pages) {
        let size = mapping.size as usize;
        match self.fd.get_dirty_log(slot, size) {
            Ok(bitmap) => pages.insert_bitmap(mapping.offset, &bitmap),
            Err(_) => pages.merge(&Pages::covering(mapping.offset..mapping.offset.saturating_add(size))),
        }
    }

    fn set_slot(&self, slot: u32, mapping: &Mapping, size: u64) -> Result<(), RunError> {
        let inside = mapping.region.size().checked_sub(mapping.offset);
        if inside.is_none_or(|inside| mapping.size > inside as u64) {
            return Err(RunError::Config(format!(
                "memory slot at {:#x} is too large",
                mapping.address
            )));
        }
        let logged = lock(&self.watched)
            .as_ref()
            .is_some_and(|watched| watched.shows(mapping));
        let read_only = if mapping.read_only { KVM_MEM_READONLY } else { 0 };
        let region = kvm_userspace_memory_region {
            slot,
            flags: read_only | if logged { KVM_MEM_LOG_DIRTY_PAGES } else { 0 },
            guest_phys_addr: mapping.address,
            memory_size: size,
            userspace_addr: mapping.region.host_address() + mapping.offset as u64,
        };
        // SAFETY: the range lies inside the region (checked above), and the region lives at least as long as the
        // slot: the mapping in `slots` holds it until after the slot is deleted.
        unsafe { self.fd.set_user_memory_region(region) }.map_err(failed("give the guest memory"))
    }
}

fn routing() -> Result<KvmIrqRouting, RunError> {
    let entry = |gsi: u32, chip: u32, pin: u32| {
        let mut entry = kvm_irq_routing_entry {
            gsi,
            type_: KVM_IRQ_ROUTING_IRQCHIP,
            ..Default::default()
        };
        entry.u.irqchip.irqchip = chip;
        entry.u.irqchip.pin = pin;
        entry
    };
    let master = (0..8)
        .filter(|gsi| *gsi != 2)
        .map(|gsi| entry(gsi, KVM_IRQCHIP_PIC_MASTER, gsi));
    let slave = (8..16).map(|gsi| entry(gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - 8));
    let ioapic = (0..24)
        .filter(|gsi| *gsi != 2)
        .map(|gsi| entry(gsi, KVM_IRQCHIP_IOAPIC, if gsi == 0 { 2 } else { gsi }));
    let entries: Vec<_> = master.chain(slave).chain(ioapic).collect();
    KvmIrqRouting::from_entries(&entries).map_err(|error| RunError::Config(format!("interrupt routing: {error:?}")))
}

struct Line {
    vm: Arc<Vm>,
    gsi: u32,
    bit: u32,
}

impl IrqLine for Line {
    fn set(&self, high: bool) {
        self.vm.set_line(self.gsi, self.bit, high);
    }
}
