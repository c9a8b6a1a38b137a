//! Orders made into records, in turns.

use std::path::Path;
use std::time::{Duration, Instant};

use perso::base::Chance;
use perso::keys::file::{self, Unsealed};
use perso::keys::{KeyStore, SoftwareStore};
use perso::order::{Order, Site};
use perso::prepare::{IssuerCertificate, Materials, Pool, prepare};
use perso::profile::Profile;

use crate::figures::{head, judged, median, millis, row};
use crate::timed::Timed;
use crate::token;

const PRODUCTS: [&str; 2] = ["visa-like", "mastercard-like"];
/// Records of a way that are measured, after one that is not.
const TIMES: usize = 30;
/// RSA keys take much longer, each another time.
const GENERATED: usize = 40;
/// Keys in a pool's file.
const STOCK: usize = 100;

/// Where a card's RSA keys come from.
#[derive(Clone, Copy, PartialEq)]
enum Rsa {
    /// A pool in memory: what is left is preparation without them.
    AtHand,
    /// A sealed pool of a hundred keys that is opened for the record and sealed again behind it.
    PoolFile,
    /// Made now.
    MadeNow,
}

impl Rsa {
    fn name(self) -> &'static str {
        match self {
            Rsa::AtHand => "at hand",
            Rsa::PoolFile => "a sealed pool of 100, opened and sealed for each record",
            Rsa::MadeNow => "made for each record",
        }
    }
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn text(path: &str) -> String {
    String::from_utf8(read(path)).unwrap()
}

fn keys() -> Unsealed {
    file::read(&read("tests/samples/keys.test.json"), None).unwrap()
}

fn chance() -> Chance {
    Chance::new(|buffer| {
        openssl::rand::rand_bytes(buffer).unwrap();
        Ok(())
    })
}

/// All that does not change from record to record.
struct Line {
    order: Vec<u8>,
    site: Site,
    profile: Profile,
    issuer: IssuerCertificate,
    /// RSA keys, sealed.
    stock: String,
}

impl Line {
    fn new(product: &str, store: &SoftwareStore) -> Self {
        let profile = Profile::parse(&text(&format!("card-profiles/{product}-debit.toml"))).unwrap();
        let recipe = profile.recipe().unwrap();
        let (bits, exponent, mut chance) = (recipe.rsa_bits(), recipe.rsa_exponent(), chance());
        let mut pool = Pool::new();
        pool.fill(STOCK, bits, exponent, &mut chance).unwrap();
        let issuer = read(&format!("tests/samples/issuer/{product}.issuer.test.json"));
        Self {
            order: read(&format!("tests/samples/orders/{product}.json")),
            site: Site::parse(&text("tests/samples/orders/site.toml")).unwrap(),
            issuer: IssuerCertificate::parse(&issuer).unwrap(),
            stock: pool.seal(recipe.record_key(), store, &mut chance).unwrap(),
            profile,
        }
    }

    fn pool(&self, store: &dyn KeyStore) -> Pool {
        Pool::open(self.stock.as_bytes(), store).unwrap()
    }

    /// The order's bytes become a record's text; how long that takes.
    fn record(&self, rsa: Rsa, store: &dyn KeyStore, at_hand: &mut Pool) -> Duration {
        let mut chance = chance();
        let began = Instant::now();
        let mut opened = (rsa == Rsa::PoolFile).then(|| self.pool(store));
        let order = Order::read(&self.order, &self.site, store).unwrap_or_else(|problems| panic!("{problems:?}"));
        let prepared = prepare(Materials {
            order: &order,
            profile: &self.profile,
            store,
            issuer: Some(&self.issuer),
            pool: if rsa == Rsa::AtHand { Some(at_hand) } else { opened.as_mut() },
            chance: &mut chance,
            today: Some((2026, 11, 24)),
        });
        let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
        let resealed =
            opened.map(|pool| pool.seal(self.profile.recipe().unwrap().record_key(), store, &mut chance).unwrap());
        let taken = began.elapsed();
        assert!(!prepared.text.is_empty() && resealed.is_none_or(|text| text.len() < self.stock.len()));
        taken
    }

    /// Many records, one behind the other: the middle one's time; the mean where keys are made, since each takes another.
    fn measured(&self, rsa: Rsa, store: &dyn KeyStore) -> Measured {
        let times = if rsa == Rsa::MadeNow { GENERATED } else { TIMES };
        let mut held = self.pool(store);
        self.record(rsa, store, &mut held);
        let timed = Timed::new(store);
        let mut taken = Vec::new();
        for _ in 0..times {
            if rsa == Rsa::AtHand && held.stock().iter().all(|(.., keys)| *keys < 2) {
                held = self.pool(store);
            }
            taken.push(self.record(rsa, &timed, &mut held));
        }
        let whole: Duration = taken.iter().sum();
        let one = if rsa == Rsa::MadeNow { whole / u32::try_from(times).unwrap() } else { median(taken) };
        let share = |of: Duration| of.as_secs_f64() / whole.as_secs_f64();
        Measured { one, store: share(timed.all()), signing: share(timed.signing()) }
    }

    /// The same on every core at once: the records of one of them in a second.
    fn on_each_core(&self, store: &dyn KeyStore, cores: usize) -> f64 {
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    let mut held = self.pool(store);
                    for _ in 0..TIMES {
                        self.record(Rsa::AtHand, store, &mut held);
                    }
                });
            }
        });
        TIMES as f64 / began.elapsed().as_secs_f64()
    }
}

struct Measured {
    /// A record's time.
    one: Duration,
    /// Part of the time that was spent in the key store.
    store: f64,
    /// Part that was spent in it under the issuer's RSA key.
    signing: f64,
}

/// Records per second and core, and where their time goes.
pub fn records_per_second() {
    let file = keys().into_store();
    let token = token::filled(keys());
    let columns = [
        "product",
        "keys in",
        "the card's RSA keys",
        "a record",
        "records/s and core",
        "RSA",
        "of it made",
        "key store",
        "aim",
    ];
    head("Orders made into records, on one core", &columns);
    for product in PRODUCTS {
        let line = Line::new(product, &file);
        let ready = line.measured(Rsa::AtHand, &file);
        for rsa in [Rsa::AtHand, Rsa::PoolFile, Rsa::MadeNow] {
            tell(product, "the file", rsa, &line.measured(rsa, &file), &ready);
        }
        match &token {
            Some(token) => {
                let ready = line.measured(Rsa::AtHand, token);
                tell(product, "SoftHSM", Rsa::AtHand, &ready, &ready);
                tell(product, "SoftHSM", Rsa::PoolFile, &line.measured(Rsa::PoolFile, token), &ready);
                tell(product, "SoftHSM", Rsa::MadeNow, &line.measured(Rsa::MadeNow, token), &ready);
            }
            None => row(&[product, "SoftHSM", "skipped: softhsm2 is not installed", "-", "-", "-", "-", "-", "-"]),
        }
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let columns = ["product", "keys in", "records/s and core", "all cores ÷ one", "aim"];
    head(&format!("The same on {cores} cores at once, RSA keys at hand"), &columns);
    for product in PRODUCTS {
        let line = Line::new(product, &file);
        let each = |name: &str, store: &dyn KeyStore| {
            let (each, one) = (line.on_each_core(store, cores), line.on_each_core(store, 1));
            let ratio = each * cores as f64 / one;
            let aim = match (cores, name) {
                (2, "SoftHSM") => judged("two cores ÷ one, SoftHSM", product, "≥ 1.6", ratio >= 1.6),
                _ => "-".to_owned(),
            };
            row(&[product.to_owned(), name.to_owned(), format!("{each:.0}"), format!("{ratio:.2}"), aim]);
        };
        each("the file", &file);
        match &token {
            Some(token) => each("SoftHSM", token),
            None => row(&[product, "SoftHSM", "skipped: softhsm2 is not installed", "-", "-"]),
        }
    }
}

/// A line; `ready` is the same way with RSA keys at hand: what one takes longer is the making of keys.
fn tell(product: &str, keys: &str, rsa: Rsa, measured: &Measured, ready: &Measured) {
    let percent = |part: f64| format!("{:.0} %", part * 100.0);
    let made = match rsa {
        Rsa::MadeNow => 1.0 - ready.one.as_secs_f64() / measured.one.as_secs_f64(),
        Rsa::AtHand | Rsa::PoolFile => 0.0,
    };
    let rate = 1.0 / measured.one.as_secs_f64();
    let least = match (rsa, keys, product) {
        (Rsa::AtHand, "the file", "visa-like") => Some(450.0),
        (Rsa::AtHand, "the file", _) => Some(500.0),
        (Rsa::AtHand, ..) => Some(60.0),
        _ => None,
    };
    let what =
        if keys == "the file" { "records prepared in a second" } else { "records prepared in a second, SoftHSM" };
    let aim = least.map_or("-".to_owned(), |least| judged(what, product, &format!("≥ {least}"), rate >= least));
    row(&[
        product.to_owned(),
        keys.to_owned(),
        rsa.name().to_owned(),
        millis(measured.one),
        format!("{rate:.1}"),
        percent(measured.signing + made),
        percent(made),
        percent(measured.store),
        aim,
    ]);
}
