//! Bytes with variables in them.

use std::collections::HashMap;

use zeroize::Zeroizing;

use crate::base::codec::pasted::compact;

/// The values of variables. They are wiped when they go: a script may hold a PIN.
pub type Variables = HashMap<String, Zeroizing<Vec<u8>>>;

/// Longest value that a variable or a command comes to, in bytes: an extended APDU.
const LONGEST: usize = 65_544;

/// Bytes in hexadecimal with `${NAME}` and `${#NAME}` in them.
pub struct Template(Vec<Part>);

enum Part {
    Bytes(Zeroizing<Vec<u8>>),
    Value(String),
    Length(String),
}

impl Template {
    /// Reads hexadecimal as people paste it (blanks, colons, hyphens, 0x), `${NAME}` and `${#NAME}`.
    ///
    /// # Errors
    /// In words, without a quotation: the text may hold a PIN.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            push(&mut parts, before)?;
            let (name, after) = after.split_once('}').ok_or("a ${ without its }")?;
            let part = match name.strip_prefix('#') {
                Some(name) => Part::Length(named(name)?),
                None => Part::Value(named(name)?),
            };
            parts.push(part);
            rest = after;
        }
        push(&mut parts, rest)?;
        if parts.is_empty() { Err("there are no bytes") } else { Ok(Self(parts)) }
    }

    /// The names of the variables in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Bytes(_) => None,
            Part::Value(name) | Part::Length(name) => Some(name.as_str()),
        })
    }

    /// The instruction of the command that these bytes are, where no variable stands before it.
    pub fn instruction(&self) -> Option<u8> {
        let constant = self.0.iter().map_while(|part| match part {
            Part::Bytes(bytes) => Some(bytes.iter()),
            Part::Value(_) | Part::Length(_) => None,
        });
        constant.flatten().nth(1).copied()
    }

    /// The bytes with these values.
    ///
    /// # Errors
    /// In words: a variable that has no value, or a length that does not fit one byte.
    pub fn fill(&self, variables: &Variables) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let mut out = Zeroizing::new(Vec::new());
        for part in &self.0 {
            let value = |name: &String| variables.get(name).ok_or("a variable in it has no value yet");
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Value(name) => out.extend_from_slice(value(name)?),
                Part::Length(name) => {
                    out.push(u8::try_from(value(name)?.len()).map_err(|_| "a length in it is more than 255")?);
                }
            }
            if out.len() > LONGEST {
                return Err("it is longer than any APDU");
            }
        }
        Ok(out)
    }
}

fn push(parts: &mut Vec<Part>, text: &str) -> Result<(), &'static str> {
    let compact = compact(text);
    if !compact.is_empty() {
        let bytes = hex::decode(compact.as_bytes()).map_err(|_| "it is not whole bytes in hexadecimal")?;
        parts.push(Part::Bytes(Zeroizing::new(bytes)));
    }
    Ok(())
}

/// A variable's name: a letter, then letters, digits and `_`.
pub(super) fn named(text: &str) -> Result<String, &'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = text.trim();
    if name.len() <= 32 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(good) {
        Ok(name.to_owned())
    } else {
        Err("a name is a letter, then letters, digits and _, 32 at most")
    }
}
