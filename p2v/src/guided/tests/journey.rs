//! A computer that is made up, and a person who presses keys.

use super::*;

pub(super) const GB: u64 = 1_000_000_000;

/// A computer with these disks, and drives.
pub(super) struct MadeUp {
    pub(super) disks: usize,
}

impl Computer for MadeUp {
    fn disks(&self) -> Answer<Vec<Disk>> {
        let disk = |number: usize| Disk {
            path: PathBuf::from(format!("/dev/sd{number}")),
            model: format!("Disk number {number} with quite a long name, as some makers like"),
            size: 80 * GB,
            connection: "built in, IDE or SATA",
            refusal: (number == 0)
                .then(|| "The system that runs now was started from it: it cannot be copied.".to_owned()),
            looked: None,
            health: None,
        };
        Ok((0..self.disks).map(disk).collect())
    }

    fn look(&self, disk: &Path) -> Answer<Looked> {
        if disk == Path::new("/dev/sd2") {
            return Err("it cannot be read: Input/output error".to_owned());
        }
        Ok(Looked {
            systems: vec!["Microsoft Windows XP Professional Service Pack 3, version 5.1.2600, x86, called FAMILY, on partition 1".to_owned()],
            names: vec!["FAMILY".to_owned()],
            data: 12 * GB,
        })
    }

    fn health(&self, _: &Path) -> Health {
        Health::Failing
    }

    fn places(&self, _: &Path, data: u64) -> Vec<Place> {
        assert_eq!(data, 12 * GB);
        let volume = |mounted: Option<&str>, refusal: Option<&str>| {
            Place::Volume(Volume {
                device: Some("/dev/sdx1".into()),
                title: "BACKUP (A drive, USB)".to_owned(),
                kind: "NTFS".to_owned(),
                size: 500 * GB,
                free: Some(100 * GB),
                mounted: mounted.map(PathBuf::from),
                is_captures: false,
                refusal: refusal.map(str::to_owned),
            })
        };
        vec![
            volume(None, None),
            volume(Some("/media/x"), None),
            volume(None, Some("There is no room.")),
            Place::Far,
            Place::Folder,
        ]
    }

    fn mount(&self, _: &Volume, _: &Path, _: u64) -> Answer<PathBuf> {
        Ok("/run/p2v/sdx1".into())
    }

    fn unmount(&self, _: &Path) -> Answer<()> {
        Ok(())
    }

    fn check_folder(&self, folder: &Path, _: &Path, _: u64) -> Answer<()> {
        if folder.is_absolute() {
            Ok(())
        } else {
            Err("Type the whole path.".to_owned())
        }
    }
}

/// A guide, its computer, and what it asked for.
pub(super) struct Journey {
    pub(super) guide: Guide,
    computer: MadeUp,
    pub(super) asked: Vec<Task>,
}

impl Journey {
    pub(super) fn begin(disks: usize) -> Self {
        let (guide, tasks) = Guide::new();
        let mut journey = Journey {
            guide,
            computer: MadeUp { disks },
            asked: Vec::new(),
        };
        journey.carry_out(tasks);
        journey
    }

    pub(super) fn press(&mut self, keys: &[Key]) {
        for key in keys {
            self.event(Event::Key(*key));
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        let tasks = self.guide.handle(event);
        self.carry_out(tasks);
    }

    /// Answers at once. A copy only begins.
    fn carry_out(&mut self, tasks: Vec<Task>) {
        for task in tasks {
            self.asked.push(task.clone());
            let computer = &self.computer;
            let event = match task {
                Task::ListDisks => Event::Disks(computer.disks()),
                Task::Look(disk) => Event::Looked(disk.clone(), computer.look(&disk)),
                Task::AskHealth(disk) => Event::Health(disk.clone(), computer.health(&disk)),
                Task::ListPlaces { ticket, source, data } => Event::Places(ticket, computer.places(&source, data)),
                Task::Mount {
                    ticket,
                    volume,
                    source,
                    data,
                } => Event::Mounted(ticket, computer.mount(&volume, &source, data)),
                Task::CheckFolder {
                    ticket,
                    folder,
                    source,
                    data,
                } => Event::FolderChecked(ticket, computer.check_folder(&folder, &source, data)),
                Task::Plan {
                    ticket,
                    target: Target::Folder { folder, .. },
                    ..
                } => Event::Planned(
                    ticket,
                    if folder.ends_with("taken") {
                        Err(NotPlanned::Name("It is taken.".to_owned()))
                    } else {
                        Ok(summary(&folder))
                    },
                ),
                // Another PC takes its time.
                Task::Plan { .. } | Task::Answer { .. } | Task::GiveUp => continue,
                Task::Start | Task::Pause(_) | Task::Cancel | Task::Leave => continue,
            };
            let tasks = self.guide.handle(event);
            self.carry_out(tasks);
        }
    }

    pub(super) fn screen(&mut self, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &mut self.guide)).unwrap();
        let buffer = terminal.backend().buffer();
        let cells: Vec<&str> = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        cells.chunks(usize::from(width)).map(<[&str]>::concat).collect()
    }

    /// The screen at 80x25: keys on the last line, and nothing that a console's font may not have.
    pub(super) fn shows(&mut self, words: &[&str]) {
        let screen = self.screen(80, 25);
        let last = screen.last().unwrap();
        assert!(last.contains(':') || last.contains("Please wait"), "no keys: {last}");
        let all = screen.join("\n");
        assert!(all.chars().all(|c| c.is_ascii() || c == '\u{2588}'), "{all}");
        let squeezed = all.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in words {
            assert!(squeezed.contains(words), "no `{words}` in:\n{all}");
        }
    }
}

/// A plan to this folder.
pub(super) fn summary(folder: &Path) -> Summary {
    Summary {
        data: 12 * GB,
        copied_before: 0,
        free: 100 * GB,
        folder: folder.to_owned(),
        systems: vec!["Windows XP".to_owned()],
        warnings: vec!["partition table: it is odd".to_owned()],
        command: format!("p2v capture /dev/sd1 -o {}", folder.display()),
        parts: Vec::new(),
    }
}
