//! What the header of a key block, a weak value and the word "live" promise: kept with the key, and obeyed.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../key_limits_support/faults.rs"]
mod faults;
use crate::live_keys;
#[path = "../key_limits_support/passphrases.rs"]
mod passphrases;
#[path = "../key_limits_support/bench.rs"]
mod support;

use perso::base::crypto::KcvMethod;
use perso::base::{Chance, Code, Fault, Secret};
use perso::keys::file::{self, NewKey, Unsealed};
use perso::keys::tr31::{Header, KeyBlock, OptionalBlock, Tr31Error, Version};
use perso::keys::usage::{Operation, operations};
use perso::keys::{Algorithm, Kcv, KeyError, KeyStore, Limits, Purpose, SoftwareStore, Weakness, WrappedKey, random};
use serde_json::{Value, json};
use support::{Bench, SAMPLE, json_of, root};

const AES: &str = "lab-kbpk-aes";
// Blocks under the sample's lab-kbpk-aes.
const COMPONENT: &str =
    "D0112P0TBc1E000091506E79AB584600B463A14FBA14E39C46D12DA6836124D31D633B019EC60F0D5B99E0EAD59E083F4249E962882DE109";
const NOT_EXPORTABLE: &str =
    "D0112P0TB00N00004951B39F94F06CA47519230B0974C156701CDB26B27BC8095A159DF1C46A54CD3F35A59F67A0A1305EBE0B47ED7DE2B8";
const VERIFY_ONLY: &str =
    "D0112C0TV00E0000FA22225670D1EBF853032A6E3DA9EAC77C723CEE47BCAD4F711376A801F1F35ABE3763046B09B58619F14E6FB55CDF1C";
const STORAGE: &str =
    "D0112P0TB00E00105B88FC2E0E6D440442E969DC14922C35F80F4DB73439DFCD6C48ACA2AD5511265928E79A209FEB1E751CDA465D769A8D";
const WRONG_KC: &str = "D0144P0TB00E0200KC0C01AAAAAAPB140000000000000000DDA180E4F038E7FC276A8A9995233CB44514D62679D13BBB0EA73E079087438A285F70E7AD6C2854B0352771DD17C568";
/// Made by psec 1.3.0 with check values of another protection key: by CMAC, and over zeros.
const WRONG_KP: [&str; 2] = [
    "D0128P0TB00E0100KP1001AAAAAAAAAA1AC2EB25393888308B5BB529B9E6BDD90BA9117F975550CA6AF9953356A07922168C42349BACBA4BB04AE047D9E5D9CC",
    "D0144P0TB00E0200KP0C00AAAAAAPB14000000000000000060E70D22C12FC595D93F276EBC3F46DC9CAECE7B0A10A0F9D49FDBD0E7309CB9ACAF5415C9856D56F5BEF4BD432EC103",
];
/// Made by psec 1.3.0 with check values of another key: over zeros, and by CMAC.
const MORE_WRONG_KC: [&str; 2] = [
    "D0144P0TB00E0200KC0C00EF9350PB14000000000000000042DBFA2C09516F3552ECE6907780BE72D98E82FDABB705C1AE56B2AEDC9E549325FC887AB640D81468F037062160BF8C",
    "D0128P0TB00E0100KC1001AAAAAAAAAA3BECBA1450066A70F27406E30D3EE1E1333EDB22DEAB6082665D2373E4F8A72B7BB653541401B9219A7DC44D15839C7A",
];
/// Made by psec 1.3.0 with what is no check value: empty, no value, an unknown method, two bytes, half a byte, nine bytes, no
/// hexadecimal.
const MALFORMED_KC: [&str; 7] = [
    "D0128P0TB00E0200KC04PB0C0000000093ED91EF29E123DFF4CD87883D73087FBE4E63C6BB29C5654EA114D8603B4377D6B7C0F6C800E43604EDEAC431840ED7",
    "D0128P0TB00E0200KC0600PB0A000000439F384010D488D57F387B4282CC5733A44F46E2A17CACFD653CACF3C9BFCFF51C12A906B0F295A6305F2B1C8A837B57",
    "D0144P0TB00E0200KC0C02EF9351PB1400000000000000007B0E1DA3D6B3CDD723E343206596AE944DFB90B1F16649BF68F23C06B53851B0AAACB3AEA30D4722116F1E0D3FB39BE3",
    "D0128P0TB00E0200KC0A00EF93PB0600329A577317677393DC789925AB23D2DE3D2E415215D1195DDFE6629BC638D024A5EF79D713FA66EF57DFD6E70B860C92",
    "D0128P0TB00E0200KC0B00EF935PB05047B4B9D5A9E0D5B8B0BE8C21796FA76A4EB40B82BC2AD66242AD54D3E99F00DB99BEC5FE97810EA979BC7C4AD754C76B",
    "D0144P0TB00E0200KC1800EF9351020304050607PB080000E28DEA6ED4FA651B3AECA2A6CA64ECBB492D8BC7CAA5ECC843CA437AA60EDF6E098FB1E6CDFB29C566F2F7B0904971E7",
    "D0144P0TB00E0200KC0C00XXXXXXPB140000000000000000F56495DAC33617443485111474C6890A273AFF117228EDFCD273222E1A57FD8FD7FCA96753C348E52C890D874A0C63EF",
];

fn sample() -> SoftwareStore {
    file::load(std::fs::read(root(SAMPLE)).unwrap().as_slice(), None).unwrap()
}

/// A block of a sample key with any header, under a sample KBPK.
fn block_with(header: &Header, key: &str, purpose: Purpose) -> String {
    let store = sample();
    let kbpk = if header.version.cipher() == perso::base::crypto::Cipher::Aes { AES } else { "lab-kbpk-des" };
    let (kbpk, key) = (store.open(kbpk, Purpose::Kbpk).unwrap(), store.open(key, purpose).unwrap());
    store.tr31_wrap(&kbpk, header, &key, false, &mut Chance::fixed(vec![7; 64])).unwrap()
}

fn header_of(usage: &str, mode: char) -> Header {
    Header::new(Version::D, usage, 'T', mode, 'E')
}

fn with_block(id: &str, data: &str) -> Header {
    let mut header = header_of("P0", 'B');
    header.blocks.push(OptionalBlock { id: id.into(), data: data.into() });
    header
}

#[test]
fn component_key_block_is_refused_at_import_and_named_by_calc() {
    let bench = Bench::new();
    bench.refuses_import(COMPONENT, AES, &["KEY-PURPOSE", "component"]);
    let calculated = bench.calculates(COMPONENT, AES);
    assert!(calculated.contains("c1 (a component of a key, not a key)"), "{calculated}");
    for digit in ["c0", "c9", "cZ"] {
        let header = Header { key_version: digit.into(), ..header_of("P0", 'B') };
        bench.refuses_import(&block_with(&header, "lab-zpk", Purpose::Zpk), AES, &["component", digit]);
    }
    // A capital letter is a version.
    let header = Header { key_version: "C1".into(), ..header_of("P0", 'B') };
    assert_eq!(bench.import(&block_with(&header, "lab-zpk", Purpose::Zpk), AES, "capital", &[]).code, 0);
}

#[test]
fn key_of_exportability_n_never_leaves_as_a_key_block() {
    let bench = Bench::new();
    let done = bench.import(NOT_EXPORTABLE, AES, "kept", &["--format", "json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(json_of(&done.out)["header"]["exportability"], "N");
    for asked in ["E", "N", "S"] {
        let done = bench.export("kept", AES, asked);
        assert!(done.code == 5 && done.err.contains("KEY-PURPOSE") && done.err.contains("export"), "{}", done.err);
    }
    // Sealed and listed again, it is the same.
    let listed = json_of(&bench.perso(&["keys", "list", &bench.keys(), "--format", "json"]).out);
    let kept = listed["keys"].as_array().unwrap().iter().find(|key| key["name"] == "kept").unwrap();
    assert_eq!(
        kept["header"],
        json!({ "usage": "P0", "mode": "B", "key_version": "00", "exportability": "N", "context": "0", "blocks": [] })
    );
    // A key that came without a header counts as E.
    for (asked, code) in [("E", 0), ("N", 0), ("S", 5)] {
        assert_eq!(bench.export("lab-zpk", AES, asked).code, code, "{asked}");
    }
}

#[test]
fn verify_only_cvk_makes_no_value_and_a_generate_only_one_does() {
    let bench = Bench::new();
    assert_eq!(bench.import(VERIFY_ONLY, AES, "verifies", &[]).code, 0);
    let made = block_with(&header_of("C0", 'G'), "lab-cvk", Purpose::Cvk);
    assert_eq!(bench.import(&made, AES, "makes", &[]).code, 0);
    let cvv = |key: &str| {
        let pan = format!("@{}", bench.file("pan", "4123456789012345\n"));
        let base = ["calc", "cvv", "--pan", &pan, "--expiry", "8701", "--service-code", "101"];
        bench.perso(&[&base[..], &["--keys", &bench.keys(), "--key", key]].concat())
    };
    let refused = cvv("verifies");
    assert!(
        refused.code == 5 && refused.err.contains("mode of use V") && refused.err.contains("make values"),
        "{}",
        refused.err
    );
    let (made, own) = (cvv("makes"), cvv("lab-cvk"));
    assert!(made.code == 0 && own.code == 0, "{}{}", made.err, own.err);
    for usage in ["V1", "V2"] {
        let purpose = if usage == "V1" { "pvk-3624" } else { "pvk" };
        let block = block_with(&header_of(usage, 'V'), "lab-pvk", Purpose::Pvk);
        assert_eq!(bench.import(&block, AES, purpose, &["--purpose", purpose]).code, 0);
    }
    let pin = bench.file("pin", "1234\n");
    let pan = format!("@{}", bench.file("pan", "4123456789012345\n"));
    let pvv = ["calc", "pvv", "--pan", &pan, "--index", "1", "--pin-from", &pin, "--test-keys"];
    let refused = bench.perso(&[&pvv[..], &["--keys", &bench.keys(), "--key", "pvk"]].concat());
    assert!(refused.code == 5 && refused.err.contains("mode of use V"), "{}", refused.err);
    let offset = ["calc", "offset", "--validation", "4761739001010FFF", "--keys", &bench.keys(), "--key"];
    let refused = bench.perso(&[&offset[..], &["pvk-3624"]].concat());
    assert!(refused.code == 5 && refused.err.contains("mode of use V"), "{}{}", refused.out, refused.err);
    let made = bench.perso(&[&offset[..], &["lab-pvk-3624"]].concat());
    assert!(made.code == 0 && made.out.contains("natural PIN"), "{}", made.err);
}

/// Every purpose whose keys make or check values × every mode of use: a key that only checks makes nothing, and one that only
/// makes checks nothing.
#[test]
fn values_are_made_and_checked_as_the_mode_of_use_allows() {
    let mac = (KcvMethod::DesZero, hex::decode("08D7B4").unwrap());
    for (usage, purpose) in [
        ("C0", Purpose::Cvk),
        ("M3", Purpose::Mac),
        ("M6", Purpose::Mac),
        ("V1", Purpose::Pvk3624),
        ("V2", Purpose::Pvk),
    ] {
        for mode in "BCDEGNSTVXY".chars() {
            let header = perso::keys::KeyHeader {
                usage: usage.into(),
                mode,
                key_version: "00".into(),
                exportability: 'E',
                context: '0',
                blocks: Vec::new(),
            };
            let info = perso::keys::KeyInfo {
                name: "k".into(),
                zone: String::new(),
                purpose,
                version: 1,
                algorithm: Algorithm::Tdes2,
                kcv: Kcv { method: mac.0, value: mac.1.clone() },
                test: true,
                kmcid: None,
                header: Some(header),
            };
            let value = Secret::new(hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap());
            let store = SoftwareStore::new(vec![(info, value)]);
            let key = store.open("k", purpose).unwrap();
            let limited = |operation, error: Option<&KeyError>| match error {
                Some(KeyError::Limited { operation: seen, .. }) => assert_eq!(*seen, operation, "{usage} {mode}"),
                other => panic!("{usage} {mode}: {other:?}"),
            };
            let (makes, checks) = ("BCGN".contains(mode), "BCNV".contains(mode));
            let (made, checked) = match purpose {
                Purpose::Cvk | Purpose::Mac => (
                    store.retail_mac(&key, &[7; 16]).map(|mac| mac.to_vec()),
                    Some(store.retail_mac_to_check(&key, &[7; 16]).map(|mac| mac.to_vec())),
                ),
                _ => (store.encipher(&key, &[7; 8], false).map(|value| value.expose().clone()), None),
            };
            match (&made, makes) {
                (Ok(made), true) => assert!(!made.is_empty()),
                _ => limited(Operation::Make, made.as_ref().err()),
            }
            match (&checked, checks) {
                (None, _) => {}
                (Some(Ok(seen)), true) => assert!(!makes || Ok(seen) == made.as_ref().map_err(|_| ())),
                (Some(checked), _) => limited(Operation::Verify, checked.as_ref().err()),
            }
        }
    }
}

/// The header of a key in a file states a check value (KC) that is compared whenever the key is opened, and so before it
/// leaves.
#[test]
fn check_value_in_a_stored_header_is_compared_when_the_key_is_opened() {
    let bench = Bench::new();
    let block = block_with(&with_block("KC", "00EF9351"), "lab-zpk", Purpose::Zpk);
    assert_eq!(bench.import(&block, AES, "kept", &[]).code, 0);
    let text = std::fs::read_to_string(bench.keys()).unwrap();
    assert!(text.contains("00EF9351"));
    let out = bench.path("out");
    for (kc, right) in [
        ("00EF9351", true),
        ("00EF9352", false),
        ("01EF9351", false),
        ("00FF9351", false),
        ("", false),
        ("00", false),
        ("00EF93", false),
        ("02EF9351", false),
        ("00XXXXXX", false),
    ] {
        std::fs::write(bench.keys(), text.replace("00EF9351", kc)).unwrap();
        for command in [
            vec!["keys", "kcv", "kept", "--keys"],
            vec!["keys", "export", "kept", "--kbpk", AES, "-o", &out, "--replace", "--keys"],
        ] {
            let done = bench.perso(&[&command[..], &[&bench.keys()]].concat());
            assert_eq!(done.code, if right { 0 } else { 5 }, "{kc:?} {command:?}: {}", done.err);
            let says = ["KEY-KCV", "\"kept\"", "KC"].iter().all(|word| done.err.contains(word));
            assert!(right || says, "{kc:?} {command:?}: {}", done.err);
        }
        // Its siblings work.
        assert_eq!(bench.perso(&["keys", "kcv", "lab-zpk", "--keys", &bench.keys()]).code, 0);
        assert_eq!(std::path::Path::new(&out).exists(), right, "{kc:?}");
        let _ = std::fs::remove_file(&out);
    }
}

/// A record is prepared with a CVK of each mode: a generate-only key makes the values and checks none of them, a verify-only
/// key makes none.
#[test]
fn generate_only_cvk_checks_no_value_and_a_verify_only_one_prepares_no_record() {
    let bench = Bench::new();
    let text = std::fs::read_to_string(bench.keys()).unwrap();
    for (mode, code, checked) in [
        (None, 0, "passed"),
        (Some('B'), 0, "passed"),
        (Some('C'), 0, "passed"),
        (Some('G'), 0, "skipped"),
        (Some('V'), 5, ""),
    ] {
        let mut file: Value = serde_json::from_str(&text).unwrap();
        let cvk = file["keys"].as_array_mut().unwrap().iter_mut().find(|key| key["name"] == "lab-cvk").unwrap();
        if let Some(mode) = mode {
            cvk["header"] = json!({
                "usage": "C0", "mode": mode.to_string(), "key_version": "00", "exportability": "E", "context": "0",
            });
        }
        let keys = bench.file("modes.json", &file.to_string());
        let [order, site, issuer] = [
            "tests/samples/orders/visa-like.json",
            "tests/samples/orders/site.toml",
            "tests/samples/issuer/visa-like.issuer.test.json",
        ]
        .map(|name| root(name).display().to_string());
        let record = bench.path(&format!("record-{}.json", mode.unwrap_or('-')));
        let profiles = root("card-profiles").display().to_string();
        let prepare = ["prepare", &order, "--keys", &keys, "--site", &site, "--issuer-certificate", &issuer];
        let rest = ["--profiles", &profiles, "-o", &record, "--format", "json"];
        let done = bench.perso(&[&prepare[..], &rest].concat());
        let result = json_of(&done.out);
        assert_eq!(done.code, code, "{mode:?}: {result} {}", done.err);
        if code != 0 {
            assert_eq!(result["fault"]["code"], "KEY-PURPOSE", "{mode:?}: {result}");
            assert!(!std::path::Path::new(&record).exists(), "{mode:?}");
            continue;
        }
        let rules = result["rules"].as_array().unwrap();
        let verdicts: Vec<&str> = rules
            .iter()
            .filter(|rule| rule["rule"] == "R21" && rule["subject"].as_str().unwrap().starts_with("A000000999"))
            .map(|rule| rule["verdict"].as_str().unwrap())
            .collect();
        assert_eq!(verdicts, [checked; 2], "{mode:?}");
    }
}

/// A key that arrives under a live KEK is held to the same measure as one in a key block.
#[test]
fn weak_key_under_a_live_kek_is_refused() {
    let bench = Bench::new();
    let (live, _, _) = live_keys::samples(bench.folder());
    let phrase = Secret::new(live_keys::PASSPHRASE.as_bytes().to_vec());
    let stores = [sample(), file::load(&std::fs::read(live).unwrap(), Some(&phrase)).unwrap()];
    for (store, live) in stores.iter().zip([false, true]) {
        let kek = store.open("lab-kek", Purpose::Kek).unwrap();
        // FIPS 46-3: DES under 0123456789ABCDEF over zeros. The others by openssl.
        for (value, kcv, weak) in [
            ("0123456789ABCDEF0123456789ABCDEF", "D5D44F", true),
            ("0101010101010101FEDCBA9876543210", "AB9DB7", true),
            ("10112233445566778899AABBCCDDEEFE", "EF9351", false),
        ] {
            let key = hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap();
            let wrapped = perso::base::crypto::tdes_ecb_encrypt(&key, &hex::decode(value).unwrap()).unwrap();
            let kcv = Kcv { method: KcvMethod::DesZero, value: hex::decode(kcv).unwrap() };
            let arrived = WrappedKey {
                name: "arrived",
                value: &wrapped,
                cbc: false,
                algorithm: Algorithm::Tdes2,
                kcv: &kcv,
                odd_parity: false,
            };
            let taken = store.unwrap(&kek, &arrived, Purpose::Zpk);
            assert_eq!(taken.is_ok(), !(live && weak), "{value}, live {live}: {:?}", taken.err());
        }
    }
}

/// Each mode of use allows what table 4 of X9.143 says, and a purpose takes a key that serves it in some way.
#[test]
fn every_mode_of_use_allows_its_operations_and_no_others() {
    let table = [
        (Operation::Make, "BCGN"),
        (Operation::Verify, "BCNV"),
        (Operation::Encrypt, "BEN"),
        (Operation::Wrap, "BEN"),
        (Operation::Decrypt, "BDNT"),
        (Operation::Unwrap, "BDN"),
        (Operation::Derive, "BNX"),
        (Operation::Sign, "NST"),
        (Operation::Agree, "BDNTX"),
        (Operation::CheckValue, "BCDEGNSTVXY"),
        (Operation::Export, "BCDEGNSTVXY"),
    ];
    assert_eq!(table.len(), Operation::ALL.len());
    for (operation, modes) in table {
        for mode in "BCDEGNSTVXY".chars() {
            let allowed = operation.allowed_by(Limits { mode, exportability: 'E' });
            assert_eq!(allowed, modes.contains(mode), "{operation:?} {mode}");
        }
    }
    assert!(!Operation::Export.allowed_by(Limits { mode: 'N', exportability: 'N' }));
    assert!(Operation::Export.allowed_by(Limits { mode: 'N', exportability: 'S' }));
    let store = sample();
    let kbpk = store.open(AES, Purpose::Kbpk).unwrap();
    for (usage, purpose) in [
        ("P0", Purpose::Zpk),
        ("C0", Purpose::Cvk),
        ("V2", Purpose::Pvk),
        ("M3", Purpose::Mac),
        ("E5", Purpose::Kmc),
        ("K0", Purpose::Kek),
        ("K0", Purpose::Transport),
        ("K1", Purpose::Kbpk),
        ("D0", Purpose::Data),
        ("E0", Purpose::ImkAc),
    ] {
        for mode in "BCDEGNSTVXY".chars() {
            let block = block_with(&header_of(usage, mode), "lab-zpk", Purpose::Zpk);
            let arrived = store.tr31_unwrap(&kbpk, &KeyBlock::parse(&block).unwrap()).unwrap();
            let taken = store.tr31_take(arrived, "x", purpose);
            let serves = operations(purpose).iter().any(|it| it.allowed_by(Limits { mode, exportability: 'E' }));
            assert_eq!(taken.is_ok(), serves, "{usage} {mode} as {purpose}");
            if let Ok(key) = taken {
                assert_eq!(key.limits(), Limits { mode, exportability: 'E' });
            }
        }
    }
}

#[test]
fn key_context_is_read_kept_and_written_and_storage_is_refused() {
    let bench = Bench::new();
    bench.refuses_import(STORAGE, AES, &["KEY-PURPOSE", "storage only"]);
    assert!(bench.calculates(STORAGE, AES).contains("key context"));
    let exchange = Header { context: '2', ..header_of("P0", 'B') };
    let block = block_with(&exchange, "lab-zpk", Purpose::Zpk);
    assert_eq!(&block[14..16], "20");
    let done = bench.import(&block, AES, "exchange", &["--format", "json"]);
    assert_eq!((done.code, json_of(&done.out)["header"]["context"].as_str()), (0, Some("2")), "{}", done.err);
    assert_eq!(&bench.export("exchange", AES, "E").out[14..16], "20");
    for reserved in ["30", "90", "01", "A0"] {
        let mut text = block.clone();
        text.replace_range(14..16, reserved);
        assert!(matches!(KeyBlock::parse(&text), Err(Tr31Error::Header(_))), "{reserved}");
    }
}

#[test]
fn check_values_in_optional_blocks_are_compared() {
    let bench = Bench::new();
    bench.refuses_import(WRONG_KC, AES, &["KEY-KCV", "KC"]);
    assert!(bench.calculates(WRONG_KC, AES).contains("KC"));
    // The key's (EF9351, and its CMAC) and the KBPK's, made by another command.
    let cmac = |name: &str| {
        let asked = ["keys", "kcv", name, "--kcv-method", "cmac", "--length", "5", "--format", "json", "--keys"];
        json_of(&bench.perso(&[&asked[..], &[&bench.keys()]].concat()).out)["kcv"].as_str().unwrap().to_owned()
    };
    let (key, kbpk) = (cmac("lab-zpk"), cmac(AES));
    for (at, (id, method, value)) in [
        ("KC", "00", "EF9351".to_owned()),
        ("KC", "01", key.clone()),
        ("KC", "01", key[..6].to_owned()),
        ("KP", "01", kbpk.clone()),
    ]
    .into_iter()
    .enumerate()
    {
        let block = block_with(&with_block(id, &format!("{method}{value}")), "lab-zpk", Purpose::Zpk);
        let done = bench.import(&block, AES, &format!("right-{at}"), &[]);
        assert_eq!(done.code, 0, "{id} {method}: {}", done.err);
    }
    for wrong in MORE_WRONG_KC {
        bench.refuses_import(wrong, AES, &["KEY-KCV", "KC"]);
    }
    for wrong in WRONG_KP {
        bench.refuses_import(wrong, AES, &["KEY-KCV", "KP"]);
        assert!(bench.calculates(wrong, AES).contains("optional block KP of the key block states another"));
    }
    for malformed in MALFORMED_KC {
        bench.refuses_import(malformed, AES, &["KEY-WRAPPED", "check value"]);
    }
    // Of a key pair there is none to compare with: told, not passed over.
    let mut header = Header::new(Version::D, "S0", 'R', 'S', 'E');
    header.blocks.push(OptionalBlock { id: "KC".into(), data: "00EF9351".into() });
    let block = block_with(&header, "lab-issuer-rsa", Purpose::IssuerRsa);
    let done = bench.import(&block, AES, "pair", &[]);
    assert!(done.code == 0 && done.err.contains("was not compared"), "{}", done.err);
}

#[test]
fn header_of_a_key_block_leaves_again_with_the_key() {
    let bench = Bench::new();
    let mut header = Header { key_version: "12".into(), ..header_of("D0", 'D') };
    header.blocks.push(OptionalBlock { id: "KS".into(), data: "00604B120F9292800000".into() });
    header.blocks.push(OptionalBlock { id: "KP".into(), data: "0100000000".into() });
    let block = block_with(&header, "lab-data", Purpose::Data);
    assert_eq!(bench.import(&block, AES, "limited", &[]).code, 0);
    let again = bench.export("limited", AES, "N");
    assert_eq!(again.code, 0, "{}", again.err);
    let again = KeyBlock::parse(again.out.trim()).unwrap();
    let seen = again.header();
    assert_eq!((seen.usage.as_str(), seen.mode, seen.key_version.as_str(), seen.exportability), ("D0", 'D', "12", 'N'));
    assert_eq!(seen.blocks[0].data, "00604B120F9292800000");
    // The KBPK's check value is that of the one that it leaves under.
    let under = |kbpk: &str| {
        let text = bench.export("limited", kbpk, "N").out;
        KeyBlock::parse(text.trim()).unwrap().header().blocks[1].data.clone()
    };
    assert_ne!(under(AES), under("lab-kbpk-des"));
    assert_eq!(bench.export("limited", AES, "S").code, 5);
    // The library holds it too, whoever builds the header.
    let store = bench.store();
    let (kbpk, key) = (store.open(AES, Purpose::Kbpk).unwrap(), store.open("limited", Purpose::Data).unwrap());
    let wider = store.tr31_wrap(&kbpk, &header_of("D0", 'B'), &key, true, &mut Chance::fixed(vec![7; 64]));
    assert!(matches!(wider, Err(KeyError::Tr31(Tr31Error::Wider { .. }))), "{wider:?}");
}

#[test]
fn key_block_with_a_check_value_of_another_key_is_not_made() {
    let store = sample();
    for (version, kbpk) in [(Version::B, "lab-kbpk-des"), (Version::D, AES)] {
        for (name, purpose, letter, usage, right) in
            [("lab-zpk", Purpose::Zpk, 'T', "P0", "00EF9351"), ("lab-pek", Purpose::Zpk, 'A', "P0", "00FDE4FB")]
        {
            let (kbpk, key) = (store.open(kbpk, Purpose::Kbpk).unwrap(), store.open(name, purpose).unwrap());
            let wrap = |data: &str| {
                let mut header = Header::new(version, usage, letter, 'B', 'E');
                header.blocks.push(OptionalBlock { id: "KC".into(), data: data.into() });
                store.tr31_wrap(&kbpk, &header, &key, false, &mut Chance::fixed(vec![7; 64]))
            };
            assert!(wrap(right).is_ok(), "{name}");
            // Another key's, cut, of no known method, none at all.
            for wrong in ["00EF9352", "01AAAAAA", "00EF93", "99EF9351", "00EF9351EF9351EF9351EF9351", "00"] {
                let made = wrap(wrong);
                assert!(matches!(made, Err(KeyError::HeaderKcv(_))), "{name} {wrong}: {made:?}");
            }
        }
    }
}

#[test]
fn key_files_of_older_versions_open_and_a_malformed_header_is_refused() {
    let bench = Bench::new();
    let older = std::fs::read_to_string(root(SAMPLE)).unwrap();
    assert!(!older.contains("\"header\""));
    assert!(file::load(older.as_bytes(), None).unwrap().keys().iter().all(|key| key.header.is_none()));
    assert_eq!(bench.import(NOT_EXPORTABLE, AES, "kept", &[]).code, 0);
    let text = std::fs::read_to_string(bench.keys()).unwrap();
    for (from, to) in [
        ("\"mode\": \"B\"", "\"mode\": \"Q\""),
        ("\"exportability\": \"N\"", "\"exportability\": \"X\""),
        ("\"context\": \"0\"", "\"context\": \"1\""),
        ("\"key_version\": \"00\"", "\"key_version\": \"c1\""),
        ("\"usage\": \"P0\"", "\"usage\": \"P\""),
        // Well-formed, and of another purpose than the key.
        ("\"usage\": \"P0\"", "\"usage\": \"C0\""),
    ] {
        assert!(text.contains(from), "{from}");
        let broken = file::load(text.replace(from, to).as_bytes(), None).map(|_| ()).expect_err(to);
        assert!(broken.code() == Code::KeyFile && broken.to_string().contains("header"), "{to}: {broken}");
    }
}

/// Made by psec 1.3.0: the length of a long optional block counts bytes (`0002`), ours and the example of X9.143 §8.5 count
/// digits (`0004`).
#[test]
fn optional_blocks_of_extended_length_are_read_in_both_forms() {
    let bench = Bench::new();
    let theirs = std::fs::read_to_string(root("tests/samples/older/psec-extended.block")).unwrap();
    assert!(theirs.contains("100002"));
    let done = bench.import(theirs.trim(), AES, "theirs", &[]);
    assert!(done.code == 0 && done.out.contains("EF9351"), "{}", done.err);
    let ours = bench.export("theirs", AES, "E").out;
    assert!(ours.contains("100004"), "{ours}");
    let done = bench.import(&ours, AES, "ours", &[]);
    assert_eq!(done.code, 0, "{}", done.err);
    for other in ["00", "01", "03", "05", "FF", "0x"] {
        let text = ours.trim().replacen("100004", &format!("1000{other}"), 1);
        assert!(matches!(KeyBlock::parse(&text), Err(Tr31Error::OptionalBlock(1))), "{other}");
    }
}

/// Blocks of the vectors whose usage no purpose here has: shown, and refused at import.
#[test]
fn key_block_of_a_usage_that_no_purpose_takes_is_shown_and_refused() {
    let bench = Bench::new();
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(root("tests/vectors/tr31.json")).unwrap()).unwrap();
    let mut seen = 0;
    for vector in vectors.iter().filter(|vector| vector["kind"] == "tr31_unwrap") {
        let (block, kbpk) =
            (vector["inputs"]["key_block"].as_str().unwrap(), vector["inputs"]["kbpk"].as_str().unwrap());
        if &block[5..7] != "B0" {
            continue;
        }
        seen += 1;
        let key = bench.file("kbpk", kbpk);
        let shown = bench.perso(&["calc", "tr31", block, "--key-from", &key, "--test-keys"]);
        assert_eq!(shown.code, 0, "{}", shown.err);
        assert!(shown.out.contains("serves as nothing here"), "{}", shown.out);
        assert!(shown.out.contains(vector["expected"]["key"].as_str().unwrap()), "{}", shown.out);
        // The KBPK itself comes in, then the block under it does not.
        let half = |mask: u8| {
            hex::encode_upper(hex::decode(kbpk).unwrap().iter().map(|byte| byte ^ mask).collect::<Vec<u8>>())
        };
        let parts = [bench.file("one", &half(0x55)), bench.file("two", &"55".repeat(kbpk.len() / 2))];
        let name = format!("kbpk-{seen}");
        let base = [
            "keys",
            "import",
            "--lab",
            "--purpose",
            "kbpk",
            "--algorithm",
            "tdes2",
            "--name",
            &name,
            "--keys",
            &bench.keys(),
        ];
        let done = bench.perso(&[&base[..], &["--component", &parts[0], "--component", &parts[1]]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        bench.refuses_import(block, &name, &["KEY-"]);
    }
    assert!(seen >= 3);
}

fn new_key(name: &str, purpose: Purpose, test: bool) -> NewKey {
    NewKey {
        name: name.into(),
        zone: String::new(),
        purpose,
        version: 1,
        kmcid: None,
        kcv_method: None,
        expected: None,
        test,
    }
}

fn weak_of(algorithm: Algorithm, value: &str) -> Option<Weakness> {
    let value = || Secret::new(hex::decode(value).unwrap());
    let mut test = Unsealed::default();
    test.add(&new_key("k", Purpose::Kek, true), algorithm, value()).unwrap();
    let told = test.warnings();
    match Unsealed::default().add(&new_key("k", Purpose::Kek, false), algorithm, value()) {
        Err(KeyError::Weak { weakness, .. }) => {
            assert!(told.len() == 1 && told[0].path == "keys/k" && told[0].message == weakness.to_string(), "{told:?}");
            Some(weakness)
        }
        live => {
            assert!(live.is_ok() && told.is_empty(), "{told:?}");
            None
        }
    }
}

#[test]
fn equal_parts_and_weak_des_keys_are_told_for_test_and_refused_for_live() {
    let (a, b, c) = ("0123456789ABCDEF", "FEDCBA9876543210", "1122334455667788");
    let weak = |parts: &[&str]| {
        let algorithm = if parts.len() == 2 { Algorithm::Tdes2 } else { Algorithm::Tdes3 };
        weak_of(algorithm, &parts.concat())
    };
    assert_eq!(weak(&[a, b]), None);
    assert_eq!(weak(&[a, b, c]), None);
    // Parity bits do not count.
    for parts in [vec![a, a], vec![a, "0022446688AACCEE"], vec![a, a, b], vec![a, b, b], vec![a, b, a], vec![a, a, a]] {
        assert_eq!(weak(&parts), Some(Weakness::EqualParts), "{parts:?}");
    }
    // SP 800-67 revision 2 §3.4.2: four weak keys, twelve semi-weak ones.
    let published = "0101010101010101 FEFEFEFEFEFEFEFE E0E0E0E0F1F1F1F1 1F1F1F1F0E0E0E0E 011F011F010E010E 1F011F010E010E01 \
        01E001E001F101F1 E001E001F101F101 01FE01FE01FE01FE FE01FE01FE01FE01 1FE01FE00EF10EF1 E01FE01FF10EF10E \
        1FFE1FFE0EFE0EFE FE1FFE1FFE0EFE0E E0FEE0FEF1FEF1FE FEE0FEE0FEF1FEF1";
    assert_eq!(published.split_whitespace().count(), 16);
    for des in published.split_whitespace() {
        for parts in [vec![des, a], vec![a, des], vec![a, des, b], vec![a, b, des]] {
            assert_eq!(weak(&parts), Some(Weakness::WeakDes), "{parts:?}");
        }
    }
    assert_eq!(weak_of(Algorithm::Aes128, &a.repeat(2)), None, "an AES key has no parts");
}

#[test]
fn weak_key_of_a_key_file_is_told_when_it_is_used() {
    let bench = Bench::new();
    let one = bench.file("one", &"11".repeat(16));
    let two = bench.file("two", &"32".repeat(16));
    let base = ["keys", "import", "--lab", "--purpose", "kek", "--algorithm", "tdes2", "--name", "weak", "--keys"];
    let components = ["--component", one.as_str(), "--component", &two];
    let done = bench.perso(&[&base[..], &[&bench.keys(), "--format", "json"], &components].concat());
    assert_eq!((done.code, json_of(&done.out)["warnings"][0]["path"].as_str()), (0, Some("keys/weak")), "{}", done.err);
    let keys = bench.keys();
    for used in [vec!["keys", "kcv", "lab-zpk", "--keys", &keys], vec!["keys", "list", &keys], vec!["check", &keys]] {
        let done = bench.perso(&used);
        assert!(done.code == 0 && done.err.contains("keys/weak: two parts"), "{used:?}: {} {}", done.code, done.err);
    }
    // A live file of an older version: its other keys are used, this one is not.
    let keys = json!([
        { "name": "weak", "zone": "", "purpose": "kbpk", "version": 1, "algorithm": "tdes2", "kcv": "8CA64D",
          "kcv_method": "des-zero", "test": false, "value": "0123456789ABCDEF0123456789ABCDEF" },
        { "name": "good", "zone": "", "purpose": "kbpk", "version": 1, "algorithm": "tdes2", "kcv": "08D7B4",
          "kcv_method": "des-zero", "test": false, "value": "0123456789ABCDEFFEDCBA9876543210" },
    ]);
    let mut keys = keys;
    // Its check value is that of single DES under its half. // FIPS 46-3: E(0123456789ABCDEF, 0) = D5D44FF720683D0D
    keys[0]["kcv"] = "D5D44F".into();
    let (live, passphrase) = live_keys::written(bench.folder(), &keys);
    let kcv = |name: &str| bench.perso(&["keys", "kcv", name, "--keys", &live, "--passphrase-file", &passphrase]);
    let weak = kcv("weak");
    assert!(weak.code == 5 && weak.err.contains("KEY-WEAK"), "{}", weak.err);
    let good = kcv("good");
    assert!(good.code == 0 && good.err.contains("keys/weak"), "{}", good.err);
}

#[test]
fn live_issuer_keys_below_1024_bits_are_refused_and_below_1408_told() {
    let bench = Bench::new();
    let live = bench.path("live.json");
    let generate = |bits: &str, more: &[&str]| {
        let name = format!("rsa-{bits}");
        let base =
            ["keys", "generate", "--name", &name, "--purpose", "issuer-rsa", "--algorithm", "rsa", "--bits", bits];
        bench.keyed(&[&base[..], more].concat(), if more.is_empty() { &live } else { "test.json" })
    };
    for (bits, code, told) in [
        ("768", 5, "at least 1024"),
        ("1016", 5, "at least 1024"),
        ("1024", 0, "at least 1408"),
        ("1400", 0, "at least 1408"),
        ("1408", 0, ""),
    ] {
        let done = generate(bits, &[]);
        assert!(done.code == code && done.err.contains(told), "{bits}: {} {}", done.code, done.err);
        assert_eq!(done.err.contains(&format!("rsa-{bits}:")), code == 0 && !told.is_empty(), "{bits}: {}", done.err);
    }
    let test = generate("768", &["--test"]);
    assert!(test.code == 0 && test.err.is_empty(), "{}", test.err);
}

#[test]
fn kbpk_weaker_than_its_content_needs_consent_at_import_and_is_refused_for_live_export() {
    let bench = Bench::new();
    let block = bench.export("lab-pek", "lab-kbpk-des", "E");
    assert!(block.code == 0 && block.err.contains("weaker"), "{}", block.err);
    bench.refuses_import(&block.out, "lab-kbpk-des", &["KEY-WEAK", "--accept-weak-kbpk"]);
    // Refused, and not told besides.
    let refused = bench.import(&block.out, "lab-kbpk-des", "refused", &[]);
    assert!(!refused.err.to_lowercase().contains("warning"), "{}", refused.err);
    let done = bench.import(&block.out, "lab-kbpk-des", "consented", &["--accept-weak-kbpk"]);
    assert!(done.code == 0 && done.err.contains("weaker"), "{}", done.err);
    let (live, passphrase, _) = live_keys::samples(bench.folder());
    let export = |key: &str, kbpk: &str| {
        bench.perso(&["keys", "export", key, "--kbpk", kbpk, "--keys", &live, "--passphrase-file", &passphrase])
    };
    for (key, kbpk, code) in [("lab-pek", "lab-kbpk-des", 5), ("lab-zpk", "lab-kbpk-des", 0), ("lab-pek", AES, 0)] {
        let done = export(key, kbpk);
        assert!(done.code == code && (code == 0 || done.err.contains("KEY-WEAK")), "{key}: {} {}", done.code, done.err);
    }
}

/// SP 800-57 part 1 table 2: RSA 3072 as AES-128, RSA 2048 as three-key triple DES, a shorter key as two-key triple DES.
#[test]
fn rsa_key_counts_by_its_modulus_against_the_kbpk() {
    let bench = Bench::new();
    let generate = |name: &str, purpose: &str, algorithm: &[&str]| {
        let base = ["keys", "generate", "--test", "--name", name, "--purpose", purpose, "--keys", &bench.keys()];
        assert_eq!(bench.perso(&[&base[..], &["--algorithm"], algorithm].concat()).code, 0, "{name}");
    };
    generate("kbpk3", "kbpk", &["tdes3"]);
    generate("rsa-3072", "jwe", &["rsa", "--bits", "3072"]);
    let mut keys = json_of(&std::fs::read_to_string(bench.keys()).unwrap());
    keys["keys"].as_array_mut().unwrap().iter_mut().for_each(|key| key["test"] = false.into());
    let (live, passphrase) = live_keys::written(bench.folder(), &keys["keys"]);
    for (key, kbpk, weaker) in [
        ("rsa-3072", "kbpk3", true),
        ("rsa-3072", AES, false),
        ("lab-order-rsa", "lab-kbpk-des", true),
        ("lab-order-rsa", "kbpk3", false),
        ("lab-issuer-rsa", "lab-kbpk-des", false),
    ] {
        // What export tells, import refuses without consent, and live export refuses.
        let block = bench.export(key, kbpk, "E");
        assert!(block.code == 0 && block.err.contains("weaker") == weaker, "{key} {kbpk}: {}", block.err);
        let done = bench.import(&block.out, kbpk, &format!("{key}-{kbpk}"), &[]);
        let refused = done.code == 5 && done.err.contains("KEY-WEAK");
        assert!(refused == weaker && (refused || done.code == 0), "{key} {kbpk}: {}", done.err);
        let export = ["keys", "export", key, "--kbpk", kbpk, "--keys", &live, "--passphrase-file", &passphrase];
        let done = bench.perso(&export);
        let refused = done.code == 5 && done.err.contains("KEY-WEAK");
        assert!(refused == weaker && (refused || done.code == 0), "live {key} {kbpk}: {}", done.err);
        assert!(refused || !done.err.contains("weaker"), "live {key} {kbpk}: {}", done.err);
    }
}

/// Made by psec 1.3.0: key block protection keys with mode of use E and D.
const KBPK_E: &str = "D0144K1AE00E00006D0BE151C3BB52B26CFED39E06AE69F5994B7CFE4059DBA87E61F2824E60D36821F287EC74257A3D37D28EC9F99D207130FB29CDFB1541D9C351459ADF45CE9E";
const KBPK_D: &str = "D0144K1AD00E0000A8BF9A03C73E7A8B9CDBED9AED87D8AD2101E06BC76940EBA3CA335D1286FBF21BAD4BA817C91685CDC2A1CB6B11AE83AFD8249330DEEDBA480DE33D87E35E6A";

#[test]
fn mode_of_use_of_a_kbpk_decides_if_it_wraps_or_unwraps() {
    let bench = Bench::new();
    for (block, name) in [(KBPK_E, "wraps"), (KBPK_D, "unwraps")] {
        assert_eq!(bench.import(block, AES, name, &[]).code, 0, "{name}");
    }
    let block = bench.export("lab-zpk", "wraps", "E");
    assert_eq!(block.code, 0, "{}", block.err);
    bench.refuses_import(&block.out, "wraps", &["KEY-PURPOSE", "mode of use E", "unwrap keys"]);
    let refused = bench.export("lab-zpk", "unwraps", "E");
    assert!(refused.code == 5 && refused.err.contains("mode of use D"), "{}", refused.err);
    assert!(refused.err.contains("wrap keys"), "{}", refused.err);
    // Both have the same value.
    let done = bench.import(&block.out, "unwraps", "came", &[]);
    assert!(done.code == 0 && done.out.contains("EF9351"), "{}{}", done.out, done.err);
}

#[test]
fn ghash_key_of_a_live_record_key_does_not_come_out_by_its_key_block() {
    let bench = Bench::new();
    let (live, passphrase, _) = live_keys::samples(bench.folder());
    let open = ["--keys", &live, "--passphrase-file", &passphrase];
    let perso = |arguments: &[&str]| bench.perso(&[arguments, &open].concat());
    let block = perso(&["keys", "export", "lab-record", "--kbpk", AES]);
    assert_eq!(block.code, 0, "{}", block.err);
    let shown = perso(&["calc", "tr31", block.out.trim(), "--key", AES]);
    assert!(shown.code == 0 && shown.out.contains("KCV cmac"), "{}{}", shown.out, shown.err);
    // AES over zeros under the sample's record key.
    assert!(!shown.out.contains("aes-zero") && !shown.out.contains("F29000"), "{}", shown.out);
    // A test key's is told, as before.
    let test = bench.calculates(&bench.export("lab-record", AES, "E").out, AES);
    assert!(test.contains("KCV aes-zero") && test.contains("F29000"), "{test}");
    let file = bench.file("record-block", &block.out);
    let import = ["keys", "import", "--block", &file, "--kbpk", AES, "--name", "as-data", "--purpose", "data"];
    let refused = perso(&[&import[..], &["--kcv-method", "aes-zero"]].concat());
    assert!(refused.code == 5 && refused.err.contains("aes-zero"), "{}", refused.err);
    let done = perso(&[&import[..], &["--kcv-method", "cmac"]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    for length in ["3", "8"] {
        let done = perso(&["keys", "kcv", "as-data", "--kcv-method", "aes-zero", "--length", length]);
        assert!(done.code == 5 && done.err.contains("KEY-WEAK"), "{}{}", done.out, done.err);
    }
    let calculated = perso(&["calc", "kcv", "--key", "as-data"]);
    assert!(calculated.code == 0 && !calculated.out.contains("aes-zero"), "{}{}", calculated.out, calculated.err);
    // A file in which it stands is told of, and the key is not opened.
    let mut keys = json_of(&std::fs::read_to_string(bench.keys()).unwrap());
    let keys = keys["keys"].as_array_mut().unwrap();
    keys.iter_mut().for_each(|key| key["test"] = false.into());
    let record = keys.iter_mut().find(|key| key["name"] == "lab-record").unwrap();
    (record["purpose"], record["kcv"], record["kcv_method"]) = ("data".into(), "F29000".into(), "aes-zero".into());
    let (live, passphrase) = live_keys::written(bench.folder(), &json!(keys));
    let done = bench.perso(&["keys", "kcv", "lab-record", "--keys", &live, "--passphrase-file", &passphrase]);
    assert!(done.code == 5 && done.err.contains("KEY-WEAK"), "{}", done.err);
}

#[test]
fn record_keys_have_no_check_value_by_aes_zero() {
    let bench = Bench::new();
    let generate =
        ["keys", "generate", "--name", "r", "--purpose", "record", "--algorithm", "aes256", "--kcv-method", "aes-zero"];
    for more in [&["--test"][..], &[]] {
        let done = bench.keyed(&[&generate[..], more].concat(), &bench.path("new.json"));
        assert!(done.code == 5 && done.err.contains("cmac"), "{}", done.err);
    }
    // The sample's is by cmac; as older files have it, it is told for test keys, and its successor has another.
    let text = std::fs::read_to_string(bench.keys()).unwrap();
    let (from, to) = (
        "\"kcv\": \"377822C093\",\n      \"kcv_method\": \"cmac\"",
        "\"kcv\": \"F29000\",\n      \"kcv_method\": \"aes-zero\"",
    );
    assert!(text.contains(from));
    std::fs::write(bench.keys(), text.replace(from, to)).unwrap();
    let rotated = bench.perso(&["keys", "rotate", "lab-record", "--keys", &bench.keys(), "--format", "json"]);
    assert!(rotated.code == 0 && rotated.err.contains("keys/lab-record: the record or data key"), "{}", rotated.err);
    assert_eq!(json_of(&rotated.out)["kcv_method"], "cmac");
    let asked = ["keys", "kcv", "lab-record", "--kcv-method", "aes-zero", "--keys"];
    let told = bench.perso(&[&asked[..], &[&root(SAMPLE).display().to_string()]].concat());
    assert!(told.code == 0 && told.err.contains("GHASH"), "{}", told.err);
    // Live: neither used with such a value, nor asked for one.
    let (live, passphrase, _) = live_keys::samples(bench.folder());
    let done = bench.perso(&[&asked[..], &[&live, "--passphrase-file", &passphrase]].concat());
    assert!(done.code == 5 && done.err.contains("KEY-WEAK"), "{}", done.err);
    let export = ["keys", "export", "lab-record", "--kbpk", AES, "--keys", &live, "--passphrase-file", &passphrase];
    let block = bench.perso(&export);
    assert_eq!(block.code, 0, "{}", block.err);
    let mut keys: Value = serde_json::from_str(&text.replace(from, to)).unwrap();
    keys["keys"].as_array_mut().unwrap().iter_mut().for_each(|key| key["test"] = false.into());
    let (live, passphrase) = live_keys::written(bench.folder(), &keys["keys"]);
    let done = bench.perso(&[
        "keys",
        "kcv",
        "lab-record",
        "--kcv-method",
        "cmac",
        "--keys",
        &live,
        "--passphrase-file",
        &passphrase,
    ]);
    assert!(done.code == 5 && done.err.contains("KEY-WEAK"), "{}", done.err);
    // The advice can be followed: the same key from its key block, or a new one.
    assert!(["perso keys remove", "perso keys import"].iter().all(|it| done.err.contains(it)), "{}", done.err);
    let block = bench.file("block", &block.out);
    let sealed = ["--keys", &live, "--passphrase-file", &passphrase];
    let follow = |verb: &[&str], code: i32| {
        let done = bench.perso(&[&["keys"], verb, &sealed[..]].concat());
        assert_eq!(done.code, code, "{verb:?}: {}", done.err);
    };
    let record = ["--purpose", "record", "--algorithm", "aes256"];
    follow(&[&["generate", "--name", "next-record"], &record[..]].concat(), 0);
    follow(&["kcv", "next-record"], 0);
    follow(&["remove", "lab-record"], 0);
    follow(&["import", "--name", "lab-record", "--block", &block, "--kbpk", AES, "--purpose", "record"], 0);
    follow(&["kcv", "lab-record"], 0);
}

/// A file that is not there has no live keys to be told of.
#[test]
fn short_passphrase_of_a_new_live_file_is_refused_without_a_warning() {
    let bench = Bench::new();
    let (new, short) = (bench.path("new.json"), bench.secret("short", "elevenchars"));
    let generate = ["keys", "generate", "--name", "a", "--purpose", "kek", "--algorithm", "aes256", "--keys", &new];
    let done = bench.perso(&[&generate[..], &["--passphrase-file", &short]].concat());
    assert!(
        done.code == 5 && done.err.contains("12 characters") && !done.err.contains("these live keys"),
        "{}",
        done.err
    );
    let left = |name: &str| std::path::Path::new(&bench.path(name)).exists();
    assert!(!left("new.json") && !left("new.json.lock"));
}

/// Each purpose in a message has the article that it is read with.
#[test]
fn purposes_have_their_articles_in_messages() {
    for purpose in Purpose::ALL {
        let vowel = purpose.name().starts_with(['a', 'e', 'i', 'o', 'u']);
        let expected = format!("{} {purpose} key", if vowel { "an" } else { "a" });
        let other = if purpose == Purpose::Kek { Purpose::Zpk } else { Purpose::Kek };
        for (is, wanted) in [(purpose, other), (other, purpose)] {
            let text = KeyError::Purpose { name: "k".into(), is, wanted }.to_string();
            assert!(text.contains(&format!(" {expected}")), "{text}");
        }
        let text = KeyError::Verb { name: "k".into(), is: purpose, verb: perso::keys::Verb::Sign }.to_string();
        assert!(text.contains(&format!(" {expected}")), "{text}");
    }
}

/// Sealed before the sample's record key had its check value by cmac.
#[test]
fn record_whose_header_states_a_check_value_by_aes_zero_still_opens() {
    let record = std::fs::read(root("tests/samples/older/aes-zero.record.json")).unwrap();
    let header: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(header["header"]["record_key"]["kcv_method"], "aes-zero");
    let opened = perso::record::Record::open(&record, &sample());
    assert!(opened.is_ok(), "{:?}", opened.map(|_| ()).err());
}

#[test]
fn live_keys_need_a_long_passphrase_in_a_file_of_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let live = bench.path("live.json");
    let generate = [
        "keys",
        "generate",
        "--name",
        "a",
        "--purpose",
        "kek",
        "--algorithm",
        "aes256",
        "--keys",
        &live,
        "--passphrase-file",
    ];
    let short = bench.secret("short", "elevenchars");
    let done = bench.perso(&[&generate[..], &[&short]].concat());
    assert!(done.code == 5 && done.err.contains("KEY-WEAK") && done.err.contains("12 characters"), "{}", done.err);
    assert!(!std::path::Path::new(&live).exists());
    let long = bench.secret("long", "twelve chars");
    assert_eq!(bench.perso(&[&generate[..], &[&long]].concat()).code, 0);
    let sealed = bench.path("sealed.json");
    let seal = ["keys", "seal", &bench.keys(), "-o", &sealed, "--passphrase-file", &short];
    assert_eq!(bench.perso(&seal).code, 0, "test keys may have any passphrase");
    for mode in [0o640, 0o604, 0o644, 0o600, 0o400, 0o700] {
        for path in [&long, &short] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let open = mode & 0o044 != 0;
        let done = bench.perso(&["keys", "list", &live, "--passphrase-file", &long]);
        assert_eq!(done.code, if open { 5 } else { 0 }, "{mode:o}: {}", done.err);
        assert_eq!(done.err.contains("chmod 600"), open, "{mode:o}: {}", done.err);
        let done = bench.perso(&["keys", "list", &sealed, "--passphrase-file", &short]);
        assert_eq!((done.code, done.err.contains("chmod 600")), (0, open), "{mode:o}: {}", done.err);
    }
    // A live file that an older version sealed under a short one is told.
    let done = bench.perso(&["keys", "list", &bench.older_live(), "--passphrase-file", &bench.secret("old", "short")]);
    assert!(done.code == 0 && done.err.contains("fewer than 12"), "{}{}", done.out, done.err);
}

/// The same rule, if the secret comes by a descriptor of a file; a pipe has no readers but the two.
#[test]
fn descriptor_of_a_file_that_others_can_read_is_held_to_the_rule_of_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let (live, _) = live_keys::sealed(bench.folder());
    let (test, phrase) = (bench.path("test.json"), bench.secret("phrase", live_keys::PASSPHRASE));
    let done = bench.perso(&["keys", "seal", &bench.keys(), "-o", &test, "--passphrase-file", &phrase]);
    assert_eq!(done.code, 0, "{}", done.err);
    let shell = |script: &str| {
        let program = env!("CARGO_BIN_EXE_perso");
        let run = std::process::Command::new("sh").args(["-c", script, program]).current_dir(bench.folder()).output();
        let run = run.unwrap();
        (run.status.code().unwrap(), String::from_utf8(run.stderr).unwrap())
    };
    for mode in [0o644, 0o640, 0o604, 0o600, 0o400] {
        std::fs::set_permissions(&phrase, std::fs::Permissions::from_mode(mode)).unwrap();
        let open = mode & 0o044 != 0;
        for (keys, code) in [(&live, if open { 5 } else { 0 }), (&test, 0)] {
            let new = bench.path("new.json");
            for script in [
                format!("\"$0\" keys list '{keys}' --passphrase-fd 3 3< phrase"),
                format!("\"$0\" keys list '{keys}' --passphrase-fd 0 < phrase"),
                format!("\"$0\" keys kcv nothing --keys '{keys}' --passphrase-file /dev/fd/3 3< phrase"),
            ] {
                let code = if script.contains("nothing") { 5 } else { code };
                let (seen, told) = shell(&script);
                assert_eq!(seen, code, "{mode:o} {script}: {told}");
                // The name that can be typed, not the descriptor's.
                assert_eq!(told.contains("chmod 600") && told.contains("phrase"), open, "{mode:o} {script}: {told}");
            }
            let (seen, told) = shell(&format!("cat phrase | \"$0\" keys list '{keys}' --passphrase-fd 0"));
            assert!(seen == 0 && !told.contains("chmod"), "{mode:o} {told}");
            // A new passphrase.
            std::fs::copy(keys, &new).unwrap();
            std::fs::write(bench.path("other"), "amber walrus turbine").unwrap();
            std::fs::set_permissions(bench.path("other"), std::fs::Permissions::from_mode(mode)).unwrap();
            let change = format!(
                "cat phrase | \"$0\" keys passphrase --keys '{new}' --passphrase-fd 0 --new-passphrase-fd 3 3< other"
            );
            let (seen, told) = shell(&change);
            assert_eq!((seen, told.contains("chmod 600")), (code, open), "{mode:o} {told}");
        }
        let sealed = bench.path(&format!("sealed-{mode:o}.json"));
        let (seen, told) = shell(&format!("\"$0\" keys seal keys.json -o '{sealed}' --passphrase-fd 3 3< phrase"));
        assert_eq!((seen, told.contains("chmod 600")), (0, open), "{mode:o} {told}");
    }
}

#[test]
fn check_value_of_a_single_length_des_key_is_computed() {
    let bench = Bench::new();
    let key = bench.file("des", "0123456789ABCDEF\n");
    let done = bench.perso(&["calc", "kcv", "--key-from", &key, "--test-keys"]);
    // FIPS 46-3: DES under 0123456789ABCDEF over zeros.
    assert!(done.code == 0 && done.out.contains("D5D44F") && done.out.contains("single"), "{}{}", done.out, done.err);
    let done = bench.perso(&["calc", "kcv", "--aes", "--key-from", &key, "--test-keys"]);
    assert_eq!(done.code, 2, "{}", done.out);
}

/// Random keys are never weak: the source that gives a weak one is asked again.
#[test]
fn random_keys_are_not_weak() {
    let weak = hex::decode("0101010101010101FEDCBA9876543210").unwrap();
    let good = hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap();
    let drawn = random(Algorithm::Tdes2, (0, 3), &mut Chance::fixed([weak, good.clone()].concat())).unwrap();
    assert_eq!(drawn.expose(), &good);
}
