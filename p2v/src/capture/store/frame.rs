//! Records with a checksum, one after the other: in a journal, and on a connection.
//!
//! A record is its length (4 bytes, little-endian), so many bytes, and the first 16 bytes of their BLAKE3. The bytes are a
//! value in postcard's format, and after it whatever its sender adds.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read};

/// No record has more bytes: what says so is damaged.
pub(super) const LONGEST: usize = 16 << 20;
const CHECK: usize = 16;

/// `value`, and `body` behind it, as a record.
pub(super) fn encode(value: &impl Serialize, body: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    bytes = postcard::to_extend(value, bytes).map_err(io::Error::other)?;
    for part in body {
        bytes.extend_from_slice(part);
    }
    let length = bytes.len() - 4;
    if length > LONGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a record of {length} bytes"),
        ));
    }
    let check = blake3::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&check.as_bytes()[..CHECK]);
    Ok(bytes)
}

/// The bytes of the next record: `None` at the end. An error of the kind `UnexpectedEof` if the end comes in the middle of
/// one, of the kind `InvalidData` if it is damaged.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a record is damaged");
    let mut head = [0; 4];
    let mut got = 0;
    while got < head.len() {
        match from.read(&mut head[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => got += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = u32::from_le_bytes(head) as usize;
    if length > LONGEST {
        return Err(damaged());
    }
    let mut bytes = vec![0; length + CHECK];
    from.read_exact(&mut bytes)?;
    let check = bytes.split_off(length);
    if blake3::hash(&bytes).as_bytes()[..CHECK] != check[..] {
        return Err(damaged());
    }
    Ok(Some(bytes))
}

/// The value in a record, and what is behind it.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<(T, &[u8])> {
    postcard::take_from_bytes(bytes).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "a record is not understood: another version of p2v?",
        )
    })
}

/// How many bytes of a file a record of `length` bytes takes.
pub(super) fn size(length: usize) -> u64 {
    (4 + length + CHECK) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_and_damage_is_noticed(
            values in prop::collection::vec(any::<(u64, String)>(), 0..5),
            body in any::<Vec<u8>>(),
            damage in any::<(prop::sample::Index, u8)>(),
            cut in any::<prop::sample::Index>()
        ) {
            let mut file = Vec::new();
            let mut ends = vec![0];
            for value in &values {
                file.extend(encode(value, &[&body]).unwrap());
                ends.push(file.len());
            }
            let good = |file: &[u8]| {
                let mut from = file;
                let mut read_back = Vec::new();
                while let Ok(Some(bytes)) = read(&mut from) {
                    let (value, rest) = decode::<(u64, String)>(&bytes).unwrap();
                    prop_assert_eq!(rest, &body[..]);
                    read_back.push(value);
                }
                Ok(read_back)
            };
            prop_assert_eq!(&good(&file)?, &values);
            if !file.is_empty() {
                let cut = cut.index(file.len());
                let whole = ends.iter().filter(|end| **end > 0 && **end <= cut).count();
                prop_assert_eq!(&good(&file[..cut])?[..], &values[..whole]);
                let (at, flip) = (damage.0.index(file.len()), damage.1);
                file[at] ^= flip;
                let whole = if flip == 0 { values.len() } else { ends.iter().filter(|end| **end > 0 && **end <= at).count() };
                prop_assert_eq!(&good(&file)?[..], &values[..whole]);
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>()) {
            let mut from = &bytes[..];
            while let Ok(Some(record)) = read(&mut from) {
                let _ = decode::<super::super::journal::Record>(&record);
            }
            let _ = decode::<super::super::journal::Record>(&bytes);
        }
    }
}
