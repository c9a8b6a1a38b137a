//! Making a prepared record from a clear one: for test keys only.

use super::file::{
    BodyFile, ClearFile, GroupingFile, HeaderFile, KeyFile, ProfileFile, RecordFile, SealedBodyFile, SealedFile,
};
use super::open::{associated_data, parse};
use super::{MAX_RECORD, Problem, Record, RecordProblems, problem};
use crate::base::Chance;
use crate::base::Secret;
use crate::base::crypto::{Cipher, KcvMethod, NONCE};
use crate::base::fault::{Code, Fault};
use crate::keys::{KeyHandle, KeyInfo, KeyStore, Purpose};

/// Name of the profile that a clear record is for.
///
/// # Errors
/// It is not a clear record of version 1.
pub fn clear_profile_name(bytes: &[u8]) -> Result<String, RecordProblems> {
    clear(bytes).map(|file| file.profile)
}

/// Seals a clear record; the result has been opened again and checked.
///
/// # Errors
/// Everything that is wrong with it. A key that is not a test key is refused.
pub fn seal(
    bytes: &[u8],
    store: &dyn KeyStore,
    profile_sha256: &str,
    chance: &mut Chance,
) -> Result<String, RecordProblems> {
    let mut file = clear(bytes)?;
    let mut sealing = Sealing { store, chance, used: Vec::new(), problems: Vec::new() };
    for (at, app) in file.body.applications.iter_mut().enumerate() {
        for (number, grouping) in app.groupings.iter_mut().enumerate() {
            sealing.grouping(&format!("body.applications[{at}].groupings[{number}]"), grouping);
        }
    }
    let record_key = sealing.key("record_key", &file.record_key, Purpose::Record);
    let Sealing { used, problems, .. } = sealing;
    let Some(record_key) = record_key.filter(|_| problems.is_empty()) else { return Err(problems) };

    let described = |name: &str| store.keys().iter().find(|info| info.name == name).map(describe);
    let header = HeaderFile {
        id: file.id.clone(),
        profile: ProfileFile { name: file.profile.clone(), sha256: profile_sha256.to_owned() },
        record_key: described(&file.record_key).ok_or_else(Vec::new)?,
        transport_keys: used.iter().filter_map(|name| described(name)).collect(),
        test: true,
    };
    let text = self::file(header, &file.body, &record_key, store, chance)?;
    Record::open(text.as_bytes(), store)?;
    Ok(text)
}

/// The file of a record whose body is sealed now.
pub(super) fn file(
    header: HeaderFile,
    clear: &BodyFile,
    record_key: &KeyHandle,
    store: &dyn KeyStore,
    chance: &mut Chance,
) -> Result<String, RecordProblems> {
    let body = body(&header, clear, record_key, store, chance)?;
    let record = RecordFile { perso_record: 1, header, body };
    let text = serde_json::to_string_pretty(&record).map_err(|_| unwritable())?;
    Ok(text + "\n")
}

/// A value that JSON cannot express: nothing is sealed in its place.
fn unwritable() -> RecordProblems {
    vec![problem("body", Code::ProgramFault, "it cannot be written as JSON")]
}

fn clear(bytes: &[u8]) -> Result<ClearFile, RecordProblems> {
    if bytes.len() > MAX_RECORD {
        return Err(vec![problem("(file)", Code::RecordSyntax, "it is larger than a record may be")]);
    }
    let file: ClearFile = parse(bytes, "(file)")?;
    if file.perso_clear_record != 1 {
        let message = format!("version {} is not known; this program reads version 1", file.perso_clear_record);
        return Err(vec![problem("perso_clear_record", Code::RecordSyntax, message)]);
    }
    Ok(file)
}

struct Sealing<'a> {
    store: &'a dyn KeyStore,
    chance: &'a mut Chance,
    used: Vec<String>,
    problems: Vec<Problem>,
}

impl Sealing<'_> {
    /// Replaces a secret by its sealed form.
    fn grouping(&mut self, path: &str, grouping: &mut GroupingFile) {
        let Some(secret) = grouping.secret.take() else { return };
        let Some(key) = self.key(&format!("{path}.secret.key"), &secret.key, Purpose::Transport) else { return };
        let Some(value) = Secret::from_hex(&secret.value) else {
            self.problems.push(problem(format!("{path}.secret.value"), Code::RecordDgi, "it is not hexadecimal"));
            return;
        };
        let mut iv = vec![0; key.algorithm().cipher().map_or(0, Cipher::block)];
        let sealed = match self.chance.fill(&mut iv) {
            Ok(()) => self.store.seal(&key, &iv, &value).map_err(|error| (error.code(), error.to_string())),
            Err(error) => Err((Code::ProgramFault, error.to_string())),
        };
        match sealed {
            Ok(ciphertext) => {
                grouping.sealed = Some(SealedFile {
                    key: secret.key.clone(),
                    iv: Some(hex::encode_upper(iv)),
                    length: value.len(),
                    ciphertext: hex::encode_upper(ciphertext),
                });
                if !self.used.contains(&secret.key) {
                    self.used.push(secret.key.clone());
                }
            }
            Err((code, message)) => self.problems.push(problem(path, code, message)),
        }
    }

    fn key(&mut self, path: &str, name: &str, purpose: Purpose) -> Option<KeyHandle> {
        let problem = match self.store.open(name, purpose) {
            Ok(key) if key.is_test() => return Some(key),
            Ok(_) => problem(
                path,
                Code::KeyLive,
                format!("key {name:?} is a live key; records are sealed here for test keys only"),
            ),
            Err(error) => problem(path, error.code(), error.to_string()),
        };
        self.problems.push(problem);
        None
    }
}

pub(super) fn describe(info: &KeyInfo) -> KeyFile {
    KeyFile {
        name: info.name.clone(),
        kcv: hex::encode_upper(&info.kcv.value),
        kcv_method: KcvMethod::name(info.kcv.method).into(),
    }
}

fn body(
    header: &HeaderFile,
    body: &BodyFile,
    key: &KeyHandle,
    store: &dyn KeyStore,
    chance: &mut Chance,
) -> Result<SealedBodyFile, RecordProblems> {
    let failed = |code, message: String| vec![problem("body", code, message)];
    let nonce: [u8; NONCE] = chance.bytes().map_err(|error| failed(Code::ProgramFault, error.to_string()))?;
    let clear = Secret::of_json(body).map_err(|_| unwritable())?;
    let associated = associated_data(header).ok_or_else(|| failed(Code::RecordSyntax, "no canonical form".into()))?;
    let (ciphertext, tag) =
        store.seal_body(key, &nonce, &associated, &clear).map_err(|error| failed(error.code(), error.to_string()))?;
    Ok(SealedBodyFile {
        nonce: hex::encode_upper(nonce),
        ciphertext: hex::encode_upper(ciphertext),
        tag: hex::encode_upper(tag),
    })
}
