//! The library: the folder in which machines lie beside each other and are called by their names.

use super::folder::behind_sudo;
use super::names;
use crate::error::{Failure, Result};
use std::env;
use std::io;
use std::path::{Path, PathBuf};

/// The variable that says where the library is.
const VARIABLE: &str = "P2V_MACHINES";

/// The library of this user.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    path: PathBuf,
}

impl Library {
    /// `$P2V_MACHINES`, else `p2v/machines` in the user's data folder. It need not exist.
    pub(crate) fn locate() -> Result<Self> {
        if let Some(path) = variable(VARIABLE) {
            let path = std::path::absolute(&path)
                .map_err(|error| Failure::failed(format!("cannot use ${VARIABLE} ({}): {error}", path.display())))?;
            return Ok(Library { path });
        }
        let path = data_folder()?.join("p2v/machines");
        Ok(Library { path })
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folders in it, by name. A library that is not there is empty.
    pub(crate) fn folders(&self) -> Result<Vec<PathBuf>> {
        let failed = |error| Failure::failed(format!("cannot read the library {}: {error}", self.path.display()));
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            // A link that leads nowhere is shown too: it is a machine that is missing.
            if path.is_dir() || path.is_symlink() {
                folders.push(path);
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// The folder for a new machine of exactly this name.
    pub(crate) fn new_folder(&self, name: &str) -> Result<PathBuf> {
        names::check(name).map_err(|why| bad_name(name, why))?;
        let path = self.path.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(
                Failure::refused(format!("there is a machine {name} already, in {}", path.display()))
                    .advice("Choose another name; `p2v list` shows those that are taken."),
            );
        }
        Ok(path)
    }

    /// The folder for a new machine of a name like the first of `wishes` that can be one.
    pub(crate) fn free_folder<'a>(&self, wishes: impl IntoIterator<Item = &'a str>) -> Result<PathBuf> {
        let name = wishes.into_iter().find_map(names::made_safe);
        let name = name.unwrap_or_else(|| "oldpc".to_owned());
        if let Ok(path) = self.new_folder(&name) {
            return Ok(path);
        }
        let numbered = (2..1000).find_map(|number| self.new_folder(&format!("{name}-{number}")).ok());
        numbered.ok_or_else(|| {
            Failure::refused(format!("there are a thousand machines called {name} already"))
                .advice("Choose a name with `--name`.")
        })
    }
}

/// The folder of the machine that a person named: a path if it has a slash or is a folder that exists, else a name in
/// the library.
pub(crate) fn resolve(named: &Path) -> Result<PathBuf> {
    if is_path(named) || named.is_dir() {
        return Ok(named.to_owned());
    }
    let library = Library::locate()?;
    let path = library.path.join(named);
    if path.is_dir() {
        return Ok(path);
    }
    let what = format!(
        "there is no folder {} here, and no machine of that name in {}",
        named.display(),
        library.path.display()
    );
    let there: Vec<String> = library
        .folders()?
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let advice = if there.is_empty() {
        "There are no machines yet. `p2v capture SOURCE` makes one.".to_owned()
    } else {
        format!("There are: {}. `p2v list` says more.", there.join(", "))
    };
    Err(Failure::refused(what).advice(advice))
}

/// The same as an absolute path, for commands that move or remove the folder itself: a link is refused.
pub(crate) fn resolve_place(named: &Path) -> Result<PathBuf> {
    let folder = resolve(named)?;
    if folder.is_symlink() {
        let what = format!("{} is a link to another folder", folder.display());
        return Err(Failure::refused(what).advice("Name the folder that it leads to, by its path."));
    }
    whole(&folder)
}

/// The path of a folder that is there, absolute and without links.
pub(crate) fn whole(folder: &Path) -> Result<PathBuf> {
    folder.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => super::no_folder(folder),
        _ => Failure::failed(format!("cannot find {}: {error}", folder.display())),
    })
}

/// What a person types to mean the machine in `folder`: its name if it is in the library, else its path.
pub(crate) fn called(folder: &Path) -> String {
    let same = |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| Some(a) == b.canonicalize().ok());
    let library = Library::locate().ok();
    let inside = library
        .zip(folder.parent())
        .is_some_and(|(library, parent)| same(&library.path, parent));
    let name = folder.file_name().filter(|_| inside).map(Path::new);
    name.unwrap_or(folder).display().to_string()
}

/// The same as a word of a shell's command line.
pub(crate) fn word(folder: &Path) -> String {
    shell_word(&called(folder))
}

/// `text` as one word of a shell's command line.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ',' | ':' | '@' | '~');
    if !text.is_empty() && !text.starts_with('~') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Whether it can only be a path.
pub(crate) fn is_path(named: &Path) -> bool {
    let text = named.as_os_str().as_encoded_bytes();
    text.contains(&b'/') || matches!(text, b"" | b"." | b"..")
}

/// A name that nothing can have.
pub(crate) fn bad_name(name: &str, why: &str) -> Failure {
    Failure::refused(format!("{name:?} cannot be a name: {why}"))
        .advice("Letters, digits, spaces, `-`, `_` and `.` will do.")
}

/// `$XDG_DATA_HOME`, else `~/.local/share` (XDG Base Directory Specification; relative paths do not count).
pub(crate) fn data_folder() -> Result<PathBuf> {
    if let Some(path) = variable("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
        return Ok(path);
    }
    let home = home().filter(|path| path.is_absolute());
    let home = home.ok_or_else(|| {
        Failure::failed("cannot tell where machines are kept: there is no $HOME").advice(format!(
            "Set ${VARIABLE} to a folder, or give folders instead of names."
        ))
    })?;
    Ok(home.join(".local/share"))
}

/// The home of the person who types: capturing a disk needs `sudo`, but the machine is not root's.
fn home() -> Option<PathBuf> {
    let Some((user, _)) = behind_sudo() else {
        return variable("HOME");
    };
    let known = std::fs::read_to_string("/etc/passwd").ok()?;
    // passwd(5): name, password, UID, GID, comment, home, shell.
    let home = known.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(user)).then(|| PathBuf::from(fields.get(5).copied().unwrap_or_default()))
    });
    home.or_else(|| variable("SUDO_HOME"))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_cut_them() {
        assert_eq!(word(Path::new("/nowhere/oldpc")), "/nowhere/oldpc");
        let far = "ssh://me@newpc:2222/~/oldpc";
        assert_eq!((shell_word(far), shell_word("~")), (far.to_owned(), "'~'".to_owned()));
        assert_eq!(word(Path::new("/nowhere/Dad's PC")), r"'/nowhere/Dad'\''s PC'");
    }

    #[test]
    fn new_machines_get_names_that_are_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let library = Library { path };
        let free = |wishes: &[&str]| {
            let path = library.free_folder(wishes.iter().copied()).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(free(&["//", "DESKTOP 1"]), "DESKTOP-1");
        assert_eq!(free(&[]), "oldpc");
        std::fs::create_dir(folder.path().join("oldpc")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("oldpc-2")).unwrap();
        assert_eq!(free(&[]), "oldpc-3");
        assert!(library.new_folder("oldpc").is_err() && library.new_folder("a/b").is_err());
        assert_eq!(library.folders().unwrap().len(), 2);
    }
}
