//! The names in a machine folder: every file that p2v makes there, and no other.

use std::ffi::OsStr;

/// What the machine is.
pub(crate) const MACHINE: &str = "machine.toml";
/// The capture of its first disk.
pub(crate) const DISK: &str = "disk0.qcow2";
/// Checksums of the capture.
pub(crate) const CHECKSUMS: &str = "disk0.blake3";
/// What was read and what was not.
pub(crate) const MAP: &str = "disk0.map";
/// What the disk could not read, in words; there only if something was lost.
pub(crate) const LOST: &str = "disk0.lost.txt";
/// What was read late of a failing disk, raw, while it is captured.
pub(crate) const RESCUED: &str = "disk0.rescued";
/// What of a capture is safe, while it is made; another run goes on by it.
pub(crate) const JOURNAL: &str = "disk0.journal";
/// What `p2v adapt` changed.
pub(crate) const ADAPTED: &str = "disk0.adapted.qcow2";
/// The record of that.
pub(crate) const ADAPTED_RECORD: &str = "disk0.adapted.json";
/// The folder with what the old PC's firmware says of it.
pub(crate) const FIRMWARE: &str = "firmware";
/// What the running machine changed.
pub(crate) const NOW: &str = "disk0.now.qcow2";
/// The folder of the sockets of running sessions: there is nothing else in it, and it is there only with them. A machine
/// in its sandbox may remove files here, and nowhere else.
pub(crate) const SOCKETS: &str = "run";
/// Where a running machine listens.
pub(super) const CONTROL_SOCKET: &str = "control.sock";

/// Longest name of a machine or snapshot in bytes; file systems allow 255, and p2v adds to it.
const LONGEST: usize = 100;
/// What stands around a snapshot's name.
const SNAPSHOT: (&str, &str) = ("disk0.snapshot.", ".qcow2");
/// What stands around the process ID in an ephemeral session's control socket.
const EPHEMERAL_SOCKET: (&str, &str) = ("control-", ".sock");

/// The name a file has until it is complete.
pub(crate) fn partial(name: &str) -> String {
    format!("{name}.partial")
}

/// The file of a snapshot. It lies beside the other overlays, so that the name of what is behind it stays right.
pub(crate) fn snapshot_file(name: &str) -> String {
    format!("{}{name}{}", SNAPSHOT.0, SNAPSHOT.1)
}

/// The snapshot that a file holds.
pub(crate) fn snapshot_name(file: &OsStr) -> Option<&str> {
    let name = file.to_str()?.strip_prefix(SNAPSHOT.0)?.strip_suffix(SNAPSHOT.1)?;
    check(name).is_ok().then_some(name)
}

/// The control socket of the ephemeral session that is the process `pid`.
pub(super) fn ephemeral_socket(pid: u32) -> String {
    format!("{}{pid}{}", EPHEMERAL_SOCKET.0, EPHEMERAL_SOCKET.1)
}

/// The process that a control socket of an ephemeral session belongs to.
pub(super) fn ephemeral_pid(file: &OsStr) -> Option<u32> {
    let number = file.to_str()?.strip_prefix(EPHEMERAL_SOCKET.0)?;
    number.strip_suffix(EPHEMERAL_SOCKET.1)?.parse().ok()
}

/// Whether p2v makes files of this name in machine folders, finished or not.
pub(crate) fn is_ours(file: &OsStr) -> bool {
    const FIXED: [&str; 10] = [
        MACHINE,
        DISK,
        CHECKSUMS,
        MAP,
        LOST,
        RESCUED,
        JOURNAL,
        ADAPTED,
        ADAPTED_RECORD,
        NOW,
    ];
    let Some(name) = file.to_str() else { return false };
    // A new overlay has this ending until it is complete (`disk::qcow2::Overlay`).
    let name = name.strip_suffix(".new").unwrap_or(name);
    let name = name.strip_suffix(".partial").unwrap_or(name);
    let nameless = name.strip_prefix(".p2v-").and_then(|rest| rest.strip_suffix(".tmp"));
    FIXED.contains(&name)
        || snapshot_name(OsStr::new(name)).is_some()
        || nameless.is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
}

/// Whether `name` can be that of a machine or snapshot: a file name that no program takes for something else. The
/// error says what is wrong with it.
pub(crate) fn check(name: &str) -> Result<(), &'static str> {
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    if name.is_empty() || name.trim() != name {
        return Err("it is empty, or begins or ends with a space");
    }
    if name.starts_with(['.', '-']) {
        return Err("it begins with a dot or a minus");
    }
    if name.contains(forbidden) {
        return Err("it holds a slash, a backslash, a colon or a control character");
    }
    if name.len() > LONGEST {
        return Err("it is longer than 100 bytes");
    }
    Ok(())
}

/// A name like `wish` that [`check`] accepts and that is easy to type, if anything is left of it.
pub(crate) fn made_safe(wish: &str) -> Option<String> {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut name = String::new();
    for c in wish.chars() {
        if kept(c) {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let mut name = name.trim_start_matches(['.', '-']);
    // Room for a number behind it.
    while name.len() > LONGEST / 2 {
        name = name.char_indices().next_back().map_or("", |(at, _)| &name[..at]);
    }
    let name = name.trim_end_matches(['.', '-']);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn our_files_are_known_and_no_others() {
        for name in [
            "machine.toml",
            "machine.toml.partial",
            "disk0.qcow2.partial",
            "disk0.now.qcow2.new",
            "disk0.adapted.qcow2.partial.new",
            "disk0.snapshot.before games.qcow2",
            "disk0.snapshot.x.qcow2.partial",
            ".p2v-67e55044-10b1-426f-9247-bb680e5fe0c8.tmp",
        ] {
            assert!(is_ours(OsStr::new(name)), "{name}");
        }
        for name in [
            "notes.txt",
            "disk1.qcow2",
            "disk0.snapshot..qcow2",
            "disk0.snapshot.qcow2",
            "run",
            ".p2v-x.tmp",
            "disk0.qcow2.bak",
        ] {
            assert!(!is_ours(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn sessions_are_known_by_their_sockets() {
        assert_eq!(ephemeral_pid(OsStr::new(&ephemeral_socket(4711))), Some(4711));
        for name in ["control.sock", "control-.sock", "control-x.sock"] {
            assert_eq!(ephemeral_pid(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn host_names_and_models_become_names() {
        assert_eq!(made_safe("FAMILY-PC").as_deref(), Some("FAMILY-PC"));
        assert_eq!(made_safe("ST3120026A  (2)").as_deref(), Some("ST3120026A-2"));
        assert_eq!(made_safe("../../etc").as_deref(), Some("etc"));
        assert_eq!(made_safe(" / "), None);
    }

    proptest! {
        #[test]
        fn what_is_made_safe_is_accepted(wish in any::<String>()) {
            if let Some(name) = made_safe(&wish) {
                prop_assert!(check(&name).is_ok() && check(&format!("{name}-1000")).is_ok(), "{name:?}");
            }
        }

        #[test]
        fn snapshots_have_the_name_that_they_were_given(name in any::<String>()) {
            if check(&name).is_ok() {
                let file = snapshot_file(&name);
                prop_assert_eq!(snapshot_name(OsStr::new(&file)), Some(&*name));
                prop_assert!(is_ours(OsStr::new(&file)) && is_ours(OsStr::new(&partial(&file))));
            }
        }
    }
}
