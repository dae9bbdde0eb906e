//! One cabinet file, through the crate `cab`: uncompressed, MSZIP, LZX.

use cab::Cabinet;
use disk::guestfs::catch_panic;
use std::io::{Cursor, Read};

/// An open cabinet. Every error is the end of a sentence.
pub(super) struct Archive(Cabinet<Cursor<Vec<u8>>>);

impl Archive {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.starts_with(b"SZDD") || bytes.starts_with(b"KWAJ") {
            return Err("it is compressed in the way of MS-DOS, which is not read".to_owned());
        }
        guarded(|| Cabinet::new(Cursor::new(bytes))).map(Archive)
    }

    /// A file of at most `limit` bytes, whatever the case of its name; `None` if it is not in the cabinet.
    pub(super) fn read(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
        let files = self.0.folder_entries().flat_map(|folder| folder.file_entries());
        let mut files = files.filter(|file| file.name().eq_ignore_ascii_case(name));
        let Some(file) = files.next() else { return Ok(None) };
        let size = u64::from(file.uncompressed_size());
        if size > limit {
            return Err(format!(
                "{name} in it has {size} bytes, more than the {limit} that are read"
            ));
        }
        let name = file.name().to_owned();
        let bytes = guarded(|| {
            let mut bytes = Vec::new();
            self.0.read_file(&name)?.take(size).read_to_end(&mut bytes)?;
            Ok(bytes)
        })?;
        match u64::try_from(bytes.len()) {
            Ok(len) if len == size => Ok(Some(bytes)),
            _ => Err(format!("{name} in it is cut off")),
        }
    }
}

/// Runs the library: cab 0.6.0 indexes its list of blocks unchecked, and lzxd 0.2.7 asserts, when a cabinet contradicts
/// itself.
fn guarded<T>(work: impl FnOnce() -> std::io::Result<T>) -> Result<T, String> {
    match catch_panic(work) {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(format!("it cannot be read as a cabinet: {error}")),
        None => Err("it cannot be read as a cabinet: it contradicts itself".to_owned()),
    }
}
