//! The pages and what leads from one to the next. No terminal, no system: events in, tasks out.

mod choices;
mod far;

use super::computer::Answer;
use super::disks::Disk;
pub(super) use super::events::{Base, Event, Key, NotPlanned, Page, Root, Summary, Target, Task};
use super::far::Form;
use super::input::Line;
use super::places::{Place, Volume};
use super::report::{self, Finished};
use super::working::Working;
use super::{mounts, words};
use crate::error::{Exit, Failure};
use crate::machine::names;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) use far::Asked;

/// What is said while a plan for another PC is made.
const CONNECTING: &str = "Connecting to the other PC, and looking at the disk once more ...";

/// Where the person is and what was chosen so far.
#[derive(Debug)]
pub(super) struct Guide {
    pub(super) page: Page,
    /// `None` while they are looked for.
    pub(super) disks: Option<Answer<Vec<Disk>>>,
    /// The number of the chosen disk in the list.
    pub(super) disk: usize,
    pub(super) places: Vec<Place>,
    pub(super) place: usize,
    pub(super) folder: Line,
    pub(super) far: Form,
    /// What ssh asks.
    pub(super) asked: Option<Asked>,
    pub(super) name: Line,
    pub(super) base: Option<Base>,
    pub(super) summary: Summary,
    pub(super) working: Working,
    pub(super) report: Vec<String>,
    pub(super) lost: u64,
    pub(super) failure: Option<Failure>,
    /// Something about the last key, to be shown until the next one.
    pub(super) message: Option<String>,
    /// How far a long text is scrolled, in lines; kept in bounds by who draws it.
    pub(super) scroll: usize,
    ticket: u64,
}

impl Guide {
    /// The beginning, and what is to be done first.
    pub(super) fn new() -> (Self, Vec<Task>) {
        let guide = Guide {
            page: Page::Disks,
            disks: None,
            disk: 0,
            places: Vec::new(),
            place: 0,
            folder: Line::new("/"),
            far: Form::default(),
            asked: None,
            name: Line::default(),
            base: None,
            summary: Summary::default(),
            working: Working::default(),
            report: Vec::new(),
            lost: 0,
            failure: None,
            message: None,
            scroll: 0,
            ticket: 0,
        };
        (guide, vec![Task::ListDisks])
    }

    /// The chosen disk.
    pub(super) fn chosen(&self) -> Option<&Disk> {
        self.disks.as_ref()?.as_ref().ok()?.get(self.disk)
    }

    /// The chosen place, if it is a file system.
    pub(super) fn volume(&self) -> Option<&Volume> {
        match self.places.get(self.place)? {
            Place::Volume(volume) => Some(volume),
            Place::Far | Place::Folder => None,
        }
    }

    /// Whether the last copy ended because somebody said so.
    pub(super) fn was_stopped(&self) -> bool {
        let exit = self.failure.as_ref().map(|failure| failure.exit);
        matches!(exit, Some(Exit::Interrupted | Exit::Terminated))
    }

    /// Takes an event; the answer is what is to be done.
    pub(super) fn handle(&mut self, event: Event) -> Vec<Task> {
        match event {
            Event::Key(key) => self.key(key),
            Event::Disks(disks) => self.take_disks(disks),
            Event::Looked(path, looked) => self.change_disk(&path, |disk| disk.looked = Some(looked)),
            Event::Health(path, health) => self.change_disk(&path, |disk| disk.health = Some(health)),
            Event::Places(ticket, places) if self.waits_for(ticket) => {
                self.places = places;
                self.place = self.place.min(self.places.len().saturating_sub(1));
                self.go(Page::Places)
            }
            Event::Mounted(ticket, answer) if self.waits_for(ticket) => self.take_mount(answer),
            Event::FolderChecked(ticket, answer) if self.waits_for(ticket) => match answer {
                Ok(()) => self.ask_name(Base {
                    root: Root::Folder {
                        folder: PathBuf::from(self.folder.text()),
                        device: None,
                    },
                    at: format!("in {}", self.folder.text()),
                }),
                Err(why) => self.go_saying(Page::Folder, why),
            },
            Event::Asked(ticket, question) if self.waits_for(ticket) => self.ask(question),
            Event::Planned(ticket, answer) if self.waits_for(ticket) => match answer {
                Ok(summary) => {
                    self.summary = summary;
                    self.go(Page::Ready)
                }
                Err(NotPlanned::Name(why)) => self.go_saying(Page::Name, why),
                Err(NotPlanned::Refused(failure)) => self.fail(failure),
            },
            Event::Progress(snapshot, now) => {
                self.working.look(snapshot, now);
                Vec::new()
            }
            Event::Finished(Ok(finished)) => self.finish(&finished),
            Event::Finished(Err(failure)) => self.fail(failure),
            // Too late, or nothing that a page could do anything about.
            Event::Gone
            | Event::Places(..)
            | Event::Mounted(..)
            | Event::FolderChecked(..)
            | Event::Asked(..)
            | Event::Planned(..) => Vec::new(),
        }
    }

    fn key(&mut self, key: Key) -> Vec<Task> {
        self.message = None;
        match (self.page, key) {
            (Page::Working, _) => self.key_at_work(key),
            (_, Key::Interrupt) => vec![Task::Leave],
            (Page::Disks, _) => self.key_at_disks(key),
            (Page::Places, _) => self.key_at_places(key),
            (Page::Mount, Key::Enter) => self.mount(),
            (Page::Mount, Key::Esc) => self.go(Page::Places),
            (Page::Folder, Key::Enter) => self.check_folder(),
            (Page::Folder, Key::Esc) => self.go(Page::Places),
            (Page::Folder, key) => typed(&mut self.folder, key),
            (Page::Far, _) => self.key_at_far(key),
            (Page::Question, _) => self.key_at_question(key),
            (Page::Name, Key::Enter) => self.plan(),
            (Page::Name, Key::Esc) => self.another_place(),
            (Page::Name, key) => typed(&mut self.name, key),
            (Page::Waiting(CONNECTING), Key::Esc) => self.leave_connection("Not connected."),
            (Page::Waiting(_), Key::Esc) => self.go(Page::Disks),
            (Page::Ready, Key::Enter) => self.start(),
            (Page::Ready, Key::Esc) => self.go(Page::Name),
            // What went wrong on the way to another PC may go right the next time.
            (Page::Failed, Key::Enter) if self.goes_far() => self.plan(),
            (Page::Failed, Key::Enter | Key::Esc) => self.another_place(),
            (Page::Ready | Page::Failed | Page::Report, Key::Char('q' | 'Q')) => vec![Task::Leave],
            (Page::Ready | Page::Failed | Page::Report, key) => {
                self.scroll = match key {
                    Key::Up => self.scroll.saturating_sub(1),
                    Key::Down => self.scroll.saturating_add(1),
                    Key::PageUp => self.scroll.saturating_sub(10),
                    Key::PageDown => self.scroll.saturating_add(10),
                    _ => self.scroll,
                };
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn key_at_work(&mut self, key: Key) -> Vec<Task> {
        let working = &mut self.working;
        if working.stopping {
            return Vec::new();
        }
        match key {
            Key::Char('y' | 'Y') if working.asking => {
                working.stopping = true;
                working.asking = false;
                return vec![Task::Cancel];
            }
            _ if working.asking => working.asking = false,
            Key::Esc | Key::Interrupt | Key::Char('q' | 'Q') => working.asking = true,
            Key::Char('p' | 'P' | ' ') => {
                working.paused = !working.paused;
                if working.paused {
                    working.pace.pause(Instant::now());
                }
                return vec![Task::Pause(working.paused)];
            }
            _ => {}
        }
        Vec::new()
    }

    fn ask_name(&mut self, base: Base) -> Vec<Task> {
        self.base = Some(base);
        if self.name.text().is_empty() {
            let name = self.chosen().and_then(|disk| disk.names().find_map(names::made_safe));
            self.name = Line::new(name.unwrap_or_else(|| "oldpc".to_owned()));
        }
        self.go(Page::Name)
    }

    fn plan(&mut self) -> Vec<Task> {
        let (Some((source, _)), Some(base)) = (self.source(), self.base.clone()) else {
            return self.go(Page::Disks);
        };
        let name = self.name.text().trim().to_owned();
        if let Err(why) = names::check(&name) {
            return self.go_saying(Page::Name, format!("This cannot be a name: {why}."));
        }
        let target = match &base.root {
            Root::Far(place) => place.target(&name),
            Root::Folder { folder, device } => Target::Folder {
                folder: folder.join(name),
                // Mounted by p2v: then the command line begins with that.
                mount: device.clone().filter(|device| mounts::command(device).1 == *folder),
            },
        };
        self.asked = None;
        self.summary = Summary::default();
        let ticket = self.wait(if self.goes_far() {
            CONNECTING
        } else {
            "Looking at the disk once more ..."
        });
        vec![Task::Plan { ticket, source, target }]
    }

    fn start(&mut self) -> Vec<Task> {
        self.working = Working::default();
        self.go(Page::Working);
        vec![Task::Start]
    }

    fn finish(&mut self, finished: &Finished) -> Vec<Task> {
        if let Some(base) = &self.base {
            let time = self.working.pace.spent(Instant::now());
            self.report = report::lines(finished, base, &self.summary, self.name.text().trim(), time);
        }
        self.lost = finished.lost;
        self.go(Page::Report)
    }

    fn fail(&mut self, failure: Failure) -> Vec<Task> {
        self.failure = Some(failure);
        self.go(Page::Failed)
    }

    /// The chosen disk and how much there is to copy.
    fn source(&self) -> Option<(PathBuf, u64)> {
        self.chosen().map(|disk| (disk.path.clone(), disk.data()))
    }

    fn wait(&mut self, what: &'static str) -> u64 {
        self.page = Page::Waiting(what);
        self.ticket += 1;
        self.ticket
    }

    fn waits_for(&self, ticket: u64) -> bool {
        matches!(self.page, Page::Waiting(_) | Page::Question) && ticket == self.ticket
    }

    fn go(&mut self, page: Page) -> Vec<Task> {
        self.page = page;
        self.scroll = 0;
        Vec::new()
    }

    fn go_saying(&mut self, page: Page, message: String) -> Vec<Task> {
        self.message = Some(message);
        self.go(page)
    }
}

/// A key in a line of text.
fn typed(line: &mut Line, key: Key) -> Vec<Task> {
    match key {
        Key::Char(c) => line.push(c),
        Key::Backspace => line.pop(),
        _ => {}
    }
    Vec::new()
}
