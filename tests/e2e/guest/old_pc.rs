//! What a Linux finds of the old PC, and that it is the same as QEMU would show it.

use anyhow::{Result, ensure};
use p2v_tests::fixtures::installer;
use p2v_tests::guest::{Guest, Qemu};
use p2v_tests::old_pc::{self, MAKER, SERIAL};
use p2v_tests::{p2v, tool};
use std::fs::{self, File};

/// What is asked. QEMU shows no board, so that not all of the second is there.
const SHOW: [&str; 5] = [
    "cd /sys/class/dmi/id && cat sys_vendor product_name product_serial product_uuid",
    "cd /sys/class/dmi/id; cat bios_vendor bios_version board_serial chassis_serial chassis_type; true",
    "cd /sys/firmware/acpi/tables && sha256sum SLIC MSDM",
    "dd if=/sys/firmware/acpi/tables/FACP bs=1 skip=10 count=14 2>/dev/null; echo",
    "dmesg | grep -c -E '(ACPI|DMI).*([Ee]rror|[Ii]ncorrect|BIOS Bug)' || true",
];

#[test]
fn a_linux_finds_what_qemu_would_show_it() -> Result<()> {
    let disc = installer::disc()?;
    let disc = disc.to_str().unwrap_or_default();
    let work = tempfile::tempdir()?;
    let (disk, sys, machine) = (
        work.path().join("disk.img"),
        work.path().join("sys"),
        work.path().join("oldpc"),
    );
    File::create(&disk)?.set_len(8 << 20)?;
    old_pc::write(&sys)?;
    let mut capture = p2v::command("capture")?;
    capture.env("P2V_SYS_FIRMWARE", &sys).env("P2V_OWN_DISK", &disk);
    tool::run(capture.arg(&disk).arg("-o").arg(&machine))?;

    let arguments = ["--memory", "256", "--disc", disc, "--boot", "disc"];
    let here = look(Guest::launch(&machine, &arguments)?)?;
    let uuid = "13121110-1514-1716-1819-1a1b1c1d1e1f";
    ensure!(
        here[0] == format!("Old Maker\nModel 2000\n{SERIAL}\n{uuid}\n"),
        "{here:#?}"
    );
    ensure!(here[1] == "Old BIOS\n1.07\nBOARD-1\nCASE-1\n3\n", "{here:#?}");
    ensure!(here[3].as_bytes().starts_with(MAKER), "{here:#?}");
    ensure!(here[4] == "0\n", "{here:#?}");

    let tables = sys.join("acpi/tables");
    let sums = tool::text(
        std::process::Command::new("sha256sum")
            .args(["SLIC", "MSDM"])
            .current_dir(&tables),
    )?;
    ensure!(here[2] == sums, "{here:#?}, not {sums}");
    let slic = format!("file={}", tables.join("SLIC").display());
    let msdm = format!("file={}", tables.join("MSDM").display());
    let system = format!("type=1,manufacturer=Old Maker,product=Model 2000,serial={SERIAL},uuid={uuid}");
    let more = [
        "-smbios",
        &system,
        "-acpitable",
        &slic,
        "-acpitable",
        &msdm,
        "-cdrom",
        disc,
        "-boot",
        "d",
    ];
    let qemu = Qemu {
        memory: 256,
        disk,
        format: "raw",
        accelerator: "kvm",
        interface: "ide",
    };
    let there = look(Guest::qemu_with(&qemu, &work.path().join("qmp"), &more)?)?;
    for what in [0, 2, 3] {
        ensure!(here[what] == there[what], "{here:#?}, in QEMU {there:#?}");
    }
    Ok(fs::remove_dir_all(machine)?)
}

/// Starts the disc's shell and returns what it prints for [`SHOW`].
fn look(mut guest: Guest) -> Result<Vec<String>> {
    guest.wait_for_screen("Shell on the serial port")?;
    guest.type_keys("s")?;
    guest.wait_for("# ")?;
    // The echo of a command is to be one line.
    guest.type_line("stty cols 250; PS1='p2v''-prompt> '")?;
    guest.wait_for("p2v-prompt> ")?;
    guest.shell("mount -t sysfs sysfs /sys")?;
    let seen = SHOW.iter().map(|command| guest.shell(command)).collect::<Result<_>>()?;
    guest.kill()?;
    Ok(seen)
}
