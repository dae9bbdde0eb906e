//! Changes of `machine.toml` that `p2v adapt` makes, and takes back: one line each, so that what a person wrote into
//! the file stays.

use super::names::{MACHINE, partial};
use super::{Machine, Nic};
use crate::error::{Failure, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What the addresses of cards that p2v thought up begin with: QEMU's range.
const MADE_UP: &str = "52:54:00:";

/// A line that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setting {
    before: String,
    after: String,
    why: String,
}

/// What should be changed so that the machine's network cards have the addresses that the system's settings depend on:
/// only made-up addresses are replaced, in their order.
pub(crate) fn of_addresses(machine: &Machine, addresses: &[String]) -> Vec<Setting> {
    let line = |mac: &str| format!("mac = \"{mac}\"");
    let has = |address: &String| machine.nics.iter().any(|nic| nic.mac.eq_ignore_ascii_case(address));
    let wanted = addresses.iter().filter(|address| is_address(address) && !has(address));
    let made_up = |nic: &&Nic| nic.mac.starts_with(MADE_UP);
    let cards = machine.nics.iter().filter(made_up);
    let settings = cards.zip(wanted).map(|(nic, address)| Setting {
        before: line(&nic.mac),
        after: line(address),
        why: "the system knows its network card by this address".to_owned(),
    });
    settings.collect()
}

/// Six pairs of hexadecimal digits.
fn is_address(text: &str) -> bool {
    let mut parts = text.split(':');
    let pairs = parts
        .by_ref()
        .take(6)
        .filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
    pairs.count() == 6 && parts.next().is_none()
}

impl Setting {
    /// In words.
    pub(crate) fn text(&self) -> String {
        format!("{MACHINE}: {} → {}\n      {}", self.before, self.after, self.why)
    }
}

/// Makes the changes.
pub(crate) fn apply(folder: &Path, settings: &[Setting]) -> Result<()> {
    let pairs = settings.iter().map(|setting| (&*setting.before, &*setting.after));
    replace(folder, &pairs.collect::<Vec<_>>())
}

/// Takes them back, where they are still there.
pub(crate) fn revert(folder: &Path, settings: &[Setting]) -> Result<()> {
    let pairs = settings.iter().map(|setting| (&*setting.after, &*setting.before));
    replace(folder, &pairs.collect::<Vec<_>>())
}

fn replace(folder: &Path, pairs: &[(&str, &str)]) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let path = folder.join(MACHINE);
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    let lines = text.split_inclusive('\n').map(|line| {
        let pair = pairs.iter().find(|(from, _)| line.trim() == *from);
        pair.map_or_else(|| line.to_owned(), |(from, to)| line.replacen(from, to, 1))
    });
    let changed: String = lines.collect();
    if changed == text {
        return Ok(());
    }
    let unfinished = folder.join(partial(MACHINE));
    let write = || -> io::Result<()> {
        let permissions = fs::metadata(&path)?.permissions();
        let mut file = File::create(&unfinished)?;
        file.write_all(changed.as_bytes())?;
        // File systems without permissions (FAT on a USB stick) may refuse.
        let _ = file.set_permissions(permissions);
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    };
    write().map_err(|error| Failure::target_write(&path, &error))?;
    super::folder::give_away(&path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::sample;

    #[test]
    fn made_up_addresses_give_way_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MACHINE);
        let text = format!("{}# mine\n", sample().to_text().unwrap());
        fs::write(&path, &text).unwrap();
        let wanted = ["00:1b:63:0a:0b:0c".to_owned(), "nonsense".to_owned()];
        let settings = of_addresses(&sample(), &wanted);
        assert_eq!(settings.len(), 1);
        apply(folder.path(), &settings).unwrap();
        let machine = Machine::load(folder.path()).unwrap();
        assert_eq!(machine.nics[0].mac, wanted[0]);
        assert!(of_addresses(&machine, &wanted).is_empty());
        revert(folder.path(), &settings).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn addresses_of_real_cards_stay() {
        let mut machine = sample();
        machine.nics[0].mac = "00:0c:29:00:00:01".to_owned();
        assert!(of_addresses(&machine, &["00:1b:63:0a:0b:0c".to_owned()]).is_empty());
    }
}
