//! Which colours a tile has, and where.

/// Most colours that an encoding has an index for.
pub(super) const MAX_COLORS: usize = 256;

/// Colours in the order of their first pixels, found by a small hash table.
pub(super) struct Palette {
    colors: Vec<u32>,
    /// Index in `colors` plus 1, or 0.
    slots: [u16; SLOTS],
}

const SLOTS: usize = 1024;

impl Palette {
    /// The colours of `pixels`, or `None` if there are more than `limit`.
    pub(super) fn of(pixels: &[u32], limit: usize) -> Option<Self> {
        let mut palette = Palette {
            colors: Vec::new(),
            slots: [0; SLOTS],
        };
        let mut last = None;
        for pixel in pixels {
            if last == Some(*pixel) {
                continue;
            }
            last = Some(*pixel);
            let slot = palette.slot(*pixel);
            if palette.slots[slot] == 0 {
                if palette.colors.len() == limit.min(MAX_COLORS) {
                    return None;
                }
                palette.colors.push(*pixel);
                palette.slots[slot] = u16::try_from(palette.colors.len()).unwrap_or(0);
            }
        }
        Some(palette)
    }

    /// Where `color` is, or would be: the table is never full.
    fn slot(&self, color: u32) -> usize {
        let mut slot = (color.wrapping_mul(0x9E37_79B1) >> 22) as usize % SLOTS;
        loop {
            let index = self.slots[slot];
            if index == 0 || self.colors[usize::from(index) - 1] == color {
                return slot;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    pub(super) fn colors(&self) -> &[u32] {
        &self.colors
    }

    /// The index of a colour of the palette.
    pub(super) fn index(&self, color: u32) -> u8 {
        let index = self.slots[self.slot(color)];
        u8::try_from(index.saturating_sub(1)).unwrap_or(0)
    }
}
