//! Orders of every format: refused or accepted, never a panic, and never accepted without a part in which each value stands.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::keys::{SoftwareStore, file};
use perso::order::{Site, check, d1_answer, view};

static KEYS: LazyLock<SoftwareStore> =
    LazyLock::new(|| file::load(include_bytes!("../../tests/samples/keys.test.json"), None).expect("the sample keys"));
static SITE: LazyLock<Site> =
    LazyLock::new(|| Site::parse(include_str!("../../tests/samples/orders/site.toml")).expect("the sample site"));

fuzz_target!(|data: &[u8]| {
    let _ = check(data, None, None);
    let _ = check(data, Some(&*SITE), None);
    let checked = check(data, Some(&*SITE), Some(&*KEYS));
    assert_eq!(d1_answer(&checked.problems).is_some(), !checked.problems.is_empty());
    if let Some(order) = checked.order {
        let _ = view(&order);
        let mut values = 0;
        order.walk(&mut |_, _, _| values += 1);
        assert!(values > 5);
    }
});
