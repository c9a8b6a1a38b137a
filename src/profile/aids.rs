//! Names of applications: a profile states each AID once, and uses the application's `id` from then on.

use std::collections::BTreeMap;

use super::file::ProfileFile;
use super::prepare::file::ObjectFile;

/// A path and what is wrong there.
type Add<'a> = &'a mut dyn FnMut(String, String);

/// Puts the AIDs in the places of the names. What comes out is what the profile would be without names, so that its hash
/// does not depend on them.
pub(super) fn resolve(file: &mut ProfileFile, add: Add) {
    let mut aids = BTreeMap::new();
    for (at, app) in file.application.iter_mut().enumerate() {
        let Some(id) = app.id.take() else { continue };
        let path = format!("application[{at}].id");
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || !id.chars().all(good) || id.chars().all(|c| c.is_ascii_hexdigit()) {
            add(path, format!("{id:?} is no name: small letters, digits and hyphens, and not hexadecimal"));
        } else if aids.insert(id.clone(), app.aid.clone()).is_some() {
            add(path, format!("duplicate name {id:?}"));
        }
    }
    let named = |text: &mut String| {
        if let Some(aid) = aids.get(text) {
            text.clone_from(aid);
        }
    };
    file.application.iter_mut().filter_map(|app| app.counter.as_mut()).for_each(named);
    file.dgi.iter_mut().flat_map(|dgi| &mut dgi.applications).for_each(named);
    for (at, app) in file.prepare.iter_mut().flat_map(|prepare| &mut prepare.application).enumerate() {
        named(&mut app.aid);
        for (number, grouping) in app.grouping.iter_mut().enumerate() {
            let path = format!("prepare.application[{at}].grouping[{number}]");
            objects(&path, &mut grouping.put, &aids, add);
        }
    }
    directories(file, add);
}

/// The names of the directories of payment systems. // EMV B1 §11.3.1, EMV contactless B §3.3.1
const DIRECTORIES: [&str; 2] = ["315041592E5359532E4444463031", "325041592E5359532E4444463031"];

/// The AIDs that the prepared directories name: each is that of a prepared application, or its beginning.
fn directories(file: &ProfileFile, add: Add) {
    let prepared = || file.prepare.iter().flat_map(|prepare| &prepare.application);
    let held: Vec<String> = prepared().map(|app| app.aid.to_ascii_uppercase()).collect();
    for (at, app) in
        prepared().enumerate().filter(|(_, app)| DIRECTORIES.contains(&app.aid.to_ascii_uppercase().as_str()))
    {
        for (number, grouping) in app.grouping.iter().enumerate() {
            named(&format!("prepare.application[{at}].grouping[{number}]"), &grouping.put, &held, add);
        }
    }
}

fn named(path: &str, put: &[ObjectFile], held: &[String], add: Add) {
    for (at, object) in put.iter().enumerate() {
        let path = format!("{path}.put[{at}]");
        named(&path, &object.put, held, add);
        let Some(aid) = object.fixed.as_ref().filter(|_| object.tag.eq_ignore_ascii_case("4F")) else { continue };
        if !held.iter().any(|app| app.starts_with(&aid.to_ascii_uppercase())) {
            add(format!("{path}.fixed"), format!("the directory names {aid}, which no application in [prepare] has"));
        }
    }
}

/// Objects whose value is the AID of an application.
fn objects(path: &str, put: &mut [ObjectFile], aids: &BTreeMap<String, String>, add: Add) {
    for (at, object) in put.iter_mut().enumerate() {
        let path = format!("{path}.put[{at}]");
        objects(&path, &mut object.put, aids, add);
        let Some(name) = object.aid.take() else { continue };
        match aids.get(&name) {
            _ if object.fixed.is_some() => {
                add(path, "an object has exactly one of fixed, text, order, derive, aid and put".into())
            }
            Some(aid) => object.fixed = Some(aid.clone()),
            None => {
                let known: Vec<&str> = aids.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "no application has an id".to_owned() } else { known.join(", ") };
                add(format!("{path}.aid"), format!("{name:?} is the id of no application; there are: {known}"));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::profile::{Problem, Profile};

    const AID: &str = "A0000009990301";

    fn product(name: &str) -> String {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("card-profiles");
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    /// The sample product with its AID stated once.
    fn named() -> String {
        let text = product("visa-like-debit.toml");
        let once = format!("[[application]]\naid = \"{AID}\"\n");
        let (before, after) = text.split_once(&once).unwrap();
        let after = after
            .replace(&format!("{{ tag = \"4F\", fixed = \"{AID}\" }}"), "{ tag = \"4F\", aid = \"debit\" }")
            .replace(&format!("\"{AID}\""), "\"debit\"");
        format!("{before}{once}id = \"debit\"\n{after}")
    }

    fn problems(text: &str) -> Vec<String> {
        let told = |problem: Problem| format!("{}: {}", problem.path, problem.message);
        Profile::parse(text).err().into_iter().flatten().map(told).collect()
    }

    #[test]
    fn profile_with_names_is_the_one_with_aids() {
        let text = named();
        assert_eq!(text.matches(AID).count(), 1);
        let with_aids = Profile::parse(&product("visa-like-debit.toml")).unwrap();
        assert_eq!(Profile::parse(&text).unwrap().hash(), with_aids.hash());
        // Another AID is one edit.
        let other = Profile::parse(&text.replace(AID, "A0000009990399")).unwrap();
        assert!(
            other.recipe().unwrap().applications().iter().any(|app| hex::encode_upper(&app.aid) == "A0000009990399")
        );
    }

    #[test]
    fn directory_entry_without_application_is_told() {
        let text = product("visa-like-debit.toml");
        let entry = format!("{{ tag = \"4F\", fixed = \"{AID}\" }}");
        assert!(problems(&text).is_empty() && text.contains(&entry));
        for other in ["A0000009990309", "A000000999030101", "A0000009990302"] {
            let broken = text.replacen(&entry, &format!("{{ tag = \"4F\", fixed = \"{other}\" }}"), 1);
            let found = problems(&broken);
            let expected = format!("the directory names {other}, which no application in [prepare] has");
            assert!(found.iter().any(|it| it.contains(&expected) && it.contains(".fixed: ")), "{other}: {found:?}");
        }
        // The beginning of an AID is told by a rule, at preparation.
        assert!(problems(&text.replacen(&entry, "{ tag = \"4F\", fixed = \"A000000999\" }", 1)).is_empty());
    }

    #[test]
    fn names_that_name_nothing_are_told() {
        let text = named();
        for (from, to, expected) in [
            ("id = \"debit\"\n", "id = \"Debit\"\n", "application[0].id: \"Debit\" is no name"),
            ("id = \"debit\"\n", "id = \"a0\"\n", "application[0].id: \"a0\" is no name"),
            ("name = \"PPSE,", "id = \"debit\"\nname = \"PPSE,", "application[1].id: duplicate name \"debit\""),
            ("aid = \"debit\" }", "aid = \"credit\" }", "\"credit\" is the id of no application; there are: debit"),
            ("aid = \"debit\" }", "aid = \"debit\", fixed = \"00\" }", "an object has exactly one of"),
            ("applications = [\"debit\"]", "applications = [\"credit\"]", "dgi[0].applications[0]"),
        ] {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text, "{from}");
            let found = problems(&broken);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: {found:?}");
        }
    }
}
