//! boot.ini of Windows NT to 2003: `rdisk(N)` counts the disks of the BIOS, and this one is the first now.

use super::super::edited::Edited;
use super::super::finding::{Effect, Finding, Kind};
use super::super::plan::Edit;
use super::replace::{Replacement, replace};
use crate::System;
use crate::volumes::MountedVolume;

const FILE: &str = "boot.ini";
/// A boot.ini of more than this many bytes is none.
const LIMIT: u64 = 64 << 10;
const WHY: &str = "the disk is the only one, so that the BIOS counts it as the first";

/// Makes the boot.ini on each volume name the first disk, if it names another one throughout.
pub(in super::super) fn plan(volumes: &mut [MountedVolume], systems: &[System]) -> Edited {
    let mut edited = Edited::default();
    // From Vista on nobody reads a boot.ini that is left over.
    let Some(system) = systems.iter().find(|system| may_use_it(system)) else {
        return edited;
    };
    for (index, volume) in volumes.iter_mut().enumerate() {
        let Ok(before) = volume.fs.read(FILE, LIMIT) else {
            continue;
        };
        let partition = volume.partition;
        let finding = |effect, what: String, default: &str| Finding {
            system: Some(system.name.clone()),
            ..Finding::on_disk(Kind::BootIni, effect, partition, what, default)
        };
        let (after, numbers) = renumber(&before);
        match numbers.as_slice() {
            [] | [b'0'] => {}
            [number] => {
                let number = char::from(*number);
                match replace(volume, index, FILE, &before, after) {
                    Ok(replacement) => {
                        match replacement {
                            Replacement::InPlace(writes) => edited.writes.extend(writes),
                            Replacement::Whole(change) => edited.files.push(change),
                        }
                        edited.edits.push(Edit {
                            system: system.name.clone(),
                            partition: volume.partition,
                            file: FILE.to_owned(),
                            place: "the disk's number in all entries".to_owned(),
                            before: Some(format!("rdisk({number})")),
                            after: Some("rdisk(0)".to_owned()),
                            why: WHY.to_owned(),
                        });
                    }
                    Err(error) => {
                        let advice = error
                            .advice()
                            .unwrap_or("Change it on the old computer, then capture again.");
                        edited.findings.push(finding(
                            Effect::Warning,
                            format!(
                                "boot.ini names disk {number}, but this disk is the first one in the machine, and the \
                                 file cannot be changed: {error}"
                            ),
                            &format!("It is left as it is, and Windows will not start. {advice}"),
                        ));
                    }
                }
            }
            _ => edited.findings.push(finding(
                Effect::Warning,
                "boot.ini names several disks, of which this is one".to_owned(),
                "It is left as it is; entries of rdisk(0) lead to this disk.",
            )),
        }
    }
    edited
}

fn may_use_it(system: &System) -> bool {
    let version = system.version.as_deref();
    version.is_none_or(|version| version.starts_with("5."))
}

/// The text with the number of every `rdisk(N)` made 0, and the numbers that were there, each once. Numbers of more
/// than one digit do not occur: the BIOS counts to 7.
fn renumber(text: &[u8]) -> (Vec<u8>, Vec<u8>) {
    const WORD: &[u8] = b"rdisk(";
    let mut after = text.to_vec();
    let mut numbers = Vec::new();
    for start in 0..text.len() {
        let rest = text.get(start..).unwrap_or_default();
        let starts = rest
            .get(..WORD.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(WORD));
        let (Some(digit), Some(b')')) = (rest.get(WORD.len()), rest.get(WORD.len().saturating_add(1))) else {
            continue;
        };
        if !starts || !digit.is_ascii_digit() {
            continue;
        }
        if !numbers.contains(digit) {
            numbers.push(*digit);
        }
        if let Some(byte) = after.get_mut(start.saturating_add(WORD.len())) {
            *byte = b'0';
        }
    }
    (after, numbers)
}

#[cfg(test)]
mod tests {
    use super::renumber;

    #[test]
    fn every_entry_is_renumbered() {
        let text = b"default=multi(0)disk(0)rdisk(1)partition(2)\\W\r\nmulti(0)disk(0)RDISK(1)partition(2)\\W=\"XP\"";
        let (after, numbers) = renumber(text);
        assert_eq!(numbers, [b'1']);
        let expected = text.map(|byte| byte);
        assert_eq!(after.len(), expected.len());
        let after = String::from_utf8(after).unwrap();
        assert_eq!(after.matches("rdisk(0)").count() + after.matches("RDISK(0)").count(), 2);
        assert!(after.contains("partition(2)"));
        assert_eq!(renumber(b"rdisk(0) rdisk(3)").1, [b'0', b'3']);
        assert_eq!(renumber(b"rdisk( rdisk(1 rdisk(12)").1, [0u8; 0]);
    }
}
