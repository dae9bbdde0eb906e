//! Pictures of screens, to be compared.

use runner::control::Client;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Pixels as `0x00RRGGBB`.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u32>,
}

impl Picture {
    pub(crate) fn read(path: &Path) -> Self {
        Self::decode(BufReader::new(File::open(path).unwrap()))
    }

    /// A PNG with 8 bits a channel.
    pub(crate) fn decode(file: impl std::io::BufRead + std::io::Seek) -> Self {
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!(info.bit_depth, png::BitDepth::Eight);
        let channels = info.color_type.samples();
        assert!(channels >= 3, "{:?}", info.color_type);
        let rgb = |pixel: &[u8]| u32::from_be_bytes([0, pixel[0], pixel[1], pixel[2]]);
        Picture {
            width: info.width,
            height: info.height,
            pixels: bytes[..info.buffer_size()].chunks_exact(channels).map(rgb).collect(),
        }
    }

    /// How many pixels differ: all of them if the sizes do.
    pub(crate) fn differences(&self, other: &Picture) -> usize {
        if (self.width, self.height) != (other.width, other.height) {
            return self.pixels.len().max(1);
        }
        self.pixels.iter().zip(&other.pixels).filter(|(a, b)| a != b).count()
    }

    /// Its part of this size whose upper left corner is there; black where it ends.
    pub(crate) fn part(&self, x: u32, y: u32, width: u32, height: u32) -> Picture {
        let at = |x: u32, y: u32| {
            let inside = x < self.width && y < self.height;
            if inside {
                self.pixels[(y * self.width + x) as usize]
            } else {
                0
            }
        };
        Picture {
            width,
            height,
            pixels: (y..y + height)
                .flat_map(|y| (x..x + width).map(move |x| at(x, y)))
                .collect(),
        }
    }
}

/// The screen as the control socket gives it.
pub(crate) fn screendump(client: &mut Client, folder: &Path) -> Picture {
    let path = folder.join("screen.png");
    client.screenshot(&path).unwrap();
    let picture = Picture::read(&path);
    let colors: std::collections::HashSet<&u32> = picture.pixels.iter().collect();
    assert!(colors.len() > 1, "an empty screen proves nothing");
    picture
}
