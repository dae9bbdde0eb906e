//! Makes LZX cabinets for tests: no free program does. What comes out is judged by cabextract.
//!
//! Source: Microsoft, [MS-PATCH] (LZX DELTA) and "Microsoft LZX Data Compression Format", which cabinets use without
//! the delta parts. All codes have one of two lengths, so that no code has to be computed from frequencies.

#![allow(dead_code, reason = "each test binary uses its own part")]

/// Output bytes of a frame, and of a data block of a cabinet.
const FRAME: usize = 32 << 10;

/// Bits, most significant first, in 16-bit words.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    word: u32,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.word = self.word << 1 | (value >> bit & 1);
            self.used += 1;
            if self.used == 16 {
                self.bytes.extend(u16::try_from(self.word).unwrap().to_le_bytes());
                (self.word, self.used) = (0, 0);
            }
        }
    }

    /// Fills the word.
    fn align(&mut self) {
        if self.used > 0 {
            self.put(0, 16 - self.used);
        }
    }
}

/// A complete canonical code for `count` symbols, the first of them with the shorter of two lengths.
struct Code {
    short: u32,
    bits: u32,
    count: u32,
}

impl Code {
    fn new(count: u32) -> Self {
        let bits = count.ilog2();
        Code {
            short: 2 * (1 << bits) - count,
            bits,
            count,
        }
    }

    fn length(&self, symbol: u32) -> u32 {
        if symbol < self.short { self.bits } else { self.bits + 1 }
    }

    fn put(&self, symbol: u32, to: &mut Bits) {
        let value = if symbol < self.short {
            symbol
        } else {
            self.short * 2 + symbol - self.short
        };
        to.put(value, self.length(symbol));
    }

    /// The lengths of symbols `from..upto` as differences to `before`, each coded in one bit.
    fn describe(&self, from: u32, upto: u32, before: bool, to: &mut Bits) {
        let difference = |length: u32| if before { 0 } else { 17 - length };
        let (one, other) = (difference(self.bits), difference(self.bits + 1));
        // The code of the differences: two of its twenty symbols are used.
        let mut pair = [one, other];
        if one == other {
            pair = [0, 1];
        }
        pair.sort_unstable();
        for symbol in 0..20 {
            to.put(u32::from(pair.contains(&symbol)), 4);
        }
        for symbol in from..upto.min(self.count) {
            to.put(u32::from(difference(self.length(symbol)) == pair[1]), 1);
        }
    }
}

/// Makes the addresses of call instructions absolute, as the decoder undoes it.
fn translate(data: &[u8]) -> Vec<u8> {
    let size = i32::try_from(data.len()).unwrap();
    let mut data = data.to_vec();
    for (number, frame) in data.chunks_mut(FRAME).enumerate() {
        let mut at = 0;
        while at + 10 < frame.len() {
            if frame[at] != 0xE8 {
                at += 1;
                continue;
            }
            let here = i32::try_from(number * FRAME + at).unwrap();
            let relative = i32::from_le_bytes(frame[at + 1..at + 5].try_into().unwrap());
            if relative >= -here && relative < size {
                let absolute = if relative < size - here {
                    relative + here
                } else {
                    relative - size
                };
                frame[at + 1..at + 5].copy_from_slice(&absolute.to_le_bytes());
            }
            at += 5;
        }
    }
    data
}

/// Compresses `data` into frames, in blocks of `block` bytes that are in turn verbatim, aligned and uncompressed.
fn compress(data: &[u8], window: u32, block: usize, calls: bool) -> Vec<Vec<u8>> {
    let slots = [30, 32, 34, 36, 38, 42, 50][usize::try_from(window - 15).unwrap()];
    let (main, lengths) = (Code::new(256 + 8 * slots), Code::new(249));
    let mut to = Bits::default();
    to.put(u32::from(calls), 1);
    let translated = if calls { translate(data) } else { data.to_vec() };
    if calls {
        let size = u32::try_from(data.len()).unwrap();
        to.put(size >> 16, 16);
        to.put(size & 0xFFFF, 16);
    }
    let data = &translated[..];
    let mut frames = Vec::new();
    let mut last = [1u32; 3];
    let mut described = false;
    let mut odd = false;
    let mut seen = std::collections::HashMap::<[u8; 3], usize>::new();
    for (number, start) in (0..data.len()).step_by(block).enumerate() {
        let end = data.len().min(start + block);
        let kind = [1, 2, 3][number % 3];
        if odd {
            to.bytes.push(0);
            odd = false;
        }
        to.put(kind, 3);
        to.put(u32::try_from(end - start).unwrap(), 24);
        match kind {
            3 => {
                // At least one bit, up to a word's end; then the last offsets.
                to.put(0, 16 - to.used);
                to.bytes.extend(last.iter().flat_map(|offset| offset.to_le_bytes()));
                odd = (end - start) % 2 == 1;
            }
            kind => {
                for _ in 0..8 * (kind - 1) {
                    to.put(3, 3);
                }
                main.describe(0, 256, described, &mut to);
                main.describe(256, main.count, described, &mut to);
                lengths.describe(0, 249, described, &mut to);
                described = true;
            }
        }
        let mut at = start;
        while at < end {
            let stop = end.min((at / FRAME + 1) * FRAME);
            if kind == 3 {
                to.bytes.extend(&data[at..stop]);
                at = stop;
            } else {
                let key = data.get(at..at + 3).map(|bytes| <[u8; 3]>::try_from(bytes).unwrap());
                let from = key
                    .and_then(|key| seen.insert(key, at))
                    .filter(|from| at - from < (1 << window) - 3);
                let same = |from: usize| {
                    (0..stop - at)
                        .take(257)
                        .take_while(|n| data[from + n] == data[at + n])
                        .count()
                };
                match from.map(|from| (at - from, same(from))) {
                    Some((offset, length @ 3..)) => {
                        let offset = u32::try_from(offset).unwrap();
                        put_match(&mut to, (&main, &lengths), &mut last, offset, length, kind == 2);
                        at += length;
                    }
                    _ => {
                        main.put(u32::from(data[at]), &mut to);
                        at += 1;
                    }
                }
            }
            if at % FRAME == 0 || at == data.len() {
                to.align();
                frames.push(std::mem::take(&mut to.bytes));
            }
        }
    }
    frames
}

/// A match: which of the last offsets it is, or the slot of its offset with the bits that say where in the slot.
fn put_match(
    to: &mut Bits,
    (main, lengths): (&Code, &Code),
    last: &mut [u32; 3],
    offset: u32,
    length: usize,
    aligned: bool,
) {
    let (mut slot, mut bits, mut rest) = (0, 0, 0);
    if let Some(index) = last.iter().position(|other| *other == offset) {
        slot = u32::try_from(index).unwrap();
        last.swap(0, index);
    } else {
        let mut base = 0;
        // Slots have 0, 0, 0, 0, 1, 1, 2, 2, … up to 17 bits.
        loop {
            bits = if slot < 4 { 0 } else { (slot / 2 - 1).min(17) };
            if offset + 2 < base + (1 << bits) {
                break;
            }
            base += 1 << bits;
            slot += 1;
        }
        rest = offset + 2 - base;
        *last = [offset, last[0], last[1]];
    }
    let length = u32::try_from(length).unwrap() - 2;
    main.put(256 + slot * 8 + length.min(7), to);
    if length >= 7 {
        lengths.put(length - 7, to);
    }
    if aligned && bits >= 3 {
        to.put(rest >> 3, bits - 3);
        to.put(rest & 7, 3);
    } else {
        to.put(rest, bits);
    }
}

/// A cabinet with one folder that holds these files, compressed with LZX.
pub(crate) fn cabinet(files: &[(&str, Vec<u8>)], window: u32, block: usize, calls: bool) -> Vec<u8> {
    let data: Vec<u8> = files.iter().flat_map(|(_, data)| data.clone()).collect();
    let frames = compress(&data, window, block, calls);
    let method = u16::try_from(window << 8 | 3).unwrap();
    container(files, method, &frames, data.len())
}

/// A cabinet without compression.
pub(crate) fn stored(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let data: Vec<u8> = files.iter().flat_map(|(_, data)| data.clone()).collect();
    let frames: Vec<Vec<u8>> = data.chunks(FRAME).map(<[u8]>::to_vec).collect();
    container(files, 0, &frames, data.len())
}

/// Source: Microsoft, "Microsoft Cabinet Format": CFHEADER, CFFOLDER, CFFILE, CFDATA.
fn container(files: &[(&str, Vec<u8>)], method: u16, frames: &[Vec<u8>], size: usize) -> Vec<u8> {
    let word = |value: usize| u16::try_from(value).unwrap().to_le_bytes();
    let long = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut list = Vec::new();
    let mut offset = 0;
    for (name, data) in files {
        list.extend([long(data.len()), long(offset)].concat());
        list.extend([0, 0, 0x21, 0x28, 0, 0, 0x20, 0]);
        list.extend(name.as_bytes());
        list.push(0);
        offset += data.len();
    }
    let data: Vec<u8> = frames
        .iter()
        .enumerate()
        .flat_map(|(number, frame)| {
            let unpacked = FRAME.min(size - number * FRAME);
            [&[0; 4][..], &word(frame.len()), &word(unpacked), frame].concat()
        })
        .collect();
    let first = 36 + 8 + list.len();
    let mut cabinet = b"MSCF\0\0\0\0".to_vec();
    cabinet.extend([long(first + data.len()), long(0), long(44), long(0)].concat());
    cabinet.extend([3, 1]);
    cabinet.extend([word(1), word(files.len()), word(0), word(7), word(0)].concat());
    cabinet.extend(long(first));
    cabinet.extend([word(frames.len()), method.to_le_bytes()].concat());
    [cabinet, list, data].concat()
}
