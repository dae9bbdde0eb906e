//! Files on CD images: ISO 9660 with the long names of Joliet or Rock Ridge.
//!
//! Enough for a disc with drivers. The crates that read such discs are unfinished (`iso9660`), bring a FUSE and a
//! command line (`cdfs`), or have no stable release (`hadris-iso`). Not read: UDF, files in several pieces.
//!
//! Source: ECMA-119 ("Volume Descriptors", "Directory Record"); Joliet Specification (escape sequences, UCS-2 names);
//! IEEE P1282 Rock Ridge Interchange Protocol (`NM`).
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use disk::ReadAt;
use disk::guestfs::{GuestFs, GuestFsError};
use std::sync::Arc;

const KIND: &str = "ISO 9660";
/// Descriptors start here, in bytes, one a sector.
const DESCRIPTORS: u64 = 16 * SECTOR;
const SECTOR: u64 = 2048;
/// The most descriptors that are looked at.
const MOST_DESCRIPTORS: u64 = 32;
/// The largest folder that is read, in bytes: 100 000 names.
const FOLDER_LIMIT: u64 = 16 << 20;
/// `File Flags`: a folder; a part of a file that goes on.
const IS_FOLDER: u8 = 0x02;
const GOES_ON: u8 = 0x80;

/// A CD image.
pub(crate) struct Iso9660 {
    image: Arc<dyn ReadAt>,
    /// Bytes of a block.
    block: u64,
    root: Entry,
    names: Names,
}

/// How names are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Joliet,
    /// With Rock Ridge's, where a record has one.
    Plain,
}

/// A file or folder.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    /// First block.
    block: u64,
    /// In bytes.
    size: u64,
    flags: u8,
    /// Whether its blocks lie one after the other.
    plain: bool,
}

fn damaged(reason: &str) -> GuestFsError {
    GuestFsError::Damaged {
        kind: KIND,
        reason: reason.to_owned(),
    }
}

impl Iso9660 {
    /// Finds the disc's root folder; with Joliet if it is there.
    pub(crate) fn open(image: &Arc<dyn ReadAt>) -> Result<Self, GuestFsError> {
        let mut found: Option<Iso9660> = None;
        for number in 0..MOST_DESCRIPTORS {
            let mut sector = [0; 2048];
            let at = DESCRIPTORS.saturating_add(number.saturating_mul(SECTOR));
            if at.saturating_add(SECTOR) > image.size() {
                break;
            }
            image.read_at(at, &mut sector)?;
            if sector.get(1..6) != Some(b"CD001") {
                break;
            }
            let names = match sector.first() {
                Some(1) => Names::Plain,
                Some(2) if matches!(sector.get(88..91), Some(b"%/@" | b"%/C" | b"%/E")) => Names::Joliet,
                Some(255) => break,
                _ => continue,
            };
            let block = u64::from(le16(&sector, 128).unwrap_or(0));
            let root = sector.get(156..).and_then(|record| entry(record, names));
            let (Some(root), 512..=2048) = (root, block) else {
                return Err(damaged("a volume descriptor makes no sense"));
            };
            if found.is_none() || names == Names::Joliet {
                found = Some(Iso9660 {
                    image: Arc::clone(image),
                    block,
                    root,
                    names,
                });
            }
        }
        found.ok_or_else(|| damaged("there is no such filesystem on it"))
    }

    fn read_at(&self, entry: &Entry, len: u64) -> Result<Vec<u8>, GuestFsError> {
        if !entry.plain || entry.flags & GOES_ON != 0 {
            return Err(damaged(&format!("{} is not in one piece", entry.name)));
        }
        let start = entry.block.saturating_mul(self.block);
        let len = len.min(entry.size);
        // Before any memory is taken.
        if start.saturating_add(len) > self.image.size() {
            return Err(damaged(&format!("{} lies beyond the end of the image", entry.name)));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| damaged("a file is too large"))?];
        self.image.read_at(start, &mut bytes)?;
        Ok(bytes)
    }

    fn entries(&self, folder: &Entry) -> Result<Vec<Entry>, GuestFsError> {
        if folder.size > FOLDER_LIMIT {
            return Err(damaged("a folder is too large"));
        }
        let bytes = self.read_at(folder, folder.size)?;
        let mut entries = Vec::new();
        // A record does not cross the end of a block; what is left there is zero.
        for block in bytes.chunks(usize::try_from(self.block).unwrap_or(2048)) {
            let mut rest = block;
            while let Some(length) = rest
                .first()
                .map(|length| usize::from(*length))
                .filter(|length| *length > 0)
            {
                let record = rest.get(..length).ok_or_else(|| damaged("a folder is damaged"))?;
                entries.extend(entry(record, self.names));
                rest = rest.get(length..).unwrap_or_default();
            }
        }
        // The folder itself and the one above have no names.
        entries.retain(|entry| !entry.name.is_empty());
        Ok(entries)
    }

    fn walk(&self, path: &str) -> Result<Entry, GuestFsError> {
        let mut here = self.root.clone();
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            let not_found = || GuestFsError::NotFound(path.to_owned());
            if here.flags & IS_FOLDER == 0 {
                return Err(not_found());
            }
            let wanted = part.to_lowercase();
            let entries = self.entries(&here)?;
            let found = entries.into_iter().find(|entry| entry.name.to_lowercase() == wanted);
            here = found.ok_or_else(not_found)?;
        }
        Ok(here)
    }

    fn file(&self, path: &str) -> Result<Entry, GuestFsError> {
        let entry = self.walk(path)?;
        match entry.flags & IS_FOLDER {
            0 => Ok(entry),
            _ => Err(GuestFsError::WrongKind {
                path: path.to_owned(),
                expected: "a regular file",
            }),
        }
    }
}

impl GuestFs for Iso9660 {
    fn size(&mut self, path: &str) -> Result<u64, GuestFsError> {
        Ok(self.file(path)?.size)
    }

    fn read_start(&mut self, path: &str, len: u64) -> Result<Vec<u8>, GuestFsError> {
        self.read_at(&self.file(path)?, len)
    }

    fn exists(&mut self, path: &str) -> bool {
        self.walk(path).is_ok()
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, GuestFsError> {
        let folder = self.walk(path)?;
        if folder.flags & IS_FOLDER == 0 {
            return Err(GuestFsError::WrongKind {
                path: path.to_owned(),
                expected: "a folder",
            });
        }
        let mut names: Vec<String> = self.entries(&folder)?.into_iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// Reads a directory record; the folder itself and the one above it get an empty name.
fn entry(record: &[u8], names: Names) -> Option<Entry> {
    let length = usize::from(*record.get(32)?);
    let name = record.get(33..33usize.checked_add(length)?)?;
    // The bytes for the system are at an even place.
    let system = 33usize.checked_add(length)?;
    let system = system.checked_add(system.checked_rem(2)?)?;
    let name = match (name, names) {
        ([0 | 1], _) => String::new(),
        (name, Names::Joliet) => {
            let words = name
                .chunks_exact(2)
                .filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
            without_version(&String::from_utf16_lossy(&words.collect::<Vec<_>>()))
        }
        (name, Names::Plain) => record
            .get(system..usize::from(*record.first()?))
            .and_then(rock_ridge_name)
            .unwrap_or_else(|| without_version(&String::from_utf8_lossy(name))),
    };
    let extended = u64::from(*record.get(1)?);
    Some(Entry {
        name,
        block: le32(record, 2)?.checked_add(extended)?,
        size: le32(record, 10)?,
        flags: *record.get(25)?,
        plain: record.get(26..28)? == [0, 0],
    })
}

/// `NAME.EXT;1`, `NAME.;1`.
fn without_version(name: &str) -> String {
    let name = name.split_once(';').map_or(name, |(name, _)| name);
    name.trim_end_matches('.').to_owned()
}

/// The parts of a Rock Ridge name in a record's system use area.
fn rock_ridge_name(mut area: &[u8]) -> Option<String> {
    /// The name goes on in the next entry; or it is `.` or `..`.
    const GOES_ON: u8 = 0x01;
    let mut name = Vec::new();
    while let [first, second, length, _, rest @ ..] = area {
        let body = rest.get(..usize::from(*length).checked_sub(4)?)?;
        if [*first, *second] == *b"NM" {
            let (flags, part) = body.split_first()?;
            name.extend_from_slice(part);
            if flags & GOES_ON == 0 {
                return Some(String::from_utf8_lossy(&name).into_owned());
            }
        }
        area = area.get(usize::from(*length)..)?;
    }
    None
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u64::from(u32::from_le_bytes(bytes)))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;
    use std::process::Command;

    /// An image of a folder, made by xorriso.
    pub(crate) fn image(folder: &Path, options: &[&str]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("xorriso");
        command
            .args(["-as", "mkisofs", "-quiet"])
            .args(options)
            .arg("-o")
            .arg(file.path())
            .arg(folder);
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("xorriso: {error}; it is in the Debian package xorriso"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(file.path()).unwrap()
    }

    fn open(image: Vec<u8>) -> Result<Iso9660, GuestFsError> {
        let image: Arc<dyn ReadAt> = Arc::new(image);
        Iso9660::open(&image)
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("viostor/2k12R2/amd64");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(folder.path().join("many")).unwrap();
        std::fs::write(deep.join("viostor.inf"), b"text").unwrap();
        std::fs::write(deep.join("long name with words.sys"), vec![7; 5000]).unwrap();
        std::fs::write(deep.join("empty"), b"").unwrap();
        for number in 0..200 {
            std::fs::write(
                folder.path().join(format!("many/file number {number}.txt")),
                number.to_string(),
            )
            .unwrap();
        }
        folder
    }

    #[test]
    fn discs_with_every_kind_of_names_are_read() {
        let folder = folder();
        for options in [&["-J", "-joliet-long"][..], &["-R"], &["-J", "-R"]] {
            let mut iso = open(image(folder.path(), options)).unwrap();
            assert_eq!(iso.list("/").unwrap(), ["many", "viostor"]);
            assert_eq!(iso.list("many").unwrap().len(), 200);
            let path = "VIOSTOR/2K12R2/amd64";
            assert_eq!(
                iso.list(path).unwrap(),
                ["empty", "long name with words.sys", "viostor.inf"]
            );
            assert_eq!(iso.read(&format!("{path}/VioStor.INF"), 100).unwrap(), b"text");
            assert_eq!(
                iso.read(&format!("{path}/long name with words.sys"), 5000).unwrap(),
                [7; 5000]
            );
            assert_eq!(iso.read(&format!("{path}/empty"), 100).unwrap(), b"");
            assert_eq!(iso.read("many/file number 137.txt", 100).unwrap(), b"137");
            assert!(matches!(iso.read("many/none", 1), Err(GuestFsError::NotFound(_))));
            assert!(matches!(iso.read("many", 1), Err(GuestFsError::WrongKind { .. })));
            assert!(matches!(
                iso.list(&format!("{path}/empty")),
                Err(GuestFsError::WrongKind { .. })
            ));
            assert!(iso.exists("many") && !iso.exists("many/x/y"));
        }
        // Short names only: xorriso shortens the long ones.
        let mut iso = open(image(folder.path(), &[])).unwrap();
        assert_eq!(iso.read("viostor/2k12r2/amd64/viostor.inf", 100).unwrap(), b"text");
        assert!(open(vec![0; 100_000]).is_err());
        assert!(open(Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn damaged_discs_give_errors(joliet: bool, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10), cut in any::<prop::sample::Index>()) {
            static DISCS: std::sync::LazyLock<[Vec<u8>; 2]> = std::sync::LazyLock::new(|| {
                let folder = folder();
                [image(folder.path(), &["-R"]), image(folder.path(), &["-J"])]
            });
            let mut disc = DISCS[usize::from(joliet)].clone();
            for (at, value) in changes {
                // The descriptors, path tables and folders come first.
                let at = 16 * 2048 + at.index(60 * 2048);
                disc[at] = value;
            }
            if cut.index(3) == 0 {
                disc.truncate(cut.index(disc.len()));
            }
            if let Ok(mut iso) = open(disc) {
                let _ = iso.list("many");
                let _ = iso.read("many/file number 7.txt", 1 << 20);
                let _ = iso.read("viostor/2k12R2/amd64/viostor.inf", 1 << 20);
            }
        }
    }
}
