//! What is mounted where, and mounting what the person has chosen.
//!
//! Source: proc(5), `mountinfo`.

use super::computer::Answer;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Below this folder p2v mounts.
const POINTS: &str = "/run/p2v";

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its device, if it has one.
    pub(super) device: Option<PathBuf>,
    /// Where it is.
    pub(super) point: PathBuf,
    /// `ext4`, `overlay`.
    pub(super) kind: String,
    /// Whether something can be written there.
    pub(super) writable: bool,
}

/// Everything that is mounted, in the order in which it was.
pub(super) fn all() -> Vec<Mount> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    table.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

/// Where `device` is mounted; a place to write at comes before others.
pub(super) fn of_device(mounts: &[Mount], device: &Path) -> Option<Mount> {
    let number = block_number(device)?;
    let here = |mount: &&Mount| mount.device.as_deref().and_then(block_number) == Some(number);
    let found: Vec<&Mount> = mounts.iter().filter(here).collect();
    found
        .iter()
        .find(|mount| mount.writable)
        .or(found.first())
        .map(|mount| (*mount).clone())
}

/// The file system in which `path` is. The last one mounted at a place hides those below it.
pub(super) fn of_path(mounts: &[Mount], path: &Path) -> Option<Mount> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.components().count()).cloned()
}

/// Bytes that can be written at `path`.
pub(super) fn free(path: &Path) -> Answer<u64> {
    let stat = rustix::fs::statvfs(path).map_err(|error| format!("{} cannot be looked at: {error}", path.display()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether this is the live system of `p2v live-usb`, which has made every disk read-only.
pub(super) fn is_live_stick() -> bool {
    std::env::var_os("P2V_LIVE").is_some()
}

/// The line that mounts `device` for writing, and where that is. Nothing on it is run, and no device files in it count.
/// On the live stick every disk is read-only: its own command makes the one partition writable.
pub(super) fn command(device: &Path) -> (Vec<String>, PathBuf) {
    let words: &[&str] = if is_live_stick() {
        &["p2v-mount", "--yes"]
    } else {
        &["mount", "-w", "--mkdir", "-o", "nosuid,nodev,noexec"]
    };
    let point = Path::new(POINTS).join(device.file_name().unwrap_or_default());
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let paths = [device, &point].map(|path| path.display().to_string());
    (words.into_iter().chain(paths).collect(), point)
}

/// Mounts `device` for reading and writing, or not at all.
pub(super) fn mount(device: &Path) -> Answer<PathBuf> {
    let (words, point) = command(device);
    run(&words)?;
    Ok(point)
}

/// Writes everything out and unmounts it.
pub(super) fn unmount(point: &Path) -> Answer<()> {
    run(&["umount".to_owned(), point.display().to_string()])?;
    let _ = fs::remove_dir(point);
    Ok(())
}

/// The error is the last line that the program printed.
fn run(words: &[String]) -> Answer<()> {
    let (program, arguments) = words.split_first().ok_or("no program")?;
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut lines = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("dmesg(1)"));
    Err(lines.next_back().unwrap_or("it failed without a word").to_owned())
}

fn block_number(path: &Path) -> Option<u64> {
    let meta = fs::metadata(path).ok()?;
    meta.file_type().is_block_device().then(|| meta.rdev())
}

/// `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw`: the optional fields end with a dash.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = unescape(fields.nth(4)?);
    let writable = |options: &[u8]| !options.split(|byte| *byte == b',').any(|option| option == b"ro");
    let here = writable(fields.next()?);
    let mut after = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = String::from_utf8_lossy(after.next()?).into_owned();
    let device = unescape(after.next()?);
    Some(Mount {
        device: device.is_absolute().then_some(device),
        point,
        kind,
        writable: here && writable(after.next()?),
    })
}

/// Blanks in this table are written as three octal digits after a backslash.
fn unescape(field: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after
            .get(..3)
            .filter(|_| *byte == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            out.push(code);
            rest = after.get(3..).unwrap_or_default();
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read() {
        let mount =
            parse(b"36 35 8:17 / /media/my\\040drive rw,relatime shared:1 - vfat /dev/sdb1 ro,fmask=0022").unwrap();
        let expected = Mount {
            device: Some("/dev/sdb1".into()),
            point: "/media/my drive".into(),
            kind: "vfat".into(),
            writable: false,
        };
        assert_eq!(mount, expected);
        assert_eq!(parse(b"22 27 0:21 / /proc rw - proc proc rw").unwrap().device, None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn the_deepest_mount_holds_a_path() {
        let table = [
            "1 0 0:1 / / rw - overlay overlay rw",
            "2 1 8:1 / /mnt rw - ext4 /dev/sda1 rw",
        ];
        let mounts: Vec<Mount> = table.iter().filter_map(|line| parse(line.as_bytes())).collect();
        assert_eq!(of_path(&mounts, Path::new("/mnt/a")).unwrap().kind, "ext4");
        assert_eq!(of_path(&mounts, Path::new("/mntx")).unwrap().kind, "overlay");
    }

    #[test]
    fn what_is_mounted_lies_below_one_folder() {
        let (words, point) = command(Path::new("/dev/sdb1"));
        assert_eq!(
            words.join(" "),
            "mount -w --mkdir -o nosuid,nodev,noexec /dev/sdb1 /run/p2v/sdb1"
        );
        assert_eq!(point, Path::new("/run/p2v/sdb1"));
    }
}
