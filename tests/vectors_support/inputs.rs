//! Reading the inputs of a vector.

use serde_json::{Map, Value};

/// The inputs of a vector.
pub struct Inputs<'a>(pub &'a Map<String, Value>);

impl<'a> Inputs<'a> {
    /// An input that must be there.
    pub fn value(&self, name: &str) -> Result<&'a Value, String> {
        self.0.get(name).ok_or_else(|| format!("there is no input {name}"))
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<&'a str, String> {
        self.value(name)?.as_str().ok_or_else(|| format!("input {name} is no text"))
    }

    /// A text, where it is given.
    pub fn optional_text(&self, name: &str) -> Result<Option<&'a str>, String> {
        if self.0.contains_key(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    /// Bytes in hexadecimal.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        hex::decode(self.text(name)?).map_err(|error| format!("input {name}: {error}"))
    }

    /// Exactly so many bytes in hexadecimal.
    pub fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], String> {
        self.bytes(name)?.try_into().map_err(|_| format!("input {name} has not {N} bytes"))
    }

    /// One byte in hexadecimal.
    pub fn byte(&self, name: &str) -> Result<u8, String> {
        self.array(name).map(|[byte]| byte)
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<usize, String> {
        let number = self.value(name)?.as_u64().ok_or_else(|| format!("input {name} is no number"))?;
        usize::try_from(number).map_err(|error| format!("input {name}: {error}"))
    }

    /// A number, or what stands for it where it is absent.
    pub fn number_or(&self, name: &str, default: usize) -> Result<usize, String> {
        if self.0.contains_key(name) { self.number(name) } else { Ok(default) }
    }

    /// A list.
    pub fn list(&self, name: &str) -> Result<&'a [Value], String> {
        self.value(name)?.as_array().map(Vec::as_slice).ok_or_else(|| format!("input {name} is no list"))
    }

    /// A list of objects.
    pub fn objects(&self, name: &str) -> Result<Vec<Inputs<'a>>, String> {
        let object = |value: &'a Value| value.as_object().map(Inputs).ok_or_else(|| format!("input {name}: no object"));
        self.list(name)?.iter().map(object).collect()
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Inputs<'a>, String> {
        self.value(name)?.as_object().map(Inputs).ok_or_else(|| format!("input {name} is no object"))
    }
}
