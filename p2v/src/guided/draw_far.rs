//! The pages of another PC.

use super::draw::text;
use super::far::Field;
use super::pages::Guide;
use super::texts::{ALARM, BOLD, plain};
use super::wrap::wrap;
use crate::askpass::Kind;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// What stands before what is typed: a mark, the name of the line, a colon.
const LABELS: usize = 10;

/// Which other PC?
pub(super) fn form(frame: &mut Frame<'_>, area: Rect, guide: &Guide) {
    let width = usize::from(area.width);
    let intro = "Which PC shall take the copy? It must be switched on and in the same network. It needs p2v (the same version as \
                 here) and an ssh server; on Debian or Ubuntu this installs one: sudo apt install openssh-server";
    let mut lines: Vec<Line<'_>> = wrap(intro, width).into_iter().map(Line::raw).collect();
    let mut cursor = None;
    for field in Field::ALL {
        let (label, hint) = field.texts();
        let here = field == guide.far.field;
        let typed = guide.far.line(field).text();
        // The end of a long line is where typing goes on.
        let room = width.saturating_sub(LABELS + 1);
        let skipped = typed.chars().count().saturating_sub(room);
        let shown: String = typed.chars().skip(skipped).collect();
        lines.push(Line::default());
        if here {
            cursor = Some((LABELS + shown.chars().count(), lines.len()));
        }
        let mark = if here { ">" } else { " " };
        let label = format!("{mark} {:<1$}", format!("{label}:"), LABELS - 2);
        let style = if here { BOLD } else { Style::new() };
        lines.push(Line::from(vec![Span::styled(label, style), Span::styled(shown, BOLD)]));
        let hint = wrap(hint, width.saturating_sub(LABELS + 2));
        lines.extend(
            hint.into_iter()
                .map(|line| Line::raw(format!("{:LABELS$}({line})", ""))),
        );
    }
    frame.render_widget(Paragraph::new(lines), area);
    if let Some((column, row)) = cursor {
        set_cursor(frame, area, column, row);
    }
}

/// What ssh asks.
pub(super) fn question(frame: &mut Frame<'_>, area: Rect, guide: &mut Guide) {
    let Some(asked) = &guide.asked else { return };
    let said = asked.question.text.trim();
    let mut lines = Vec::new();
    match asked.question.kind {
        Kind::Secret => {
            lines.push(plain(if said.contains("passphrase") {
                "This PC has a key for the other one, which a passphrase protects. ssh asks for it:"
            } else {
                "The other PC wants to know that it is you. Type the password with which you log in there; ssh asks:"
            }));
            lines.extend([plain(""), plain(format!("  {said}"))]);
            let shown = asked.typed.count().min(usize::from(area.width).saturating_sub(3));
            lines.extend([plain(""), (format!("> {}", "*".repeat(shown)), BOLD), plain("")]);
            let row = rows(&lines, area).saturating_sub(2);
            if asked.again {
                lines.push((
                    "That was not accepted. Type it again: mind capital letters, and the keyboard's layout.".to_owned(),
                    ALARM,
                ));
            }
            lines.push(plain("It is shown to nobody and kept nowhere."));
            text(frame, area, lines, &mut guide.scroll);
            set_cursor(frame, area, shown + 2, row);
            return;
        }
        Kind::YesNo => {
            lines.extend([("Is this the right PC?".to_owned(), BOLD), plain("")]);
            // The last line is the question itself, with ssh's own keys.
            let facts = said.lines().filter(|line| !line.contains("(yes/no"));
            lines.extend(facts.map(|line| plain(format!("  {line}"))));
            lines.extend([
                plain(""),
                plain(
                    "This PC meets the other one for the first time. If somebody else may be in this network, compare the \
                     fingerprint; the other PC prints its own with",
                ),
                plain("  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"),
                plain("(or another file there, named like the key above)."),
                plain(""),
                ("Press Y if it is the right one, N if not or if you do not know.".to_owned(), BOLD),
            ]);
        }
        Kind::Notice => lines.extend(said.lines().map(|line| plain(line.to_owned()))),
    }
    text(frame, area, lines, &mut guide.scroll);
}

/// How many lines of the screen they need.
fn rows(lines: &[(String, Style)], area: Rect) -> usize {
    lines
        .iter()
        .map(|(line, _)| wrap(line, usize::from(area.width)).len())
        .sum()
}

/// Where typing goes, unless that is not on the screen.
fn set_cursor(frame: &mut Frame<'_>, area: Rect, column: usize, row: usize) {
    let (Ok(column), Ok(row)) = (u16::try_from(column), u16::try_from(row)) else {
        return;
    };
    if column < area.width && row < area.height {
        frame.set_cursor_position((area.x + column, area.y + row));
    }
}
