//! What the issuer answers: EXTERNAL AUTHENTICATE, or its data in the second GENERATE AC. // EMV B2 §8.2, B3 §6.5.4

use super::applet::{IssuerAnswer, Keys, Scheme};
use super::blank::Applet;
use super::generate::{Issuer, Transaction};
use super::{SimCard, applet, cryptogram, data};
use crate::card::apdu::Response;

impl SimCard {
    /// EXTERNAL AUTHENTICATE of the issuer: once, after an online request, where the application says that it takes it.
    pub(super) fn issuer_authenticate(&mut self, data: &[u8]) -> Response {
        if !(8..=16).contains(&data.len()) {
            return Response::status(0x6700);
        }
        let Some(mut transaction) = self.session.transaction.take() else { return Response::status(0x6985) };
        let answer = self.authenticated(&mut transaction, data);
        self.session.transaction = Some(transaction);
        Response::status(answer.unwrap_or(0x6985))
    }

    fn authenticated(&mut self, transaction: &mut Transaction, data: &[u8]) -> Option<u16> {
        let (at, app) = self.application()?;
        let takes = transaction.profile.first().is_some_and(|byte| byte & 0x04 != 0);
        if !takes || transaction.ended || transaction.first.is_none() || transaction.issuer != Issuer::Unasked {
            return None;
        }
        let scheme = self.scheme(at, &applet::template(app, self.contactless))?;
        let keys = applet::keys(app, self.contactless)?;
        self.judge(at, transaction, scheme, &keys, data);
        Some(if transaction.issuer == Issuer::Right { 0x9000 } else { 0x6300 })
    }

    /// Issuer authentication data that came as 91 in the second list; zeros are none.
    pub(super) fn answer_in_list(&mut self, at: usize, transaction: &mut Transaction, scheme: Scheme, keys: &Keys) {
        let data = transaction.latest(0x91).map(<[u8]>::to_vec).unwrap_or_default();
        if transaction.issuer == Issuer::Unasked && data.iter().any(|byte| *byte != 0) {
            self.judge(at, transaction, scheme, keys, &data);
        }
    }

    fn judge(&mut self, at: usize, transaction: &mut Transaction, scheme: Scheme, keys: &Keys, data: &[u8]) {
        let right = transaction.first.as_ref().is_some_and(|first| {
            let (computed, given) = match (scheme.issuer, data) {
                (IssuerAnswer::Status, [a, b, c, d, update @ ..]) if update.len() >= 4 => {
                    // What follows the status update counts only where the update says that it is there.
                    // EMV B2 §8.2.2, B3 annex C10
                    let own = update.first().is_some_and(|byte| byte & 0x80 != 0);
                    let covered = if own { update } else { update.get(..4).unwrap_or_default() };
                    (cryptogram::answer_2(first.key.expose(), first.cryptogram, covered), vec![*a, *b, *c, *d])
                }
                (IssuerAnswer::Status | IssuerAnswer::Never, _) => (None, Vec::new()),
                (method, data) => {
                    let key = if method == IssuerAnswer::Master { &keys.ac } else { &first.key };
                    let code: Option<[u8; 2]> = data.get(8..10).and_then(|code| code.try_into().ok());
                    let computed = code.and_then(|code| cryptogram::answer_1(key.expose(), first.cryptogram, code));
                    (computed, data.get(..8).unwrap_or_default().to_vec())
                }
            };
            computed.is_some_and(|computed| cryptogram::same(&computed, &given))
        });
        transaction.issuer = if right { Issuer::Right } else { Issuer::Wrong };
        let Some(app) = self.file.state.applications.get_mut(at).filter(|_| right) else { return };
        // What has been told once is not told again.
        (app.scripts, app.script_failed) = (0, false);
        if scheme.issuer == IssuerAnswer::Status {
            self.follow(at, transaction, data.get(4..8).unwrap_or_default());
        } else if scheme.applet == Applet::Mchip {
            self.follow_code(at, transaction, data.get(8..10).unwrap_or_default());
        }
    }

    /// Mastercard's response code, two bytes: PIN tries in the first; 10 approves and 08 takes the tries in the second.
    fn follow_code(&mut self, at: usize, transaction: &mut Transaction, code: &[u8]) {
        let [tries, flags] = code else { return };
        transaction.declined = flags & 0x10 == 0;
        let Some(app) = self.file.state.applications.get_mut(at) else { return };
        if flags & 0x08 != 0 {
            app.tries = (tries & 0x0F).min(data::try_limit(app).unwrap_or_default());
        }
    }

    /// The card status update: approval, blocks, a new number of PIN tries. // EMV B3 annex C10
    fn follow(&mut self, at: usize, transaction: &mut Transaction, update: &[u8]) {
        let [tries, flags, ..] = update else { return };
        transaction.declined = flags & 0x80 == 0;
        self.file.state.blocked |= flags & 0x40 != 0;
        let Some(app) = self.file.state.applications.get_mut(at) else { return };
        app.blocked |= flags & 0x20 != 0;
        if flags & 0x10 != 0 {
            app.tries = (tries & 0x0F).min(data::try_limit(app).unwrap_or_default());
        }
    }
}
