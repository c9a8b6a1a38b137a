//! Committed files that are made by the program: samples and schemas. `PERSO_BLESS=1` rewrites them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use perso::base::Chance;
use perso::record::{self, Record};
use support::{PROFILES, file_of, keys, profile};

fn held(path: &str, made: &str) {
    let path = file_of(path);
    if std::env::var_os("PERSO_BLESS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(held, made, "{} is not what the program makes; PERSO_BLESS=1 rewrites it", path.display());
}

#[test]
fn sample_records_are_rebuilt_byte_for_byte() {
    let store = keys();
    for name in PROFILES {
        let clear = std::fs::read(file_of(&format!("tests/samples/{name}.clear.json"))).unwrap();
        let hash = hex::encode(profile(name).hash());
        let mut chance = Chance::fixed((0..=255).cycle().take(4096).collect());
        let sealed =
            record::seal(&clear, &store, &hash, &mut chance).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        held(&format!("tests/samples/{name}.record.json"), &sealed);
        Record::open(sealed.as_bytes(), &store).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    }
}

fn schema<T: schemars::JsonSchema>(name: &str) {
    let schema = schemars::schema_for!(T);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    held(&format!("docs/schemas/{name}.schema.json"), &text);
}

#[test]
fn schemas_are_in_step() {
    schema::<perso::profile::ProfileFile>("profile");
    schema::<record::RecordFile>("record");
    schema::<record::BodyFile>("record-body");
    schema::<record::ClearFile>("record-clear");
    schema::<perso::order::OrderFile>("order");
    schema::<perso::order::SiteFile>("site");
    schema::<perso::issuance::result::RunResult>("result");
    schema::<perso::issuance::jobs::Jobs>("jobs");
    schema::<perso::issuance::proof::result::VerifyResult>("verify");
    schema::<perso::keys::ca_keys::CaKeysFile>("ca-keys");
    schema::<perso::keys::test_ca::TestCaFile>("test-ca");
    schema::<perso::issuance::plan_view::PlanView>("plan");
    schema::<perso::cli::config::ConfigFile>("config");
    schema::<perso::cli::config::Checked>("config-check");
    schema::<perso::cli::config::ConfigView>("config-show");
    schema::<perso::card::channel::AuthReport>("explain-auth");
    schema::<perso::card::script::ScriptReport>("card-apdu");
    schema::<perso::card::trace::TraceView>("trace-view");
    schema::<perso::card::gp::view::CardInfoView>("card-info");
    schema::<perso::issuance::registry_view::CardAppsView>("card-apps");
    schema::<perso::card::emv::view::CardDataView>("card-data");
    schema::<Vec<perso::cli::ReaderView>>("readers");
    schema::<perso::cli::ReadersEvent>("readers-watch");
    schema::<perso::cli::DoctorReport>("doctor");
    schema::<perso::prepare::IssuerFile>("issuer-certificate");
    schema::<perso::prepare::PoolFile>("pool");
}

#[test]
fn the_sample_order_and_site_fit_their_schemas() {
    let read = |path: &str| std::fs::read_to_string(file_of(path)).unwrap();
    let fits = |schema: &str, value: &serde_json::Value| {
        let schema = serde_json::from_str(&read(&format!("docs/schemas/{schema}.schema.json"))).unwrap();
        jsonschema::validator_for(&schema).unwrap().is_valid(value)
    };
    let mut order: serde_json::Value = serde_json::from_str(&read("tests/samples/orders/own.json")).unwrap();
    assert!(fits("order", &order));
    order["card"]["colour"] = "red".into();
    assert!(!fits("order", &order));
    let site: toml::Table = toml::from_str(&read("tests/samples/orders/site.toml")).unwrap();
    assert!(fits("site", &serde_json::to_value(site).unwrap()));
}

#[test]
fn samples_and_profiles_fit_their_schemas() {
    let validator = |name: &str| {
        let text = std::fs::read_to_string(file_of(&format!("docs/schemas/{name}.schema.json"))).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    };
    let ca_keys = std::fs::read(file_of("tests/samples/ca-keys.test.json")).unwrap();
    assert!(validator("ca-keys").is_valid(&serde_json::from_slice(&ca_keys).unwrap()));
    let (records, clears, profiles) = (validator("record"), validator("record-clear"), validator("profile"));
    for name in PROFILES {
        let json = |path: String| -> serde_json::Value {
            serde_json::from_str(&std::fs::read_to_string(file_of(&path)).unwrap()).unwrap()
        };
        assert!(records.is_valid(&json(format!("tests/samples/{name}.record.json"))));
        assert!(clears.is_valid(&json(format!("tests/samples/{name}.clear.json"))));
        let text = std::fs::read_to_string(file_of(&format!("card-profiles/{name}.toml"))).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert!(profiles.is_valid(&serde_json::to_value(table).unwrap()), "{name}");
    }
}
