//! `p2v live-usb`: make the live system, write it to a stick.

use super::confirm::confirm;
use crate::cli::LiveUsbArgs;
use crate::error::{Failure, Result, print};
use crate::live::stick::{self, Target};
use crate::live::{Recipe, medium};
use crate::report;
use crate::signals::Stop;
use std::path::Path;

/// Makes and writes what was asked for. Everything that could be refused is looked at first, since making takes minutes.
pub(crate) fn run(args: &LiveUsbArgs) -> Result<()> {
    let target = match &args.write {
        Some(path) => Some(Target::find(path, args.even_if_not_removable)?),
        None => None,
    };
    if let (Some(image), Some(target)) = (&args.image, &target) {
        stick::fits(image, target)?;
    }
    if let Some(target) = &target {
        ask(target, args.yes)?;
    }
    // From here on, Ctrl-C ends the tools, and what was made by then is removed.
    let stop = Stop::on_signals()?;
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
        make(args, &image, &stop)?;
    }
    let Some(target) = target else { return Ok(()) };
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
    let program = match &args.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()
            .map_err(|error| Failure::failed(format!("cannot tell where this p2v is: {error}")))?,
    };
    let mirror = args.mirror.clone();
    let made = medium::make(&Recipe { program, mirror }, output);
    stop.check()?;
    made?;
    let size = std::fs::metadata(output).map_or(0, |file| file.len());
    print(&format!("{}: {}\n", output.display(), report::size(size)))
}

fn ask(target: &Target, yes: bool) -> Result<()> {
    let what = match target.model() {
        Some(model) => format!("{} ({model}, {})", target.path().display(), report::size(target.size())),
        None => format!("{} ({})", target.path().display(), report::size(target.size())),
    };
    confirm(
        &format!("Everything on {what} will be lost."),
        "Is this the stick to be overwritten?",
        yes,
    )
}
