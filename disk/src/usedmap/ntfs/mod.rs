//! The used map of NTFS, from its $Bitmap file.
//!
//! What is checked before a cluster counts as free: the boot sector, the records of the system files with their update
//! sequences, $MFTMirr, the volume's dirty flag, that the log is closed (a hibernated or crashed Windows has allocations
//! that only its log or its memory knows), that $Bitmap is complete, and that it calls the system files' clusters used.

mod boot;
mod files;
mod log;
mod record;

use super::builder::{UsedBuilder, runs_of_ones};
use super::{Volume, VolumeKind};
use crate::bytes::{Fields, utf16};
use crate::extent::ExtentSet;
use crate::io::ReadAt;
use boot::Boot;
use files::{Checked, Data, Files};
use record::{Attribute, Run, VOLUME_INFORMATION, VOLUME_NAME, Value};
use std::io;
use std::ops::Range;

/// Why a volume is copied whole.
type Refusal = &'static str;

/// Numbers of the system files' records.
const MFT: u64 = 0;
const MIRROR: u64 = 1;
const LOG: u64 = 2;
const VOLUME: u64 = 3;
const BITMAP: u64 = 6;
/// How many records $MFTMirr repeats at least.
const MIRRORED: usize = 4;

/// `VOLUME_INFORMATION`: dirty, and `chkdsk` has begun.
const DIRTY: u16 = 0x0001 | 0x4000;

/// Bytes of the bitmap that are read at once. A multiple of 8.
const READ: u64 = 1 << 20;

/// Maps an NTFS volume; it has the signature at least.
pub(super) fn map<D: ReadAt + ?Sized>(device: &D) -> io::Result<Volume> {
    let size = device.size();
    let mut volume = Volume::whole(VolumeKind::Ntfs, "NTFS", size);
    let mut sector = [0; boot::SIZE];
    device.read_at(0, &mut sector)?;
    volume.uuid = Some(boot::serial(&sector));
    let boot = match boot::parse(&sector, size) {
        Ok(boot) => boot,
        Err(why) => {
            volume.copy_whole(size, format!("{why}: copied whole"));
            return Ok(volume);
        }
    };
    volume.block_size = u32::try_from(boot.cluster_size).ok();
    match Mapper::used(device, &boot, &mut volume.label)? {
        Ok(used) => {
            volume.used = used;
            volume.mapped = true;
        }
        Err(why) => volume.copy_whole(size, format!("{why}: copied whole")),
    }
    Ok(volume)
}

/// The start of the log, in bytes of the volume: Windows writes there whenever it mounts the volume. `None` if it cannot
/// be found.
pub(super) fn log_start<D: ReadAt + ?Sized>(device: &D) -> io::Result<Option<Range<u64>>> {
    let mut sector = [0; boot::SIZE];
    device.read_at(0, &mut sector)?;
    let Ok(boot) = boot::parse(&sector, device.size()) else {
        return Ok(None);
    };
    let Ok(files) = Files::open(device, &boot)? else {
        return Ok(None);
    };
    let Ok(Data::Runs { runs, .. }) = files.data(LOG)? else {
        return Ok(None);
    };
    let first = runs.first().and_then(|run| run.cluster);
    let start = first.and_then(|cluster| cluster.checked_mul(boot.cluster_size));
    let len = u64::try_from(log::START).unwrap_or(u64::MAX);
    Ok(start.and_then(|start| Some(start..start.checked_add(len)?)))
}

/// Whether Windows left an NTFS volume in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtfsState {
    /// Closed: everything in its log has reached its place.
    Closed,
    /// Windows crashed, hibernates, or was shut down with Fast Startup: the log holds changes that are not in place.
    InUse,
    /// Windows itself marked the volume for `chkdsk`.
    Dirty,
    /// The log or the volume's own record cannot be read.
    Unknown,
}

/// Judges an NTFS volume by its log and its dirty flag.
pub fn ntfs_state<D: ReadAt + ?Sized>(device: &D) -> io::Result<NtfsState> {
    let mut sector = [0; boot::SIZE];
    if device.size() < super::MIN_SIZE {
        return Ok(NtfsState::Unknown);
    }
    device.read_at(0, &mut sector)?;
    let Ok(boot) = boot::parse(&sector, device.size()) else {
        return Ok(NtfsState::Unknown);
    };
    let Ok(files) = Files::open(device, &boot)? else {
        return Ok(NtfsState::Unknown);
    };
    let boot = &boot;
    let mapper = Mapper { device, boot, files };
    let Ok(volume) = mapper.files.attributes(VOLUME)? else {
        return Ok(NtfsState::Unknown);
    };
    Ok(match mapper.log_state()? {
        log::State::InUse => NtfsState::InUse,
        log::State::Unknown => NtfsState::Unknown,
        log::State::Clean if mapper.check_dirty(&volume).is_err() => NtfsState::Dirty,
        log::State::Clean => NtfsState::Closed,
    })
}

struct Mapper<'a, D: ?Sized> {
    device: &'a D,
    boot: &'a Boot,
    files: Files<'a, D>,
}

impl<'a, D: ReadAt + ?Sized> Mapper<'a, D> {
    /// The used bytes of the volume, and its label on the way.
    fn used(device: &'a D, boot: &'a Boot, label: &mut Option<String>) -> io::Result<Checked<ExtentSet>> {
        let files = match Files::open(device, boot)? {
            Ok(files) => files,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mapper = Mapper { device, boot, files };
        let volume = match mapper.files.attributes(VOLUME)? {
            Ok(volume) => volume,
            Err(refusal) => return Ok(Err(refusal)),
        };
        *label = resident(&volume, VOLUME_NAME)
            .map(utf16)
            .filter(|label| !label.is_empty());
        for check in [mapper.check_dirty(&volume), mapper.check_mirror()?, mapper.check_log()?] {
            if let Err(refusal) = check {
                return Ok(Err(refusal));
            }
        }
        let used = match mapper.read_bitmap()? {
            Ok(used) => used,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(mapper.check_system_files(&used)?.map(|()| used))
    }

    fn check_dirty(&self, volume: &[Attribute]) -> Checked<()> {
        let flags = resident(volume, VOLUME_INFORMATION).map(|bytes| Fields(bytes).le16(10));
        match flags {
            None => Err("the volume's state is not known"),
            Some(flags) if flags & DIRTY != 0 => Err("Windows marked the volume as dirty (chkdsk mends that)"),
            Some(_) => Ok(()),
        }
    }

    /// Both copies of the first records are the same unless a write was torn.
    fn check_mirror(&self) -> io::Result<Checked<()>> {
        let mut mirror = vec![0; self.boot.record_size.saturating_mul(MIRRORED)];
        let place = self.boot.mirror.saturating_mul(self.boot.cluster_size);
        if place.saturating_add(u64::try_from(mirror.len()).unwrap_or(u64::MAX)) > self.device.size() {
            return Ok(Err("the mirror of the master file table lies outside the volume"));
        }
        self.device.read_at(place, &mut mirror)?;
        for (number, copy) in (0..).zip(mirror.chunks_exact(self.boot.record_size)) {
            match self.files.record(number)? {
                Ok(record) if record::same(&record, copy) => {}
                Ok(_) => return Ok(Err("the master file table and its mirror differ (chkdsk mends that)")),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(()))
    }

    fn check_log(&self) -> io::Result<Checked<()>> {
        Ok(match self.log_state()? {
            log::State::Clean => Ok(()),
            log::State::InUse => Err(
                "Windows did not close the volume: it crashed, hibernates, or was shut down with \
                                      \"fast startup\", so that what is free is known only to itself",
            ),
            log::State::Unknown => Err("the log is damaged"),
        })
    }

    fn log_state(&self) -> io::Result<log::State> {
        let Ok(Data::Runs { runs, .. }) = self.files.data(LOG)? else {
            return Ok(log::State::Unknown);
        };
        let mut start = vec![0; log::START];
        Ok(match self.files.read(&runs, 0, &mut start)? {
            true => log::state(&start),
            false => log::State::Unknown,
        })
    }

    fn read_bitmap(&self) -> io::Result<Checked<ExtentSet>> {
        let clusters = self.boot.clusters;
        let mut used = UsedBuilder::new(self.device.size());
        let cluster = self.boot.cluster_size;
        let mut add = |bitmap: &[u8], first: u64| {
            let bits = clusters.saturating_sub(first).min(READ.saturating_mul(8));
            runs_of_ones(bitmap, bits, |run| {
                let byte = |bit: u64| bit.saturating_add(first).saturating_mul(cluster);
                used.add(byte(run.start)..byte(run.end));
            });
        };
        let incomplete = "the list of used clusters is incomplete";
        match self.files.data(BITMAP)? {
            Ok(Data::Resident(bytes)) => {
                if u64::try_from(bytes.len()).unwrap_or(0).saturating_mul(8) < clusters {
                    return Ok(Err(incomplete));
                }
                add(&bytes, 0);
            }
            Ok(Data::Runs { runs, initialised }) => {
                let bytes = clusters.div_ceil(8);
                if initialised < bytes {
                    return Ok(Err(incomplete));
                }
                let mut buffer = Vec::new();
                let mut at = 0u64;
                while at < bytes {
                    let len = bytes.saturating_sub(at).min(READ);
                    buffer.resize(usize::try_from(len).unwrap_or(0), 0);
                    if !self.files.read(&runs, at, &mut buffer)? {
                        return Ok(Err(incomplete));
                    }
                    add(&buffer, at.saturating_mul(8));
                    at = at.saturating_add(len);
                }
            }
            Err(refusal) => return Ok(Err(refusal)),
        }
        // The backup of the boot sector lies behind the last whole cluster.
        used.add(clusters.saturating_mul(cluster)..self.device.size());
        Ok(Ok(used.finish()))
    }

    /// The clusters of the system files must be marked as used.
    fn check_system_files(&self, used: &ExtentSet) -> io::Result<Checked<()>> {
        let boot_file = Run {
            cluster: Some(0),
            length: 8192u64.div_ceil(self.boot.cluster_size),
        };
        let mut runs = vec![boot_file];
        for number in [MFT, MIRROR, LOG, BITMAP] {
            match self.files.data(number)? {
                Ok(Data::Runs { runs: more, .. }) => runs.extend(more),
                Ok(Data::Resident(_)) => {}
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        for run in runs {
            let Some(start) = run.cluster else { continue };
            let clusters = start..start.saturating_add(run.length);
            if !self.files.inside(&clusters) {
                return Ok(Err("a system file lies outside the volume"));
            }
            let cluster = self.boot.cluster_size;
            let bytes = clusters.start.saturating_mul(cluster)..clusters.end.saturating_mul(cluster);
            if !used.within(bytes.clone()).eq([bytes]) {
                return Ok(Err(
                    "the list of used clusters leaves out a system file (chkdsk mends that)",
                ));
            }
        }
        Ok(Ok(()))
    }
}

/// The value of a resident attribute.
fn resident(attributes: &[Attribute], kind: u32) -> Option<&[u8]> {
    attributes.iter().find_map(|attribute| match &attribute.value {
        Value::Resident(bytes) if attribute.kind == kind => Some(&bytes[..]),
        _ => None,
    })
}
