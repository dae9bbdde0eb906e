//! The pages and what leads from one to the next. No terminal, no system: events in, tasks out.

use super::computer::Answer;
use super::disks::Disk;
pub(super) use super::events::{Base, Event, Key, NotPlanned, Page, Summary, Task};
use super::input::Line;
use super::places::{Place, Volume};
use super::report::{self, Finished};
use super::working::Working;
use super::{mounts, words};
use crate::error::{Exit, Failure};
use crate::machine::names;
use std::path::{Path, PathBuf};
use std::time::Instant;

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
            Place::Folder => None,
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
                    folder: PathBuf::from(self.folder.text()),
                    at: format!("in {}", self.folder.text()),
                    device: None,
                }),
                Err(why) => self.go_saying(Page::Folder, why),
            },
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
            Event::Gone | Event::Places(..) | Event::Mounted(..) | Event::FolderChecked(..) | Event::Planned(..) => {
                Vec::new()
            }
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
            (Page::Name, Key::Enter) => self.plan(),
            (Page::Name, Key::Esc) => self.list_places(),
            (Page::Name, key) => typed(&mut self.name, key),
            (Page::Waiting(_), Key::Esc) => self.go(Page::Disks),
            (Page::Ready, Key::Enter) => self.start(),
            (Page::Ready, Key::Esc) => self.go(Page::Name),
            (Page::Failed, Key::Enter | Key::Esc) => self.list_places(),
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

    fn key_at_disks(&mut self, key: Key) -> Vec<Task> {
        let count = self
            .disks
            .as_ref()
            .and_then(|disks| disks.as_ref().ok())
            .map_or(0, Vec::len);
        self.disk = moved(self.disk, count, key);
        match key {
            Key::Enter => self.choose_disk(),
            Key::Char('r' | 'R') => {
                self.disks = None;
                vec![Task::ListDisks]
            }
            Key::Char('q' | 'Q') => vec![Task::Leave],
            _ => Vec::new(),
        }
    }

    fn choose_disk(&mut self) -> Vec<Task> {
        let Some(disk) = self.chosen() else { return Vec::new() };
        let why = match (&disk.refusal, &disk.looked) {
            (Some(why), _) => why.clone(),
            (None, None) => "p2v still looks at this disk. Wait a moment.".to_owned(),
            (None, Some(Err(why))) => words::sentence(why),
            (None, Some(Ok(_))) => {
                self.place = 0;
                self.name = Line::default();
                return self.list_places();
            }
        };
        self.go_saying(Page::Disks, why)
    }

    fn key_at_places(&mut self, key: Key) -> Vec<Task> {
        self.place = moved(self.place, self.places.len(), key);
        match (key, self.places.get(self.place)) {
            (Key::Esc, _) => self.go(Page::Disks),
            (Key::Char('q' | 'Q'), _) => vec![Task::Leave],
            (Key::Char('r' | 'R'), _) => self.list_places(),
            (Key::Enter, Some(Place::Folder)) => self.go(Page::Folder),
            (Key::Enter, Some(Place::Volume(volume))) => match (&volume.refusal, &volume.mounted) {
                (Some(why), _) => self.go_saying(Page::Places, why.clone()),
                (None, Some(point)) => {
                    let base = base_of(volume, point.clone());
                    self.ask_name(base)
                }
                (None, None) => self.go(Page::Mount),
            },
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

    fn take_disks(&mut self, disks: Answer<Vec<Disk>>) -> Vec<Task> {
        let paths: Vec<PathBuf> = disks.iter().flatten().map(|disk| disk.path.clone()).collect();
        // The first one that can be copied is proposed.
        let first = disks.iter().flatten().position(|disk| disk.refusal.is_none());
        self.disk = first.unwrap_or(0);
        self.disks = Some(disks);
        paths
            .into_iter()
            .flat_map(|path| [Task::Look(path.clone()), Task::AskHealth(path)])
            .collect()
    }

    fn change_disk(&mut self, path: &Path, change: impl FnOnce(&mut Disk)) -> Vec<Task> {
        let disks = self.disks.as_mut().and_then(|disks| disks.as_mut().ok());
        if let Some(disk) = disks.into_iter().flatten().find(|disk| disk.path == path) {
            change(disk);
        }
        Vec::new()
    }

    fn list_places(&mut self) -> Vec<Task> {
        let Some((source, data)) = self.source() else {
            return self.go(Page::Disks);
        };
        let ticket = self.wait("Looking for places where the copy can go ...");
        vec![Task::ListPlaces { ticket, source, data }]
    }

    fn mount(&mut self) -> Vec<Task> {
        let (Some((source, data)), Some(volume)) = (self.source(), self.volume().cloned()) else {
            return self.go(Page::Disks);
        };
        let ticket = self.wait("Opening the drive ...");
        vec![Task::Mount {
            ticket,
            volume,
            source,
            data,
        }]
    }

    fn take_mount(&mut self, answer: Answer<PathBuf>) -> Vec<Task> {
        let point = match answer {
            Ok(point) => point,
            Err(why) => return self.go_saying(Page::Places, why),
        };
        let Some(volume) = self.volume() else {
            return self.go(Page::Places);
        };
        let base = base_of(volume, point);
        self.ask_name(base)
    }

    fn check_folder(&mut self) -> Vec<Task> {
        let Some((source, data)) = self.source() else {
            return self.go(Page::Disks);
        };
        let folder = PathBuf::from(self.folder.text());
        let ticket = self.wait("Looking at the folder ...");
        vec![Task::CheckFolder {
            ticket,
            folder,
            source,
            data,
        }]
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
        // Mounted by p2v: then the command line begins with that.
        let mount = base.device.filter(|device| mounts::command(device).1 == base.folder);
        let folder = base.folder.join(name);
        let ticket = self.wait("Looking at the disk once more ...");
        vec![Task::Plan {
            ticket,
            source,
            folder,
            mount,
        }]
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
        matches!(self.page, Page::Waiting(_)) && ticket == self.ticket
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

fn base_of(volume: &Volume, folder: PathBuf) -> Base {
    let at = match &volume.device {
        Some(device) if volume.is_captures => format!("on this stick ({})", device.display()),
        Some(device) => format!("on {} ({})", volume.title, device.display()),
        None => format!("in {}", folder.display()),
    };
    Base {
        folder,
        at,
        device: volume.device.clone(),
    }
}

/// The next number in a list of `count` after a key.
fn moved(at: usize, count: usize, key: Key) -> usize {
    let to = match key {
        Key::Up => at.saturating_sub(1),
        Key::Down => at.saturating_add(1),
        _ => at,
    };
    to.min(count.saturating_sub(1))
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
