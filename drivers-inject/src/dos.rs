//! DOS and Windows 9x: systems on FAT volumes, told by the files in the root folder.

use crate::volumes::MountedVolume;
use crate::{Family, System};
use disk::usedmap::VolumeKind;

/// The most that is read of a kernel or command interpreter.
const PROGRAM_LIMIT: u64 = 1 << 20;

/// The DOS or Windows 9x system on a FAT volume.
pub(crate) fn find(volume: &mut MountedVolume) -> Option<System> {
    if volume.kind != VolumeKind::Fat {
        return None;
    }
    let (name, version) = windows_9x(volume)
        .or_else(|| ms_dos(volume))
        .or_else(|| free_dos(volume))
        .or_else(|| other_dos(volume))?;
    Some(System {
        family: Family::Dos,
        name,
        version,
        edition: None,
        architecture: Some("x86".to_owned()),
        hostname: None,
        // DOS has no idea of time zones.
        rtc_utc: Some(false),
        partition: volume.partition,
        volume: volume.name.clone(),
        notes: Vec::new(),
    })
}

/// Whether a file is there and holds something: Windows XP puts empty IO.SYS and MSDOS.SYS where no DOS is.
fn has(volume: &mut MountedVolume, path: &str) -> bool {
    volume.fs.size(path).is_ok_and(|size| size > 0)
}

/// Windows 95, 98, Me: MSDOS.SYS is a text file with a `[Paths]` section.
fn windows_9x(volume: &mut MountedVolume) -> Option<(String, Option<String>)> {
    let settings = volume
        .text("MSDOS.SYS")
        .filter(|text| text.to_lowercase().contains("[paths]"))?;
    if !has(volume, "IO.SYS") {
        return None;
    }
    let version = setting(&settings, "WinVer");
    let name = match version.as_deref() {
        Some("4.00.0950" | "4.00.950") => "Windows 95",
        Some(version) if version.starts_with("4.0") => "Windows 95 OSR2",
        Some(version) if version.starts_with("4.10.2") => "Windows 98 Second Edition",
        Some(version) if version.starts_with("4.1") || version.starts_with("4.0") => "Windows 98",
        Some(version) if version.starts_with("4.9") => "Windows Me",
        _ => "Windows 95, 98 or Me",
    };
    Some((name.to_owned(), version))
}

/// The value of `key=` in an INI file, whatever its case.
fn setting(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        (name.trim().eq_ignore_ascii_case(key) && !value.is_empty()).then(|| value.to_owned())
    })
}

/// MS-DOS: IO.SYS and a MSDOS.SYS that is a program; COMMAND.COM names its version.
fn ms_dos(volume: &mut MountedVolume) -> Option<(String, Option<String>)> {
    if !has(volume, "IO.SYS") || !has(volume, "MSDOS.SYS") || !has(volume, "COMMAND.COM") {
        return None;
    }
    let shell = volume.fs.read("COMMAND.COM", PROGRAM_LIMIT).unwrap_or_default();
    let version = version_after(&shell, b"MS DOS Version ").or_else(|| version_after(&shell, b"MS-DOS Version "));
    Some(named("MS-DOS", version, windows_3(volume)))
}

/// FreeDOS: KERNEL.SYS and one of its own configuration files or its folder.
fn free_dos(volume: &mut MountedVolume) -> Option<(String, Option<String>)> {
    if !has(volume, "KERNEL.SYS") {
        return None;
    }
    let own = ["FDCONFIG.SYS", "FDAUTO.BAT", "FDOS", "FREEDOS"];
    let kernel = volume.fs.read("KERNEL.SYS", PROGRAM_LIMIT).unwrap_or_default();
    if !own.iter().any(|path| volume.fs.exists(path)) && !contains(&kernel, b"FreeDOS") {
        return None;
    }
    let version = ["FDOS/VERSION.FDI", "FREEDOS/VERSION.FDI"].iter();
    let version = version
        .filter_map(|path| setting(&volume.text(path)?, "VERSION"))
        .next();
    Some(named("FreeDOS", version, windows_3(volume)))
}

/// PC DOS and DR-DOS, whose kernels have names of their own.
fn other_dos(volume: &mut MountedVolume) -> Option<(String, Option<String>)> {
    let name = if has(volume, "IBMBIO.COM") && has(volume, "IBMDOS.COM") {
        let kernel = volume.fs.read("IBMDOS.COM", PROGRAM_LIMIT).unwrap_or_default();
        let is_dr = contains(&kernel, b"Digital Research") || contains(&kernel, b"Caldera");
        if is_dr { "DR-DOS" } else { "PC DOS" }
    } else if has(volume, "DRBIOS.SYS") || has(volume, "DRDOS.SYS") {
        "DR-DOS"
    } else {
        return None;
    };
    Some(named(name, None, windows_3(volume)))
}

/// Whether a Windows 3.x lies on top.
fn windows_3(volume: &mut MountedVolume) -> bool {
    has(volume, "WINDOWS/WIN.COM") && has(volume, "WINDOWS/PROGMAN.EXE") && has(volume, "WINDOWS/WIN.INI")
}

fn named(dos: &str, version: Option<String>, windows_3: bool) -> (String, Option<String>) {
    let mut name = dos.to_owned();
    if let Some(version) = &version {
        name.push(' ');
        name.push_str(version);
    }
    if windows_3 {
        name.push_str(" with Windows 3.x");
    }
    (name, version)
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The digits and dots that follow `marker`.
fn version_after(bytes: &[u8], marker: &[u8]) -> Option<String> {
    let at = bytes.windows(marker.len()).position(|window| window == marker)?;
    let rest = bytes.get(at + marker.len()..)?;
    let digits = rest
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let version: String = digits.map(|byte| char::from(*byte)).collect();
    Some(version).filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}
