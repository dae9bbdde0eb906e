//! Whatever is damaged on a disk, a plan is made without harm: it is refused, or it fits the disk that it was made for.
//!
//! The disk has an MBR, a Windows on NTFS, a Linux on ext4 with a journal, and swap space with a saved session, all
//! sound. The fuzzer says what to overwrite in blocks that are not empty: it need not find out how they look.
#![no_main]

#[path = "../../drivers-inject/tests/common/bins.rs"]
mod bins;

use disk::usedmap::VolumeKind;
use disk::{BlockDevice, ReadAt, layout};
use drivers_inject::adapt::{self, ApplyError, Options};
use drivers_inject::registry::ValueType;
use drivers_inject::registry::edit::Editor;
use std::io;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

const MIB: usize = 1 << 20;
/// Each partition's type and place.
const PARTS: [(u8, Range<usize>); 3] = [
    (0x07, MIB..4 * MIB),
    (0x83, 4 * MIB..8 * MIB),
    (0x82, 8 * MIB..8 * MIB + (64 << 10)),
];
const SIZE: usize = 9 * MIB;
const BLOCK: usize = 512;

/// The sound disk, and its blocks that hold anything.
static DISK: LazyLock<(Vec<u8>, Vec<usize>)> = LazyLock::new(|| {
    let disk = sound();
    let plan = plan(&disk, true);
    let edited = |family: &str| plan.edits.iter().any(|edit| edit.file.contains(family));
    assert!(edited("config/SYSTEM") && edited("etc/fstab"), "{plan:#?}");
    let full = |block: &usize| disk[block * BLOCK..][..BLOCK].iter().any(|byte| *byte != 0);
    let blocks = (0..SIZE / BLOCK).filter(full).collect();
    (disk, blocks)
});

/// What to overwrite: which block, where in it, with what.
type Damage = Vec<(u16, u16, u32)>;

libfuzzer_sys::fuzz_target!(|input: (bool, Damage)| {
    let (discard, damage) = input;
    let (sound, blocks) = &*DISK;
    let mut disk = sound.clone();
    for (block, at, word) in damage {
        let block = blocks[usize::from(block) % blocks.len()];
        let at = block * BLOCK + usize::from(at) % (BLOCK - 3);
        disk[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    let plan = plan(&disk, discard);
    let changed = Memory(Mutex::new(disk.clone()));
    match adapt::apply(&plan, &changed) {
        Ok(()) => assert!(plan.refusals().next().is_none()),
        Err(ApplyError::Refused(_)) => assert!(changed.0.into_inner().expect("no panic before") == disk),
        Err(error) => panic!("{error}: {plan:#?}"),
    }
});

fn plan(disk: &[u8], discard_hibernation: bool) -> adapt::Plan {
    let disk: Arc<dyn ReadAt> = Arc::new(disk.to_vec());
    let layout = layout::scan(&*disk, 512).expect("memory can be read");
    let options = Options {
        discard_hibernation,
        ..Options::default()
    };
    adapt::plan(&disk, &layout, options)
}

/// A disk in memory that takes writes.
struct Memory(Mutex<Vec<u8>>);

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        self.0.lock().expect("no panic before").len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.lock().expect("no panic before").read_at(offset, buf)
    }
}

impl BlockDevice for Memory {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("a small disk");
        self.0.lock().expect("no panic before")[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn sound() -> Vec<u8> {
    let mut disk = vec![0; SIZE];
    for (number, (kind, range)) in PARTS.into_iter().enumerate() {
        let entry = &mut disk[446 + number * 16..][..16];
        entry[4] = kind;
        let sectors = |bytes: usize| u32::try_from(bytes / 512).expect("a small disk").to_le_bytes();
        entry[8..12].copy_from_slice(&sectors(range.start));
        entry[12..].copy_from_slice(&sectors(range.len()));
    }
    disk[440..444].copy_from_slice(&[1, 2, 3, 4]);
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    let [ntfs, ext, swap] = PARTS.map(|(_, range)| range);
    disk[ntfs.clone()].copy_from_slice(&made_by("mkntfs", &["-q", "-F", "-f"], ntfs.len()));
    let options = ["-q", "-F", "-t", "ext4", "-J", "size=1", "-O", "^metadata_csum"];
    disk[ext.clone()].copy_from_slice(&made_by("mke2fs", &options, ext.len()));
    disk[swap.start + 4096 - 20..][..19].copy_from_slice(b"SWAPSPACE2S1SUSPEND");
    let disk = Arc::new(Memory(Mutex::new(disk)));
    let system = hive(&[
        ("Select", "Current", 1),
        (r"ControlSet001\Services\msahci", "Start", 3),
        (r"ControlSet001\Services\atapi", "Start", 0),
        (r"ControlSet001\Services\storahci\StartOverride", "0", 3),
    ]);
    let software = hive(&[(r"Microsoft\Windows NT\CurrentVersion", "CurrentMajorVersionNumber", 10)]);
    let fstab = b"/dev/sda2 / ext4 defaults 0 1\n/dev/sda3 none swap sw 0 0\n";
    let menu = b"title A\nroot (hd0,1)\nkernel /vmlinuz root=/dev/sda2 resume=/dev/sda3\n";
    let mut files: Vec<(&str, &[u8])> = vec![
        ("Windows/System32/config/SYSTEM", &system),
        ("Windows/System32/config/SOFTWARE", &software),
        ("hiberfil.sys", b"HIBR"),
    ];
    let drivers = ["atapi", "intelide", "pciide", "pciidex", "msahci", "storahci", "disk"];
    let drivers = drivers.map(|name| format!("Windows/System32/drivers/{name}.sys"));
    files.extend(drivers.iter().map(|name| (name.as_str(), &b"MZ"[..])));
    fill(&disk, VolumeKind::Ntfs, &ntfs, &files);
    let files: [(&str, &[u8]); 4] = [
        ("etc/fstab", fstab),
        ("etc/os-release", b"NAME=Linux\n"),
        ("boot/grub/menu.lst", menu),
        ("boot/vmlinuz", b"kernel"),
    ];
    fill(&disk, VolumeKind::Ext, &ext, &files);
    let disk = Arc::into_inner(disk).expect("the editors are closed");
    disk.0.into_inner().expect("no panic before")
}

/// Puts files on a volume.
fn fill(disk: &Arc<Memory>, kind: VolumeKind, range: &Range<usize>, files: &[(&str, &[u8])]) {
    let range = range.start as u64..range.end as u64;
    let mut editor = fs_edit::open(kind, disk.clone(), range).expect("a new volume");
    for (path, contents) in files {
        if let Some((folder, _)) = path.rsplit_once('/') {
            editor.create_folder(folder).expect("there is room");
        }
        editor.write(path, contents).expect("there is room");
    }
    editor.finish().expect("there is room");
}

/// A hive with these numbers.
fn hive(numbers: &[(&str, &str, u32)]) -> Vec<u8> {
    let mut editor = Editor::new(bins::every_kind(5), MIB).expect("a sound hive");
    for (key, name, number) in numbers {
        editor.create_key(key).expect("there is room");
        let set = editor.set_value(key, name, ValueType::Dword, &number.to_le_bytes());
        set.expect("there is room");
    }
    editor.finish()
}

/// An empty volume. The file has a name of its own for each process that fuzzes.
fn made_by(program: &str, args: &[&str], size: usize) -> Vec<u8> {
    let name = format!("p2v-fuzz-plan-{program}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, vec![0; size]).expect("the temporary folder is writable");
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(args).arg(&path).env("PATH", search);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(status.success(), "{program} failed");
    let volume = std::fs::read(&path).expect("the volume was just made");
    // Left over, it would do no harm.
    let _ = std::fs::remove_file(&path);
    volume
}
