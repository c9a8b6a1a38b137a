//! What must hold in the tables at any time, whatever was killed, cut or sent twice.

use std::collections::BTreeMap;

use super::ids::{JobId, OrderId, short};
use super::rows::{JobRow, JobState, OrderRow, OrderState, StepState};

/// A rule of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// At most one job of an order has not ended.
    OneLiveJob,
    /// At most one job of an order is good, made or shipped.
    OneCard,
    /// A chip belongs to one job that began a step and did not end untouched.
    OneJobPerChip,
    /// Each job has its order, and an order's jobs are numbered without a gap.
    NothingLost,
    /// An order's state is that of its latest job.
    OrderFollowsJob,
    /// A good card has each step that changes the chip done.
    GoodIsWhole,
    /// An untouched card has no such step begun.
    UntouchedIsBlank,
    /// No step begins before the one before it is done.
    StepsInOrder,
    /// A job that a worker has carries a fence; one that has ended does not, but for stripe and print.
    Fenced,
    /// An order that is refused, given up, cancelled or expired has no card and no chip begun.
    FinalIsFinal,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 10] = [
        Invariant::OneLiveJob,
        Invariant::OneCard,
        Invariant::OneJobPerChip,
        Invariant::NothingLost,
        Invariant::OrderFollowsJob,
        Invariant::GoodIsWhole,
        Invariant::UntouchedIsBlank,
        Invariant::StepsInOrder,
        Invariant::Fenced,
        Invariant::FinalIsFinal,
    ];
}

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// The rule.
    pub invariant: Invariant,
    /// The order or job, in words.
    pub what: String,
}

/// Checks all rows.
pub fn check(orders: &[OrderRow], jobs: &[JobRow]) -> Vec<Breach> {
    let mut of_order: BTreeMap<OrderId, Vec<&JobRow>> = BTreeMap::new();
    for job in jobs {
        of_order.entry(job.job.order).or_default().push(job);
    }
    let mut out = Found(Vec::new());
    let known: BTreeMap<OrderId, &OrderRow> = orders.iter().map(|order| (order.order, order)).collect();
    for job in jobs.iter().filter(|job| !known.contains_key(&job.job.order)) {
        out.job(Invariant::NothingLost, job.job, "has no order");
    }
    for order in orders {
        let jobs = of_order.get(&order.order).map(Vec::as_slice).unwrap_or_default();
        order_holds(order, jobs, &mut out);
    }
    jobs.iter().for_each(|job| job_holds(job, &mut out));
    let mut chips = BTreeMap::new();
    for (chip, job) in jobs.iter().filter_map(|job| Some((job.holds_chip()?, job.job))) {
        if let Some(other) = chips.insert(chip, job) {
            out.job(Invariant::OneJobPerChip, job, &format!("has the chip of job {}", other.short()));
        }
    }
    out.0.sort();
    out.0
}

struct Found(Vec<Breach>);

impl Found {
    fn order(&mut self, invariant: Invariant, order: OrderId, what: &str) {
        self.0.push(Breach { invariant, what: format!("order {} {what}", short(&order)) });
    }

    fn job(&mut self, invariant: Invariant, job: JobId, what: &str) {
        self.0.push(Breach { invariant, what: format!("job {} {what}", job.short()) });
    }
}

fn order_holds(order: &OrderRow, jobs: &[&JobRow], out: &mut Found) {
    let id = order.order;
    let mut numbers: Vec<u32> = jobs.iter().map(|job| job.job.attempt).collect();
    numbers.sort_unstable();
    if !numbers.iter().copied().eq(1..=order.attempts) {
        out.order(Invariant::NothingLost, id, "has not the jobs that it counts");
    }
    let which = |is: fn(JobState) -> bool| {
        jobs.iter().filter(|job| is(job.state)).map(|job| job.job.attempt).collect::<Vec<u32>>()
    };
    let (live, card) = (which(JobState::is_live), which(JobState::has_card));
    if live.len() > 1 || order.live != live.first().copied() {
        out.order(Invariant::OneLiveJob, id, "has other jobs that have not ended than its row says");
    }
    if card.len() > 1 || order.card != card.first().copied() || (!card.is_empty() && !live.is_empty()) {
        out.order(Invariant::OneCard, id, "has other cards than its row says, or a further one is begun");
    }
    let latest = jobs.iter().max_by_key(|job| job.job.attempt);
    if !order.state.holds_others() {
        if !card.is_empty() || jobs.iter().any(|job| job.state.is_live() && job.is_touched()) {
            out.order(Invariant::FinalIsFinal, id, "is at its end and has a card, or one that is begun");
        }
    } else if !follows(order, latest.map(|job| job.state)) {
        out.order(Invariant::OrderFollowsJob, id, "is in another state than its latest job");
    }
}

/// Whether an order may be in its state while its latest job is in that one.
fn follows(order: &OrderRow, latest: Option<JobState>) -> bool {
    let before_card = matches!(order.state, OrderState::Received | OrderState::Prepared);
    match latest {
        None => before_card,
        // A remake is approved, or on a test ledger prepared, or the order came again.
        Some(JobState::Spoiled | JobState::Rejected | JobState::Untouched) if before_card => true,
        Some(state) => order.state == state.order_state(),
    }
}

fn job_holds(job: &JobRow, out: &mut Found) {
    let id = job.job;
    if job.state.has_card() && !job.is_whole() {
        out.job(Invariant::GoodIsWhole, id, "is good without each of its steps");
    }
    if matches!(job.state, JobState::Untouched | JobState::Claimed) && job.is_touched() {
        out.job(Invariant::UntouchedIsBlank, id, "is untouched, but a step that changes the chip has begun");
    }
    let begun = |state: StepState| state != StepState::Planned;
    let ordered = job.steps.windows(2).all(|pair| match pair {
        [(_, before), (_, after)] => !begun(*after) || *before == StepState::Done,
        _ => true,
    });
    if !ordered {
        out.job(Invariant::StepsInOrder, id, "has a step that began before the one before it was done");
    }
    let held = matches!(job.state, JobState::Claimed | JobState::Personalizing);
    let may_be_held = held || matches!(job.state, JobState::InDoubt | JobState::Good);
    if (held && job.fence.is_none()) || (job.fence.is_some() && !may_be_held) {
        out.job(Invariant::Fenced, id, "has a fence without a worker, or a worker without a fence");
    }
}
