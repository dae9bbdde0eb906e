//! The text of an INF file: sections, lines, quotes, comments, continuation, and the strings that `%names%` stand for.
//!
//! Source: Microsoft, "General Syntax Rules for INF Files", "INF Strings Section".

use std::collections::BTreeMap;

/// Longest value after its `%names%` are replaced, in bytes: SetupAPI's own limit is 4096 characters.
const VALUE_LIMIT: usize = 16 << 10;

/// A line of a section: `key = value, value` or `value, value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: Option<String>,
    pub(super) values: Vec<String>,
}

/// An INF file as text. Names of sections and keys do not depend on case; sections of one name are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    sections: BTreeMap<String, Vec<Line>>,
    strings: BTreeMap<String, String>,
}

impl Text {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text = decode(bytes);
        let mut sections: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        let mut current: Option<String> = None;
        for line in logical_lines(&text) {
            if let Some(name) = section_name(&line) {
                sections.entry(name.clone()).or_default();
                current = Some(name);
            } else if let Some(section) = current.as_ref().and_then(|name| sections.get_mut(name)) {
                section.extend(fields(&line));
            }
        }
        let mut strings = BTreeMap::new();
        // Those of a language are there only for what the neutral section leaves out.
        let neutral_last = sections.iter().rev().filter(|(name, _)| is_strings(name));
        for line in neutral_last.flat_map(|(_, lines)| lines) {
            if let (Some(key), Some(value)) = (&line.key, line.values.first()) {
                strings.insert(key.to_lowercase(), value.clone());
            }
        }
        Text { sections, strings }
    }

    /// The lines of a section with their `%names%` replaced; `None` if there is no such section.
    pub(super) fn section(&self, name: &str) -> Option<Vec<Line>> {
        let lines = self.sections.get(&name.to_lowercase())?;
        let replaced = lines.iter().map(|line| Line {
            key: line.key.as_deref().map(|key| self.replace(key)),
            values: line.values.iter().map(|value| self.replace(value)).collect(),
        });
        Some(replaced.collect())
    }

    pub(super) fn has(&self, section: &str) -> bool {
        self.sections.contains_key(&section.to_lowercase())
    }

    /// The values of the first line with this key.
    pub(super) fn entry(&self, section: &str, key: &str) -> Option<Vec<String>> {
        let lines = self.section(section)?;
        let line = lines.into_iter().find(|line| line.is(key))?;
        Some(line.values)
    }

    /// Replaces `%name%` by its string and `%%` by one percent sign. What has no string stays: a folder's number.
    fn replace(&self, value: &str) -> String {
        let mut replaced = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('%') {
            replaced.push_str(before);
            rest = after;
            match after.split_once('%') {
                Some(("", after)) => {
                    replaced.push('%');
                    rest = after;
                }
                Some((name, after)) => match self.strings.get(&name.to_lowercase()) {
                    Some(string) => {
                        replaced.push_str(string);
                        rest = after;
                    }
                    None => {
                        replaced.push('%');
                        replaced.push_str(name);
                        // The second sign may begin a name of its own.
                        rest = after;
                        replaced.push('%');
                    }
                },
                None => replaced.push('%'),
            }
            if replaced.len() > VALUE_LIMIT {
                return String::new();
            }
        }
        replaced.push_str(rest);
        replaced
    }
}

impl Line {
    pub(super) fn is(&self, key: &str) -> bool {
        self.key.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(key))
    }

    /// A value; empty if there is none.
    pub(super) fn value(&self, number: usize) -> &str {
        self.values.get(number).map_or("", String::as_str)
    }
}

fn is_strings(section: &str) -> bool {
    section == "strings" || section.starts_with("strings.")
}

/// UTF-16 with its mark, UTF-8, or else Western European bytes as Windows calls "ANSI".
fn decode(bytes: &[u8]) -> String {
    let utf16 = |bytes: &[u8], word: fn([u8; 2]) -> u16| {
        let words = bytes
            .chunks_exact(2)
            .filter_map(|pair| Some(word(pair.try_into().ok()?)));
        String::from_utf16_lossy(&words.collect::<Vec<_>>())
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        other => match std::str::from_utf8(other) {
            Ok(text) => text.to_owned(),
            Err(_) => other.iter().map(|byte| char::from(*byte)).collect(),
        },
    }
}

/// Lines without comments; one that ends with a backslash goes on in the next.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = without_comment(line).trim();
        match line.strip_suffix('\\').filter(|line| !is_quoted_at_end(line)) {
            Some(start) => open.push_str(start),
            None => {
                open.push_str(line);
                lines.push(std::mem::take(&mut open));
            }
        }
    }
    lines.push(open);
    lines.retain(|line| !line.is_empty());
    lines
}

fn is_quoted_at_end(line: &str) -> bool {
    !line.bytes().filter(|byte| *byte == b'"').count().is_multiple_of(2)
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' if !quoted => return line.get(..at).unwrap_or(line),
            _ => {}
        }
    }
    line
}

fn section_name(line: &str) -> Option<String> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    Some(name.trim().trim_matches('"').to_lowercase())
}

/// Takes a line apart at its first `=` and its commas, outside of quotes.
fn fields(line: &str) -> Option<Line> {
    let mut parsed = Line::default();
    let mut field = String::new();
    // Blanks at the ends do not count, unless they are in quotes: up to here the field is kept whatever comes.
    let mut kept = 0;
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    let finish = |field: &mut String, kept: &mut usize| {
        let end = field.trim_end().len().max(*kept);
        field.truncate(end);
        *kept = 0;
        std::mem::take(field)
    };
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => {
                quoted = !quoted;
                kept = field.len();
            }
            '=' if !quoted && parsed.key.is_none() && parsed.values.is_empty() => {
                parsed.key = Some(finish(&mut field, &mut kept));
            }
            ',' if !quoted => parsed.values.push(finish(&mut field, &mut kept)),
            blank if !quoted && blank.is_whitespace() && field.is_empty() && kept == 0 => {}
            other => {
                field.push(other);
                if quoted {
                    kept = field.len();
                }
            }
        }
    }
    parsed.values.push(finish(&mut field, &mut kept));
    Some(parsed)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn line(key: Option<&str>, values: &[&str]) -> Line {
        Line {
            key: key.map(str::to_owned),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn lines_are_taken_apart() {
        let text = Text::parse(
            br#"ignored = before any section
            [Some Section] ; comment
            key = one , "two; ""quoted"", with comma " , %word% three ; comment
            only, , values
            long = a, \
                   b, \ ; comment
                   c
            "quoted key" = %12%\x.sys, 100%%, %none%, 5%
            path = "C:\folder\"
            [some section]
            more
            [Strings]
            word = "a word"
            WORD2 = unquoted text
            [Strings.0407]
            word = "ein Wort"
            only = "%word%"
            [last]
            %only%=%Word2%"#,
        );
        let lines = text.section("SOME SECTION").unwrap();
        assert_eq!(
            lines,
            [
                line(Some("key"), &["one", "two; \"quoted\", with comma ", "a word three"]),
                line(None, &["only", "", "values"]),
                line(Some("long"), &["a", "b", "c"]),
                line(Some("quoted key"), &["%12%\\x.sys", "100%", "%none%", "5%"]),
                line(Some("path"), &["C:\\folder\\"]),
                line(None, &["more"]),
            ]
        );
        assert_eq!(text.entry("last", "%WORD%"), Some(vec!["unquoted text".to_owned()]));
        assert_eq!(text.section("none"), None);
    }

    #[test]
    fn every_encoding_is_read() {
        let words = "[S]\r\nkey = \"Gerät\"\r\n";
        let utf16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            [mark].into_iter().chain(words.encode_utf16()).flat_map(bytes).collect()
        };
        let ansi = words.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        for bytes in [
            utf16(0xFEFF, u16::to_le_bytes),
            utf16(0xFEFF, u16::to_be_bytes),
            words.as_bytes().to_vec(),
            [&[0xEF, 0xBB, 0xBF], words.as_bytes()].concat(),
            ansi,
        ] {
            assert_eq!(Text::parse(&bytes).entry("s", "KEY"), Some(vec!["Gerät".to_owned()]));
        }
    }

    #[test]
    fn strings_cannot_grow_without_end() {
        let text = format!(
            "[Strings]\na = {}\n[S]\nkey = {}\n",
            "x".repeat(10_000),
            "%a%".repeat(10_000)
        );
        assert_eq!(
            Text::parse(text.as_bytes()).entry("S", "key"),
            Some(vec![String::new()])
        );
    }
}
