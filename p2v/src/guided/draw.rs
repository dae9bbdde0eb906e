//! The pages as characters: 80x25 are enough, more are used. Only what every console font has: letters and a full block.

use super::disks::Disk;
use super::draw_far;
use super::draw_working;
use super::health::Health;
use super::pages::{Guide, Page};
use super::places::Place;
use super::texts::{ALARM, BOLD, failed, mount_question, plain, ready, report};
use super::words;
use super::wrap::wrap;
use crate::askpass::Kind;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{List, ListItem, ListState, Paragraph};

const BAR: Style = Style::new()
    .fg(Color::White)
    .bg(Color::Blue)
    .add_modifier(Modifier::BOLD);
/// Not bold: Linux's console would show bold black, which is grey, on grey.
const CHOSEN: Style = Style::new()
    .add_modifier(Modifier::REVERSED)
    .remove_modifier(Modifier::BOLD);

/// Draws what the person is to see. Nothing of `guide` changes but that its scrolling is kept in bounds.
pub(super) fn draw(frame: &mut Frame<'_>, guide: &mut Guide) {
    let area = frame.area();
    let width = usize::from(area.width).saturating_sub(2);
    let message = guide
        .message
        .as_deref()
        .map(|text| wrap(text, width))
        .unwrap_or_default();
    let height = u16::try_from(message.len()).unwrap_or(u16::MAX).min(6);
    let [head, _, body, said, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(height),
        Constraint::Length(1),
    ])
    .areas(area);
    bar(frame, head, "p2v: copy an old PC", title(guide));
    let body = inner(body);
    match guide.page {
        Page::Disks => disks(frame, body, guide),
        Page::Places => places(frame, body, guide),
        Page::Mount => text(frame, body, mount_question(guide), &mut guide.scroll),
        Page::Folder => entry(
            frame,
            body,
            "In which folder shall the copy be? Type its whole path. p2v makes a new folder for the copy in it.",
            guide.folder.text(),
        ),
        Page::Far => draw_far::form(frame, body, guide),
        Page::Question => draw_far::question(frame, body, guide),
        Page::Name => entry(
            frame,
            body,
            "What shall the copy be called? This is the name of its folder, and of the machine on the new PC. Enter takes \
             the name as it is.",
            guide.name.text(),
        ),
        Page::Waiting(what) => text(frame, body, vec![plain(what)], &mut guide.scroll),
        Page::Ready => text(frame, body, ready(guide), &mut guide.scroll),
        Page::Working => draw_working::working(frame, body, guide),
        Page::Report => text(frame, body, report(guide), &mut guide.scroll),
        Page::Failed => text(frame, body, failed(guide), &mut guide.scroll),
    }
    let said = inner(said);
    frame.render_widget(
        Paragraph::new(
            message
                .into_iter()
                .map(|line| Line::styled(line, ALARM))
                .collect::<Vec<_>>(),
        ),
        said,
    );
    bar(frame, keys, keys_of(guide), "");
}

fn title(guide: &Guide) -> &'static str {
    match guide.page {
        Page::Disks => "Step 1 of 3: which disk?",
        Page::Places | Page::Mount | Page::Folder | Page::Far => "Step 2 of 3: where to?",
        Page::Name => "Step 3 of 3: which name?",
        Page::Question => "Connecting",
        Page::Waiting(_) => "A moment, please",
        Page::Ready => "Ready to start",
        Page::Working => "Copying",
        Page::Report => "Finished",
        Page::Failed if guide.was_stopped() => "Stopped",
        Page::Failed => "That did not work",
    }
}

/// The keys of a page. Each page says its own on the last line.
fn keys_of(guide: &Guide) -> &'static str {
    match guide.page {
        Page::Disks => "Up/Down: choose   Enter: go on   R: look again   Q: leave",
        Page::Places => "Up/Down: choose   Enter: go on   Esc: back   R: look again   Q: leave",
        Page::Mount => "Enter: yes, use it   Esc: no, back",
        Page::Folder | Page::Name => "Type with the keyboard   Enter: go on   Esc: back",
        Page::Far => "Type with the keyboard   Enter: next line, go on   Up: line before   Esc: back",
        Page::Question => match guide.asked.as_ref().map(|asked| asked.question.kind) {
            Some(Kind::YesNo) => "Y: yes, it is   N: no, back   Up/Down: read on",
            Some(Kind::Secret) => "Type with the keyboard   Enter: go on   Esc: back",
            Some(Kind::Notice) | None => "Esc: back",
        },
        Page::Waiting(_) => "Esc: back",
        Page::Ready => "Enter: start   Up/Down: read on   Esc: back   Q: leave",
        Page::Working if guide.working.stopping => "Please wait",
        Page::Working if guide.working.asking => "Y: stop   Any other key: go on copying",
        Page::Working if guide.working.paused => "P: go on   Esc: stop",
        Page::Working => "P: pause   Esc: stop",
        Page::Report => "Up/Down: read on   Q: leave",
        Page::Failed if guide.goes_far() => "Enter: try again   Esc: change where to   Up/Down: read on   Q: leave",
        Page::Failed => "Enter: choose another place   Up/Down: read on   Q: leave",
    }
}

/// A line across the screen, with something at both ends.
fn bar(frame: &mut Frame<'_>, area: Rect, left: &str, right: &str) {
    let width = usize::from(area.width);
    let room = width.saturating_sub(left.chars().count() + 2);
    frame.render_widget(Paragraph::new(format!(" {left}{right:>room$} ")).style(BAR), area);
}

fn inner(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1),
        width: area.width.saturating_sub(2),
        ..area
    }
}

fn disks(frame: &mut Frame<'_>, area: Rect, guide: &Guide) {
    let intro = match &guide.disks {
        None => "Looking for disks ...",
        Some(Err(why)) => why,
        Some(Ok(disks)) if disks.is_empty() => {
            "No disk was found in this PC. Is its cable plugged in, at both ends? Is it switched on in the PC's setup? Press R \
             to look again."
        }
        Some(Ok(_)) => "Which disk shall be copied? p2v only reads it: nothing on it is changed.",
    };
    let list = guide.disks.iter().flatten().flatten();
    let width = usize::from(area.width);
    let items = list.map(|disk| disk_item(disk, width)).collect();
    menu(frame, area, intro, items, guide.disk);
}

fn disk_item(disk: &Disk, width: usize) -> Vec<Line<'static>> {
    let head = format!(
        "{}, {}, {} ({})",
        disk.model,
        words::size(disk.size),
        disk.connection,
        disk.path.display()
    );
    let mut lines = vec![Line::styled(head, BOLD)];
    let mut add = |label: &str, text: &str, style: Style| {
        let wrapped = wrap(text, width.saturating_sub(14));
        for (number, line) in wrapped.into_iter().take(3).enumerate() {
            let label = if number == 0 { label } else { "" };
            lines.push(Line::styled(format!("  {label:8} {line}"), style));
        }
    };
    if let Some(why) = &disk.refusal {
        add("Not now:", why, Style::new());
    }
    match &disk.looked {
        None => add("Systems:", "looking ...", Style::new()),
        Some(Err(why)) => add("Problem:", &words::sentence(why), ALARM),
        Some(Ok(looked)) if looked.systems.is_empty() => add("Systems:", "none that p2v knows", Style::new()),
        Some(Ok(looked)) => looked
            .systems
            .iter()
            .take(4)
            .for_each(|system| add("System:", system, Style::new())),
    }
    let health = disk.health.as_ref().map_or("asking ...".to_owned(), Health::text);
    let style = if disk.health.as_ref().is_some_and(Health::is_bad) {
        ALARM
    } else {
        Style::new()
    };
    add("Health:", &health, style);
    lines
}

fn places(frame: &mut Frame<'_>, area: Rect, guide: &Guide) {
    let data = guide.chosen().map_or(0, Disk::data);
    let intro = format!(
        "Where shall the copy go? {} are to be copied; the copy is mostly smaller than that. The disk that is copied is not in \
         this list. A drive that you plug in now appears with R.",
        words::size(data)
    );
    let width = usize::from(area.width);
    let items = guide.places.iter().map(|place| match place {
        Place::Far => vec![
            Line::styled("Another PC, over the network (ssh)", BOLD),
            Line::raw("  You type its name; it needs p2v and an ssh server"),
        ],
        Place::Folder => vec![
            Line::styled("Another folder", BOLD),
            Line::raw("  You type where it is"),
        ],
        Place::Volume(volume) => {
            let mut lines = vec![Line::styled(volume.title.clone(), BOLD)];
            let detail = match &volume.refusal {
                Some(why) => format!("{} - not now: {why}", volume.detail()),
                None => volume.detail(),
            };
            lines.extend(
                wrap(&detail, width.saturating_sub(5))
                    .into_iter()
                    .map(|line| Line::raw(format!("  {line}"))),
            );
            lines
        }
    });
    menu(frame, area, &intro, items.collect(), guide.place);
}

/// A text and a list below it, with one thing chosen.
fn menu(frame: &mut Frame<'_>, area: Rect, intro: &str, items: Vec<Vec<Line<'static>>>, chosen: usize) {
    let intro = wrap(intro, usize::from(area.width));
    let height = u16::try_from(intro.len()).unwrap_or(u16::MAX);
    let [above, _, list] =
        Layout::vertical([Constraint::Length(height), Constraint::Length(1), Constraint::Min(1)]).areas(area);
    frame.render_widget(
        Paragraph::new(intro.into_iter().map(Line::raw).collect::<Vec<_>>()),
        above,
    );
    let mut state = ListState::default();
    if !items.is_empty() {
        state.select(Some(chosen));
    }
    let items = items.into_iter().map(|lines| ListItem::new(Text::from(lines)));
    let widget = List::new(items).highlight_symbol("> ").highlight_style(CHOSEN);
    frame.render_stateful_widget(widget, list, &mut state);
}

/// A line to type in.
fn entry(frame: &mut Frame<'_>, area: Rect, intro: &str, typed: &str) {
    let width = usize::from(area.width);
    let mut lines: Vec<Line<'_>> = wrap(intro, width).into_iter().map(Line::raw).collect();
    lines.push(Line::default());
    let row = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    // The end of a long line is where typing goes on.
    let room = width.saturating_sub(3);
    let skipped = typed.chars().count().saturating_sub(room);
    let shown: String = typed.chars().skip(skipped).collect();
    let column = u16::try_from(shown.chars().count())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    lines.push(Line::from(vec![Span::raw("> "), Span::styled(shown, BOLD)]));
    frame.render_widget(Paragraph::new(lines), area);
    frame.set_cursor_position((area.x.saturating_add(column), area.y.saturating_add(row)));
}

/// A text that may be longer than the screen.
pub(super) fn text(frame: &mut Frame<'_>, area: Rect, lines: Vec<(String, Style)>, scroll: &mut usize) {
    let width = usize::from(area.width);
    let wrapped = lines.into_iter().flat_map(|(line, style)| {
        let lines = wrap(&line, width);
        lines.into_iter().map(move |line| Line::styled(line, style))
    });
    let wrapped: Vec<Line<'_>> = wrapped.collect();
    let height = usize::from(area.height);
    *scroll = (*scroll).min(wrapped.len().saturating_sub(height));
    let more = wrapped.len() > scroll.saturating_add(height);
    let mut shown: Vec<Line<'_>> = wrapped.into_iter().skip(*scroll).take(height).collect();
    if more && let Some(last) = shown.last_mut() {
        *last = Line::styled("(more below: press Down)", ALARM);
    }
    frame.render_widget(Paragraph::new(shown), area);
}
