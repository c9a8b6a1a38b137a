//! Medians, measured in turns, and tables.

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

/// A ratio beside its aim.
pub fn against(ratio: f64, aim: f64) -> [String; 2] {
    let verdict = if ratio <= aim { "met" } else { "missed" };
    [format!("{ratio:.3}"), format!("≤ {aim}: {verdict}")]
}
