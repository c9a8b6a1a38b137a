//! The schemas of what commands print beside plans and results, held in step with docs/schemas. `PERSO_BLESS=1` rewrites them.
#![allow(clippy::unwrap_used)]

use super::calc::Calculated;
use super::check::Checked;
use super::custody::{Exported, KcvShown};
use super::explain::{Explained, Meaning};
use super::keys_passphrase::Resealed;
use super::keys_public::{PublicShown, Removed};
use super::listed_keys::{Listed, ListedKeys};
use super::out::Written;
use crate::record::RecordView;

fn held<T: schemars::JsonSchema>(name: &str) {
    let mut schema = schemars::schema_for!(T);
    // `Out::json` adds this member to every object while there are warnings.
    if schema.get("type").is_some_and(|it| it == "object") {
        let warnings = schemars::json_schema!({
            "description": "Warnings; the command went on.",
            "type": "array",
            "items": schemars::schema_for!(crate::base::Warning),
        });
        let properties = schema.ensure_object().entry("properties").or_insert(serde_json::json!({}));
        properties.as_object_mut().unwrap().entry("warnings").or_insert(warnings.to_value());
    }
    let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = format!("{}/docs/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("PERSO_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(held, made, "{path} is not what the program prints; PERSO_BLESS=1 rewrites it");
}

#[test]
fn schemas_are_in_step() {
    held::<Calculated>("calc");
    held::<Vec<Checked>>("check");
    held::<Explained>("explain");
    held::<Vec<Explained>>("explain-all");
    held::<Meaning>("explain-status-word");
    held::<ListedKeys<'_>>("keys-list");
    held::<PublicShown<'_>>("keys-public");
    held::<Removed<'_>>("keys-remove");
    held::<Resealed>("keys-passphrase");
    held::<super::keys_needed::Needed>("keys-needed");
    held::<Listed<'_>>("key");
    held::<Exported<'_>>("keys-export");
    held::<KcvShown<'_>>("keys-kcv");
    held::<RecordView>("record-show");
    held::<Written>("written");
    held::<super::prepare::PreparedView>("prepared");
    held::<Vec<super::pool::StockView>>("pool-status");
    held::<super::Failed<'_>>("fault");
    held::<Vec<super::ca::Listed>>("ca-list");
    held::<super::ca::Certified>("ca-certify");
    held::<super::demo::DemoView>("demo");
    held::<super::init::LabView>("init-lab");
    held::<super::ledger::view::LedgerView>("ledger-init");
    held::<super::ledger::view::ListView>("ledger-list");
    held::<super::ledger::view::ShowView>("ledger-show");
    held::<super::ledger::view::CheckView>("ledger-check");
    held::<super::ledger::view::ActView>("ledger-act");
}
