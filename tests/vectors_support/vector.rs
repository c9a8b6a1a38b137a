//! One known answer: reading it, comparing it, and changing what it states.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Map, Value, json};

/// A known answer.
#[derive(Clone)]
pub struct Vector {
    /// Unique in its file.
    pub name: String,
    /// Which computation.
    pub kind: String,
    /// What the computation is given.
    pub inputs: Map<String, Value>,
    stated: Vec<(&'static str, Map<String, Value>)>,
}

impl Vector {
    /// Reads a file of known answers.
    pub fn read(file: &Path) -> Result<Vec<Self>, String> {
        let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let vectors: Vec<Value> =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let vectors: Vec<Self> = vectors.iter().map(Self::of).collect::<Result<_, _>>()?;
        let names: HashSet<&str> = vectors.iter().map(|vector| vector.name.as_str()).collect();
        match (vectors.is_empty(), names.len() == vectors.len()) {
            (false, true) => Ok(vectors),
            (true, _) => Err("the file holds no vector".to_owned()),
            (_, false) => Err("duplicate name".to_owned()),
        }
    }

    /// Reads one known answer.
    pub fn of(value: &Value) -> Result<Self, String> {
        let text = |field: &str| {
            value.get(field).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("no {field}: {value}"))
        };
        let name = text("name")?;
        let map = |field: &str| match value.get(field) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(_) => Err(format!("{name}: {field} is no object")),
        };
        let stated = vec![("expected", map("expected")?), ("derived", map("derived")?)];
        if stated.iter().all(|(_, fields)| fields.is_empty()) {
            return Err(format!("{name}: states nothing"));
        }
        let (kind, inputs) = (text("kind")?, map("inputs")?);
        Ok(Self { name, kind, inputs, stated })
    }

    /// Compares every stated field with what was computed.
    pub fn compare(&self, outputs: &Value) -> Result<(), String> {
        for (section, fields) in &self.stated {
            agree(section, &Value::Object(fields.clone()), outputs)?;
        }
        Ok(())
    }

    /// This vector with one stated value changed, for every value and several changes.
    pub fn changed(&self) -> Vec<(String, Self)> {
        let mut out = Vec::new();
        for (at, (section, fields)) in self.stated.iter().enumerate() {
            for (what, fields) in changes(section, &Value::Object(fields.clone())) {
                let Value::Object(fields) = fields else { continue };
                let mut vector = self.clone();
                vector.stated[at].1 = fields;
                out.push((what, vector));
            }
        }
        out
    }
}

/// Whether what is stated stands in what was computed. Objects may hold more than is stated, lists may not.
fn agree(path: &str, stated: &Value, computed: &Value) -> Result<(), String> {
    match (stated, computed) {
        (Value::Object(stated), Value::Object(computed)) => stated.iter().try_for_each(|(field, stated)| {
            let path = format!("{path}.{field}");
            agree(&path, stated, computed.get(field).ok_or_else(|| format!("{path} is not computed"))?)
        }),
        (Value::Array(stated), Value::Array(computed)) if stated.len() == computed.len() => {
            let mut pairs = stated.iter().zip(computed).enumerate();
            pairs.try_for_each(|(at, (stated, computed))| agree(&format!("{path}[{at}]"), stated, computed))
        }
        (stated, computed) if stated == computed => Ok(()),
        (stated, computed) => Err(format!("{path} is {computed}, stated is {stated}")),
    }
}

/// The value with one thing in it changed.
fn changes(path: &str, value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Object(fields) => {
            let each = fields.iter().flat_map(|(field, inner)| {
                changes(&format!("{path}.{field}"), inner).into_iter().map(move |(what, inner)| {
                    let mut fields = fields.clone();
                    fields.insert(field.clone(), inner);
                    (what, Value::Object(fields))
                })
            });
            let mut more = fields.clone();
            more.insert("no such field".to_owned(), json!("00"));
            each.chain([(format!("{path}, a field more"), Value::Object(more))]).collect()
        }
        Value::Array(items) => {
            let each = items.iter().enumerate().flat_map(|(at, inner)| {
                changes(&format!("{path}[{at}]"), inner).into_iter().map(move |(what, inner)| {
                    let mut items = items.clone();
                    items[at] = inner;
                    (what, Value::Array(items))
                })
            });
            let more = [items.as_slice(), &[json!("00")]].concat();
            let mut out: Vec<_> = each.chain([(format!("{path}, one more"), Value::Array(more))]).collect();
            if let Some((_, fewer)) = items.split_last() {
                out.push((format!("{path}, one fewer"), Value::Array(fewer.to_vec())));
            }
            out
        }
        Value::String(text) => changed_text(text).map(|text| (path.to_owned(), Value::String(text))).collect(),
        Value::Bool(yes) => vec![(path.to_owned(), Value::Bool(!yes))],
        Value::Number(number) => vec![(path.to_owned(), json!(number.as_i64().unwrap_or_default() + 1))],
        Value::Null => vec![(path.to_owned(), json!("00"))],
    }
}

/// The text with its first, middle or last character changed, and with one more.
fn changed_text(text: &str) -> impl Iterator<Item = String> {
    let characters: Vec<char> = text.chars().collect();
    let mut places = match characters.len() {
        0 => vec![],
        length => vec![0, length / 2, length - 1],
    };
    places.dedup();
    let flipped = places.into_iter().map({
        let characters = characters.clone();
        move |at| {
            let mut characters = characters.clone();
            characters[at] = if characters[at] == '0' { '1' } else { '0' };
            characters.into_iter().collect()
        }
    });
    flipped.chain([format!("{text}0")])
}
