//! What the checks prove of what was loaded: *loaded, not proven* becomes shorter.

use super::shown::{AppProof, PinProof};
use crate::issuance::outcome::Evidence;
use crate::issuance::verify::ReadBackReport;

/// Settles what a card proves by having compared it with check values. A card that is only read proves that if it is
/// personalized and has the application's data, or if a cryptogram of the application was verified.
pub(super) fn check_values(personalized: bool, proofs: &[AppProof], report: &mut ReadBackReport) {
    for evidence in std::mem::take(&mut report.check_values) {
        let has_data = report.proven.iter().any(|it| it.aid == evidence.aid)
            && !report.findings.iter().any(|it| it.aid == evidence.aid);
        let cryptogram = || proofs.iter().any(|it| it.cryptogram && it.aid == evidence.aid);
        if (personalized && has_data) || cryptogram() {
            report.proven.push(evidence);
        } else {
            let how = "check values are compared during loading only; nothing shows that this card was personalized";
            report.not_proven.push(Evidence { how: how.into(), ..evidence });
        }
    }
}

/// Moves what an application's checks have proven.
pub(crate) fn shrink(proof: &AppProof, report: &mut ReadBackReport) {
    let held = |report: &ReadBackReport, dgi: u16| {
        report.not_proven.iter().chain(&report.proven).any(|it| it.aid == proof.aid && it.dgi == dgi)
    };
    if proof.signed {
        let antenna = proof.contactless && held(report, 0x8401);
        let key: &[u16] = if antenna {
            &[0x8401, 0x8402, 0x8403, 0x8404, 0x8405]
        } else {
            &[0x8201, 0x8202, 0x8203, 0x8204, 0x8205, 0x8101, 0x8103]
        };
        prove(proof, report, key, "the card signs with it, as its certificate says");
    }
    if proof.cryptogram {
        let set = if proof.contactless && held(report, 0x8001) { 0x8001 } else { 0x8000 };
        cryptogram(proof, report, set);
    }
    if proof.limit_shown {
        prove(proof, report, &[0x9010], "after the right PIN the try counter was at its limit");
    }
    if let Some(how) = proof.pin {
        prove(proof, report, &[0x8010], "the card took the PIN");
        let key: &[u16] = match how {
            PinProof::Plaintext => &[],
            PinProof::Enciphered => &[0x8201, 0x8202, 0x8203, 0x8204, 0x8205, 0x8101, 0x8103],
            PinProof::EncipheredByOwnKey => &[0x8301, 0x8302, 0x8303, 0x8304, 0x8305, 0x8102, 0x8104],
        };
        prove(proof, report, key, "the card deciphered a PIN with it");
    }
}

fn prove(proof: &AppProof, report: &mut ReadBackReport, dgis: &[u16], how: &str) {
    let is_proven =
        |it: &Evidence| it.aid == proof.aid && dgis.contains(&it.dgi) && !it.how.starts_with("not on the card");
    let (proven, left) = std::mem::take(&mut report.not_proven).into_iter().partition(is_proven);
    report.not_proven = left;
    let proven: Vec<Evidence> = proven;
    report.proven.extend(proven.into_iter().map(|it| Evidence { how: how.to_owned(), ..it }));
}

/// A cryptogram proves the first of three keys. The two for scripts stay as they are known: by their check values, or not.
fn cryptogram(proof: &AppProof, report: &mut ReadBackReport, dgi: u16) {
    const HOW: &str = "its key for cryptograms made one that the host computes too";
    let is_it = |it: &&mut Evidence| it.aid == proof.aid && it.dgi == dgi;
    if let Some(known) = report.proven.iter_mut().find(is_it) {
        known.how = format!("{}; {HOW}", known.how);
        return;
    }
    if let Some(left) = report.not_proven.iter_mut().find(is_it) {
        report.proven.push(Evidence { how: HOW.to_owned(), ..left.clone() });
        left.how = "its keys for scripts: only a script would show them".into();
    }
}
