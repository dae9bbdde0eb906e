//! Disks that fail, made by nbdkit and shown as a file by nbdfuse.

use super::{run, start};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A file that reads like a disk with errors. It goes away when dropped.
pub(crate) struct FailingDisk {
    pub(crate) path: PathBuf,
    child: Child,
}

impl FailingDisk {
    /// `image` without the bytes in `bad` (whole sectors): nbdkit's ddrescue filter refuses what a mapfile calls bad.
    pub(crate) fn with_bad(image: &Path, bad: &[Range<u64>], folder: &Path) -> Self {
        let size = fs::metadata(image).unwrap().len();
        let mut map = String::from("# Mapfile\n0x0 +\n");
        let mut at = 0;
        for range in bad {
            map += &format!("{at:#x} {:#x} +\n", range.start - at);
            map += &format!("{:#x} {:#x} -\n", range.start, range.end - range.start);
            at = range.end;
        }
        map += &format!("{at:#x} {:#x} +\n", size - at);
        let mapfile = folder.join("faults.map");
        fs::write(&mapfile, map).unwrap();
        let mut parameter = std::ffi::OsString::from("ddrescue-mapfile=");
        parameter.push(&mapfile);
        let more = [
            "--filter=ddrescue".into(),
            "file".into(),
            image.as_os_str().to_owned(),
            parameter,
        ];
        FailingDisk::start(&more, size, folder)
    }

    /// `image` read by a shell script that has `$3` (bytes), `$4` (offset), `$image` and `$folder`; it may fail with `EIO`.
    pub(crate) fn with_script(image: &Path, script: &str, folder: &Path) -> Self {
        let size = fs::metadata(image).unwrap().len();
        let (image, place) = (image.display(), folder.display());
        let pread = format!(
            "pread=image={image}; folder={place}; {script}\n\
             dd if=$image bs=512 iflag=skip_bytes,count_bytes skip=$4 count=$3 status=none"
        );
        let parallel = "thread_model=echo parallel".into();
        let more = [
            "eval".into(),
            parallel,
            format!("get_size=echo {size}").into(),
            pread.into(),
        ];
        FailingDisk::start(&more, size, folder)
    }

    /// A stick of `size` bytes that has only the first `real` of them: what is written beyond vanishes.
    pub(crate) fn lying(size: u64, real: u64, folder: &Path) -> Self {
        let image = folder.join("lying");
        File::create(&image).unwrap().set_len(size).unwrap();
        let image = image.display();
        let dd = "dd bs=65536 status=none";
        let more = [
            "eval".into(),
            format!("get_size=echo {size}").into(),
            "can_flush=exit 0".into(),
            "flush=exit 0".into(),
            "can_write=exit 0".into(),
            format!("pread={dd} if={image} iflag=skip_bytes,count_bytes skip=$4 count=$3").into(),
            format!(
                "pwrite=if [ $4 -ge {real} ]; then cat >/dev/null; \
                 else {dd} of={image} oflag=seek_bytes conv=notrunc seek=$4; fi"
            )
            .into(),
        ];
        FailingDisk::start(&more, size, folder)
    }

    fn start(nbdkit: &[std::ffi::OsString], size: u64, folder: &Path) -> Self {
        let path = folder.join("failing.img");
        File::create(&path).unwrap();
        let log = File::create(folder.join("nbdfuse.log")).unwrap();
        let child = Command::new("nbdfuse")
            .arg(&path)
            .args(["[", "nbdkit", "--exit-with-parent"])
            .args(nbdkit)
            .arg("]")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nbdfuse is needed: apt-get install libnbd-bin nbdkit");
        let mut disk = FailingDisk { path, child };
        let begun = Instant::now();
        while fs::metadata(&disk.path).is_ok_and(|found| found.len() != size) {
            let ended = disk.child.try_wait().unwrap().is_some();
            let said = fs::read_to_string(folder.join("nbdfuse.log")).unwrap_or_default();
            assert!(
                !ended && begun.elapsed() < Duration::from_secs(60),
                "no failing disk: {said}"
            );
            std::thread::yield_now();
        }
        disk
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        if !start(Command::new("fusermount3").arg("-u").arg(&self.path))
            .status
            .success()
        {
            let _ = start(Command::new("umount").arg("-l").arg(&self.path));
        }
        let _ = self.child.wait();
    }
}

/// What ddrescue cannot read of `disk`, past the page cache as p2v does it.
pub(crate) fn lost_to_ddrescue(disk: &Path, folder: &Path, more: &[&str]) -> Vec<Range<u64>> {
    let map = folder.join("ddrescue.map");
    run(Command::new("ddrescue")
        .args(["-q", "-d", "-f"])
        .args(more)
        .arg(disk)
        .arg(folder.join("ddrescue.img"))
        .arg(&map));
    bad_in(&map)
}

/// The ranges that a mapfile calls bad, read by ddrescuelog.
pub(crate) fn bad_in(map: &Path) -> Vec<Range<u64>> {
    let blocks = run(Command::new("ddrescuelog").args(["-b", "512", "-l", "-"]).arg(map));
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for line in blocks.lines() {
        let at = line.trim().parse::<u64>().unwrap() * 512;
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end = at + 512,
            _ => ranges.push(at..at + 512),
        }
    }
    ranges
}
