//! Snapshots and reset, judged by qemu-img: what is kept, what comes back, and what a kill at any step leaves.

mod common;

use common::kills::*;
use common::running::*;
use common::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn qemu_img(arguments: &[&str], image: &Path) -> String {
    run(Command::new("qemu-img").args(arguments).arg(image))
}

/// Writes 64 KiB of `byte` at 1 MiB of what the machine sees, as a guest would.
fn write(machine: &Path, byte: u8) {
    let now = machine.join("disk0.now.qcow2");
    if !now.exists() {
        let behind = if machine.join("disk0.adapted.qcow2").exists() {
            "disk0.adapted.qcow2"
        } else {
            "disk0.qcow2"
        };
        qemu_img(&["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", behind], &now);
    }
    let command = format!("write -P {byte} 1M 64k");
    run(Command::new("qemu-io").args(["-c", &command]).arg(&now));
}

/// The byte that [`write`] wrote, in any overlay.
fn written(image: &Path) -> u8 {
    let raw = image.with_extension("raw-for-test");
    run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .args([image, &raw]));
    let bytes = fs::read(&raw).unwrap();
    fs::remove_file(raw).unwrap();
    let part = &bytes[MIB as usize..][..64 << 10];
    assert!(part.iter().all(|byte| *byte == part[0]));
    assert_eq!(bytes[510..512], [0x55, 0xAA], "the capture does not show through");
    part[0]
}

/// qemu-img finds nothing wrong with any overlay, and opens the chain behind each.
fn sound(machine: &Path) {
    for name in names(machine).iter().filter(|name| name.ends_with(".qcow2")) {
        let image = machine.join(name);
        qemu_img(&["check", "-q"], &image);
        let chain = qemu_img(&["info", "--backing-chain", "--output=json"], &image);
        let chain: serde_json::Value = serde_json::from_str(&chain).unwrap();
        let last = chain.as_array().unwrap().last().unwrap();
        assert!(last["filename"].as_str().unwrap().ends_with("/disk0.qcow2"), "{last}");
    }
}

/// The command with the folder put in after its first words (one, or two for `snapshot`).
fn command(words: &[&str], machine: &Path) -> Vec<String> {
    let head = if words[0] == "snapshot" { 2 } else { 1 };
    let (before, after) = words.split_at(head);
    let folder = machine.to_str().unwrap();
    before
        .iter()
        .copied()
        .chain([folder])
        .chain(after.iter().copied())
        .map(str::to_owned)
        .collect()
}

fn p2v_on(machine: &Path, words: &[&str]) -> Command {
    let all = command(words, machine);
    let mut command = p2v(&all[0]);
    command.args(&all[1..]);
    command
}

fn base(folder: &Path) -> PathBuf {
    let machine = machine(folder);
    qemu_img(
        &["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "disk0.qcow2"],
        &machine.join("disk0.adapted.qcow2"),
    );
    machine
}

#[test]
fn states_are_kept_come_back_and_do_not_depend_on_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let machine = base(folder.path());
    let (now, untouched) = (machine.join("disk0.now.qcow2"), ["disk0.qcow2", "disk0.adapted.qcow2"]);
    let sums = || untouched.map(|name| sha256(&machine.join(name)));
    let before = sums();
    refused(
        &mut p2v_on(&machine, &["snapshot", "create", "x"]),
        &["written nothing"],
    );
    refused(
        &mut p2v_on(&machine, &["snapshot", "restore", "x"]),
        &["no snapshot x", "has none"],
    );

    write(&machine, 1);
    run(&mut p2v_on(&machine, &["snapshot", "create", "one"]));
    write(&machine, 2);
    run(&mut p2v_on(&machine, &["snapshot", "create", "number two"]));
    write(&machine, 3);
    refused(&mut p2v_on(&machine, &["snapshot", "create", "one"]), &["already"]);
    refused(&mut p2v_on(&machine, &["snapshot", "create", "a/b"]), &["slash"]);
    refused(
        &mut p2v_on(&machine, &["snapshot", "restore", "three"]),
        &["one, number two"],
    );
    sound(&machine);
    let listed: serde_json::Value =
        serde_json::from_str(&run(&mut p2v_on(&machine, &["snapshot", "list", "--json"]))).unwrap();
    assert_eq!(listed[0]["name"], "one");
    assert_eq!(listed[1]["on"], "disk0.adapted.qcow2");
    let text = run(&mut p2v_on(&machine, &["snapshot", "list"]));
    assert!(text.contains("number two") && text.contains("adapted"), "{text}");

    refused(
        &mut p2v_on(&machine, &["snapshot", "restore", "one"]),
        &["lost", "--yes"],
    );
    assert_eq!(written(&now), 3);
    run(&mut p2v_on(&machine, &["snapshot", "restore", "one", "--yes"]));
    assert_eq!(written(&now), 1);
    write(&machine, 4);
    assert_eq!(written(&machine.join("disk0.snapshot.one.qcow2")), 1);
    refused(&mut p2v_on(&machine, &["snapshot", "delete", "one"]), &["--yes"]);
    run(&mut p2v_on(&machine, &["snapshot", "delete", "one", "--yes"]));
    run(&mut p2v_on(&machine, &["snapshot", "restore", "number two", "--yes"]));
    assert_eq!(written(&now), 2);
    sound(&machine);

    refused(&mut p2v_on(&machine, &["reset"]), &["lost", "--yes"]);
    run(&mut p2v_on(&machine, &["reset", "--yes"]));
    assert!(!now.exists());
    assert!(run(&mut p2v_on(&machine, &["reset"])).contains("nothing to reset"));
    // Without a state that could be lost nobody is asked.
    run(&mut p2v_on(&machine, &["snapshot", "restore", "number two"]));
    assert_eq!(written(&now), 2);
    assert_eq!(sums(), before);
}

#[test]
fn a_restored_machine_runs_and_a_snapshot_holds_the_adapted_disk() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    ends(launch(&machine, &[]), &machine);
    run(&mut p2v_on(&machine, &["snapshot", "create", "captured"]));
    let said = errors(&start(&mut p2v_on(&machine, &["adapt"])));
    assert!(said.contains("p2v reset"), "{said}");
    run(&mut p2v_on(&machine, &["reset", "--yes"]));
    let adapted = machine.join("disk0.adapted.qcow2");
    qemu_img(
        &["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "disk0.qcow2"],
        &adapted,
    );
    ends(launch(&machine, &[]), &machine);
    run(&mut p2v_on(&machine, &["snapshot", "create", "adapted"]));

    // A state from before the adaptation starts on the capture.
    run(&mut p2v_on(&machine, &["snapshot", "restore", "captured", "--yes"]));
    ends(launch(&machine, &[]), &machine);
    ends(launch(&machine, &["--ephemeral"]), &machine);
    let info = qemu_img(&["info"], &machine.join("disk0.now.qcow2"));
    assert!(info.contains("backing file: disk0.qcow2"), "{info}");
    run(&mut p2v_on(&machine, &["snapshot", "restore", "adapted", "--yes"]));
    ends(launch(&machine, &[]), &machine);
    run(&mut p2v_on(&machine, &["reset", "--yes"]));
    sound(&machine);

    refused(
        &mut p2v_on(&machine, &["adapt", "--undo"]),
        &["lie on the adapted disk: adapted"],
    );
    assert!(adapted.exists());
    run(&mut p2v_on(&machine, &["snapshot", "delete", "adapted", "--yes"]));
    run(&mut p2v_on(&machine, &["adapt", "--undo"]));
    assert!(!adapted.exists());
    sound(&machine);
}

#[test]
fn what_cannot_be_read_is_no_snapshot_but_can_be_reset() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let now = machine.join("disk0.now.qcow2");
    fs::write(&now, "QFI\u{fb} no image").unwrap();
    for words in [&["snapshot", "create", "x"][..], &["launch", "--headless"]] {
        let output = start(&mut p2v_on(&machine, words));
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    }
    fs::write(machine.join("disk0.snapshot.bad.qcow2"), "no image").unwrap();
    let output = start(&mut p2v_on(&machine, &["snapshot", "restore", "bad", "--yes"]));
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(run(&mut p2v_on(&machine, &["snapshot", "list"])).contains("unreadable"));
    run(&mut p2v_on(&machine, &["snapshot", "delete", "bad", "--yes"]));
    run(&mut p2v_on(&machine, &["reset", "--yes"]));
    assert!(!now.exists());
}

#[test]
fn a_full_disk_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let machine = base(folder.path());
    write(&machine, 1);
    let now = machine.join("disk0.now.qcow2");
    run(Command::new("qemu-io").args(["-c", "write -P 7 2M 5M"]).arg(&now));
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let script = "mount -t tmpfs -o size=9m tmpfs \"$2\"; cp -a \"$1\" \"$2\"; cd \"$2/oldpc\"; ls > ../before; \
                  code=0; \"$3\" snapshot create . x --quiet || code=$?; ls | diff ../before -; \
                  qemu-img check -q disk0.now.qcow2; exit $code";
    let output = start(
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-euc", script, "sh"])
            .args([&machine, &small])
            .arg(env!("CARGO_BIN_EXE_p2v")),
    );
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("p2v snapshot delete"), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// Runs the command on copies of `machine`, killed before each of its steps. Whatever is left must be sound and of the
/// old or the new state, and the same command must then lead to the new state, or say that it has been reached.
fn killed_at_every_step(machine: &Path, words: &[&str], state: impl Fn(&Path) -> Option<u8>, new: Option<u8>) -> usize {
    let old = state(machine);
    let capture = ["disk0.qcow2", "disk0.adapted.qcow2"];
    let sums = |folder: &Path| capture.map(|name| sha256(&folder.join(name)));
    let before = sums(machine);
    let folder = tempfile::tempdir().unwrap();
    at_every_step(|killed, step| {
        let copy = folder.path().join(step);
        run(Command::new("cp").arg("-a").args([machine, &copy]));
        if !was_killed(killed.args(command(words, &copy))) {
            assert_eq!(state(&copy), new);
            return false;
        }
        sound(&copy);
        let left = state(&copy);
        assert!(left == old || left == new, "{step} left {left:?}");
        let again = start(&mut p2v_on(&copy, words));
        let done = [Some(0), Some(3)].contains(&again.status.code());
        assert!(done, "{step}: {}", errors(&again));
        assert_eq!(state(&copy), new, "{step}: {}", errors(&again));
        // Refused is only what is done already; then the next command tidies up.
        run(&mut p2v_on(&copy, &["reset", "--yes"]));
        assert!(!names(&copy).iter().any(|name| name.contains("partial")), "{step}");
        assert_eq!(sums(&copy), before, "{step}");
        sound(&copy);
        fs::remove_dir_all(copy).unwrap();
        true
    })
}

#[test]
fn a_kill_at_any_step_leaves_the_old_state_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let machine = base(folder.path());
    write(&machine, 1);
    let content = |name: &'static str| {
        move |folder: &Path| {
            let image = folder.join(name);
            image.exists().then(|| written(&image))
        }
    };
    let (now, kept) = (content("disk0.now.qcow2"), content("disk0.snapshot.kept.qcow2"));
    let mut kills = vec![killed_at_every_step(
        &machine,
        &["snapshot", "create", "kept"],
        kept,
        Some(1),
    )];
    run(&mut p2v_on(&machine, &["snapshot", "create", "kept"]));
    write(&machine, 2);
    let restore = ["snapshot", "restore", "kept", "--yes"];
    kills.push(killed_at_every_step(&machine, &restore, now, Some(1)));
    let delete = ["snapshot", "delete", "kept", "--yes"];
    kills.push(killed_at_every_step(&machine, &delete, kept, None));
    kills.push(killed_at_every_step(&machine, &["reset", "--yes"], now, None));
    // The copy, its permissions, two syncs and the rename are steps at least.
    assert!(kills[0] > 8 && kills[1] > 8, "{kills:?}");
    assert!(kills[2] > 2 && kills[3] > 2, "{kills:?}");
}
