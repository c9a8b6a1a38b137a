//! Whatever a card, a certificate or a file of CA keys holds, nothing panics; and what a signature says is what was signed.

#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::base::Secret;
use perso::base::crypto::{RsaPrivate, sha1};
use perso::base::emv::Afl;
use perso::base::emv::certificate::{
    MonthYear, open_card, open_cda, open_dda, open_issuer, open_static, sign_dda, sign_static, transaction_hash,
};
use perso::card::emv::oda::{ReadCard, Terminal, authenticate, check_combined};
use perso::keys::ca_keys::{CaKey, CaKeys};

/// Two primes of 256 bits, of no card.
const PRIMES: [&str; 2] = [
    "CECAF828E2F795538FCC69D79561A0D1004498F4B987F7C1CC9C26A813678D7B",
    "F013D5BC2DF08195622A5100A0DF0B186B8726621107E0692D148C9DCE517AE5",
];

static KEY: LazyLock<RsaPrivate> = LazyLock::new(|| {
    let [p, q] = PRIMES.map(|prime| Secret::new(hex::decode(prime).expect("hexadecimal")));
    RsaPrivate::from_primes(&p, &q, &[3]).expect("a key")
});

static CA_KEYS: LazyLock<CaKeys> =
    LazyLock::new(|| CaKeys::new(vec![CaKey::new([1; 5], 1, KEY.public().clone(), None, true).expect("a CA key")]));

/// Signs a body as it stands, past the outer checks: what lies behind them is reached.
fn signed(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(42, 0xBB);
    KEY.raw(&[&[0x6A], body.as_slice(), &sha1(&body), &[0xBC]].concat()).expect("below the modulus")
}

fuzz_target!(|data: &[u8]| {
    let Some((&what, data)) = data.split_first() else { return };
    let key = KEY.public();
    let (one, other) = data.split_at(data.len().min(42));
    match what % 6 {
        0 => {
            let certificate = signed(one);
            let _ = open_issuer(key, &certificate, other, &[3]);
            let _ = open_card(key, &certificate, other, &[3]).map(|card| card.prove(other));
            let _ = open_static(key, &certificate, &[]);
            let _ = open_dda(key, &certificate, &[]);
        }
        1 => {
            let _ = open_issuer(key, one, other, other);
            let _ = open_cda(key, data, [0; 4]);
        }
        2 => {
            let raw = |block: &[u8]| Ok::<_, Infallible>(KEY.raw(block).expect("below the modulus"));
            let ssad = sign_static(key, [1, 2], data, raw).expect("signed");
            assert_eq!(open_static(key, &ssad, data).expect("opens").dac, [1, 2]);
            if let Ok(sdad) = sign_dda(key, one, other, raw) {
                assert_eq!(open_dda(key, &sdad, other).expect("opens").number, one);
            }
        }
        3 => {
            let _ = CaKeys::parse(data);
        }
        4 => {
            let _ = transaction_hash(&[one], other);
            let _ = check_combined(key, &[one], [0; 4], other);
        }
        _ => {
            let afl = Afl::parse(&[0x08, 1, 2, 2]).expect("an AFL");
            let records = [((1, 1), one.to_vec()), ((1, 2), other.to_vec())];
            let read = ReadCard { rid: [1; 5], aip: [0x61, 0], afl: &afl, records: &records };
            let month = MonthYear::new(2026, 11).expect("a month");
            let terminal = Terminal { ca_keys: &CA_KEYS, month, unpredictable: [0; 4] };
            let report = authenticate(&read, &terminal, None).expect("there is no link to break");
            assert_eq!(report.checks.len(), 8);
        }
    }
});
