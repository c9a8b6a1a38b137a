//! Reading the inputs of a vector.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use serde_json::{Map, Value};

/// The inputs of a vector. Remembers which of them were read.
pub struct Inputs<'a> {
    fields: &'a Map<String, Value>,
    path: String,
    read: Rc<RefCell<HashSet<String>>>,
}

impl<'a> Inputs<'a> {
    /// The inputs of a vector, none of them read yet.
    pub fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields, path: String::new(), read: Rc::default() }
    }

    /// An input that must be there.
    pub fn value(&self, name: &str) -> Result<&'a Value, String> {
        self.read.borrow_mut().insert(format!("{}{name}", self.path));
        self.fields.get(name).ok_or_else(|| format!("there is no input {name}"))
    }

    /// Inputs that this kind of computation knows and does not always need.
    pub fn known(&self, names: &[&str]) {
        self.read.borrow_mut().extend(names.iter().map(|name| format!("{}{name}", self.path)));
    }

    /// All inputs here are known to this kind of computation: their names are data.
    pub fn all_known(&self) {
        self.read.borrow_mut().extend(self.fields.keys().map(|name| format!("{}{name}", self.path)));
    }

    /// Whether an input is there.
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Names an input that no computation has read: it might change the result.
    pub fn unread(&self) -> Option<String> {
        fn find(read: &HashSet<String>, path: &str, fields: &Map<String, Value>) -> Option<String> {
            fields.iter().find_map(|(name, value)| {
                let path = format!("{path}{name}");
                let inner = |path: &str, value: &Value| match value {
                    // Read as a whole where no member of it was asked for.
                    Value::Object(fields) if read.iter().any(|it| it.starts_with(path)) => find(read, path, fields),
                    _ => None,
                };
                match value {
                    _ if !read.contains(&path) => Some(path),
                    Value::Array(items) => {
                        items.iter().enumerate().find_map(|(at, it)| inner(&format!("{path}[{at}]."), it))
                    }
                    other => inner(&format!("{path}."), other),
                }
            })
        }
        find(&self.read.borrow(), "", self.fields)
    }

    fn below(&self, path: String, fields: &'a Map<String, Value>) -> Self {
        Self { fields, path, read: Rc::clone(&self.read) }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<&'a str, String> {
        self.value(name)?.as_str().ok_or_else(|| format!("input {name} is no text"))
    }

    /// A text, where it is given.
    pub fn optional_text(&self, name: &str) -> Result<Option<&'a str>, String> {
        if self.has(name) { self.text(name).map(Some) } else { Ok(None) }
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
        if self.has(name) { self.number(name) } else { Ok(default) }
    }

    /// A list.
    pub fn list(&self, name: &str) -> Result<&'a [Value], String> {
        self.value(name)?.as_array().map(Vec::as_slice).ok_or_else(|| format!("input {name} is no list"))
    }

    /// A list of objects.
    pub fn objects(&self, name: &str) -> Result<Vec<Inputs<'a>>, String> {
        let object = |(at, value): (usize, &'a Value)| {
            let fields = value.as_object().ok_or_else(|| format!("input {name}: no object"))?;
            Ok(self.below(format!("{}{name}[{at}].", self.path), fields))
        };
        self.list(name)?.iter().enumerate().map(object).collect()
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Inputs<'a>, String> {
        let fields = self.value(name)?.as_object().ok_or_else(|| format!("input {name} is no object"))?;
        Ok(self.below(format!("{}{name}.", self.path), fields))
    }
}
