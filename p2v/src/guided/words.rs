//! Numbers and sentences for somebody who owns a PC and does not administer it.

use crate::error::Failure;
use std::time::Duration;

/// Bytes as it is printed on disks and sticks, in powers of ten: `80 GB`, `3.4 GB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    let Some((name, unit)) = UNITS.into_iter().find(|(_, unit)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let value = bytes as f64 / unit as f64;
    if value < 9.95 {
        format!("{value:.1} {name}")
    } else {
        format!("{value:.0} {name}")
    }
}

/// A time as a person says it: `about 5 minutes`.
pub(super) fn time(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match (time.as_secs(), minutes) {
        (0..50, _) => "less than a minute".to_owned(),
        (_, 1) => "about a minute".to_owned(),
        (_, 2..90) => format!("about {minutes} minutes"),
        (_, 90..2880) => format!("about {} hours", (minutes + 30) / 60),
        _ => format!("about {} days", (minutes + 720) / 1440),
    }
}

/// Without what would move the cursor: names on disks are strangers' text.
pub(super) fn clean(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// With a capital letter first.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// As a sentence: a capital letter first, a full stop last.
pub(super) fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    capital(text) + end
}

/// What to do now, without options of a command line that this person does not type.
pub(super) fn advice(failure: &Failure) -> Option<String> {
    let text = failure.what_now()?.replace(", with `-o`", "").replace(" with `-o`", "");
    let text = text.replace(", or say where it is with `--remote-p2v`", "");
    let text = text.replace(
        "the same command goes on from there",
        "the same choices go on from there",
    );
    let sentences = text.split_inclusive('\n').flat_map(|line| line.split_inclusive(". "));
    let kept: String = sentences
        .filter(|sentence| !sentence.contains("`-") && !sentence.contains("`p2v"))
        .collect();
    let kept = kept.trim().to_owned();
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn sizes_are_those_on_the_label() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (80_026_361_856, "80 GB"),
            (3_440_000_000, "3.4 GB"),
            (9_970_000, "10 MB"),
            (16_000_900_661_248, "16 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn times_are_rounded_as_people_do() {
        let of = |seconds| time(Duration::from_secs(seconds));
        assert_eq!(of(3), "less than a minute");
        assert_eq!(of(55), "about a minute");
        assert_eq!(of(290), "about 5 minutes");
        assert_eq!(of(7300), "about 2 hours");
        assert_eq!(of(400_000), "about 5 days");
    }

    #[test]
    fn advice_says_nothing_of_options() {
        let full = Failure::failed("x")
            .advice("The target is full. Make room or choose another target with `-o`, then start again.");
        assert_eq!(
            advice(&full).as_deref(),
            Some("The target is full. Make room or choose another target, then start again.")
        );
        let room =
            Failure::failed("x").advice("Choose another target with `-o`. `--ignore-free-space` tries all the same.");
        assert_eq!(advice(&room).as_deref(), Some("Choose another target."));
        assert_eq!(advice(&Failure::failed("x").advice("Run `p2v disks`.")), None);
        let stays = Failure::failed("x")
            .advice("Start again.")
            .of_capture(Path::new("/x/oldpc"), None, true);
        assert_eq!(
            advice(&stays).as_deref(),
            Some("Start again.\nWhat was copied so far stays: the same choices go on from there.")
        );
        assert_eq!(sentence("the disk is gone"), "The disk is gone.");
    }
}
