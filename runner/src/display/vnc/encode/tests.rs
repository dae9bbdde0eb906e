//! A decoder of our own, written from the documents; the judges that are not ours are in `tests/vnc`.

use super::*;
use flate2::{Decompress, FlushDecompress};
use proptest::prelude::*;

/// A client's side of Tight and ZRLE, written from the documents, for pixels in the native format.
#[derive(Default)]
struct Decoder(Vec<Option<Decompress>>);

impl Decoder {
    fn inflate(&mut self, stream: usize, data: &[u8], len: Option<usize>) -> Vec<u8> {
        self.0.resize_with(5, || None);
        let stream = self.0[stream].get_or_insert_with(|| Decompress::new(true));
        let mut out = Vec::with_capacity(len.unwrap_or(16 << 20));
        let before = stream.total_in();
        stream.decompress_vec(data, &mut out, FlushDecompress::Sync).unwrap();
        assert_eq!(stream.total_in() - before, data.len() as u64, "all is read");
        assert!(len.is_none_or(|len| len == out.len()));
        out
    }

    fn zrle(&mut self, data: &[u8], frame: &mut Frame, rect: &Rect) {
        let len = u32::from_be_bytes(data[..4].try_into().unwrap()) as usize;
        assert_eq!(data.len(), 4 + len);
        let bytes = self.inflate(4, &data[4..], None);
        let mut at = 0;
        let mut byte = || {
            at += 1;
            bytes[at - 1]
        };
        for y in (0..rect.height).step_by(64) {
            for x in (0..rect.width).step_by(64) {
                let (width, height) = ((rect.width - x).min(64), (rect.height - y).min(64));
                let count = (width * height) as usize;
                let kind = byte();
                let pixel = |byte: &mut dyn FnMut() -> u8| u32::from_le_bytes([byte(), byte(), byte(), 0]);
                let mut tile = Vec::new();
                match kind {
                    0 => tile = (0..count).map(|_| pixel(&mut byte)).collect(),
                    1 => tile = vec![pixel(&mut byte); count],
                    2..=16 => {
                        let palette: Vec<u32> = (0..kind).map(|_| pixel(&mut byte)).collect();
                        let bits = match kind {
                            2 => 1,
                            3..=4 => 2,
                            _ => 4,
                        };
                        for _ in 0..height {
                            let (mut have, mut left) = (0u8, 0);
                            for _ in 0..width {
                                if left == 0 {
                                    (have, left) = (byte(), 8);
                                }
                                left -= bits;
                                tile.push(palette[usize::from(have >> left & ((1 << bits) - 1))]);
                            }
                        }
                    }
                    128 | 130.. => {
                        let palette: Vec<u32> = (0..kind - 128).map(|_| pixel(&mut byte)).collect();
                        while tile.len() < count {
                            let (color, runs) = if kind == 128 {
                                (pixel(&mut byte), true)
                            } else {
                                let index = byte();
                                (palette[usize::from(index & 127)], index & 128 != 0)
                            };
                            let mut len = 1;
                            loop {
                                if !runs {
                                    break;
                                }
                                let more = byte();
                                len += usize::from(more);
                                if more != 255 {
                                    break;
                                }
                            }
                            tile.extend(std::iter::repeat_n(color, len));
                        }
                    }
                    other => panic!("subencoding {other}"),
                }
                assert_eq!(tile.len(), count);
                let place = Rect {
                    x: rect.x + x,
                    y: rect.y + y,
                    width,
                    height,
                };
                put(frame, &place, &tile);
            }
        }
        assert_eq!(at, bytes.len());
    }

    fn tight(&mut self, data: &[u8], frame: &mut Frame, rect: &Rect) -> usize {
        let mut at = 0;
        let mut byte = || {
            at += 1;
            data[at - 1]
        };
        let count = (rect.width * rect.height) as usize;
        let rgb = |b: &[u8]| u32::from_be_bytes([0, b[0], b[1], b[2]]);
        let control = byte();
        if control == 0x80 {
            let color = rgb(&[byte(), byte(), byte()]);
            put(frame, rect, &vec![color; count]);
            return at;
        }
        assert!(control < 0x80 && control & 15 == 0);
        let stream = usize::from(control >> 4 & 3);
        let mut palette = Vec::new();
        if control & 0x40 != 0 && byte() == 1 {
            let colors = usize::from(byte()) + 1;
            palette = (0..colors).map(|_| rgb(&[byte(), byte(), byte()])).collect();
        }
        let row = match palette.len() {
            0 => rect.width as usize * 3,
            2 => rect.width.div_ceil(8) as usize,
            _ => rect.width as usize,
        };
        let size = row * rect.height as usize;
        let bytes = if size < 12 {
            (0..size).map(|_| byte()).collect()
        } else {
            let (mut len, mut shift) = (0, 0);
            loop {
                let part = byte();
                len |= usize::from(if shift == 14 { part } else { part & 127 }) << shift;
                shift += 7;
                if part & 128 == 0 || shift == 21 {
                    break;
                }
            }
            at += len;
            self.inflate(stream, &data[at - len..at], Some(size))
        };
        let mut pixels = Vec::new();
        for row in bytes.chunks(row) {
            match palette.len() {
                0 => pixels.extend(row.chunks(3).map(rgb)),
                2 => {
                    pixels
                        .extend((0..rect.width as usize).map(|x| palette[usize::from(row[x / 8] >> (7 - x % 8) & 1)]));
                }
                _ => pixels.extend(row.iter().map(|index| palette[usize::from(*index)])),
            }
        }
        put(frame, rect, &pixels);
        at
    }
}

fn put(frame: &mut Frame, rect: &Rect, pixels: &[u32]) {
    let width = frame.width as usize;
    for (y, row) in (rect.y as usize..).zip(pixels.chunks(rect.width as usize)) {
        let start = y * width + rect.x as usize;
        frame.pixels[start..start + row.len()].copy_from_slice(row);
    }
}

fn picture() -> impl Strategy<Value = (Frame, Rect)> {
    let sizes = (1..300u32, 1..150u32);
    (sizes, 1..400u32, 1..40u32, any::<u32>(), any::<[u16; 4]>()).prop_map(
        |((width, height), colors, run, seed, cut)| {
            let mut frame = Frame::black(width, height);
            let (mut state, mut color, mut left) = (seed, 0, 0);
            for pixel in &mut frame.pixels {
                if left == 0 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    color = ((state >> 8) % colors * 0x01_03_07) & 0x00FF_FFFF;
                    left = state % run + 1;
                }
                left -= 1;
                *pixel = color;
            }
            let (x, y) = (u32::from(cut[0]) % width, u32::from(cut[1]) % height);
            let rect = Rect {
                x,
                y,
                width: 1 + u32::from(cut[2]) % (width - x),
                height: 1 + u32::from(cut[3]) % (height - y),
            };
            (frame, rect)
        },
    )
}

proptest! {
    #[test]
    fn what_is_decoded_is_what_was_encoded(pictures in proptest::collection::vec(picture(), 1..4), tight: bool) {
        let mut encoder = Encoder::new();
        encoder.choose(&[5, if tight { encoding::TIGHT } else { encoding::ZRLE }, encoding::RAW]);
        let mut decoder = Decoder::default();
        for (frame, rect) in pictures {
            let mut expected = Frame::black(frame.width, frame.height);
            let mut seen = expected.clone();
            for rect in encoder.split(&rect) {
                let mut out = Vec::new();
                encoder.encode(&frame, &rect, &PixelFormat::NATIVE, &mut out);
                if tight {
                    prop_assert_eq!(decoder.tight(&out[12..], &mut seen, &rect), out.len() - 12);
                } else {
                    decoder.zrle(&out[12..], &mut seen, &rect);
                }
            }
            let pixels: Vec<u32> = rows(&frame, &rect).flatten().copied().collect();
            put(&mut expected, &rect, &pixels);
            prop_assert_eq!(&seen, &expected);
        }
    }
}
