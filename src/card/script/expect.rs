//! What an answer is expected to be.

use super::template::{Template, Variables};
use crate::card::apdu::{Response, StatusWord};

/// What is expected of an answer.
pub enum Expectation {
    /// One of these status words.
    Status(Vec<StatusPattern>),
    /// This data.
    Data(DataPattern),
    /// So many bytes of data.
    Length(Count),
}

/// A status word, or a range of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatusPattern {
    low: u16,
    high: u16,
}

/// A number of bytes, or a range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Count {
    low: usize,
    high: usize,
}

/// Data, piece by piece; `rest`: anything may follow.
pub struct DataPattern {
    pieces: Vec<Piece>,
    rest: bool,
}

enum Piece {
    /// A byte between these, both of them included.
    Byte(u8, u8),
    Bytes(Template),
}

impl StatusPattern {
    /// `9000`, `61..`, `63C0-63CF`.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "a status word is four hexadecimal digits, two and .., or two of four with - between";
        let word = |text: &str| match text.len() {
            4 if text.chars().all(|c| c.is_ascii_hexdigit()) => u16::from_str_radix(text, 16).map_err(|_| WRONG),
            _ => Err(WRONG),
        };
        if let Some(first) = text.strip_suffix("..") {
            let low = word(&format!("{first}00"))?;
            return Ok(Self { low, high: low | 0xFF });
        }
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (word(low)?, word(high)?);
        if low > high { Err("a range begins with the smaller one") } else { Ok(Self { low, high }) }
    }

    fn fits(self, sw: StatusWord) -> bool {
        (self.low..=self.high).contains(&sw.0)
    }
}

impl std::fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.low == self.high {
            write!(f, "{:04X}", self.low)
        } else {
            write!(f, "{:04X}-{:04X}", self.low, self.high)
        }
    }
}

impl Count {
    /// `28`, `28-32`.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let number = |text: &str| text.trim().parse().map_err(|_| "a length is a number, or two with - between");
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (number(low)?, number(high)?);
        if low > high { Err("a range begins with the smaller one") } else { Ok(Self { low, high }) }
    }
}

impl DataPattern {
    /// Bytes, `..` for any byte, `10-1F` for a range, `${NAME}`, and `*` at the end for anything that follows; `-` alone
    /// for no data.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text == "-" {
            return Ok(Self { pieces: Vec::new(), rest: false });
        }
        let (text, rest) = match text.strip_suffix('*') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let mut pieces = Vec::new();
        for word in text.split_whitespace() {
            pieces_of(word, &mut pieces)?;
        }
        if pieces.is_empty() && !rest {
            Err("there is nothing expected; - stands for no data")
        } else {
            Ok(Self { pieces, rest })
        }
    }

    /// The names of the variables in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Byte(..) => Vec::new(),
            Piece::Bytes(template) => template.names().collect(),
        })
    }

    /// The first thing that differs, in words that quote no byte of the answer.
    fn differs(&self, data: &[u8], variables: &Variables) -> Option<String> {
        let mut at = 0;
        for piece in &self.pieces {
            let wanted: Vec<(u8, u8)> = match piece {
                Piece::Byte(low, high) => vec![(*low, *high)],
                Piece::Bytes(template) => match template.fill(variables) {
                    Ok(bytes) => bytes.iter().map(|byte| (*byte, *byte)).collect(),
                    Err(why) => return Some(format!("the expected data: {why}")),
                },
            };
            for (low, high) in wanted {
                match data.get(at) {
                    None => return Some(format!("the data has {} bytes, more are expected", data.len())),
                    Some(byte) if !(low..=high).contains(byte) => {
                        return Some(format!("byte {at} of the data is not the expected one"));
                    }
                    Some(_) => at += 1,
                }
            }
        }
        (at < data.len() && !self.rest).then(|| format!("the data has {} bytes, {at} are expected", data.len()))
    }
}

/// One word: a range of bytes, or bytes and `..` one after the other, or a variable.
fn pieces_of(word: &str, out: &mut Vec<Piece>) -> Result<(), &'static str> {
    const WRONG: &str = "data is bytes in hexadecimal, .., ranges such as 10-1F, ${NAME}, and * at the end";
    if word.contains("${") {
        out.push(Piece::Bytes(Template::parse(word)?));
        return Ok(());
    }
    let byte = |text: &str| match text.len() {
        2 if text.is_ascii() => u8::from_str_radix(text, 16).map_err(|_| WRONG),
        _ => Err(WRONG),
    };
    if let Some((low, high)) = word.split_once('-') {
        let (low, high) = (byte(low)?, byte(high)?);
        if low > high {
            return Err("a range begins with the smaller one");
        }
        out.push(Piece::Byte(low, high));
        return Ok(());
    }
    if !word.is_ascii() || !word.len().is_multiple_of(2) {
        return Err(WRONG);
    }
    let mut rest = word;
    while let Some((pair, after)) = rest.split_at_checked(2).filter(|(pair, _)| !pair.is_empty()) {
        out.push(if pair == ".." { Piece::Byte(0, 0xFF) } else { byte(pair).map(|byte| Piece::Byte(byte, byte))? });
        rest = after;
    }
    Ok(())
}

impl Expectation {
    /// What differs, in words that quote no byte of the answer's data.
    pub fn differs(&self, answer: &Response, variables: &Variables) -> Option<String> {
        match self {
            Expectation::Status(all) if all.iter().any(|pattern| pattern.fits(answer.sw)) => None,
            Expectation::Status(all) => {
                let wanted = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                Some(format!("the status word is {}, expected {wanted}", answer.sw))
            }
            Expectation::Data(pattern) => pattern.differs(&answer.data, variables),
            Expectation::Length(Count { low, high }) => {
                let seen = answer.data.len();
                let wanted = if low == high { low.to_string() } else { format!("{low} to {high}") };
                (!(*low..=*high).contains(&seen)).then(|| format!("the data has {seen} bytes, expected {wanted}"))
            }
        }
    }
}
