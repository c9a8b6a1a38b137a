//! Offline data authentication of a real card, from a trace that others have published (`bf_contact_upi_09` in
//! tests/vectors/emv_oda.json): its records, and its answer to INTERNAL AUTHENTICATE. Then everything that can be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::scripted;

use perso::base::codec::tlv::{self, Tag, Tlv};
use perso::base::crypto::{RsaPrivate, RsaPublic, sha256};
use perso::base::emv::certificate::{CertificateError, MonthYear, Subject, sign_cda, sign_pin, transaction_hash};
use perso::base::emv::{Afl, OdaError, Pan};
use perso::base::{Chance, Code, Fault};
use perso::card::CardError;
use perso::card::apdu::StatusWord;
use perso::card::emv::oda::{
    Check, FastAnswer, OfflineError, OfflineReport, Outcome, ReadCard, Step, Terminal, authenticate, authenticate_fast,
    check_combined, tvr_byte_1,
};
use perso::keys::ca_keys::{CaKey, CaKeys};
use perso::keys::test_ca::TestCa;

const RID: [u8; 5] = [0xA0, 0, 0, 0x03, 0x33];
const UNPREDICTABLE: [u8; 4] = [0x78, 0x63, 0xAF, 0xC6];
const AIP: [u8; 2] = [0x7C, 0x00];

fn month(year: u16, month: u8) -> MonthYear {
    MonthYear::new(year, month).unwrap()
}

/// The card of the trace, which a test may change before it is read.
struct TestCard {
    aip: [u8; 2],
    afl: [u8; 12],
    data: Vec<u8>,
    /// What the other records hold, by tag.
    objects: Vec<(u32, Vec<u8>)>,
    sdad: Vec<u8>,
    ca: RsaPublic,
    ca_expiry: Option<MonthYear>,
    month: MonthYear,
}

impl TestCard {
    fn new() -> Self {
        let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/emv_oda.json")).unwrap();
        let vectors: Vec<serde_json::Value> = serde_json::from_slice(&file).unwrap();
        let field = |name: &str, field: &str| {
            let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
            hex::decode(vector["inputs"][field].as_str().unwrap()).unwrap()
        };
        let dda = |name| field("bf_contact_upi_09_dda", name);
        let data = dda("static_data");
        let (record, aip) = data.split_last_chunk::<2>().unwrap();
        assert_eq!(*aip, AIP);
        Self {
            aip: AIP,
            // One signed record, then two that are not.
            afl: [0x08, 1, 1, 1, 0x10, 1, 1, 0, 0x18, 1, 1, 0],
            data: record.to_vec(),
            objects: vec![
                (0x8F, vec![0x09]),
                (0x90, dda("issuer_cert")),
                (0x92, dda("issuer_remainder")),
                (0x9F32, dda("issuer_exponent")),
                (0x93, field("bf_contact_upi_09_sda", "ssad")),
                (0x9F46, dda("icc_cert")),
                (0x9F47, dda("icc_exponent")),
                (0x9F48, dda("icc_remainder")),
                (0x9F49, vec![0x9F, 0x37, 0x04]),
            ],
            sdad: dda("sdad"),
            ca: RsaPublic::new(&dda("ca_modulus"), &dda("ca_exponent")).unwrap(),
            ca_expiry: None,
            month: month(2026, 11),
        }
    }

    fn object(&mut self, tag: u32) -> &mut Vec<u8> {
        &mut self.objects.iter_mut().find(|(other, _)| *other == tag).unwrap().1
    }

    fn drop(&mut self, tag: u32) {
        self.objects.retain(|(other, _)| *other != tag);
    }

    /// As a contactless card that answered at once with these objects.
    fn fast(&self, answer: &[(u32, Vec<u8>)]) -> OfflineReport {
        let objects: Vec<Tlv> =
            answer.iter().map(|(tag, value)| Tlv::primitive(Tag::of(*tag), value.clone())).collect();
        let fast = FastAnswer { objects: &objects, given: Some(UNPREDICTABLE.to_vec()) };
        self.read(|read, terminal| authenticate_fast(read, terminal, &fast))
    }

    fn authenticate(&self, answers: &[String]) -> (Result<OfflineReport, CardError>, Vec<String>) {
        let (mut card, sent) = scripted::card(answers);
        (self.read(|read, terminal| authenticate(read, terminal, Some(&mut card))), sent.all())
    }

    fn read<T>(&self, work: impl FnOnce(&ReadCard<'_>, &Terminal<'_>) -> T) -> T {
        let (one, other) = self.objects.split_at(self.objects.len() / 2);
        let record = |objects: &[(u32, Vec<u8>)]| {
            let inner: Vec<u8> = objects.iter().flat_map(|(tag, value)| tlv::encode(Tag::of(*tag), value)).collect();
            tlv::encode(Tag::of(0x70), &inner)
        };
        let records =
            [((1, 1), tlv::encode(Tag::of(0x70), &self.data)), ((2, 1), record(one)), ((3, 1), record(other))];
        let afl = Afl::parse(&self.afl).unwrap();
        let ca = CaKey::new(RID, 0x09, self.ca.clone(), self.ca_expiry, true).unwrap();
        let keys = CaKeys::new(vec![ca]);
        let read = ReadCard { rid: RID, aip: self.aip, afl: &afl, records: &records };
        let terminal = Terminal { ca_keys: &keys, month: self.month, unpredictable: UNPREDICTABLE };
        work(&read, &terminal)
    }

    fn run(&self) -> OfflineReport {
        self.authenticate(&[format!("{}9000", hex::encode(tlv::encode(Tag::of(0x80), &self.sdad)))]).0.unwrap()
    }

    /// The only failed check.
    fn failure(&self) -> (Step, OfflineError) {
        let report = self.run();
        let mut failed = report.checks.iter().filter_map(|Check { step, outcome }| match outcome {
            Outcome::Failed(why) => Some((*step, why.clone())),
            _ => None,
        });
        let first = failed.next().expect("something is wrong");
        assert_eq!((failed.next(), first.1.code()), (None, Code::CardOda));
        first
    }
}

fn outcome(report: &OfflineReport, step: Step) -> &Outcome {
    &report.checks.iter().find(|check| check.step == step).unwrap().outcome
}

#[test]
fn the_real_card_is_proven_up_to_its_ca_key() {
    let card = TestCard::new();
    let (report, sent) = card.authenticate(&[format!("{}9000", hex::encode(tlv::encode(Tag::of(0x80), &card.sdad)))]);
    let report = report.unwrap();
    assert_eq!(sent, ["00880000047863AFC600"]);
    let steps: Vec<Step> = report.checks.iter().map(|check| check.step).collect();
    assert_eq!(steps, Step::ALL);
    for check in &report.checks {
        match check.step {
            Step::PinCertificate | Step::CombinedSignature => {
                assert!(matches!(check.outcome, Outcome::NotApplicable(_)), "{check:?}");
            }
            _ => assert_eq!(check.outcome, Outcome::Passed, "{check:?}"),
        }
    }
    assert_eq!((report.test_ca, tvr_byte_1(AIP, &report.checks)), (Some(true), 0));
    assert_eq!(report.card_key.unwrap().length(), 176);
    // The other form of the answer.
    let answer = hex::encode(tlv::encode(Tag::of(0x77), &tlv::encode(Tag::of(0x9F4B), &card.sdad)));
    let report = card.authenticate(&[format!("{answer}9000")]).0.unwrap();
    assert_eq!(outcome(&report, Step::DynamicSignature), &Outcome::Passed);
}

/// Of a contactless card whose AFL names records: certificates are opened whether it signs or not.
#[test]
fn certificates_of_a_card_that_answered_at_once_are_opened() {
    let card = TestCard::new();
    let steps = [Step::CaKey, Step::IssuerCertificate, Step::StaticData, Step::SignedStaticData, Step::CardCertificate];
    let report = card.fast(&[]);
    for step in steps {
        assert_eq!(outcome(&report, step), &Outcome::Passed, "{}", step.name());
    }
    assert!(matches!(outcome(&report, Step::FastSignature), Outcome::Skipped(why) if why.contains("9F4B")));
    for (tag, step) in
        [(0x90, Step::IssuerCertificate), (0x93, Step::SignedStaticData), (0x9F46, Step::CardCertificate)]
    {
        let mut card = TestCard::new();
        card.object(tag)[20] ^= 1;
        assert!(matches!(outcome(&card.fast(&[]), step), Outcome::Failed(_)), "{tag:X}");
    }
    // Certificates in the answer instead of a record.
    let mut moved = TestCard::new();
    let certificate = moved.object(0x9F46).clone();
    moved.drop(0x9F46);
    assert_eq!(outcome(&moved.fast(&[(0x9F46, certificate)]), Step::CardCertificate), &Outcome::Passed);
    // A signature over other data, and one that says nothing of what it covers.
    let related = |version| (0x9F69, vec![version, 1, 2, 3, 4, 0, 0]);
    let signed = |others: Vec<(u32, Vec<u8>)>| card.fast(&[vec![(0x9F4B, card.sdad.clone())], others].concat());
    assert!(matches!(outcome(&signed(vec![related(1)]), Step::FastSignature), Outcome::Failed(_)));
    for others in [vec![], vec![related(0)], vec![related(2)]] {
        assert!(matches!(outcome(&signed(others), Step::FastSignature), Outcome::Skipped(_)));
    }
}

#[test]
fn each_thing_that_is_wrong_is_one_failed_check() {
    use CertificateError as C;
    use OfflineError as E;
    let certificate = |step, why| (step, E::Certificate(why));
    type Case = (fn(&mut TestCard), (Step, OfflineError));
    let cases: &[Case] = &[
        (|card| card.drop(0x8F), (Step::CaKey, E::Missing(Tag::of(0x8F)))),
        (|card| *card.object(0x8F) = vec![0x09, 0x09], (Step::CaKey, E::Form(Tag::of(0x8F)))),
        (
            |card| *card.object(0x8F) = vec![0x0A],
            (Step::CaKey, E::UnknownCa { rid: "A000000333".to_owned(), index: 0x0A }),
        ),
        (|card| card.ca_expiry = Some(month(2026, 10)), (Step::CaKey, E::CaExpired(month(2026, 10)))),
        (|card| card.drop(0x90), (Step::IssuerCertificate, E::Missing(Tag::of(0x90)))),
        (|card| card.drop(0x9F32), (Step::IssuerCertificate, E::Missing(Tag::of(0x9F32)))),
        (|card| card.drop(0x92), certificate(Step::IssuerCertificate, C::Remainder { is: 0, wanted: 36 })),
        (|card| card.object(0x92)[0] ^= 1, certificate(Step::IssuerCertificate, C::Hash)),
        (|card| card.object(0x90)[9] ^= 1, certificate(Step::IssuerCertificate, C::Trailer)),
        (|card| card.month = month(2031, 1), certificate(Step::IssuerCertificate, C::Expired(month(2030, 12)))),
        (|card| card.drop(0x93), (Step::SignedStaticData, E::Missing(Tag::of(0x93)))),
        (|card| card.object(0x93)[9] ^= 1, certificate(Step::SignedStaticData, C::Trailer)),
        (|card| card.drop(0x9F47), (Step::CardCertificate, E::Missing(Tag::of(0x9F47)))),
        (|card| card.object(0x9F48)[3] ^= 1, certificate(Step::CardCertificate, C::Hash)),
        (
            |card| card.afl[4..8].copy_from_slice(&[0x10, 1, 2, 2]),
            (Step::StaticData, E::Static(OdaError::Missing { sfi: 2, record: 2 })),
        ),
        (|card| card.sdad[9] ^= 1, certificate(Step::DynamicSignature, C::Trailer)),
        (|card| card.sdad.truncate(175), certificate(Step::DynamicSignature, C::Length { length: 175, modulus: 176 })),
        (|card| *card.object(0x9F49) = vec![0x9F], (Step::DynamicSignature, E::Form(Tag::of(0x9F49)))),
        (|card| *card.object(0x9F49) = vec![0x95, 5], (Step::DynamicSignature, E::NothingUnpredictable)),
        (|card| *card.object(0x9F49) = vec![0x9F, 0x37, 0x08], certificate(Step::DynamicSignature, C::Hash)),
    ];
    for (at, (spoil, expected)) in cases.iter().enumerate() {
        let mut card = TestCard::new();
        spoil(&mut card);
        assert_eq!(&card.failure(), expected, "case {at}");
    }
}

#[test]
fn a_changed_record_fails_both_signatures_over_it() {
    let mut card = TestCard::new();
    // The application usage control.
    let at = card.data.windows(3).position(|window| window == [0x9F, 0x07, 0x02]).unwrap();
    card.data[at + 3] ^= 1;
    let report = card.run();
    let hash = Outcome::Failed(OfflineError::Certificate(CertificateError::Hash));
    assert_eq!(outcome(&report, Step::SignedStaticData), &hash);
    assert_eq!(outcome(&report, Step::CardCertificate), &hash);
    assert!(matches!(outcome(&report, Step::DynamicSignature), Outcome::Skipped(_)));
    assert!(report.card_key.is_none());
    assert_eq!(tvr_byte_1(AIP, &report.checks), 0x08);
    assert_eq!(tvr_byte_1([0x40, 0], &report.checks), 0x42);
    assert_eq!(tvr_byte_1([0x41, 0], &report.checks), 0x04);
    assert_eq!(tvr_byte_1([0x00, 0], &report.checks), 0x80);
}

#[test]
fn another_pan_fails_every_certificate() {
    let mut card = TestCard::new();
    let at = card.data.windows(2).position(|window| window == [0x5A, 0x08]).unwrap();
    card.data[at + 2] = 0x63;
    let report = card.run();
    let wrong = Outcome::Failed(OfflineError::Certificate(CertificateError::IssuerIdentifier));
    assert_eq!(outcome(&report, Step::IssuerCertificate), &wrong);
    assert!(report.issuer_key.is_none());
    for step in [Step::SignedStaticData, Step::CardCertificate, Step::DynamicSignature] {
        assert!(matches!(outcome(&report, step), Outcome::Skipped(_)), "{step:?}");
    }
}

#[test]
fn a_card_without_its_mandatory_objects_sets_its_bit() {
    let mut card = TestCard::new();
    card.drop(0x90);
    assert_eq!(tvr_byte_1(AIP, &card.run().checks), 0x28);
}

#[test]
fn what_the_card_answers_is_judged_and_a_lost_card_is_no_verdict() {
    let card = TestCard::new();
    let asked = |answers: &[&str]| {
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        card.authenticate(&answers).0
    };
    let failed = |answer: &str| match outcome(&asked(&[answer]).unwrap(), Step::DynamicSignature) {
        Outcome::Failed(why) => why.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(failed("6985"), OfflineError::Refused(StatusWord(0x6985)));
    for answer in ["9000", "8102009000", "77039F36009000", "7000009000"] {
        assert_eq!(failed(answer), OfflineError::Form(Tag::of(0x9F4B)), "{answer}");
    }
    assert!(matches!(asked(&[]), Err(CardError::Link(_))));
}

#[test]
fn a_card_that_claims_nothing_is_asked_nothing() {
    let mut card = TestCard::new();
    card.aip = [0x1C, 0x00];
    let (report, sent) = card.authenticate(&[]);
    assert!(sent.is_empty());
    assert!(report.unwrap().checks.iter().all(|check| matches!(check.outcome, Outcome::NotApplicable(_))));
}

#[test]
fn a_card_that_claims_cda_waits_for_generate_ac() {
    let mut card = TestCard::new();
    // With this AIP the signed data are others; the card's certificate fails, and with it what rests on it.
    card.aip = [0x5D, 0x00];
    let report = card.run();
    assert_eq!(outcome(&report, Step::CombinedSignature), &Outcome::Skipped("the card's key is not proven"));
    assert!(matches!(outcome(&report, Step::DynamicSignature), Outcome::NotApplicable(_)));
}

#[test]
fn a_signed_cryptogram_is_held_against_the_transaction() {
    let key = RsaPrivate::generate(1024, 3, &mut chance(4)).unwrap();
    let plain = hex::decode("9F2701409F360200019F100706010A03A00000").unwrap();
    let sent: [&[u8]; 2] = [b"pdol", b"cdol1"];
    let hash = transaction_hash(&sent, &plain).unwrap();
    let signed = sign_cda(key.public(), (&[1; 8], 0x40, [9; 8]), hash, UNPREDICTABLE, |block| key.raw(block)).unwrap();
    let signed = tlv::encode(Tag::of(0x9F4B), &signed);
    let check = |template: u32, inner: &[&[u8]], sent: &[&[u8]]| {
        check_combined(key.public(), sent, UNPREDICTABLE, &tlv::encode(Tag::of(template), &inner.concat()))
    };
    let combined = check(0x77, &[&plain, &signed], &sent).unwrap();
    assert_eq!((combined.cid, combined.cryptogram), (0x40, [9; 8]));
    assert!(check(0x77, &[&plain[..4], &signed, &plain[4..]], &sent).is_ok(), "the order is the card's");
    use CertificateError as C;
    use OfflineError as E;
    assert_eq!(check(0x77, &[&plain, &signed], &sent[..1]), Err(E::Certificate(C::TransactionHash)));
    let mut other = plain.clone();
    other[3] = 0x80;
    assert_eq!(check(0x77, &[&other, &signed], &sent), Err(E::Certificate(C::Cid)));
    let beside = hex::decode("9F26080909090909090908").unwrap();
    assert_eq!(check(0x77, &[&plain, &beside, &signed], &sent), Err(E::Certificate(C::Cryptogram)));
    assert_eq!(check(0x77, &[&plain], &sent), Err(E::Missing(Tag::of(0x9F4B))));
    assert_eq!(check(0x77, &[&plain[4..], &signed], &sent), Err(E::Missing(Tag::of(0x9F27))));
    assert_eq!(check(0x70, &[&plain, &signed], &sent), Err(E::Form(Tag::of(0x70))));
    let more = [tlv::encode(Tag::of(0x77), &[plain.as_slice(), &signed].concat()), vec![0x9F]].concat();
    assert_eq!(check_combined(key.public(), &sent, UNPREDICTABLE, &more), Err(E::Form(Tag::of(0x77))));
    assert_eq!(check_combined(key.public(), &sent, UNPREDICTABLE, &[0x77, 5, 1]), Err(E::Form(Tag::of(0x77))));
}

/// A chance that is always the same for a seed.
fn chance(seed: u8) -> Chance {
    let mut count = 0u32;
    Chance::new(move |buffer| {
        for piece in buffer.chunks_mut(32) {
            count += 1;
            piece.copy_from_slice(&sha256(&[&[seed], count.to_be_bytes().as_slice()].concat())[..piece.len()]);
        }
        Ok(())
    })
}

#[test]
fn a_key_for_pins_alone_is_proven_without_static_data() {
    let subject = Subject { expiry: month(2030, 12), serial: [0, 0, 1] };
    let made = |bits, seed| RsaPrivate::generate(bits, 3, &mut chance(seed)).unwrap();
    let (ca, issuer, pin) =
        (TestCa::generate(RID, 9, month(2031, 12), 1152, &mut chance(1)).unwrap(), made(1024, 2), made(1024, 3));
    let pan = Pan::parse("6210948000000011").unwrap();
    let of_issuer = ca.certify([0x62, 0x10, 0x94, 0xFF], subject, issuer.public()).unwrap();
    let of_pin = sign_pin(issuer.public(), &pan, subject, pin.public(), |block| issuer.raw(block)).unwrap();
    let mut card = TestCard::new();
    card.ca = ca.ca_keys().find(RID, 9).unwrap().key().clone();
    *card.object(0x90) = of_issuer.certificate;
    *card.object(0x92) = of_issuer.remainder;
    card.objects.extend([(0x9F2D, of_pin.certificate), (0x9F2E, vec![3]), (0x9F2F, of_pin.remainder)]);
    let report = card.run();
    assert_eq!(outcome(&report, Step::PinCertificate), &Outcome::Passed);
    assert_eq!(report.pin_key.as_ref(), Some(pin.public()));
    // What another issuer has signed does not open.
    assert!(matches!(outcome(&report, Step::SignedStaticData), Outcome::Failed(_)));
    card.object(0x9F2F)[0] ^= 1;
    let report = card.run();
    let hash = Outcome::Failed(OfflineError::Certificate(CertificateError::Hash));
    assert_eq!((outcome(&report, Step::PinCertificate), report.pin_key.is_none()), (&hash, true));
    card.drop(0x9F2E);
    let missing = Outcome::Failed(OfflineError::Missing(Tag::of(0x9F2E)));
    assert_eq!(outcome(&card.run(), Step::PinCertificate), &missing);
}
