//! The adapter: its ports, its window at A0000h, its memory. What two kinds of adapters have beyond a VGA is in [`Extension`].

mod ports;
mod window;

pub use window::Window;

use super::cirrus::{self, Cirrus};
use super::layout::Layout;
use super::memory::VideoMemory;
use super::planes;
use super::registers::{Registers, sequencer};
use super::timing::Beam;
use super::vbe::Vbe;
use super::{Scene, Snapshot};
use crate::device::Clock;
use crate::kvm::{Pages, Region};
use crate::pci::ConfigSpace;
use std::io;
use std::sync::Arc;

/// Bytes of the standard VGA's video memory: what the linear framebuffer shows.
pub const MEMORY_SIZE: usize = 16 << 20;
/// Behind video memory lie 32 KiB that stand for planes 0 and 1 while the guest has text memory mapped.
pub(super) const TEXT_SIZE: usize = 32 << 10;
/// What the 256 KiB of a plain VGA need.
pub(super) const PLANES_SIZE: usize = 256 << 10;

/// What an adapter has beyond a VGA.
pub(super) enum Extension {
    /// The Bochs VBE registers.
    Bochs(Vbe),
    /// Those of a Cirrus Logic GD5446.
    Cirrus(Box<Cirrus>),
}

/// A display adapter: the standard VGA of QEMU, PCI 1234:1111, or a Cirrus Logic GD5446, PCI 1013:00B8.
///
/// Ports 3B0h–3DFh, 1CEh and 1CFh come through [`PortDevice`] with whole port numbers, the window at A0000h through
/// [`MemoryDevice`], the BARs through [`crate::pci::PciFunction`]. After each write the bus asks
/// [`has_moved`](Vga::has_moved), and the board maps what there is then; accesses that trap although they would not need to are served too.
pub struct Vga {
    pub(super) config: ConfigSpace,
    pub(super) rom: Region,
    pub(super) memory: VideoMemory,
    clock: Arc<dyn Clock>,
    registers: Registers,
    pub(super) extension: Extension,
    /// Bytes of video memory, a power of two.
    size: usize,
    beam: Beam,
    /// The four planes at the last address read in a planar mode.
    latch: u32,
    /// Planes 0 and 1 live in the text area behind video memory, as even and odd bytes.
    text_in_memory: bool,
    /// Counts what may have changed the picture, except for memory and the hardware cursor.
    version: u64,
    /// What the board was last told to map: the window, and whether BAR 0 is plain memory.
    mapped: (Option<Window>, bool),
}

impl Vga {
    /// The standard VGA as after power-on, with its memory and option ROM. Fails if there is no memory.
    pub fn new(clock: Arc<dyn Clock>, vga_bios: &[u8]) -> io::Result<Self> {
        let config = super::pci::standard(vga_bios.len());
        Self::with(clock, vga_bios, config, MEMORY_SIZE, standard())
    }

    /// A Cirrus Logic GD5446.
    pub fn cirrus(clock: Arc<dyn Clock>, vga_bios: &[u8]) -> io::Result<Self> {
        let config = super::pci::cirrus(vga_bios.len());
        let extension = Extension::Cirrus(Box::new(Cirrus::new()));
        Self::with(clock, vga_bios, config, cirrus::SIZE, extension)
    }

    fn with(
        clock: Arc<dyn Clock>,
        vga_bios: &[u8],
        config: ConfigSpace,
        size: usize,
        extension: Extension,
    ) -> io::Result<Self> {
        Ok(Vga {
            config,
            rom: super::pci::rom(vga_bios)?,
            memory: VideoMemory::new(Region::new(size + TEXT_SIZE)?),
            clock,
            registers: Registers::new(),
            extension,
            size,
            beam: Beam::default(),
            latch: 0,
            text_in_memory: false,
            version: 0,
            mapped: (None, true),
        })
    }

    /// Video memory ([`size`](Self::size) bytes), and behind it what [`window`](Vga::window) may point to.
    pub fn memory(&self) -> &Region {
        self.memory.region()
    }

    /// Pages of video memory that changed since the last call, except by writes of the guest to what it has mapped.
    pub fn take_written(&mut self) -> Pages {
        self.memory.take_written()
    }

    /// Bytes of video memory.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether a blit waits for what the processor writes to video memory.
    pub(super) fn waits(&self) -> bool {
        matches!(&self.extension, Extension::Cirrus(cirrus) if cirrus.waits())
    }

    /// Whether the linear framebuffer is plain memory now.
    pub(super) fn is_linear_plain(&self) -> bool {
        match &self.extension {
            Extension::Bochs(_) => true,
            Extension::Cirrus(cirrus) => cirrus.is_plain(),
        }
    }

    /// Whether what can be mapped has changed since this was last asked.
    pub fn has_moved(&mut self) -> bool {
        let now = (self.window(), self.is_linear_plain());
        std::mem::replace(&mut self.mapped, now) != now
    }

    /// Whether the window at A0000h shows packed pixels of the Cirrus rather than what a VGA has there.
    fn packed(&self) -> Option<&Cirrus> {
        match &self.extension {
            Extension::Cirrus(cirrus) if cirrus.is_packed() => Some(cirrus),
            _ => None,
        }
    }

    fn layout(&self) -> Option<Layout> {
        match &self.extension {
            Extension::Bochs(vbe) => vbe.layout(),
            Extension::Cirrus(cirrus) => cirrus.layout(&self.registers),
        }
    }

    /// Puts registers back as at power-on; memory keeps its contents.
    pub(super) fn reset_registers(&mut self) {
        self.touch();
        self.registers = Registers::new();
        self.extension = match self.extension {
            Extension::Bochs(_) => standard(),
            Extension::Cirrus(_) => Extension::Cirrus(Box::new(Cirrus::new())),
        };
        self.latch = 0;
        self.follow_text();
    }

    /// All that a picture of the screen depends on, copied. Cursor and blinking characters are in their visible
    /// phase.
    pub fn snapshot(&self) -> Snapshot {
        self.scene().snapshot()
    }

    /// What [`snapshot`](Self::snapshot) is made from: quick to get, so that the adapter need not be locked while a
    /// picture is drawn.
    pub fn scene(&self) -> Scene {
        let mut registers = self.registers.clone();
        if self.packed().is_some() {
            // SeaBIOS leaves the screen turned off here in such modes, and QEMU shows it all the same.
            registers.sequencer[sequencer::CLOCKING] &= !0x20;
        }
        Scene {
            version: self.version,
            registers,
            layout: self.layout(),
            cursor: match &self.extension {
                Extension::Bochs(_) => None,
                Extension::Cirrus(cirrus) => cirrus.cursor(&self.memory),
            },
            dac_8bit: matches!(&self.extension, Extension::Bochs(vbe) if vbe.dac_8bit()),
            size: self.size,
            text_in_memory: self.text_in_memory,
            memory: self.memory().clone(),
        }
    }

    fn text(&self) -> Vec<u8> {
        let mut text = vec![0; TEXT_SIZE];
        self.memory.read(self.size, &mut text);
        text
    }

    /// Moves planes 0 and 1 to the text area or back when the registers say so.
    fn follow_text(&mut self) {
        let linear = match &self.extension {
            Extension::Bochs(vbe) => vbe.enabled(),
            Extension::Cirrus(cirrus) => cirrus.is_packed(),
        };
        let wanted = planes::is_plain_text(&self.registers) && !linear;
        if wanted == self.text_in_memory {
            return;
        }
        // 32 KiB of text are the first 64 KiB of interleaved planes.
        let mut planes = vec![0; 2 * TEXT_SIZE];
        self.memory.read(0, &mut planes);
        if wanted {
            let text: Vec<u8> = planes.chunks_exact(4).flat_map(|cell| [cell[0], cell[1]]).collect();
            self.memory.write(self.size, &text);
        } else {
            merge_text(&self.text(), &mut planes);
            self.memory.write(0, &planes);
        }
        self.text_in_memory = wanted;
        self.touch();
    }
}

fn standard() -> Extension {
    Extension::Bochs(Vbe::new(u32::try_from(MEMORY_SIZE).unwrap_or(u32::MAX)))
}

/// Puts even and odd bytes of `text` into planes 0 and 1 of `planes`.
pub(super) fn merge_text(text: &[u8], planes: &mut [u8]) {
    for (cell, plane) in text.chunks_exact(2).zip(planes.chunks_exact_mut(4)) {
        plane[..2].copy_from_slice(cell);
    }
}
