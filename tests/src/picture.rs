//! Pictures of screens: PNG as `p2v screenshot` writes it, PPM, and the XWD file in which Xvfb keeps its screen.

use anyhow::{Context, Result, ensure};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// A picture of 8-bit red, green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads a PNG, PPM or XWD file.
    ///
    /// # Errors
    /// If it is none of these, or has other than 8 bits a colour.
    pub fn read(path: &Path) -> Result<Self> {
        let data = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if data.starts_with(b"P6") {
            return Self::from_ppm(&data).with_context(|| format!("{} is no PPM file", path.display()));
        }
        if !data.starts_with(b"\x89PNG") {
            return Self::from_xwd(&data).with_context(|| format!("{} is no picture", path.display()));
        }
        let mut reader = png::Decoder::new(std::io::Cursor::new(data)).read_info()?;
        let mut bytes = vec![0; reader.output_buffer_size().context("the picture is too large")?];
        let info = reader.next_frame(&mut bytes)?;
        ensure!(
            info.bit_depth == png::BitDepth::Eight,
            "a picture of {:?}",
            info.bit_depth
        );
        let samples = info.color_type.samples();
        let pixels = bytes.chunks_exact(samples).map(|pixel| match pixel {
            [red, green, blue, ..] => [*red, *green, *blue],
            [grey, ..] => [*grey; 3],
            [] => [0; 3],
        });
        Ok(Self {
            width: usize::try_from(info.width)?,
            height: usize::try_from(info.height)?,
            pixels: pixels.collect(),
        })
    }

    /// `P6 WIDTH HEIGHT 255`, then three bytes a pixel.
    fn from_ppm(data: &[u8]) -> Option<Self> {
        let mut rest = data;
        let mut word = || {
            let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
            let length = rest.get(start..)?.iter().position(u8::is_ascii_whitespace)?;
            let word = std::str::from_utf8(rest.get(start..start + length)?).ok()?;
            rest = rest.get(start + length + 1..)?;
            Some(word)
        };
        let _magic = word()?;
        let (width, height) = (word()?.parse().ok()?, word()?.parse().ok()?);
        let eight_bits = word()? == "255";
        let pixels: Vec<[u8; 3]> = rest.chunks_exact(3).filter_map(|pixel| pixel.try_into().ok()).collect();
        (eight_bits && pixels.len() == width * height).then_some(Self { width, height, pixels })
    }

    /// A header and a colour map, then rows of pixels (`X11/XWDFile.h`).
    fn from_xwd(data: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = data.get(at * 4..at * 4 + 4)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        let (header, version, width, height) = (number(0)?, number(1)?, number(4)?, number(5)?);
        let (bits, row_bytes, colours) = (number(11)?, number(12)?, number(19)?);
        if (version, bits) != (7, 32) {
            return None;
        }
        let rows = data.get(header + colours * 12..)?.chunks_exact(row_bytes).take(height);
        let pixels = rows.flat_map(|row| row.chunks_exact(4).take(width));
        let pixels: Vec<[u8; 3]> = pixels.map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        (pixels.len() == width * height).then_some(Self { width, height, pixels })
    }

    /// A part of it, which must lie inside.
    #[must_use]
    pub fn part(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        let rows = y..y + height;
        let pixels = rows.flat_map(|y| (x..x + width).map(move |x| self.at(x, y)));
        Self {
            width,
            height,
            pixels: pixels.collect(),
        }
    }

    /// The same with each pixel a square of `factor` by `factor`.
    #[must_use]
    pub fn enlarged(&self, factor: usize) -> Self {
        let (width, height) = (self.width * factor, self.height * factor);
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| self.at(x / factor, y / factor)));
        Self {
            width,
            height,
            pixels: pixels.collect(),
        }
    }

    /// Red, green and blue at a place inside the picture.
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width && y < self.height, "no pixel {x}, {y}");
        self.pixels[y * self.width + x]
    }

    /// How many colours there are.
    pub fn colours(&self) -> usize {
        self.pixels.iter().collect::<HashSet<_>>().len()
    }

    fn pairs<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a [u8; 3], &'a [u8; 3])> {
        let same = (self.width, self.height) == (other.width, other.height);
        assert!(same, "pictures of different sizes are not compared");
        self.pixels.iter().zip(&other.pixels)
    }

    /// How many pixels differ; all of them if the sizes do.
    pub fn differing(&self, other: &Self) -> usize {
        if (self.width, self.height) != (other.width, other.height) {
            return self.pixels.len();
        }
        self.pairs(other).filter(|(one, two)| one != two).count()
    }

    /// The rectangle in which all differing pixels are: left, top, right, bottom, the last two exclusive.
    pub fn difference(&self, other: &Self) -> Option<(usize, usize, usize, usize)> {
        let differs = |at: &usize| self.pixels.get(*at) != other.pixels.get(*at);
        let places = (0..self.pixels.len()).filter(differs);
        places
            .map(|at| (at % self.width, at / self.width))
            .fold(None, |area, (x, y)| {
                let (left, top, right, bottom) = area.unwrap_or((x, y, x + 1, y + 1));
                Some((left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)))
            })
    }

    /// By how much the colours differ on average (0–255), for pictures that were compressed with loss.
    pub fn distance(&self, other: &Self) -> f64 {
        let colours = self
            .pairs(other)
            .flat_map(|(one, two)| one.iter().zip(two).map(|(one, two)| f64::from(one.abs_diff(*two))));
        colours.sum::<f64>() / (self.pixels.len().max(1) * 3) as f64
    }
}
