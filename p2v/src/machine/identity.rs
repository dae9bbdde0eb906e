//! What the captured PC was: from the computer p2v runs on if that is the PC itself, else from the disk.

use super::{
    Controller, Disk, Firmware, FoundSystem, Geometry, Graphics, Identity, Machine, Nic, Origin, Rtc, firmware,
    geometry, starts,
};
use disk::ReadAt;
use disk::layout::DiskLayout;
use disk::partition::Scheme;
use disk::source::{SourceInfo, SourceKind};
use drivers_inject::{Family, System};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// An image file that counts as a disk of this computer, for tests and demonstrations.
const OWN_DISK: &str = "P2V_OWN_DISK";
/// What the runner can give a machine.
const MAX_CPUS: usize = 8;

/// Whether `info` is a built-in disk of the computer that p2v runs on: not an image, not a loop device, not on USB.
pub(crate) fn is_own_disk(info: &SourceInfo) -> bool {
    if std::env::var_os(OWN_DISK).is_some_and(|own| Path::new(&own) == info.path) {
        return true;
    }
    if info.kind != SourceKind::BlockDevice || info.removable {
        return false;
    }
    let name = info.path.canonicalize().unwrap_or_else(|_| info.path.clone());
    let Some(name) = name.file_name() else { return false };
    match Path::new("/sys/class/block").join(name).canonicalize() {
        Ok(device) => {
            let device = device.to_string_lossy();
            !device.contains("/virtual/") && !device.contains("/usb")
        }
        Err(_) => false,
    }
}

/// Describes the machine. `live`: the disk belongs to the computer that p2v runs on.
pub(crate) fn describe(
    name: String,
    info: &SourceInfo,
    live: bool,
    disk: &dyn ReadAt,
    layout: &DiskLayout,
    systems: &[System],
) -> Machine {
    let firmware = starts::by(disk, layout).unwrap_or_else(|| if live { running_firmware() } else { Firmware::Bios });
    let (cpus, memory) = if live { running_size() } else { None }.unwrap_or_else(|| usual_size(systems));
    let mut nics = if live { running_nics() } else { Vec::new() };
    if nics.is_empty() {
        nics.push(Nic { mac: new_mac() });
    }
    Machine {
        name,
        created: rfc3339(SystemTime::now()),
        p2v: env!("CARGO_PKG_VERSION").to_owned(),
        firmware,
        cpus,
        memory,
        rtc: rtc_of(systems),
        keyboard: "us".to_owned(),
        graphics: Graphics::default(),
        identity: Identity::default(),
        source: Origin {
            path: info.path.display().to_string(),
            model: info.model.clone(),
            serial: info.serial.clone(),
            wwn: info.wwn.clone(),
            size: info.size,
            sectors: info.size / u64::from(info.logical_sector.max(1)),
            live,
        },
        disks: vec![describe_disk(info, disk, layout)],
        nics,
        systems: systems.iter().map(found).collect(),
    }
}

fn describe_disk(info: &SourceInfo, disk: &dyn ReadAt, layout: &DiskLayout) -> Disk {
    let table = match layout.table.scheme {
        Scheme::Mbr => "mbr",
        Scheme::Gpt => "gpt",
        Scheme::None => "none",
    };
    let geometry: Geometry = geometry::derive(disk, layout);
    Disk {
        file: super::DISK.to_owned(),
        size: info.size,
        logical_sector: info.logical_sector,
        physical_sector: info.physical_sector,
        model: ascii(info.model.as_deref(), 40).unwrap_or_else(|| "P2V HARDDISK".to_owned()),
        serial: ascii(info.serial.as_deref(), 20).unwrap_or_else(|| "P2V00001".to_owned()),
        controller: Controller::Ide,
        table: table.to_owned(),
        table_id: layout.table.disk_id.clone(),
        geometry: Some(geometry),
    }
}

/// What fits into an IDENTIFY string: printable ASCII, cut at `max`.
fn ascii(text: Option<&str>, max: usize) -> Option<String> {
    let text: String = text?.chars().filter(|c| matches!(c, ' '..='~')).take(max).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn running_firmware() -> Firmware {
    if firmware::root().join("efi").exists() {
        Firmware::Uefi
    } else {
        Firmware::Bios
    }
}

/// Processors and memory (MiB) of the computer that p2v runs on.
fn running_size() -> Option<(u8, u64)> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    // The kernel keeps a little for itself: back to what the modules hold.
    let memory = (kib / 1024).next_multiple_of(if kib > 1 << 20 { 256 } else { 64 });
    let cpus = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(MAX_CPUS);
    Some((u8::try_from(cpus).unwrap_or(1), memory))
}

/// What the systems were at home with, when the PC itself cannot be asked.
fn usual_size(systems: &[System]) -> (u8, u64) {
    let memory = systems.iter().map(usual_memory).max().unwrap_or(1024);
    (1, memory)
}

/// MiB. Windows 9x has trouble with more than 512; DOS uses what it can.
fn usual_memory(system: &System) -> u64 {
    let major = system
        .version
        .as_deref()
        .and_then(|v| v.split('.').next()?.parse::<u32>().ok());
    match (system.family, major) {
        (Family::Windows, Some(0..=5)) => 512,
        (Family::Windows, Some(10..)) => 2048,
        (Family::Windows | Family::Linux, _) => 1024,
        (Family::Dos, _) => 256,
    }
}

/// Addresses of the network cards that are hardware.
fn running_nics() -> Vec<Nic> {
    let Ok(entries) = std::fs::read_dir("/sys/class/net") else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let hardware = paths.into_iter().filter(|path| path.join("device").exists());
    let macs = hardware.filter_map(|path| std::fs::read_to_string(path.join("address")).ok());
    let macs = macs
        .map(|mac| mac.trim().to_owned())
        .filter(|mac| mac.len() == 17 && mac != "00:00:00:00:00:00");
    macs.map(|mac| Nic { mac }).collect()
}

/// A new address in QEMU's range, locally administered.
fn new_mac() -> String {
    let id = uuid::Uuid::new_v4();
    let [a, b, c, ..] = *id.as_bytes();
    format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
}

/// The clock belongs to the first system that says something about it.
fn rtc_of(systems: &[System]) -> Rtc {
    let said = systems.iter().find_map(|system| system.rtc_utc);
    let utc = said.unwrap_or_else(|| {
        !systems
            .iter()
            .any(|s| matches!(s.family, Family::Windows | Family::Dos))
    });
    if utc { Rtc::Utc } else { Rtc::Localtime }
}

fn found(system: &System) -> FoundSystem {
    let family = match system.family {
        Family::Windows => "windows",
        Family::Linux => "linux",
        Family::Dos => "dos",
    };
    FoundSystem {
        name: system.name.clone(),
        family: family.to_owned(),
        version: system.version.clone(),
        architecture: system.architecture.clone(),
        hostname: system.hostname.clone(),
        partition: system.partition,
    }
}

/// `2026-11-22T15:04:05Z`. Civil date from days since 1970 in the proleptic Gregorian calendar, years from March on.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_at_the_corners_of_the_calendar() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59Z");
    }

    #[test]
    fn identify_strings_are_printable_and_short() {
        assert_eq!(ascii(Some("  ST3120026A\n"), 40).as_deref(), Some("ST3120026A"));
        assert_eq!(ascii(Some("é\u{0}"), 40), None);
        assert_eq!(ascii(Some(&"x".repeat(50)), 20).map(|s| s.len()), Some(20));
    }
}
