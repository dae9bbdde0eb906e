//! Clusters of which most is zeros at the end, as the last one of a file or the bitmaps of a large empty file system are.
//!
//! Only what lies before the zeros goes through zstd. They are put behind it as blocks that repeat a byte (RLE): the same
//! frame to any decoder, several times as fast to make. Source: RFC 8878, 3.1.1 (frames) and 3.1.1.2 (blocks).

use super::encoder::is_zero;
use std::ops::Range;
use zstd::zstd_safe::{CCtx, InBuffer, OutBuffer, ResetDirective, zstd_sys::ZSTD_EndDirective};

/// No block stands for more bytes.
const LARGEST_BLOCK: usize = 128 << 10;
/// Bit 0 of a block's header.
const LAST_BLOCK: u32 = 1;
/// Bits 1 and 2 of a block's header; the block's size is in the bits above.
const RLE: u32 = 1 << 1;

/// Where the zeros at the end of `data` begin, if they are half of it at least; a little too late perhaps. From `known` on
/// there are none but zeros.
pub(super) fn find(data: &[u8], known: usize) -> Option<usize> {
    const STEP: usize = 256;
    let unknown = &data[..known.next_multiple_of(STEP).min(data.len())];
    let zeros = unknown.rchunks(STEP).take_while(|block| is_zero(block)).count();
    let start = unknown.len().saturating_sub(zeros * STEP);
    (start <= data.len() / 2).then_some(start)
}

/// Compresses `data`, of which what follows `start` is zeros, into `frame`, as far as its capacity goes; whether it was
/// enough. `start` is not 0.
pub(super) fn compress(context: &mut CCtx<'_>, data: &[u8], start: usize, frame: &mut Vec<u8>) -> bool {
    let begun = begin(context, &data[..start], data.len() as u64, frame);
    // What is left of the frame is not its business.
    let reset = context.reset(ResetDirective::SessionOnly);
    if !begun || reset.is_err() {
        return false;
    }
    for zeros in blocks(start..data.len()) {
        let last = if zeros.end == data.len() { LAST_BLOCK } else { 0 };
        // 128 KiB shifted by three bits fit three bytes.
        let [low, middle, high, _] = (last | RLE | (zeros.len() as u32) << 3).to_le_bytes();
        if frame.capacity() - frame.len() < 4 {
            return false;
        }
        frame.extend([low, middle, high, 0]);
    }
    true
}

/// The frame's header and the blocks of `front`.
fn begin(context: &mut CCtx<'_>, front: &[u8], size: u64, frame: &mut Vec<u8>) -> bool {
    let ready = context.reset(ResetDirective::SessionOnly).is_ok() && context.set_pledged_src_size(Some(size)).is_ok();
    let mut input = InBuffer::around(front);
    let mut output = OutBuffer::around(frame);
    // 0: nothing is left to be written.
    let left = context.compress_stream2(&mut output, &mut input, ZSTD_EndDirective::ZSTD_e_flush);
    ready && left == Ok(0) && input.pos() == front.len()
}

fn blocks(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(LARGEST_BLOCK)
        .map(move |start| start..(start + LARGEST_BLOCK).min(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zstd::bulk::{Compressor, Decompressor};

    #[test]
    fn the_zeros_are_found_from_behind() {
        let mut data = vec![0; 4096];
        assert_eq!(find(&data, 4096), Some(0));
        data[0] = 1;
        for known in [1, 255, 256, 257, 4000, 4096] {
            assert_eq!(find(&data, known), Some(256));
        }
        data[2047] = 1;
        for known in [2048, 2049, 4096] {
            assert_eq!(find(&data, known), Some(2048));
        }
        data[2048] = 1;
        assert_eq!(find(&data, 2049), None);
        data[4095] = 1;
        assert_eq!(find(&data, 4096), None);
    }

    proptest! {
        #[test]
        fn zstd_reads_it_back(bits in 9u32..=21, level in prop_oneof![Just(-7), Just(1), Just(3), Just(12)],
                              front in prop::collection::vec(any::<u8>(), 1..300), repeat in 1usize..2000) {
            let mut data = front.repeat(repeat);
            let size = 1usize << bits;
            data.truncate(size / 2);
            data.resize(size, 0);
            let mut compressor = Compressor::new(level).unwrap();
            // Twice, and the plain way after that: nothing of a frame may stay in the context.
            for _ in 0..2 {
                if let Some(start) = find(&data, size).filter(|start| *start > 0) {
                    let mut frame = Vec::with_capacity(size);
                    prop_assert!(compress(compressor.context_mut(), &data, start, &mut frame));
                    prop_assert_eq!(zstd::zstd_safe::find_frame_compressed_size(&frame), Ok(frame.len()));
                    prop_assert!(Decompressor::new().unwrap().decompress(&frame, size).unwrap() == data);
                }
                let plain = compressor.compress(&data).unwrap();
                prop_assert!(Decompressor::new().unwrap().decompress(&plain, size).unwrap() == data);
            }
            let mut narrow = Vec::with_capacity(8);
            prop_assert!(!compress(compressor.context_mut(), &data, size / 2, &mut narrow));
        }
    }
}
