//! Text that was copied on this computer.

/// The text that was copied on this computer.
///
/// # Errors
/// If there is none, in words.
pub(super) fn copied() -> Result<String, String> {
    let text = arboard::Clipboard::new().and_then(|mut clipboard| clipboard.get_text());
    text.map_err(|error| format!("no text was copied on this computer ({error})"))
}
