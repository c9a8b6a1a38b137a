//! The self-made chain of emv-data.md, section 6, and a certificate for every reason to refuse one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::base::crypto::{RsaPrivate, sha256};
use crate::base::{Chance, Secret};

const CA: &str = "E3BD69E71F66EB938A86424CABCCF3BEFD1652854B7E04D1CCF04F8EDE70C1624D5A064FF52047128F50981E380F\
                   F6217779EE343F078F2F210DA3BB08D91A25CCBFE636473769F377AEAC380932476BFCF3DA857DE6356E54D3E88E\
                   D0F4BC562B9DFBEBF4192BFD9F1DC87ABD2B12DE326BBC2C8A0919A2FA7D7637E121BB39C7E285AE090FD1C28B70\
                   03CD7F0641CF";
const ISSUER_CERTIFICATE: &str = "4A6A420BC71713C85FC407170143BAE1499B142861A02AC339237A8242692301F33A96AF1467F4FE3D3F39D679AF\
                   1A375AB33B469F375F0B3696E047808D966CA4179DA88139F7EC921F51BC4EBAF19121219A3494D2A7527962DDDB\
                   712D750C4613A08351261920185B6424BA5AE6382469DE50B965C5D7AC2A5175D424957D0EB9EF3647B4EAE6EAB0\
                   80410F832ABC";
const ISSUER_REMAINDER: &str = "63DBAEB27904EAD9ABAE7870A84E69DBA71C967F";
const ISSUER: &str = "CD4FCDDA7995ADC6886164C2B827C96813A023CD46B65108CCB2F022F266E43D85F7F250C5CB4A8225F89E4B30C9\
                   3F13871A7805932782FC7F1E62D238AF8EBAF19DD19EC2A64F79CBFD44E9A6A752F33D452490C7ADFBF3C2A6C3DA\
                   D8B5148C53E820434F06A8D907EC70D963DBAEB27904EAD9ABAE7870A84E69DBA71C967F";
const CARD_CERTIFICATE: &str = "1CED778D167251DE736F9F2E77EF95F524F1053E5A2EB2D6A269173BB49FA8061E20F3AB1F15EA1F489856AB2729\
                   C07BC5990EC86DD74EB9FC68E997A80B2591DF66FE4F93C4ABDFE6BACE700791591CA2D5CB553FD59F6A495A99BF\
                   73DCC122D3D889ECA073DE52972C5507DBF8FE30CFE00E16FAA6AA34EB2B041EB4BF207E";
const CARD_REMAINDER: &str = "D65D1707C49188F390904F7AD9C8793A7AA26AF554A25B016653595B982BE0033F284252C880CC32339B";
const CARD: &str = "B286E283214C0F30728DBEADCBF9361B392C0FF49A77B12A2AB0FCD03DB2A938EFA3DB23D9F3013ED76B442402B3\
                   96F36511491D06B63BE19E2C246EE4DB21BB9FD37530047AD9F5D20AE66C58DADF8B890F5904ACB2D65D1707C491\
                   88F390904F7AD9C8793A7AA26AF554A25B016653595B982BE0033F284252C880CC32339B";
const STATIC: &str = "5A0841234567890123455F24033012315F3401019F4A01823900";
const P: &str = "D7265A55ADDC63B133F53D96EDDE041469DD6544BA350E21DE8093389867250BF4E65B9588399948AA8C0818172B\
                   BCA21D8A53AAA660297580796306944B64A1";
const Q: &str = "D46C6CE6B333421174E2524E2C0383823FA7B6F7BEE573AF745A487E58455BC135AB53883640CA9579A5FA49ABA5\
                   D8F9C6B45F0E763D5C37851D9330F45072BB";
const SSAD: &str = "7AEFCC9793F22FB7547E7CA0414EF6715B5601272A11400DAD0200DB6DFB118903BBF8E9D76E2060A6EDE25000C9\
                   8E2621D93C2DA0ED86DFE8A1C4C571884BF316CB652D6DC912A55F064445A0D6BB51E1EFA338CD8A4BD6F21A0676\
                   1FCDBB08A8D1DA9D6F15CBE35144C9B96DFC287B07ABD04C976B02538C01A657483BCCD9";
const SDAD: &str = "1D82581ACFB479B99C3DA8668D44AC3F8AEEEB3811E07EECDD22C4834F655FAB681E6D7944AD7D56A7E224B2D71F\
                   F39E309D8D58D7BCDB8CF601E1D9E255C75BE034FE3286ACB2A690EBC000C50697AC792298D719947DA6C2CD98F8\
                   2CE75AAD4C8B6EBCC02674ED55900C453BACAB0F65729994BB61BDDFC135467775B6B507";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn public(modulus: &str) -> RsaPublic {
    RsaPublic::new(&bytes(modulus), &[3]).unwrap()
}

fn pan() -> Pan {
    Pan::parse("4123456789012345").unwrap()
}

fn month(year: u16, month: u8) -> MonthYear {
    MonthYear::new(year, month).unwrap()
}

fn card() -> UnprovenCard {
    open_card(&public(ISSUER), &bytes(CARD_CERTIFICATE), &bytes(CARD_REMAINDER), &[3]).unwrap()
}

#[test]
fn the_worked_chain_opens() {
    let ca = public(CA);
    let hash = ca_key_hash([0xA0, 0, 0, 0x09, 0x99], 0xF1, &ca);
    assert_eq!(hash.as_slice(), bytes("546F7EF58838C43FECA1FBD8DC666FBA7ED61F1E"));
    let issuer = open_issuer(&ca, &bytes(ISSUER_CERTIFICATE), &bytes(ISSUER_REMAINDER), &[3]).unwrap();
    assert_eq!((issuer.issuer_id, issuer.serial), ([0x41, 0x23, 0x45, 0xFF], [0, 0, 1]));
    assert_eq!((issuer.expiry, issuer.key.clone()), (month(2030, 12), public(ISSUER)));
    issuer.is_for(&pan()).unwrap();
    let card = card().prove(&bytes(STATIC)).unwrap();
    assert_eq!((card.serial, card.key.clone()), ([0, 0, 2], public(CARD)));
    card.is_for(&pan()).unwrap();
    assert_eq!(open_static(&issuer.key, &bytes(SSAD), &bytes(STATIC)).unwrap().dac, [0x12, 0x34]);
    let dynamic = open_dda(&card.key, &bytes(SDAD), &bytes("11223344")).unwrap();
    assert_eq!(dynamic.number, bytes("0123456789ABCDEF"));
}

#[test]
fn the_worked_dynamic_signature_comes_out_byte_for_byte() {
    let key = RsaPrivate::from_primes(&Secret::new(bytes(P)), &Secret::new(bytes(Q)), &[3]).unwrap();
    let number = bytes("0123456789ABCDEF");
    let made = sign_dda(key.public(), &number, &bytes("11223344"), |block| key.raw(block)).unwrap();
    assert_eq!(made, bytes(SDAD));
}

#[test]
fn other_data_other_keys_and_other_cards_are_refused() {
    let ca = public(CA);
    let (certificate, remainder) = (bytes(ISSUER_CERTIFICATE), bytes(ISSUER_REMAINDER));
    let open = |ca: &RsaPublic, certificate: &[u8], remainder: &[u8], exponent: &[u8]| {
        open_issuer(ca, certificate, remainder, exponent).unwrap_err()
    };
    use CertificateError as E;
    assert_eq!(open(&ca, &certificate[1..], &remainder, &[3]), E::Length { length: 143, modulus: 144 });
    assert_eq!(open(&ca, ca.modulus(), &remainder, &[3]), E::NotBelow);
    assert_eq!(open(&ca, &certificate, &remainder[1..], &[3]), E::Remainder { is: 19, wanted: 20 });
    assert_eq!(open(&ca, &certificate, &remainder, &[0, 3]), E::ExponentLength { is: 2, stated: 1 });
    assert_eq!(open(&ca, &certificate, &remainder, &[5]), E::Hash);
    let mut other = remainder.clone();
    other[19] ^= 1;
    assert_eq!(open(&ca, &certificate, &other, &[3]), E::Hash);
    let issuer = open_issuer(&ca, &certificate, &remainder, &[3]).unwrap();
    assert_eq!(issuer.is_for(&Pan::parse("4123467789012345").unwrap()), Err(E::IssuerIdentifier));
    assert_eq!(issuer.is_valid_in(month(2030, 12)), Ok(()));
    assert_eq!(issuer.is_valid_in(month(2031, 1)), Err(E::Expired(month(2030, 12))));
    assert_eq!(card().prove(&bytes(&STATIC.replace("3900", "3800"))).err(), Some(E::Hash));
    let card = card().prove(&bytes(STATIC)).unwrap();
    assert_eq!(card.is_for(&Pan::parse("4123456789012346").unwrap()), Err(E::Pan));
    assert_eq!(card.is_valid_in(month(2031, 1)), Err(E::Expired(month(2030, 12))));
    let issuer = public(ISSUER);
    assert_eq!(open_card(&issuer, &bytes(SSAD), &[], &[3]).err(), Some(E::Format { is: 3, wanted: 4 }));
    assert_eq!(open_static(&issuer, &bytes(SSAD), &[]), Err(E::Hash));
    assert_eq!(open_dda(&public(CARD), &bytes(SDAD), &[0; 4]), Err(E::Hash));
    // A card that signs less than GENERATE AC asks for.
    let unpredictable = [0x11, 0x22, 0x33, 0x44];
    assert_eq!(open_cda(&public(CARD), &bytes(SDAD), unpredictable), Err(E::DynamicData));
}

/// SHA-256 in counter mode.
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

fn made(bits: usize, seed: u8) -> RsaPrivate {
    RsaPrivate::generate(bits, 3, &mut chance(seed)).unwrap()
}

/// An issuer certificate as nobody should make it: the body, with its hash put right, changed by `spoil`.
fn spoiled(signer: &RsaPrivate, spoil: impl Fn(&mut Vec<u8>), close: impl Fn(&mut Vec<u8>)) -> CertificateError {
    let subject = made(512, 9);
    let mut body = bytes("02412345FF123000000101014001");
    body.extend_from_slice(subject.public().modulus());
    body.resize(signer.public().length() - HASH - 2, FILLER);
    spoil(&mut body);
    let mut block = closed_block(&body, &[&[3]]);
    close(&mut block);
    open_issuer(signer.public(), &signer.raw(&block).unwrap(), &[], &[3]).unwrap_err()
}

#[test]
fn each_broken_field_has_its_reason() {
    let signer = made(1024, 1);
    use CertificateError as E;
    let body = |spoil: &dyn Fn(&mut Vec<u8>)| spoiled(&signer, spoil, |_| ());
    let block = |close: &dyn Fn(&mut Vec<u8>)| spoiled(&signer, |_| (), close);
    assert_eq!(block(&|block| block[0] = 0x69), E::Header);
    assert_eq!(block(&|block| *block.last_mut().unwrap() = 0xBD), E::Trailer);
    assert_eq!(block(&|block| block[20] ^= 1), E::Hash);
    assert_eq!(body(&|body| body[0] = 4), E::Format { is: 4, wanted: 2 });
    assert_eq!(body(&|body| body[10] = 2), E::HashAlgorithm(2));
    assert_eq!(body(&|body| body[11] = 2), E::KeyAlgorithm(2));
    assert_eq!(body(&|body| body[12] = 255), E::Remainder { is: 0, wanted: 255 - 92 });
    assert_eq!(body(&|body| body[13] = 3), E::ExponentLength { is: 1, stated: 3 });
    assert_eq!(body(&|body| body[12] = 63), E::Key);
    assert_eq!(body(&|body| body[14] = 0), E::Key);
    for at in [5, 6] {
        assert_eq!(body(&|body| body[at] = 0x1A), E::ExpiryMonth);
    }
    assert_eq!(body(&|body| body[5] = 0x13), E::ExpiryMonth);
}

#[test]
fn an_exponent_that_emv_does_not_have_is_refused() {
    let signer = made(1024, 1);
    let mut body = bytes("02412345FF123000000101014001");
    body.extend_from_slice(made(512, 9).public().modulus());
    body.resize(128 - HASH - 2, FILLER);
    let certificate = signer.raw(&closed_block(&body, &[&[5]])).unwrap();
    assert_eq!(open_issuer(signer.public(), &certificate, &[], &[5]), Err(CertificateError::Exponent));
    let five = RsaPublic::new(made(512, 9).public().modulus(), &[5]).unwrap();
    let subject = Subject { expiry: month(2030, 12), serial: [0; 3] };
    let refused = sign_issuer(signer.public(), [0x41, 0x23, 0x45, 0xFF], subject, &five, |block| signer.raw(block));
    assert!(matches!(refused, Err(IssueError::Exponent)));
}

#[test]
fn what_cannot_be_certified_is_refused_before_the_key_is_asked() {
    let (long, short) = (made(1024, 1), made(768, 2));
    let subject = Subject { expiry: month(2030, 12), serial: [0; 3] };
    let never = |_: &[u8]| -> Result<Vec<u8>, std::convert::Infallible> { unreachable!() };
    let sign = |id| sign_issuer(short.public(), id, subject, long.public(), never);
    assert_eq!(sign([0x41, 0x23, 0x45, 0xFF]), Err(IssueError::Longer { subject: 128, signer: 96 }));
    for id in [[0x41, 0xFF, 0xFF, 0xFF], [0x41, 0xF3, 0x45, 0xFF], [0x41, 0x2A, 0x45, 0xFF]] {
        assert_eq!(sign(id), Err(IssueError::IssuerIdentifier), "{id:X?}");
    }
    for number in [vec![1], vec![1; 9]] {
        assert_eq!(sign_dda(short.public(), &number, &[], never), Err(IssueError::DynamicData));
    }
    // 1 + 8 + 1 + 8 + 20 bytes just go into 64 - 25.
    let smallest = made(512, 3);
    assert!(sign_cda(smallest.public(), (&[1; 8], 0x40, [2; 8]), [3; 20], [4; 4], |block| smallest.raw(block)).is_ok());
    // A signer whose answer is not a signature.
    let wrong = sign_static(long.public(), [1, 2], &[], |block| Ok::<_, ()>(block.to_vec()));
    assert!(matches!(wrong, Err(IssueError::Unfit(_))));
    assert_eq!(sign_static(long.public(), [1, 2], &[], |_| Err("token gone")), Err(IssueError::Signer("token gone")));
}

#[test]
fn a_combined_signature_is_of_one_answer_in_one_transaction() {
    let key = made(1024, 1);
    // A length that is not in its shortest form counts as the card has written it.
    let answer = bytes("9F2701409F4B0400000000009F36810200019F1000");
    let hash = transaction_hash(&[b"pdol", b"cdol1"], &answer).unwrap();
    assert_eq!(hash, sha1(&[b"pdolcdol1".as_slice(), &bytes("9F2701409F36810200019F1000")].concat()));
    let signed = sign_cda(key.public(), (&[7; 4], 0x40, [9; 8]), hash, [1, 2, 3, 4], |block| key.raw(block)).unwrap();
    let combined = open_cda(key.public(), &signed, [1, 2, 3, 4]).unwrap();
    assert_eq!((combined.number.as_slice(), combined.cid, combined.cryptogram), ([7; 4].as_slice(), 0x40, [9; 8]));
    use CertificateError as E;
    assert_eq!(combined.is_of(0x40, None, hash), Ok(()));
    assert_eq!(combined.is_of(0x80, None, hash), Err(E::Cid));
    assert_eq!(combined.is_of(0x40, Some([8; 8]), hash), Err(E::Cryptogram));
    assert_eq!(combined.is_of(0x40, Some([9; 8]), [0; 20]), Err(E::TransactionHash));
    assert_eq!(open_cda(key.public(), &signed, [0; 4]), Err(E::Hash));
    assert!(transaction_hash(&[], &[0x9F, 0x27, 0x02, 0x40]).is_err());
}

#[test]
fn two_digits_of_a_year_are_of_two_centuries() {
    assert_eq!(MonthYear::from_mmyy([0x12, 0x49]), MonthYear::new(2049, 12));
    assert_eq!(MonthYear::from_mmyy([0x01, 0x50]), MonthYear::new(1950, 1));
    assert_eq!(month(2030, 7).to_string().parse(), Ok(month(2030, 7)));
    for text in ["", "2030", "2030-7", "+030-07", "2030-007", "2030-13", "1949-12"] {
        assert_eq!(text.parse::<MonthYear>(), Err(()), "{text}");
    }
    assert_eq!((MonthYear::new(2050, 1), MonthYear::new(2030, 13)), (None, None));
}

proptest! {
    // Each case makes keys.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn certificates_open_to_what_was_certified(
        seed in 0u8..4, digits in "[0-9]{12,19}", data in prop::collection::vec(any::<u8>(), 0..40), year in 1950u16..2050,
        m in 1u8..=12, serial: [u8; 3], longer: bool,
    ) {
        let issuer = made(768, seed);
        // With and without a remainder.
        let card = made(if longer { 768 } else { 512 }, seed + 10);
        let subject = Subject { expiry: month(year, m), serial };
        let pan = Pan::parse(&digits).unwrap();
        let made = sign_icc(issuer.public(), &pan, subject, card.public(), &data, |block| issuer.raw(block)).unwrap();
        prop_assert_eq!(made.remainder.is_empty(), card.public().length() <= 96 - 42);
        let opened = open_card(issuer.public(), &made.certificate, &made.remainder, &made.exponent).unwrap();
        let opened = opened.prove(&data).unwrap();
        prop_assert_eq!(&opened.key, card.public());
        prop_assert_eq!((opened.expiry, opened.serial), (subject.expiry, serial));
        prop_assert!(opened.is_for(&pan).is_ok());
    }

    #[test]
    fn whatever_a_block_holds_nothing_panics(block in prop::collection::vec(any::<u8>(), 64), extra in prop::collection::vec(any::<u8>(), 0..30)) {
        let key = made(512, 3);
        // Past the outer checks, so that what lies behind them is reached.
        let body = [&[2 + block[0] % 4], &block[1..42]].concat();
        let signed = key.raw(&closed_block(&body, &[])).unwrap();
        let _ = open_issuer(key.public(), &signed, &extra, &[3]);
        let _ = open_card(key.public(), &signed, &extra, &[3]).map(|card| card.prove(&extra));
        let _ = open_static(key.public(), &signed, &[]);
        let _ = open_dda(key.public(), &signed, &[]);
        let _ = open_cda(key.public(), &signed, [0; 4]);
    }
}
