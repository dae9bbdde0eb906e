//! Configuration files as lines: what is not meant to change keeps every byte.

use super::super::edited::{Action, Edited, FileChange};
use super::super::plan::Edit;
use super::tree::Tree;
use crate::System;
use crate::volumes::MountedVolume;

/// A configuration file of more than this many bytes is none.
const LIMIT: u64 = 4 << 20;

/// A file that was read as lines.
pub(super) struct TextFile {
    volume: usize,
    /// Path inside the volume.
    path: String,
    /// Path in the system's own tree, for people.
    name: String,
    /// With their line ends.
    lines: Vec<String>,
    /// The bytes are no UTF-8: each was taken for a character of its own, and goes back as that byte.
    bytewise: bool,
    changes: Vec<Change>,
}

/// One changed line.
struct Change {
    line: usize,
    before: String,
    after: String,
    why: &'static str,
}

impl TextFile {
    /// The file at `name` in the system's tree; `None` if there is none that can be read.
    pub(super) fn open(volumes: &mut [MountedVolume], tree: &Tree, name: &str) -> Option<Self> {
        let (volume, path) = tree.find(volumes, name)?;
        let bytes = volumes.get_mut(volume)?.fs.read(&path, LIMIT).ok()?;
        let (text, bytewise) = match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (error.as_bytes().iter().map(|byte| char::from(*byte)).collect(), true),
        };
        Some(TextFile {
            volume,
            path,
            name: name.to_owned(),
            lines: text.split_inclusive('\n').map(str::to_owned).collect(),
            bytewise,
            changes: Vec::new(),
        })
    }

    /// Its path in the system's tree.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The lines as they are now, without their ends.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let plain = |line: &'_ str| -> usize { line.trim_end_matches(['\n', '\r']).len() };
        (self.lines.iter().enumerate()).map(move |(number, line)| (number, line.get(..plain(line)).unwrap_or_default()))
    }

    /// Gives a line another text; its end stays.
    pub(super) fn replace(&mut self, number: usize, text: &str, why: &'static str) {
        let Some(line) = self.lines.get_mut(number) else {
            return;
        };
        let plain = line.trim_end_matches(['\n', '\r']).to_owned();
        if plain == text {
            return;
        }
        let end = line.get(plain.len()..).unwrap_or_default().to_owned();
        *line = format!("{text}{end}");
        match self.changes.iter_mut().find(|change| change.line == number) {
            Some(change) => text.clone_into(&mut change.after),
            None => self.changes.push(Change {
                line: number,
                before: plain,
                after: text.to_owned(),
                why,
            }),
        }
    }

    /// Replaces the first occurrence of a word in a line.
    pub(super) fn replace_in_line(&mut self, number: usize, from: &str, to: &str, why: &'static str) {
        let line = self.lines().nth(number).map(|(_, line)| line.replacen(from, to, 1));
        if let Some(line) = line {
            self.replace(number, &line, why);
        }
    }

    /// Replaces each line by what `edit` makes of it.
    pub(super) fn edit(&mut self, why: &'static str, mut edit: impl FnMut(&str) -> Option<String>) {
        let changed: Vec<(usize, String)> = self
            .lines()
            .filter_map(|(number, line)| Some((number, edit(line)?)))
            .collect();
        for (number, text) in changed {
            self.replace(number, &text, why);
        }
    }

    /// Puts what was changed into `edited`.
    pub(super) fn finish(self, system: &System, partition: u32, edited: &mut Edited) {
        self.finish_with(system, partition, edited, |bytes| bytes);
    }

    /// The same, with a last word on the bytes.
    pub(super) fn finish_with(
        self,
        system: &System,
        partition: u32,
        edited: &mut Edited,
        last: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) {
        if self.changes.is_empty() {
            return;
        }
        let text: String = self.lines.concat();
        let bytes = match self.bytewise {
            // Only characters that came from bytes, and the ASCII that was put in.
            true => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                .collect(),
            false => text.into_bytes(),
        };
        edited.files.push(FileChange {
            volume: self.volume,
            path: self.path,
            action: Action::Write(last(bytes)),
        });
        for change in self.changes {
            edited.edits.push(Edit {
                system: system.name.clone(),
                partition,
                file: self.name.clone(),
                place: format!("line {}", change.line.saturating_add(1)),
                before: Some(change.before.trim().to_owned()),
                after: Some(change.after.trim().to_owned()),
                why: change.why.to_owned(),
            });
        }
    }
}

/// The words of a line and where each begins and ends, in bytes.
pub(super) fn words(line: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, character) in line.char_indices().chain([(line.len(), ' ')]) {
        match (start, character.is_ascii_whitespace()) {
            (None, false) => start = Some(at),
            (Some(from), true) => {
                words.push((from..at, line.get(from..at).unwrap_or_default()));
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// The line with the word at `range` replaced.
pub(super) fn with_word(line: &str, range: &std::ops::Range<usize>, word: &str) -> String {
    let before = line.get(..range.start).unwrap_or_default();
    let after = line.get(range.end..).unwrap_or_default();
    format!("{before}{word}{after}")
}
