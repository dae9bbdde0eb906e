//! Real-mode sectors on a real virtual processor: the firmware, the devices and the chipset together.

#[allow(dead_code)]
mod common;

use common::{Guest, sector};
use runner::Outcome;
use runner::control::{Client, RunState};
use runner::input::Layout;
use std::os::unix::fs::FileExt;

#[test]
fn disk_sectors_are_read_and_written_and_apm_powers_off() {
    let pattern: Vec<u8> = (0..512).map(|at| (at * 7 % 251) as u8).collect();
    let guest = Guest::boot("disk", |image, _| image.write_all_at(&pattern, 512).unwrap());
    guest.wait_for("DISK OK");
    let (result, image, _folder) = guest.end();
    assert_eq!(result.unwrap(), Outcome::PoweredOff);
    let complement: Vec<u8> = pattern.iter().map(|byte| !byte).collect();
    assert_eq!(sector(&image, 2), complement);
    assert_eq!(sector(&image, 3), [0; 512]);
}

#[test]
fn timer_and_clock_interrupt_and_acpi_powers_off() {
    let guest = Guest::boot("timer", |_, _| {});
    guest.wait_for("TICKS OK");
    guest.wait_for("CLOCK OK");
    assert_eq!(guest.end().0.unwrap(), Outcome::PoweredOff);
}

#[test]
fn every_kind_of_reset_keeps_memory_and_cmos() {
    let guest = Guest::boot("reset", |_, _| {});
    for count in 1..=3 {
        guest.wait_for(&count.to_string());
    }
    guest.wait_for("RESETS OK");
    assert_eq!(guest.end().0.unwrap(), Outcome::PoweredOff);
}

#[test]
fn typed_text_arrives_and_the_screen_shows_what_was_written() {
    let guest = Guest::boot("keyboard", |_, _| {});
    guest.wait_for("READY");
    let mut client = Client::connect(&guest.control()).unwrap();
    client.type_text(&Layout::default(), "Old PC, 1999!\n").unwrap();
    guest.wait_for("Old PC, 1999!");
    guest.wait_for("DONE");
    assert_eq!(guest.end().0.unwrap(), Outcome::PoweredOff);
}

#[test]
fn text_and_pictures_are_on_the_screen() {
    let guest = Guest::boot("screen", |_, _| {});
    guest.wait_for("TEXT OK");
    let mut client = Client::connect(&guest.control()).unwrap();
    let text = screenshot(&mut client, &guest);
    assert_eq!((text.width, text.height), (720, 400));
    // The block fills its cell of 9 by 16 pixels: white, for it and its ninth column.
    assert_eq!(text.at(4, 5 * 16 + 8), [0xff; 3]);
    assert_eq!(text.at(9 * 40, 5 * 16 + 8), [0; 3]);
    let lit = (0..16).any(|y| (0..9).any(|x| text.at(x, y) != [0; 3]));
    assert!(lit, "no H in the corner");
    client.type_text(&Layout::default(), " ").unwrap();
    guest.wait_for("PICTURE OK");
    let picture = screenshot(&mut client, &guest);
    let row = picture.height / 2;
    assert_eq!(picture.at(picture.width / 2, row), [0xa8, 0, 0]);
    assert_eq!(picture.at(picture.width / 2, row / 2), [0; 3]);
    client.type_text(&Layout::default(), " ").unwrap();
    assert_eq!(guest.end().0.unwrap(), Outcome::PoweredOff);
}

#[test]
fn pause_halts_resume_goes_on_and_quit_ends() {
    let guest = Guest::boot("idle", |_, config| config.cpus = 4);
    guest.wait_for("IDLE");
    let mut client = Client::connect(&guest.control()).unwrap();
    for _ in 0..3 {
        client.stop().unwrap();
        assert_eq!(client.status().unwrap(), RunState::Paused);
        client.cont().unwrap();
        assert_eq!(client.status().unwrap(), RunState::Running);
    }
    client.reset().unwrap();
    guest.wait_for("IDLE");
    client.stop().unwrap();
    client.quit().unwrap();
    assert_eq!(guest.end().0.unwrap(), Outcome::Quit);
}

struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y * self.width + x) as usize * 3;
        self.rgb[at..at + 3].try_into().unwrap()
    }
}

fn screenshot(client: &mut Client, guest: &Guest) -> Picture {
    let path = guest.folder.path().join("screen.png");
    client.screenshot(&path).unwrap();
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgb).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    Picture {
        width: info.width,
        height: info.height,
        rgb,
    }
}
