//! Makes volume groups with lvm2's own tools, which also say where a logical volume's bytes lie. Used by the tests of
//! more than one crate.
//!
//! Nothing is activated, so no device-mapper is needed; loop devices are, and so root.
#![allow(dead_code, reason = "each test binary uses its own part")]

use crate::loop_device::Loop;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The physical volumes of a disk while lvm2 works on them.
pub(crate) struct Lvm {
    disk: PathBuf,
    /// Loop device and the range of the disk that it shows.
    devices: Vec<(Loop, Range<u64>)>,
    folder: tempfile::TempDir,
}

impl Lvm {
    /// Loop devices for `ranges` (bytes) of `disk`, which are to be physical volumes.
    pub(crate) fn on(disk: &Path, ranges: &[Range<u64>]) -> Self {
        let mut lvm = Lvm {
            disk: disk.to_owned(),
            devices: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
        };
        for range in ranges {
            let options = [
                "--offset",
                &range.start.to_string(),
                "--sizelimit",
                &(range.end - range.start).to_string(),
            ];
            let device = Loop::attach(disk, &options);
            lvm.devices.push((device, range.clone()));
        }
        lvm
    }

    /// The device of a physical volume.
    pub(crate) fn device(&self, number: usize) -> &str {
        self.devices[number].0.name()
    }

    /// Runs a command of lvm2, which must succeed and sees these devices alone.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let (command, rest) = arguments.split_first().unwrap();
        let accepted: String = self
            .devices
            .iter()
            .map(|(device, _)| format!("\"a|^{}$|\",", device.name()))
            .collect();
        let config = format!(
            "devices{{filter=[{accepted}\"r|.*|\"] use_devicesfile=0 obtain_device_list_from_udev=0}} \
             global{{activation=0 use_lvmpolld=0 use_lvmlockd=0 locking_dir=\"{0}\"}} activation{{monitoring=0}} \
             backup{{backup=0 archive=0}}",
            self.folder.path().display()
        );
        let output = start(
            "lvm2",
            Command::new("lvm")
                .args([command, "--driverloaded", "n", "--config", &config])
                .args(rest),
        );
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "lvm {arguments:?}: {said}{error}");
        said
    }

    /// Makes all devices physical volumes of the group `name` with extents of 1 MiB.
    pub(crate) fn group(&self, name: &str, more: &[&str]) {
        let devices: Vec<&str> = self.devices.iter().map(|(device, _)| device.name()).collect();
        self.run(&[&["pvcreate", "-q", "-y"], more, &devices].concat());
        self.run(&[&["vgcreate", "-q", "-s", "1m", name][..], &devices].concat());
    }

    /// Makes a logical volume of so many MiB.
    pub(crate) fn volume(&self, group: &str, name: &str, mib: u64) {
        self.run(&[
            "lvcreate",
            "-q",
            "-an",
            "-Zn",
            "-Wn",
            "-L",
            &format!("{mib}m"),
            "-n",
            name,
            group,
        ]);
    }

    /// Gives the group the metadata that `change` makes of those that it has.
    pub(crate) fn restore(&self, group: &str, change: impl FnOnce(String) -> String) {
        let file = self.folder.path().join("text");
        let name = file.to_str().unwrap().to_owned();
        self.run(&["vgcfgbackup", "-q", "-f", &name, group]);
        let changed = change(std::fs::read_to_string(&file).unwrap());
        std::fs::write(&file, changed).unwrap();
        self.run(&["vgcfgrestore", "-q", "-y", "--force", "-f", &name, group]);
    }

    /// Where `group/name` lies on the disk, in its own order, by what `lvs` and `pvs` report.
    pub(crate) fn places(&self, name: &str) -> Vec<Range<u64>> {
        let report = |arguments: &[&str]| -> Vec<Vec<String>> {
            let bare = ["--noheadings", "--units", "b", "--nosuffix"];
            let text = self.run(&[arguments, &bare].concat());
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            lines
                .map(|line| line.split_whitespace().map(str::to_owned).collect())
                .collect()
        };
        let volumes = report(&["pvs", "-o", "pv_name,pe_start,vg_extent_size"]);
        let mut segments = report(&["lvs", "-o", "seg_start_pe,seg_pe_ranges", name]);
        segments.sort_by_key(|words| words[0].parse::<u64>().unwrap());
        let place = |words: &Vec<String>| {
            // `/dev/loop0:3-7`, both included.
            let (device, extents) = words[1].rsplit_once(':').unwrap();
            let (first, last) = extents.split_once('-').unwrap();
            let volume = volumes.iter().find(|volume| volume[0] == device).unwrap();
            let number = |text: &str| text.parse::<u64>().unwrap();
            let (_, range) = self.devices.iter().find(|(known, _)| known.name() == device).unwrap();
            let start = range.start + number(&volume[1]);
            let extent = number(&volume[2]);
            start + number(first) * extent..start + (number(last) + 1) * extent
        };
        segments.iter().map(place).collect()
    }

    /// The bytes of a logical volume.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        read_places(&self.disk, &self.places(name))
    }

    /// Makes `bytes` those of a logical volume.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let file = File::options().write(true).open(&self.disk).unwrap();
        let mut rest = bytes;
        for place in self.places(name) {
            let (piece, more) = rest.split_at((place.end - place.start) as usize);
            file.write_all_at(piece, place.start).unwrap();
            rest = more;
        }
        assert!(rest.is_empty(), "{name} has another size");
    }
}

/// The bytes at these places of a disk, one after the other.
pub(crate) fn read_places(disk: &Path, places: &[Range<u64>]) -> Vec<u8> {
    let file = File::open(disk).unwrap();
    let mut bytes = Vec::new();
    for place in places {
        let mut piece = vec![0; (place.end - place.start) as usize];
        file.read_exact_at(&mut piece, place.start).unwrap();
        bytes.extend(piece);
    }
    bytes
}

fn start(package: &str, command: &mut Command) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).env("LC_ALL", "C.UTF-8");
    // lvm2 complains about file descriptors that it did not open itself.
    command
        .env("LVM_SUPPRESS_FD_WARNINGS", "1")
        .stdin(std::process::Stdio::null());
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; it is in the Debian package {package}"))
}
