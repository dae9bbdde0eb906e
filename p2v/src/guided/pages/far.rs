//! Another PC: where it is, and what ssh asks on the way there.

use super::super::far::Field;
use super::*;
use crate::askpass::{Kind, Question, Secret};

/// What ssh asks, and what was typed so far.
#[derive(Debug)]
pub(in super::super) struct Asked {
    pub(in super::super) question: Question,
    pub(in super::super) typed: Secret,
    /// Whether it was asked before: then the answer was wrong.
    pub(in super::super) again: bool,
}

impl Guide {
    /// Whether the copy goes to another PC.
    pub(in super::super) fn goes_far(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.far().is_some())
    }

    /// Back to where the place was chosen.
    pub(super) fn another_place(&mut self) -> Vec<Task> {
        if self.goes_far() {
            self.far.field = Field::Pc;
            self.go(Page::Far)
        } else {
            self.list_places()
        }
    }

    pub(super) fn key_at_far(&mut self, key: Key) -> Vec<Task> {
        let field = self.far.field;
        match key {
            Key::Esc => {
                self.far.field = Field::Pc;
                return self.list_places();
            }
            Key::Enter => match field.next() {
                Some(next) => self.far.field = next,
                None => return self.take_far(),
            },
            Key::Down | Key::Tab => self.far.field = field.next().unwrap_or(field),
            Key::Up | Key::BackTab => self.far.field = field.previous(),
            key => return typed(self.far.typed_in(), key),
        }
        Vec::new()
    }

    fn take_far(&mut self) -> Vec<Task> {
        match self.far.place() {
            Ok(place) => {
                let at = place.at();
                self.ask_name(Base {
                    root: Root::Far(place),
                    at,
                })
            }
            Err((field, why)) => {
                self.far.field = field;
                self.go_saying(Page::Far, why)
            }
        }
    }

    pub(super) fn ask(&mut self, question: Question) -> Vec<Task> {
        let again = self.asked.as_ref().is_some_and(|before| before.question == question);
        self.asked = Some(Asked {
            question,
            typed: Secret::default(),
            again,
        });
        self.go(Page::Question)
    }

    pub(super) fn key_at_question(&mut self, key: Key) -> Vec<Task> {
        let Some(asked) = &mut self.asked else {
            return self.leave_connection("Not connected.");
        };
        let answer = match (asked.question.kind, key) {
            (_, Key::Esc) => return self.leave_connection("Not connected."),
            (Kind::YesNo, Key::Char('n' | 'N')) => {
                return self.leave_connection("Not connected: you said that it is not the right PC.");
            }
            (Kind::YesNo, Key::Char('y' | 'Y')) => Secret::of("yes"),
            (Kind::Secret, Key::Enter) => std::mem::take(&mut asked.typed),
            (Kind::Secret, Key::Char(c)) => {
                asked.typed.push(c);
                return Vec::new();
            }
            (Kind::Secret, Key::Backspace) => {
                asked.typed.pop();
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        self.page = Page::Waiting(CONNECTING);
        vec![Task::Answer {
            ticket: self.ticket,
            answer,
        }]
    }

    /// Nobody goes on with the connection that is being made.
    pub(super) fn leave_connection(&mut self, message: &str) -> Vec<Task> {
        self.asked = None;
        // What comes of it now comes too late.
        self.ticket += 1;
        self.far.field = Field::Pc;
        self.go_saying(Page::Far, message.to_owned());
        vec![Task::GiveUp]
    }
}
