//! Running `perso calc`, and reading what it prints.
#![allow(dead_code)]

pub(crate) use crate::live_keys;

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

pub const KEYS: &str = "tests/samples/keys.test.json";

/// What a run has given.
pub struct Ran {
    pub code: i32,
    pub json: Value,
    pub said: String,
}

impl Ran {
    /// A result by its name.
    #[track_caller]
    pub fn result(&self, name: &str) -> &str {
        let results = self.json["results"].as_array().unwrap_or_else(|| panic!("{} {}", self.json, self.said));
        let found = results.iter().find(|line| line["name"] == name);
        found.and_then(|line| line["value"].as_str()).unwrap_or_else(|| panic!("no {name}: {}", self.json))
    }

    /// A result that is there, and not shown.
    pub fn is_withheld(&self, name: &str) -> bool {
        let results = self.json["results"].as_array().into_iter().flatten();
        results.clone().any(|line| line["name"] == name && line["value"].is_null() && line["withheld"].is_string())
    }
}

/// Runs `perso calc` with this on standard input; what it prints must fit the schema.
pub fn calc(arguments: &[&str], input: &str) -> Ran {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::cargo_bin("perso").unwrap();
    let command = command.current_dir(root).arg("calc").args(arguments).args(["--format", "json"]);
    let output = command.write_stdin(input).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let code = output.status.code().unwrap();
    if code == 0 || code == 10 {
        let schema = std::fs::read_to_string(root.join("docs/schemas/calc.schema.json")).unwrap();
        let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
        assert!(validator.is_valid(&json), "{arguments:?}: {json} {said}");
    }
    Ran { code, json, said }
}

/// The same, and it must work.
#[track_caller]
pub fn good(arguments: &[&str], input: &str) -> Ran {
    let ran = calc(arguments, input);
    assert_eq!(ran.code, 0, "{arguments:?}: {} {}", ran.json, ran.said);
    ran
}

/// The same for people: exit code and all that is printed.
pub fn text(arguments: &[&str], input: &str) -> (i32, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("calc").args(arguments);
    let output = command.write_stdin(input).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

/// The known answers of a file that are of this kind: inputs, and everything stated. There must be some.
pub fn vectors(file: &str, kind: &str) -> Vec<(Value, Value)> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let all: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let stated = |vector: &Value| {
        let mut stated = vector["expected"].clone();
        for (name, value) in vector["derived"].as_object().into_iter().flatten() {
            stated[name] = value.clone();
        }
        stated
    };
    let found: Vec<(Value, Value)> = all
        .iter()
        .filter(|vector| vector["kind"] == kind)
        .map(|vector| (vector["inputs"].clone(), stated(vector)))
        .collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

/// A text of a vector.
#[track_caller]
pub fn get<'a>(inputs: &'a Value, name: &str) -> &'a str {
    inputs[name].as_str().unwrap_or_else(|| panic!("{name}: {inputs}"))
}
