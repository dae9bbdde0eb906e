//! `p2v type`: keys and text for the running machine.

use super::control;
use crate::cli::TypeArgs;
use crate::error::{Failure, Result};
use crate::machine::Machine;
use runner::input::Layout;
use std::time::Duration;

/// How long a chord is held: long enough for a guest that polls the keyboard with its timer.
const HOLD: Duration = Duration::from_millis(100);

/// Presses the chords, types the text, presses Enter: in this order.
pub(crate) fn run(args: &TypeArgs) -> Result<()> {
    let (folder, mut client) = control::connect_in(&args.machine)?;
    let failure = |error| control::failure(&error);
    let layout = match &args.keyboard {
        Some(name) => Layout::named(name),
        None => Layout::named(&Machine::load(&folder)?.keyboard),
    };
    let layout = layout.map_err(|error| Failure::refused(error.to_string()))?;
    for chord in &args.key {
        client.send_keys(&keys(chord), HOLD).map_err(failure)?;
    }
    client.type_text(&layout, &args.text.join(" ")).map_err(failure)?;
    if args.enter {
        client.send_keys(&["ret"], HOLD).map_err(failure)?;
    }
    Ok(())
}

/// The QKeyCode names in `ctrl-alt-delete`, with the names that people use for some of them.
fn keys(chord: &str) -> Vec<&str> {
    let name = |key| match key {
        "enter" | "return" => "ret",
        "escape" => "esc",
        "del" => "delete",
        "win" | "super" | "meta" => "meta_l",
        "space" => "spc",
        "control" => "ctrl",
        "pageup" => "pgup",
        "pagedown" => "pgdn",
        other => other,
    };
    // A lone minus is a key, not a separator.
    if chord == "-" {
        vec!["minus"]
    } else {
        chord.split('-').map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn chords_are_cut_into_key_names() {
        assert_eq!(keys("ctrl-alt-del"), ["ctrl", "alt", "delete"]);
        assert_eq!(keys("enter"), ["ret"]);
        assert_eq!(keys("-"), ["minus"]);
    }
}
