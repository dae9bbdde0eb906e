//! A picture of the screen.

use std::io;

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

impl Frame {
    /// A black picture.
    pub fn black(width: u32, height: u32) -> Self {
        let pixels = u64::from(width).saturating_mul(u64::from(height));
        Frame {
            width,
            height,
            pixels: vec![0; usize::try_from(pixels).unwrap_or_default()],
        }
    }

    /// Red, green, blue bytes, pixel by pixel.
    pub fn rgb(&self) -> Vec<u8> {
        self.pixels
            .iter()
            .flat_map(|pixel| {
                let [_, red, green, blue] = pixel.to_be_bytes();
                [red, green, blue]
            })
            .collect()
    }

    /// The picture as a PNG file. Fails only if the picture has no pixels or `pixels` does not match its size.
    pub fn to_png(&self) -> io::Result<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb())?;
        writer.finish()?;
        Ok(file)
    }
}
