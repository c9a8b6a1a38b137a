//! Medians, measured in turns, and tables.

use std::sync::Mutex;
use std::time::Duration;

/// The middle one.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Medians of two things that are done in turns, `times` each, after one of each that does not count.
pub fn in_turns(
    times: usize,
    mut first: impl FnMut() -> Duration,
    mut second: impl FnMut() -> Duration,
) -> (Duration, Duration) {
    first();
    second();
    let mut taken = (Vec::new(), Vec::new());
    for turn in 0..times {
        // Whoever goes second may find things warm.
        if turn % 2 == 0 {
            taken.0.push(first());
            taken.1.push(second());
        } else {
            taken.1.push(second());
            taken.0.push(first());
        }
    }
    (median(taken.0), median(taken.1))
}

/// Head of a table.
pub fn head(title: &str, columns: &[&str]) {
    println!("\n## {title}\n");
    row(columns);
    row(&columns.iter().map(|_| "---").collect::<Vec<_>>());
}

/// A line of a table.
pub fn row<T: AsRef<str>>(cells: &[T]) {
    println!("| {} |", cells.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" | "));
}

/// In milliseconds.
pub fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// How many times the second goes into the first.
pub fn ratio(first: Duration, second: Duration) -> f64 {
    first.as_secs_f64() / second.as_secs_f64()
}

/// A ratio beside its aim; `what` and `of` name it in the summary.
pub fn against(what: &'static str, of: &str, ratio: f64, aim: f64) -> [String; 2] {
    [format!("{ratio:.3}"), judged(what, of, &format!("≤ {aim}"), ratio <= aim)]
}

/// An aim, and whether it was met.
pub fn judged(what: &'static str, of: &str, aim: &str, met: bool) -> String {
    let verdict = format!("{aim}: {}", if met { "met" } else { "missed" });
    JUDGED.lock().unwrap().push(Judged { what, of: of.to_owned(), aim: aim.to_owned(), met });
    verdict
}

struct Judged {
    what: &'static str,
    of: String,
    aim: String,
    met: bool,
}

static JUDGED: Mutex<Vec<Judged>> = Mutex::new(Vec::new());

/// Every aim in one line, with what has missed it. Whether all were met.
pub fn aims() -> bool {
    let judged = JUDGED.lock().unwrap();
    head("Aims", &["what", "aim", "met", "missed by"]);
    let mut names: Vec<&str> = Vec::new();
    for it in judged.iter() {
        if !names.contains(&it.what) {
            names.push(it.what);
        }
    }
    for what in names {
        let these: Vec<&Judged> = judged.iter().filter(|it| it.what == what).collect();
        let missed: Vec<&str> = these.iter().filter(|it| !it.met).map(|it| it.of.as_str()).collect();
        let met = format!("{} of {}", these.len() - missed.len(), these.len());
        let missed = if missed.is_empty() { "-".to_owned() } else { missed.join(", ") };
        row(&[what.to_owned(), these[0].aim.clone(), met, missed]);
    }
    judged.iter().all(|it| it.met)
}
