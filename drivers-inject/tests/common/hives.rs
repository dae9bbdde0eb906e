//! Hives: made with libhivex from a minimal one, and read back by it.

#[path = "bins.rs"]
pub(crate) mod bins;

pub(crate) use bins::seal as fix_checksum;

use super::volumes::{run, run_with_input};
use drivers_inject::registry::{Hive, HiveError, Key};
use std::fmt::Write;
use std::path::Path;

/// Python with libhivex; a virtual environment's Python would not have it.
const PYTHON: &str = "/usr/bin/python3";

/// What libhivex reads from a hive file.
pub(crate) fn dump_with_hivex(file: &Path) -> String {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../drivers-inject/tests/common/dump_hive.py"
    );
    run("python3-hivex", PYTHON, &[script, file.to_str().unwrap()])
}

/// What libhivex reads from the bytes of a hive.
pub(crate) fn dump_bytes_with_hivex(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    dump_with_hivex(file.path())
}

/// A file from the folder of real hives that P2V_REAL_HIVES names; `None`, loudly, where there is no such folder: the
/// hives are strangers' and no part of this project.
pub(crate) fn real(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("P2V_REAL_HIVES") else {
        eprintln!("SKIPPED: P2V_REAL_HIVES does not name a folder with the real hive {name}");
        return None;
    };
    let path = Path::new(&folder).join(format!("{name}.xz"));
    let output = std::process::Command::new("xz").arg("-dc").arg(&path).output();
    let output = output.expect("xz is in the Debian package xz-utils");
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output.stdout)
}

/// The same as we read it.
pub(crate) fn dump(hive: &Hive) -> Result<String, HiveError> {
    let mut text = String::new();
    dump_key(hive.root()?, "", &mut text)?;
    Ok(text)
}

fn dump_key(key: Key<'_>, path: &str, text: &mut String) -> Result<(), HiveError> {
    writeln!(text, "key\t{path}\t{}", key.last_written()).unwrap();
    for value in key.values()? {
        let value = value?;
        write!(text, "value\t{path}\t{}\t{}\t", value.name()?, value.kind().code()).unwrap();
        for byte in value.data()?.iter() {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    for subkey in key.subkeys() {
        let subkey = subkey?;
        dump_key(subkey, &format!("{path}\\{}", subkey.name()?), text)?;
    }
    Ok(())
}

/// A hive in the making: keys and values, written by libhivex into a minimal hive.
#[derive(Default)]
pub(crate) struct NewHive(String);

impl NewHive {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A key alone.
    pub(crate) fn key(mut self, path: &str) -> Self {
        writeln!(self.0, "{path}\t\t\t").unwrap();
        self
    }

    pub(crate) fn value(mut self, path: &str, name: &str, kind: u32, data: &[u8]) -> Self {
        write!(self.0, "{path}\t{name}\t{kind}\t").unwrap();
        for byte in data {
            write!(self.0, "{byte:02x}").unwrap();
        }
        self.0.push('\n');
        self
    }

    pub(crate) fn string(self, path: &str, name: &str, text: &str) -> Self {
        self.value(path, name, 1, &utf16(text))
    }

    pub(crate) fn number(self, path: &str, name: &str, number: u32) -> Self {
        self.value(path, name, 4, &number.to_le_bytes())
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        self.build_on(&minimal())
    }

    /// Writes the keys and values into another hive.
    pub(crate) fn build_on(&self, hive: &[u8]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), hive).unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../drivers-inject/tests/common/make_hive.py"
        );
        let args = [script, file.path().to_str().unwrap()];
        run_with_input("python3-hivex", PYTHON, &args, &self.0);
        std::fs::read(file.path()).unwrap()
    }
}

/// How a transaction log is laid out.
#[derive(Clone, Copy)]
pub(crate) enum LogFormat {
    /// Windows 8.1 and later.
    Entries,
    /// Windows 8 and before.
    Map,
}

/// A transaction log, made by a script: its entries, numbered from `sequence`, turn each of the hives into the next.
pub(crate) fn log(format: LogFormat, sequence: u32, hives: &[&[u8]]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: String| folder.path().join(name).to_str().unwrap().to_owned();
    let mut args = vec![
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/make_log.py").to_owned(),
        match format {
            LogFormat::Entries => "entries".to_owned(),
            LogFormat::Map => "map".to_owned(),
        },
        path("log".to_owned()),
        sequence.to_string(),
    ];
    for (number, hive) in hives.iter().enumerate() {
        args.push(path(number.to_string()));
        std::fs::write(args.last().unwrap(), hive).unwrap();
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run("python3", PYTHON, &args);
    std::fs::read(path("log".to_owned())).unwrap()
}

/// The hive as an interrupted write leaves it: it waits for the log entry `sequence`.
pub(crate) fn make_dirty(hive: &[u8], sequence: u32) -> Vec<u8> {
    let mut hive = hive.to_vec();
    hive[4..8].copy_from_slice(&(sequence + 1).to_le_bytes());
    hive[8..12].copy_from_slice(&sequence.to_le_bytes());
    fix_checksum(&mut hive);
    hive
}

/// UTF-16LE with a NUL at the end.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// The least that libhivex can start from: a base block, one bin, a root key, a security descriptor.
pub(crate) fn minimal() -> Vec<u8> {
    const ROOT: usize = 0x20;
    const SECURITY: usize = ROOT + 88;
    const FREE: usize = SECURITY + 48;
    let mut file = vec![0; 8192];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"regf");
    for (at, field) in [
        (4, 1),
        (8, 1),
        (0x14, 1),
        (0x18, 5),
        (0x20, 1),
        (0x24, ROOT),
        (0x28, 4096),
        (0x2c, 1),
    ] {
        put(at, &(field as u32).to_le_bytes());
    }
    let bins = 4096;
    put(bins, b"hbin");
    put(bins + 8, &4096u32.to_le_bytes());

    let key = bins + ROOT;
    put(key, &(-88i32).to_le_bytes());
    put(key + 4, b"nk\x2c\0");
    // No parent, subkeys, values, class name.
    for at in [0x10, 0x1c, 0x20, 0x28, 0x30] {
        put(key + 4 + at, &[0xff; 4]);
    }
    put(key + 4 + 0x2c, &(SECURITY as u32).to_le_bytes());
    put(key + 4 + 0x48, &4u16.to_le_bytes());
    put(key + 4 + 0x4c, b"ROOT");

    let security = bins + SECURITY;
    put(security, &(-48i32).to_le_bytes());
    put(security + 4, b"sk");
    for (at, field) in [(4, SECURITY), (8, SECURITY), (0xc, 1), (0x10, 20)] {
        put(security + 4 + at, &(field as u32).to_le_bytes());
    }
    // A self-relative descriptor without owner, group or lists: everybody may do everything.
    put(security + 4 + 0x14, &[1, 0, 0, 0x80]);

    put(bins + FREE, &(4096 - FREE as u32).to_le_bytes());
    fix_checksum(&mut file);
    file
}
