//! What a card product states of its applications, for the consistency rules.

use super::{ApplicationRule, CryptogramKind, Profile};
use crate::base::emv::rules::Subject;

impl Profile {
    /// Adds to a subject of the consistency rules what the product states: PAN prefixes, application versions, kernel,
    /// shared counters, whose cryptograms it makes, and which
    /// records the answer to GET PROCESSING OPTIONS, or nothing at all, shows.
    pub fn describe(&self, subject: &mut Subject<'_>) {
        subject.prefixes = self.pan_prefixes().to_vec();
        subject.versions = self.versions();
        let rule = self.applications().iter().find(|app| app.aid() == subject.aid);
        subject.kernel = rule.and_then(ApplicationRule::kernel);
        if let Some(twins) = &mut subject.twins {
            twins.retain(|twin| self.counter(twin) != self.counter(&subject.aid));
        }
        let others = self.applications().iter().map(ApplicationRule::aid).filter(|aid| *aid != subject.aid);
        let own = self.counter(&subject.aid).to_vec();
        subject.counter_shared_with = others.filter(|aid| self.counter(aid) == own).map(<[u8]>::to_vec).collect();
        subject.cryptogram = self.verification().cryptogram().map(CryptogramKind::family);
        let recipe = self.recipe().and_then(|it| it.applications().iter().find(|app| app.aid == subject.aid));
        let Some(app) = recipe.filter(|_| subject.all_records) else { return };
        let contactless = subject.contactless;
        let records =
            app.groupings.iter().filter_map(|grouping| Some((grouping.unlocated_record(contactless)?, grouping)));
        let (answered, unread): (Vec<_>, Vec<_>) =
            records.partition(|(_, grouping)| contactless && grouping.read.answer);
        subject.declared.extend(unread.into_iter().map(|(at, _)| at));
        subject.answer_with(&answered.into_iter().map(|(at, _)| at).collect::<Vec<_>>());
    }
}
