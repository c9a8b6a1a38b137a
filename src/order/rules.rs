//! What texts must look like: every pattern that the upstream documents publish, as it stands there and as it is used.
//!
//! The used form differs where the published one does not compile, is not anchored, or leaves a digit to Unicode.
//! `tests/it/order_fields.rs` holds this table against the published list.

use std::sync::OnceLock;

use regex::Regex;

/// A rule for a text.
pub struct Rule {
    /// The published pattern; empty where a document gives the rule in words or lengths only.
    pub published: &'static str,
    /// The pattern that is used: anchored at both ends.
    pub used: &'static str,
    /// What the text must be, for the one who has to correct it.
    pub words: &'static str,
    compiled: OnceLock<Option<Compiled>>,
}

/// A pattern that is one class of characters is counted by hand: repeated 256 times, a class of Unicode takes megabytes.
struct Compiled {
    regex: Regex,
    bounds: Option<(usize, usize)>,
}

impl Rule {
    const fn new(published: &'static str, used: &'static str, words: &'static str) -> Self {
        Self { published, used, words, compiled: OnceLock::new() }
    }

    /// Whether the text fits. A pattern that does not compile accepts nothing.
    pub fn accepts(&self, text: &str) -> bool {
        let Some(Compiled { regex, bounds }) = self.compiled() else { return false };
        let length = text.chars().count();
        bounds.is_none_or(|(least, most)| (least..=most).contains(&length)) && regex.is_match(text)
    }

    /// Whether the used pattern compiles.
    pub fn compiles(&self) -> bool {
        self.compiled().is_some()
    }

    fn compiled(&self) -> Option<&Compiled> {
        let compile = || match one_class(self.used) {
            None => Some(Compiled { regex: Regex::new(self.used).ok()?, bounds: None }),
            Some((class, bounds)) => {
                Some(Compiled { regex: Regex::new(&format!("^[{class}]*$")).ok()?, bounds: Some(bounds) })
            }
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// Class and bounds of a pattern `^[class]{least,most}$`.
fn one_class(pattern: &str) -> Option<(&str, (usize, usize))> {
    let (class, count) =
        pattern.strip_prefix("^[")?.strip_suffix("}$")?.split_once("]{").filter(|(class, _)| !class.contains(']'))?;
    let (least, most) = count.split_once(',').unwrap_or((count, count));
    Some((class, (least.parse().ok()?, most.parse().ok()?)))
}

macro_rules! rules {
    ($($name:ident: $published:expr, $used:expr, $words:expr;)*) => {
        $(pub(super) static $name: Rule = Rule::new($published, $used, $words);)*

        /// Every rule by its name.
        pub static RULES: &[(&str, &Rule)] = &[$((stringify!($name), &$name),)*];
    };
}

rules! {
    // D1, the order.
    CONSUMER: r"^[A-Za-z0-9_-]{1,64}$", r"^[A-Za-z0-9_-]{1,64}$", "1 to 64 letters, digits, _ and -";
    CONSUMER_THALES: r"[A-Za-z0-9_-]{1,64}", r"^[A-Za-z0-9_-]{1,64}$", "1 to 64 letters, digits, _ and -";
    PRODUCT: r"^[A-Za-z0-9_-]{1,48}$", r"^[A-Za-z0-9_-]{1,48}$", "1 to 48 letters, digits, _ and -";
    PRODUCT_THALES: r"[A-Za-z0-9_-]{1,48}", r"^[A-Za-z0-9_-]{1,48}$", "1 to 48 letters, digits, _ and -";
    NAME_64: r"^[a-zA-Z0-9_-]{1,64}$", r"^[a-zA-Z0-9_-]{1,64}$", "1 to 64 letters, digits, _ and -";
    NAME_48: r"^[a-zA-Z0-9_-]{1,48}$", r"^[a-zA-Z0-9_-]{1,48}$", "1 to 48 letters, digits, _ and -";
    // Read as published, `.-\` is a range; whoever wrote it meant a hyphen too.
    IMAGE: r"^[A-Za-z0-9_.-\\\/%\^?=]{0,64}$", r"^[-A-Za-z0-9_.-\\/%\^?=]{0,64}$", "at most 64 letters, digits and _.-\\/%^?=";
    // As published it does not compile everywhere: `\/-?` is no range in every dialect.
    LINE: r"^[\p{L}\p{N}@ ,.'_#;:\/-?=%\\\^+&]{0,256}$", r"^[-\p{L}\p{N}@ ,.'_#;:/?=%\\\^+&]{0,256}$",
        "at most 256 letters, digits, blanks and @,.'_#;:/-?=%\\^+&";
    CARD_IMAGE: r"^[A-Za-z0-9_\-\\\/.\^]{0,48}$", r"^[A-Za-z0-9_\-\\/.\^]{0,48}$", "at most 48 letters, digits and _-\\/.^";
    MEMBER: r"^[A-Za-z0-9_\\\/.-]{1,48}$", r"^[A-Za-z0-9_\\/.-]{1,48}$", "1 to 48 letters, digits and _\\/.-";
    KEY_INDEX: r"^[A-F0-9]{2}$", r"^[A-F0-9]{2}$", "two digits 0-9 A-F";
    ALPHA_2: r"^[A-Z]{2}$", r"^[A-Z]{2}$", "two capital letters";
    CARD_ORDER: r"^[0-9]{1,2}$", r"^[0-9]{1,2}$", "one or two digits";
    PERSON: r"^[\p{L}\p{N}\p{M} ,.'_#;:\/-]{1,40}$", r"^[\p{L}\p{N}\p{M} ,.'_#;:/-]{1,40}$", "1 to 40 letters, digits, blanks and ,.'_#;:/-";
    COMPANY: r"^[\p{L}\p{N}\p{M} '_#;:.,-\/+&]{1,64}$", r"^[\p{L}\p{N}\p{M} '_#;:.,/+&-]{1,64}$",
        "1 to 64 letters, digits, blanks and '_#;:.,-/+&";
    ADDRESS: r"^[\p{L}\p{N}\p{M} ,.'_#;:\/-]{1,64}$", r"^[\p{L}\p{N}\p{M} ,.'_#;:/-]{1,64}$", "1 to 64 letters, digits, blanks and ,.'_#;:/-";
    CITY: r"^[\p{L}\p{N}\p{M} ,.'_#;:\/-]{1,32}$", r"^[\p{L}\p{N}\p{M} ,.'_#;:/-]{1,32}$", "1 to 32 letters, digits, blanks and ,.'_#;:/-";
    STATE: r"^[\p{L}\p{N}\p{M} ,.'_#;:\/-]{1,30}$", r"^[\p{L}\p{N}\p{M} ,.'_#;:/-]{1,30}$", "1 to 30 letters, digits, blanks and ,.'_#;:/-";
    ZIP: r"^[0-9A-Z- ]{1,10}$", r"^[0-9A-Z -]{1,10}$", "1 to 10 capital letters, digits, blanks and -";
    CALLING_CODE: r"^\+[0-9]{1,10}$", r"^\+[0-9]{1,10}$", "+ and 1 to 10 digits";
    PHONE: r"^[0-9]{1,14}$", r"^[0-9]{1,14}$", "1 to 14 digits";
    EMAIL: r"^[a-zA-Z0-9_+&*-]+(?:\.[a-zA-Z0-9_+&*-]+)*@(?:[a-zA-Z0-9-]+\.)+[a-zA-Z]{2,15}$",
        r"^[a-zA-Z0-9_+&*-]+(?:\.[a-zA-Z0-9_+&*-]+)*@(?:[a-zA-Z0-9-]+\.)+[a-zA-Z]{2,15}$", "an e-mail address";
    // The document gives lengths, or nothing at all.
    STATION: "", r"^[A-Za-z0-9._:-]{1,64}$", "1 to 64 letters, digits and ._:-";
    GROUP: "", r"^[^\p{C}]{1,64}$", "1 to 64 characters that can be printed";
    JWE: "", r"^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){4}$", "a JWE in compact serialization: five parts in base64url";
    MOMENT: "", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,20}(?:Z|[+-][0-9]{2}:[0-9]{2})$", "a time such as 2026-11-24T08:30:00Z";
    // D1, the card data.
    PAN: r"^[0-9]{12,19}$", r"^[0-9]{12,19}$", "12 to 19 digits";
    MMYY: r"^(0[1-9]|1[0-2])([0-9]{2})$", r"^(0[1-9]|1[0-2])([0-9]{2})$", "a month MMYY";
    PRINTED: "", r"^[^\p{C}]{1,64}$", "1 to 64 characters that can be printed";
    CVV2: r"^\d{3,4}$", r"^[0-9]{3,4}$", "three or four digits";
    CVV: r"^(?:\d{3}|\d{5})$", r"^(?:[0-9]{3}|[0-9]{5})$", "three or five digits";
    PSN: r"^[0-9]{2}$", r"^[0-9]{2}$", "two digits";
    DAY: "", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "a date YYYY-MM-DD";
    TRACK1: r"^%B\d{13,19}\^[A-Z0-9\/.\- ]{2,26}\^\d{4}\d{3}[0-9A-Za-z]{0,39}\?$",
        r"^%B[0-9]{13,19}\^[A-Z0-9/.\- ]{2,26}\^[0-9]{4}[0-9]{3}[0-9A-Za-z]{0,39}\?$", "track 1 with its sentinels";
    TRACK2: r"^;\d{13,19}=\d{4}\d{3}\d{0,20}\?$", r"^;[0-9]{13,19}=[0-9]{4}[0-9]{3}[0-9]{0,20}\?$", "track 2 with its sentinels";
    TRACK3: r"^;\d{13,19}=\d{0,107}\?$", r"^;[0-9]{13,19}=[0-9]{0,107}\?$", "track 3 with its sentinels";
    PVV: r"^[0-9]{4}$", r"^[0-9]{4}$", "four digits";
    ENCODED: r"^[A-Z0-9/. -]{2,26}$", r"^[A-Z0-9/. -]{2,26}$", "2 to 26 capital letters, digits, blanks and /.-";
    PAR: r"^[0-9A-Z]{29}$", r"^[0-9A-Z]{29}$", "29 capital letters and digits";
    BLOCK_8: "", r"^[A-Fa-f0-9]{16}$", "16 hexadecimal digits";
    KEY_16: "", r"^[A-Fa-f0-9]{32}$", "32 hexadecimal digits";
    KCV_3: "", r"^[A-Fa-f0-9]{6}$", "6 hexadecimal digits";
    KID: "", r"^[A-Za-z0-9._-]{1,3}$", "1 to 3 characters";
    BLOCK_16: r"^[A-F0-9]{32}$", r"^[A-F0-9]{32}$", "32 digits 0-9 A-F";
    DIGITS_3: r"^[0-9]{1,3}$", r"^[0-9]{1,3}$", "1 to 3 digits";
    AID: r"^[A-F0-9]{4,32}$", r"^[A-F0-9]{4,32}$", "4 to 32 digits 0-9 A-F";
    START_CODE: r"^[A-F0-9]{4,64}$", r"^[A-F0-9]{4,64}$", "4 to 64 digits 0-9 A-F";
    MAC_KEY: r"^[A-F0-9]{16,32}$", r"^[A-F0-9]{16,32}$", "16 or 32 digits 0-9 A-F";
    DIGITS_4: r"^[0-9]{1,4}$", r"^[0-9]{1,4}$", "1 to 4 digits";
    TLV_DATA: r"^[A-F0-9]{6,20000}$", r"^[A-F0-9]{6,20000}$", "6 to 20000 digits 0-9 A-F";
    MAC_4: r"^[A-F0-9]{8,8}$", r"^[A-F0-9]{8}$", "8 digits 0-9 A-F";
    // Pismo.
    LETTERS: "", r"^[A-Za-z ]{2,26}$", "2 to 26 letters and blanks";
    EMBOSSER: "", r"^[^\p{C}]{2,32}$", "2 to 32 characters that can be printed";
    CUSTOM: "", r"^[^\p{C}]{0,1000}$", "at most 1000 characters that can be printed";
    ALIAS: "", r"^[^\p{C}]{1,50}$", "1 to 50 characters that can be printed";
    IDEMPOTENCY: "", r"^[!-~]{1,36}$", "1 to 36 characters";
    ANY_TEXT: "", r"^[^\p{C}]{1,256}$", "1 to 256 characters that can be printed";
    // A Mastercard-shaped order: 26 for the whole of a name, told apart from each part's form.
    MASTERCARD_NAME: "", r"^[A-Za-z .'/-]{1,26}$", "1 to 26 letters, blanks and .'/-";
}
