//! What the old PC's firmware says of it: saved with a capture, and shown to what is launched. The PC is made up:
//! `P2V_SYS_FIRMWARE` stands for its `/sys/firmware`, `P2V_OWN_DISK` for a disk that is built in.

mod common;

use common::kills::{at_steps, was_killed};
use common::running::{names, refused, until};
use common::*;
use p2v_tests::old_pc;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ALL: [&str; 5] = ["MSDM", "SLIC", "dmi", "efivars.json", "smbios_entry_point"];
const BOOT_ORDER: &str = "BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// A PC with a disk of `mib` MiB.
struct Pc {
    disk: PathBuf,
    firmware: PathBuf,
}

impl Pc {
    fn new(folder: &Path, mib: u64) -> Self {
        let pc = Pc {
            disk: folder.join("disk.img"),
            firmware: folder.join("sys-firmware"),
        };
        File::create(&pc.disk).unwrap().set_len(mib * MIB).unwrap();
        for at in 0..mib {
            put(&pc.disk, at * MIB, &noise(at + 1, MIB as usize));
        }
        old_pc::write(&pc.firmware).unwrap();
        let variables = pc.firmware.join("efi/efivars");
        fs::create_dir_all(&variables).unwrap();
        fs::write(variables.join(BOOT_ORDER), [7, 0, 0, 0, 1, 0, 0, 0]).unwrap();
        pc
    }

    /// In this PC the disk is built in.
    fn inside(&self, command: &mut Command) {
        command
            .env("P2V_SYS_FIRMWARE", &self.firmware)
            .env("P2V_OWN_DISK", &self.disk);
    }

    fn capture(&self, output: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = p2v("capture");
        self.inside(&mut command);
        command.arg(&self.disk).arg("-o").arg(output).arg("--json");
        command
    }

    /// The folder of `machine` holds what this PC's firmware says, byte for byte, for those who may read the disk.
    fn is_saved_in(&self, machine: &Path) {
        let folder = machine.join("firmware");
        assert_eq!(names(&folder), ALL);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let image = [machine.join("disk0.qcow2"), machine.join("disk0.qcow2.partial")];
        let image = mode(image.iter().find(|image| image.exists()).unwrap()) & 0o444;
        for (saved, shown) in [
            ("smbios_entry_point", "dmi/tables/smbios_entry_point"),
            ("dmi", "dmi/tables/DMI"),
            ("SLIC", "acpi/tables/SLIC"),
            ("MSDM", "acpi/tables/MSDM"),
        ] {
            let (saved, shown) = (folder.join(saved), self.firmware.join(shown));
            assert_eq!(fs::read(&saved).unwrap(), fs::read(shown).unwrap());
            assert_eq!(mode(&saved), image);
        }
        let variables: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("efivars.json")).unwrap()).unwrap();
        assert_eq!(variables["variables"][0]["name"], "BootOrder");
        assert_eq!(variables["variables"][0]["data"], "01000000");
    }
}

#[test]
fn it_is_saved_only_if_the_disk_is_in_its_pc_and_goes_with_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let pc = Pc::new(folder.path(), 4);
    let (here, elsewhere, image) = (
        folder.path().join("here"),
        folder.path().join("elsewhere"),
        folder.path().join("image"),
    );
    let output = start(
        p2v("capture")
            .arg(&pc.disk)
            .arg("-o")
            .arg(&here)
            .arg("--dry-run")
            .envs([("P2V_SYS_FIRMWARE", &pc.firmware), ("P2V_OWN_DISK", &pc.disk)]),
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Firmware SMBIOS, SLIC, MSDM, UEFI variables\n"), "{text}");
    run(&mut pc.capture(&here));
    pc.is_saved_in(&here);
    judge(&pc.disk, &here);

    run(pc.capture(&elsewhere).arg("--from-other-pc"));
    run(pc.capture(&image).env_remove("P2V_OWN_DISK"));
    for machine in [&elsewhere, &image] {
        assert!(!machine.join("firmware").exists(), "{:?}", names(machine));
    }

    // An update from another PC is still of the same PC's disk.
    let later = folder.path().join("later");
    run(pc.capture(&later).args(["--from-other-pc", "--update"]).arg(&here));
    pc.is_saved_in(&later);
    run(p2v("remove").arg(&later).arg("--yes"));

    let foreign = here.join("firmware/notes.txt");
    fs::write(&foreign, "mine").unwrap();
    refused(p2v("remove").arg(&here).arg("--yes"), &["firmware/notes.txt"]);
    pc.is_saved_with(&here, "notes.txt");
    fs::remove_file(foreign).unwrap();
    run(p2v("remove").arg(&here).arg("--yes"));
    assert!(!here.exists());
}

impl Pc {
    fn is_saved_with(&self, machine: &Path, other: &str) {
        let mut all = ALL.to_vec();
        all.push(other);
        let mut found = names(&machine.join("firmware"));
        found.sort();
        all.sort_unstable();
        assert_eq!(found, all);
        assert!(machine.join("machine.toml").exists() && self.disk.exists());
    }
}

#[test]
fn what_cannot_be_read_is_told_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pc = Pc::new(folder.path(), 4);
    let slic = pc.firmware.join("acpi/tables/SLIC");
    fs::remove_file(&slic).unwrap();
    // Reading it fails, also for root.
    fs::create_dir(&slic).unwrap();
    fs::remove_file(pc.firmware.join("efi/efivars").join(BOOT_ORDER)).unwrap();
    let machine = folder.path().join("oldpc");
    let output = start(&mut pc.capture(&machine));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(names(&machine.join("firmware")), ["MSDM", "dmi", "smbios_entry_point"]);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let missing = result["firmware_missing"].as_array().unwrap();
    assert_eq!(missing.len(), 2, "{result}");
    for word in ["acpi/tables/SLIC", "mount -t efivarfs -o ro"] {
        assert!(said.contains(word) && result.to_string().contains(word), "{said}");
    }
}

#[test]
fn it_arrives_at_another_computer() {
    let folder = tempfile::tempdir().unwrap();
    let pc = Pc::new(folder.path(), 4);
    let other = other_pc(folder.path());
    let machine = folder.path().join("far");
    let output = format!("ssh://newpc{}", machine.display());
    run(pc.capture(&output).args(other.arguments()));
    pc.is_saved_in(&machine);
    judge(&pc.disk, &machine);
}

/// Starts a capture and kills it when some of it is safe.
fn killed(pc: &Pc, output: &str, machine: &Path, more: &[std::ffi::OsString]) {
    let mut command = pc.capture(output);
    command.args(more).args(["--level", "15"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let journal = machine.join("disk0.journal");
    let size = || fs::metadata(&journal).map_or(0, |journal| journal.len());
    until("there is no journal", || size() > 0);
    let begun = size();
    until("nothing is safe", || size() > begun);
    assert!(
        child.try_wait().unwrap().is_none(),
        "the capture was finished too early"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!machine.join("machine.toml").exists());
}

#[test]
fn a_capture_that_goes_on_in_another_pc_keeps_what_the_first_one_said() {
    let folder = tempfile::tempdir().unwrap();
    let pc = Pc::new(folder.path(), 100);
    let other = other_pc(folder.path());
    let (here, far) = (folder.path().join("here"), folder.path().join("far"));
    for (machine, output, more) in [
        (&here, here.display().to_string(), Vec::new()),
        (
            &far,
            format!("ssh://newpc{}", far.display()),
            Vec::from(other.arguments()),
        ),
    ] {
        killed(&pc, &output, machine, &more);
        pc.is_saved_in(machine);
        // The old PC has died; the disk hangs in another one, whose firmware says something else.
        let stranger = folder.path().join("stranger");
        old_pc::write(&stranger).unwrap();
        fs::write(stranger.join("acpi/tables/SLIC"), "another").unwrap();
        let mut go_on = pc.capture(&output);
        go_on.env("P2V_SYS_FIRMWARE", &stranger).args(&more);
        run(&mut go_on);
        pc.is_saved_in(machine);
        judge(&pc.disk, machine);
    }
    // Without `--restart`'s say-so nothing of it goes.
    let third = folder.path().join("third");
    killed(&pc, &third.display().to_string(), &third, &[]);
    run(pc.capture(&third).args(["--restart", "--from-other-pc"]));
    assert!(!third.join("firmware").exists());
}

#[test]
fn every_step_can_be_the_last_and_the_next_run_has_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let pc = Pc::new(folder.path(), 2);
    let machine = folder.path().join("oldpc");
    let mut kills = 0;
    kills += at_steps(&["write", "fsync", "rename", "mkdir"], |command, step| {
        pc.inside(command);
        command
            .arg("capture")
            .arg(&pc.disk)
            .arg("-o")
            .arg(&machine)
            .arg("--quiet");
        let killed = was_killed(command);
        if !machine.join("machine.toml").exists() {
            run(&mut pc.capture(&machine));
        }
        pc.is_saved_in(&machine);
        let left = names(&machine);
        assert!(!left.contains(&"firmware.partial".to_owned()), "{step}: {left:?}");
        fs::remove_dir_all(&machine).unwrap();
        killed
    });
    assert!(kills > 20, "{kills} kills");
}

#[test]
fn the_disk_says_what_starts_it_and_the_pc_only_where_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut pc = Pc::new(folder.path(), 8);
    let without_uefi = folder.path().join("bios");
    fs::create_dir(&without_uefi).unwrap();
    let with_uefi = pc.firmware.clone();
    let (mbr, gpt, efi) = (
        "label: dos\ntype=83, bootable\n",
        "label: gpt\ntype=L\n",
        "label: gpt\ntype=U\n",
    );
    for (number, (table, has_code, in_uefi, in_bios)) in [
        // Started like a BIOS does, also by a PC that started the stick by UEFI.
        (mbr, true, "bios", "bios"),
        (mbr, false, "bios", "bios"),
        (efi, false, "uefi", "uefi"),
        // Both could start it, or neither.
        (efi, true, "uefi", "bios"),
        (gpt, false, "uefi", "bios"),
    ]
    .into_iter()
    .enumerate()
    {
        let disk = folder.path().join(format!("{number}.img"));
        File::create(&disk).unwrap().set_len(16 * MIB).unwrap();
        feed(Command::new("sfdisk").arg("-q").arg(&disk), table);
        if has_code {
            put(&disk, 0, &[0xeb, 0x63, 0x90]);
        }
        pc.disk = disk;
        for (firmware, wanted) in [(&with_uefi, in_uefi), (&without_uefi, in_bios)] {
            pc.firmware.clone_from(firmware);
            let plan = run(pc.capture(folder.path().join("machine")).arg("--dry-run"));
            let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
            assert_eq!(
                plan["machine"]["firmware"],
                wanted,
                "disk {number}, {}",
                firmware.display()
            );
        }
    }
}
