//! Nothing is learned from how a PIN block, a sealed value or a cryptogram is refused.

use std::collections::BTreeSet;

use perso::base::crypto::{aes_cbc_encrypt, tdes_ecb_encrypt};
use perso::base::emv::Pan;
use perso::base::fault::Fault;
use perso::keys::pin::{ArrivedPin, PinFormat};
use perso::keys::{CardForm, CardPadding, Computation, KeyError, KeyStore, Purpose, Sealed};

use super::sample;
use super::support::{Bench, root};

const PAN: &str = "4123456789012345";
/// The value of the sample's `lab-zpk`.
const ZPK: &str = "10112233445566778899AABBCCDDEEFE";
/// The value of the sample's `lab-tk-aes`.
const TK: &str = "00112233445566778899AABBCCDDEEFF";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// A block in the clear, mixed with the PAN as formats 0 and 3 are. // ISO 9564-1 §9.3.2
fn mixed(field: &str) -> Vec<u8> {
    let pan = bytes(&format!("0000{}", &PAN[3..15]));
    bytes(field).iter().zip(pan).map(|(a, b)| a ^ b).collect()
}

/// Whatever is wrong with a block under a PIN key: one message, one code, and no digit in either.
#[test]
fn every_fault_of_a_pin_block_has_one_answer() {
    let store = sample();
    let key = store.open("lab-zpk", Purpose::Zpk).unwrap();
    let pan = Pan::parse(PAN).unwrap();
    let open = |format, clear: &[u8]| {
        let block = tdes_ecb_encrypt(&bytes(ZPK), clear).unwrap();
        store.open_pin(&ArrivedPin::UnderZpk { key: &key, format, block: &block }, &pan)
    };
    assert!(open(PinFormat::Iso0, &mixed("041234FFFFFFFFFF")).is_ok());
    assert!(open(PinFormat::Iso3, &mixed("341234ABCDEFABCD")).is_ok());
    let mut answers = BTreeSet::new();
    for (what, format, clear) in [
        ("another control digit", PinFormat::Iso0, mixed("141234FFFFFFFFFF")),
        ("format 3 read as 0", PinFormat::Iso0, mixed("341234ABCDEFABCD")),
        ("format 0 read as 3", PinFormat::Iso3, mixed("041234FFFFFFFFFF")),
        ("length 0", PinFormat::Iso0, mixed("00FFFFFFFFFFFFFF")),
        ("length 3", PinFormat::Iso0, mixed("03123FFFFFFFFFFF")),
        ("length 13", PinFormat::Iso0, mixed("0D1234123412341F")),
        ("length 15", PinFormat::Iso0, mixed("0F12341234123412")),
        ("a digit A", PinFormat::Iso0, mixed("04A234FFFFFFFFFF")),
        ("the last digit F", PinFormat::Iso0, mixed("04123FFFFFFFFFFF")),
        ("filling at the first place", PinFormat::Iso0, mixed("0412341FFFFFFFFF")),
        ("filling at the last place", PinFormat::Iso0, mixed("041234FFFFFFFFF0")),
        ("filling of format 3", PinFormat::Iso3, mixed("3412349BCDEFABCD")),
        ("not mixed with the PAN", PinFormat::Iso0, bytes("041234FFFFFFFFFF")),
        ("zeros", PinFormat::Iso0, vec![0; 8]),
        ("two blocks", PinFormat::Iso0, [mixed("041234FFFFFFFFFF"), vec![0; 8]].concat()),
        ("format 1", PinFormat::Iso1, bytes("1412341234567890")),
        ("format 2", PinFormat::Iso2, bytes("241234FFFFFFFFFF")),
    ] {
        let error = open(format, &clear).err().unwrap_or_else(|| panic!("{what} is taken"));
        answers.insert((error.to_string(), error.code().name()));
    }
    for block in [&[][..], &[0; 7], &[0; 9], &[0; 16]] {
        let arrived = ArrivedPin::UnderZpk { key: &key, format: PinFormat::Iso0, block };
        let error = store.open_pin(&arrived, &pan).err().unwrap();
        answers.insert((error.to_string(), error.code().name()));
    }
    let other = store.open("lab-zpk", Purpose::Zpk).unwrap();
    let block = tdes_ecb_encrypt(&bytes(ZPK), &mixed("041234FFFFFFFFFF")).unwrap();
    let arrived = ArrivedPin::UnderZpk { key: &other, format: PinFormat::Iso0, block: &block };
    let error = store.open_pin(&arrived, &Pan::parse("4123456789112345").unwrap()).err().unwrap();
    answers.insert((error.to_string(), error.code().name()));
    // Format 4, whose key is another one.
    let pek = store.open("lab-pek", Purpose::Zpk).unwrap();
    for block in [vec![0; 16], vec![7; 16], vec![0; 8], vec![]] {
        let error = store.open_pin(&ArrivedPin::UnderPek { key: &pek, block: &block }, &pan).err().unwrap();
        answers.insert((error.to_string(), error.code().name()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// Format 2 is the chip's: under a PIN key a PIN would have one block, whatever the card.
#[test]
fn pin_blocks_of_format_2_are_neither_made_nor_read_under_a_pin_key() {
    let bench = Bench::new();
    let (pin, pan) = (bench.file("pin", "1234\n"), format!("@{}", bench.file("pan", PAN)));
    let keys = bench.keys();
    let with = ["--key", "lab-zpk", "--keys", &keys];
    // 241234FFFFFFFFFF under the sample's ZPK.
    let block = hex::encode_upper(tdes_ecb_encrypt(&bytes(ZPK), &bytes("241234FFFFFFFFFF")).unwrap());
    for arguments in [
        vec!["calc", "pin-block", "encode", "--to", "2", "--pin-from", &pin, "--test-keys"],
        vec!["calc", "pin-block", "decode", "--from", "2", "--block", &block],
        vec![
            "calc",
            "pin-block",
            "translate",
            "--from",
            "2",
            "--block",
            &block,
            "--pan",
            &pan,
            "--to",
            "0",
            "--to-key",
            "lab-zpk",
        ],
        vec![
            "calc",
            "pin-block",
            "translate",
            "--from",
            "0",
            "--block",
            &block,
            "--pan",
            &pan,
            "--to",
            "2",
            "--to-key",
            "lab-zpk",
        ],
    ] {
        let done = bench.perso(&[&arguments[..], &with].concat());
        assert!(done.code == 2 && done.out.is_empty(), "{arguments:?}: {} {}{}", done.code, done.out, done.err);
        assert!(!done.err.contains("1234FF"), "{arguments:?}: {}", done.err);
    }
    // In the clear it is what a card's VERIFY takes.
    let clear = bench.perso(&["calc", "pin-block", "encode", "--to", "2", "--pin-from", &pin, "--test-keys"]);
    assert!(clear.code == 0 && clear.out.contains("241234FFFFFFFFFF"), "{}{}", clear.out, clear.err);
}

/// Padding, length and key of a sealed value: one message for what is wrong inside.
#[test]
fn every_fault_inside_a_sealed_value_has_one_answer() {
    let store = sample();
    let tk = store.open("lab-tk-aes", Purpose::Transport).unwrap();
    let kmc = store.open("lab-kmc-aes", Purpose::Kmc).unwrap();
    let form = CardForm { padding: CardPadding::Always, cbc: true };
    let reseal = |clear: &[u8], length: usize| {
        let ciphertext = aes_cbc_encrypt(&bytes(TK), &[3; 16], clear).unwrap();
        store.reseal(&tk, &Sealed { iv: Some(&[3; 16]), ciphertext: &ciphertext, length }, &kmc, form)
    };
    let padded = |value: &[u8]| [value, &[0x80], &vec![0; 31 - value.len()][..]].concat();
    let value = [0x41; 20];
    reseal(&padded(&value), 20).unwrap();
    let mut answers = BTreeSet::new();
    for (what, clear, length) in [
        ("no padding", vec![0x41; 32], 20),
        ("zeros only", vec![0; 32], 20),
        ("padding 81", [&value[..], &[0x81], &[0; 11]].concat(), 20),
        ("a byte behind the padding", [&value[..], &[0x80], &[0; 10], &[1]].concat(), 20),
        ("stated too short", padded(&value), 19),
        ("stated too long", padded(&value), 21),
        ("padding of another length", padded(&value[..19]), 20),
        ("padding in the first block", [&value[..8], &[0x80], &[0; 23]].concat(), 20),
    ] {
        let error = reseal(&clear, length).err().unwrap_or_else(|| panic!("{what} is taken"));
        assert!(matches!(error, KeyError::Seal { .. }), "{what}: {error}");
        answers.insert((error.to_string(), error.code().name()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// A cryptogram that differs in any one bit is another; none is compared in part.
#[test]
fn cryptograms_are_compared_whole_and_in_constant_time() {
    let store = sample();
    let imk = store.open("lab-imk-ac", Purpose::ImkAc).unwrap();
    let key = perso::keys::issuer::icc_master_key(
        &store,
        &imk,
        &Pan::parse(PAN).unwrap(),
        1,
        perso::keys::issuer::CardKeyMethod::A,
    )
    .unwrap();
    let how = Computation::RetailMac { data: &[7; 16], length: 8 };
    let right = store.retail_mac(&key, &[7; 16]).unwrap();
    assert!(store.compare(&key, &how, &right).unwrap());
    for bit in 0..64 {
        let mut wrong = right;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(!store.compare(&key, &how, &wrong).unwrap(), "bit {bit}");
    }
    for part in [&right[..0], &right[..3], &right[..7]] {
        assert!(store.compare(&key, &how, part).is_err());
    }
    // In the source: what compares a MAC, a cryptogram or a tag uses `ct_eq`, or `Secret::equals`, which is the same.
    let mut found = Vec::new();
    let mut folders = vec![root("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The simulated card's host is the one that is tested.
            match path.is_dir() {
                true if !path.ends_with("card/sim") => folders.push(path),
                true => {}
                false => found.extend(
                    plain_comparisons(&std::fs::read_to_string(&path).unwrap()).map(|line| (path.clone(), line)),
                ),
            }
        }
    }
    assert!(found.is_empty(), "compared with == or !=: {found:?}");
    assert_eq!(plain_comparisons("if mac != seen {\nlet ok = tag == self.tag;\nif cryptogram.ct_eq(&b)").count(), 2);
}

/// Lines that compare something with such a name by an operator.
fn plain_comparisons(text: &str) -> impl Iterator<Item = String> + '_ {
    let names = ["mac", "cryptogram", "arqc", "arpc", "r_mac", "c_mac"];
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(move |line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let last = |word: &str| word.rsplit(['.', '(', '!', '&', '*']).next().unwrap_or_default().to_owned();
            words.windows(3).any(|three| {
                let named = |word: &str| {
                    let word = last(word.trim_end_matches([')', ';', ',', '{']));
                    names.contains(&word.as_str()) || word == "tag" && line.contains("self.tag")
                };
                matches!(three[1], "==" | "!=") && (named(three[0]) || named(three[2]))
            })
        })
        .map(|line| line.trim().to_owned())
}
