//! `p2v capture`: plan, then carry it out.

use crate::capture::progress::Show;
use crate::capture::{Plan, Request, carry_out};
use crate::cli::CaptureArgs;
use crate::error::{Exit, Failure, Result, print, print_json};
use crate::report;
use crate::signals::Stop;

/// Captures, or with `--dry-run` says what it would do.
pub(crate) fn run(args: &CaptureArgs) -> Result<()> {
    let plan = Plan::new(&Request::new(args)?)?;
    if args.dry_run {
        return if args.json {
            print_json(&plan.json())
        } else {
            print(&plan.text())
        };
    }
    let quiet = args.quiet || args.json;
    if !quiet {
        eprint!("{}", plan.text());
    } else {
        for warning in &plan.warnings {
            eprintln!("p2v: warning: {warning}");
        }
    }
    let stop = Stop::on_signals()?;
    let outcome = carry_out(&plan, &if quiet { Show::Nothing } else { Show::Terminal }, &stop)?;
    if args.json {
        print_json(&outcome)?;
    } else {
        print(&outcome.text())?;
    }
    if outcome.lost.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::PartlyLost,
        format!(
            "{} could not be read; everything else is in the capture",
            report::size(outcome.lost.bytes())
        ),
    )
    .advice("Do not throw the disk away yet: `--retries 3` in a new capture may read more of it."))
}
