//! What must be known of a Windows before it is changed: a saved session, a volume that was not closed.

use super::super::Options;
use super::super::edited::Edited;
use super::super::file::rewrite_start;
use super::super::finding::{Effect, Finding, Kind};
use super::super::plan::Edit;
use super::super::sentence;
use crate::System;
use crate::volumes::MountedVolume;
use crate::windows::{Session, hibernation};
use disk::usedmap::{NtfsState, VolumeKind, ntfs_state};

/// The first page of a hibernation file: without it there is no session.
const PAGE: u64 = 4096;
const HIBERNATION_FILE: &str = "hiberfil.sys";
const DISCARD: &str = "--discard-hibernation throws the saved session away: what was open in it and not saved is lost";

/// Decides on a saved session. With a refusal among the findings, nothing is changed.
pub(super) fn session(
    volumes: &mut [MountedVolume],
    session: Session,
    system: &System,
    modern: bool,
    options: Options<'_>,
) -> Edited {
    let mut edited = Edited::default();
    let Some(volume) = volumes.get_mut(session.volume) else {
        return edited;
    };
    let partition = volume.partition;
    let what = hibernation::note(session.signature, modern);
    let finding = |effect, default: &str| Finding {
        system: Some(system.name.clone()),
        option: Some(DISCARD),
        ..Finding::on_disk(Kind::Hibernated, effect, partition, sentence(&what), default)
    };
    if !options.discard_hibernation {
        edited.findings.push(finding(
            Effect::Refusal,
            "Nothing is changed: a session that goes on does not know of changes and would damage the volume.",
        ));
        return edited;
    }
    // Another Windows of the same volume may have been here before.
    if hibernation::signature(volume).is_none() {
        return edited;
    }
    let zeroed = volume.fs.read_start(HIBERNATION_FILE, PAGE).and_then(|before| {
        let after = vec![0; before.len()];
        rewrite_start(volume, HIBERNATION_FILE, &before, &after)
    });
    match zeroed {
        Ok(writes) => {
            edited.writes.extend(writes);
            edited.findings.push(finding(
                Effect::Warning,
                "As you asked, the session is thrown away: what was open in it and not saved is lost in the adapted \
                 machine. The capture keeps it.",
            ));
            edited.edits.push(Edit {
                system: system.name.clone(),
                partition: volume.partition,
                file: HIBERNATION_FILE.to_owned(),
                place: "first page".to_owned(),
                before: Some(format!("\"{}\"", session.signature.escape_ascii())),
                after: Some("zeros".to_owned()),
                why: "the saved session must not go on after a change".to_owned(),
            });
        }
        Err(error) => edited.findings.push(finding(
            Effect::Refusal,
            &format!("Nothing is changed: the session cannot be thrown away, since {error}."),
        )),
    }
    edited
}

/// Reports a volume that Windows did not close.
///
/// Data of files may be written in place all the same, whatever the generation (NTFS 1.2 to 3.1): the log speaks of
/// metadata alone (file records, indexes, bitmaps), so that no replay writes into a hive's clusters. One thing could come
/// between: a hive that was moved, whose record had not reached the disk. Then the replay would bring the edit to
/// nothing. But Windows holds its hives open and does not defragment them, they grow at their end, and a record is
/// written within seconds; and clusters that another file has got meanwhile would hold no sound hive, which is refused.
/// What needs other metadata (a new file, a larger one) is refused by `fs_edit`.
pub(super) fn volume_state(volume: &MountedVolume, system: &System) -> Option<Finding> {
    if volume.kind != VolumeKind::Ntfs {
        return None;
    }
    let (what, default) = match ntfs_state(&*volume.bytes).unwrap_or(NtfsState::Unknown) {
        NtfsState::Closed => return None,
        NtfsState::InUse => (
            "Windows did not close the volume: it crashed, was captured while it ran, hibernates, or was shut down \
             with Fast Startup. Its log holds changes of folders and file tables that Windows makes when it starts",
            "Only contents of files that are there are changed, nothing that the log speaks of; Windows then repairs \
             the volume as it would have done anyway. Safest is to start it once more on the old computer, shut it \
             down, and capture again.",
        ),
        NtfsState::Dirty => (
            "Windows marked the volume for a check (chkdsk)",
            "The mark is left; Windows checks the volume when it starts.",
        ),
        NtfsState::Unknown => (
            "The log of the volume cannot be read: it may be damaged",
            "Only contents of files that are there are changed; Windows may check the volume when it starts.",
        ),
    };
    Some(Finding {
        system: Some(system.name.clone()),
        ..Finding::on_disk(Kind::UncleanVolume, Effect::Warning, volume.partition, what, default)
    })
}
