//! The table of what was tried, and its comparison with the committed one.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::support::file_of;

#[derive(Default)]
pub struct Table(Vec<Row>);

struct Row {
    who: &'static str,
    version: String,
    what: String,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Table {
    /// Tries something, and notes how it ended.
    pub fn attempt(&mut self, who: &'static str, version: &str, what: &str, work: impl FnOnce() -> Result<(), String>) {
        let outcome = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(why)) => Outcome::Failed(why),
            Err(_) => Outcome::Failed("it panicked; see above".into()),
        };
        self.note(who, version, what, outcome);
    }

    /// Notes that something could not be tried.
    pub fn skip(&mut self, who: &'static str, version: &str, what: &str, why: &str) {
        self.note(who, version, what, Outcome::Skipped(why.into()));
    }

    fn note(&mut self, who: &'static str, version: &str, what: &str, outcome: Outcome) {
        let row = Row { who, version: version.into(), what: what.into(), outcome };
        println!("{}", row.line());
        self.0.push(row);
    }

    /// Prints the table, and ends the program: with an error where something failed, or where what was tried is not what
    /// the committed table says. A row that was skipped here is compared with nothing; the table is rewritten, and its rows
    /// counted, only if everything was tried.
    pub fn conclude(self, whole: bool) {
        let path = file_of("docs/foreign.md");
        let mut text = String::from(HEAD);
        self.0.iter().for_each(|row| writeln!(text, "{}", row.line()).unwrap());
        text.push_str(TAIL);
        println!("\n{text}");
        let failed = self.0.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))).count();
        let skipped = self.0.iter().filter(|row| matches!(row.outcome, Outcome::Skipped(_))).count();
        println!("{} passed, {failed} failed, {skipped} skipped", self.0.len() - failed - skipped);
        if let Some(path) = std::env::var_os("PERSO_FOREIGN_SUMMARY") {
            std::fs::write(path, self.summary()).unwrap();
        }
        if whole && std::env::var_os("PERSO_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let held = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = self.differences(&held, whole);
        differs.iter().for_each(|line| println!("docs/foreign.md: {line}; PERSO_BLESS=1 rewrites it"));
        std::process::exit(i32::from(failed > 0 || !differs.is_empty()));
    }

    /// How many were tried, then a line for each that was skipped and why: what scripts/test.sh tells of this run.
    fn summary(&self) -> String {
        let mut skipped: Vec<(&str, &str, usize)> = Vec::new();
        for row in &self.0 {
            let Outcome::Skipped(why) = &row.outcome else { continue };
            match skipped.iter_mut().find(|(who, reason, _)| (*who, *reason) == (row.who, why)) {
                Some((.., count)) => *count += 1,
                None => skipped.push((row.who, why, 1)),
            }
        }
        let tried = self.0.len() - skipped.iter().map(|(.., count)| count).sum::<usize>();
        let lines = skipped.iter().map(|(who, why, count)| format!("skipped {count} {who}: {why}\n"));
        format!("tried {tried}\n{}", lines.collect::<String>())
    }

    fn differences(&self, held: &str, whole: bool) -> Vec<String> {
        let held: Vec<&str> = held.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        let mut differs = Vec::new();
        for row in &self.0 {
            let names = |line: &&&str| {
                line.contains(&format!("| {} |", row.what)) && line.starts_with(&format!("| {} |", row.who))
            };
            match held.iter().find(names) {
                None => differs.push(format!("does not name {}: {}", row.who, row.what)),
                Some(_) if matches!(row.outcome, Outcome::Skipped(_)) => {}
                // What a distribution brings has the version that it has there.
                Some(line) if row.version.ends_with("(distribution)") => {
                    if !line.ends_with(&row.outcome.cell()) {
                        differs.push(format!("says otherwise of {}: {}", row.who, row.what));
                    }
                }
                Some(line) if **line != row.line() => {
                    differs.push(format!("says otherwise of {}: {}", row.who, row.what));
                }
                Some(_) => {}
            }
        }
        if whole && held.len() != self.0.len() {
            differs.push(format!("has {} rows, and {} were tried", held.len(), self.0.len()));
        }
        differs
    }
}

const HEAD: &str = "# Interoperability results\n\nMade by `PERSO_BLESS=1 scripts/foreign.sh`: programs of others against our \
simulated cards, through pcscd and vpcd. `scripts/test.sh` runs it again; what was not skipped there has to be as it stands \
here.\n\nBeyond the table, `tests/it/foreign_emv.rs` has the flow of the crate `emv` pay with prepared cards in process: SDA, DDA and CDA \
pass. The crate's functions for offline data authentication in a flow of our own pass fDDA, too, and find nothing proven if one bit of a \
signature is flipped. Its program `emv-test-transaction` fails CDA with every card (version 0.1.1): the check takes the unpredictable number from \
the tag store (`src/contact/transaction_driver.rs`, 1160), where only `start` of `src/contact/transaction_flow.rs` (114) puts it, \
which the program does not call; filling CDOL1 (`src/contact/dol_resolve.rs`, 11) leaves the store alone. It ends with 95 \
04..: CDA failed, whatever the card signs.\n\n| who | version | what | outcome |\n|---|---|---|---|\n";

const TAIL: &str = "
## What is compared, and what is not

- *python-emv* is held against `perso card data` element by element: the same tags, and the same bytes. Of 8E and 9F07 it keeps
what it has parsed, which is put together again; its words for them are not compared, since it takes the bits of a rule for
another one (1E, signature, is printed as a PIN online).
- What we mask is compared by what we show: the first six and last four digits of the PAN, and in track 2 the expiry and the
service code too, with the length of the whole. Of the cardholder's name (5F20) and of the discretionary data of track 1 (9F1F)
we show nothing, so only tag and length are compared there; that the card holds the record's bytes is what reading back compares.
- GET DATA (counters, log) is not asked through python-emv, and it speaks T=0 only and knows no contactless kernel: what a dual
interface card says over its antenna is not compared with it. An element that is there twice is compared where it comes last.
- Of the crate `emv` only what its terminal prints is compared: name, label, AIP, AFL, and that the records were read.
- pyemv makes no cryptogram of Visa's version 17 (11): that one rests on descriptions, and its vector on pyemv's primitives.
";

impl Row {
    fn line(&self) -> String {
        format!("| {} | {} | {} {}", self.who, self.version, self.what, self.outcome.cell())
    }
}

impl Outcome {
    fn cell(&self) -> String {
        match self {
            Self::Passed => "| passed |".into(),
            Self::Failed(why) => format!("| FAILED: {} |", why.replace('|', "/")),
            Self::Skipped(why) => format!("| skipped: {} |", why.replace('|', "/")),
        }
    }
}
