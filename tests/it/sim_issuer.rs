//! The simulated card and its issuer: cryptograms, issuer answers and scripts against values from outside, and what they
//! do to the card.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::emv_card;

use emv_card::*;
use perso::base::crypto::{retail_mac, tdes_ecb_encrypt};
use perso::card::sim::{Hex, SimCard};
use serde_json::Value;

fn vector(name: &str) -> Value {
    let all = |file: &str| {
        let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str::<Vec<Value>>(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let mut vectors = all("emv_issuer_crypto.json").into_iter().chain(all("emv_issuer_crypto_pyemv.json"));
    vectors.find(|one| one["name"] == name).unwrap_or_else(|| panic!("no vector {name}"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}"))
}

/// What a vector's cryptogram covers: data of the terminal, interchange profile, counter, and the rest.
struct Covered {
    terminal: String,
    profile: String,
    atc: u16,
    tail: String,
}

fn covered(vector: &Value) -> Covered {
    let data = text(&vector["inputs"], "data");
    let atc = u16::from_str_radix(&data[62..66], 16).unwrap();
    Covered { terminal: data[..58].into(), profile: data[58..62].into(), atc, tail: data[66..].into() }
}

/// A card with a vector's keys, one transaction before the vector's. `issuer_data` has the vector's results in its
/// middle.
fn card_of(vector: &Value, keys: [&str; 3], issuer_data: &str) -> SimCard {
    let covered = covered(vector);
    let issuer_data = issuer_data.replace("..", &covered.tail);
    let mut card = Loaded::new(keys, &issuer_data, &covered.profile).at(covered.atc - 1).card();
    start(&mut card);
    card
}

/// How the vectors' profiles stand in a card: what stands before and behind what the cryptogram covers.
const PROFILES: [(&str, &str); 10] = [
    ("hsm_visa_cvn10_arqc_arpc", "06010A.."),
    ("hsm_mk_b_sha_letters", ".."),
    ("hsm_mc_cvn16_arqc_arpc", "0110..0000000000000000000000"),
    ("hsm_mc_cvn17_arqc_arpc", ""),
    ("hsm_mc_cvn21_arqc_arpc", ""),
    ("jpos_MCHIP_P80_M1", "0110..0000000000000000000000"),
    ("jpos_CSKD_P80_M1", "0114..0000000000000000000000"),
    ("VisaCVN18_ac_arpc_proprietary_data", ".."),
    ("VisaCVN22_ac_arpc_proprietary_data", ".."),
    ("MasterCardCVN20_ac_arpc", "0114..0000000000000000000000"),
];

fn template(name: &str, tail: &str) -> String {
    match name {
        // Six bytes of results, then counters: two of the issuer's stand between them.
        "hsm_mc_cvn17_arqc_arpc" => format!("0111{}0000{}", &tail[..12], &tail[12..]),
        "hsm_mc_cvn21_arqc_arpc" => format!("0115{}0000{}", &tail[..12], &tail[12..]),
        _ => PROFILES.iter().find(|(known, _)| *known == name).unwrap().1.replace("..", tail),
    }
}

#[test]
fn the_cards_cryptograms_and_the_issuers_answers_are_those_of_the_vectors() {
    for (name, _) in PROFILES {
        let vector = vector(name);
        let key = text(&vector["derived"], "icc_mk");
        let Covered { terminal, tail, atc, .. } = covered(&vector);
        let answer = match vector["inputs"]["arpc_rc"].as_str() {
            Some(code) => format!("{}{code}", text(&vector["expected"], "arpc")),
            // Method 2: eight bytes at least, with the issuer's own data behind
            None => format!(
                "{}{}{}",
                text(&vector["expected"], "arpc"),
                text(&vector["inputs"], "csu"),
                text(&vector["inputs"], "prop_auth_data")
            ),
        };
        // What follows a status update counts where its first byte says that it is there. // EMV B3 annex C10
        let unmarked =
            vector["inputs"]["prop_auth_data"].is_string() && text(&vector["inputs"], "csu").starts_with('0');
        let approved = match vector["inputs"]["csu"].as_str() {
            Some(csu) => u8::from_str_radix(&csu[2..4], 16).unwrap() & 0x80 != 0,
            None => true,
        };
        let cdol2 = format!("8A0291{:02X}95059F3704", answer.len() / 2);
        let record = format!("8C15{CDOL1}8D{:02X}{cdol2}", cdol2.len() / 2);
        let record = format!("70{:02X}{record}", record.len() / 2);
        let fresh = || {
            let mut card = card_of(&vector, [key; 3], &template(name, &tail));
            let groupings = &mut card.file_mut().state.applications[0].groupings;
            groupings.insert("0201".into(), Hex(hex::decode(&record).unwrap()));
            assert_eq!(
                cryptogram(generate(&mut card, ARQC, &terminal)),
                (ARQC, text(&vector["expected"], "ac").to_owned()),
                "{name}"
            );
            card
        };
        let second = |answer: &str| format!("3030{answer}0000000000{}", &terminal[50..58]);
        let mut card = fresh();
        let (information, _) = cryptogram(generate(&mut card, TC, &second(&answer)));
        if unmarked {
            assert_eq!(information, AAC | 3, "{name}: data that the status update does not tell of");
            continue;
        }
        assert_eq!(information, if approved { TC } else { AAC }, "{name}");
        assert_eq!(card.file().state.applications[0].last_online, Some(atc), "{name}: the right answer");
        for place in [0, 7] {
            let mut wrong = hex::decode(&answer).unwrap();
            wrong[place] ^= 1;
            let mut card = fresh();
            let (information, _) = cryptogram(generate(&mut card, TC, &second(&hex::encode_upper(wrong))));
            assert_eq!(information, AAC | 3, "{name}: a wrong answer");
            assert_eq!(card.file().state.applications[0].last_online, None, "{name}");
        }
    }
}

/// Visa's version 17 (11): amount, unpredictable number, counter and the fifth byte of 9F10, under the card's own key.
#[test]
fn visa_version_17_covers_amount_number_counter_and_the_fifth_byte() {
    let vector = vector("primitives_visa_version_11_ac");
    let key = text(&vector["derived"], "icc_mk");
    let mut card = Loaded::new([key; 3], "06011103A00000", "1C00").card();
    start(&mut card);
    assert_eq!(cryptogram(generate(&mut card, ARQC, DATA_29)), (ARQC, text(&vector["expected"], "ac").to_owned()));
    // The version knows no answer of the issuer's: none is right.
    let answer = format!("{}3030", text(&vector["expected"], "arpc"));
    assert_eq!(sw(&mut card, &command("00820000", &answer)), "6300");
}

/// Mastercard's response code is two bytes of its own: 10 in the second approves (as it does, by chance, in 3030).
#[test]
fn mastercards_answer_approves_by_its_own_response_code() {
    let vector = vector("hsm_mc_cvn21_arqc_arpc");
    let key = text(&vector["derived"], "icc_mk");
    let Covered { terminal, tail, .. } = covered(&vector);
    let key_of_session = hex::decode(text(&vector["derived"], "sk")).unwrap();
    let lists = format!("8C15{CDOL1}8D0F8A02910A95059F37049F02069F0306");
    let record = format!("70{:02X}{lists}", lists.len() / 2);
    for (code, wanted) in [("0010", TC), ("0018", TC), ("3030", TC), ("0000", AAC), ("0002", AAC)] {
        let mut card = card_of(&vector, [key; 3], &template("hsm_mc_cvn21_arqc_arpc", &tail));
        let groupings = &mut card.file_mut().state.applications[0].groupings;
        groupings.insert("0201".into(), Hex(hex::decode(&record).unwrap()));
        let (_, request) = cryptogram(generate(&mut card, ARQC, &terminal));
        let mut block = hex::decode(&request).unwrap();
        block.iter_mut().zip(hex::decode(code).unwrap()).for_each(|(byte, code)| *byte ^= code);
        let arpc = hex::encode_upper(tdes_ecb_encrypt(&key_of_session, &block).unwrap());
        if code == "0010" {
            assert_eq!(arpc, text(&vector["expected"], "arpc"));
        }
        let data = format!("3030{arpc}{code}0000000000{}{}", &terminal[50..58], &terminal[..24]);
        let (information, _) = cryptogram(generate(&mut card, TC, &data));
        assert_eq!(information & 0xC0, wanted, "{code}");
        // 08 takes the number of PIN tries in the first byte.
        let tries = card.file().state.applications[0].tries;
        assert_eq!(tries, if code == "0018" { 0 } else { 3 }, "{code}");
    }
}

/// A card in the transaction of a vector with this cryptogram, with script keys of another vector.
fn scripted(cryptograms: &str, scripts: &Value, pin: &str) -> SimCard {
    let of = vector(cryptograms);
    let inputs = &scripts["inputs"];
    let derived = |name: &str, other: &str| {
        let issuer = inputs[name].as_str().or_else(|| inputs[other].as_str()).unwrap();
        option_a(issuer, text(inputs, "pan"), text(inputs, "psn"))
    };
    let (mac, enc) = (derived("imk_smi", "imk"), derived("imk_smc", "imk"));
    let keys = [text(&of["derived"], "icc_mk"), &mac, &enc];
    let Covered { terminal, tail, .. } = covered(&of);
    let mut card = card_of(&of, keys, &template(cryptograms, &tail));
    card.file_mut().state.applications[0].groupings.insert("8010".into(), Hex(hex::decode(pin).unwrap()));
    assert_eq!(cryptogram(generate(&mut card, ARQC, &terminal)).1, text(&of["expected"], "ac"));
    card
}

#[test]
fn the_vectors_pin_changes_are_obeyed_and_changed_ones_are_not() {
    for (name, cryptograms, pin) in [
        ("hsm_visa10_pin_change_new", "hsm_visa_cvn10_arqc_arpc", "241234FFFFFFFFFF"),
        ("hsm_visa10_pin_change_cur", "hsm_visa_cvn10_arqc_arpc", "248888FFFFFFFFFF"),
        ("hsm_mc16_pin_change", "hsm_mc_cvn16_arqc_arpc", "241234FFFFFFFFFF"),
        ("hsm_mc17_pin_change", "hsm_mc_cvn17_arqc_arpc", "241234FFFFFFFFFF"),
        ("hsm_mc21_pin_change", "hsm_mc_cvn21_arqc_arpc", "241234FFFFFFFFFF"),
    ] {
        let vector = vector(name);
        let sent = text(&vector["expected"], "command");
        let mut card = scripted(cryptograms, &vector, pin);
        card.file_mut().state.applications[0].tries = 0;
        assert_eq!(sw(&mut card, sent), "9000", "{name}");
        assert_eq!(card.file().state.applications[0].tries, 3, "{name}");
        assert_eq!(sw(&mut card, "0020008008249999FFFFFFFFFF"), "9000", "{name}");
        for place in [5, sent.len() / 2 - 1] {
            let mut wrong = hex::decode(sent).unwrap();
            wrong[place] ^= 1;
            let mut card = scripted(cryptograms, &vector, pin);
            assert_eq!(sw(&mut card, &hex::encode_upper(wrong)), "6988", "{name}");
            assert_eq!(sw(&mut card, &format!("0020008008{pin}")), "9000", "{name}: the PIN is as it was");
            let app = &card.file().state.applications[0];
            assert_eq!((app.scripts, app.script_failed), (1, true));
        }
    }
}

#[test]
fn the_vectors_script_macs_are_taken() {
    for (name, cryptograms) in [
        ("hsm_cvn10_app_unblock_mac", "hsm_visa_cvn10_arqc_arpc"),
        ("hsm_mc16_pin_unblock_mac", "hsm_mc_cvn16_arqc_arpc"),
        ("hsm_mc17_pin_unblock_mac", "hsm_mc_cvn17_arqc_arpc"),
        ("hsm_mc21_pin_unblock_mac", "hsm_mc_cvn21_arqc_arpc"),
    ] {
        let vector = vector(name);
        let sent = format!("{}{}", &text(&vector["inputs"], "mac_input")[..10], text(&vector["expected"], "mac"));
        let mut card = scripted(cryptograms, &vector, "241234FFFFFFFFFF");
        let app = &mut card.file_mut().state.applications[0];
        (app.blocked, app.tries) = (true, 0);
        assert_eq!(sw(&mut card, &sent.replacen("84", "80", 1)), "6987", "{name}: no protection");
        assert_eq!(sw(&mut card, &sent), "9000", "{name}");
        let app = &card.file().state.applications[0];
        assert_eq!((app.blocked, app.tries), if sent.starts_with("8418") { (false, 0) } else { (true, 3) }, "{name}");
        // Mastercard's next key is another; Visa's is the same.
        let again = sw(&mut card, &sent);
        assert_eq!(again, if sent.starts_with("8418") { "9000" } else { "6988" }, "{name}");
        let mut card = scripted(cryptograms, &vector, "241234FFFFFFFFFF");
        start(&mut card);
        assert_eq!(sw(&mut card, &sent), "6985", "{name}: no cryptogram in this transaction");
    }
}

/// Version 10, with EXTERNAL AUTHENTICATE; the first cryptogram was computed by another program.
#[test]
fn external_authenticate_is_answered_once_and_decides_the_second_cryptogram() {
    let data = "0000000100000000000000000840000000000008402501010011223344";
    let fresh = |profile: &str| {
        let mut card = Loaded::new(["0275CDC8570E3BDFF231619285D3649D"; 3], VSDC_10, profile).card();
        start(&mut card);
        assert_eq!(sw(&mut card, "00820000088BB87EC9FF75087E"), "6985", "before any cryptogram");
        generate(&mut card, ARQC, data);
        card
    };
    let mut card = Loaded::new(["0275CDC8570E3BDFF231619285D3649D"; 3], VSDC_10, "3900").card();
    assert_eq!(cryptogram(generate_again(&mut card, data)), (ARQC, "AC31A10FA2C28377".to_owned()));
    let mut card = fresh("3C00");
    let (_, made) = cryptogram(generate_again(&mut card, data));
    let answer = arpc_1("0275CDC8570E3BDFF231619285D3649D", &made, "3030");
    assert_eq!(sw(&mut card, &format!("008200000A{answer}3030")), "9000");
    assert_eq!(sw(&mut card, &format!("008200000A{answer}3030")), "6985", "a second time");
    assert_eq!(cryptogram(generate(&mut card, TC, &second("3030"))).0, TC);
    assert_eq!(format!("{:04X}", generate(&mut card, TC, &second("3030")).1), "6985", "a third cryptogram");

    let mut card = fresh("3C00");
    assert_eq!(sw(&mut card, &format!("008200000A{}3030", "00".repeat(8))), "6300");
    let (information, _) = cryptogram(generate(&mut card, TC, &second("3030")));
    assert_eq!(information, AAC | 3);

    let mut card = fresh("3C00");
    assert_eq!(sw(&mut card, "008200000711223344556677"), "6700");
    let mut card = fresh("3800");
    assert_eq!(sw(&mut card, &format!("008200000A{}3030", "00".repeat(8))), "6985", "the application does not take it");
}

/// Method 1 by hand. // EMV B2 §8.2.1
fn arpc_1(key: &str, cryptogram: &str, code: &str) -> String {
    let mut block = hex::decode(cryptogram).unwrap();
    let code = hex::decode(code).unwrap();
    block[0] ^= code[0];
    block[1] ^= code[1];
    hex::encode_upper(tdes_ecb_encrypt(&hex::decode(key).unwrap(), &block).unwrap())
}

/// Method 2 by hand, under the common session key. // EMV B2 §8.2.2, §A1.3.1
fn arpc_2(key: &str, atc: u16, cryptogram: &str, update: &str) -> String {
    let half = |mark: u8| {
        let [high, low] = atc.to_be_bytes();
        tdes_ecb_encrypt(&hex::decode(key).unwrap(), &[high, low, mark, 0, 0, 0, 0, 0]).unwrap()
    };
    let input = hex::decode(format!("{cryptogram}{update}8000000000000000")).unwrap();
    let mac = retail_mac(&[half(0xF0), half(0x0F)].concat(), &[0; 8], &input[..16]).unwrap();
    hex::encode_upper(&mac[..4])
}

/// The status update of method 2: what the issuer tells the card to do. // EMV B3 annex C10
#[test]
fn the_issuers_status_update_is_followed() {
    // Update; the second cryptogram's information; PIN tries; application and card blocked.
    for (update, information, tries, blocked) in [
        ("00800000", TC, 1, (false, false)),
        ("00000000", AAC, 1, (false, false)),
        ("02900000", TC, 2, (false, false)),
        ("0F900000", TC, 3, (false, false)),
        ("00A00000", AAC | 1, 1, (true, false)),
    ] {
        let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
        card.file_mut().state.applications[0].tries = 1;
        let (_, made) = cryptogram(generate_again(&mut card, DATA_29));
        let answer = arpc_2(KEYS[0], 1, &made, update);
        assert_eq!(sw(&mut card, &format!("0082000008{answer}{update}")), "9000", "{update}");
        assert_eq!(cryptogram(generate(&mut card, TC, &second("3030"))).0, information, "{update}");
        let state = &card.file().state;
        assert_eq!((state.applications[0].tries, (state.applications[0].blocked, state.blocked)), (tries, blocked));
        assert_eq!(hex::encode_upper(send(&mut card, "80CA9F1300").0), "9F13020001");
    }
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
    let (_, made) = cryptogram(generate_again(&mut card, DATA_29));
    let answer = arpc_2(KEYS[0], 1, &made, "00C00000");
    assert_eq!(sw(&mut card, &format!("0082000008{answer}00C00000")), "9000");
    assert_eq!(select(&mut card), 0x6A81, "the card is blocked");
}

/// MAC of a Visa-like script, by hand: the key is the card's with the counter and its complement in its halves.
fn scripted_by_visa(card: &SimCard, made: &str, head: &str, data: &str) -> String {
    let app = &card.file().state.applications[0];
    let counter = app.atc.to_be_bytes();
    let mut key = app.groupings["8000"].0[16..32].to_vec();
    for (at, byte) in counter.iter().enumerate() {
        key[6 + at] ^= byte;
        key[14 + at] ^= !byte;
    }
    let length = data.len() / 2 + 8;
    let input = format!("{head}{length:02X}{:04X}{made}{data}", app.atc);
    let padded = perso::base::crypto::pad_80(&hex::decode(input).unwrap(), 8);
    let mac = perso::base::crypto::retail_mac(&key, &[0; 8], &padded).unwrap();
    format!("{head}{length:02X}{data}{}", hex::encode_upper(mac))
}

#[test]
fn scripts_block_and_change_the_card_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.json");
    let mut card = Loaded::new(KEYS, VSDC_10, "3C00").with("0D01", "9F580105").card();
    let reloaded = |card: &SimCard| {
        card.file().save(&path).unwrap();
        let mut card = SimCard::load(&path).unwrap();
        card.reset();
        card
    };
    let run = |card: &mut SimCard, head: &str, data: &str| {
        let (_, made) = cryptogram(generate_again(card, DATA_29));
        let sent = scripted_by_visa(card, &made, head, data);
        sw(card, &sent)
    };
    assert_eq!(run(&mut card, "84DA9F58", "07"), "9000");
    assert_eq!(run(&mut card, "84DA9F58", "0708"), "6A80");
    assert_eq!(run(&mut card, "84DA9F36", "0000"), "6985");
    assert_eq!(run(&mut card, "84DA9F59", "07"), "6A88");
    assert_eq!(run(&mut card, "84DC010C", "700957074761739001010E"), "9000");
    assert_eq!(run(&mut card, "84DC010C", "57074761739001010E"), "6A80");
    assert_eq!(run(&mut card, "84DC090C", "700957074761739001010E"), "6A83");
    assert_eq!(run(&mut card, "84DC0008", "700957074761739001010E"), "6A86");
    assert_eq!(run(&mut card, "84240003", ""), "6A86");
    let mut card = reloaded(&card);
    start(&mut card);
    assert_eq!(hex::encode_upper(send(&mut card, "80CA9F5800").0), "9F580107");
    assert_eq!(hex::encode_upper(send(&mut card, "00B2010C00").0), "700957074761739001010E");

    assert_eq!(run(&mut card, "841E0000", ""), "9000");
    let mut card = reloaded(&card);
    assert_eq!(select(&mut card), 0x6283);
    assert_eq!(sw(&mut card, "80A8000002830000"), "9000");
    assert_eq!(cryptogram(generate(&mut card, ARQC, DATA_29)).0, AAC | 1, "a blocked application declines");
    assert_eq!(run(&mut card, "84180000", ""), "9000");
    assert_eq!(select(&mut card), 0x9000);

    assert_eq!(run(&mut card, "84160000", ""), "9000");
    assert_eq!(sw(&mut card, "80CA9F3600"), "6A88");
    let mut card = reloaded(&card);
    assert_eq!(select(&mut card), 0x6A81);
    assert_eq!(send(&mut card, "00A4040000").1, 0x9000, "the security domain answers");
}
