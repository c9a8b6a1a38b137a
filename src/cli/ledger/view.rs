//! What is shown of the ledger: text, JSON and CSV.

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::chance::Instant;
use crate::cli::out::Out;
use crate::issuance::report::timestamp;
use crate::ledger::ids::short;
use crate::ledger::{Facts, JobRow, Numbered, OrderRow, OrderState, StepState, What};

/// What `perso ledger init --format json` prints.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "LedgerView")]
pub struct LedgerView {
    /// The file.
    file: String,
    /// Name of the ledger.
    ledger: String,
    /// Whether it is for live keys.
    live: bool,
}

impl LedgerView {
    pub(super) fn new(file: &str, facts: Facts) -> Self {
        Self { file: file.to_owned(), ledger: facts.ledger.to_string(), live: facts.live }
    }
}

/// What `perso ledger list --format json` prints: `orders`, or `jobs`.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "LedgerListView")]
pub enum ListView {
    /// Orders.
    Orders {
        /// The latest first.
        orders: Vec<OrderLine>,
    },
    /// Jobs.
    Jobs {
        /// The latest first.
        jobs: Vec<JobLine>,
    },
}

/// An order.
#[derive(Serialize, JsonSchema)]
pub struct OrderLine {
    /// Its identity.
    order: String,
    /// What people know it by.
    label: String,
    /// Its format.
    source: String,
    /// Why the card is issued.
    kind: &'static str,
    /// Its state.
    state: &'static str,
    /// Why it is held; null if it is not.
    held: Option<&'static str>,
    /// Number of attempts.
    attempts: u32,
    /// When it was taken in, RFC 3339, UTC.
    received: String,
}

impl OrderLine {
    pub(super) fn of(row: &OrderRow) -> Self {
        Self {
            order: row.order.to_string(),
            label: row.label.to_string(),
            source: row.source.to_string(),
            kind: row.kind.name(),
            state: row.state.name(),
            held: row.held.map(|reason| reason.words()),
            attempts: row.attempts,
            received: timestamp(Instant(row.received)),
        }
    }
}

/// A job.
#[derive(Serialize, JsonSchema)]
pub struct JobLine {
    /// The job: order and number of the attempt.
    job: String,
    /// Its short form, which commands take.
    short: String,
    /// Its state.
    state: &'static str,
    /// Id of the record.
    record: String,
    /// The chip; null if it was not identified, or has no identity.
    chip: Option<String>,
    /// The station.
    station: String,
    /// The reader.
    reader: Option<String>,
    /// The error code that it ended with.
    code: Option<String>,
    /// Its steps.
    steps: Vec<StepLine>,
    /// When it was claimed, RFC 3339, UTC.
    claimed: String,
    /// When the last event about it was written.
    changed: String,
}

/// A step of a job.
#[derive(Serialize, JsonSchema)]
pub struct StepLine {
    /// The step in words.
    step: String,
    /// `planned`, `begun`, `done`, `failed` or `withdrawn`.
    state: &'static str,
}

impl JobLine {
    pub(super) fn of(row: &JobRow) -> Self {
        let step =
            |(step, state): &(crate::ledger::Step, StepState)| StepLine { step: step.to_string(), state: state.name() };
        Self {
            job: row.job.to_string(),
            short: row.job.short(),
            state: row.state.name(),
            record: row.record.to_string(),
            chip: row.chip.as_ref().map(|chip| chip.chip.to_string()),
            station: row.station.to_string(),
            reader: row.reader.as_ref().map(ToString::to_string),
            code: row.code.as_ref().map(ToString::to_string),
            steps: row.steps.iter().map(step).collect(),
            claimed: timestamp(Instant(row.claimed)),
            changed: timestamp(Instant(row.changed)),
        }
    }
}

impl ListView {
    fn header(&self) -> &'static [&'static str] {
        match self {
            ListView::Orders { .. } => &["ORDER", "STATE", "HELD", "JOBS", "LABEL", "FORMAT", "RECEIVED"],
            ListView::Jobs { .. } => &["JOB", "STATE", "CODE", "RECORD", "CHIP", "STATION", "READER", "CLAIMED"],
        }
    }

    fn rows(&self) -> Vec<Vec<String>> {
        match self {
            ListView::Orders { orders } => orders
                .iter()
                .map(|it| {
                    let held = it.held.unwrap_or_default().to_owned();
                    let digits = it.order.chars().take(12).collect();
                    let attempts = it.attempts.to_string();
                    let (label, source) = (it.label.clone(), it.source.clone());
                    vec![digits, it.state.to_owned(), held, attempts, label, source, it.received.clone()]
                })
                .collect(),
            ListView::Jobs { jobs } => jobs
                .iter()
                .map(|it| {
                    let known = |text: &Option<String>| text.clone().unwrap_or_default();
                    let (code, chip, reader) = (known(&it.code), known(&it.chip), known(&it.reader));
                    let (state, record) = (it.state.to_owned(), it.record.clone());
                    vec![it.short.clone(), state, code, record, chip, it.station.clone(), reader, it.claimed.clone()]
                })
                .collect(),
        }
    }

    pub(super) fn csv(&self) -> String {
        csv(self.header(), &self.rows())
    }

    pub(super) fn print(&self, out: &mut Out) {
        let rows = self.rows();
        if rows.is_empty() {
            out.line("None.");
        } else {
            out.table(self.header(), &rows);
        }
    }
}

/// What `perso ledger show --format json` prints.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "LedgerShowView")]
pub struct ShowView {
    /// The order.
    order: OrderLine,
    /// What comes next, in words.
    next: &'static str,
    /// Its jobs, the first one first.
    jobs: Vec<JobLine>,
    /// Its history, in order.
    events: Vec<EventLine>,
}

/// What the commands that write print with `--format json`.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "LedgerActView")]
pub struct ActView {
    /// The order as it is now.
    order: OrderLine,
    /// What comes next, in words.
    next: &'static str,
    /// The two people of an act that takes two. A test ledger does not verify them.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<[String; 2]>,
}

impl ActView {
    pub(super) fn new(order: &OrderRow, people: Option<[String; 2]>) -> Self {
        Self { order: OrderLine::of(order), next: next(order), people }
    }

    pub(super) fn print(&self, out: &mut Out) {
        let held = self.order.held.map(|reason| format!(", held: {reason}")).unwrap_or_default();
        let digits: String = self.order.order.chars().take(12).collect();
        out.line(format!("Order {digits} is {}{held}. {}", self.order.state, self.next));
        if let Some([first, second]) = &self.people {
            out.line(format!(
                "Two people: {first} and {second}. Their names are not verified: a test ledger has no accounts."
            ));
        }
    }
}

/// An event.
#[derive(Serialize, JsonSchema)]
pub struct EventLine {
    /// Its number in the ledger.
    number: u64,
    /// When it was written, by the wall clock, RFC 3339, UTC.
    time: String,
    /// What happened.
    event: String,
    /// The job, if it is about one.
    job: Option<String>,
    /// More about it, in words.
    detail: String,
    /// The person.
    person: String,
    /// The station.
    station: String,
}

impl ShowView {
    pub(super) fn new(order: &OrderRow, jobs: &[JobRow], events: &[Numbered]) -> Self {
        Self {
            order: OrderLine::of(order),
            next: next(order),
            jobs: jobs.iter().map(JobLine::of).collect(),
            events: events.iter().map(event).collect(),
        }
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |it: &EventLine| {
            let job = it.job.clone().unwrap_or_default();
            vec![it.number.to_string(), it.time.clone(), it.event.clone(), job, it.detail.clone(), it.person.clone()]
        };
        self.events.iter().map(row).collect()
    }

    pub(super) fn csv(&self) -> String {
        csv(EVENTS, &self.rows())
    }

    pub(super) fn print(&self, out: &mut Out) {
        let order = &self.order;
        let held = order.held.map(|reason| format!(", held: {reason}")).unwrap_or_default();
        out.line(format!("Order    {}", order.order));
        out.line(format!("Label    {} ({}, {})", order.label, order.source, order.kind));
        out.line(format!("State    {}{held}", order.state));
        out.line(format!("Next     {}", self.next));
        for job in &self.jobs {
            let code = job.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
            let chip = job.chip.as_deref().unwrap_or("no chip identity");
            out.line(format!("Job      {} {}{code}, {chip}", job.short, job.state));
            let steps: Vec<String> = job.steps.iter().map(|it| format!("{} ({})", it.step, it.state)).collect();
            out.line(format!("  steps  {}", steps.join(", ")));
        }
        out.table(EVENTS, &self.rows());
    }
}

const EVENTS: &[&str] = &["N", "TIME", "EVENT", "JOB", "DETAIL", "PERSON"];

/// What comes next for an order.
fn next(order: &OrderRow) -> &'static str {
    if order.held.is_some() {
        return "A supervisor releases the order, or it is cancelled.";
    }
    match order.state {
        OrderState::Received => "Its record is prepared.",
        OrderState::Prepared if order.live.is_some() => "A worker has it; nothing is on the card yet.",
        OrderState::Prepared => "Its card can be made.",
        OrderState::Personalizing => "A worker makes its card.",
        OrderState::InDoubt => "Keep the card aside: it must be read, or destroyed in front of two people.",
        OrderState::Good => "Stripe, print and look are confirmed, or the card is rejected.",
        OrderState::Made => "The card is handed over or shipped.",
        OrderState::Shipped => "Nothing.",
        OrderState::Spoiled => "Destroy the card; a further attempt takes a new blank.",
        OrderState::Rejected => "Destroy the card; a remake is approved by two people.",
        OrderState::Refused | OrderState::Cancelled | OrderState::Expired => "The order may be sent again.",
        OrderState::GivenUp => "Nothing: it cannot be made here any more.",
    }
}

fn event(numbered: &Numbered) -> EventLine {
    let event = &numbered.event;
    let spooled = if event.spooled { " (from a spool)" } else { "" };
    EventLine {
        number: numbered.number,
        time: timestamp(Instant(event.at.wall)),
        event: name(&event.what),
        job: event.what.job().map(|job| job.short()),
        detail: format!("{}{spooled}", detail(&event.what)),
        person: event.by.person.to_string(),
        station: event.by.station.to_string(),
    }
}

/// The word for an event, as it is stored.
fn name(what: &What) -> String {
    let value = serde_json::to_value(what).unwrap_or_default();
    value.get("event").and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

fn detail(what: &What) -> String {
    match what {
        What::LedgerCreated { ledger, .. } => ledger.to_string(),
        What::OrderReceived(received) => format!("{} {}", received.source, received.label),
        What::OrderPrepared { record, .. } => format!("record {record}"),
        What::OrderRefused { code, .. } => code.to_string(),
        What::OrderHeld { reason, .. } => reason.words().to_owned(),
        What::OrderGivenUp { reason, .. } | What::CardRejected { reason, .. } => reason.to_string(),
        What::RemakeApproved { second, .. }
        | What::ReissueApproved { second, .. }
        | What::JobSettled { second, .. } => {
            format!("with {second}")
        }
        What::JobClaimed { record, plan, .. } => format!("record {record}, {} steps", plan.len()),
        What::ChipIdentified { chip, .. } => {
            chip.as_ref().map_or_else(|| "no chip identity".to_owned(), |chip| chip.chip.to_string())
        }
        What::StepAboutTo { step, .. } => step.to_string(),
        What::StepDid { n, outcome, .. } => format!("step {}: {outcome}", n.saturating_add(1)),
        What::JobEnded { verdict, code, .. } => {
            let code = code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
            format!("{}{code}", verdict.name())
        }
        What::JobRecovered { verdict, .. } => verdict.name().to_owned(),
        What::CardShipped { carrier, tracking, .. } => format!("{carrier} {tracking}"),
        What::OrderReleased { .. }
        | What::OrderCancelled { .. }
        | What::OrderExpired { .. }
        | What::LeaseExpired { .. }
        | What::RecoveryClaimed { .. }
        | What::CardMade { .. }
        | What::CardHandedOver { .. } => short(&what.order().unwrap_or(crate::ledger::OrderId::new([0; 32]))),
    }
}

/// What `perso ledger check --format json` prints.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "LedgerCheckView")]
pub struct CheckView {
    /// Whether the tables are what the events give, and every rule holds.
    equal: bool,
    /// Each difference, in words.
    differences: Vec<String>,
}

impl CheckView {
    pub(super) fn new(differences: Vec<String>) -> Self {
        Self { equal: differences.is_empty(), differences }
    }

    pub(super) fn print(&self, out: &mut Out) {
        if self.equal {
            out.line("The tables are what the events give, and every rule holds.");
            return;
        }
        self.differences.iter().for_each(|what| out.line(what));
        out.line("Make no card with this ledger; docs/ledger.md says what to do.");
    }
}

/// Lines of comma-separated values. // RFC 4180
fn csv(header: &[&str], rows: &[Vec<String>]) -> String {
    let field = |text: &str| {
        // A field that a spreadsheet would compute gets an apostrophe.
        let formula = text.starts_with(['=', '+', '-', '@']);
        let text = if formula { format!("'{text}") } else { text.to_owned() };
        let quoted = text.contains([',', '"', '\n', '\r']);
        if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    let line = |fields: Vec<String>| fields.join(",");
    let header = line(header.iter().map(|name| name.to_lowercase()).collect());
    let rows = rows.iter().map(|row| line(row.iter().map(|text| field(text)).collect()));
    std::iter::once(header).chain(rows).collect::<Vec<_>>().join("\n")
}
