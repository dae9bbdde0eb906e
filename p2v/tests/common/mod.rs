//! Words for the tests: the real binary, disks made by the field's tools, and judges that are not ours.
#![allow(dead_code)] // each test file uses some of them

pub(crate) mod desktop;
pub(crate) mod failing;
pub(crate) mod guided;
pub(crate) mod kills;
pub(crate) mod library;
#[path = "../../../disk/tests/loop_device/mod.rs"]
pub(crate) mod loop_device;
pub(crate) mod running;
pub(crate) mod tmux;
pub(crate) mod usb;

#[allow(unused_imports, reason = "each test binary uses its own part")]
pub(crate) use loop_device::Loop;
use p2v_tests::ssh::OtherPc;
use p2v_tests::tool;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const MIB: u64 = 1 << 20;

/// The command with its subcommand.
pub(crate) fn p2v(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2v"));
    command.arg(subcommand);
    command
}

/// Runs a command that may fail.
pub(crate) fn start(command: &mut Command) -> Output {
    tool::start(command).unwrap()
}

/// Runs a command that must succeed; returns its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    tool::text(command).unwrap_or_else(|error| panic!("{error:#}"))
}

/// What a command printed to standard error.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Captures `source` into `folder`, which must succeed; returns the result that `--json` prints.
pub(crate) fn capture(source: &Path, folder: &Path, more: &[&str]) -> serde_json::Value {
    let text = run(p2v("capture")
        .arg(source)
        .arg("-o")
        .arg(folder)
        .arg("--json")
        .args(more));
    serde_json::from_str(&text).unwrap()
}

/// Another computer that is reached through ssh, with this p2v on it.
pub(crate) fn other_pc(folder: &Path) -> OtherPc {
    OtherPc::new(folder, Path::new(env!("CARGO_BIN_EXE_p2v"))).unwrap()
}

/// Bytes that look random and do not compress, different for each `seed`.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// A file full of what an earlier life of the disk left behind.
pub(crate) fn stale(path: &Path, mib: u64) -> PathBuf {
    let mut file = File::create(path).unwrap();
    for part in 0..mib {
        file.write_all(&noise(part + 1, MIB as usize)).unwrap();
    }
    path.to_owned()
}

pub(crate) fn sha256(path: &Path) -> String {
    let text = run(Command::new("sha256sum").arg(path));
    text.split_whitespace().next().unwrap().to_owned()
}

/// The ranges of a ddrescue mapfile and their status, read without p2v's own code.
pub(crate) fn map_of(folder: &Path) -> Vec<(Range<u64>, char)> {
    let text = fs::read_to_string(folder.join("disk0.map")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let ranges = lines.map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap();
        let start = number(words[0]);
        (start..start + number(words[1]), words[2].chars().next().unwrap())
    });
    ranges.collect()
}

/// A sparse copy of `source` that holds only what the map says was copied.
pub(crate) fn masked(source: &Path, folder: &Path, to: &Path) {
    let (from, into) = (File::open(source).unwrap(), File::create(to).unwrap());
    let map = map_of(folder);
    into.set_len(map.last().unwrap().0.end).unwrap();
    for (range, _) in map.into_iter().filter(|(_, status)| *status == '+') {
        let mut at = range.start;
        while at < range.end {
            let mut part = vec![0; (range.end - at).min(MIB) as usize];
            from.read_exact_at(&mut part, at).unwrap();
            if part.iter().any(|byte| *byte != 0) {
                into.write_all_at(&part, at).unwrap();
            }
            at += part.len() as u64;
        }
    }
}

/// The judges: `qemu-img check` is clean, `qemu-img compare` finds the image equal to the masked source, and
/// `ddrescuelog` reads the map.
pub(crate) fn judge(source: &Path, folder: &Path) {
    let image = folder.join("disk0.qcow2");
    run(Command::new("qemu-img")
        .args(["check", "-q", "-f", "qcow2"])
        .arg(&image));
    let expected = folder.with_extension("masked");
    masked(source, folder, &expected);
    run(Command::new("qemu-img")
        .args(["compare", "-q", "-f", "qcow2", "-F", "raw"])
        .args([&image, &expected]));
    fs::remove_file(expected).unwrap();
    run(Command::new("ddrescuelog").arg("-t").arg(folder.join("disk0.map")));
}

/// A disk with every filesystem that is mapped, on top of stale data, with the same files in each.
pub(crate) struct MixedDisk {
    pub(crate) path: PathBuf,
    /// The tree that was put on each filesystem: names and checksums.
    pub(crate) files: Vec<(String, String)>,
}

pub(crate) const FAT: Range<u64> = MIB..41 * MIB;
pub(crate) const NTFS: Range<u64> = 41 * MIB..81 * MIB;
pub(crate) const SWAP: Range<u64> = 83 * MIB..99 * MIB;
pub(crate) const EXT4: Range<u64> = 100 * MIB..164 * MIB;

impl MixedDisk {
    /// Makes it in `folder`: MBR with FAT32, NTFS, and an extended partition with swap and ext4.
    pub(crate) fn make(folder: &Path) -> Self {
        let path = stale(&folder.join("mixed.img"), 170);
        // The first sector must not look like a table before there is one.
        put(&path, 0, &vec![0; MIB as usize]);
        let table = "label: dos\nlabel-id: 0x1234abcd\n\
            start=2048, size=40M, type=c, bootable\nsize=40M, type=7\ntype=5\n\
            start=169984, size=16M, type=82\nstart=204800, size=64M, type=83\n";
        feed(Command::new("sfdisk").arg("-q").arg(&path), table);

        let tree = folder.join("tree");
        fs::create_dir(&tree).unwrap();
        let mut files = Vec::new();
        for (number, length) in [1, 511, 4096, 70_000, 1_000_003, 3_000_000].into_iter().enumerate() {
            let name = format!("file{number}.bin");
            fs::write(tree.join(&name), noise(1000 + number as u64, length)).unwrap();
            files.push((name.clone(), sha256(&tree.join(&name))));
        }

        let fat = part(&path, FAT, &folder.join("fat"));
        run(Command::new("mkfs.fat")
            .args(["-F", "32", "-n", "DOSDISK", "-h", "2048", "-g", "255/63"])
            .arg(&fat));
        run(Command::new("mcopy")
            .arg("-i")
            .arg(&fat)
            .arg("-s")
            .args(files_in(&tree))
            .arg("::"));
        let ntfs = part(&path, NTFS, &folder.join("ntfs"));
        let sectors = ["-p", "83968", "-H", "255", "-S", "63"];
        run(Command::new("mkntfs")
            .args(["-q", "-F", "-Q", "-L", "WINDISK"])
            .args(sectors)
            .arg(&ntfs));
        for (name, _) in &files {
            run(Command::new("ntfscp")
                .args(["-q", "-f"])
                .arg(&ntfs)
                .arg(tree.join(name))
                .arg(name));
        }
        let swap = part(&path, SWAP, &folder.join("swap"));
        run(Command::new("mkswap").args(["-q", "-L", "SWAP"]).arg(&swap));
        let ext4 = part(&path, EXT4, &folder.join("ext4"));
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-L", "ROOT", "-E", "nodiscard", "-d"])
            .args([&tree, &ext4]));
        for (range, file) in [(FAT, fat), (NTFS, ntfs), (SWAP, swap), (EXT4, ext4)] {
            put(&path, range.start, &fs::read(&file).unwrap());
            fs::remove_file(file).unwrap();
        }
        MixedDisk { path, files }
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Writes `bytes` at `offset` into a file that is there.
pub(crate) fn put(path: &Path, offset: u64, bytes: &[u8]) {
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .write_all_at(bytes, offset)
        .unwrap();
}

/// Copies a range of a file into a file of its own.
pub(crate) fn part(path: &Path, range: Range<u64>, to: &Path) -> PathBuf {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    File::open(path)
        .unwrap()
        .read_exact_at(&mut bytes, range.start)
        .unwrap();
    fs::write(to, bytes).unwrap();
    to.to_owned()
}

/// Runs a command with `input` on its standard input.
pub(crate) fn feed(command: &mut Command, input: &str) {
    let script = "input=$1; shift; printf '%s' \"$input\" | \"$@\"";
    let mut whole = Command::new("sh");
    whole
        .args(["-euc", script, "sh", input])
        .arg(command.get_program())
        .args(command.get_args());
    run(&mut whole);
}

/// A disk of `mib` MiB: noise, text and zeros.
pub(crate) fn mixed_bytes(folder: &Path, mib: u64) -> PathBuf {
    let path = folder.join("disk.img");
    File::create(&path).unwrap().set_len(mib * MIB).unwrap();
    for at in (0..mib).filter(|at| at % 5 != 4) {
        let bytes = noise(at + 1, MIB as usize);
        let bytes = if at % 2 == 0 {
            bytes
        } else {
            bytes.iter().map(|byte| b'a' + byte % 4).collect()
        };
        put(&path, at * MIB, &bytes);
    }
    path
}
