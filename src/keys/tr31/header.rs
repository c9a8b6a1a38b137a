//! The form of a key block: header, optional blocks, ciphertext, MAC.

use std::fmt;

use super::Tr31Error;
use crate::base::crypto::Cipher;
use crate::keys::{KeyHeader, OptionalBlock};

/// Length of the header without optional blocks, in characters.
const FIXED: usize = 16;
/// Longest block: its length has four digits.
const LONGEST: usize = 9999;

/// Versions of key blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// Triple DES, keys by variants, a MAC of four bytes over the ciphertext. Deprecated.
    A,
    /// Triple DES, derived keys, CMAC.
    B,
    /// As A. Deprecated.
    C,
    /// AES in CBC mode, derived keys, CMAC.
    D,
    /// AES in counter mode, derived keys, CMAC.
    E,
}

impl Version {
    /// All of them.
    pub const ALL: [Version; 5] = [Version::A, Version::B, Version::C, Version::D, Version::E];

    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Version::A => 'A',
            Version::B => 'B',
            Version::C => 'C',
            Version::D => 'D',
            Version::E => 'E',
        }
    }

    /// The version of this letter.
    pub fn find(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.letter() == letter)
    }

    /// The cipher of the KBPK.
    pub fn cipher(self) -> Cipher {
        match self {
            Version::A | Version::B | Version::C => Cipher::Tdes,
            Version::D | Version::E => Cipher::Aes,
        }
    }

    /// Whether KBEK and KBAK are variants of the KBPK, and the MAC goes over the ciphertext.
    pub fn is_variant(self) -> bool {
        matches!(self, Version::A | Version::C)
    }

    /// Length of the MAC in bytes.
    pub fn mac(self) -> usize {
        match self {
            Version::A | Version::C => 4,
            Version::B => 8,
            Version::D | Version::E => 16,
        }
    }

    /// What the clear text is filled to, in bytes.
    pub(super) fn filled_to(self) -> usize {
        if self == Version::E { 1 } else { self.cipher().block() }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

/// What a key block says of its key. // X9.143 table 1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the block.
    pub version: Version,
    /// Key usage, two characters.
    pub usage: String,
    /// Algorithm: A AES, D DES, E elliptic curves, H HMAC, R RSA, S DSA, T triple DES.
    pub algorithm: char,
    /// Mode of use.
    pub mode: char,
    /// Key version number, two characters; 00 where there is none.
    pub key_version: String,
    /// Exportability: E, N or S.
    pub exportability: char,
    /// Key context: 0 storage or exchange, 1 storage only, 2 exchange only; 0 in blocks of TR-31.
    pub context: char,
    /// Optional blocks, without the one that pads the header.
    pub blocks: Vec<OptionalBlock>,
}

impl Header {
    /// A header without optional blocks.
    pub fn new(version: Version, usage: &str, algorithm: char, mode: char, exportability: char) -> Self {
        let (usage, key_version) = (usage.to_owned(), "00".to_owned());
        Self { version, usage, algorithm, mode, key_version, exportability, context: '0', blocks: Vec::new() }
    }

    /// Whether the block carries a component of a key: the key version begins with `c`. // X9.143 table 5
    pub fn is_component(&self) -> bool {
        self.key_version.starts_with('c')
    }

    /// The part that is kept with the key.
    pub fn kept(&self) -> KeyHeader {
        KeyHeader {
            usage: self.usage.clone(),
            mode: self.mode,
            key_version: self.key_version.clone(),
            exportability: self.exportability,
            context: self.context,
            blocks: self.blocks.clone(),
        }
    }

    /// Its characters in front of a key block of `body` characters, padded to the cipher's block.
    ///
    /// # Errors
    /// [`Tr31Error::Header`] where a field is not what it must be, [`Tr31Error::Form`] where it all becomes too long.
    pub(super) fn written(&self, body: usize) -> Result<String, Tr31Error> {
        let Header { version, usage, algorithm, mode, key_version, exportability, context, blocks } = self;
        let mut optional = String::new();
        for block in blocks {
            optional += &written_block(&block.id, &block.data)?;
        }
        let mut count = blocks.len();
        let unit = version.cipher().block();
        if count > 0 && !optional.len().is_multiple_of(unit) {
            // A padding block has at least its id and length.
            let length = (optional.len() + 4).next_multiple_of(unit) - optional.len();
            optional += &format!("PB{length:02X}{}", "0".repeat(length - 4));
            count += 1;
        }
        let total = FIXED + optional.len() + body;
        if total > LONGEST || count > 99 {
            return Err(Tr31Error::Form);
        }
        let text = format!(
            "{version}{total:04}{usage}{algorithm}{mode}{key_version}{exportability}{count:02}{context}0{optional}"
        );
        read_fixed(&text, *version)?;
        Ok(text)
    }
}

fn written_block(id: &str, data: &str) -> Result<String, Tr31Error> {
    if id.len() != 2 || id == "PB" {
        return Err(Tr31Error::Header("an optional block's id has two characters, and PB is made by itself"));
    }
    let length = id.len() + 2 + data.len();
    // Beyond FF: 00, then the number of the length's digits, as the example of X9.143 §8.5 has it, then the length.
    let extended = length + 6;
    Ok(if length <= 0xFF { format!("{id}{length:02X}{data}") } else { format!("{id}0004{extended:04X}{data}") })
}

/// A key block, taken apart. Nothing of it is trusted before its MAC was compared.
pub struct KeyBlock {
    pub(super) header: Header,
    /// The header as it stands: the MAC goes over it.
    pub(super) header_text: String,
    pub(super) ciphertext: Vec<u8>,
    pub(super) mac: Vec<u8>,
}

impl KeyBlock {
    /// Takes a key block apart.
    ///
    /// # Errors
    /// [`Tr31Error`] by what is wrong with its form.
    pub fn parse(text: &str) -> Result<Self, Tr31Error> {
        let printable = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
        if !printable || !(FIXED..=LONGEST).contains(&text.len()) {
            return Err(Tr31Error::Form);
        }
        let letter = text.chars().next().ok_or(Tr31Error::Form)?;
        let version = Version::find(letter).ok_or(Tr31Error::Version(letter))?;
        let stated = part(text, 1, 5)?;
        if !stated.bytes().all(|byte| byte.is_ascii_digit()) || stated.parse() != Ok(text.len()) {
            return Err(Tr31Error::Length { stated: stated.to_owned(), seen: text.len() });
        }
        let mut header = read_fixed(text, version)?;
        let count = part(text, 12, 14)?.parse::<usize>().map_err(|_| Tr31Error::Header("no number of blocks"))?;
        let mut at = FIXED;
        for number in 1..=count {
            let (block, next) = read_block(text, at).ok_or(Tr31Error::OptionalBlock(number))?;
            if block.id != "PB" {
                header.blocks.push(block);
            } else if number != count {
                return Err(Tr31Error::Header("a padding block that is not the last"));
            }
            at = next;
        }
        if !at.is_multiple_of(version.cipher().block()) {
            return Err(Tr31Error::Header("its optional blocks do not fill whole blocks of the cipher"));
        }
        let (header_text, body) = text.split_at_checked(at).ok_or(Tr31Error::OptionalBlock(count))?;
        let cut = body.len().checked_sub(version.mac() * 2).ok_or(Tr31Error::Body("MAC"))?;
        let (ciphertext, mac) = body.split_at_checked(cut).ok_or(Tr31Error::Body("MAC"))?;
        let ciphertext = capital_hex(ciphertext).ok_or(Tr31Error::Body("ciphertext"))?;
        // Length and one byte of a key at least.
        if ciphertext.len() < 3 || !ciphertext.len().is_multiple_of(version.filled_to()) {
            return Err(Tr31Error::Body("ciphertext"));
        }
        let mac = capital_hex(mac).ok_or(Tr31Error::Body("MAC"))?;
        Ok(Self { header, header_text: header_text.to_owned(), ciphertext, mac })
    }

    /// What it says of its key. Not to be believed before the block was opened.
    pub fn header(&self) -> &Header {
        &self.header
    }
}

fn part(text: &str, from: usize, to: usize) -> Result<&str, Tr31Error> {
    text.get(from..to).ok_or(Tr31Error::Form)
}

fn read_fixed(text: &str, version: Version) -> Result<Header, Tr31Error> {
    let letter = |at: usize| part(text, at, at + 1).map(|one| one.chars().next().unwrap_or_default());
    let word = |from: usize, to: usize, what: &'static str| {
        let word = part(text, from, to)?;
        let fits = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if fits { Ok(word.to_owned()) } else { Err(Tr31Error::Header(what)) }
    };
    let one_of = |at: usize, letters: &str, what: &'static str| {
        let letter = letter(at)?;
        if letters.contains(letter) { Ok(letter) } else { Err(Tr31Error::Header(what)) }
    };
    let header = Header {
        version,
        usage: word(5, 7, "the key usage is not two capital letters or digits")?,
        algorithm: one_of(7, "ADEHRST", "the algorithm is none of A, D, E, H, R, S, T")?,
        mode: one_of(8, "BCDEGNSTVXY", "the mode of use is none of B, C, D, E, G, N, S, T, V, X, Y")?,
        key_version: part(text, 9, 11)?.to_owned(),
        exportability: one_of(11, "ENS", "the exportability is none of E, N, S")?,
        context: one_of(14, "012", "the key context is none of 0, 1, 2")?,
        blocks: Vec::new(),
    };
    if !part(text, 12, 14)?.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Tr31Error::Header("the number of optional blocks is not two digits"));
    }
    if part(text, 15, 16)? != "0" {
        return Err(Tr31Error::Header("the reserved character is not 0"));
    }
    Ok(header)
}

/// An optional block, and where the next thing begins. // X9.143 §6.3.6
fn read_block(text: &str, at: usize) -> Option<(OptionalBlock, usize)> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let fits = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
        if fits { usize::from_str_radix(digits, 16).ok() } else { None }
    };
    let id = text.get(at..at + 2)?.to_owned();
    let (length, head) = match number(at + 2, at + 4)? {
        0 => {
            // Some count the length's digits (4), as the example of X9.143 §8.5 does, others its bytes (2).
            if !matches!(number(at + 4, at + 6)?, 2 | 4) {
                return None;
            }
            (number(at + 6, at + 10)?, 10)
        }
        short => (short, 4),
    };
    let data = text.get(at + head..at.checked_add(length)?)?.to_owned();
    Some((OptionalBlock { id, data }, at + length))
}

fn capital_hex(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) { None } else { hex::decode(text).ok() }
}
