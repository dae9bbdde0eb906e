//! What was set up for the hardware of the old computer alone.

use super::super::edited::{Action, FileChange};
use super::super::finding::{Effect, Finding, Kind};
use super::Linux;
use super::text::words;

/// Files that bind the system to disks by their hardware, and are made again when they are missing.
const REMOVED: [(&str, &str); 4] = [
    (
        "etc/lvm/devices/system.devices",
        "lists the old computer's disks: LVM would take no other, not even the same one in the virtual machine",
    ),
    (
        "etc/lvm/cache/.cache",
        "remembers the old computer's disks; LVM makes it again",
    ),
    ("etc/blkid.tab", "remembers the old computer's disks; it is made again"),
    (
        "etc/blkid/blkid.tab",
        "remembers the old computer's disks; it is made again",
    ),
];
const NET_RULES: &str = "etc/udev/rules.d/70-persistent-net.rules";
const XORG: &str = "etc/X11/xorg.conf";
const XORG_FOLDER: &str = "etc/X11/xorg.conf.d";
/// Drivers of the X server that work with any adapter, and those of adapters that virtual machines have.
const GENERIC: [&str; 7] = ["modesetting", "fbdev", "vesa", "vga", "cirrus", "qxl", "vmware"];
/// What the name of a file that was put aside ends in.
const ASIDE: &str = ".p2v-aside";
const TEXT_LIMIT: u64 = 1 << 20;

/// All edits of this kind.
pub(super) fn edit(linux: &mut Linux<'_>) {
    for (path, why) in REMOVED {
        if let Some((volume, inside)) = linux.tree.find(linux.volumes, path) {
            let edit = linux.edit(path, "the whole file", Some("there"), None, why);
            let change = FileChange {
                volume,
                path: inside,
                action: Action::Remove,
            };
            linux.change(change, edit);
        }
    }
    put_aside(linux, XORG);
    let names = linux.tree.list(linux.volumes, XORG_FOLDER);
    for name in names.iter().filter(|name| name.ends_with(".conf")) {
        put_aside(linux, &format!("{XORG_FOLDER}/{name}"));
    }
    network(linux);
}

/// Gives a file that wants a driver of the old computer's graphics adapter a name that the X server does not read.
fn put_aside(linux: &mut Linux<'_>, path: &str) {
    let Some(bytes) = linux.tree.read(linux.volumes, path, TEXT_LIMIT) else {
        return;
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let Some(driver) = adapter_driver(&text) else {
        return;
    };
    let (Some((volume, inside)), Some((_, name))) = (linux.tree.find(linux.volumes, path), path.rsplit_once('/'))
    else {
        return;
    };
    let name = format!("{name}{ASIDE}");
    let edit = linux.edit(
        path,
        "the file's name",
        Some(path),
        Some(&name),
        &format!(
            "wants the driver \"{driver}\", whose adapter is not there; without it the X server finds its own way"
        ),
    );
    let change = FileChange {
        volume,
        path: inside,
        action: Action::Rename(name),
    };
    linux.change(change, edit);
}

/// The driver in a `Device` section that no virtual machine's adapter works with.
fn adapter_driver(text: &str) -> Option<String> {
    let mut in_device = false;
    for line in text.lines() {
        let words: Vec<&str> = words(line).into_iter().map(|(_, word)| word).collect();
        let keyword = words.first().map(|word| word.to_ascii_lowercase());
        let value = || words.get(1).map(|word| word.trim_matches('"'));
        match keyword.as_deref() {
            Some("section") => in_device = value().is_some_and(|name| name.eq_ignore_ascii_case("device")),
            Some("endsection") => in_device = false,
            Some("driver") if in_device => {
                let driver = value()?.to_ascii_lowercase();
                if !GENERIC.contains(&driver.as_str()) {
                    return Some(driver);
                }
            }
            _ => {}
        }
    }
    None
}

/// Names of network cards that are bound to their addresses: the virtual card gets the same address.
fn network(linux: &mut Linux<'_>) {
    let Some(file) = linux.text(NET_RULES) else {
        return;
    };
    let mut cards = Vec::new();
    for (_, line) in file.lines().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let address = quoted(line, "ATTR{address}").or_else(|| quoted(line, "SYSFS{address}"));
        if let (Some(address), Some(name)) = (address, quoted(line, "NAME")) {
            cards.push((name.to_owned(), address.to_lowercase()));
        }
    }
    for (name, address) in &cards {
        linux.edited.addresses.push(address.clone());
        linux.find(Finding::on_disk(
            Kind::OldHardware,
            Effect::Note,
            0,
            format!("The network card {name} is known by its address {address} (/{NET_RULES})"),
            "The rule stays: the virtual card has the old card's address, and so the same name and settings.",
        ));
    }
}

/// The value of `key=="value"` or `key="value"` in a udev rule.
fn quoted<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let rest = line.match_indices(key).find_map(|(at, _)| {
        let before = line.get(..at)?;
        // `NAME` must not be the end of another word.
        let whole = before.is_empty() || before.ends_with([' ', ',', '\t']);
        let rest = line.get(at.checked_add(key.len())?..)?;
        let rest = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
        whole.then_some(rest)
    })?;
    rest.strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_of_real_adapters_are_found() {
        let config =
            "Section \"InputDevice\"\n Driver \"kbd\"\nEndSection\nSection \"Device\"\n\tDriver \"nvidia\"\nEndSection";
        assert_eq!(adapter_driver(config).as_deref(), Some("nvidia"));
        assert_eq!(adapter_driver(&config.replace("nvidia", "vesa")), None);
    }

    #[test]
    fn rules_of_network_cards() {
        let rule =
            r#"SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="00:1B:63:0a:0b:0c", KERNEL=="eth*", NAME="eth0""#;
        assert_eq!(quoted(rule, "ATTR{address}"), Some("00:1B:63:0a:0b:0c"));
        assert_eq!(quoted(rule, "NAME"), Some("eth0"));
        assert_eq!(quoted("RENAME=\"x\"", "NAME"), None);
    }
}
