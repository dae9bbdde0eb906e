//! `disk0.blake3`: one checksum for each chunk of the disk that holds data, as lines of text.
//!
//! ```text
//! # p2v checksums, version 1
//! # …what the columns are…
//! size 120034123776
//! chunk 2097152
//! 0 2097152 <64 hex digits>
//! 6291456 2097152 <64 hex digits>
//! total <64 hex digits>
//! ```
//! A chunk is what a guest would read there: `BLAKE3(image[offset..offset + length])`. `total` is the BLAKE3 of all
//! lines before it, so that a damaged list is told from a damaged image.

use super::CHUNK;
use crate::error::{Failure, Result};
use blake3::{Hash, Hasher};
use std::io::{self, Write};
use std::path::Path;

const HEADER: &str = "\
# p2v checksums, version 1
# Of the disk as a guest sees it, not of the image file. `p2v verify` reads this.
# size: bytes of the disk. chunk: bytes a checksum covers; the last one may be shorter.
# Then one line a chunk: offset, length, BLAKE3. Chunks that are not listed hold zeros only.
# total: BLAKE3 of all the text above that line.
";

/// The checksums of a disk, in ascending order of offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksums {
    /// Size of the disk in bytes.
    pub(crate) size: u64,
    /// Bytes a chunk.
    pub(crate) chunk: u64,
    /// Chunk number (offset / chunk size) and checksum.
    pub(crate) sums: Vec<(u64, Hash)>,
}

impl Checksums {
    /// The length in bytes of chunk number `index`.
    pub(crate) fn length(&self, index: u64) -> u64 {
        length(self.size, self.chunk, index)
    }

    /// Reads the file of checksums at `path`.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::failed(format!("cannot read the checksums {}: {error}", path.display())))?;
        Checksums::parse(&text).map_err(|reason| {
            Failure::failed(format!("{} is damaged: {reason}", path.display())).advice(
                "The image may still be good, but p2v cannot tell. If the old disk is there, compare with \
                 `p2v verify --against`, or capture it again.",
            )
        })
    }

    /// Understands what [`ChecksumWriter`] writes, and refuses anything else with a reason.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        let at = text.rfind("\ntotal ").ok_or("the last line, `total`, is missing")? + 1;
        let (above, last) = text.split_at(at);
        // As text: the same number in other letters was not written by us.
        let total = blake3::hash(above.as_bytes()).to_hex();
        if last.strip_prefix("total ").map(str::trim_end) != Some(total.as_str()) {
            return Err("its own checksum, `total`, does not match".to_owned());
        }
        let mut checksums = Checksums {
            size: 0,
            chunk: 0,
            sums: Vec::new(),
        };
        for line in above.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |word: &str| {
                word.parse::<u64>()
                    .map_err(|_| format!("not a number in line `{line}`"))
            };
            match words[..] {
                ["size", value] => checksums.size = number(value)?,
                ["chunk", value] => checksums.chunk = number(value)?,
                [offset, length, hash] => {
                    let index = number(offset)?
                        .checked_div(checksums.chunk)
                        .ok_or("no `chunk` line before the checksums")?;
                    let after = checksums.sums.last().is_none_or(|(last, _)| *last < index);
                    let fits = index.checked_mul(checksums.chunk).map(|o| o.to_string()).as_deref() == Some(offset)
                        && number(length)? == checksums.length(index)
                        && number(length)? > 0;
                    if !after || !fits {
                        return Err(format!("line `{line}` is out of place"));
                    }
                    let hash = Hash::from_hex(hash).map_err(|_| format!("no checksum in line `{line}`"))?;
                    checksums.sums.push((index, hash));
                }
                _ => return Err(format!("line `{line}` is not understood")),
            }
        }
        if checksums.chunk == 0 || checksums.chunk > 64 << 20 {
            return Err(format!("chunks of {} bytes are not supported", checksums.chunk));
        }
        Ok(checksums)
    }
}

/// Writes the file line by line: a full list for a large disk would not fit the memory
/// that a capture may take.
pub(crate) struct ChecksumWriter<W: Write> {
    out: W,
    above: Hasher,
    size: u64,
    count: u64,
}

impl<W: Write> ChecksumWriter<W> {
    /// Begins the list of a disk of `size` bytes.
    pub(crate) fn new(out: W, size: u64) -> io::Result<Self> {
        let mut writer = ChecksumWriter {
            out,
            above: Hasher::new(),
            size,
            count: 0,
        };
        writer.put(&format!("{HEADER}size {size}\nchunk {CHUNK}\n"))?;
        Ok(writer)
    }

    /// Adds chunk number `index`; numbers must ascend.
    pub(crate) fn push(&mut self, index: u64, hash: Hash) -> io::Result<()> {
        self.count += 1;
        let length = length(self.size, CHUNK, index);
        self.put(&format!("{} {length} {}\n", index * CHUNK, hash.to_hex()))
    }

    /// How many chunks were added.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Writes the last line and hands the file back, flushed but not synced.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        writeln!(self.out, "total {}", self.above.finalize().to_hex())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        self.above.update(text.as_bytes());
        self.out.write_all(text.as_bytes())
    }
}

/// The length in bytes of chunk number `index` on a disk of `size` bytes.
fn length(size: u64, chunk: u64, index: u64) -> u64 {
    size.saturating_sub(index.saturating_mul(chunk)).min(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Checksums {
        let sums = vec![
            (0, blake3::hash(b"a")),
            (2, blake3::hash(b"b")),
            (5, blake3::hash(b"c")),
        ];
        Checksums {
            size: 5 * CHUNK + 100,
            chunk: CHUNK,
            sums,
        }
    }

    fn text(checksums: &Checksums) -> String {
        let mut writer = ChecksumWriter::new(Vec::new(), checksums.size).unwrap();
        for (index, hash) in &checksums.sums {
            writer.push(*index, *hash).unwrap();
        }
        assert_eq!(writer.count(), checksums.sums.len() as u64);
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn reads_back_what_was_written() {
        let written = text(&sample());
        assert!(written.contains(&format!("\n{} 100 ", 5 * CHUNK)), "{written}");
        assert_eq!(Checksums::parse(&written).unwrap(), sample());
        let empty = Checksums {
            size: 0,
            chunk: CHUNK,
            sums: Vec::new(),
        };
        assert_eq!(Checksums::parse(&text(&empty)).unwrap(), empty);
    }

    /// A list with its own checksum right, but contents that make no sense.
    fn sealed(lines: &str) -> std::result::Result<Checksums, String> {
        Checksums::parse(&format!("{lines}total {}\n", blake3::hash(lines.as_bytes()).to_hex()))
    }

    #[test]
    fn nonsense_is_refused_though_sealed() {
        let hash = blake3::hash(b"x").to_hex();
        assert!(sealed("size 4096\n").unwrap_err().contains("chunks of 0"));
        assert!(sealed(&format!("0 1 {hash}\n")).unwrap_err().contains("no `chunk`"));
        assert!(
            sealed(&format!("size 4096\nchunk 4096\n4096 4096 {hash}\n"))
                .unwrap_err()
                .contains("out of place")
        );
        assert!(
            sealed(&format!("size 9\nchunk 4096\n0 9 {hash}\n0 9 {hash}\n"))
                .unwrap_err()
                .contains("out of place")
        );
        assert!(sealed("size 9\nchunk 18446744073709551615\n").is_err());
        assert!(sealed("what\n").unwrap_err().contains("not understood"));
    }

    proptest! {
        #[test]
        fn any_single_change_is_noticed(at in 0usize..1000, byte in 0u8..128) {
            let text = text(&sample());
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            let changed = String::from_utf8(bytes).unwrap();
            // Only white space after the last digit may differ.
            prop_assert!(Checksums::parse(&changed).is_err() || changed.trim_end() == text.trim_end());
        }
    }
}
