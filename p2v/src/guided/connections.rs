//! Connections to other PCs for the plans: what ssh asks goes to the pages, and one that stands is used again.

use super::network;
use super::pages::Event;
use crate::askpass::{Reply, Secret, Server};
use crate::capture::Request;
use crate::capture::store::{Asks, Line};
use crate::error::Result;
use crate::signals::Stop;
use crossbeam_channel::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a question's answer goes, and the number of the task in which it was asked.
type Open = Arc<Mutex<Option<(u64, Reply)>>>;

/// All of them.
pub(super) struct Connections {
    events: Sender<Event>,
    /// The last one.
    line: Mutex<Option<Line>>,
    /// ssh asks one question at a time.
    question: Open,
    /// Ends the plan that is being made.
    stop: Mutex<Stop>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    pub(super) fn new(events: Sender<Event>) -> Self {
        Connections {
            events,
            line: Mutex::default(),
            question: Arc::default(),
            stop: Mutex::default(),
        }
    }

    /// A new plan is made, which `stop` ends; the one before is ended.
    pub(super) fn begin(&self, stop: Stop) {
        std::mem::replace(&mut *locked(&self.stop), stop).cancel();
    }

    /// Nobody waits for the plan any more.
    pub(super) fn give_up(&self) {
        locked(&self.stop).cancel();
        locked(&self.question).take();
    }

    /// The connection over which `request` goes, if it needs one: the last one, or a new one whose questions are events
    /// with that `ticket`.
    pub(super) fn line(&self, request: &Request, ticket: u64, stop: &Stop) -> Result<Option<Line>> {
        let mut last = locked(&self.line);
        stop.check()?;
        if last.as_ref().is_none_or(|line| !request.goes_over(line)) {
            *last = None;
            if let Some(host) = request.host() {
                network::wait(host, stop)?;
                let (events, question) = (self.events.clone(), Arc::clone(&self.question));
                let server = Server::open(move |asked, reply| {
                    let mut open = locked(&question);
                    // A helper of an ssh that was ended may come late.
                    if open.as_ref().is_none_or(|(last, _)| *last <= ticket) {
                        *open = Some((ticket, reply));
                        let _ = events.send(Event::Asked(ticket, asked));
                    }
                })?;
                *last = request.connect(&Asks::Program(server.program()), stop)?;
            }
        }
        Ok(last.clone())
    }

    /// Answers the question of that task.
    pub(super) fn answer(&self, ticket: u64, answer: &Secret) {
        if let Some((_, reply)) = locked(&self.question).take_if(|(asked, _)| *asked == ticket) {
            reply.answer(answer);
        }
    }

    /// Ends what is not used, and waits until it has ended: nothing stays behind.
    pub(super) fn close(&self) {
        self.give_up();
        *locked(&self.line) = None;
    }
}
