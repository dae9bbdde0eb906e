//! `machine.toml` as text: the values as serde writes them, with comments for the person who opens the file.

use super::Machine;

/// Comments above a key: (section, key, text). Section `""` is the top.
pub(super) const COMMENTS: &[(&str, &str, &str)] = &[
    ("", "firmware", "What starts the system: \"bios\" or \"uefi\"."),
    (
        "",
        "cpus",
        "Processors and memory (MiB) of the virtual machine. Change them as you like.",
    ),
    (
        "",
        "rtc",
        "What the clock of the PC shows: \"utc\" (most Linux systems) or \"localtime\" (Windows, DOS).",
    ),
    (
        "",
        "keyboard",
        "Layout that the system expects of its keyboard, for text typed or pasted from outside: \"us\", \"de\", \"fr\" …",
    ),
    (
        "",
        "graphics",
        "Display adapter: \"vga\", or \"cirrus\", for which Windows 95 to XP have a driver with more than 16 colours.",
    ),
    (
        "",
        "identity",
        "What the system sees of the old PC (folder `firmware`): \"shown\" (maker, model, serial numbers, licence tables) or \"hidden\".",
    ),
    (
        "source",
        "[source]",
        "Where the capture came from. For your information only.",
    ),
    (
        "disks",
        "[[disks]]",
        "The disk. `file` is never changed; what the machine writes goes to disk0.now.qcow2.",
    ),
    (
        "disks",
        "model",
        "What the disk calls itself to the guest: at most 40 and 20 ASCII characters.",
    ),
    (
        "disks",
        "controller",
        "The disk controller; this version has \"ide\" only.",
    ),
    (
        "disks",
        "table",
        "Partition table and its identity, by which some systems find their partitions.",
    ),
    (
        "disks.geometry",
        "[disks.geometry]",
        "Geometry that the old PC's BIOS reported; old boot code depends on it. Sizes are in sectors.",
    ),
    (
        "nics",
        "[[nics]]",
        "Network card: its address, which licences and DHCP servers may know.",
    ),
    (
        "systems",
        "[[systems]]",
        "Operating system that was found when the disk was captured. For your information only.",
    ),
];

/// The text of `machine.toml`.
pub(super) fn render(machine: &Machine) -> Result<String, toml::ser::Error> {
    let plain = toml::to_string(machine)?;
    let mut text = String::from("# A PC captured by p2v. `p2v launch` runs what this file describes.\n\n");
    let mut section = "";
    for line in plain.lines() {
        let header = line.starts_with('[').then(|| line.trim_matches(['[', ']']));
        if let Some(name) = header {
            section = name;
        }
        let key = if header.is_some() {
            line
        } else {
            line.split(" =").next().unwrap_or(line)
        };
        for (_, _, comment) in COMMENTS.iter().filter(|(s, k, _)| *s == section && *k == key) {
            text.push_str("# ");
            text.push_str(comment);
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}
