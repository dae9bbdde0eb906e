//! Who uses a disk now: mounts, swap, RAID arrays, device-mapper targets, loop devices.
//!
//! Source: proc(5) for `mountinfo` and `swaps`, Linux `Documentation/ABI/testing/sysfs-block` for `holders`.

use super::InUse;
use super::sysfs::{DeviceNumber, System, read_text};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How deep stacks of devices are followed (disk, RAID, encryption, volume manager, loop, …).
const MAX_DEPTH: u32 = 16;

/// One line of `mountinfo`, as far as it is needed.
struct Mount {
    device: Option<DeviceNumber>,
    /// What was mounted: it tells the disk where the filesystem has a device number of its own (Btrfs).
    source: PathBuf,
    target: PathBuf,
    writable: bool,
}

impl System {
    /// The uses of a disk and of its partitions, or of one partition.
    pub(super) fn uses_of_device(&self, number: DeviceNumber) -> Vec<InUse> {
        let mut uses = Vec::new();
        self.collect(number, &mut uses, &mut BTreeSet::new(), MAX_DEPTH);
        uses
    }

    /// The uses of an image file: loop devices that show it, and what is mounted from them.
    pub(super) fn uses_of_file(&self, path: &Path) -> Vec<InUse> {
        let mut uses = Vec::new();
        if let Ok(path) = fs::canonicalize(path) {
            self.collect_loops(|backing| backing == path, &mut uses, &mut BTreeSet::new(), MAX_DEPTH);
        }
        uses
    }

    fn collect(&self, number: DeviceNumber, uses: &mut Vec<InUse>, seen: &mut BTreeSet<DeviceNumber>, depth: u32) {
        if depth == 0 || !seen.insert(number) {
            return;
        }
        let folder = self.folder(number);
        let name = folder.as_deref().map(|folder| self.device_path(folder));
        let device = name.unwrap_or_else(|| PathBuf::from(format!("{}:{}", number.major, number.minor)));
        let is_this = |path: &Path| self.number_of(path) == Some(number);

        for mount in self.mounts() {
            if mount.device == Some(number) || is_this(&mount.source) {
                let access = if mount.writable { "read-write" } else { "read-only" };
                uses.push(InUse {
                    device: device.clone(),
                    how: format!("mounted at {} ({access})", mount.target.display()),
                    writable: mount.writable,
                });
            }
        }
        if self.swaps().iter().any(|path| is_this(path)) {
            uses.push(InUse {
                device: device.clone(),
                how: "active swap".to_owned(),
                writable: true,
            });
        }
        self.collect_loops(is_this, uses, seen, depth);
        let Some(folder) = folder else { return };
        for holder in entries(&folder.join("holders")) {
            let writable = read_text(&holder.join("ro")).as_deref() != Some("1");
            uses.push(InUse {
                device: device.clone(),
                how: self.describe_holder(&holder),
                writable,
            });
            self.collect_entry(&holder, uses, seen, depth);
        }
        for partition in entries(&folder) {
            if partition.join("partition").exists() {
                self.collect_entry(&partition, uses, seen, depth);
            }
        }
    }

    /// Goes on with the device that a folder of sysfs describes.
    fn collect_entry(&self, folder: &Path, uses: &mut Vec<InUse>, seen: &mut BTreeSet<DeviceNumber>, depth: u32) {
        if let Some(Ok(number)) = read_text(&folder.join("dev")).map(|text| text.parse()) {
            self.collect(number, uses, seen, depth.saturating_sub(1));
        }
    }

    /// Loop devices whose backing file `is_this`.
    fn collect_loops(
        &self,
        is_this: impl Fn(&Path) -> bool,
        uses: &mut Vec<InUse>,
        seen: &mut BTreeSet<DeviceNumber>,
        depth: u32,
    ) {
        for folder in entries(&self.sys.join("block")) {
            let Some(backing) = read_text(&folder.join("loop/backing_file")).map(PathBuf::from) else {
                continue;
            };
            if is_this(&backing) {
                let device = self.device_path(&folder);
                uses.push(InUse {
                    how: format!("attached to {}", device.display()),
                    device: backing,
                    writable: read_text(&folder.join("ro")).as_deref() != Some("1"),
                });
                self.collect_entry(&folder, uses, seen, depth);
            }
        }
    }

    /// `member of md0`, `used by dm-0 (vg-root)`.
    fn describe_holder(&self, holder: &Path) -> String {
        let name = holder.file_name().unwrap_or_default().to_string_lossy();
        match read_text(&holder.join("dm/name")) {
            Some(target) => format!("used by {name} ({target})"),
            None if name.starts_with("md") => format!("member of {name}"),
            None => format!("used by {name}"),
        }
    }

    /// The node of a device in `/dev`. sysfs writes `!` where the name has a slash (`cciss!c0d0`).
    pub(super) fn device_path(&self, folder: &Path) -> PathBuf {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        self.dev.join(name.replace('!', "/"))
    }

    fn number_of(&self, path: &Path) -> Option<DeviceNumber> {
        let metadata = fs::metadata(path).ok()?;
        metadata
            .file_type()
            .is_block_device()
            .then(|| DeviceNumber::of(metadata.rdev()))
    }

    fn mounts(&self) -> Vec<Mount> {
        let table = fs::read(self.proc.join("self/mountinfo")).unwrap_or_default();
        table.split(|byte| *byte == b'\n').filter_map(parse_mount).collect()
    }

    fn swaps(&self) -> Vec<PathBuf> {
        let table = fs::read(self.proc.join("swaps")).unwrap_or_default();
        let lines = table.split(|byte| *byte == b'\n').skip(1);
        lines
            .filter_map(|line| line.split(u8::is_ascii_whitespace).next())
            .filter(|path| !path.is_empty())
            .map(unescape)
            .collect()
    }
}

/// `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: the optional fields end with a dash.
fn parse_mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?.parse().ok();
    let target = unescape(fields.nth(1)?);
    let mut after = fields.skip_while(|field| *field != b"-").skip(2);
    let source = unescape(after.next()?);
    // The filesystem's own options, not this mount's: a read-only view of it does not keep others from writing.
    let writable = !after.next()?.split(|byte| *byte == b',').any(|option| option == b"ro");
    Some(Mount {
        device,
        source,
        target,
        writable,
    })
}

/// Blanks in these tables are written as three octal digits after a backslash.
fn unescape(field: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *byte == b'\\');
        let code = code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(code) => {
                out.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

/// The entries of a folder in the order of their names; none if it is not there.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}
