//! Windows 2000 to 11: the SYSTEM hive is changed in every control set, since any of them may be the one that starts.
//!
//! [`preconditions`] → [`hive`] with its logs applied → the tables of the generation ([`nt5`], [`nt6`], [`nt62`]),
//! [`filters`] and [`common`] → the hive's file, in place where that is possible ([`replace`]). Drivers that are missing
//! come from the system's own store ([`recover`]), those for virtio devices from a disc ([`virtio`]).

pub(super) mod boot_ini;
mod common;
mod filters;
mod hive;
mod nt5;
mod nt6;
mod nt62;
mod preconditions;
mod recover;
mod registry;
mod replace;
mod system;
mod virtio;

use super::Options;
use super::edited::Edited;
use super::finding::{Effect, Finding, Kind};
use super::plan::Edit;
use super::sentence;
use crate::System;
use crate::registry::log::LogError;
use crate::volumes::MountedVolume;
use crate::windows::Place;
use hive::{HiveFile, HiveFileError};
use registry::{Registry, RegistryError};
use system::Windows;
pub(super) use virtio::{VirtioSource, without_virtio};

/// Windows by what they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    /// 2000, XP, 2003.
    Nt5,
    /// Vista, 7.
    Nt6,
    /// 8 and later.
    Nt62,
    /// NT 4 and before.
    Older,
}

/// The session that a Windows has saved: what stands in the way, or its end if a person wants that.
pub(super) fn session(volumes: &mut [MountedVolume], place: &Place, system: &System, options: Options<'_>) -> Edited {
    let Some(session) = place.session else {
        return Edited::default();
    };
    let generation = generation_of_version(system.version.as_deref());
    let modern = generation.is_none_or(|generation| generation == Generation::Nt62);
    preconditions::session(volumes, session, system, modern, options)
}

/// What one Windows needs. `virtio` is the source of drivers for virtio devices, if it shall get them.
pub(super) fn plan(
    volumes: &mut [MountedVolume],
    place: &Place,
    system: &System,
    virtio: Option<&mut VirtioSource>,
) -> Edited {
    let Some(volume) = volumes.get_mut(place.volume) else {
        return Edited::default();
    };
    let state = preconditions::volume_state(volume, system);
    let by_version = generation_of_version(system.version.as_deref());
    let mut edited = match edit(volume, place, system, by_version, virtio) {
        Ok(edited) => edited,
        Err(error) => Edited {
            findings: vec![skip(volume, system, &error)],
            ..Edited::default()
        },
    };
    edited.findings.extend(state);
    edited
}

/// A hive's file and its changed contents.
type Hive = (HiveFile, Registry);

#[derive(Debug, thiserror::Error)]
enum AdaptError {
    #[error(transparent)]
    File(#[from] HiveFileError),
    #[error("the SYSTEM registry hive cannot be changed: {0}")]
    Registry(#[from] RegistryError),
    #[error("its drivers cannot be listed: {0}")]
    Drivers(#[from] disk::guestfs::GuestFsError),
    #[error("the SYSTEM registry hive has no control set")]
    NoControlSet,
}

fn edit(
    volume: &mut MountedVolume,
    place: &Place,
    system: &System,
    by_version: Option<Generation>,
    virtio: Option<&mut VirtioSource>,
) -> Result<Edited, AdaptError> {
    let (file, editor) = HiveFile::open(volume, &place.folder, "SYSTEM")?;
    let registry = Registry::new("SYSTEM", editor);
    let sets = registry.control_sets()?;
    let current = current_set(&registry, &sets)?.ok_or(AdaptError::NoControlSet)?;
    let generation = match by_version {
        Some(generation) => generation,
        None => generation_of_hive(&registry, &current)?,
    };
    let mut windows = Windows::new(system, &place.folder, volume, place.volume, registry)?;
    if generation == Generation::Older {
        let default = "Nothing is changed in it.";
        windows.find(
            Kind::NotAdapted,
            Effect::Note,
            "Windows NT 4 and before are not adapted by this version",
            default,
        );
        let findings = windows.findings;
        return Ok(Edited {
            findings,
            ..Edited::default()
        });
    }
    filters::check(&mut windows, &current)?;
    recover::drivers(&mut windows, generation, &sets)?;
    match generation {
        Generation::Nt62 => nt62::check(&mut windows, &current)?,
        Generation::Nt6 => nt6::check(&mut windows, &current)?,
        _ => nt5::check(&mut windows, &current)?,
    }
    for set in &sets {
        match generation {
            Generation::Nt62 => nt62::control_set(&mut windows, set)?,
            Generation::Nt6 => nt6::control_set(&mut windows, set)?,
            _ => nt5::control_set(&mut windows, set)?,
        }
        filters::control_set(&mut windows, set)?;
        common::control_set(&mut windows, set)?;
    }
    let software = match virtio {
        Some(source) => virtio::install(&mut windows, source, generation, &current, &sets),
        None => None,
    };
    finish(windows, file, software)
}

/// Turns the changed hives and the files to write into edits.
fn finish(windows: Windows<'_>, system: HiveFile, software: Option<Hive>) -> Result<Edited, AdaptError> {
    let Windows {
        registry,
        findings,
        volume,
        number,
        files,
        edits,
        ..
    } = windows;
    let mut edited = Edited {
        findings,
        edits,
        files,
        ..Edited::default()
    };
    let name = &windows.system.name;
    for (file, registry) in software.into_iter().chain([(system, registry)]) {
        put_hive(volume, number, name, file, registry, &mut edited)?;
    }
    Ok(edited)
}

/// Adds what puts a changed hive back.
fn put_hive(
    volume: &mut MountedVolume,
    number: usize,
    system: &str,
    file: HiveFile,
    registry: Registry,
    edited: &mut Edited,
) -> Result<(), AdaptError> {
    let (bytes, changes) = registry.finish();
    // A hive that waits for its log alone is left to Windows.
    if changes.is_empty() {
        return Ok(());
    }
    let (path, partition) = (file.path().to_owned(), volume.partition);
    let mut note = |place: String, before, after, why: &str| {
        edited.edits.push(Edit {
            system: system.to_owned(),
            partition,
            file: path.clone(),
            place,
            before,
            after,
            why: why.to_owned(),
        });
    };
    if file.log_entries > 0 {
        note(
            "the whole hive".to_owned(),
            Some("not completely written".to_owned()),
            Some(format!("complete: {} entries of its log applied", file.log_entries)),
            "Windows itself would do this at its next start; a change before it would be lost",
        );
    }
    let put = file.put(volume, number, bytes)?;
    if let Some((before, after)) = put.sizes {
        let (after, why) = match after.saturating_sub(before) {
            0 => (
                format!("{after} bytes, written anew"),
                "its bytes do not lie in clusters of their own, where they could be changed",
            ),
            more => (
                format!("{after} bytes, {more} more"),
                "what is added does not fit into the file that there is",
            ),
        };
        note(
            "the whole file".to_owned(),
            Some(format!("{before} bytes")),
            Some(after),
            why,
        );
    }
    for change in changes {
        note(change.place, change.before, change.after, change.why);
    }
    edited.writes.extend(put.writes);
    edited.files.extend(put.files);
    Ok(())
}

/// The control set that Windows starts with: `Select` says which.
fn current_set(registry: &Registry, sets: &[String]) -> Result<Option<String>, RegistryError> {
    for name in ["Current", "Default", "LastKnownGood"] {
        let Some(number) = registry.number("Select", name)? else {
            continue;
        };
        let wanted = format!("ControlSet{number:03}");
        if let Some(set) = sets.iter().find(|set| set.eq_ignore_ascii_case(&wanted)) {
            return Ok(Some(set.clone()));
        }
    }
    Ok(sets.first().cloned())
}

/// The generation by a version such as `6.1.7601`.
fn generation_of_version(version: Option<&str>) -> Option<Generation> {
    let mut numbers = version?.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    Some(match (major, minor) {
        (..=4, _) => Generation::Older,
        (5, _) => Generation::Nt5,
        (6, ..=1) => Generation::Nt6,
        _ => Generation::Nt62,
    })
}

/// The generation by the SYSTEM hive alone, where the SOFTWARE hive does not say it.
fn generation_of_hive(registry: &Registry, set: &str) -> Result<Generation, RegistryError> {
    if registry.has_key("DriverDatabase")? {
        return Ok(Generation::Nt62);
    }
    // The licensing data of Vista and later.
    let policy = registry.has_value(&format!(r"{set}\Control\ProductOptions"), "ProductPolicy")?;
    Ok(match policy {
        true => Generation::Nt6,
        false => Generation::Nt5,
    })
}

/// A system that cannot be changed safely is not changed at all.
fn skip(volume: &MountedVolume, system: &System, error: &AdaptError) -> Finding {
    let kind = match error {
        // No hive at all, or a damaged one.
        AdaptError::File(HiveFileError::Log(_, LogError::Hive(_))) => Kind::Registry,
        AdaptError::File(HiveFileError::Log(..)) => Kind::DirtyRegistry,
        _ => Kind::Registry,
    };
    let what = sentence(&error.to_string());
    let advice = match error {
        AdaptError::File(HiveFileError::Replace(error)) => error.advice(),
        _ => None,
    };
    let advice = advice.map(|advice| format!(" {advice}")).unwrap_or_default();
    Finding {
        system: Some(system.name.clone()),
        ..Finding::on_disk(
            kind,
            Effect::Skip,
            volume.partition,
            what,
            format!("This system is left as it is.{advice}"),
        )
    }
}
