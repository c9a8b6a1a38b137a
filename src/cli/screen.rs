//! What a terminal is sent: control characters made harmless, long lines wrapped, colour.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal;

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};

/// Widest text on a wide terminal is not bounded, but nothing is wrapped below this many columns.
const NARROWEST: usize = 40;
/// Blanks between columns.
const GAP: usize = 2;
/// Fewest columns of prose that is wrapped.
const PROSE: usize = 24;

/// The style of what is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// The style of what needs a look.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// The style of what is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Stream {
    /// The columns of the terminal; none if it is no terminal.
    pub(super) fn width(self) -> Option<usize> {
        let size = match self {
            Stream::Output if std::io::stdout().is_terminal() => terminal_size::terminal_size_of(std::io::stdout()),
            Stream::Error if std::io::stderr().is_terminal() => terminal_size::terminal_size_of(std::io::stderr()),
            _ => None,
        };
        size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
    }

    /// Whether colour may be written: `--color`, NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM, and whether it is a terminal.
    pub(super) fn has_colour(self) -> bool {
        let choice = match self {
            Stream::Output => anstream::AutoStream::choice(&std::io::stdout()),
            Stream::Error => anstream::AutoStream::choice(&std::io::stderr()),
        };
        choice != ColorChoice::Never
    }
}

/// Whether standard error is a terminal that a line can be drawn on again and again.
pub(super) fn can_redraw() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Characters that a terminal obeys or that hide text: control characters, and the marks that turn or hide text.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{061c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text that a terminal prints as it is: what it would obey becomes visible, such as `\u{1b}`. A line end stays, and
/// what follows it is indented, so that no name begins a line of its own.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\n  "),
            c if is_harmful(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// JSON text without raw control characters: `serde_json` escapes those below U+0020 only. In JSON they stand in strings
/// alone, except for line ends between members.
pub(super) fn harmless_json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_harmful(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c == '\n' || !is_harmful(c) {
            shown.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    Cow::Owned(shown)
}

/// A line of text for a terminal of this width: the lines that follow stand below the text, to the right of its labels.
/// Words are never cut, so that a long value can be copied.
pub(super) fn wrapped(text: &str, width: Option<usize>) -> Cow<'_, str> {
    let Some(width) = width.filter(|width| *width >= NARROWEST) else { return Cow::Borrowed(text) };
    if text.lines().all(|line| textwrap::core::display_width(line) <= width) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> = text.split('\n').map(|line| wrapped_line(line, width)).collect();
    Cow::Owned(lines.join("\n"))
}

fn wrapped_line(line: &str, width: usize) -> String {
    // Blanks in front, and labels with the gaps behind them, stay as they are.
    let at = beginning(line, width * 3 / 4);
    let (head, text) = line.split_at(at);
    let under = if head.trim().is_empty() { GAP } else { 0 };
    let indent = " ".repeat(textwrap::core::display_width(head) + under);
    let options = textwrap::Options::new(width).initial_indent(head).subsequent_indent(&indent).break_words(false);
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).join("\n")
}

/// Where the text begins: behind the last gap of two or more blanks that ends within these columns.
fn beginning(line: &str, deepest: usize) -> usize {
    let gaps = line.match_indices("  ").map(|(at, _)| {
        let rest = line.get(at..).unwrap_or_default();
        at + rest.len() - rest.trim_start_matches(' ').len()
    });
    let within = |at: &usize| textwrap::core::display_width(line.get(..*at).unwrap_or_default()) <= deepest;
    gaps.filter(within).last().unwrap_or(line.len() - line.trim_start_matches(' ').len())
}

/// A column of a table: its header, and a cell for each row.
struct Column<'a> {
    header: &'a str,
    cells: Vec<Cow<'a, str>>,
}

impl Column<'_> {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| textwrap::core::display_width(cell));
        cells.chain([textwrap::core::display_width(self.header)]).max().unwrap_or(0)
    }

    fn is_prose(&self) -> bool {
        self.cells.iter().any(|cell| cell.contains(' '))
    }
}

/// The lines of a table: a header, columns two blanks apart. Words are never cut. If there is a width and the table is
/// wider, a last column of prose is wrapped, and other columns that do not fit are named on a line below their row.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let cells = |at| rows.iter().map(|row| harmless(cell(row, at))).collect();
    let mut columns: Vec<Column> =
        header.iter().enumerate().map(|(at, header)| Column { header, cells: cells(at) }).collect();
    // A column that says nothing takes no room.
    columns.retain(|column| column.cells.iter().any(|cell| !cell.is_empty()));
    let width = width.unwrap_or(usize::MAX).max(NARROWEST);
    let mut end = 0;
    let ends = columns.iter().map(|column| {
        let begin = end;
        end += column.width() + GAP;
        (begin, end - GAP)
    });
    let ends: Vec<(usize, usize)> = ends.collect();
    let fitting = ends.iter().filter(|(_, end)| *end <= width).count();
    let prose = columns.last().is_some_and(Column::is_prose);
    let room = ends.last().is_some_and(|(begin, _)| begin + PROSE <= width);
    if prose && room && fitting + 1 == columns.len() {
        return laid_out(&columns, Some(width));
    }
    let below = columns.split_off(fitting.max(1).min(columns.len()));
    // Nothing is wrapped: each row has one line, behind that of the header.
    let mut lines = laid_out(&columns, None).into_iter();
    let mut all: Vec<String> = lines.next().into_iter().collect();
    for (row, line) in lines.enumerate() {
        all.push(line);
        let value = |column: &Column| {
            let cell = column.cells.get(row).filter(|cell| !cell.is_empty())?;
            Some(format!("{} {cell}", column.header))
        };
        let named: Vec<String> = below.iter().filter_map(value).collect();
        if !named.is_empty() {
            all.push(format!("    {}", named.join("  ")));
        }
    }
    all
}

fn laid_out(columns: &[Column], width: Option<usize>) -> Vec<String> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    if let Some(width) = width.and_then(|width| u16::try_from(width).ok()) {
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(columns.iter().map(|column| column.header));
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for row in 0..rows {
        table.add_row(columns.iter().map(|column| column.cells.get(row).map_or("", AsRef::as_ref)));
    }
    let last = columns.len().saturating_sub(1);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at == last { 0 } else { GAP as u16 }));
        if at != last {
            column.set_constraint(comfy_table::ColumnConstraint::ContentWidth);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn cell(row: &[String], at: usize) -> &str {
    row.get(at).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn escape_sequences_and_marks_become_visible() {
        for (text, shown) in [
            ("VISA\u{1b}[2J", "VISA\\u{1b}[2J"),
            ("a\rGOOD", "a\\u{d}GOOD"),
            ("a\u{9b}31m", "a\\u{9b}31m"),
            ("a\u{7f}\u{8}\t", "a\\u{7f}\\u{8}\\u{9}"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
            ("a\nGOOD. Take the card.", "a\n  GOOD. Take the card."),
            ("Zoë Müller 名前", "Zoë Müller 名前"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    #[test]
    fn json_keeps_its_meaning_and_has_no_raw_control_characters() {
        let value = serde_json::json!({ "name\u{9b}": "\u{1b}[2J \u{7f}\u{85}\u{202e}\u{e0001}\n" });
        let text = harmless_json(&serde_json::to_string_pretty(&value).unwrap()).into_owned();
        assert!(text.chars().all(|c| c == '\n' || !is_harmful(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn lines_are_wrapped_below_their_text() {
        let at = |text| wrapped(text, Some(40)).into_owned();
        assert_eq!(
            at("Skipped  the seal and everything in the body"),
            "Skipped  the seal and everything in the\n         body"
        );
        assert_eq!(
            at("  path: this message is longer than forty columns"),
            "  path: this message is longer than\n    forty columns"
        );
        let hex = "90    ".to_owned() + &"AB".repeat(40);
        assert!(at(&hex).lines().any(|line| line.trim_start().len() >= 80), "{}", at(&hex));
        assert_eq!(wrapped("a long line is left alone without a terminal at all", None).lines().count(), 1);
        assert_eq!(at("short"), "short");
        assert_eq!(
            wrapped("problem  service    it cannot be used: no daemon is running here", Some(50)),
            "problem  service    it cannot be used: no daemon\n                    is running here"
        );
    }

    #[test]
    fn tables_have_a_header_and_keep_the_width() {
        let rows = [vec!["CARD-BLANK".into(), "the card is no blank of this profile\u{1b}[2J".into()]];
        assert_eq!(
            table(&["CODE", "MEANING"], &rows, None),
            ["CODE        MEANING", "CARD-BLANK  the card is no blank of this profile\\u{1b}[2J"]
        );
        let narrow = table(&["CODE", "MEANING"], &rows, Some(40));
        assert!(narrow.len() > 2 && narrow.iter().all(|line| line.len() <= 40), "{narrow:?}");
        assert!(narrow.get(2).is_some_and(|line| line.starts_with("            ")), "{narrow:?}");
    }

    #[test]
    fn columns_that_do_not_fit_are_named_below_their_row() {
        let row =
            |name: &str, zone: &str| vec![name.into(), "0123456789".into(), String::new(), zone.into(), "x".into()];
        let rows = [row("a-name-of-thirty-characters-000", "between-two"), row("b", "")];
        let header = ["NAME", "VALUE", "EMPTY", "ZONE", "KIND"];
        assert_eq!(
            table(&header, &rows, Some(50)),
            [
                "NAME                             VALUE",
                "a-name-of-thirty-characters-000  0123456789",
                "    ZONE between-two  KIND x",
                "b                                0123456789",
                "    KIND x",
            ]
        );
        assert!(table(&header, &rows, Some(80)).iter().skip(1).all(|line| line.ends_with("  x")));
        assert_eq!(table(&header, &[], None).len(), 0);
    }
}
