//! Carrying out what the guide asks for: threads for everything that may take time, and the loop that draws.

use super::computer::Computer;
use super::connections::Connections;
use super::pages::{Event, Guide, NotPlanned, Page, Task};
use super::report::Finished;
use super::terminal::Screen;
use super::this_computer::ThisComputer;
use super::{draw, planning, terminal};
use crate::capture::live::Live;
use crate::capture::progress::Show;
use crate::capture::{Plan, carry_out};
use crate::error::{Exit, Failure, Result, print};
use crate::report;
use crate::signals::Stop;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io::{Write, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often the screen is drawn again while nothing is pressed.
const LOOK: Duration = Duration::from_millis(100);

/// Opens the interface and stays until the person leaves it. How the last copy went is how the command ends.
pub(crate) fn run() -> Result<()> {
    let stop = Stop::on_signals()?;
    let mut runner = Runner::new(Arc::new(ThisComputer::new()), stop);
    let (mut guide, tasks) = Guide::new();
    let result = Screen::open().and_then(|mut screen| runner.until_left(&mut screen, &mut guide, tasks));
    runner.connections.close();
    runner.unmount();
    result?;
    match guide.page {
        Page::Report => print(&(guide.report.join("\n") + "\n"))?,
        _ if !guide.summary.command.is_empty() => {
            print(&format!("The same as a command line:\n  {}\n", guide.summary.command))?;
        }
        _ => {}
    }
    match (guide.page, guide.failure) {
        (Page::Failed, Some(failure)) => Err(failure),
        (Page::Report, _) if guide.lost > 0 => Err(Failure::new(
            Exit::PartlyLost,
            format!(
                "{} could not be read; everything else is in the copy",
                report::size(guide.lost)
            ),
        )),
        _ => Ok(()),
    }
}

/// A plan and the number of the task that it was made for.
type Planned = Mutex<Option<(u64, Arc<Plan>)>>;

struct Runner {
    computer: Arc<dyn Computer>,
    /// The process's signals.
    signals: Stop,
    sender: Sender<Event>,
    events: Receiver<Event>,
    connections: Arc<Connections>,
    /// The plan that was made last, with its number.
    plan: Arc<Planned>,
    /// The copy that goes on.
    work: Option<(Stop, Arc<Live>)>,
    /// Where p2v has mounted something.
    mounted: Arc<Mutex<Vec<PathBuf>>>,
}

impl Runner {
    fn new(computer: Arc<dyn Computer>, signals: Stop) -> Self {
        let (sender, events) = unbounded();
        Runner {
            computer,
            signals,
            connections: Arc::new(Connections::new(sender.clone())),
            sender,
            events,
            plan: Arc::default(),
            work: None,
            mounted: Arc::default(),
        }
    }

    fn until_left(&mut self, screen: &mut Screen, guide: &mut Guide, first: Vec<Task>) -> Result<()> {
        let mut tasks = first;
        let mut gone = false;
        let sender = self.sender.clone();
        terminal::keys(move |key| sender.send(key.map_or(Event::Gone, Event::Key)).is_ok());
        loop {
            for task in std::mem::take(&mut tasks) {
                if task == Task::Leave {
                    return Ok(());
                }
                self.carry_out(task);
            }
            // A terminal that cannot be written to is gone; the copy must come to an end before the program does.
            let lost = !gone && screen.draw(|frame| draw::draw(frame, guide)).is_err();
            let lost = lost.then_some(Event::Gone);
            let first = lost.or_else(|| self.events.recv_timeout(LOOK).ok());
            for event in first.into_iter().chain(self.events.try_iter()) {
                if matches!(event, Event::Gone) {
                    gone = true;
                    self.work.iter().for_each(|(stop, _)| stop.cancel());
                }
                if matches!(event, Event::Finished(_)) {
                    self.work = None;
                }
                tasks.extend(guide.handle(event));
            }
            match &self.work {
                Some((_, live)) => tasks.extend(guide.handle(Event::Progress(live.snapshot(), Instant::now()))),
                // A copy ends by the signal itself, and tidies up before.
                None if gone => return Err(Failure::interrupted(Exit::Terminated)),
                None => self.signals.check()?,
            }
        }
    }

    fn carry_out(&mut self, task: Task) {
        let computer = Arc::clone(&self.computer);
        match task {
            Task::ListDisks => self.spawn(move || Event::Disks(computer.disks()), || Event::Disks(Err(bug()))),
            Task::Look(disk) => {
                let path = disk.clone();
                self.spawn(
                    move || Event::Looked(disk.clone(), computer.look(&disk)),
                    || Event::Looked(path, Err(bug())),
                );
            }
            Task::AskHealth(disk) => self.send(move || Event::Health(disk.clone(), computer.health(&disk))),
            Task::ListPlaces { ticket, source, data } => {
                self.send(move || Event::Places(ticket, computer.places(&source, data)));
            }
            Task::Mount {
                ticket,
                volume,
                source,
                data,
            } => {
                let mounted = Arc::clone(&self.mounted);
                self.send(move || {
                    let answer = computer.mount(&volume, &source, data);
                    if let Ok(point) = &answer {
                        mounted
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(point.clone());
                    }
                    Event::Mounted(ticket, answer)
                });
            }
            Task::CheckFolder {
                ticket,
                folder,
                source,
                data,
            } => {
                self.send(move || Event::FolderChecked(ticket, computer.check_folder(&folder, &source, data)));
            }
            Task::Plan { ticket, source, target } => {
                let (kept, connections) = (Arc::clone(&self.plan), Arc::clone(&self.connections));
                let stop = self.signals.for_other_work();
                connections.begin(stop.clone());
                self.spawn(
                    move || {
                        let planned = planning::plan(&source, &target, &connections, ticket, &stop);
                        Event::Planned(
                            ticket,
                            planned.map(|(plan, summary)| {
                                keep(&kept, ticket, plan);
                                summary
                            }),
                        )
                    },
                    move || Event::Planned(ticket, Err(NotPlanned::Refused(Failure::failed(bug())))),
                );
            }
            Task::Answer { ticket, answer } => self.connections.answer(ticket, &answer),
            Task::GiveUp => self.connections.give_up(),
            Task::Start => self.start(),
            Task::Pause(paused) => self.work.iter().for_each(|(stop, _)| stop.pause(paused)),
            Task::Cancel => self.work.iter().for_each(|(stop, _)| stop.cancel()),
            Task::Leave => {}
        }
    }

    fn start(&mut self) {
        let kept = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((_, plan)) = kept else {
            let _ = self
                .sender
                .send(Event::Finished(Err(Failure::failed("there is no plan to carry out"))));
            return;
        };
        let stop = self.signals.for_other_work();
        let live = Arc::new(Live::default());
        self.work = Some((stop.clone(), Arc::clone(&live)));
        self.spawn(
            move || {
                let outcome = carry_out(&plan, &Show::Live(live), &stop);
                Event::Finished(outcome.map(|outcome| Finished::from(&outcome)))
            },
            || Event::Finished(Err(Failure::failed(bug()))),
        );
    }

    /// Does `work` in a thread that nobody waits for. `failed` is what is said if it panics.
    fn spawn(&self, work: impl FnOnce() -> Event + Send + 'static, failed: impl FnOnce() -> Event + Send + 'static) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            let event = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| failed());
            let _ = sender.send(event);
        });
    }

    /// The same for work that is nothing but calls of the system.
    fn send(&self, work: impl FnOnce() -> Event + Send + 'static) {
        let sender = self.sender.clone();
        thread::spawn(move || drop(sender.send(work())));
    }

    /// Closes the drives that were opened here.
    fn unmount(&self) {
        for point in self.mounted.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // The terminal may be gone.
            let _ = writeln!(stderr(), "Writing everything out to the drive ...");
            if let Err(why) = self.computer.unmount(&point) {
                let _ = writeln!(
                    stderr(),
                    "p2v: {} is still mounted ({why}). Before you unplug the drive, type: umount {}",
                    point.display(),
                    point.display()
                );
            }
        }
    }
}

fn bug() -> String {
    "this is a bug in p2v: its message is printed when p2v ends".to_owned()
}

/// Keeps a plan, unless a later one is there.
fn keep(kept: &Planned, ticket: u64, plan: Plan) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.as_ref().is_none_or(|(last, _)| *last < ticket) {
        *kept = Some((ticket, Arc::new(plan)));
    }
}
