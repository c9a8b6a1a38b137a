//! A card that a terminal and an issuer host can prove: certificates of a test CA, a key for signatures, a key for
//! cryptograms that comes from an issuer master key.
#![allow(dead_code)]

use perso::base::chance::Instant;
use perso::base::crypto::{RsaPrivate, tdes_ecb_encrypt};
use perso::base::emv::Pan;
use perso::base::emv::certificate::{MonthYear, Subject, sign_icc, sign_static};
use perso::base::{Chance, Clock, Secret};
use perso::card::sim::{CardFile, FaultRule, SimCard, SimTransport};
use perso::issuance::journal::Journal;
use perso::issuance::proof::result::{CheckRef, VerifyResult};
use perso::issuance::proof::{Consent, Verification};
use perso::issuance::result::ProgramRef;
use perso::keys::ca_keys::CaKeys;
use perso::keys::test_ca::TestCa;
use perso::keys::{KeyStore, SoftwareStore, file};
use serde_json::{Value, json};

use crate::support::{Bench, file_of};

/// PAN and sequence number of the samples.
pub const PAN: &str = "4761739001010119";
pub const PIN: &str = "1234";
const IMK: &str = "0123456789ABCDEFFEDCBA9876543210";
const ALLOWED: &str = "\n[verify]\ngenerate_ac = true\npin_try = true\nimk_ac = \"vectors-imk-ac\"\n";

/// The sample keys and the issuer master key of the vectors.
pub fn keys_file() -> Value {
    let text = std::fs::read(file_of("tests/samples/keys.test.json")).unwrap();
    let mut keys: Value = serde_json::from_slice(&text).unwrap();
    keys["keys"].as_array_mut().unwrap().push(json!({
        "name": "vectors-imk-ac", "zone": "lab", "purpose": "imk-ac", "version": 1, "algorithm": "tdes2",
        "kcv": "08D7B4", "kcv_method": "des-zero", "test": true, "value": IMK
    }));
    keys
}

pub fn store() -> SoftwareStore {
    file::load(keys_file().to_string().as_bytes(), None).unwrap()
}

/// How the card is made.
#[derive(Clone)]
pub struct Wanted {
    /// Application interchange profile.
    pub aip: &'static str,
    /// Issuer application data.
    pub issuer_data: &'static str,
    /// The end of the profile.
    pub verify: &'static str,
    /// What CDOL2 ends with.
    pub cdol2: &'static str,
    /// Codes of the CVM list.
    pub cvm: &'static str,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { aip: "7D00", issuer_data: "06010A03A00000", verify: ALLOWED, cdol2: "", cvm: "410342031E031F03" }
    }
}

/// The bench and what it is proven by.
pub struct Proof {
    pub bench: Bench,
    pub store: SoftwareStore,
    pub ca_keys: CaKeys,
    /// The clear record, and the profile's text.
    pub clear: Value,
    pub profile: String,
}

fn chance(seed: u8) -> Chance {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761) | 1;
    Chance::new(move |buffer| {
        buffer.iter_mut().for_each(|byte| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            *byte = (state >> 16) as u8;
        });
        Ok(())
    })
}

fn object(tag: &str, value: &[u8]) -> String {
    let length = match value.len() {
        short @ 0..=127 => format!("{short:02X}"),
        long => format!("81{long:02X}"),
    };
    format!("{tag}{length}{}", hex::encode_upper(value))
}

fn record(objects: &[String]) -> String {
    object("70", &hex::decode(objects.concat()).unwrap())
}

/// The card's key for cryptograms, by option A. // EMV B2 A1.4.1
fn card_key() -> Vec<u8> {
    let y = hex::decode(&format!("{PAN}01")[2..]).unwrap();
    let z: Vec<u8> = y.iter().map(|byte| !byte).collect();
    let imk = hex::decode(IMK).unwrap();
    [tdes_ecb_encrypt(&imk, &y).unwrap(), tdes_ecb_encrypt(&imk, &z).unwrap()].concat()
}

impl Proof {
    pub fn new(wanted: &Wanted) -> Self {
        let mut rng = chance(7);
        let rid: [u8; 5] = hex::decode("A000000999").unwrap().try_into().unwrap();
        let ca = TestCa::generate(rid, 0xF1, MonthYear::new(2031, 12).unwrap(), 1152, &mut rng).unwrap();
        let issuer = RsaPrivate::generate(1024, 3, &mut rng).unwrap();
        let icc = RsaPrivate::generate(1024, 3, &mut rng).unwrap();
        let subject = |serial| Subject { expiry: MonthYear::new(2030, 12).unwrap(), serial: [0, 0, serial] };
        let certified = ca.certify([0x47, 0x61, 0x73, 0xFF], subject(1), issuer.public()).unwrap();
        let sample = std::fs::read(file_of("tests/samples/debit-long-packed.clear.json")).unwrap();
        let sample: Value = serde_json::from_slice(&sample).unwrap();
        let loaded = |dgi: &str| {
            let groupings = sample["body"]["applications"][0]["groupings"].as_array().unwrap();
            groupings.iter().find(|it| it["dgi"] == dgi).unwrap()["value"].as_str().unwrap().to_owned()
        };
        let (cdol2, cvm) = ("8D178A02", "410342031E031F03");
        let longer = format!("8D{:02X}8A02", 0x17 + wanted.cdol2.len() / 2);
        let inside = loaded("0201")[6..].replace(cvm, wanted.cvm).replace(cdol2, &longer);
        // What CDOL2 asks for more stands behind its first object.
        let inside = inside.replace(&longer, &format!("{longer}{}", wanted.cdol2));
        let signed = hex::decode(&inside).unwrap();
        let pan = Pan::parse(PAN).unwrap();
        let card = sign_icc(issuer.public(), &pan, subject(2), icc.public(), &signed, |it| issuer.raw(it)).unwrap();
        let ssad = sign_static(issuer.public(), [0x12, 0x34], &signed, |it| issuer.raw(it)).unwrap();
        let records = [
            ("0201", object("70", &signed)),
            (
                "0202",
                record(&[
                    object("8F", &[0xF1]),
                    object("90", &certified.certificate),
                    object("92", &certified.remainder),
                    object("9F32", &certified.exponent),
                ]),
            ),
            ("0203", record(&[object("93", &ssad)])),
            (
                "0204",
                record(&[
                    object("9F46", &card.certificate),
                    object("9F48", &card.remainder),
                    object("9F47", &card.exponent),
                    object("9F49", &[0x9F, 0x37, 0x04]),
                ]),
            ),
            ("9104", format!("8202{}9408080101001001 0401", wanted.aip).replace(' ', "")),
            ("9200", wanted.issuer_data.to_owned()),
        ];
        let parts =
            [icc.q_inverse(), icc.dq(), icc.dp(), icc.q(), icc.p()].map(|it| hex::encode_upper(it.unwrap().expose()));
        let key = card_key();
        let kcv = hex::encode_upper(&tdes_ecb_encrypt(&key, &[0; 8]).unwrap()[..3]);
        let (mut clear, mut profile) = (Value::Null, String::new());
        let mut bench = Bench::changed(
            "debit-long-packed",
            |text| {
                profile = text + wanted.verify;
                profile.clone()
            },
            |file| {
                let groupings = file["body"]["applications"][0]["groupings"].as_array_mut().unwrap();
                for it in groupings.iter_mut() {
                    match it["dgi"].as_str().unwrap() {
                        "8000" => {
                            let rest = it["secret"]["value"].as_str().unwrap()[32..].to_owned();
                            it["secret"]["value"] = format!("{}{rest}", hex::encode_upper(&key)).into();
                        }
                        "9000" => it["value"] = format!("{kcv}{}", &it["value"].as_str().unwrap()[6..]).into(),
                        dgi if dgi.starts_with("820") => {
                            let at: usize = dgi[3..].parse().unwrap();
                            it["secret"]["value"] = parts[at - 1].clone().into();
                        }
                        _ => {}
                    }
                }
                for (dgi, value) in &records {
                    match groupings.iter_mut().find(|it| it["dgi"] == *dgi) {
                        Some(held) => held["value"] = value.clone().into(),
                        None => {
                            let place = groupings.iter().position(|it| it["dgi"] == "3000").unwrap();
                            groupings.insert(place, json!({ "dgi": dgi, "value": value }));
                        }
                    }
                }
                clear = file.clone();
            },
        );
        bench.store = store();
        Self { bench, store: store(), ca_keys: ca.ca_keys(), clear, profile }
    }

    /// A card made by a whole job, as its file.
    pub fn card(&self) -> CardFile {
        let ran = self.bench.run_on(self.bench.blank(), &[], &mut Journal::in_memory());
        assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
        ran.card
    }

    /// Everything that can be asked for.
    pub fn everything(&self, card: CardFile) -> (VerifyResult, CardFile) {
        let consent = Consent { generate_ac: true, pin: Some(Secret::new(PIN.as_bytes().to_vec())) };
        self.verify(card, consent, &[])
    }

    pub fn verify(&self, card: CardFile, consent: Consent, faults: &[&str]) -> (VerifyResult, CardFile) {
        self.asked(card, faults, |it| it.consent = consent)
    }

    /// With changes to what is asked for.
    pub fn asked<'a>(
        &'a self,
        card: CardFile,
        faults: &[&str],
        change: impl FnOnce(&mut Verification<'a>),
    ) -> (VerifyResult, CardFile) {
        let rules = faults.iter().map(|rule| FaultRule::parse(rule).unwrap()).collect();
        let transport = SimTransport::memory(SimCard::of(card)).with_faults(rules);
        let transport = transport.approach(self.bench.contactless).unwrap();
        let held = transport.card();
        let mut drawn = chance(3);
        // The random numbers live as long as the proof is looked at.
        let drawn: &'a mut Chance = Box::leak(Box::new(std::mem::replace(&mut drawn, Chance::fixed(Vec::new()))));
        let mut verification = Verification {
            profile: Some(&self.bench.profile),
            record: Some((&self.bench.record, &self.bench.plan)),
            store: Some(&self.store as &dyn KeyStore),
            ca_keys: Some(&self.ca_keys),
            aids: Vec::new(),
            consent: Consent::default(),
            clock: Clock::fixed(Instant(1_795_000_000_000_000)),
            chance: drawn,
            program: ProgramRef { version: "test".into(), sha256: None },
            simulated: true,
        };
        change(&mut verification);
        let result = verification.run(Box::new(transport)).unwrap();
        let file = held.lock().unwrap().file().clone();
        (result, file)
    }
}

/// A check of the first application by its name.
pub fn check<'a>(result: &'a VerifyResult, name: &str) -> &'a CheckRef {
    result.checks.iter().find(|it| it.check == name).unwrap_or_else(|| panic!("no check {name}"))
}

/// The checks that have failed as errors, by name.
pub fn failed(result: &VerifyResult) -> Vec<&str> {
    result.checks.iter().filter(|it| it.is_finding()).map(|it| it.check.as_str()).collect()
}
