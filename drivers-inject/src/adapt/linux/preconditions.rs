//! A Linux that was hibernated: its session lies in swap space, and does not know of changes.

use super::super::edited::Edited;
use super::super::file;
use super::super::finding::{Effect, Finding, Kind};
use super::super::plan::Edit;
use super::super::{Options, bench::Bench};
use crate::System;
use crate::volumes::{self, Place};
use disk::layout::DiskLayout;
use disk::usedmap::{SwapSession, swap_session};

const DISCARD: &str = "--discard-hibernation throws the saved session away: what was open in it and not saved is lost";

/// Decides on sessions in swap partitions. With a refusal among the findings, nothing is changed.
pub(in super::super) fn sessions(bench: &Bench, layout: &DiskLayout, system: &System, options: Options) -> Edited {
    let mut edited = Edited::default();
    for place in volumes::places(layout) {
        let swap = bench.volume(&place.mapping);
        if let Some(session) = swap.and_then(|swap| swap_session(&swap).ok()?) {
            decide(&place, &session, system, options, &mut edited);
        }
    }
    edited
}

fn decide(place: &Place<'_>, session: &SwapSession, system: &System, options: Options, edited: &mut Edited) {
    let partition = place.partition;
    let ended = session
        .original
        .filter(|_| place.read_only.is_none())
        .and_then(|original| {
            let length = u64::try_from(session.mark.len()).ok()?;
            let pieces = place.mapping.pieces(session.offset, length)?;
            Some((original, file::replace(&pieces, &session.mark, &original)?))
        });
    let finding = |effect, default: &str| Finding {
        system: Some(system.name.clone()),
        option: ended.is_some().then_some(DISCARD),
        ..Finding::on_disk(
            Kind::Hibernated,
            effect,
            partition,
            "A hibernated Linux is saved in this swap space; it would go on with the old computer's hardware. Better \
             start it once more on the old computer and shut it down",
            default,
        )
    };
    let Some((original, writes)) = ended.clone().filter(|_| options.discard_hibernation) else {
        edited.findings.push(finding(
            Effect::Refusal,
            match ended {
                Some(_) => {
                    "Nothing is changed: a session that goes on does not know of changes and would damage the volumes."
                }
                None => {
                    "Nothing is changed: how this session was saved is not understood, so that p2v cannot end it. \
                     Start it once more with the argument `noresume`, shut it down, and capture again."
                }
            },
        ));
        return;
    };
    edited.writes.extend(writes);
    edited.findings.push(finding(
        Effect::Warning,
        "As you asked, the session is thrown away: what was open in it and not saved is lost in the adapted machine. \
         The capture keeps it.",
    ));
    edited.edits.push(Edit {
        system: system.name.clone(),
        partition,
        file: match &place.name {
            Some(name) => format!("swap space {name}"),
            None => "swap space".to_owned(),
        },
        place: "signature".to_owned(),
        before: Some(session.mark.escape_ascii().to_string()),
        after: Some(original.escape_ascii().to_string()),
        why: "the saved session must not go on after a change".to_owned(),
    });
}
