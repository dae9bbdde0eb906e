//! The Debian installer, started as a disc beside the captured disk.

use super::captured;
use anyhow::{Result, ensure};
use p2v_tests::fixtures::{debian, installer};
use p2v_tests::guest::Guest;
use p2v_tests::picture::Picture;

#[test]
fn an_installer_disc_starts_in_text_and_in_graphics() -> Result<()> {
    let (machine, _keep) = captured(&debian::i386())?;
    let disc = installer::disc()?;
    let disc = disc.to_str().unwrap_or_default();
    let arguments = ["--memory", "1024", "--ephemeral", "--disc", disc, "--boot", "disc"];

    let mut guest = Guest::launch(&machine, &arguments)?;
    guest.wait_for_screen("Install in text")?;
    guest.type_keys("t")?;
    guest.wait_for_screen("Select a language")?;
    guest.kill()?;

    let mut guest = Guest::launch(&machine, &arguments)?;
    guest.wait_for_screen("Install in graphics")?;
    guest.type_keys("g")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("screen.png");
    loop {
        guest.screenshot(&file)?;
        let picture = Picture::read(&file)?;
        if picture.colours() > 1000 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    guest.kill()
}
