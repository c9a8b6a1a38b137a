//! The walls: each rule takes one file and returns what breaks it.

use super::source::{Named, Source, is_word};

/// One breach: file and line, then what is wrong.
pub type Breach = String;

/// A rule by name.
pub type Rule = (&'static str, fn(&Source) -> Vec<Breach>);

/// Every rule.
pub const RULES: &[Rule] = &[
    ("rooms", rooms),
    ("spelling", spelling),
    ("simulator", simulator),
    ("vendors", vendors),
    ("printing", printing),
    ("options", options),
    ("time and chance", time_and_chance),
    ("log", log),
    ("derived Debug", derived_debug),
    ("length", length),
    ("unsafe", unsafe_code),
];

/// How high a room stands; a room may use those that stand lower.
const ROOMS: &[(&str, u8)] = &[
    ("base", 0),
    ("keys", 1),
    ("ledger", 2),
    ("order", 3),
    ("record", 3),
    ("profile", 3),
    ("card", 3),
    ("prepare", 4),
    ("issuance", 5),
    ("batch", 6),
    ("station", 7),
    ("cli", 8),
];

/// Crates that only one place may name.
const VENDORS: &[(&str, &[&str])] = &[
    ("pcsc", &["card/transport/pcsc.rs"]),
    ("iso7816_tlv", &["base/codec/tlv.rs"]),
    ("openssl", &["base/crypto/rsa/", "keys/"]),
    ("cryptoki", &["keys/pkcs11/", "keys/pkcs11_derive.rs"]),
    ("clap", &["cli/"]),
    ("anstream", &["cli/"]),
    ("anstyle", &["cli/"]),
    ("comfy_table", &["cli/screen.rs"]),
    ("indicatif", &["cli/progress.rs"]),
    ("terminal_size", &["cli/screen.rs"]),
    ("textwrap", &["cli/screen.rs"]),
    ("rpassword", &["cli/"]),
    ("tracing_subscriber", &["cli/"]),
    ("getrandom", &["cli/"]),
    ("region", &["keys/locked.rs"]),
    ("rand", &["cli/"]),
    ("tokio", &["station/"]),
    ("axum", &["station/"]),
    ("rusqlite", &["ledger/sqlite/"]),
    ("tokio_postgres", &["ledger/postgres/"]),
];

/// Files that are longer than the rest because they are one table.
const TABLES: &[&str] = &["base/emv/dictionary.rs"];
const MOST_LINES: usize = 450;

/// Where a value may carry a PIN, a key, a PAN or a track.
const SECRET_PLACES: &[&str] = &[
    "keys/",
    "record/",
    "order/",
    "card/channel/",
    "card/cps/",
    "card/sim/",
    "card/apdu/",
    "card/emv/",
    "card/plain.rs",
    "card/trace/",
    "ledger/identity.rs",
    "base/secret.rs",
    "base/emv/certificate/",
    "base/emv/pan.rs",
    "base/emv/track.rs",
];

/// Types of ours that may derive `Debug` in those places, and be held by others that do, and why.
const HARMLESS: &[(&str, &str)] = &[
    ("Algorithm", "a word"),
    ("ApplicationView", "made to be shown: numbers and lengths"),
    ("Block", "which bytes of which grouping, no bytes"),
    ("CardForm", "an option"),
    ("CardPadding", "a word"),
    ("CardPin", "a format and a flag"),
    ("ChannelSpec", "what channel is wanted, and an AID"),
    ("Check", "which check, and how it ended"),
    ("Code", "a word"),
    ("Computation", "what a cryptogram is computed over: challenges, transaction data"),
    ("Combined", "what a card has signed: numbers and hashes"),
    ("Corruption", "a fault of the simulated card"),
    ("D1Answer", "an error code and a path"),
    ("Derivation", "counters, challenges, key data of the card"),
    ("Dynamic", "what a card has signed: a number and a hash"),
    ("FaultRule", "a fault of the simulated card"),
    ("FciData", "what a card tells whoever selects it"),
    ("GroupingView", "made to be shown: a number and a length"),
    ("Header", "a record's clear part: names and hashes"),
    ("IdentityKey", "a Secret, which prints its length"),
    ("IndexFile", "names of keys"),
    ("CatalogueFile", "a site's catalogue: names of products and services"),
    ("CatalogueProduct", "a site's product: names and PAN ranges, no PAN"),
    ("IssueError", "an error; what it carries is the signing key's own"),
    ("IssuerCertificate", "public: whose key it is and until when"),
    ("JweAlgorithm", "what stands in the clear beside an encrypted text"),
    ("JweFile", "names of a key and of algorithms"),
    ("Kcv", "a check value is made to be shown"),
    ("KcvMethod", "a word"),
    ("KeyHandle", "writes its own, a name"),
    ("Weakness", "a word"),
    ("KeyHeader", "the clear header of a key block"),
    ("KeyInfo", "names a key and shows its check value"),
    ("Limits", "two letters of a clear header"),
    ("Method", "a word, or an AID"),
    ("Misbehaviour", "a word"),
    ("Mismatch", "what helps to find out why a cryptogram is wrong: nothing in it is secret"),
    ("Mode", "a word"),
    ("MonthYear", "a month"),
    ("OdaError", "which record is wrong"),
    ("OfflineError", "tags, a CA key's name, fixed reasons"),
    ("Operation", "a word"),
    ("OptionalBlock", "the clear header of a key block"),
    ("OrderView", "made to be shown: masked"),
    ("Outcome", "fixed words, or a reason"),
    ("PinFormat", "a word"),
    ("PinKeyFile", "names of a key"),
    ("Problem", "a path and a sentence that quotes no value"),
    ("ProcessingOptions", "AIP and AFL"),
    ("ProductRule", "a product by name"),
    ("Protocol", "a protocol and its options"),
    ("Purpose", "a word"),
    ("RecordView", "made to be shown: masked"),
    ("RsaPublic", "a public key"),
    ("Row", "a line of the policy table: words"),
    ("Rule", "a fault of the simulated card"),
    ("Sealed", "ciphertext and its length"),
    ("Stage", "a word"),
    ("Verb", "a word"),
    ("Segment", "a place in a grouping"),
    ("SelectFile", "names of products and stations"),
    ("SessionMethod", "counters and unpredictable numbers"),
    ("Site", "a site: names of stations, products and keys"),
    ("SiteFile", "a site: names of stations, products and keys"),
    ("Static", "what an issuer has signed: a code and a hash"),
    ("StatusWord", "a status word"),
    ("Step", "a word"),
    ("Subject", "an expiry and a serial number"),
    ("Tag", "a tag"),
    ("Tr31Error", "fixed words, numbers of a clear header"),
    ("Tree", "the shape of a tree, and its public initial value"),
    ("UnknownName", "names of keys"),
    ("Version", "a letter"),
    ("Warning", "fixed words"),
    ("When", "a place in a run"),
    ("WrappedKey", "a key under another key, and a check value"),
];

/// A room names only itself and rooms below.
pub fn rooms(source: &Source) -> Vec<Breach> {
    let rank = |room: &str| ROOMS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank);
    let own = source.room();
    if own.is_empty() {
        return Vec::new();
    }
    let Some(own_rank) = rank(own) else {
        return vec![format!("{}: {own:?} is no room of the house", source.path)];
    };
    let meet = |room: &str| ["record", "profile", "order", "keys", "base"].contains(&room);
    crate_paths(source)
        .filter_map(|named| {
            let room = named.segments.get(1).map_or("", String::as_str);
            let why = match rank(room) {
                _ if room == own => return None,
                None => format!("`crate::{room}` is no room"),
                Some(other) if other > own_rank => format!("{own} may not use {room}, which stands above it"),
                Some(other) if other == own_rank => format!("{own} and {room} do not know each other"),
                Some(_) if room == "ledger" && own_rank < 5 => format!("{own} does not know the ledger"),
                Some(_) if own == "prepare" && !meet(room) => format!("prepare may not use {room}"),
                Some(_) => return None,
            };
            Some(breach(source, named.line, &why))
        })
        .collect()
}

/// Paths across rooms are written `crate::room::…`.
pub fn spelling(source: &Source) -> Vec<Breach> {
    let mut out = Vec::new();
    for named in source.paths() {
        let first = named.segments.first().map_or("", String::as_str);
        let supers = named.segments.iter().take_while(|segment| *segment == "super").count();
        if supers > 0 && supers >= source.depth() + named.inline_modules {
            out.push(breach(source, named.line, "`super::` leaves the room"));
        }
        if first == "perso" && source.path != "main.rs" {
            out.push(breach(source, named.line, "inside the package write `crate::`"));
        }
        if first == "crate" && named.segments.get(1).is_none_or(|room| room == "*") {
            out.push(breach(source, named.line, "`crate` itself is not a room"));
        }
    }
    for (at, token) in source.tokens.iter().enumerate() {
        let next = (source.text(at + 1), source.text(at + 2));
        if token.text == "crate" && next == ("::", "{") {
            out.push(breach(source, token.line, "write one `use crate::room::…` for each room"));
        }
        if token.text == "crate" && next.0 != "::" && next.0 != ")" && source.text(at.wrapping_sub(1)) != "use" {
            out.push(breach(source, token.line, "`crate` without a room"));
        }
    }
    out
}

/// The simulated card shares nothing with the host but the ground floor, the APDU types and the transport trait; and
/// the host's side of the card does not lean on the simulated one.
pub fn simulator(source: &Source) -> Vec<Breach> {
    let inside = source.path.starts_with("card/sim/");
    let mut out = Vec::new();
    for named in source.paths() {
        let segments: Vec<&str> = named.segments.iter().map(String::as_str).collect();
        let why = match segments.as_slice() {
            ["crate", rest @ ..] if inside => sim_may_name(rest).err(),
            ["crate", "card", "sim", ..] if !inside && source.room() == "card" && !named.test => {
                Some("the host's side of the card may not use the simulated card")
            }
            ["super", ..] if inside => {
                let supers = segments.iter().take_while(|segment| **segment == "super").count();
                (supers + 1 >= source.depth() + named.inline_modules).then_some("`super::` leaves the simulated card")
            }
            _ => None,
        };
        out.extend(why.map(|why| breach(source, named.line, why)));
    }
    out
}

/// What of `base::emv` is the host's: by the first letters of a module or a type.
const HOST_ONLY: &[&str] = &["afl", "dol", "track", "rules", "certificate", "oda", "static"];

fn sim_may_name(path: &[&str]) -> Result<(), &'static str> {
    match path {
        ["base"] | ["base", "*"] | ["base", "emv"] | ["base", "emv", "*"] | ["card"] | ["card", "*"] => {
            Err("the simulated card names what it uses one by one")
        }
        ["base", "emv", item, ..] if HOST_ONLY.iter().any(|host| starts_like(item, host)) => {
            Err("AFL, DOL, tracks, certificates and rules are written for the host; the simulated card has its own")
        }
        ["base", ..] | ["card", "apdu" | "sim", ..] => Ok(()),
        ["card", "transport", "Transport" | "LinkError", ..] | ["card", "transport"] => Ok(()),
        _ => Err("the simulated card may use base, card::apdu, and Transport and LinkError only"),
    }
}

fn starts_like(item: &str, host: &str) -> bool {
    item.to_ascii_lowercase().starts_with(host)
}

/// Foreign crates stay in their place.
pub fn vendors(source: &Source) -> Vec<Breach> {
    let paths = source.paths();
    let local = |name: &str| {
        paths.iter().any(|named| {
            let root = named.segments.first().map_or("", String::as_str);
            ["crate", "super", "self"].contains(&root) && named.segments.last().is_some_and(|last| last == name)
        }) || source.tokens.windows(2).any(|pair| pair[0].text == "mod" && pair[1].text == name)
    };
    let mut out = Vec::new();
    for named in &paths {
        let root = named.segments.first().map_or("", String::as_str);
        let Some((_, places)) = VENDORS.iter().find(|(name, _)| *name == root) else { continue };
        if !places.iter().any(|place| source.path.starts_with(place)) && !local(root) {
            out.push(breach(source, named.line, &format!("the crate {root} is named only in {}", places.join(", "))));
        }
    }
    out
}

/// Only the command line prints.
pub fn printing(source: &Source) -> Vec<Breach> {
    if source.room() == "cli" || source.path == "main.rs" {
        return Vec::new();
    }
    let macros = ["println", "eprintln", "print", "eprint", "dbg"];
    let printed =
        source.tokens.windows(2).filter(|pair| macros.contains(&pair[0].text.as_str()) && pair[1].text == "!");
    let streams = source
        .tokens
        .windows(2)
        .filter(|pair| ["stdout", "stderr", "stdin"].contains(&pair[0].text.as_str()) && pair[1].text == "(");
    printed.chain(streams).map(|pair| breach(source, pair[0].line, "only cli reads and prints")).collect()
}

/// Files outside `cli` whose messages still name options.
const NAME_OPTIONS: &[&str] = &[
    "base/fault.rs",
    "card/channel/verdict.rs",
    "card/transport/mod.rs",
    "issuance/blank.rs",
    "issuance/check.rs",
    "issuance/proof/application.rs",
    "issuance/proof/mod.rs",
    "issuance/proof/pin.rs",
    "keys/error.rs",
    "keys/pkcs11/place.rs",
    "keys/pkcs11/token.rs",
    "keys/tr31/mod.rs",
    "prepare/authentication.rs",
    "prepare/error.rs",
    "prepare/examine.rs",
];

/// Only the command line names its options.
pub fn options(source: &Source) -> Vec<Breach> {
    if source.room() == "cli" || NAME_OPTIONS.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let names_one = |text: &str| {
        let mut parts = text.split("--").skip(1);
        parts.any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    // A comment of documentation is an attribute: `doc = "…"`.
    let is_doc = |at: usize| source.text(at.wrapping_sub(1)) == "=" && source.text(at.wrapping_sub(2)) == "doc";
    let tokens = source.tokens.iter().enumerate();
    tokens
        .filter(|(at, token)| !token.test && names_one(&token.literal) && !is_doc(*at))
        .map(|(_, token)| breach(source, token.line, "only cli names options"))
        .collect()
}

/// Time and chance are arguments. A transport may measure how long it waits.
pub fn time_and_chance(source: &Source) -> Vec<Breach> {
    if source.room() == "cli" {
        return Vec::new();
    }
    let transport = source.path.starts_with("card/transport/");
    let taboo = |at: usize| match source.text(at) {
        "SystemTime" | "OsRng" | "ThreadRng" | "SysRng" | "RandomState" => true,
        "Instant" => source.text(at.wrapping_sub(2)) == "time" && !transport,
        "now" => source.text(at.wrapping_sub(1)) == "::" && !transport,
        "var" | "vars" | "var_os" => {
            source.text(at.wrapping_sub(1)) == "::" && source.text(at.wrapping_sub(2)) == "env"
        }
        _ => false,
    };
    let found = (0..source.tokens.len()).filter(|at| taboo(*at));
    found.map(|at| breach(source, source.tokens[at].line, "time, chance and the environment are arguments")).collect()
}

/// Inside `card` one file logs.
pub fn log(source: &Source) -> Vec<Breach> {
    let allowed = source.room() != "card" || source.path == "card/plain.rs";
    let named = source.paths().into_iter().filter(|named| named.segments.first().is_some_and(|root| root == "tracing"));
    named.filter(|_| !allowed).map(|named| breach(source, named.line, "only card/plain.rs logs an APDU")).collect()
}

/// The one file with `unsafe` in it.
const UNSAFE: &str = "keys/pkcs11_derive.rs";
/// So often.
const UNSAFE_BLOCKS: usize = 1;

/// `unsafe` stands in one file, and the lint that forbids it is switched off nowhere else.
pub fn unsafe_code(source: &Source) -> Vec<Breach> {
    let found: Vec<usize> = (0..source.tokens.len())
        .filter(|at| {
            let (before, text) = (source.text(at.wrapping_sub(1)), source.text(*at));
            text == "unsafe" || (text == "unsafe_code" && before == "(")
        })
        .collect();
    let blocks = found.iter().filter(|at| source.text(**at) == "unsafe").count();
    if source.path == UNSAFE && blocks <= UNSAFE_BLOCKS {
        return Vec::new();
    }
    found
        .iter()
        .map(|at| breach(source, source.tokens[*at].line, "`unsafe` stands in keys/pkcs11_derive.rs alone, once"))
        .collect()
}

/// No file beyond what a reader can hold.
pub fn length(source: &Source) -> Vec<Breach> {
    let fits = source.lines <= MOST_LINES || TABLES.contains(&source.path.as_str());
    if fits { Vec::new() } else { vec![format!("{}: {} lines, at most {MOST_LINES}", source.path, source.lines)] }
}

/// Where secrets live, `Debug` is written by hand. Derived is fine for what can be seen to hold none: types of numbers,
/// flags and fixed words; errors without bytes; and the types of the list above.
pub fn derived_debug(source: &Source) -> Vec<Breach> {
    if !SECRET_PLACES.iter().any(|place| source.path.starts_with(place)) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for at in 0..source.tokens.len() {
        if source.text(at) != "derive" || source.text(at + 1) != "(" || source.tokens[at].test {
            continue;
        }
        let close = (at..source.tokens.len()).find(|end| source.text(*end) == ")").unwrap_or(at);
        let derives = |name: &str| (at..close).any(|token| source.text(token) == name);
        if !derives("Debug") {
            continue;
        }
        let (name, body) = item_after(source, close);
        let allowed = HARMLESS.iter().any(|(item, _)| *item == name);
        let holds = body.iter().find(|word| !is_harmless(word, derives("Error")));
        if let (false, Some(word)) = (allowed, holds) {
            let why = format!("{name} derives Debug and holds {word}: write Debug by hand, or list it with the reason");
            out.push(breach(source, source.tokens[at].line, &why));
        }
    }
    out
}

/// Words of a field's type that carry no data of a card: `bytes` stands for a slice or an array.
fn is_harmless(word: &str, error: bool) -> bool {
    const PLAIN: &[&str] =
        &["u8", "u16", "u32", "u64", "usize", "i32", "i64", "bool", "&str", "Option", "Range", "Box", "PhantomData"];
    let in_errors = ["String", "str", "Vec"].contains(&word) || word.ends_with("Error");
    PLAIN.contains(&word) || HARMLESS.iter().any(|(item, _)| *item == word) || (error && in_errors)
}

/// The name of the struct or enum behind an attribute, and the words of its fields' types.
fn item_after(source: &Source, from: usize) -> (String, Vec<String>) {
    let item = (from..source.tokens.len()).find(|at| ["struct", "enum"].contains(&source.text(*at))).unwrap_or(from);
    let name = source.text(item + 1).to_owned();
    let open = (item + 2..source.tokens.len()).find(|at| ["{", "(", ";"].contains(&source.text(*at)));
    let Some(open) = open.filter(|at| source.text(*at) != ";") else { return (name, Vec::new()) };
    (name, types_of(source, open, source.text(item) == "enum"))
}

fn types_of(source: &Source, open: usize, is_enum: bool) -> Vec<String> {
    let mut words = Vec::new();
    let (mut depth, mut attribute) = (0usize, 0usize);
    let mut at = open;
    loop {
        match source.text(at) {
            "[" if source.text(at - 1) == "#" || attribute > 0 => attribute += 1,
            "]" if attribute > 0 => attribute -= 1,
            "{" | "(" => depth += 1,
            "}" | ")" => depth -= 1,
            _ if attribute > 0 => {}
            // A slice or an array: bytes of something.
            "[" => words.push("bytes".to_owned()),
            "str" if source.text(at - 1) == "static" => words.push("&str".to_owned()),
            word if is_word(word) && depth > 0 && is_type_word(source, at, depth, is_enum) => {
                words.push(word.to_owned())
            }
            _ => {}
        }
        at += 1;
        if depth == 0 || at >= source.tokens.len() {
            return words;
        }
    }
}

/// Not the name of a field or of a variant, and no visibility.
fn is_type_word(source: &Source, at: usize, depth: usize, is_enum: bool) -> bool {
    let name_of_field = source.text(at + 1) == ":";
    let name_of_variant = is_enum && depth == 1;
    let visibility = ["pub", "crate", "in", "super", "static", "dyn", "std", "ops"].contains(&source.text(at));
    let prefix = source.text(at + 1) == "::";
    !(name_of_field || name_of_variant || prefix || visibility)
}

fn crate_paths(source: &Source) -> impl Iterator<Item = Named> {
    let named = source.paths().into_iter();
    named.filter(|named| named.segments.first().is_some_and(|root| root == "crate") && named.segments.len() > 1)
}

fn breach(source: &Source, line: usize, why: &str) -> Breach {
    format!("{}:{line}: {why}", source.path)
}
