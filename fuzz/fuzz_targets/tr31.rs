//! Key blocks: refused or opened, never a panic; what was opened is what was made.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::base::Chance;
use perso::keys::tr31::{Header, KeyBlock, OptionalBlock, Version};
use perso::keys::{KeyHandle, KeyStore, Purpose, SoftwareStore, file};

static STORE: LazyLock<SoftwareStore> =
    LazyLock::new(|| file::load(include_bytes!("../../tests/samples/keys.test.json"), None).expect("the sample"));

fn kbpk(version: Version) -> KeyHandle {
    let name = if matches!(version, Version::D | Version::E) { "lab-kbpk-aes" } else { "lab-kbpk-des" };
    STORE.open(name, Purpose::Kbpk).expect("a sample key")
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(block) = KeyBlock::parse(&text) {
        let _ = STORE.tr31_unwrap(&kbpk(block.header().version), &block);
    }
    let [version, usage @ ..] = data else { return };
    let version = Version::ALL[usize::from(*version) % 5];
    let word = |at: usize| char::from(usage.get(at).copied().unwrap_or(b'0') % 0x80);
    let mut header = Header::new(version, &format!("{}{}", word(0), word(1)), word(2), word(3), word(4));
    if let Some(data) = text.get(6..) {
        header.blocks.push(OptionalBlock { id: "ZZ".into(), data: data.into() });
    }
    let zpk = STORE.open("lab-zpk", Purpose::Zpk).expect("a sample key");
    let mut chance = Chance::fixed(vec![0x3C; 64]);
    if let Ok(made) = STORE.tr31_wrap(&kbpk(version), &header, &zpk, data.len() % 2 == 0, &mut chance)
        && let Ok(block) = KeyBlock::parse(&made)
    {
        assert_eq!(block.header(), &header);
        let opened = STORE.tr31_unwrap(&kbpk(version), &block);
        assert!(opened.is_ok() || !matches!(header.algorithm, 'T' | 'R' | 'E' | 'H' | 'S'));
    }
});
