//! Kinds of files: told apart by their top-level members or first bytes, never by what stands deeper inside.

mod members;

use serde_json::from_slice;
use toml::de::DeTable;

use self::members::{OUTPUTS, members};

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// An order of any format.
    Order,
    /// The body of a Thales D1 order, without the envelope around it.
    D1Body,
    /// A prepared record.
    Record,
    /// A clear record, for `perso record seal`.
    ClearRecord,
    /// A key file.
    KeyFile,
    /// CA public keys.
    CaKeys,
    /// A test CA.
    TestCa,
    /// An issuer certificate.
    IssuerCertificate,
    /// A pool of RSA key pairs.
    Pool,
    /// A simulated card.
    SimulatedCard,
    /// A journal.
    Journal,
    /// A trace.
    Trace,
    /// Fulfilment data of an order.
    Fulfilment,
    /// A result of `perso run`, or other output of perso.
    Output,
    /// A card profile.
    Profile,
    /// A site.
    Site,
    /// A configuration.
    Config,
    /// A TR-31 key block.
    KeyBlock,
    /// A JWE in compact serialization.
    Jwe,
    /// A JWS or JWT in compact serialization.
    Jws,
    /// PEM, with its label.
    Pem(String),
    /// DER: a certificate, a PKCS#12 or PKCS#8 file.
    Der,
    /// A table of separated values.
    Csv,
    /// XML.
    Xml,
    /// HTML.
    Html,
    /// A ZIP archive, or a document that is one.
    Zip,
    /// A gzip file.
    Gzip,
    /// A PDF document.
    Pdf,
    /// A picture.
    Picture,
    /// A program.
    Program,
    /// Text in UTF-16.
    Utf16,
    /// No byte, or only white space.
    Empty,
    /// JSON of no known kind.
    Json,
    /// TOML of no known kind.
    Toml,
    /// Other text.
    Text,
    /// Other bytes.
    Binary,
}

/// First bytes of well-known files. An empty kind of text is told from the members instead.
const SIGNATURES: &[(&[u8], FileKind)] = &[
    (b"%PDF-", FileKind::Pdf),
    (b"PK\x03\x04", FileKind::Zip),
    (b"PK\x05\x06", FileKind::Zip),
    (b"\x1f\x8b", FileKind::Gzip),
    (b"\x89PNG\r\n\x1a\n", FileKind::Picture),
    (b"\xff\xd8\xff", FileKind::Picture),
    (b"GIF8", FileKind::Picture),
    (b"\x7fELF", FileKind::Program),
    (b"MZ\x90\x00", FileKind::Program),
    (b"\xff\xfe", FileKind::Utf16),
    (b"\xfe\xff", FileKind::Utf16),
    (b"\x30\x82", FileKind::Der),
];

/// Members of JSON files that tell the kind.
const MEMBERS: &[(&str, FileKind)] = &[
    ("perso_order", FileKind::Order),
    ("perso_pismo", FileKind::Order),
    ("perso_mastercard", FileKind::Order),
    ("perso_record", FileKind::Record),
    ("perso_clear_record", FileKind::ClearRecord),
    ("perso_keys", FileKind::KeyFile),
    ("perso_ca_keys", FileKind::CaKeys),
    ("perso_test_ca", FileKind::TestCa),
    ("perso_issuer_certificate", FileKind::IssuerCertificate),
    ("perso_pool", FileKind::Pool),
    ("simulated_card", FileKind::SimulatedCard),
    ("perso_jobs", FileKind::Fulfilment),
];

/// Members of TOML files that tell the kind.
const TOML_MEMBERS: &[(&str, FileKind)] = &[("perso_profile", FileKind::Profile), ("perso_config", FileKind::Config)];

/// Members of a site, which names no version: two of them tell it.
const SITE_MEMBERS: &[&str] = &[
    "stations",
    "centers",
    "channels",
    "implicit_registration",
    "card_status",
    "stripe",
    "jwe",
    "pin",
    "kek",
    "refuse_single_des_macs",
    "index",
    "profile",
    "select",
    "catalogue",
    "reason",
];

/// Members of Thales D1's envelope around `body`.
const D1_ENVELOPE: &[&str] = &["issuerId", "cardId", "operationId"];

/// A member of the body of every D1 order.
const D1_BODY: &str = "distributionChannel";

impl FileKind {
    /// The kind of a file, by its bytes. Also of one that breaks off: what is there tells it.
    ///
    /// ```
    /// use perso::issuance::file_kind::FileKind;
    ///
    /// assert_eq!(FileKind::of(br#"{"note": "perso_record", "perso_keys": 1"#), FileKind::KeyFile);
    /// assert_eq!(FileKind::of(b"-----BEGIN CERTIFICATE-----\n"), FileKind::Pem("CERTIFICATE".into()));
    /// assert_eq!(FileKind::of(b""), FileKind::Empty);
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        if let Some((_, kind)) = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start)) {
            return kind.clone();
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).trim_ascii();
        match bytes.first() {
            None => return FileKind::Empty,
            Some(b'{') => return of_json(bytes),
            Some(b'[') if is_json(bytes) => return FileKind::Json,
            Some(_) => {}
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            // It breaks off within a character.
            Err(error) if error.error_len().is_none() => {
                bytes.get(..error.valid_up_to()).and_then(|whole| std::str::from_utf8(whole).ok())
            }
            Err(_) => None,
        };
        text.filter(|text| !text.contains('\0')).map_or(FileKind::Binary, of_text)
    }

    /// What it is, with its article.
    pub fn what(&self) -> String {
        match self {
            FileKind::Order => "an order",
            FileKind::D1Body => "the body of a D1 order without its envelope (issuerId, cardId, operationId)",
            FileKind::Record => "a prepared record",
            FileKind::ClearRecord => "a clear record",
            FileKind::KeyFile => "a key file",
            FileKind::CaKeys => "a file of CA public keys",
            FileKind::TestCa => "a test CA",
            FileKind::IssuerCertificate => "an issuer certificate",
            FileKind::Pool => "a pool of card keys",
            FileKind::SimulatedCard => "a simulated card",
            FileKind::Journal => "a journal",
            FileKind::Trace => "a trace",
            FileKind::Fulfilment => "the fulfilment data of an order",
            FileKind::Output => "a result that perso wrote",
            FileKind::Profile => "a card profile",
            FileKind::Site => "a site",
            FileKind::Config => "a configuration",
            FileKind::KeyBlock => "a TR-31 key block",
            FileKind::Jwe => "a JWE (encrypted JSON)",
            FileKind::Jws => "a JWS or JWT (signed JSON)",
            FileKind::Pem(label) => return format!("PEM ({label})"),
            FileKind::Der => "DER (a certificate or a PKCS file)",
            FileKind::Csv => "a CSV table",
            FileKind::Xml => "XML",
            FileKind::Html => "HTML",
            FileKind::Zip => "a ZIP archive",
            FileKind::Gzip => "a gzip file",
            FileKind::Pdf => "a PDF document",
            FileKind::Picture => "a picture",
            FileKind::Program => "a program",
            FileKind::Utf16 => "text in UTF-16",
            FileKind::Empty => "empty",
            FileKind::Json => "JSON of no kind that perso reads",
            FileKind::Toml => "TOML of no kind that perso reads",
            FileKind::Text => "text of no kind that perso reads",
            FileKind::Binary => "binary data",
        }
        .to_owned()
    }

    /// The kind of a file that is none of the wanted kinds for sure; `None` if it is one, or may be a faulty one.
    pub fn other_than(wanted: &[FileKind], bytes: &[u8]) -> Option<Self> {
        let found = Self::of(bytes);
        let may_be_faulty = match wanted.first() {
            Some(FileKind::Text) => matches!(found, FileKind::Toml | FileKind::Text | FileKind::Csv),
            Some(FileKind::Profile | FileKind::Site | FileKind::Config | FileKind::Trace | FileKind::KeyBlock) => {
                matches!(found, FileKind::Toml | FileKind::Text)
            }
            _ => matches!(found, FileKind::Json),
        };
        (!wanted.contains(&found) && !may_be_faulty).then_some(found)
    }

    /// Whether a file of this kind cannot be had again, so that none is ever overwritten.
    pub fn is_irreplaceable(&self) -> bool {
        use FileKind as K;
        matches!(
            self,
            K::Order
                | K::D1Body
                | K::Record
                | K::ClearRecord
                | K::KeyFile
                | K::Pool
                | K::SimulatedCard
                | K::TestCa
                | K::IssuerCertificate
                | K::Journal
                | K::Profile
        )
    }
}

fn is_json(bytes: &[u8]) -> bool {
    from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// An object, whole or broken off.
fn of_json(bytes: &[u8]) -> FileKind {
    let members = members(bytes);
    if members.first().is_some_and(|first| first == "event") {
        return FileKind::Journal;
    }
    let has = |name: &str| members.iter().any(|member| member == name);
    if let Some((_, kind)) = MEMBERS.iter().find(|(name, _)| has(name)) {
        return kind.clone();
    }
    let envelope = D1_ENVELOPE.iter().filter(|name| has(name)).count();
    if envelope == D1_ENVELOPE.len() || envelope > 0 && (has("body") || has(D1_BODY)) {
        return FileKind::Order;
    }
    if has(D1_BODY) {
        return FileKind::D1Body;
    }
    if OUTPUTS.iter().any(|name| has(name)) { FileKind::Output } else { FileKind::Json }
}

fn of_text(text: &str) -> FileKind {
    let first = text.lines().next().unwrap_or_default();
    if first.starts_with("# perso-trace") {
        return FileKind::Trace;
    }
    if let Some(rest) = first.strip_prefix("-----BEGIN ") {
        return FileKind::Pem(
            rest.trim_end().trim_end_matches('-').chars().filter(|c| !c.is_control()).take(40).collect(),
        );
    }
    let lower: String = first.chars().take(32).collect::<String>().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return FileKind::Html;
    }
    if lower.starts_with("<?xml") || (text.starts_with('<') && text.ends_with('>')) {
        return FileKind::Xml;
    }
    match () {
        () if is_key_block(text) => FileKind::KeyBlock,
        () if is_jose(text, 5) => FileKind::Jwe,
        () if is_jose(text, 3) => FileKind::Jws,
        () => of_toml(text).or_else(|| is_csv(text).then_some(FileKind::Csv)).unwrap_or(FileKind::Text),
    }
}

/// TR-31: version, length of the whole block in four digits, then usage and the rest of the header. // X9.143 table 1
fn is_key_block(text: &str) -> bool {
    let version = text.starts_with(['A', 'B', 'C', 'D', 'E']);
    let length = text.get(1..5).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let length = length.and_then(|digits| digits.parse::<usize>().ok());
    let compact = text.chars().filter(|c| !c.is_whitespace()).count();
    version && text.is_ascii() && length.is_some_and(|length| length == compact && length >= 32)
}

/// Compact serialization: parts in base64url between dots, the first of them a JSON object. // RFC 7515 §3.1, RFC 7516 §3.1
fn is_jose(text: &str, parts: usize) -> bool {
    let url = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.starts_with("eyJ") && text.chars().all(url) && text.split('.').count() == parts
}

/// By its top-level members, also in a file with faults.
fn of_toml(text: &str) -> Option<FileKind> {
    let (table, faults) = DeTable::parse_recoverable(text);
    let table = table.get_ref();
    let has = |name: &str| table.iter().any(|(key, _)| key.get_ref().as_ref() == name);
    if let Some((_, kind)) = TOML_MEMBERS.iter().find(|(name, _)| has(name)) {
        return Some(kind.clone());
    }
    if SITE_MEMBERS.iter().filter(|name| has(name)).count() >= 2 {
        return Some(FileKind::Site);
    }
    (faults.is_empty() && !table.is_empty()).then_some(FileKind::Toml)
}

/// Two lines at least, each of as many columns as the first, three at least.
fn is_csv(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(20).collect();
    let columns = |separator: char| {
        let count = |line: &&str| line.matches(separator).count();
        let first = lines.first().map(count).unwrap_or_default();
        first >= 2 && lines.len() >= 2 && lines.iter().all(|line| count(line) == first)
    };
    [';', ',', '\t'].into_iter().any(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_deeper_inside_and_in_values_do_not_count() {
        for (text, kind) in [
            (r#"{"a": {"perso_record": 1}}"#, FileKind::Json),
            (r#"{"a": "perso_record"}"#, FileKind::Json),
            (r#"{"a": ["x", {"perso_record": 1}, "perso_keys"], "b": 2}"#, FileKind::Json),
            (r#"{"a": "x\"perso_keys\": ", "perso_record": 1}"#, FileKind::Record),
            (r#"{"perso_order": 1, "card": {"perso_keys": 1}"#, FileKind::Order),
            (r#"{"note": 1, "perso_keys""#, FileKind::KeyFile),
            (r#"{"perso_\u006beys": 1}"#, FileKind::KeyFile),
            (r#"{"body": {}, "issuerId": "x"}"#, FileKind::Order),
            (r#"{"body": {}}"#, FileKind::Json),
            (r#"{"distributionChannel": "INSTANT"}"#, FileKind::D1Body),
            (r#"{"distributionChannel": "INSTANT", "cardId": "1"}"#, FileKind::Order),
            (r#"{"perso_result": 1}"#, FileKind::Output),
            (r#"{"perso_rec": 1, "id": "x"}"#, FileKind::Json),
            (r#"{"event":"opened","job":"1"}"#, FileKind::Journal),
            ("a = 1\n[b]\nperso_profile = 1\n", FileKind::Toml),
            ("perso_profile = 1\nname = \n", FileKind::Profile),
            ("stations = []\nchannels = []\n", FileKind::Site),
            ("# note\nperso_config = 1\n", FileKind::Config),
            ("{", FileKind::Json),
            (" \n\t", FileKind::Empty),
            ("pan;name;expiry\n1;2;3\n", FileKind::Csv),
            ("Dear all, this is text, is it not?\n", FileKind::Text),
            ("<?xml version=\"1.0\"?>\n<a/>", FileKind::Xml),
            ("eyJhbGciOiJFQ0RILUVTIn0..a.b.c", FileKind::Jwe),
        ] {
            assert_eq!(FileKind::of(text.as_bytes()), kind, "{text}");
        }
    }

    #[test]
    fn a_file_that_breaks_off_anywhere_is_told_without_a_panic() {
        let text = r#"{"perso_record": 1, "a\"b\\": {"c": [1, "d"]}, "é": 1}"#.as_bytes();
        for end in 0..text.len() {
            let kind = FileKind::of(text.get(..end).unwrap_or_default());
            assert!(matches!(kind, FileKind::Record | FileKind::Json | FileKind::Empty | FileKind::Binary), "{kind:?}");
        }
    }
}
