//! Another PC as the place for the copy: what is typed for it, and what that means.

use super::events::Target;
use super::input::Line;
use crate::capture::store::Address;
use std::path::Path;

/// A line of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Pc,
    User,
    Folder,
}

impl Field {
    pub(super) const ALL: [Field; 3] = [Field::Pc, Field::User, Field::Folder];

    /// The next line; the last one has none.
    pub(super) fn next(self) -> Option<Field> {
        match self {
            Field::Pc => Some(Field::User),
            Field::User => Some(Field::Folder),
            Field::Folder => None,
        }
    }

    /// The line before; the first one stays.
    pub(super) fn previous(self) -> Field {
        match self {
            Field::Folder => Field::User,
            Field::User | Field::Pc => Field::Pc,
        }
    }

    /// What stands before it, and what is said of it.
    pub(super) fn texts(self) -> (&'static str, &'static str) {
        match self {
            Field::Pc => ("PC", "its name or address, like newpc or 192.168.1.20"),
            Field::User => ("User", "the name to log in with there"),
            Field::Folder => ("Folder", "~ is the home folder there; empty: among p2v's machines"),
        }
    }
}

/// What was typed so far.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) pc: Line,
    pub(super) user: Line,
    pub(super) folder: Line,
    /// Where typing goes.
    pub(super) field: Field,
}

impl Default for Form {
    fn default() -> Self {
        Form {
            pc: Line::default(),
            user: Line::default(),
            folder: Line::default(),
            field: Field::Pc,
        }
    }
}

impl Form {
    pub(super) fn line(&self, field: Field) -> &Line {
        match field {
            Field::Pc => &self.pc,
            Field::User => &self.user,
            Field::Folder => &self.folder,
        }
    }

    /// The line that is typed in.
    pub(super) fn typed_in(&mut self) -> &mut Line {
        match self.field {
            Field::Pc => &mut self.pc,
            Field::User => &mut self.user,
            Field::Folder => &mut self.folder,
        }
    }

    /// The place that is meant, or what is wrong with it, and in which line.
    pub(super) fn place(&self) -> Result<FarPlace, (Field, String)> {
        let wrong = |field: Field, why: &str| Err((field, why.to_owned()));
        let pc = self.pc.text().trim();
        let pc = pc.strip_prefix("ssh://").unwrap_or(pc).trim_end_matches('/');
        let (named, host) = pc.rsplit_once('@').unwrap_or(("", pc));
        let user = Some(self.user.text().trim())
            .filter(|user| !user.is_empty())
            .unwrap_or(named);
        if host.is_empty() {
            return wrong(Field::Pc, "Type the other PC's name or its address.");
        }
        if host.contains('/') {
            return wrong(
                Field::Pc,
                "That is no name of a PC. The folder stands in a line of its own.",
            );
        }
        if user.is_empty() {
            return wrong(Field::User, "Type the name with which you log in on the other PC.");
        }
        if user.contains('/') {
            return wrong(Field::User, "That is no name of a user.");
        }
        // An IPv6 address without its brackets.
        let host = if host.matches(':').count() > 1 && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let url = format!("ssh://{user}@{host}");
        let address = Address::parse(Path::new(&url)).map_err(|failure| {
            let why = failure.what().rsplit(": ").next().unwrap_or_default();
            (Field::Pc, format!("That cannot be reached: {why}."))
        })?;
        let folder = self.folder.text().trim();
        let root = match folder.trim_end_matches('/') {
            "" if folder.is_empty() => Root::Library,
            "" => Root::Folder("/".to_owned()),
            "~" => Root::Folder("/~/".to_owned()),
            inside if inside.starts_with("~/") => Root::Folder(format!("/{inside}/")),
            other if other.starts_with('~') => {
                return wrong(
                    Field::Folder,
                    "Only your own home folder can be written as ~, like ~/copies.",
                );
            }
            absolute if absolute.starts_with('/') => Root::Folder(format!("{absolute}/")),
            inside => Root::Folder(format!("/~/{inside}/")),
        };
        Ok(FarPlace {
            host: address.host().to_owned(),
            url,
            root,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Root {
    /// p2v's own folder there.
    Library,
    /// The path of a folder as it stands in an address, with slashes at both ends.
    Folder(String),
}

/// A folder of another PC, in which the machine's folder is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FarPlace {
    /// The PC, for sentences.
    pub(super) host: String,
    url: String,
    root: Root,
}

impl FarPlace {
    /// For sentences: `on newpc, in ~/copies`.
    pub(super) fn at(&self) -> String {
        let host = &self.host;
        match &self.root {
            Root::Library => format!("on {host}, among p2v's machines"),
            Root::Folder(folder) if folder == "/~/" => format!("on {host}, in the home folder"),
            Root::Folder(folder) if folder == "/" => format!("on {host}, in /"),
            Root::Folder(folder) => {
                let folder = folder.trim_end_matches('/');
                format!(
                    "on {host}, in {}",
                    folder
                        .strip_prefix("/~/")
                        .map_or(folder.to_owned(), |inside| format!("~/{inside}"))
                )
            }
        }
    }

    /// Whether it is the library there, in which machines are known by their names.
    pub(super) fn is_library(&self) -> bool {
        self.root == Root::Library
    }

    /// What `p2v capture` is told for a machine of that name.
    pub(super) fn target(&self, name: &str) -> Target {
        match &self.root {
            Root::Library => Target::Far {
                output: self.url.clone(),
                name: Some(name.to_owned()),
            },
            Root::Folder(folder) => Target::Far {
                output: format!("{}{folder}{name}", self.url),
                name: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(pc: &str, user: &str, folder: &str) -> Form {
        Form {
            pc: Line::new(pc),
            user: Line::new(user),
            folder: Line::new(folder),
            field: Field::Pc,
        }
    }

    #[test]
    fn what_is_typed_becomes_an_address() {
        for (pc, user, folder, output, named, at) in [
            (
                "newpc",
                "me",
                "~",
                "ssh://me@newpc/~/oldpc",
                false,
                "on newpc, in the home folder",
            ),
            (
                "newpc",
                "me",
                "~/a b/",
                "ssh://me@newpc/~/a b/oldpc",
                false,
                "on newpc, in ~/a b",
            ),
            (
                " newpc:2222 ",
                "me",
                "copies",
                "ssh://me@newpc:2222/~/copies/oldpc",
                false,
                "on newpc, in ~/copies",
            ),
            (
                "ssh://me@newpc/",
                "",
                "/srv/pc",
                "ssh://me@newpc/srv/pc/oldpc",
                false,
                "on newpc, in /srv/pc",
            ),
            (
                "fe80::1%eth0",
                "me",
                "/",
                "ssh://me@[fe80::1%eth0]/oldpc",
                false,
                "on fe80::1%eth0, in /",
            ),
            (
                "192.168.1.20",
                "me",
                "",
                "ssh://me@192.168.1.20",
                true,
                "on 192.168.1.20, among p2v's machines",
            ),
        ] {
            let place = form(pc, user, folder).place().unwrap();
            assert_eq!(place.at(), at);
            assert_eq!(place.is_library(), named);
            let name = named.then(|| "oldpc".to_owned());
            assert_eq!(
                place.target("oldpc"),
                Target::Far {
                    output: output.to_owned(),
                    name
                }
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        for (pc, user, folder, field, words) in [
            (" ", "me", "", Field::Pc, "name or its address"),
            ("newpc/srv", "me", "", Field::Pc, "a line of its own"),
            ("newpc:70000", "me", "", Field::Pc, "the port is no number up to 65535"),
            ("-oProxyCommand=x", "me", "", Field::Pc, "begins with a minus"),
            ("newpc", "", "", Field::User, "with which you log in"),
            ("newpc", "me/x", "", Field::User, "no name of a user"),
            ("newpc", "me", "~you/x", Field::Folder, "like ~/copies"),
        ] {
            let (where_, why) = form(pc, user, folder).place().unwrap_err();
            assert_eq!(where_, field);
            assert!(why.contains(words), "{why}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_an_address(pc in "\\PC{0,12}", user in "\\PC{0,8}", folder in "\\PC{0,12}") {
            if let Ok(place) = form(&pc, &user, &folder).place() {
                let Target::Far { output, .. } = place.target("oldpc") else { unreachable!() };
                prop_assert!(Address::parse(Path::new(&output)).is_ok(), "{}", output);
            }
        }
    }
}
