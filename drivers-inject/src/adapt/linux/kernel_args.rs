//! Kernel arguments that name a disk: `root=/dev/sda1`, `resume=/dev/sda5`, wherever they stand.

use super::names::{self, Mention, Names};
use std::ops::Range;

/// Arguments whose value is a device, by the kernel, initramfs-tools, dracut, mkinitcpio and genkernel; `RESUME` is a
/// setting of initramfs-tools.
const KEYS: [&str; 6] = ["root", "resume", "RESUME", "real_root", "crypt_root", "cryptdevice"];

/// An argument and its value, which ends at a space, a quote or a colon.
struct Argument<'t> {
    key: &'static str,
    value: Range<usize>,
    text: &'t str,
}

/// The arguments of a line that may name a disk.
fn arguments(line: &str) -> Vec<Argument<'_>> {
    let mut found = Vec::new();
    for key in KEYS {
        for (at, _) in line.match_indices(key) {
            let starts = line.get(..at).is_some_and(|before| {
                before.is_empty()
                    || before.ends_with(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '='))
            });
            let start = at.saturating_add(key.len());
            let Some(rest) = line.get(start..).and_then(|rest| rest.strip_prefix('=')) else {
                continue;
            };
            let end = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | ':' | ';');
            // `UUID="…"` and names by PCI path have such characters, but they are not looked for.
            let text = rest.get(..rest.find(end).unwrap_or(rest.len())).unwrap_or_default();
            let start = start.saturating_add(1);
            if starts {
                found.push(Argument {
                    key,
                    value: start..start.saturating_add(text.len()),
                    text,
                });
            }
        }
    }
    found.sort_by_key(|argument| argument.value.start);
    found
}

/// The names of disks in a line.
pub(super) fn mentions(line: &str) -> Vec<Mention> {
    let mention = |argument: Argument<'_>| {
        Some(Mention {
            name: names::parse(argument.text)?,
            is_root: matches!(argument.key, "root" | "real_root"),
            is_boot: false,
            kind: argument.key.eq_ignore_ascii_case("resume").then(|| "swap".to_owned()),
            point: None,
        })
    };
    arguments(line).into_iter().filter_map(mention).collect()
}

/// The value of the last `root=` of a line.
pub(super) fn root_of(line: &str) -> Option<&str> {
    let roots = arguments(line).into_iter().filter(|argument| argument.key == "root");
    roots.map(|argument| argument.text).next_back()
}

/// The line with UUIDs in the place of this disk's names; `None` if nothing changes. Without an initramfs only the
/// kernel itself looks for its root, and it knows partitions' UUIDs alone.
pub(super) fn rewrite(line: &str, names: &Names<'_>, has_initramfs: bool) -> Option<String> {
    let mut changed = line.to_owned();
    for argument in arguments(line).into_iter().rev() {
        let Some(name) = names::parse(argument.text) else {
            continue;
        };
        let uuid = match has_initramfs {
            true => names.uuid(&name).or_else(|| names.part_uuid(&name)),
            false => names.part_uuid(&name),
        };
        if let Some(uuid) = uuid {
            changed.replace_range(argument.value, &uuid);
        }
    }
    (changed != line).then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_found_wherever_they_stand() {
        let found = |line: &str| -> Vec<String> {
            let words = arguments(line).into_iter();
            words.map(|a| format!("{} {}", a.key, a.text)).collect()
        };
        assert_eq!(found("linux /vmlinuz root=/dev/sda1 ro"), ["root /dev/sda1"]);
        assert_eq!(
            found("GRUB_CMDLINE_LINUX=\"resume=/dev/sda5 quiet\""),
            ["resume /dev/sda5"]
        );
        assert_eq!(found("# kopt=root=/dev/hda1 ro"), ["root /dev/hda1"]);
        assert_eq!(found("set root='hd0,msdos1'"), ["root "]);
        assert_eq!(found("cryptdevice=/dev/sda2:home"), ["cryptdevice /dev/sda2"]);
        assert!(found("chroot=/dev/sda1 groot=(hd0,0) root (hd0,0)").is_empty());
        assert_eq!(root_of("root=/dev/a root=UUID=1-2"), Some("UUID=1-2"));
    }
}
