//! `ssh://[user@]host[:port][/path]`: a place on another computer.

use crate::error::{Failure, Result};
use std::path::Path;

/// A place on another computer, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// The machine folder there; `None` for its library.
    path: Option<String>,
}

impl Address {
    /// Whether `output` names a place on another computer.
    pub(crate) fn is_meant(output: &Path) -> bool {
        output.to_str().is_some_and(|text| text.starts_with("ssh:"))
    }

    /// Understands `output`. `/~/x` is a path in the home folder there.
    pub(crate) fn parse(output: &Path) -> Result<Self> {
        let text = output.to_string_lossy();
        let refuse = |why: &str| {
            let what = format!("{text} is no place on another computer: {why}");
            Err(Failure::refused(what).advice("Give it like ssh://me@newpc/home/me/oldpc, or ssh://me@newpc/~/oldpc."))
        };
        let Some(rest) = text.strip_prefix("ssh://") else {
            return refuse("it does not begin with ssh://");
        };
        let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
        let (user, host) = host
            .rsplit_once('@')
            .map_or((None, host), |(user, host)| (Some(user), host));
        // An IPv6 address stands in brackets.
        let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => host
                .split_once(':')
                .map_or((host, None), |(host, port)| (host, Some(port))),
        };
        let port = match port.map(str::parse) {
            Some(Err(_)) => return refuse("the port is no number up to 65535"),
            Some(Ok(port)) => Some(port),
            None => None,
        };
        let bad = |word: &str| {
            word.is_empty() || word.starts_with('-') || word.contains(|c: char| c.is_control() || c == ' ')
        };
        if bad(host) || user.is_some_and(bad) {
            return refuse("the name of the user or of the computer is missing or begins with a minus");
        }
        let path = match path {
            "" | "~" | "~/" => None,
            path => Some(
                path.strip_prefix("~/")
                    .map_or_else(|| format!("/{path}"), str::to_owned),
            ),
        };
        Ok(Address {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            path,
        })
    }

    /// The other computer, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The other computer as ssh's file of known ones has it (sshd(8), `SSH_KNOWN_HOSTS FILE FORMAT`).
    pub(super) fn known_as(&self) -> String {
        match self.port {
            Some(port) if port != 22 => format!("[{}]:{port}", self.host),
            _ => self.host.clone(),
        }
    }

    /// Whether both are reached in the same way, as the same user.
    pub(super) fn is_same_pc(&self, other: &Address) -> bool {
        (&self.user, &self.host, self.port) == (&other.user, &other.host, other.port)
    }

    /// The machine folder there; a path that is not absolute begins at the home folder.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// ssh's arguments.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(port) = self.port {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(user) = &self.user {
            arguments.extend(["-l".to_owned(), user.clone()]);
        }
        arguments.extend(["--".to_owned(), self.host.clone()]);
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(Vec<String>, Option<String>)> {
        let address = Address::parse(Path::new(text)).ok()?;
        Some((address.arguments(), address.path().map(str::to_owned)))
    }

    #[test]
    fn addresses_are_what_ssh_takes() {
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let path = |path: &str| Some(path.to_owned());
        assert_eq!(
            parsed("ssh://newpc/srv/pc"),
            Some((strings(&["--", "newpc"]), path("/srv/pc")))
        );
        assert_eq!(
            parsed("ssh://me@newpc:2222/~/old pc"),
            Some((strings(&["-p", "2222", "-l", "me", "--", "newpc"]), path("old pc")))
        );
        assert_eq!(
            parsed("ssh://[fe80::1]:22"),
            Some((strings(&["-p", "22", "--", "fe80::1"]), None))
        );
        assert_eq!(parsed("ssh://newpc/~/"), Some((strings(&["--", "newpc"]), None)));
        for bad in [
            "ssh:newpc",
            "ssh://",
            "ssh:///x",
            "ssh://-oProxyCommand=x/y",
            "ssh://-x@newpc/",
            "ssh://a:99999/",
            "ssh://a b/",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        assert!(Address::is_meant(Path::new("ssh://x")) && !Address::is_meant(Path::new("./ssh:")));
    }
}
