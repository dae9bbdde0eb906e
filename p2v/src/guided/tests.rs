//! Journeys through the pages without a terminal, on a computer that is made up; and how the pages look.

mod far;
mod journey;

use super::computer::{Answer, Computer};
use super::disks::{Disk, Looked};
use super::draw::draw;
use super::health::Health;
use super::pages::{Event, Guide, Key, NotPlanned, Page, Summary, Target, Task};
use super::places::{Place, Volume};
use super::report::Finished;
use crate::capture::live::Snapshot;
use crate::error::{Exit, Failure};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::path::{Path, PathBuf};
use std::time::Instant;

use journey::{GB, Journey, MadeUp, summary};

use Key::{BackTab, Backspace, Char, Down, Enter, Esc, Interrupt, PageDown, PageUp, Tab, Up};

#[test]
fn from_the_disk_to_the_report() {
    let mut journey = Journey::begin(3);
    // The disk that the system runs from is shown and passed over.
    journey.shows(&[
        "Not now: The system that runs now",
        "Health: FAILING: the disk says so itself.",
    ]);
    assert_eq!(journey.guide.disk, 1);
    journey.press(&[Up, Enter]);
    assert_eq!(journey.guide.page, Page::Disks);
    journey.shows(&["it cannot be copied. Up/Down: choose"]);
    journey.press(&[Down, Down, Enter]);
    journey.shows(&["It cannot be read: Input/output error. Up/Down: choose"]);
    journey.press(&[Up, Enter]);
    journey.shows(&[
        "Where shall the copy go? 12 GB",
        "100 GB free of 500 GB, NTFS",
        "not now: There is no room.",
    ]);
    // A drive is mounted after a yes, and the command line will say so.
    journey.press(&[Enter]);
    journey.shows(&["Use this drive?", "Enter: yes, use it"]);
    assert!(!journey.asked.iter().any(|task| matches!(task, Task::Mount { .. })));
    journey.press(&[Enter]);
    assert!(matches!(journey.asked.last(), Some(Task::Mount { .. })));
    journey.shows(&["> FAMILY"]);
    journey.press(&[Backspace; 6]);
    journey.press(&[Enter]);
    journey.shows(&["This cannot be a name: it is empty"]);
    journey.press(&"taken".chars().map(Char).collect::<Vec<_>>());
    journey.press(&[Enter]);
    journey.shows(&["> taken", "It is taken."]);
    journey.press(&[Char('2'), Enter]);
    let folder = PathBuf::from("/run/p2v/sdx1/taken2");
    let target = Target::Folder {
        folder,
        mount: Some("/dev/sdx1".into()),
    };
    assert!(matches!(journey.asked.last(), Some(Task::Plan { target: t, .. }) if *t == target));
    journey.shows(&[
        "Mind: Partition table: it is odd.",
        "p2v capture /dev/sd1 -o /run/p2v/sdx1/taken2",
    ]);
    journey.press(&[Enter]);
    assert_eq!(journey.asked.last(), Some(&Task::Start));
    let snapshot = Snapshot {
        total: 12 * GB,
        done: 3 * GB,
        failed_reads: 3,
        ..Snapshot::default()
    };
    journey.event(Event::Progress(snapshot, Instant::now()));
    journey.shows(&[
        "25 %",
        "3.0 GB of 12 GB",
        "could not read what it was asked for (3 times so far",
        "P: pause",
    ]);
    journey.press(&[Char('p')]);
    assert_eq!(journey.asked.last(), Some(&Task::Pause(true)));
    journey.shows(&["Paused: the old disk is left alone"]);
    journey.press(&[Char('p'), Interrupt]);
    journey.shows(&["Stop copying?", "Y: stop"]);
    journey.press(&[Enter]);
    assert_eq!(journey.asked.last(), Some(&Task::Pause(false)));
    let finished = Finished {
        image: 6 * GB,
        read: 12 * GB,
        lost: 4096,
        lost_lines: (0..40)
            .map(|number| format!("    512 bytes of /photos/{number}.jpg"))
            .collect(),
    };
    journey.event(Event::Finished(Ok(finished)));
    journey.shows(&["but 4.1 kB of it could not be read", "(more below: press Down)"]);
    journey.press(&[PageDown; 20]);
    journey.shows(&["p2v launch taken2 runs it in a window", "p2v capture /dev/sd1"]);
    journey.press(&[PageUp; 20]);
    journey.shows(&["The old PC is copied"]);
    journey.press(&[Char('q')]);
    assert_eq!(journey.asked.last(), Some(&Task::Leave));
}

#[test]
fn a_failure_leads_to_another_place() {
    let mut journey = Journey::begin(2);
    journey.press(&[Enter, Down, Enter, Enter, Enter]);
    // It was mounted already: not by p2v.
    assert!(journey.asked.iter().any(|task| matches!(
        task,
        Task::Plan {
            target: Target::Folder { mount: None, .. },
            ..
        }
    )));
    let failure = Failure::new(Exit::TargetUnwritable, "cannot write x: No space left on device")
        .advice("The target is full. Make room or choose another target with `-o`, then start again.");
    journey.event(Event::Finished(Err(failure)));
    journey.shows(&[
        "Cannot write x",
        "Make room or choose another target, then start again.",
    ]);
    journey.press(&[Enter]);
    assert_eq!(journey.guide.page, Page::Places);
}

#[test]
fn answers_that_come_too_late_are_dropped() {
    let mut journey = Journey::begin(2);
    journey.press(&[Enter]);
    let ticket = journey.asked.iter().find_map(|task| match task {
        Task::ListPlaces { ticket, .. } => Some(*ticket),
        _ => None,
    });
    journey.press(&[Esc]);
    journey.event(Event::Places(ticket.unwrap(), Vec::new()));
    journey.event(Event::Mounted(ticket.unwrap() + 1, Ok("/x".into())));
    assert_eq!(journey.guide.page, Page::Disks);
}

#[test]
fn a_disk_is_chosen_only_when_it_was_looked_at() {
    let (mut guide, _) = Guide::new();
    guide.handle(Event::Disks(MadeUp { disks: 2 }.disks()));
    assert_eq!(guide.handle(Event::Key(Enter)), []);
    assert_eq!(
        guide.message.as_deref(),
        Some("p2v still looks at this disk. Wait a moment.")
    );
}

#[test]
fn the_chosen_one_of_many_disks_is_on_the_screen() {
    let mut journey = Journey::begin(12);
    journey.press(&[Down; 20]);
    journey.shows(&["> Disk number 11"]);
}

proptest! {
    #[test]
    fn no_keys_and_no_size_lead_astray(
        keys in prop::collection::vec(
            prop::sample::select(vec![Up, Down, Down, PageUp, PageDown, Tab, BackTab, Enter, Enter, Enter, Esc, Backspace, Char('p'), Char('n'), Char('y'), Char('r'), Char('/'), Char('ä'), Interrupt]),
            0..60,
        ),
        finish in any::<bool>(),
        question in far::questions(),
        width in 1u16..100,
        height in 1u16..40,
    ) {
        let mut journey = Journey::begin(4);
        for key in keys {
            journey.press(&[key]);
            if let Some(ticket) = journey.far_plan() {
                journey.event(Event::Asked(ticket, question.clone()));
            }
            journey.screen(width, height);
            prop_assert!(!journey.screen(80, 25).last().unwrap().trim().is_empty());
        }
        if finish && journey.guide.page == Page::Working {
            journey.event(Event::Finished(Ok(Finished::default())));
            journey.screen(width, height);
            prop_assert_eq!(journey.guide.page, Page::Report);
        }
    }
}
