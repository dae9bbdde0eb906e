//! Windows NT and its descendants: 2000 to 11.

pub(crate) mod boot_ini;
pub(crate) mod cabinet;
pub(crate) mod hibernation;
pub(crate) mod inf;
mod product;
mod system_hive;
pub(crate) mod virtio;

use crate::registry::Hive;
use crate::volumes::MountedVolume;
use crate::{Family, System, executable};
use disk::guestfs::GuestFsError;
use disk::usedmap::VolumeKind;
use hibernation::Signature;
use product::Product;
use system_hive::SystemHive;

/// The largest hive that is read. SOFTWARE hives of machines that were upgraded for ten years reach 200 MiB;
/// a capture, which looks for systems too, may take 256 MiB of memory in all.
pub(crate) const HIVE_LIMIT: u64 = 224 << 20;

/// Where a Windows is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Index into the volumes.
    pub(crate) volume: usize,
    /// Its folder: `Windows`, `WINNT`.
    pub(crate) folder: String,
    /// The session that a hibernation file keeps for it.
    pub(crate) session: Option<Session>,
}

/// A session in a hibernation file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// Index of the volume that has the file in its root.
    pub(crate) volume: usize,
    pub(crate) signature: Signature,
}

/// The Windows systems on these volumes: every folder with a SYSTEM hive in it, whatever it is called.
pub(crate) fn locate(volumes: &mut [MountedVolume]) -> Vec<Place> {
    let named: Vec<String> = volumes.iter_mut().flat_map(boot_ini::folders).collect();
    let mut places = Vec::new();
    // Up to Windows XP the hibernation file is where the boot loader is, which may be a volume of its own.
    let mut boot_session = None;
    for (number, volume) in volumes.iter_mut().enumerate() {
        if !matches!(volume.kind, VolumeKind::Ntfs | VolumeKind::Fat) {
            continue;
        }
        let session = hibernation::signature(volume).map(|signature| Session {
            volume: number,
            signature,
        });
        let folders = folders(volume, &named);
        if folders.is_empty() {
            boot_session = boot_session.or(session);
        }
        places.extend(folders.into_iter().map(|folder| Place {
            volume: number,
            folder,
            session,
        }));
    }
    for place in &mut places {
        place.session = place.session.or(boot_session);
    }
    places
}

/// What the systems at these places are.
pub(crate) fn describe_all(volumes: &mut [MountedVolume], places: &[Place]) -> Vec<System> {
    let mut systems = Vec::new();
    for place in places {
        if let Some(volume) = volumes.get_mut(place.volume) {
            let session = place.session.map(|session| session.signature);
            systems.push(describe(volume, &place.folder, session));
        }
    }
    systems
}

/// The Windows systems on these volumes.
pub(crate) fn find(volumes: &mut [MountedVolume]) -> Vec<System> {
    let places = locate(volumes);
    describe_all(volumes, &places)
}

/// The folders of this volume that hold a Windows. `named` are those that a boot.ini on any volume speaks of.
fn folders(volume: &mut MountedVolume, named: &[String]) -> Vec<String> {
    let mut candidates = vec!["Windows".to_owned(), "WINNT".to_owned()];
    candidates.extend(volume.fs.list("/").unwrap_or_default());
    candidates.extend(named.iter().cloned());
    let mut found: Vec<String> = Vec::new();
    for folder in candidates {
        let seen = found.iter().any(|other| other.eq_ignore_ascii_case(&folder));
        if !seen && volume.fs.exists(&config(&folder, "SYSTEM")) {
            found.push(folder);
        }
    }
    found
}

/// The path of a hive.
pub(crate) fn config(folder: &str, hive: &str) -> String {
    format!("{folder}/System32/config/{hive}")
}

fn describe(volume: &mut MountedVolume, folder: &str, session: Option<Signature>) -> System {
    let mut notes = Vec::new();
    let software = open_hive(volume, folder, "SOFTWARE", &mut notes);
    let system = open_hive(volume, folder, "SYSTEM", &mut notes);
    let settings = read_or_note("SYSTEM", system.as_ref().map(SystemHive::read), &mut notes).unwrap_or_default();
    let product = read_or_note("SOFTWARE", software.as_ref().map(Product::read), &mut notes).unwrap_or_default();
    notes.extend(session.map(|session| hibernation::note(session, settings.fast_startup)));
    let edition = product.edition.clone().or_else(|| settings.edition(&product));
    let architecture = settings.architecture.or_else(|| {
        let kernel = format!("{folder}/System32/ntoskrnl.exe");
        executable::architecture(&mut *volume.fs, &[&kernel]).map(str::to_owned)
    });
    System {
        family: Family::Windows,
        name: product.full_name(edition.as_deref()),
        version: product.version(),
        edition,
        architecture,
        hostname: settings.computer_name,
        rtc_utc: settings.rtc_utc,
        partition: volume.partition,
        volume: volume.name.clone(),
        notes,
    }
}

/// Reads a hive; what is wrong with it becomes a note.
fn open_hive(volume: &mut MountedVolume, folder: &str, name: &str, notes: &mut Vec<String>) -> Option<Hive> {
    let hive = match volume.fs.read(&config(folder, name), HIVE_LIMIT) {
        Ok(bytes) => Hive::parse(bytes).map_err(|error| error.to_string()),
        Err(GuestFsError::NotFound(_)) => Err("it is missing".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let hive = hive
        .map_err(|error| notes.push(format!("the {name} registry hive cannot be read: {error}")))
        .ok()?;
    if hive.is_truncated() {
        notes.push(format!("the {name} registry hive is cut off: some of it is missing"));
    }
    if hive.base_block().is_dirty() {
        notes.push(format!(
            "the {name} registry hive was not completely written; its last changes are in its log files, which \
             Windows applies when it starts"
        ));
    }
    Some(hive)
}

/// What was read from a hive, if it could be; else a note.
fn read_or_note<T>(
    name: &str,
    result: Option<Result<T, crate::registry::HiveError>>,
    notes: &mut Vec<String>,
) -> Option<T> {
    result?
        .map_err(|error| notes.push(format!("the {name} registry hive cannot be read: {error}")))
        .ok()
}
