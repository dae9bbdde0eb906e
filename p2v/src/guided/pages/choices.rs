//! Which disk, and which place on this computer.

use super::*;

impl Guide {
    pub(super) fn key_at_disks(&mut self, key: Key) -> Vec<Task> {
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

    pub(super) fn choose_disk(&mut self) -> Vec<Task> {
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

    pub(super) fn key_at_places(&mut self, key: Key) -> Vec<Task> {
        self.place = moved(self.place, self.places.len(), key);
        match (key, self.places.get(self.place)) {
            (Key::Esc, _) => self.go(Page::Disks),
            (Key::Char('q' | 'Q'), _) => vec![Task::Leave],
            (Key::Char('r' | 'R'), _) => self.list_places(),
            (Key::Enter, Some(Place::Folder)) => self.go(Page::Folder),
            (Key::Enter, Some(Place::Far)) => self.go(Page::Far),
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

    pub(super) fn take_disks(&mut self, disks: Answer<Vec<Disk>>) -> Vec<Task> {
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

    pub(super) fn change_disk(&mut self, path: &Path, change: impl FnOnce(&mut Disk)) -> Vec<Task> {
        let disks = self.disks.as_mut().and_then(|disks| disks.as_mut().ok());
        if let Some(disk) = disks.into_iter().flatten().find(|disk| disk.path == path) {
            change(disk);
        }
        Vec::new()
    }

    pub(super) fn list_places(&mut self) -> Vec<Task> {
        let Some((source, data)) = self.source() else {
            return self.go(Page::Disks);
        };
        let ticket = self.wait("Looking for places where the copy can go ...");
        vec![Task::ListPlaces { ticket, source, data }]
    }

    pub(super) fn mount(&mut self) -> Vec<Task> {
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

    pub(super) fn take_mount(&mut self, answer: Answer<PathBuf>) -> Vec<Task> {
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

    pub(super) fn check_folder(&mut self) -> Vec<Task> {
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
}

fn base_of(volume: &Volume, folder: PathBuf) -> Base {
    let at = match &volume.device {
        Some(device) if volume.is_captures => format!("on this stick ({})", device.display()),
        Some(device) => format!("on {} ({})", volume.title, device.display()),
        None => format!("in {}", folder.display()),
    };
    let device = volume.device.clone();
    Base {
        root: Root::Folder { folder, device },
        at,
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
