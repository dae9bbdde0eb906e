//! Looking at a guest's screen, which sends no event when it has come to rest.

use anyhow::{Result, ensure};
use p2v_tests::guest::{Guest, PATIENCE};
use p2v_tests::picture::Picture;
use std::path::Path;
use std::time::{Duration, Instant};

/// The screen, once it is twice the same.
pub(crate) fn still_picture(guest: &mut Guest, folder: &Path) -> Result<Picture> {
    let file = folder.join("screen.png");
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    loop {
        guest.screenshot(&file)?;
        let picture = Picture::read(&file)?;
        if last.as_ref() == Some(&picture) {
            return Ok(picture);
        }
        ensure!(Instant::now() < deadline, "the screen does not come to rest");
        last = Some(picture);
        std::thread::sleep(Duration::from_secs(2));
    }
}

/// The screen at rest, once it differs from `before` by more than so many pixels.
pub(crate) fn changed_picture(guest: &mut Guest, folder: &Path, before: &Picture, pixels: usize) -> Result<Picture> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let picture = still_picture(guest, folder)?;
        if picture.differing(before) > pixels {
            return Ok(picture);
        }
        ensure!(Instant::now() < deadline, "nothing has changed on the screen");
    }
}
