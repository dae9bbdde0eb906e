//! The report at the end, in words.

use super::pages::{Base, Root, Summary};
use super::words;
use crate::capture::Outcome;
use crate::machine::library::shell_word;
use std::time::Duration;

/// What a finished copy came to, for the report.
#[derive(Clone, Debug, Default)]
pub(super) struct Finished {
    /// Size of the image in bytes.
    pub(super) image: u64,
    /// Bytes that were read.
    pub(super) read: u64,
    /// Bytes that the disk could not read.
    pub(super) lost: u64,
    /// Whose they were, line by line.
    pub(super) lost_lines: Vec<String>,
}

impl From<&Outcome> for Finished {
    fn from(outcome: &Outcome) -> Self {
        let text = if outcome.lost.is_empty() {
            String::new()
        } else {
            outcome.lost.text()
        };
        Finished {
            image: outcome.image_bytes,
            read: outcome.read_bytes,
            lost: outcome.lost.bytes(),
            // The first line says again how much it is.
            lost_lines: text.lines().skip(1).map(str::to_owned).collect(),
        }
    }
}

/// The report, a line an element; empty ones between paragraphs.
pub(super) fn lines(finished: &Finished, base: &Base, summary: &Summary, name: &str, time: Duration) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(line);
    if finished.lost == 0 {
        say("The old PC is copied, all of it.".to_owned());
    } else {
        say(format!(
            "The old PC is copied, but {} of it could not be read: the disk is damaged there. Everything else is in the copy.",
            words::size(finished.lost)
        ));
    }
    say(String::new());
    say(format!("Where:  the folder {name} {}", base.at));
    say(format!(
        "Size:   {}, made of {} in {}",
        words::size(finished.image),
        words::size(finished.read),
        words::time(time)
    ));
    if finished.lost > 0 {
        say(String::new());
        say("What could not be read:".to_owned());
        finished.lost_lines.iter().cloned().for_each(&mut say);
        say(
            "This list is in the folder, too (disk0.lost.txt). Keep the old disk: another try may read more of it."
                .to_owned(),
        );
    }
    let word = shell_word(name);
    say(String::new());
    say("What to do next:".to_owned());
    match &base.root {
        Root::Far(place) => {
            say("1. Press Q. This PC is not needed for the copy any more.".to_owned());
            let above = summary.folder.parent().filter(|_| !place.is_library());
            let go = above.map_or(String::new(), |folder| {
                format!(" go to the folder {},", folder.display())
            });
            say(format!("2. On {}, open a terminal,{go} and type:", place.host));
        }
        Root::Folder { device: Some(_), .. } => {
            say("1. Press Q, switch this PC off, and connect the drive with the copy to the new PC.".to_owned());
            say("2. On the new PC, install p2v, open a terminal in the drive's folder, and type:".to_owned());
        }
        Root::Folder { folder, .. } => {
            say("1. Press Q.".to_owned());
            say(format!(
                "2. In a terminal, go to the folder {}, and type:",
                folder.display()
            ));
        }
    }
    say(format!("     p2v verify {word}    checks the copy"));
    say(format!("     p2v adapt {word}     lets the old system start there"));
    say(format!("     p2v launch {word}    runs it in a window"));
    say("3. Keep the old disk until you have seen it run. Nothing on it was changed.".to_owned());
    say(String::new());
    say("All of this as one command line:".to_owned());
    say(format!("  {}", summary.command));
    lines
}
