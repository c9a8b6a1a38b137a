//! Comparing the tables with what the events give.

use std::collections::BTreeMap;

use super::check::check;
use super::ids::short;
use super::memory::MemoryTables;
use super::rows::{JobRow, OrderRow};
use super::store::Difference;

/// Every difference between the rows of a store and those computed from its events, and every rule that does not hold.
pub(super) fn compare(computed: &MemoryTables, orders: &[OrderRow], jobs: &[JobRow]) -> Vec<Difference> {
    let mut out = Vec::new();
    let wanted = computed.orders().map(|order| (order.order, order)).collect();
    let seen = orders.iter().map(|order| (order.order, order)).collect();
    differences(wanted, seen, |order| format!("order {}", short(order)), &mut out);
    let wanted = computed.jobs().map(|job| (job.job, job)).collect();
    let seen = jobs.iter().map(|job| (job.job, job)).collect();
    differences(wanted, seen, |job| format!("job {}", job.short()), &mut out);
    out.extend(check(orders, jobs).into_iter().map(Difference::Rule));
    out
}

fn differences<K: Ord, V: PartialEq>(
    wanted: BTreeMap<K, &V>,
    mut seen: BTreeMap<K, &V>,
    name: impl Fn(&K) -> String,
    out: &mut Vec<Difference>,
) {
    for (key, row) in wanted {
        let what = match seen.remove(&key) {
            Some(seen) if seen == row => continue,
            Some(_) => "differs from its events",
            None => "is missing",
        };
        out.push(Difference::Row(format!("{} {what}", name(&key))));
    }
    out.extend(seen.keys().map(|key| Difference::Row(format!("{} has no event", name(key)))));
}
