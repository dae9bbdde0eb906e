//! `p2v list`: the machines of the library, whatever state they are in.

use crate::cli::ListArgs;
use crate::error::{Result, print, print_json};
use crate::machine::{Library, State, Survey};
use crate::report::{self, Table};
use std::fmt::Write;

/// Lists them.
pub(crate) fn run(args: &ListArgs) -> Result<()> {
    let library = Library::locate()?;
    let folders = library.folders()?;
    let machines: Vec<_> = folders.iter().map(|folder| Survey::of(folder)).collect();
    if args.json {
        return print_json(&machines);
    }
    if machines.is_empty() {
        return print(&format!(
            "There are no machines in {}. `p2v capture SOURCE` makes one.\n",
            library.path().display()
        ));
    }
    print(&text(&machines))
}

fn text(machines: &[Survey]) -> String {
    let mut table = Table::new(&["name", "system", "size", "state", "snapshots"], &[2, 4]);
    for machine in machines {
        let systems: Vec<_> = machine.systems.iter().map(|system| &*system.name).collect();
        table.row(vec![
            printable(&machine.name),
            printable(&systems.join(", ")),
            report::size(machine.size_bytes),
            state(machine),
            machine.snapshots.len().to_string(),
        ]);
    }
    let mut text = table.text();
    for machine in machines {
        if let Some(problem) = &machine.problem {
            let _ = writeln!(text, "{}: {problem}", printable(&machine.name));
        }
    }
    text
}

fn state(machine: &Survey) -> String {
    let sessions = machine.sessions.len();
    match machine.state {
        State::Running if sessions > 1 => format!("running ({})", report::count(sessions, "session")),
        state => state.text().to_owned(),
    }
}

/// What comes from folder names and guests must not control the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
