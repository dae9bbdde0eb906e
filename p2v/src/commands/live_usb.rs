//! `p2v live-usb`: make the live system, write it to a stick.

use super::confirm::confirm;
use crate::cli::LiveUsbArgs;
use crate::error::{Failure, Result, print};
use crate::live::stick::{self, Target};
use crate::live::{Recipe, medium};
use crate::report;
use crate::signals::Stop;
use crate::source::Input;
use std::path::Path;

/// Makes and writes what was asked for. Everything that could be refused is looked at first, since making takes minutes.
pub(crate) fn run(args: &LiveUsbArgs) -> Result<()> {
    let target = match &args.write {
        Some(path) => Some(Target::find(path, args.even_if_not_removable)?),
        None => None,
    };
    if let Some(target) = &target {
        stick::ready()?;
        if let Some(image) = &args.image {
            stick::fits(image, target)?;
        }
        ask(target, args.yes)?;
    }
    let temporary;
    let image = match (&args.image, &args.output) {
        (Some(image), _) => image.clone(),
        (None, Some(output)) => output.clone(),
        (None, None) => {
            let folder = Path::new("/var/tmp");
            temporary = tempfile::tempdir_in(folder).map_err(|error| Failure::target_write(folder, &error))?;
            temporary.path().join("p2v-live.iso")
        }
    };
    if args.image.is_none() {
        // Ctrl-C ends the tools, and what was made by then is removed, however often it is pressed.
        let stop = Stop::on_signals_patiently()?;
        make(args, &image, &stop)?;
    }
    let Some(target) = target else { return Ok(()) };
    let stop = Stop::on_signals()?;
    let written = stick::write(&image, &target, args.quiet, &stop)?;
    let path = target.path().display();
    let mut text = format!("{path} starts an old PC, by BIOS or UEFI. It was read back: all is as it should be.\n");
    text.push_str(&match written.captures {
        Some(size) => format!("It has {} for captures.\n", report::size(size)),
        None => "It is too small for captures: attach another drive to the old PC for them.\n".to_owned(),
    });
    print(&text)
}

fn make(args: &LiveUsbArgs, output: &Path, stop: &Stop) -> Result<()> {
    let arch = args.arch;
    let program = args.program.clone().map_or_else(|| arch.program(), Ok)?;
    let mirror = args.mirror.clone();
    let recipe = Recipe { arch, program, mirror };
    medium::make(&recipe, output, stop)?;
    stop.check()?;
    let size = std::fs::metadata(output).map_or(0, |file| file.len());
    print(&format!("{}: {}\n", output.display(), report::size(size)))
}

/// Shows what is on the stick, and goes on if that may be lost.
fn ask(target: &Target, yes: bool) -> Result<()> {
    let path = target.path();
    let model = target.model().map_or(String::new(), |model| format!("{model}, "));
    let mut loss = format!(
        "Everything on {} ({model}{}) will be lost.\n",
        path.display(),
        report::size(target.size())
    );
    // A stick that cannot be read can still be overwritten.
    if let Ok(layout) = Input::open(path).map(|input| disk::layout::scan(&*input.reader(), input.info().logical_sector))
        && let Ok(layout) = layout
    {
        if stick::has_captures(&layout) {
            loss.push_str("It has a partition for captures: what was captured onto it is lost, too.\n");
        }
        loss.push_str(&report::layout_text(&layout));
    }
    confirm(loss.trim_end(), "Is this the stick to be overwritten?", yes)
}
