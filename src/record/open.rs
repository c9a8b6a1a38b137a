//! Opening a record: header, seal, body, and everything in it.

use serde::de::DeserializeOwned;

use super::file::{ApplicationFile, BodyFile, GroupingFile, HeaderFile, KeyFile, MadeFile, MethodFile, RecordFile};
use super::{
    Application, Content, Grouping, Header, MAX_RECORD, Method, Print, Problem, Record, RecordProblems, SealedValue,
    Stripe, StripeMade, check, problem,
};
use crate::base::Secret;
use crate::base::crypto::{CryptoError, NONCE, TAG};
use crate::base::emv::Pan;
use crate::base::fault::{Code, Fault};
use crate::keys::{KeyError, KeyStore, Purpose};

/// Reads the clear part only: nothing of it has been checked against the seal.
///
/// # Errors
/// It is not a prepared record of version 1.
pub fn peek(bytes: &[u8]) -> Result<Header, RecordProblems> {
    let file = shape(bytes)?;
    let mut problems = Vec::new();
    let header = header(&file.header, &mut problems);
    if problems.is_empty() { Ok(header) } else { Err(problems) }
}

impl Record {
    /// Opens a record with the keys that its header names.
    ///
    /// # Errors
    /// Everything that is wrong with it. Where the seal does not open, nothing is said of the body.
    pub fn open(bytes: &[u8], store: &dyn KeyStore) -> Result<Self, RecordProblems> {
        let file = shape(bytes)?;
        let mut problems = Vec::new();
        let header = header(&file.header, &mut problems);
        keys(&file.header, store, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let body = body(&file, &header, store)?;
        let body: BodyFile = parse(body.expose(), "body")?;
        Self::of(header, &body)
    }

    /// A record from its parts.
    pub(super) fn of(header: Header, body: &BodyFile) -> Result<Self, RecordProblems> {
        let mut problems = Vec::new();
        if body.applications.is_empty() {
            problems.push(problem("body.applications", Code::RecordSyntax, "there is no application"));
        }
        let applications: Vec<Application> = body
            .applications
            .iter()
            .enumerate()
            .filter_map(|(at, file)| application(&format!("body.applications[{at}]"), file, &header, &mut problems))
            .collect();
        let made = match body.stripe.made {
            MadeFile::Here => StripeMade::Here,
            MadeFile::Elsewhere => StripeMade::Elsewhere,
            MadeFile::None => StripeMade::Nowhere,
        };
        let tracks = [(1, &body.stripe.track1), (2, &body.stripe.track2), (3, &body.stripe.track3)];
        let tracks = tracks
            .into_iter()
            .filter_map(|(number, text)| text.as_ref().map(|text| (number, Secret::new(text.clone().into_bytes()))));
        let print = &body.print;
        let record = Record {
            header,
            applications,
            stripe: Stripe { made, tracks: tracks.collect() },
            print: Print {
                pan: print.pan.as_deref().and_then(|pan| Pan::parse(pan).ok()),
                names: print.names.len(),
                design: print.design.clone(),
                expiry: print.expiry.is_some(),
                effective: print.effective.is_some(),
                cvv2: print.cvv2.is_some(),
                fields: print.fields.len(),
            },
            stated: body.stated.clone(),
            cryptogram_key: body.cryptogram_key.clone(),
            foreign_keys: body.foreign_keys,
            sample: body.sample,
            expiry_rule: body.expiry_rule.clone(),
            order_sha256: body.order_sha256.clone(),
        };
        check::record(&record, body, &mut problems);
        if problems.is_empty() { Ok(record) } else { Err(problems) }
    }
}

fn shape(bytes: &[u8]) -> Result<RecordFile, RecordProblems> {
    if bytes.len() > MAX_RECORD {
        let message = format!("{} bytes are more than a record has ({MAX_RECORD})", bytes.len());
        return Err(vec![problem("(file)", Code::RecordSyntax, message)]);
    }
    let file: RecordFile = parse(bytes, "(file)")?;
    if file.perso_record != 1 {
        let message = format!("version {} is not known; this program reads version 1", file.perso_record);
        return Err(vec![problem("perso_record", Code::RecordSyntax, message)]);
    }
    Ok(file)
}

/// The parser's words are passed on only where they cannot quote a value: a name that is none of ours may be one that
/// stands at the wrong side of a colon.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], path: &str) -> Result<T, RecordProblems> {
    serde_json::from_slice(bytes).map_err(|error| {
        let words = error.to_string();
        let harmless = ["unknown field", "missing field", "duplicate field", "EOF", "recursion limit"];
        let quoted = words.split('`').nth(1).unwrap_or_default();
        let a_name =
            quoted.len() <= 32 && quoted.bytes().all(|byte| byte.is_ascii_lowercase() || b"_0123".contains(&byte));
        let message = if a_name && harmless.iter().any(|start| words.starts_with(start)) {
            words
        } else {
            format!("it is not of the shape that it must have, at line {} column {}", error.line(), error.column())
        };
        vec![problem(path, Code::RecordSyntax, message)]
    })
}

fn header(file: &HeaderFile, problems: &mut Vec<Problem>) -> Header {
    let good = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if file.id.is_empty() || file.id.len() > 64 || !file.id.chars().all(good) {
        problems.push(problem("header.id", Code::RecordSyntax, "an id has 1 to 64 letters, digits and - . _ :"));
    }
    if !hex::decode(&file.profile.sha256).is_ok_and(|hash| hash.len() == 32) {
        problems.push(problem("header.profile.sha256", Code::RecordSyntax, "it is not 32 bytes in hexadecimal"));
    }
    Header {
        id: file.id.clone(),
        profile_name: file.profile.name.clone(),
        profile_sha256: file.profile.sha256.to_ascii_lowercase(),
        record_key: file.record_key.name.clone(),
        transport_keys: file.transport_keys.iter().map(|key| key.name.clone()).collect(),
        test: file.test,
    }
}

/// Every key that the header names must be in custody, for its purpose, with the check value that the header states.
fn keys(header: &HeaderFile, store: &dyn KeyStore, problems: &mut Vec<Problem>) {
    let transport = header.transport_keys.iter().enumerate();
    let all = std::iter::once(("header.record_key".to_owned(), &header.record_key, Purpose::Record))
        .chain(transport.map(|(at, key)| (format!("header.transport_keys[{at}]"), key, Purpose::Transport)));
    for (path, key, purpose) in all {
        if let Err(message) = check_key(key, purpose, header.test, store) {
            problems.push(problem(path, Code::RecordKey, message));
        }
    }
}

fn check_key(key: &KeyFile, purpose: Purpose, test: bool, store: &dyn KeyStore) -> Result<(), String> {
    let handle = store.open(&key.name, purpose).map_err(|error| error.to_string())?;
    let method = crate::base::crypto::KcvMethod::ALL.into_iter().find(|it| it.name() == key.kcv_method);
    let method = method.ok_or("kcv_method is not des-zero, aes-zero, aes-ones or cmac")?;
    let stated = hex::decode(&key.kcv).ok().filter(|kcv| (3..=8).contains(&kcv.len()));
    let stated = stated.ok_or("kcv is not 3 to 8 bytes in hexadecimal")?;
    let seen = store.kcv(&handle, method, stated.len()).map_err(|error| error.to_string())?;
    if seen != stated {
        return Err(format!(
            "key {:?} has check value {} ({}), the record states {}",
            key.name,
            hex::encode_upper(seen),
            method.name(),
            hex::encode_upper(stated)
        ));
    }
    if handle.is_test() != test {
        let word = |test| if test { "test" } else { "live" };
        return Err(format!(
            "key {:?} is a {} key, the record says it is for {}",
            key.name,
            word(handle.is_test()),
            word(test)
        ));
    }
    Ok(())
}

fn body(file: &RecordFile, header: &Header, store: &dyn KeyStore) -> Result<Secret<Vec<u8>>, RecordProblems> {
    let wrong = |path: &str, message: &str| vec![problem(path, Code::RecordSyntax, message)];
    let nonce: Option<[u8; NONCE]> = hex::decode(&file.body.nonce).ok().and_then(|nonce| nonce.try_into().ok());
    let nonce = nonce.ok_or_else(|| wrong("body.nonce", "it is not twelve bytes in hexadecimal"))?;
    let tag: Option<[u8; TAG]> = hex::decode(&file.body.tag).ok().and_then(|tag| tag.try_into().ok());
    let tag = tag.ok_or_else(|| wrong("body.tag", "it is not sixteen bytes in hexadecimal"))?;
    let ciphertext =
        hex::decode(&file.body.ciphertext).map_err(|_| wrong("body.ciphertext", "it is not hexadecimal"))?;
    let associated = associated_data(&file.header).ok_or_else(|| wrong("header", "it has no canonical form"))?;
    let opened = store
        .open(&header.record_key, Purpose::Record)
        .and_then(|key| store.open_body(&key, &nonce, &associated, &ciphertext, &tag));
    opened.map_err(|error| {
        let message = match &error {
            KeyError::Crypto { source: CryptoError::Tag, .. } => {
                "the seal does not open: header or body was changed, or another key sealed it".to_owned()
            }
            other => other.to_string(),
        };
        vec![problem("body.tag", error.code(), message)]
    })
}

/// The header as the seal sees it. // RFC 8785
pub(super) fn associated_data(header: &HeaderFile) -> Option<Vec<u8>> {
    json_canon::to_vec(header).ok()
}

fn application(
    path: &str,
    file: &ApplicationFile,
    header: &Header,
    problems: &mut Vec<Problem>,
) -> Option<Application> {
    let aid = read_aid(&file.aid, &format!("{path}.aid"), problems);
    let method = match &file.method {
        MethodFile::Direct => Some(Method::Direct),
        MethodFile::Through(domain) => {
            read_aid(domain, &format!("{path}.method.through"), problems).map(Method::Through)
        }
    };
    let groupings: Vec<Grouping> = file
        .groupings
        .iter()
        .enumerate()
        .filter_map(|(at, file)| grouping(&format!("{path}.groupings[{at}]"), file, header, problems))
        .collect();
    let numbers = |list: &[String], at: String, problems: &mut Vec<Problem>| {
        list.iter().filter_map(|text| number(text, &at, problems)).collect::<Vec<_>>()
    };
    let groups = file
        .groups
        .iter()
        .enumerate()
        .map(|(at, list)| numbers(list, format!("{path}.groups[{at}]"), problems))
        .collect();
    let tolerated = numbers(&file.tolerate, format!("{path}.tolerate"), problems);
    Some(Application {
        aid: aid?,
        method: method?,
        groupings,
        groups,
        tolerated,
        cryptogram_key: file.cryptogram_key.clone(),
    })
}

fn grouping(path: &str, file: &GroupingFile, header: &Header, problems: &mut Vec<Problem>) -> Option<Grouping> {
    let dgi = number(&file.dgi, &format!("{path}.dgi"), problems);
    let mut wrong = |field: &str, message: &str| {
        problems.push(problem(format!("{path}.{field}"), Code::RecordDgi, message));
        None
    };
    let content = match (&file.value, &file.sealed, &file.secret) {
        (Some(value), None, None) => match Secret::from_hex(value) {
            Some(value) if value.len() <= 0xFFFF => Some(Content::Clear(value)),
            Some(_) => wrong("value", "a grouping has at most 65535 bytes"),
            None => wrong("value", "it is not hexadecimal"),
        },
        (None, Some(sealed), None) => {
            let iv = sealed.iv.as_ref().map(hex::decode).transpose();
            match (hex::decode(&sealed.ciphertext), iv) {
                _ if !header.transport_keys.contains(&sealed.key) => {
                    wrong("sealed.key", "the header names no such transport key")
                }
                (_, Err(_)) => wrong("sealed.iv", "it is not hexadecimal"),
                (Err(_), _) => wrong("sealed.ciphertext", "it is not hexadecimal"),
                // The clear value is padded by one byte to one block, so the two lengths tell of each other.
                (Ok(ciphertext), _) if sealed.length >= ciphertext.len() || sealed.length + 16 < ciphertext.len() => {
                    wrong("sealed.length", "it does not go with the ciphertext's length")
                }
                (Ok(ciphertext), Ok(iv)) => Some(Content::Sealed(SealedValue {
                    key: sealed.key.clone(),
                    iv,
                    ciphertext,
                    length: sealed.length,
                })),
            }
        }
        _ => wrong("value", "a grouping holds either a value or a sealed value"),
    };
    Some(Grouping { dgi: dgi?, content: content? })
}

fn number(text: &str, path: &str, problems: &mut Vec<Problem>) -> Option<u16> {
    let digits = text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = digits.then(|| u16::from_str_radix(text, 16).ok()).flatten();
    if number.is_none() {
        problems.push(problem(path, Code::RecordDgi, "a grouping's number is four hexadecimal digits"));
    }
    number
}

fn read_aid(text: &str, path: &str, problems: &mut Vec<Problem>) -> Option<Vec<u8>> {
    let aid = hex::decode(text).ok().filter(|aid| (5..=16).contains(&aid.len()));
    if aid.is_none() {
        problems.push(problem(path, Code::RecordSyntax, "an AID has 5 to 16 bytes in hexadecimal"));
    }
    aid
}
