//! Which Debian mirror this system uses, read from its apt sources: no mirror is named in this tree.

use std::path::{Path, PathBuf};

/// A package archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Its address, as in `sources.list`.
    pub address: String,
    /// `[…] ` options of a one-line source, or nothing.
    pub options: String,
}

impl Mirror {
    /// The one-line apt source of a suite of this mirror.
    pub fn line(&self, suite: &str) -> String {
        format!("deb {}{} {suite} main", self.options, self.address)
    }
}

/// The mirror from which this system takes `suite` (e.g. `bookworm`), if it has one.
pub fn of_system(suite: &str) -> Option<Mirror> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(folder) = std::fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(folder.flatten().map(|entry| entry.path()));
    }
    files
        .iter()
        .find_map(|file| in_file(file, &std::fs::read_to_string(file).ok()?, suite))
}

/// The mirror of `suite` that one apt source file (one-line or deb822) names.
fn in_file(file: &Path, text: &str, suite: &str) -> Option<Mirror> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("sources") => text.split("\n\n").find_map(|stanza| in_stanza(stanza, suite)),
        Some("list") => text.lines().find_map(|line| in_line(line, suite)),
        _ => None,
    }
}

fn in_stanza(stanza: &str, suite: &str) -> Option<Mirror> {
    let field = |name: &str| {
        let mut fields = stanza.lines().filter_map(|line| line.split_once(':'));
        fields
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let address = field("URIs")?.split_whitespace().next()?.to_owned();
    let disabled = field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no"));
    let binary = field("Types")?.split_whitespace().any(|kind| kind == "deb");
    let signed = field("Signed-By").filter(|key| key.starts_with('/'));
    let options = signed.map_or_else(String::new, |key| format!("[signed-by={key}] "));
    let served = field("Suites")?.split_whitespace().any(|served| served == suite);
    (served && binary && !disabled).then_some(Mirror { address, options })
}

fn in_line(line: &str, suite: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((options, rest)) => (format!("[{options}] "), rest),
        None => (String::new(), rest),
    };
    let mut words = rest.split_whitespace();
    let address = words.next()?.to_owned();
    (words.next()? == suite).then_some(Mirror { address, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_is_read_from_both_kinds_of_source_file() {
        let deb822 = "Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\n\n\
                      Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
                      Signed-By: /usr/share/keyrings/k.gpg\n";
        let found = in_file(Path::new("debian.sources"), deb822, "bookworm").unwrap();
        assert_eq!(
            found.line("bookworm-backports"),
            "deb [signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm-backports main"
        );
        let one_line = "# deb http://mirror.example/old bookworm main\ndeb-src http://mirror.example/s bookworm main\n\
                        deb [arch=amd64] http://mirror.example/d bookworm main\n";
        let found = in_file(Path::new("sources.list"), one_line, "bookworm").unwrap();
        assert_eq!(
            found,
            Mirror {
                address: "http://mirror.example/d".into(),
                options: "[arch=amd64] ".into()
            }
        );
        assert_eq!(in_file(Path::new("sources.list"), one_line, "trixie"), None);
        assert_eq!(in_file(Path::new("off.list.disabled"), one_line, "bookworm"), None);
    }

    #[test]
    fn disabled_and_source_only_stanzas_do_not_count() {
        let base = "URIs: http://mirror.example/d\nSuites: bookworm\n";
        assert!(in_stanza(&format!("Types: deb\n{base}"), "bookworm").is_some());
        assert!(in_stanza(&format!("Types: deb-src\n{base}"), "bookworm").is_none());
        assert!(in_stanza(&format!("Types: deb\nEnabled: no\n{base}"), "bookworm").is_none());
    }
}
