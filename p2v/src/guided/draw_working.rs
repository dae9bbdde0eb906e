//! The page of a copy that is going on.

use super::pages::Guide;
use super::texts::{ALARM, BOLD, plain};
use super::words;
use super::wrap::wrap;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph};

/// How far it is, what is read, and what that meets.
pub(super) fn working(frame: &mut Frame<'_>, area: Rect, guide: &Guide) {
    let working = &guide.working;
    let [gauge, _, rest] =
        Layout::vertical([Constraint::Length(3), Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let percent = working.percent();
    let widget = Gauge::default()
        .gauge_style(Style::new().fg(Color::Green).bg(Color::DarkGray))
        .percent(percent)
        .label(format!("{percent} %"));
    frame.render_widget(widget, gauge);
    let parts = &guide.summary.parts;
    let width = usize::from(area.width);
    let snapshot = &working.snapshot;
    let mut lines = vec![
        (
            format!("{} of {}", words::size(snapshot.done), words::size(snapshot.total)),
            BOLD,
        ),
        plain(working.speed()),
        plain(""),
        plain(working.doing(parts)),
        plain(""),
    ];
    if let Some(trouble) = working.trouble(parts) {
        lines.extend([(trouble, ALARM), plain("")]);
    }
    if working.stopping {
        lines.push(("Stopping ...".to_owned(), ALARM));
    } else if working.asking {
        lines.push((
            "Stop copying? The copy is not finished; it can go on later. The old disk stays as it is.".to_owned(),
            ALARM,
        ));
    } else if working.paused {
        lines.push(("Paused: the old disk is left alone until you press P.".to_owned(), BOLD));
    } else {
        let both = if guide.goes_far() { "both PCs" } else { "the PC" };
        lines.push(plain(format!("The old disk is only read. Leave {both} switched on.")));
    }
    let lines = lines.into_iter().flat_map(|(line, style)| {
        let lines = wrap(&line, width);
        lines.into_iter().map(move |line| Line::styled(line, style))
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), rest);
}
