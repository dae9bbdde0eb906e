//! The display adapter: VGA with Bochs VBE extensions, and pictures of its screen.

/// A picture of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `0x00RRGGBB`, row by row, `width * height` of them.
    pub pixels: Vec<u32>,
}
