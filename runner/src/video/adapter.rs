//! The adapter: its ports, its window at A0000h, its memory. What two kinds of adapters have beyond a VGA is in [`Extension`].

use super::cirrus::{self, Cirrus};
use super::layout::Layout;
use super::memory::VideoMemory;
use super::planes::{self, Addressing};
use super::registers::{Registers, crtc, graphics, sequencer};
use super::timing::Beam;
use super::vbe::{self, Vbe};
use super::{Scene, Snapshot};
use crate::device::{Clock, MemoryDevice, PortDevice};
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
/// Where the window lies in guest-physical memory.
const WINDOW: u64 = 0xA_0000;

const VBE_INDEX: u16 = 0x1CE;
const VBE_DATA: u16 = 0x1CF;

/// The part of the legacy window (A0000h–BFFFFh) that is plain memory now; the rest traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Guest-physical address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
    /// Where in [`Vga::memory`] it begins, in bytes.
    pub offset: usize,
}

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

    /// Where the VGA's window shows video memory, in bytes.
    fn bank_offset(&self) -> usize {
        match &self.extension {
            Extension::Bochs(vbe) => vbe.bank_offset(),
            Extension::Cirrus(_) => 0,
        }
    }

    /// What the board may map into the guest instead of trapping: text memory, or 256-colour memory.
    pub fn window(&self) -> Option<Window> {
        if let Some(cirrus) = self.packed() {
            return cirrus.window().map(|offset| Window {
                address: WINDOW,
                size: 0x1_0000,
                offset,
            });
        }
        let (start, size) = planes::window(&self.registers);
        let offset = if self.text_in_memory {
            self.size
        } else if self.is_plain_chain4() {
            self.bank_offset()
        } else {
            return None;
        };
        Some(Window {
            address: WINDOW + start,
            size,
            offset,
        })
    }

    fn is_plain_chain4(&self) -> bool {
        let (_, size) = planes::window(&self.registers);
        let end = self
            .bank_offset()
            .saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        planes::addressing(&self.registers) == Addressing::Chain4
            && self.registers.sequencer[sequencer::MAP_MASK] & 15 == 15
            && end <= self.size
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

    /// One byte of ports 3B0h–3DFh.
    pub(super) fn read_register(&mut self, port: u16) -> u8 {
        if self.registers.reads_status(port) {
            return self.beam.status(&self.registers, self.clock.now());
        }
        if let Extension::Cirrus(cirrus) = &mut self.extension
            && let Some(value) = cirrus.read_port(port, &mut self.registers)
        {
            return value;
        }
        self.registers.read(port)
    }

    /// Whether a byte written to `port` can change the picture, beyond memory and the hardware cursor. Index registers
    /// cannot, nor what steers only the processor's accesses and the blitter.
    fn is_seen(&self, port: u16) -> bool {
        match port {
            0x3B4 | 0x3C4 | 0x3C7 | 0x3C8 | 0x3CE | 0x3D4 => false,
            0x3C5 => {
                let index = match &self.extension {
                    Extension::Bochs(_) => self.registers.sequencer_index,
                    Extension::Cirrus(cirrus) => cirrus.sequencer_index(),
                };
                usize::from(index) != sequencer::MAP_MASK && !matches!(index & 0x1F, 0x10..=0x13)
            }
            0x3CF => {
                let index = match &self.extension {
                    Extension::Bochs(_) => self.registers.graphics_index,
                    Extension::Cirrus(cirrus) => cirrus.graphics_index(),
                };
                [graphics::MODE, graphics::MISC].contains(&usize::from(index))
            }
            _ => true,
        }
    }

    /// What the picture depends on beside memory and the hardware cursor may have changed.
    pub(super) fn touch(&mut self) {
        self.version = self.version.wrapping_add(1);
    }

    /// One byte to ports 3B0h–3DFh.
    pub(super) fn write_register(&mut self, port: u16, value: u8) {
        if self.is_seen(port) {
            self.touch();
        }
        let for_vga = match &mut self.extension {
            Extension::Bochs(_) => true,
            Extension::Cirrus(cirrus) => cirrus.write_port(port, value, &mut self.registers, &self.memory),
        };
        if for_vga {
            self.registers.write(port, value);
        }
        self.follow_text();
    }

    /// Reads DISPI register `index`.
    pub(super) fn read_vbe(&self, index: u16) -> u16 {
        match &self.extension {
            Extension::Bochs(vbe) => vbe.read(index),
            Extension::Cirrus(_) => 0xFFFF,
        }
    }

    /// Writes DISPI register `index`.
    pub(super) fn write_vbe(&mut self, index: u16, value: u16) {
        self.touch();
        let Extension::Bochs(vbe) = &mut self.extension else {
            return;
        };
        let turned_on = vbe.write(index, value);
        self.follow_text();
        if let Some(layout) = self.layout().filter(|_| turned_on) {
            self.set_up_linear_mode(&layout);
            if value & vbe::NO_CLEAR == 0 {
                self.clear(u64::from(layout.row_bytes) * u64::from(layout.height));
            }
            self.follow_text();
        }
    }

    /// A linear mode sets the VGA registers that drivers and the VGA BIOS read back, and the window at A0000h.
    fn set_up_linear_mode(&mut self, layout: &Layout) {
        let low = |value: u32| value.to_le_bytes()[0];
        let registers = &mut self.registers;
        registers.graphics[graphics::MISC] = registers.graphics[graphics::MISC] & !0x0C | 0x05;
        registers.crtc[crtc::MODE] |= 3;
        registers.crtc[crtc::OFFSET] = low(layout.row_bytes >> 3);
        registers.crtc[crtc::H_DISPLAY_END] = low((layout.width >> 3) - 1);
        let last_row = layout.height - 1;
        registers.crtc[crtc::V_DISPLAY_END] = low(last_row);
        let overflow = registers.crtc[crtc::OVERFLOW] & !0x42;
        registers.crtc[crtc::OVERFLOW] = overflow | low(last_row >> 7 & 0x02) | low(last_row >> 3 & 0x40) | 0x10;
        registers.crtc[crtc::LINE_COMPARE] = 0xFF;
        registers.crtc[crtc::MAX_SCAN] = registers.crtc[crtc::MAX_SCAN] & !0x9F | 0x40;
        let shift = if layout.bits == 4 {
            registers.sequencer[sequencer::CLOCKING] &= !8;
            0
        } else {
            registers.sequencer[sequencer::MEMORY_MODE] |= 8;
            registers.sequencer[sequencer::MAP_MASK] |= 15;
            0x40
        };
        registers.graphics[graphics::MODE] = registers.graphics[graphics::MODE] & !0x60 | shift;
    }

    fn clear(&self, bytes: u64) {
        let zeros = vec![0; 64 << 10];
        let end = usize::try_from(bytes).unwrap_or(self.size).min(self.size);
        for start in (0..end).step_by(zeros.len()) {
            self.memory.write(start, &zeros[..zeros.len().min(end - start)]);
        }
    }

    /// Where an offset in the 128 KiB from A0000h lies in the window that is open now.
    fn in_window(&self, offset: u64) -> Option<usize> {
        let (start, size) = planes::window(&self.registers);
        let inside = offset.checked_sub(start).filter(|inside| *inside < size)?;
        usize::try_from(inside).ok()
    }

    fn read_window(&mut self, offset: u64) -> u8 {
        if let Some(cirrus) = self.packed() {
            return cirrus.read_window(offset, &self.memory);
        }
        let Some(inside) = self.in_window(offset) else {
            return 0xFF;
        };
        if self.text_in_memory {
            let mut byte = [0xFF];
            self.memory.read(self.size + inside, &mut byte);
            return byte[0];
        }
        let base = self.bank_offset();
        planes::read(&self.registers, &mut self.latch, &self.memory, base, inside)
    }

    fn write_window(&mut self, offset: u64, value: u8) {
        if let Extension::Cirrus(cirrus) = &mut self.extension
            && cirrus.is_packed()
        {
            return cirrus.write_window(offset, value, &self.memory);
        }
        let Some(inside) = self.in_window(offset) else { return };
        if self.text_in_memory {
            self.memory.write(self.size + inside, &[value]);
            return;
        }
        let base = self.bank_offset();
        planes::write(&self.registers, self.latch, &self.memory, base, inside, value);
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

impl PortDevice for Vga {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        match port {
            VBE_INDEX | VBE_DATA => {
                return match &self.extension {
                    Extension::Bochs(vbe) if port == VBE_INDEX => vbe.index.into(),
                    Extension::Bochs(vbe) => vbe.read(vbe.index).into(),
                    Extension::Cirrus(_) => u32::MAX,
                };
            }
            _ => {}
        }
        let mut value = [0; 4];
        for (byte, port) in value.iter_mut().zip(port..=u16::MAX).take(usize::from(size)) {
            *byte = self.read_register(port);
        }
        u32::from_le_bytes(value)
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        let low = u16::try_from(value & 0xFFFF).unwrap_or(0);
        match port {
            VBE_INDEX | VBE_DATA => match &mut self.extension {
                Extension::Bochs(vbe) if port == VBE_INDEX => vbe.index = low,
                Extension::Bochs(vbe) => {
                    let index = vbe.index;
                    self.write_vbe(index, low);
                }
                Extension::Cirrus(_) => {}
            },
            _ => {
                // A word to an index port is the index and the data behind it.
                for (byte, port) in value
                    .to_le_bytes()
                    .into_iter()
                    .zip(port..=u16::MAX)
                    .take(usize::from(size))
                {
                    self.write_register(port, byte);
                }
            }
        }
    }

    fn has_moved(&mut self) -> bool {
        Vga::has_moved(self)
    }
}

impl MemoryDevice for Vga {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        for (byte, offset) in data.iter_mut().zip(offset..) {
            *byte = self.read_window(offset);
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let waited = self.waits() && offset < 0x1_0000;
        for (byte, offset) in data.iter().zip(offset..) {
            self.write_window(offset, *byte);
            if waited && !self.waits() {
                break;
            }
        }
    }

    fn has_moved(&mut self) -> bool {
        Vga::has_moved(self)
    }
}
