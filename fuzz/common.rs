// Everything that a whole run needs, made once from the samples of the repository.

use std::sync::LazyLock;

use perso::base::Chance;
use perso::card::sim::SimCard;
use perso::issuance::blank::{self, Wanted};
use perso::issuance::check;
use perso::issuance::plan::Plan;
use perso::keys::{SoftwareStore, file};
use perso::profile::Profile;
use perso::record::Record;

pub struct Bench {
    pub store: SoftwareStore,
    pub profile: Profile,
    pub record: Record,
    pub plan: Plan,
}

pub static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let store = file::load(include_bytes!("../tests/samples/keys.test.json"), None).expect("the sample keys");
    let profile = Profile::parse(include_str!("../card-profiles/debit-aes-scp03.toml")).expect("a sample profile");
    let record = include_bytes!("../tests/samples/debit-aes-scp03.record.json");
    let record = Record::open(record, &store).expect("a sample record");
    let plan = check::plan(&record, &profile, &store).expect("a sample plan");
    Bench { store, profile, record, plan }
});

impl Bench {
    pub fn blank(&self) -> SimCard {
        let wanted = Wanted {
            profile: &self.profile,
            aids: blank::aids(&self.record),
            master: None,
            serial: Some([1, 2, 3, 4]),
        };
        blank::make(&wanted, &self.store, &mut Chance::fixed(Vec::new())).expect("a sample blank")
    }
}
