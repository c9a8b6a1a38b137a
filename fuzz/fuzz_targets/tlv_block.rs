//! Prepared TLV blocks within an order: refused, or carried with whole bytes and a MAC key of a length that keys have.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::keys::{SoftwareStore, file};
use perso::order::{Site, check};
use serde_json::{Value, json};

static KEYS: LazyLock<SoftwareStore> =
    LazyLock::new(|| file::load(include_bytes!("../../tests/samples/keys.test.json"), None).expect("the sample keys"));
static SITE: LazyLock<Site> = LazyLock::new(|| {
    let text = "stations = [\"station-1\"]\nchannels = [\"instant\"]\n[[profile]]\nname = \"p\"\ncontactless = false\n\
                applications = 1\npin_required = false\n";
    Site::parse(text).expect("a site")
});

/// The members of a block, one a line.
const NAMES: [&str; 8] = ["kek", "mac_key", "data", "mac", "length", "aid", "size", "start_code"];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let block: Value =
        NAMES.into_iter().zip(text.lines()).map(|(name, line)| (name.to_owned(), Value::from(line))).collect();
    let order = json!({
        "perso_order": 1, "test": true, "issuance": "creation", "channel": "instant", "station": "station-1",
        "identity": {"issuer": "i", "card": "c", "operation": "o", "received_at": "2026-11-24T08:30:00Z"},
        "product": {"profile": "p"},
        "card": {"pan": "4761739001010119", "expiry": "3012", "name": "JANE DOE", "blocks": [block]},
    });
    let checked = check(order.to_string().as_bytes(), Some(&*SITE), Some(&*KEYS));
    for block in checked.order.iter().flat_map(|order| order.chip().blocks()) {
        assert!(matches!(block.mac_key().len(), 8 | 16) && block.data().len() >= 3);
    }
});
