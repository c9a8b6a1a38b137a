//! What the checks prove of what was loaded: *loaded, not proven* becomes shorter.

use super::shown::{AppProof, PinProof};
use crate::issuance::result::Evidence;
use crate::issuance::verify::ReadBackReport;

/// Moves what an application's checks have proven.
pub(crate) fn shrink(proof: &AppProof, report: &mut ReadBackReport) {
    let held = |report: &ReadBackReport, dgi: &str| {
        let aid = hex::encode_upper(&proof.aid);
        report.not_proven.iter().chain(&report.proven).any(|it| it.aid == aid && it.dgi == dgi)
    };
    if proof.signed {
        let antenna = proof.contactless && held(report, "8401");
        let key: &[&str] = if antenna {
            &["8401", "8402", "8403", "8404", "8405"]
        } else {
            &["8201", "8202", "8203", "8204", "8205", "8101", "8103"]
        };
        prove(proof, report, key, "the card signs with it, as its certificate says");
    }
    if proof.cryptogram {
        let set = if proof.contactless && held(report, "8001") { "8001" } else { "8000" };
        cryptogram(proof, report, set);
    }
    if proof.limit_shown {
        prove(proof, report, &["9010"], "after the right PIN the try counter was at its limit");
    }
    if let Some(how) = proof.pin {
        prove(proof, report, &["8010"], "the card took the PIN");
        let key: &[&str] = match how {
            PinProof::Plaintext => &[],
            PinProof::Enciphered => &["8201", "8202", "8203", "8204", "8205", "8101", "8103"],
            PinProof::EncipheredByOwnKey => &["8301", "8302", "8303", "8304", "8305", "8102", "8104"],
        };
        prove(proof, report, key, "the card deciphered a PIN with it");
    }
}

fn prove(proof: &AppProof, report: &mut ReadBackReport, dgis: &[&str], how: &str) {
    let aid = hex::encode_upper(&proof.aid);
    let is_proven =
        |it: &Evidence| it.aid == aid && dgis.contains(&it.dgi.as_str()) && !it.how.starts_with("not on the card");
    let (proven, left) = std::mem::take(&mut report.not_proven).into_iter().partition(is_proven);
    report.not_proven = left;
    let proven: Vec<Evidence> = proven;
    report.proven.extend(proven.into_iter().map(|it| Evidence { how: how.to_owned(), ..it }));
}

/// A cryptogram proves the first of three keys. The two for scripts stay as they are known: by their check values, or not.
fn cryptogram(proof: &AppProof, report: &mut ReadBackReport, dgi: &str) {
    const HOW: &str = "its key for cryptograms made one that the host computes too";
    let aid = hex::encode_upper(&proof.aid);
    let is_it = |it: &&mut Evidence| it.aid == aid && it.dgi == dgi;
    if let Some(known) = report.proven.iter_mut().find(is_it) {
        known.how = format!("{}; {HOW}", known.how);
        return;
    }
    if let Some(left) = report.not_proven.iter_mut().find(is_it) {
        report.proven.push(Evidence { how: HOW.to_owned(), ..left.clone() });
        left.how = "its keys for scripts: only a script would show them".into();
    }
}
