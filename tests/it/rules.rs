//! The consistency rules: each is shown data that keeps it, data that breaks it, and a stage that cannot see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use perso::base::codec::tlv::{self, Tag, Tlv};
use perso::base::emv::rules::{
    self, Certificates, Certified, DirectoryEntry, Locator, Place, RULES, Severity, Stage, Subject, Tracks, Verdict,
};
use perso::base::emv::track::Fields;
use perso::base::emv::{Family, Format, TagInfo, tag_info};
use proptest::prelude::*;

/// Tags and values.
type Objects = Vec<(u32, &'static str)>;

/// Data of a card as it should be, to be changed by a sample.
struct Data {
    aid: &'static str,
    df_name: &'static str,
    fci: Objects,
    aip: [u8; 2],
    afl: &'static str,
    records: Vec<(u8, u8, Objects)>,
    /// Objects of the answer to GET PROCESSING OPTIONS; none: the stage cannot see it.
    answer: Option<Objects>,
    internal: Objects,
    twins: Vec<Vec<u8>>,
    kernel: Option<u8>,
    directory_kernel: Option<&'static str>,
    issuer_data: Option<&'static str>,
    groupings: BTreeSet<u16>,
    pin_tries: &'static str,
    track1: &'static str,
    track2: &'static str,
    certificates: Certificates,
    contactless: bool,
    directory: Vec<&'static str>,
    /// The priorities of the directory's entries.
    priorities: Vec<u8>,
    cryptogram: Option<Family>,
    key_sequence_number: u8,
    check_values_match: bool,
    chip_cvv_matches: bool,
    stripe_values: BTreeSet<u32>,
    today: (u16, u8, u8),
    raw: Option<(u8, u8, &'static str)>,
}

const AID: &str = "A0000009990101";

fn good() -> Data {
    Data {
        aid: AID,
        df_name: AID,
        fci: vec![
            (0x50, "4445424954"),
            (0x87, "01"),
            (0x9F38, "9F1A029F3303"),
            (0x9F11, "01"),
            (0x9F12, "444542"),
            (0x9F4D, "0B0A"),
        ],
        aip: [0x79, 0x00],
        afl: "0801010010010301",
        records: vec![
            (1, 1, vec![(0x57, "4761739001010119D301220110000000651F"), (0x5F20, "544553542F43415244")]),
            (
                2,
                1,
                vec![
                    (0x5A, "4761739001010119"),
                    (0x5F24, "301231"),
                    (0x5F25, "260101"),
                    (0x5F28, "0250"),
                    (0x5F30, "0201"),
                    (0x5F34, "01"),
                    (0x8C, "9F02069F03069F1A0295055F2A029A039C019F37049F2103"),
                    (0x8D, "8A02910A9F3704"),
                    (0x8E, "000000000000000041034203020244031F00"),
                    (0x9F07, "FFC0"),
                    (0x9F08, "0096"),
                    (0x9F42, "0978"),
                    (0x9F49, "9F3704"),
                    (0x9F4A, "82"),
                ],
            ),
            (2, 2, vec![(0x8F, "F1"), (0x90, "00"), (0x9F32, "03"), (0x93, "00")]),
            (2, 3, vec![(0x9F46, "00"), (0x9F47, "03")]),
        ],
        answer: Some(Vec::new()),
        internal: vec![(0x9F4F, "9A039F3602"), (0x9F36, "0000")],
        twins: Vec::new(),
        kernel: None,
        directory_kernel: None,
        pin_tries: "0303",
        groupings: [0x8000, 0x9000, 0x8010, 0x9010, 0x8201, 0x8202, 0x8203, 0x8204, 0x8205].into(),
        track1: "%B4761739001010119^TEST/CARD^3012201100000000636?",
        track2: ";4761739001010119=301220110000000636?",
        certificates: Certificates {
            ca: 144,
            issuer: Some(Certified { modulus: 128, expiry: (2031, 12) }),
            icc: vec![Certified { modulus: 128, expiry: (2030, 12) }],
            faults: Vec::new(),
        },
        contactless: false,
        directory: vec![AID],
        priorities: vec![1],
        issuer_data: Some("06010A03A00000"),
        cryptogram: None,
        key_sequence_number: 1,
        check_values_match: true,
        chip_cvv_matches: true,
        stripe_values: BTreeSet::new(),
        today: (2026, 11, 24),
        raw: None,
    }
}

/// The same over the contactless interface, in the manner of Mastercard.
fn kernel_2() -> Data {
    let mut data = Data { contactless: true, kernel: Some(2), aip: [0x39, 0x80], ..good() };
    data.remove(0x93);
    data
}

/// In the manner of Visa: everything in one answer, and the signature of fDDA.
fn kernel_3() -> Data {
    let mut data =
        Data { contactless: true, kernel: Some(3), aip: [0x30, 0x00], issuer_data: Some("06011203A00000"), ..good() };
    data.set_fci(0x9F38, Some("9F66049F02069F03069F1A0295055F2A029A039C019F3704"));
    data.remove(0x57);
    data.remove(0x93);
    data.answer = Some(vec![(0x57, "4761739001010119D301220110000000651F"), (0x9F6C, "A800")]);
    data.records[3].2.push((0x9F69, "01000000000000"));
    data
}

impl Data {
    fn set(&mut self, tag: u32, value: &'static str) {
        self.remove(tag);
        self.records[1].2.push((tag, value));
    }

    fn remove(&mut self, tag: u32) {
        self.records.iter_mut().for_each(|(_, _, objects)| objects.retain(|(held, _)| *held != tag));
    }

    fn set_fci(&mut self, tag: u32, value: Option<&'static str>) {
        self.fci.retain(|(held, _)| *held != tag);
        self.fci.extend(value.map(|value| (tag, value)));
    }

    fn bytes(&self) -> BTreeMap<(u8, u8), Vec<u8>> {
        let mut records: BTreeMap<(u8, u8), Vec<u8>> =
            self.records.iter().map(|(sfi, number, objects)| ((*sfi, *number), template(0x70, objects))).collect();
        if let Some((sfi, number, text)) = self.raw {
            records.insert((sfi, number), hex::decode(text).unwrap());
        }
        records
    }

    fn subject<'a>(&self, records: &'a BTreeMap<(u8, u8), Vec<u8>>) -> Subject<'a> {
        Subject {
            name: "sample".into(),
            contactless: self.contactless,
            aid: hex::decode(self.aid).unwrap(),
            df_name: Some(hex::decode(self.df_name).unwrap()),
            fci: Some(template(0xA5, &self.fci)),
            locator: Some(Some(Locator { aip: self.aip, afl: hex::decode(self.afl).unwrap() })),
            records: records.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect(),
            all_records: true,
            declared: BTreeSet::new(),
            answered_records: BTreeSet::new(),
            counter_shared_with: Vec::new(),
            other_counters: Vec::new(),
            answer: self.answer.as_ref().map(|objects| objects.iter().map(object).collect()),
            issuer_data: self.issuer_data.map(|data| hex::decode(data).unwrap()),
            twins: Some(self.twins.clone()),
            kernel: self.kernel,
            directory_kernel: self.directory_kernel.map(|kernel| hex::decode(kernel).unwrap()),
            cryptogram: self.cryptogram,
            internal: Some(self.internal.iter().map(object).collect()),
            pin_tries: Some(hex::decode(self.pin_tries).unwrap()),
            groupings: Some(self.groupings.clone()),
            check_values_match: Some(self.check_values_match),
            key_sequence_number: Some(self.key_sequence_number),
            tracks: Some(Tracks { one: Fields::track1(self.track1).ok(), two: Fields::track2(self.track2).ok() }),
            chip_cvv_matches: Some(self.chip_cvv_matches),
            stripe_values: Some(self.stripe_values.clone()),
            certificates: Some(self.certificates.clone()),
            directory: Some(self.directory.iter().map(|aid| hex::decode(aid).unwrap()).collect()),
            directory_entries: Some(
                self.directory
                    .iter()
                    .zip(&self.priorities)
                    .map(|(aid, priority)| DirectoryEntry { aid: hex::decode(aid).unwrap(), priority: Some(*priority) })
                    .collect(),
            ),
            on_card: Some(vec![hex::decode(AID).unwrap()]),
            today: Some(self.today),
            prefixes: vec!["4761".into()],
            versions: Vec::new(),
        }
    }

    fn outcomes(&self) -> Vec<rules::Outcome> {
        rules::all(Stage::Prepare, &self.subject(&self.bytes()))
    }
}

fn object((tag, value): &(u32, &'static str)) -> Tlv {
    Tlv::primitive(Tag::of(*tag), hex::decode(value).unwrap())
}

fn template(tag: u32, objects: &[(u32, &'static str)]) -> Vec<u8> {
    tlv::encode(Tag::of(tag), &tlv::encode_all(&objects.iter().map(object).collect::<Vec<_>>()))
}

const E: Severity = Severity::Error;
const W: Severity = Severity::Warning;

type Sample = (u8, &'static str, Severity, fn(&mut Data));

/// Rule, what is wrong with the sample, how much it matters, and how it is made wrong.
const BROKEN: &[Sample] = &[
    (1, "another PAN in 57", E, |it| it.records[0].2[0].1 = "4111111111111111D301220110000000651F"),
    (2, "another expiry in 57", E, |it| it.records[0].2[0].1 = "4761739001010119D311220110000000651F"),
    (2, "another service code in 57", E, |it| it.records[0].2[0].1 = "4761739001010119D301222110000000651F"),
    (2, "5F30 is no service code", E, |it| it.set(0x5F30, "1201")),
    (3, "two separators", E, |it| it.records[0].2[0].1 = "4761739001010119D3012201D0000000651F"),
    (3, "20 bytes", E, |it| it.records[0].2[0].1 = "4761739001010119D30122011000000065100000"),
    (3, "no separator", E, |it| it.records[0].2[0].1 = "47617390010101193012201100000006"),
    (3, "9F6B is not track 2 data", W, |it| it.set(0x9F6B, "001122334455")),
    (3, "56 is not track 1 data", W, |it| it.set(0x56, "414243")),
    (4, "wrong check digit", E, |it| it.set(0x5A, "4761739001010118")),
    (4, "another product's PAN", E, |it| it.set(0x5A, "5413330089010434")),
    (4, "eleven digits", E, |it| it.set(0x5A, "47617390010F")),
    (5, "the 31st of June", E, |it| it.set(0x5F24, "300631")),
    (5, "not the last day", W, |it| it.set(0x5F24, "301230")),
    (5, "expired", E, |it| it.today = (2031, 1, 1)),
    (5, "effective after expiry", E, |it| it.set(0x5F25, "310101")),
    (5, "effective at no date", E, |it| it.set(0x5F25, "261301")),
    (6, "another name", W, |it| it.records[0].2[1].1 = "544553542F43415245"),
    (7, "a record that is not there", E, |it| drop(it.records.remove(3))),
    (7, "a record for nothing", W, |it| it.records.push((3, 1, vec![(0x9F0D, "0000000000")]))),
    (7, "an impossible AFL", E, |it| it.afl = "08020100"),
    (8, "a tag twice", E, |it| it.records[3].2.push((0x5A, "4761739001010119"))),
    (8, "an object in answer and record", E, |it| it.answer.as_mut().unwrap().push((0x5F34, "01"))),
    (8, "AIP in answer and record", E, |it| it.set(0x82, "7900")),
    (8, "an object twice in the FCI", E, |it| it.fci.push((0x50, "4445424954"))),
    (8, "an internal object twice", E, |it| it.internal.push((0x9F4F, "9A039F3602"))),
    (8, "an object twice in a record that no AFL names", E, |it| {
        it.records.push((3, 1, vec![(0x9F0D, "0000000000"), (0x9F0D, "0000000000")]))
    }),
    (8, "an application cryptogram in a record", E, |it| it.set(0x9F26, "0011223344556677")),
    (8, "cryptogram information data in a record", E, |it| it.set(0x9F27, "80")),
    (8, "a transaction counter in a record", E, |it| it.set(0x9F36, "0001")),
    (8, "issuer application data in a record", E, |it| it.set(0x9F10, "06011203A00000")),
    (8, "no template", E, |it| it.raw = Some((2, 3, "9F470103"))),
    (8, "broken BER-TLV", E, |it| it.raw = Some((2, 3, "700A9F470103"))),
    (9, "no PAN", E, |it| it.remove(0x5A)),
    (9, "no CDOL2", E, |it| it.remove(0x8D)),
    (9, "no way to make a contactless cryptogram", W, |it| {
        without(it, kernel_2(), 0x8C);
        it.kernel = None;
    }),
    (10, "SDA without signed data", E, |it| it.remove(0x93)),
    (10, "DDA without certificate", E, |it| it.remove(0x9F46)),
    (10, "a signed record with what the card writes itself", E, |it| {
        without(it, kernel_3(), 0x9F69);
        it.set(0x9F69, "01000000000000");
    }),
    (10, "DDA without private key", E, |it| it.groupings.retain(|dgi| *dgi != 0x8203)),
    (10, "a signature that nothing promises", W, |it| it.aip = [0x18, 0x00]),
    (11, "a certificate that does not open", E, |it| {
        it.certificates.faults.push("the issuer certificate does not open".into())
    }),
    (11, "issuer larger than CA", E, |it| it.certificates.ca = 112),
    (11, "card larger than issuer", E, |it| it.certificates.icc[0].modulus = 144),
    (11, "CA too large", E, |it| it.certificates.ca = 256),
    (11, "certificate ends first", W, |it| it.certificates.icc[0].expiry = (2030, 11)),
    (12, "9F4A names more", E, |it| it.set(0x9F4A, "8295")),
    (13, "no CVM list", E, |it| it.remove(0x8E)),
    (13, "no PIN", E, |it| it.groupings.retain(|dgi| *dgi != 0x8010)),
    (13, "no PIN try limit", E, |it| it.groupings.retain(|dgi| *dgi != 0x9010)),
    (13, "no certificate for the enciphered PIN", E, |it| it.remove(0x9F46)),
    (14, "odd length", E, |it| it.set(0x8E, "0000000000000000410342")),
    (14, "a method that is reserved", E, |it| it.set(0x8E, "000000000000000006031F00")),
    (14, "a method that is not for use", E, |it| it.set(0x8E, "00000000000000003F031F00")),
    (14, "a condition that is reserved", E, |it| it.set(0x8E, "0000000000000000410A1F00")),
    (14, "amounts without currency", E, |it| {
        it.set(0x8E, "000000000000000041060203");
        it.remove(0x9F42);
    }),
    (15, "CDOL1 is no list", E, |it| it.set(0x8C, "9F02")),
    (15, "CDOL2 without 8A", E, |it| it.set(0x8D, "9F3704")),
    (15, "CDOL1 without 9F37, under CDA", E, |it| it.set(0x8C, "9F02069F03069F1A0295055F2A029A039C01")),
    (15, "CDOL1 without 9F37, which the cryptogram covers", E, |it| {
        it.aip = [0x78, 0x00];
        it.set(0x8C, "9F02069F03069F1A0295055F2A029A039C01");
    }),
    (15, "CDOL1 without 9F37, which nothing covers", W, |it| {
        it.aip = [0x78, 0x00];
        it.cryptogram = Some(Family::Plain);
        it.set(0x8C, "9F0206");
    }),
    (15, "the TDOL is no list", E, |it| it.set(0x97, "9F02")),
    (15, "the DDOL asks for too much", E, |it| it.set(0x9F49, "9F37049F4EFF")),
    (15, "CDOL1 asks for too much", E, |it| it.set(0x8C, "9F37FF")),
    (15, "DDOL without 9F37", E, |it| it.set(0x9F49, "9F0206")),
    (15, "CDA without CDOL1", E, |it| it.remove(0x8C)),
    (16, "no country", W, |it| it.remove(0x5F28)),
    (17, "no code table", E, |it| it.set_fci(0x9F11, None)),
    (17, "no such code table", E, |it| it.set_fci(0x9F11, Some("11"))),
    (18, "the PDOL asks for the PAN", W, |it| it.set_fci(0x9F38, Some("5A08"))),
    (18, "the PDOL asks for too much", E, |it| it.set_fci(0x9F38, Some("9F1AFF"))),
    (18, "the PDOL asks for the card's discretionary data", W, |it| it.set_fci(0x9F38, Some("9F1F14"))),
    (18, "the PDOL asks for the card's dynamic number", W, |it| it.set_fci(0x9F38, Some("9F4C08"))),
    (18, "the PDOL is no list", E, |it| it.set_fci(0x9F38, Some("9F1A"))),
    (19, "no log format", E, |it| it.internal.clear()),
    (19, "a log format without a log", W, |it| it.set_fci(0x9F4D, None)),
    (19, "the log in a file for records", E, |it| it.set_fci(0x9F4D, Some("0A0A"))),
    (19, "a log entry in a record", W, |it| it.set(0x9F4D, "0B0A")),
    (20, "another DF name", E, |it| it.df_name = "A0000009990102"),
    (20, "the directory forgets the application", E, |it| it.directory.clear()),
    (20, "the directory names what is not there", E, |it| it.directory.push("A0000009990103")),
    (21, "the stripe's value on the chip", W, |it| it.track2 = ";4761739001010119=301220110000000651?"),
    (21, "the stripe's data in 9F1F", W, |it| it.set(0x9F1F, "313030303030303030363336")),
    (21, "the stripe's data in 56", W, |it| {
        it.set(0x56, "42343736313733393030313031303131395E202F5E33303132323031313030303030303030363336");
    }),
    (21, "the stripe's data in 9F6B", W, |it| it.set(0x9F6B, "4761739001010119D301220110000000636F")),
    (21, "the stripe's value in 57", E, |it| it.stripe_values = BTreeSet::from([0x57])),
    (21, "the stripe's value in 9F1F", E, |it| stripe_value(it, 0x9F1F, "313233")),
    (21, "the stripe's value in 56", E, |it| stripe_value(it, 0x56, "313233")),
    (21, "the stripe's value in 9F6B", E, |it| stripe_value(it, 0x9F6B, "4761739001010119D3012201111F")),
    (21, "not what the key gives", W, |it| it.chip_cvv_matches = false),
    (22, "another sequence number", E, |it| it.key_sequence_number = 2),
    (22, "other check values", E, |it| it.check_values_match = false),
    (23, "a record of 255 bytes", E, |it| it.raw = Some((2, 3, LONG))),
    (23, "an answer with cryptogram and signature of more than 256 bytes", E, |it| {
        *it = kernel_3();
        it.certificates.ca = 248;
        it.certificates.issuer = Some(Certified { modulus: 248, expiry: (2031, 12) });
        it.certificates.icc[0].modulus = 248;
    }),
    (23, "an answer with a long object and the longest issuer data", E, |it| {
        *it = kernel_3();
        it.issuer_data = None;
        it.answer.as_mut().unwrap().push((0x9F7C, "0000000000000000000000000000000000000000000000000000000000000000"));
    }),
    (24, "a service code without chip", W, |it| it.set(0x5F30, "0101")),
    (25, "an unknown version", W, |it| it.set(0x9F08, "7777")),
    (26, "service code 000", W, |it| it.set(0x5F30, "0000")),
    (27, "another application with the same keys", W, |it| it.twins.push(vec![0xA0, 0, 0, 0x09, 0x99, 1, 2])),
    (28, "no EMV mode", E, |it| *it = Data { aip: [0x39, 0x00], ..kernel_2() }),
    (28, "no PAN for kernel 2", E, |it| without(it, kernel_2(), 0x5A)),
    (28, "no expiry for kernel 2", E, |it| without(it, kernel_2(), 0x5F24)),
    (28, "no CDOL1 for kernel 2", E, |it| without(it, kernel_2(), 0x8C)),
    (29, "no PDOL", E, |it| {
        *it = kernel_3();
        it.set_fci(0x9F38, None);
    }),
    (29, "a PDOL without 9F66", E, |it| {
        *it = kernel_3();
        it.set_fci(0x9F38, Some("9F02065F2A029F3704"));
    }),
    (29, "9F66 of 2 bytes", E, |it| {
        *it = kernel_3();
        it.set_fci(0x9F38, Some("9F66029F02065F2A029F3704"));
    }),
    (29, "a PDOL without the amount that fDDA covers", E, |it| {
        *it = kernel_3();
        it.set_fci(0x9F38, Some("9F66045F2A029F3704"));
    }),
    (29, "no issuer application data", E, |it| *it = Data { issuer_data: Some(""), ..kernel_3() }),
    (29, "no track 2 for kernel 3", E, |it| *it = Data { answer: Some(Vec::new()), ..kernel_3() }),
    (29, "no 9F69", E, |it| without(it, kernel_3(), 0x9F69)),
    (29, "9F69 of version 00", E, |it| {
        *it = kernel_3();
        it.remove(0x9F69);
        it.set(0x9F69, "00000000000000");
    }),
    (29, "9F69 of 4 bytes", E, |it| {
        *it = kernel_3();
        it.remove(0x9F69);
        it.set(0x9F69, "01000000");
    }),
    (29, "9F69 in the answer", E, |it| {
        without(it, kernel_3(), 0x9F69);
        it.answer.as_mut().unwrap().push((0x9F69, "01000000000000"));
    }),
    (29, "no certificate for fDDA", E, |it| without(it, kernel_3(), 0x9F46)),
    (26, "a PIN that no method asks for", W, |it| {
        it.set(0x5F30, "0220");
        it.set(0x8E, "00000000000000001E031F00");
    }),
    (36, "two ways for the issuer's answer", W, |it| it.aip = [0x7D, 0x00]),
    (36, "no way for the issuer's answer", W, |it| it.set(0x8D, "8A029F3704")),
    (36, "CDOL2 cuts the answer of method 1", E, |it| it.set(0x8D, "8A0291099F3704")),
    (36, "CDOL2 cuts the answer of Mastercard's version 14", E, |it| {
        it.issuer_data = Some("0114A00003220000000000000000000000FF");
        it.set(0x8D, "8A0291089F3704");
    }),
    (36, "CDOL2 cuts the answer of EMV's common cryptogram", E, |it| {
        it.cryptogram = Some(Family::Plain);
        it.set(0x8D, "8A0291089F3704");
    }),
    (36, "CDOL2 cuts the answer of method 2", E, |it| {
        it.issuer_data = Some("06011203A00000");
        it.set(0x8D, "8A0291079F3704");
    }),
    (36, "CDOL2 cuts the second occurrence of the answer", E, |it| it.set(0x8D, "8A02910A91049F3704")),
    (36, "a contactless CDOL2 cuts the answer", E, |it| {
        *it = kernel_2();
        it.set(0x8D, "8A0291089F3704");
    }),
    (37, "a failed SDA does not go online", W, |it| it.set(0x9F0F, "BFFFFFFFFF")),
    (37, "a failed DDA is approved offline", W, |it| it.set(0x9F0D, "F7FFFFFFFF")),
    (37, "a failed CDA is approved", W, |it| {
        it.set(0x9F0D, "FBFFFFFFFF");
        it.set(0x9F0F, "FBFFFFFFFF");
    }),
    (37, "no ODA, and Denial holds it", E, |it| {
        it.aip = [0x18, 0x00];
        it.set(0x9F0E, "8000000000");
    }),
    (37, "SDA alone, and Denial holds it", E, |it| {
        it.aip = [0x58, 0x00];
        it.set(0x9F0E, "0200000000");
    }),
    (37, "no service is allowed, and Denial holds it", E, |it| {
        it.set(0x9F07, "FC00");
        it.set(0x9F0E, "0010000000");
    }),
    (37, "a new card, and Denial holds it", E, |it| {
        it.set(0x9F14, "02");
        it.set(0x9F23, "05");
        it.internal.push((0x9F13, "0000"));
        it.set(0x9F0E, "0008000000");
    }),
    (37, "the CVM list can only fail, and Denial holds it", E, |it| {
        it.set(0x8E, "00000000000000000003");
        it.set(0x9F0E, "0000800000");
    }),
    (37, "the CVM list ends in failure, and Denial holds it", W, |it| {
        it.set(0x8E, "00000000000000004103420344030000");
        it.set(0x9F0E, "0000800000");
    }),
    (37, "the CVM list ends in failure, and Denial holds why", W, |it| {
        it.set(0x8E, "00000000000000004103420344030000");
        it.set(0x9F0E, "0000100000");
    }),
    (38, "CDOL1 forgets the date", E, |it| it.set(0x8C, "9F02069F03069F1A0295055F2A029C019F3704")),
    (38, "CDOL1 cuts the amount", E, |it| it.set(0x8C, "9F02049F03069F1A0295055F2A029A039C019F3704")),
    (38, "CDOL2 cuts the TVR", E, |it| it.set(0x8D, "8A02910A95039F3704")),
    (38, "the PDOL lengthens the number", E, |it| it.set_fci(0x9F38, Some("9F3708"))),
    (38, "the DDOL cuts the number", E, |it| it.set(0x9F49, "9F3702")),
    (38, "the TDOL cuts the amount", E, |it| it.set(0x97, "9F0205")),
    (38, "CDOL1 forgets what Mastercard's version covers", E, |it| {
        it.issuer_data = Some("0114A00003220000000000000000000000FF");
        it.set(0x8C, "9F02069F03069F1A025F2A029A039C019F3704");
    }),
    (38, "the PDOL of a card without CDOL1 forgets the amount", E, |it| {
        it.contactless = true;
        it.issuer_data = Some("06011103A00000");
        it.aip = [0x58, 0x00];
        it.remove(0x8C);
        it.set_fci(0x9F38, Some("9F66049F3704"));
    }),
    (39, "a version in another's form", E, |it| it.issuer_data = Some("06012203A00000")),
    (39, "Visa's version 22 in 8 bytes", E, |it| it.issuer_data = Some("1F220103A0000000")),
    (39, "no form of Mastercard's", E, |it| it.cryptogram = Some(Family::Mchip)),
    (39, "a version that is not known", W, |it| it.issuer_data = Some("06011603A00000")),
    (39, "no form that is known", W, |it| it.issuer_data = Some("1501850440B100000000")),
    (39, "too short for its version", W, |it| it.issuer_data = Some("06011303")),
    (39, "Visa's version 11 or Mastercard's", W, |it| it.issuer_data = Some("0611110300220000000000000000000000FF")),
    (40, "CDOL1 asks for what nobody knows", W, |it| it.set(0x8C, "9F02069F03069F1A0295055F2A029A039C019F3704DF2004")),
    (40, "CDOL2 asks for a code of three bytes", W, |it| it.set(0x8D, "8A03910A9F3704")),
    (40, "the PDOL asks for capabilities of four bytes", W, |it| it.set_fci(0x9F38, Some("9F1A029F3304"))),
    (41, "a country of three bytes", E, |it| it.set(0x5F28, "250000")),
    (41, "an action code of four bytes", E, |it| it.set(0x9F0D, "FFFFFFFF")),
    (41, "a currency that is no number", E, |it| it.set(0x9F42, "0ABC")),
    (41, "a language of three letters", E, |it| it.set_fci(0x5F2D, Some("454E47"))),
    (41, "an internal counter of one byte", E, |it| it.internal.push((0x9F13, "00"))),
    (41, "a label of an umlaut", E, |it| it.set_fci(0x50, Some("4445424954DC"))),
    (41, "an object of the answer", E, |it| it.answer.as_mut().unwrap().push((0x9F6C, "280000"))),
    (42, "88 names no file", E, |it| pse(it, Some("02"))),
    (42, "88 is no file of records", E, |it| pse(it, Some("0B"))),
    (42, "there is no 88", E, |it| pse(it, None)),
    (43, "the beginning of the AID", W, |it| it.directory = vec!["A000000999"]),
    (43, "two of the same priority", W, |it| {
        it.directory.push("A0000009990102");
        it.priorities.push(0x81);
    }),
    (43, "another priority in the FCI", W, |it| it.set_fci(0x87, Some("02"))),
    (44, "effective tomorrow", W, |it| it.set(0x5F25, "261125")),
    (44, "a CVM list without the AIP's bit", W, |it| it.aip = [0x69, 0x00]),
    (44, "a scheme's method", W, |it| it.set(0x8E, "000000000000000041034203220344031F00")),
    (44, "an issuer's condition", W, |it| it.set(0x8E, "000000000000000041034203448044031F00")),
    (44, "a rule behind No CVM", W, |it| it.set(0x8E, "000000000000000041035F00420344031F00")),
    (44, "a rule behind one that decides", W, |it| it.set(0x8E, "00000000000000004103010042031F00")),
    (44, "X is zero", W, |it| it.set(0x8E, "000000000000000041064203020244031F00")),
    (44, "Y is zero", W, |it| it.set(0x8E, "000000010000000041094203020244031F00")),
    (44, "no kind of terminal", W, |it| it.set(0x9F07, "FCC0")),
    (44, "no service", W, |it| it.set(0x9F07, "0300")),
    (44, "reserved bits in the contact AIP", W, |it| it.aip = [0x79, 0x40]),
    (44, "every bit of the AIP", W, |it| it.aip = [0xFF, 0xFF]),
    (44, "the AIP claims XDA", W, |it| it.aip = [0xF9, 0x00]),
    (44, "the AIP claims the relay resistance protocol", W, |it| *it = Data { aip: [0x39, 0x81], ..kernel_2() }),
    (44, "on-device verification over contacts", W, |it| it.aip = [0x7B, 0x00]),
    (44, "reserved bits in the contactless AIP", W, |it| *it = Data { aip: [0x39, 0xC0], ..kernel_2() }),
    (44, "card transaction qualifiers without verification", W, |it| qualifiers(it, "2800")),
    (44, "every card transaction qualifier", W, |it| qualifiers(it, "FFFF")),
    (44, "a reserved card transaction qualifier", W, |it| qualifiers(it, "A801")),
    (45, "the counter at its end", E, |it| count(it, "FFFF")),
    (45, "the counter shortly before its end", E, |it| count(it, "FFF0")),
    (45, "a counter near its end", W, |it| count(it, "FFEF")),
    (45, "few transactions left", W, |it| count(it, "F000")),
    (46, "no tries", E, |it| it.pin_tries = "0000"),
    (46, "more than fifteen tries", E, |it| it.pin_tries = "1010"),
    (46, "a counter above its limit", E, |it| it.pin_tries = "0403"),
    (46, "a counter below its limit", W, |it| it.pin_tries = "0203"),
    (46, "a counter without limit", W, |it| it.pin_tries = "03"),
    (46, "nothing", E, |it| it.pin_tries = ""),
    (46, "three bytes", E, |it| it.pin_tries = "030303"),
    (45, "the last online counter beyond the counter", W, |it| it.internal.push((0x9F13, "0001"))),
];

/// The card transaction qualifiers of an answer.
fn qualifiers(data: &mut Data, value: &'static str) {
    *data = kernel_3();
    data.answer.as_mut().unwrap()[1] = (0x9F6C, value);
}

fn count(data: &mut Data, counter: &'static str) {
    data.internal.retain(|(tag, _)| *tag != 0x9F36);
    data.internal.push((0x9F36, counter));
}

fn without(data: &mut Data, of: Data, tag: u32) {
    *data = of;
    data.remove(tag);
}

/// A field that the key shows to hold the stripe's value.
fn stripe_value(it: &mut Data, tag: u32, value: &'static str) {
    it.set(tag, value);
    it.stripe_values = BTreeSet::from([tag]);
}

/// The directory for contact terminals, with a record in file 1.
fn pse(it: &mut Data, file: Option<&'static str>) {
    (it.aid, it.df_name) = (PSE, PSE);
    it.records.truncate(1);
    it.set_fci(0x88, file);
}

const PSE: &str = "315041592E5359532E4444463031";

/// A record of 255 bytes: 70 81 FC, one object of 249 bytes.
const LONG: &str = concat!(
    "7081FC9F4681F8",
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "000000"
);

#[test]
fn good_data_breaks_no_rule() {
    let of_kernel = |rule| matches!(rule, 28 | 29);
    for outcome in good().outcomes() {
        assert!(holds(&outcome), "{outcome}");
    }
    for (kernel, data) in [(28, kernel_2()), (29, kernel_3())] {
        for outcome in data.outcomes() {
            let own = outcome.rule == kernel;
            assert_eq!(
                matches!(outcome.verdict, Verdict::Passed),
                own || !of_kernel(outcome.rule) && !matches!(outcome.rule, 36 | 37 | 42),
                "{outcome}"
            );
            assert!(outcome.failures().is_empty(), "{outcome}");
        }
    }
}

/// The profile says which kernel processes the application; else 9F2A of its entry in the PPSE, else the RID.
#[test]
fn the_kernel_is_the_profiles_then_the_directorys_then_the_rids() {
    const VISA: &str = "A0000000031010";
    const MASTERCARD: &str = "A0000000041010";
    const DOMESTIC: &str = "A0000003591010";
    type Case = (Option<u8>, Option<&'static str>, &'static str, Option<u8>);
    let cases: &[Case] = &[
        (Some(3), Some("02"), MASTERCARD, Some(3)),
        (None, Some("03"), MASTERCARD, Some(3)),
        (None, Some("0300"), AID, Some(3)),
        (None, Some("02"), VISA, Some(2)),
        // Kernel type 00 with number 0: the RID's.
        (None, Some("00"), VISA, Some(3)),
        (None, None, VISA, Some(3)),
        (None, None, MASTERCARD, Some(2)),
        (None, None, AID, None),
        (None, None, DOMESTIC, None),
        // A domestic kernel has a number of its own.
        (None, Some("C3000000"), VISA, None),
        (Some(6), None, VISA, Some(6)),
    ];
    for (stated, entry, aid, kernel) in cases {
        let data = Data { kernel: *stated, directory_kernel: *entry, aid, ..kernel_3() };
        for (rule, own) in [(28, 2), (29, 3)] {
            let outcomes = data.outcomes();
            let verdict = &outcomes.iter().find(|outcome| outcome.rule == rule).unwrap().verdict;
            match kernel {
                None => {
                    assert!(matches!(verdict, Verdict::Skipped(why) if why.contains("kernel is not known")), "{aid}")
                }
                Some(kernel) if *kernel == own => {
                    assert!(matches!(verdict, Verdict::Passed | Verdict::Failed(_)), "{aid}")
                }
                Some(_) => assert!(matches!(verdict, Verdict::NotApplicable(_)), "{aid}"),
            }
        }
    }
}

#[test]
fn a_kernel_is_not_asked_about_other_interfaces_or_what_a_stage_cannot_see() {
    for (rule, data) in [(28, kernel_2()), (29, kernel_3())] {
        let verdict = |data: &Data| {
            let outcomes = data.outcomes();
            outcomes.iter().find(|outcome| outcome.rule == rule).unwrap().verdict.clone()
        };
        let contact = Data { contactless: false, ..data };
        assert!(matches!(verdict(&contact), Verdict::NotApplicable(_)));
        let mut unseen = Data { contactless: true, answer: None, ..contact };
        for tag in [0x57, 0x5A, 0x5F24, 0x8C, 0x9F69] {
            unseen.remove(tag);
        }
        assert!(matches!(verdict(&unseen), Verdict::Skipped(_)), "R{rule}");
    }
}

/// The rule passed, or it is one of a directory or a contactless kernel, which the data are not for.
fn holds(outcome: &rules::Outcome) -> bool {
    matches!((outcome.rule, &outcome.verdict), (_, Verdict::Passed) | (28 | 29 | 42, Verdict::NotApplicable(_)))
}

#[test]
fn every_rule_has_a_sample_that_breaks_it_and_says_how_much_it_matters() {
    for (rule, what, severity, spoil) in BROKEN {
        let mut data = good();
        spoil(&mut data);
        let outcomes = data.outcomes();
        let outcome = outcomes.iter().find(|outcome| outcome.rule == *rule).unwrap();
        let failures = outcome.failures();
        assert!(failures.iter().any(|failure| failure.severity == *severity), "R{rule}, {what}: {outcome}");
        assert_eq!(outcome.refuses(), *severity == E, "R{rule}, {what}: {outcome}");
    }
    for rule in RULES {
        assert!(BROKEN.iter().any(|(number, ..)| *number == rule.number), "R{} has no sample", rule.number);
    }
    assert!(RULES.is_sorted_by(|one, next| one.number < next.number), "the rules are in order, each number once");
}

/// Every object that a rule reads from the records may be in the answer to GET PROCESSING OPTIONS instead.
#[test]
fn objects_of_the_answer_count_as_objects_of_records() {
    let tags: Vec<u32> =
        good().records.iter().flat_map(|(_, _, objects)| objects.iter().map(|(tag, _)| *tag)).collect();
    for tag in tags {
        let mut data = good();
        let (_, value) = *good().records.iter().flat_map(|(_, _, it)| it).find(|(held, _)| *held == tag).unwrap();
        data.remove(tag);
        data.answer = Some(vec![(tag, value)]);
        for outcome in data.outcomes() {
            assert!(holds(&outcome), "{tag:X} in the answer: {outcome}");
        }
        // A stage that does not see the answer does not say that the object is missing.
        data.answer = None;
        for outcome in data.outcomes() {
            assert!(outcome.failures().is_empty(), "{tag:X} unseen: {outcome}");
        }
    }
}

/// What is wrong with an object is found in the answer as it is in a record.
#[test]
fn a_broken_object_is_found_in_the_answer_too() {
    let samples: &[(u8, u32, &str)] = &[
        (1, 0x5A, "4111111111111111"),
        (2, 0x5F30, "0221"),
        (3, 0x57, "47617390010101193012201100000006"),
        (4, 0x5A, "4761739001010118"),
        (5, 0x5F24, "300631"),
        (6, 0x5F20, "544553542F43415245"),
        (12, 0x9F4A, "8295"),
        (14, 0x8E, "0000000000000000410342"),
        (15, 0x8C, "9F02"),
        (22, 0x5F34, "02"),
        (24, 0x5F30, "0101"),
        (25, 0x9F08, "7777"),
        (26, 0x5F30, "0000"),
    ];
    for (rule, tag, value) in samples {
        let mut data = good();
        data.remove(*tag);
        data.answer = Some(vec![(*tag, *value)]);
        let outcomes = data.outcomes();
        let outcome = outcomes.iter().find(|outcome| outcome.rule == *rule).unwrap();
        assert!(!outcome.failures().is_empty(), "R{rule} {tag:X}: {outcome}");
    }
}

#[test]
fn what_a_stage_cannot_see_is_skipped_with_the_reason() {
    let blind = Subject { name: "unseen".into(), ..Subject::default() };
    for outcome in rules::all(Stage::Verify, &blind) {
        match &outcome.verdict {
            Verdict::Skipped(why) => assert!(!why.is_empty(), "{outcome}"),
            // There is no record, and so none that is too long or that a tag stands in twice; and it is no directory.
            other => assert!(matches!((outcome.rule, other), (8 | 42, Verdict::NotApplicable(_))), "{outcome}"),
        }
    }
}

#[test]
fn a_directory_is_no_payment_application() {
    let directory = Subject {
        name: "directory".into(),
        fci: Some(template(0xA5, &[(0x88, "01")])),
        locator: Some(None),
        all_records: true,
        internal: Some(Vec::new()),
        groupings: Some(BTreeSet::new()),
        directory: Some(Vec::new()),
        on_card: Some(Vec::new()),
        ..Subject::default()
    };
    for outcome in rules::all(Stage::Check, &directory) {
        assert!(matches!(outcome.verdict, Verdict::Passed | Verdict::NotApplicable(_)), "{outcome}");
    }
}

#[test]
fn a_product_may_allow_what_kernels_do_not_all_know() {
    let mut data = good();
    data.set(0x9F08, "7777");
    let records = data.bytes();
    let subject = Subject { versions: vec![[0x77, 0x77]], ..data.subject(&records) };
    let outcomes = rules::all(Stage::Check, &subject);
    assert_eq!(outcomes.iter().find(|outcome| outcome.rule == 25).unwrap().verdict, Verdict::Passed);
}

#[test]
fn no_verdict_quotes_a_value() {
    for (_, what, _, spoil) in BROKEN {
        let mut data = good();
        spoil(&mut data);
        let told: String = data.outcomes().iter().map(|outcome| format!("{outcome}\n")).collect();
        for secret in ["4761739001010", "4111111111111", "5413330089010434", "651F", "0000000636", "TEST/CARD"] {
            assert!(!told.contains(secret), "{what}: {told}");
        }
    }
}

/// Every element that the dictionary knows, with a value of each end of its length and one byte beyond: the siblings of
/// the samples of R41. What schemes define on their own is told only.
#[test]
fn every_element_of_the_dictionary_has_its_length_and_format() {
    // Their lengths and forms have rules of their own: R3, R4, R14, R7, R5, R16, R25, R12, R19.
    const OTHER_RULES: [u32; 9] = [0x57, 0x5A, 0x8E, 0x94, 0x5F24, 0x9F07, 0x9F08, 0x9F4A, 0x9F4D];
    let known: Vec<&TagInfo> = (0x40..=0xFFFF).filter_map(|tag| tag_info(Tag::of(tag))).collect();
    assert!(known.len() > 150, "{}", known.len());
    let judged = |info: &TagInfo, value: Vec<u8>| {
        let mut data = good();
        let value: &'static str = hex::encode(value).leak();
        data.remove(info.tag.number());
        data.answer.as_mut().unwrap().push((info.tag.number(), value));
        let outcome = data.outcomes().into_iter().find(|it| it.rule == 41).unwrap();
        outcome.failures().iter().find(|it| it.place == Place::Tag(info.tag.number())).map(|it| it.severity)
    };
    let (mut own, mut of_schemes) = (0, 0);
    for info in known.into_iter().filter(|it| !it.tag.is_constructed()) {
        let number = info.tag.number();
        if OTHER_RULES.contains(&number) {
            continue;
        }
        let filler = match info.format {
            Format::An | Format::Ans => b'A',
            Format::N | Format::Cn | Format::B => 0x00,
        };
        let wrong = Some(if info.proprietary { Severity::Warning } else { Severity::Error });
        for length in [info.min, info.max] {
            assert_eq!(judged(info, vec![filler; length]), None, "{number:X} of {length} bytes");
        }
        if let Some(shorter) = info.min.checked_sub(1) {
            assert_eq!(judged(info, vec![filler; shorter]), wrong, "{number:X} of {shorter} bytes");
        }
        assert_eq!(judged(info, vec![filler; info.max + 1]), wrong, "{number:X} of {} bytes", info.max + 1);
        // Bytes that no text and no number has, in an element that has any.
        let length = info.max.min(8).max(info.min);
        let foreign: &[u8] = match info.format {
            Format::N => &[0x0A, 0xF0],
            Format::Cn => &[0x0A, 0xF0],
            Format::An => &[b' ', 0x00, 0xC4],
            Format::Ans => &[0x00, 0x1F, 0x7F],
            Format::B => &[],
        };
        for byte in foreign {
            let value = [vec![*byte], vec![filler; length - 1]].concat();
            assert_eq!(judged(info, value), wrong, "{number:X} with byte {byte:02X}");
        }
        if info.proprietary { of_schemes += 1 } else { own += 1 }
    }
    assert!(own > 120 && of_schemes > 8, "{own} {of_schemes}");
    for tag in OTHER_RULES.into_iter().filter(|tag| *tag != 0x9F4D) {
        let mut data = good();
        data.remove(tag);
        data.answer.as_mut().unwrap().push((tag, "0000000000000000000000000000000000000000000000"));
        assert!(data.outcomes().iter().any(|it| !it.failures().is_empty()), "{tag:X}");
    }
    let mut data = good();
    data.set_fci(0x9F4D, Some("0B0A00"));
    assert!(data.outcomes().iter().any(|it| it.rule == 19 && it.refuses()));
}

proptest! {
    #[test]
    fn anything_a_card_says_is_judged(
        aip: [u8; 2], afl in prop::collection::vec(any::<u8>(), 0..32), fci in prop::collection::vec(any::<u8>(), 0..64),
        records in prop::collection::btree_map((1u8..31, 1u8..5), prop::collection::vec(any::<u8>(), 0..64), 0..6),
    ) {
        let subject = Subject {
            fci: Some(fci),
            locator: Some(Some(Locator { aip, afl })),
            records: records.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect(),
            ..Subject::default()
        };
        prop_assert_eq!(rules::all(Stage::Verify, &subject).len(), RULES.len());
    }
}

#[test]
fn the_document_lists_every_rule() {
    let mut made = String::from(
        "# The consistency rules\n\nMade from the program's table (`PERSO_BLESS=1 cargo test --test it rules::`). An *error* refuses the data, a *warning* is \
         told.\nWhat a stage cannot see is *skipped* with the reason. `perso explain R7` prints one rule.\n\n\
         | rule | what must hold | stages | code |\n|---|---|---|---|\n",
    );
    for rule in RULES {
        let stages: Vec<&str> = rule.stages.iter().map(|stage| stage.name()).collect();
        made += &format!("| R{} | {} | {} | {} |\n", rule.number, rule.title, stages.join(", "), rule.code.name());
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    if std::env::var_os("PERSO_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), made);
}
