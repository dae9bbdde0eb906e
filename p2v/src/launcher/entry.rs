//! A desktop entry as text (Desktop Entry Specification 1.5: "Possible value types", "The Exec key").

/// The key that says which machine an entry of ours is for. Names that begin with `X-` are free for all.
const FOLDER_KEY: &str = "X-P2V-Folder";

/// What stands in an entry. No value holds a control character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// The machine's name.
    pub(super) name: &'a str,
    /// What is started: the program and its arguments.
    pub(super) command: &'a [&'a str],
    /// The icon's file.
    pub(super) icon: &'a str,
    /// The machine's folder.
    pub(super) folder: &'a str,
    /// The class of the windows that belong to it.
    pub(super) window: &'a str,
}

impl Entry<'_> {
    /// The whole file.
    pub(super) fn text(&self) -> String {
        let command: Vec<_> = self.command.iter().map(|argument| quoted(argument)).collect();
        format!(
            "[Desktop Entry]\nType=Application\nName={}\nComment=Run this old computer\nExec={}\nIcon={}\n\
             Terminal=false\nCategories=System;Emulator;\nStartupWMClass={}\n{FOLDER_KEY}={}\n",
            escaped(self.name),
            escaped(&command.join(" ")),
            escaped(self.icon),
            escaped(self.window),
            escaped(self.folder)
        )
    }
}

/// A value of type string: a backslash begins an escape, and a leading space would be dropped.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\");
    match text.strip_prefix(' ') {
        Some(rest) => format!("\\s{rest}"),
        None => text,
    }
}

/// An argument of Exec: in double quotes, in which four characters take a backslash; a percent sign is doubled.
fn quoted(argument: &str) -> String {
    let mut text = String::from("\"");
    for c in argument.chars() {
        match c {
            '"' | '`' | '$' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            _ => text.push(c),
        }
    }
    text.push('"');
    text
}

/// The folder that an entry says it is for; `None` if it is none of ours.
pub(super) fn folder_of(text: &str) -> Option<String> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(FOLDER_KEY)?.strip_prefix('='))?;
    let mut folder = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        let escape = if c == '\\' { chars.next() } else { None };
        folder.push(match escape {
            Some('s') => ' ',
            _ => c,
        });
    }
    Some(folder)
}

/// A part of a file name with the characters that the specification recommends; others become `_` and hexadecimal.
pub(super) fn file_part(name: &str) -> String {
    let mut part = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("_{byte:02x}"));
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn awkward_arguments_are_quoted_twice_over() {
        assert_eq!(
            escaped(&quoted(r#"a "b" $c \ `d` 50%"#)),
            r#""a \\"b\\" \\$c \\\\ \\`d\\` 50%%""#
        );
        assert_eq!(file_part("Dad's PC"), "Dad_27s_20PC");
    }

    proptest! {
        #[test]
        fn the_folder_reads_back(folder in "[^\\p{Cc}]*") {
            let entry = Entry { name: "x", command: &["p2v"], icon: "i", folder: &folder, window: "p2v-x" };
            prop_assert_eq!(folder_of(&entry.text()), Some(folder));
        }
    }
}
