//! Progress of a job on standard error: one line that advances on a terminal, else a line for each step.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::common::warn;
use super::screen::{self, harmless};
use crate::issuance::job::ProgressEvent;

/// How often the line is drawn again.
const TICK: Duration = Duration::from_millis(100);

/// Shows events until their sender is dropped.
pub(super) fn show(events: &Receiver<ProgressEvent>, quiet: bool) {
    if quiet {
        events.iter().for_each(drop);
    } else if screen::can_redraw() {
        draw(events, &bar(ProgressDrawTarget::stderr()));
    } else {
        events.iter().filter_map(|event| words(&event)).for_each(|words| warn(&format!("… {words}")));
    }
}

/// Counts pieces of one kind: on a terminal in one line, elsewhere only what is begun.
pub(super) struct Counter {
    bar: Option<ProgressBar>,
    what: &'static str,
    all: u32,
}

impl Counter {
    /// Begins, with `what` as in "making RSA keys".
    pub(super) fn begin(what: &'static str, all: u32, quiet: bool) -> Self {
        let bar = (!quiet && screen::can_redraw()).then(|| bar(ProgressDrawTarget::stderr()));
        if !quiet && bar.is_none() {
            warn(&format!("… {what} ({all})"));
        }
        let counter = Self { bar, what, all };
        counter.done(0);
        counter
    }

    /// The number of finished items.
    pub(super) fn done(&self, done: u32) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} ({done} of {})", self.what, self.all));
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(target: ProgressDrawTarget) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target);
    // A template of our own that does not parse would leave the default one.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    // Events that follow each other at once are not all drawn; the last one is by the next tick.
    bar.enable_steady_tick(TICK);
    bar
}

fn draw(events: &Receiver<ProgressEvent>, bar: &ProgressBar) {
    let (mut doing, mut stored) = (String::new(), String::new());
    for event in events {
        match (&event, words(&event)) {
            (ProgressEvent::Stored { done, all }, _) => stored = format!(" ({done} of {all} commands)"),
            (_, Some(words)) => (doing, stored) = (words, String::new()),
            _ => {}
        }
        bar.set_message(harmless(&format!("{doing}{stored}")).into_owned());
    }
    bar.finish_and_clear();
}

/// What is done; none for an event that only counts.
fn words(event: &ProgressEvent) -> Option<String> {
    Some(match event {
        ProgressEvent::Identifying => "identifying the card".into(),
        ProgressEvent::Loading { label: Some(label), .. } => format!("loading {label}"),
        ProgressEvent::Loading { label: None, aid } => format!("loading {}", hex::encode_upper(aid)),
        ProgressEvent::Stored { .. } => return None,
        ProgressEvent::ReadingBack => "reading the card back".into(),
        ProgressEvent::Proving => "proving the card".into(),
        ProgressEvent::SettingLifeCycle => "setting the card's life cycle".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_named_by_its_label_or_else_by_its_aid() {
        let loading =
            |label: Option<&str>| ProgressEvent::Loading { label: label.map(String::from), aid: vec![0xA0, 1] };
        assert_eq!(words(&loading(Some("VISA DEBIT"))).as_deref(), Some("loading VISA DEBIT"));
        assert_eq!(words(&loading(None)).as_deref(), Some("loading A001"));
        assert_eq!(words(&ProgressEvent::Stored { done: 1, all: 2 }), None);
    }
}
