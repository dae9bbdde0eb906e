//! The text of LVM's metadata: sections in braces, and keys with strings, numbers and lists of them.
//!
//! Source: `lvm.conf(5)`, "Syntax"; the metadata use the same.

use super::LvmError;
use std::collections::BTreeMap;

/// Metadata have sections in sections in sections: group, `logical_volumes`, volume, segment.
const DEEPEST: usize = 16;
/// The most keys, sections and values of lists in one text.
const MOST: usize = 400_000;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    /// A fraction or a negative number: nothing that is used here has one.
    OtherNumber,
    List(Vec<Value>),
}

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Value(Value),
    Section(Section),
}

/// Keys and what they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section(BTreeMap<String, Item>);

impl Section {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Item::Value(Value::Text(text))) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some(Item::Value(Value::Number(number))) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn list(&self, key: &str) -> Option<&[Value]> {
        match self.0.get(key) {
            Some(Item::Value(Value::List(list))) => Some(list),
            _ => None,
        }
    }

    /// The strings of a list; `None` if it is not there or has anything else in it.
    pub(super) fn words(&self, key: &str) -> Option<Vec<&str>> {
        let words = self.list(key)?.iter().map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        });
        words.collect()
    }

    pub(super) fn section(&self, key: &str) -> Option<&Section> {
        match self.0.get(key) {
            Some(Item::Section(section)) => Some(section),
            _ => None,
        }
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Section)> {
        self.0.iter().filter_map(|(name, item)| match item {
            Item::Section(section) => Some((name.as_str(), section)),
            Item::Value(_) => None,
        })
    }

    /// Every string with its key, also those in lists.
    pub(super) fn strings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(key, item)| {
            let values = match item {
                Item::Value(Value::List(list)) => list.as_slice(),
                Item::Value(value) => std::slice::from_ref(value),
                Item::Section(_) => &[],
            };
            values.iter().filter_map(move |value| match value {
                Value::Text(text) => Some((key.as_str(), text.as_str())),
                _ => None,
            })
        })
    }
}

/// Reads a whole text; NULs at its end are not part of it.
pub(super) fn parse(text: &[u8]) -> Result<Section, LvmError> {
    let end = text.iter().rposition(|byte| *byte != 0);
    let text = end.and_then(|end| text.get(..=end)).unwrap_or_default();
    let mut parser = Parser { text, at: 0, count: 0 };
    parser.section(0)
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    count: usize,
}

impl Parser<'_> {
    fn error(&self, what: &'static str) -> LvmError {
        LvmError::Text { offset: self.at, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    /// Steps over blanks and comments.
    fn skip(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => while self.next().is_some_and(|byte| byte != b'\n') {},
                byte if byte.is_ascii_whitespace() => {
                    self.next();
                }
                _ => return,
            }
        }
    }

    fn counted(&mut self) -> Result<(), LvmError> {
        self.count = self.count.saturating_add(1);
        match self.count {
            0..=MOST => Ok(()),
            _ => Err(self.error("it has too many values")),
        }
    }

    /// Keys up to the brace that ends the section; of the outermost, to the end of the text.
    fn section(&mut self, depth: usize) -> Result<Section, LvmError> {
        let mut section = Section::default();
        loop {
            self.skip();
            match self.peek() {
                None if depth == 0 => return Ok(section),
                None => return Err(self.error("a section has no end")),
                Some(b'}') if depth > 0 => {
                    self.next();
                    return Ok(section);
                }
                Some(_) => {}
            }
            self.counted()?;
            let key = self.key()?;
            self.skip();
            let item = match self.next() {
                Some(b'=') => Item::Value(self.value(depth)?),
                Some(b'{') if depth < DEEPEST => Item::Section(self.section(depth.saturating_add(1))?),
                _ => return Err(self.error("a name has neither a value nor a section")),
            };
            if section.0.insert(key, item).is_some() {
                return Err(self.error("a name is there twice"));
            }
        }
    }

    fn key(&mut self) -> Result<String, LvmError> {
        let mut key = String::new();
        while let Some(byte) = self.peek().filter(u8::is_ascii_graphic) {
            if b"={}[]#\",'".contains(&byte) {
                break;
            }
            key.push(char::from(byte));
            self.next();
        }
        match key.is_empty() {
            true => Err(self.error("there is no name")),
            false => Ok(key),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, LvmError> {
        self.counted()?;
        self.skip();
        match self.peek() {
            Some(b'[') if depth < DEEPEST => {
                self.next();
                self.list(depth.saturating_add(1))
            }
            Some(b'"') => {
                self.next();
                self.string()
            }
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => self.number(),
            _ => Err(self.error("there is no value")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, LvmError> {
        let mut list = Vec::new();
        loop {
            self.skip();
            if self.peek() == Some(b']') {
                self.next();
                return Ok(Value::List(list));
            }
            list.push(self.value(depth)?);
            self.skip();
            match self.peek() {
                Some(b',') => {
                    self.next();
                }
                Some(b']') => {}
                _ => return Err(self.error("a list has no end")),
            }
        }
    }

    /// Up to the closing quote; a backslash takes the next character as it is.
    fn string(&mut self) -> Result<Value, LvmError> {
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                Some(b'"') => return Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned())),
                Some(b'\\') => bytes.extend(self.next()),
                Some(byte) => bytes.push(byte),
                None => return Err(self.error("a string has no end")),
            }
        }
    }

    fn number(&mut self) -> Result<Value, LvmError> {
        let mut digits = String::new();
        while let Some(byte) = self
            .peek()
            .filter(|byte| byte.is_ascii_digit() || b"+-.".contains(byte))
        {
            digits.push(char::from(byte));
            self.next();
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Value::OtherNumber);
        }
        let number = digits.parse();
        number
            .map(Value::Number)
            .map_err(|_| self.error("a number is too large"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_values_and_comments_are_read() {
        let text = b"# made\nvg-a {\n id = \"x\\\"y\\\\\"\tn=7 # seven\n list = [ \"a\", 1,\n [2] ]\n s { e=[] }\n}\nf = -1.5\n\0\0";
        let root = parse(text).unwrap();
        let group = root.section("vg-a").unwrap();
        assert_eq!(group.text("id"), Some("x\"y\\"));
        assert_eq!(group.number("n"), Some(7));
        let (a, two) = (Value::Text("a".to_owned()), Value::List(vec![Value::Number(2)]));
        assert_eq!(group.list("list"), Some(&[a, Value::Number(1), two][..]));
        assert_eq!(group.section("s").unwrap().words("e"), Some(Vec::new()));
        assert_eq!(root.number("f"), None);
        assert_eq!(root.sections().count(), 1);
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        for text in [
            "a {",
            "a = ",
            "a = [1",
            "a = \"x",
            "a",
            "}",
            "= 1",
            "a = 1 a = 2",
            "a = 99999999999999999999",
            "a = [1 2]",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse("a {".repeat(100_000).as_bytes()).is_err());
        assert!(parse(format!("a = {}", "[".repeat(100_000)).as_bytes()).is_err());
        let long = format!("a = [{}]", "1,".repeat(MOST));
        assert!(parse(long.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(text in prop::collection::vec(prop::sample::select(b"a{}[]=\",#\\ 1-.\n\0".to_vec()), 0..200)) {
            let _ = parse(&text);
        }
    }
}
