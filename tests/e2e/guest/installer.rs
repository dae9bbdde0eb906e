//! The Debian installer, started as a disc beside the captured disk: a machine can be repaired with any such disc.

use super::captured;
use super::pictures::{changed_picture, still_picture};
use anyhow::{Result, ensure};
use p2v_tests::fixtures::{debian, installer};
use p2v_tests::guest::{Guest, PATIENCE};
use std::time::Instant;

/// Colours on the graphical installer's pages: its banner has hundreds, a text screen sixteen.
const BANNER: usize = 200;

#[test]
fn an_installer_disc_starts_in_text_and_in_graphics() -> Result<()> {
    let (machine, _keep) = captured(&debian::i386())?;
    let disc = installer::disc()?;
    let disc = disc.to_str().unwrap_or_default();
    // In less memory it starts in text only.
    let arguments = ["--memory", "1024", "--ephemeral", "--disc", disc, "--boot", "disc"];

    let mut guest = Guest::launch(&machine, &arguments)?;
    guest.wait_for_screen("Install in text")?;
    guest.wait_for_screen("Hard disk: Debian GNU/Linux 12")?;
    guest.type_keys("t")?;
    guest.wait_for_screen("Select a language")?;
    guest.kill()?;

    let mut guest = Guest::launch(&machine, &arguments)?;
    guest.wait_for_screen("Install in graphics")?;
    guest.type_keys("g")?;
    let folder = tempfile::tempdir()?;
    let deadline = Instant::now() + PATIENCE;
    let mut shown = still_picture(&mut guest, folder.path())?;
    while shown.colours() < BANNER {
        ensure!(Instant::now() < deadline, "no banner on the screen");
        shown = still_picture(&mut guest, folder.path())?;
    }
    // The list of languages comes a little after the banner, and its chosen line moves with the keyboard.
    let languages = changed_picture(&mut guest, folder.path(), &shown, 5000)?;
    guest.control()?.send_key(&["down"])?;
    changed_picture(&mut guest, folder.path(), &languages, 1000)?;
    guest.kill()
}
