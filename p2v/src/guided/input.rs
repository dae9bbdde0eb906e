//! A line of text that is typed.

/// The longest that can be typed, in characters.
const LONGEST: usize = 200;

/// What was typed so far. Typing goes on at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line(String);

impl Line {
    /// With something in it to begin with.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Line(text.into())
    }

    /// What it holds.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// A key for a character.
    pub(super) fn push(&mut self, c: char) {
        if !c.is_control() && self.0.chars().count() < LONGEST {
            self.0.push(c);
        }
    }

    /// The backspace key.
    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}
