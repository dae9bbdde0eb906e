//! Another name for a machine: its folder's, and the one in `machine.toml`.

use super::names::{MACHINE, partial};
use super::{FolderLock, Machine, folder::give_away};
use crate::error::{Failure, Result};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Renames the machine in `from` to `to`, which must not exist. The name in `machine.toml` changes first: if p2v dies
/// in between, the same command completes what it began.
pub(crate) fn rename(from: &Path, to: &Path, name: &str, _lock: &FolderLock) -> Result<()> {
    let before = Machine::load(from)?.name;
    set_name(from, name)?;
    let moved = || match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems without this: a folder takes the place of nothing but an empty folder.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
        other => Ok(other?),
    };
    if let Err(error) = moved() {
        let _ = set_name(from, &before);
        return Err(Failure::failed(format!(
            "cannot rename {} to {}: {error}",
            from.display(),
            to.display()
        )));
    }
    let folder = to.parent().filter(|path| !path.as_os_str().is_empty());
    let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Failure::target_write(to, &error))
}

/// Replaces the line of the name; what a person wrote into the file stays.
fn set_name(folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(MACHINE);
    let machine = Machine::load(folder)?;
    if machine.name == name {
        return Ok(());
    }
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    let changed = with_name(&text, name);
    let wanted = Machine {
        name: name.to_owned(),
        ..machine
    };
    if toml::from_str::<Machine>(&changed).ok().as_ref() != Some(&wanted) {
        return Err(
            Failure::refused(format!("cannot find the line `name = …` in {}", path.display()))
                .advice("Put the name on a line of its own at the top of that file, then try again."),
        );
    }
    let unfinished = folder.join(partial(MACHINE));
    let write = || -> io::Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(changed.as_bytes())?;
        // File systems without permissions (FAT on a USB stick) may refuse.
        let _ = file.set_permissions(fs::metadata(&path)?.permissions());
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| Failure::target_write(&path, &error))?;
    give_away(&path);
    Ok(())
}

/// The text with another value on the line of the name, which stands above all sections.
fn with_name(text: &str, name: &str) -> String {
    let is_name = |line: &str| {
        let rest = line.trim_start().strip_prefix("name");
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut at = 0;
    let mut found = None;
    for line in text
        .split_inclusive('\n')
        .take_while(|line| !line.trim_start().starts_with('['))
    {
        if is_name(line) {
            found = Some((at, line));
            break;
        }
        at += line.len();
    }
    let Some((at, line)) = found else {
        return text.to_owned();
    };
    let end = if line.ends_with("\r\n") {
        "\r\n"
    } else if line.ends_with('\n') {
        "\n"
    } else {
        ""
    };
    let value = toml::Value::String(name.to_owned());
    let (before, rest) = text.split_at(at);
    let after = rest.strip_prefix(line).unwrap_or_default();
    format!("{before}name = {value}{end}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::sample;

    #[test]
    fn only_the_name_changes_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MACHINE);
        let text = format!(
            "# name = \"no\"\n# mine\n{}# name = \"no\"\n",
            sample().to_text().unwrap()
        );
        fs::write(&path, &text).unwrap();
        for name in ["new", "with \"quotes\" and \\", "é # = ["] {
            set_name(folder.path(), name).unwrap();
            assert_eq!(Machine::load(folder.path()).unwrap().name, name);
        }
        set_name(folder.path(), &sample().name).unwrap();
        let (old, new) = (text, fs::read_to_string(&path).unwrap());
        assert_eq!(old.lines().count(), new.lines().count());
        let different = old.lines().zip(new.lines()).filter(|(old, new)| old != new);
        assert!(different.count() <= 1);
    }

    #[test]
    fn a_name_that_is_not_found_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let text = sample().to_text().unwrap().replace("name = ", "\"name\" = ");
        fs::write(folder.path().join(MACHINE), &text).unwrap();
        assert!(set_name(folder.path(), "new").is_err());
        assert_eq!(fs::read_to_string(folder.path().join(MACHINE)).unwrap(), text);
    }
}
