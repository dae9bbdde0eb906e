//! The journey of an ordinary owner, in QEMU, emulated: the stick or disc starts the old PC, keys typed into the guided
//! interface copy its disk, and what arrives is the disk.
//!
//! `cargo xtask journey` runs these, and then the machines that they leave in `$P2V_JOURNEY`; it takes long.

use anyhow::{Context, Result, ensure};
use p2v_tests::fixtures::debian;
use p2v_tests::guest::Guest;
use p2v_tests::neighbour::{Neighbour, PASSWORD};
use p2v_tests::tool::{self, sha256};
use p2v_tests::{emulated, p2v, volume};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What an emulated PC may need for a step, copying among them.
const PATIENCE: Duration = Duration::from_secs(2400);
/// Bytes of the disk that copies go to.
const BACKUP: u64 = 4 << 30;
/// Where the PC finds the other one.
const ADDRESS: &str = "10.0.2.100";
/// Where its only partition begins.
const BACKUP_START: u64 = 1 << 20;

/// The old PC's disk and what is needed to move it.
struct Journey {
    folder: tempfile::TempDir,
    disk: PathBuf,
    before: String,
    /// Where the machine is to be at the end.
    machine: PathBuf,
}

impl Journey {
    /// `name`: that of the journey.
    fn new(name: &str) -> Result<Self> {
        let all = std::env::var_os("P2V_JOURNEY").context("`cargo xtask journey` starts this test")?;
        let machines = Path::new(&all).join(name);
        fs::create_dir_all(&machines)?;
        let recipe = debian::i386();
        let original = recipe.disk()?.image;
        let folder = tempfile::tempdir_in(&machines)?;
        // A copy, since one that is written to would spoil other tests.
        let disk = folder.path().join("old");
        tool::run(Command::new("cp").arg("--sparse=always").args([&original, &disk]))?;
        Ok(Journey {
            before: sha256(&disk)?,
            machine: machines.join(recipe.name()),
            folder,
            disk,
        })
    }

    /// A file for the PC.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the PC and chooses its disk.
    fn start(&self, command: Command) -> Result<Guest> {
        let mut guest = Guest::start(command, self.file("control"))?.with_patience(PATIENCE);
        wait_for(&mut guest, "which disk?")?;
        wait_for(&mut guest, "called oldpc")?;
        choose(&mut guest, "OLD-DISK")?;
        go(&mut guest, "Where shall the copy go?")?;
        Ok(guest)
    }

    /// Starts the copy, reads the report, and switches the PC off, whose disk must be as it was.
    fn copy(&self, mut guest: Guest) -> Result<()> {
        go(&mut guest, "Press Enter to start.")?;
        go(&mut guest, "The old PC is copied, all of it.")?;
        press(&mut guest, "q")?;
        emulated::shell(&mut guest)?;
        emulated::power_off(&mut guest)?;
        ensure!(sha256(&self.disk)? == self.before, "the old PC's disk was written to");
        Ok(())
    }

    /// Judges the machine, which must be the disk: p2v itself by its checksums, and QEMU; then adapts it.
    fn judge(&self) -> Result<()> {
        tool::run(
            p2v::command("verify")?
                .arg(&self.machine)
                .arg("--against")
                .arg(&self.disk),
        )?;
        let image = self.machine.join("disk0.qcow2");
        tool::run(Command::new("qemu-img").arg("check").arg(&image))?;
        p2v::adapt(&self.machine)
    }
}

/// Presses a key, by QMP's name.
fn press(guest: &mut Guest, key: &str) -> Result<()> {
    guest.control()?.send_key(&[key])
}

/// A text as far as it can be told on the console of a PC with UEFI: its font draws some letters as the BIOS's font draws
/// others.
fn blurred(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'v' | 'w' | 'm' => 'o',
            'T' => 'I',
            'f' => '[',
            'M' => 'N',
            'W' | 'V' => 'U',
            '0' => 'G',
            '~' => '`',
            c => c,
        })
        .collect()
}

/// Waits until the screen shows `words`.
fn wait_for(guest: &mut Guest, words: &str) -> Result<String> {
    guest.watch_screen(&format!("{words:?} to appear"), |screen| {
        blurred(screen).contains(&blurred(words))
    })
}

/// Presses Enter and waits for what it leads to.
fn go(guest: &mut Guest, words: &str) -> Result<String> {
    press(guest, "ret")?;
    let screen = wait_for(guest, words)?;
    eprintln!("{}\n", screen.trim_end());
    Ok(screen)
}

/// Moves the choice in a list down until `words` stand in its line.
fn choose(guest: &mut Guest, words: &str) -> Result<()> {
    for _ in 0..10 {
        let screen = guest.screen_text()?;
        let chosen = screen.lines().find(|line| line.starts_with(" > ")).map(str::to_owned);
        let chosen = chosen.with_context(|| format!("nothing is chosen:\n{screen}"))?;
        if blurred(&chosen).contains(&blurred(words)) {
            return Ok(());
        }
        press(guest, "down")?;
        guest.watch_screen("another choice", |screen| {
            screen
                .lines()
                .any(|line| line.starts_with(" > ") && line.trim_end() != chosen)
        })?;
    }
    anyhow::bail!("no {words:?} in the list:\n{}", guest.screen_text()?)
}

/// An image of the stick with the p2v under test.
fn live() -> Result<PathBuf> {
    let image = std::env::var_os("P2V_LIVE_IMAGE").context("`cargo xtask journey` starts this test")?;
    Ok(image.into())
}

/// A second disk with an ext4 volume BACKUP.
fn backup_disk(disk: &Path) -> Result<()> {
    File::create(disk)?.set_len(BACKUP)?;
    tool::shell(
        r#"echo "start=$2, type=83" | sfdisk -q "$1"
           mkfs.ext4 -q -F -L BACKUP -E "offset=$3" "$1" "$4"k"#,
        &[
            disk.as_os_str(),
            (BACKUP_START / 512).to_string().as_ref(),
            BACKUP_START.to_string().as_ref(),
            ((BACKUP - BACKUP_START) / 1024).to_string().as_ref(),
        ],
    )
    .map(|_| ())
}

#[test]
fn by_bios_to_a_second_disk() -> Result<()> {
    let journey = Journey::new("second-disk")?;
    let (stick, backup) = (journey.file("stick"), journey.file("backup"));
    backup_disk(&backup)?;
    emulated::write_stick(&stick, &live()?)?;
    let mut command = emulated::qemu(journey.folder.path(), "pc", "none");
    emulated::with_disk(&mut command, &journey.disk, "OLD-DISK");
    emulated::with_disk(&mut command, &backup, "NEW-DISK");
    emulated::with_stick(&mut command, &stick);
    let mut guest = journey.start(command)?;

    choose(&mut guest, "BACKUP")?;
    go(&mut guest, "Use this drive?")?;
    go(&mut guest, "> oldpc")?;
    journey.copy(guest)?;

    let copy = volume::take_out(&backup, 1, "oldpc", journey.folder.path())?;
    fs::rename(copy, &journey.machine)?;
    journey.judge()
}

#[test]
fn by_uefi_to_another_pc() -> Result<()> {
    let journey = Journey::new("ssh")?;
    let work = journey.folder.path();
    let newpc = Neighbour::new(work, &p2v::binary()?, &journey.file("programs"))?;
    let variables = journey.file("variables");
    fs::copy(emulated::OVMF[1], &variables)?;
    // No way into the network, but to that PC.
    let network = format!(
        "user,model=e1000,restrict=on,guestfwd=tcp:{ADDRESS}:22-cmd:{}",
        newpc.connection()
    );
    let mut command = emulated::qemu(work, "q35", &network);
    emulated::with_uefi(&mut command, &variables);
    emulated::with_disk(&mut command, &journey.disk, "OLD-DISK");
    command.arg("-cdrom").arg(live()?);
    let mut guest = journey.start(command)?;

    choose(&mut guest, "Another PC")?;
    go(&mut guest, "Which PC shall take the copy?")?;
    for (text, next) in [(ADDRESS, "> User:"), ("me", "> Folder:")] {
        guest.type_keys(text)?;
        wait_for(&mut guest, text)?;
        go(&mut guest, next)?;
    }
    go(&mut guest, "What shall the copy be called?")?;
    // The network of a PC that has just started may not be there yet: Enter tries again.
    guest.press_until_screen(&["ret"], "Is this the right PC?")?;
    // It was never seen: the person compares (character by character in p2v's own tests).
    let question = guest.screen_text()?;
    ensure!(question.contains("SHA256:"), "no fingerprint in\n{question}");
    press(&mut guest, "y")?;
    wait_for(&mut guest, "password:")?;
    guest.type_keys(PASSWORD)?;
    wait_for(&mut guest, &"*".repeat(PASSWORD.len()))?;
    journey.copy(guest)?;

    let library = newpc.home().join(".local/share/p2v/machines");
    fs::rename(library.join("oldpc"), &journey.machine)?;
    journey.judge()
}
