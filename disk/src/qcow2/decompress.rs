//! Compressed clusters made plain again.

use super::header::CompressionType;
use flate2::{Decompress, FlushDecompress};
use std::sync::{Mutex, PoisonError};
use zstd::bulk::Decompressor;
use zstd::zstd_safe::find_frame_compressed_size;

/// Decompression contexts that lie ready: making one costs more than a small cluster.
#[derive(Default)]
pub(super) struct Decompressors {
    zstd: Mutex<Vec<Decompressor<'static>>>,
    zlib: Mutex<Vec<Decompress>>,
}

impl Decompressors {
    /// Decompresses one cluster into all of `out`. `data` starts with the compressed cluster; what follows it does
    /// not matter. The error says what is wrong with the data.
    pub(super) fn run(&self, kind: CompressionType, data: &[u8], out: &mut [u8]) -> Result<(), String> {
        match kind {
            CompressionType::Zstd => {
                let len = find_frame_compressed_size(data).map_err(|code| format!("zstd: {}", error_name(code)))?;
                let frame = data.get(..len).ok_or("zstd: the frame is longer than the data")?;
                let mut context = match take(&self.zstd) {
                    Some(context) => context,
                    None => Decompressor::new().map_err(|e| e.to_string())?,
                };
                let written = context.decompress_to_buffer(frame, out);
                put(&self.zstd, context);
                check_len(written.map_err(|e| format!("zstd: {e}"))?, out.len())
            }
            CompressionType::Zlib => {
                let mut context = take(&self.zlib).unwrap_or_else(|| Decompress::new(false));
                context.reset(false);
                let status = context.decompress(data, out, FlushDecompress::Finish);
                let written = usize::try_from(context.total_out()).unwrap_or(usize::MAX);
                put(&self.zlib, context);
                // A full buffer is success whatever the status: the data may go on behind the stream's end.
                match status {
                    Err(e) if written < out.len() => Err(format!("deflate: {e}")),
                    _ => check_len(written, out.len()),
                }
            }
        }
    }
}

fn check_len(written: usize, wanted: usize) -> Result<(), String> {
    if written == wanted {
        Ok(())
    } else {
        Err(format!("it holds {written} bytes instead of {wanted}"))
    }
}

fn error_name(code: usize) -> &'static str {
    zstd::zstd_safe::get_error_name(code)
}

fn take<T>(pool: &Mutex<Vec<T>>) -> Option<T> {
    pool.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn put<T>(pool: &Mutex<Vec<T>>, context: T) {
    pool.lock().unwrap_or_else(PoisonError::into_inner).push(context);
}
