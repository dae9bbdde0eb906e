//! The distribution's name and version: `os-release(5)` and what was there before it.

use crate::volumes::MountedVolume;

/// What a distribution says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) variant: Option<String>,
}

/// Release files with one line of text, and the name to put in front where the line is a bare version.
const ONE_LINERS: [(&str, &str); 9] = [
    ("etc/fedora-release", ""),
    ("etc/redhat-release", ""),
    ("etc/mandriva-release", ""),
    ("etc/SuSE-release", ""),
    ("etc/gentoo-release", ""),
    ("etc/slackware-version", ""),
    ("etc/alpine-release", "Alpine Linux"),
    ("etc/arch-release", "Arch Linux"),
    ("etc/debian_version", "Debian GNU/Linux"),
];

impl Release {
    /// Reads the release of the system whose root is at `prefix` of `volume`.
    pub(super) fn read(volume: &mut MountedVolume, prefix: &str) -> Option<Self> {
        ["etc/os-release", "usr/lib/os-release"]
            .iter()
            .find_map(|path| Self::from_os_release(&volume.text(&format!("{prefix}{path}"))?))
            .or_else(|| Self::from_lsb_release(&volume.text(&format!("{prefix}etc/lsb-release"))?))
            .or_else(|| {
                ONE_LINERS
                    .iter()
                    .find_map(|(path, name)| Some(Self::from_line(&volume.text(&format!("{prefix}{path}"))?, name)))
            })
    }

    /// Reads the release from a volume that is mounted at `/usr`.
    pub(super) fn of_usr(volume: &mut MountedVolume) -> Option<Self> {
        Self::from_os_release(&volume.text("lib/os-release")?)
    }

    fn from_os_release(text: &str) -> Option<Self> {
        let get = |key| assignment(text, key);
        let version = get("VERSION_ID");
        let plain = || {
            let name = get("NAME").or_else(|| get("ID"))?;
            Some(match get("VERSION").or_else(|| version.clone()) {
                Some(version) => format!("{name} {version}"),
                None => name,
            })
        };
        let name = get("PRETTY_NAME").or_else(plain)?;
        Some(Release {
            name: Some(name),
            version,
            variant: get("VARIANT").or_else(|| get("VARIANT_ID")),
        })
    }

    fn from_lsb_release(text: &str) -> Option<Self> {
        let get = |key| assignment(text, key);
        let version = get("DISTRIB_RELEASE");
        let plain = || {
            let id = get("DISTRIB_ID")?;
            Some(
                version
                    .as_ref()
                    .map_or_else(|| id.clone(), |version| format!("{id} {version}")),
            )
        };
        let name = get("DISTRIB_DESCRIPTION").or_else(plain)?;
        Some(Release {
            name: Some(name),
            version,
            variant: None,
        })
    }

    /// From one line such as `CentOS release 6.10 (Final)`, or a bare version after a known `name`.
    fn from_line(text: &str, name: &str) -> Self {
        let line = text.lines().next().unwrap_or_default().trim();
        let version = line
            .split_whitespace()
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        Release {
            name: Some(format!("{name} {line}").trim().to_owned()).filter(|name| !name.is_empty()),
            version: version.map(str::to_owned),
            variant: None,
        }
    }
}

/// The value of the last `key=value` line, without shell quoting, if it is not empty.
pub(super) fn assignment(text: &str, key: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| {
        let (name, value) = line.trim().split_once('=')?;
        (name.trim_end() == key).then(|| unquote(value.trim()))
    });
    value.filter(|value| !value.is_empty())
}

/// Undoes the quoting that `os-release(5)` allows: `"…"` with backslashes, `'…'`, or a bare word.
fn unquote(value: &str) -> String {
    let mut chars = value.chars();
    let quote = chars.clone().next().filter(|c| matches!(c, '"' | '\''));
    if quote.is_some() {
        chars.next();
    }
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(quote)) if c == quote => break,
            ('\\', None | Some('"')) => plain.extend(chars.next()),
            (c, None) if c.is_whitespace() => break,
            (c, _) => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_quoting_is_undone() {
        let text = "# comment\nNAME=Fedora\nPRETTY_NAME=\"A \\\"quoted\\\" \\$name\"\nVARIANT='Work station'\nVERSION_ID=7 # no\n";
        let release = Release::from_os_release(text).unwrap();
        assert_eq!(release.name.as_deref(), Some("A \"quoted\" $name"));
        assert_eq!(release.variant.as_deref(), Some("Work station"));
        assert_eq!(release.version.as_deref(), Some("7"));
    }

    #[test]
    fn the_last_assignment_counts_and_empty_ones_do_not() {
        assert_eq!(assignment("A=1\nA=2\n", "A").as_deref(), Some("2"));
        assert_eq!(assignment("A=\"\"\n", "A"), None);
        assert_eq!(assignment("AB=1\n", "A"), None);
    }

    #[test]
    fn one_line_releases_name_themselves() {
        let centos = Release::from_line("CentOS release 6.10 (Final)\n", "");
        assert_eq!(centos.name.as_deref(), Some("CentOS release 6.10 (Final)"));
        assert_eq!(centos.version.as_deref(), Some("6.10"));
        let debian = Release::from_line("3.1\n", "Debian GNU/Linux");
        assert_eq!(debian.name.as_deref(), Some("Debian GNU/Linux 3.1"));
        let arch = Release::from_line("", "Arch Linux");
        assert_eq!(arch.name.as_deref(), Some("Arch Linux"));
    }
}
