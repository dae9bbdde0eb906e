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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A copy of the kernel's tables: sda with sda1 (mounted) and sda2 (encrypted, what is inside is swap).
    fn system(folder: &Path) -> System {
        let put = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let sda = "sys/devices/ata1/block/sda";
        put(&format!("{sda}/dev"), "8:0\n");
        put(&format!("{sda}/size"), "2048\n");
        put(&format!("{sda}/queue/logical_block_size"), "512\n");
        put(&format!("{sda}/queue/physical_block_size"), "4096\n");
        put(&format!("{sda}/queue/rotational"), "1\n");
        put(&format!("{sda}/device/model"), "WDC WD800JB-00JJ\n");
        put(&format!("{sda}/device/vendor"), "ATA     \n");
        put(&format!("{sda}/device/vpd_pg80"), "\0x\0\x14     WD-WCAM9");
        put(&format!("{sda}/device/wwid"), "naa.50014ee0\n");
        for (name, number) in [("sda1", "8:1"), ("sda2", "8:2")] {
            put(&format!("{sda}/{name}/dev"), number);
            put(&format!("{sda}/{name}/partition"), "1");
        }
        put("sys/devices/virtual/block/dm-0/dev", "253:0");
        put("sys/devices/virtual/block/dm-0/dm/name", "cryptswap");
        fs::create_dir_all(folder.join(format!("{sda}/sda2/holders"))).unwrap();
        let link = |target: &str, name: &str| {
            let name = folder.join(name);
            fs::create_dir_all(name.parent().unwrap()).unwrap();
            symlink(folder.join(target), name).unwrap();
        };
        link("sys/devices/virtual/block/dm-0", &format!("{sda}/sda2/holders/dm-0"));
        for (number, target) in [
            ("8:0", sda),
            ("8:1", &format!("{sda}/sda1")),
            ("8:2", &format!("{sda}/sda2")),
        ] {
            link(target, &format!("sys/dev/block/{number}"));
        }
        link("sys/devices/virtual/block/dm-0", "sys/dev/block/253:0");
        put(
            "proc/self/mountinfo",
            "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
             36 35 8:1 / /my\\040disk ro,noatime master:1 - ext3 /dev/none rw,errors=continue\n\
             37 35 253:0 / /in ro - ext4 /dev/mapper/x ro\n",
        );
        System {
            sys: folder.join("sys"),
            proc: folder.join("proc"),
            dev: "/dev".into(),
        }
    }

    #[test]
    fn partitions_and_what_is_stacked_on_them_count_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let system = system(folder.path());
        let uses = system.uses_of_device(DeviceNumber { major: 8, minor: 0 });
        let lines: Vec<_> = uses
            .iter()
            .map(|u| (u.device.to_str().unwrap(), u.how.as_str(), u.writable))
            .collect();
        assert_eq!(
            lines,
            [
                // Mounted read-only, but the filesystem itself is open for writing.
                ("/dev/sda1", "mounted at /my disk (read-write)", true),
                ("/dev/sda2", "used by dm-0 (cryptswap)", true),
                ("/dev/dm-0", "mounted at /in (read-only)", false),
            ]
        );
        assert_eq!(system.uses_of_device(DeviceNumber { major: 8, minor: 1 }).len(), 1);
    }

    #[test]
    fn a_partition_has_the_identity_of_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        let info = system(folder.path()).describe(Path::new("/dev/sda1"), DeviceNumber { major: 8, minor: 1 });
        assert_eq!(info.model.as_deref(), Some("WDC WD800JB-00JJ"));
        assert_eq!(info.serial.as_deref(), Some("WD-WCAM9"));
        assert_eq!(info.wwn.as_deref(), Some("naa.50014ee0"));
        assert_eq!(
            (info.logical_sector, info.physical_sector, info.rotational),
            (512, 4096, Some(true))
        );
    }
}
