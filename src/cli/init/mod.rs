//! `perso init lab`: a laboratory from nothing, in one folder.

mod dates;
mod folder;
mod keys;
mod orders;
mod pin;
mod product;
mod site;
mod text;

use serde::Serialize;

use self::dates::Dates;
pub(super) use self::folder::NewFolder;
use self::keys::LabKeys;
use self::product::Product;
use super::args::{InitCommand, InitLabArgs};
use super::claimed::Access;
use super::common::{self, CliError, Out};
use super::error_words::typed;
use super::{ca_error::CaError, machine};
use crate::base::emv::certificate::Subject;
use crate::keys::test_ca::{TestCa, TestCaError};
use crate::ledger::SqliteStore;
use crate::prepare::IssuerFile;

/// The files of a laboratory.
const CONFIG: &str = "perso.toml";
const SITE: &str = "site.toml";
const KEYS: &str = "keys.test.json";
const LEDGER: &str = "ledger.db";
const CA: &str = "ca.test.json";
const CA_KEYS: &str = "ca-keys.json";
const ISSUER: &str = "issuer.json";
const PIN: &str = "pin.txt";
const README: &str = "README.md";

/// Length of the keys of CA and issuer, and their exponent. // EMV B2 §D1.1
const BITS: usize = 1408;
/// Index of the CA's key, and serial number of the certificate.
const CA_INDEX: u8 = 0xF1;
const SERIAL: [u8; 3] = [0, 0, 1];

/// A laboratory that was made.
#[derive(Serialize, schemars::JsonSchema)]
pub struct LabView {
    /// Its folder.
    folder: String,
    /// Name of the product and its profile.
    product: String,
    /// The sample that it began with.
    sample: &'static str,
    /// AIDs of its payment applications, hexadecimal.
    aids: Vec<String>,
    /// Names of its test keys.
    keys: Vec<String>,
    /// Its sample orders.
    orders: Vec<String>,
    /// The next commands.
    next: Vec<String>,
}

/// Makes a laboratory.
///
/// # Errors
/// An option is wrong, the folder is not new or empty, or something cannot be written. Nothing is left then.
pub fn run(command: &InitCommand, out: &mut Out) -> Result<u8, CliError> {
    let InitCommand::Lab(args) = command;
    let view = lab(args)?;
    if !out.json(&view) {
        out.line(format!("Made the laboratory {} for product {}.", view.folder, view.product));
        out.line(format!(
            "All its {} keys are test keys, drawn for it. README.md says what comes next.",
            view.keys.len()
        ));
        out.line("");
        out.line("The first card:");
        view.next.iter().for_each(|line| out.line(format!("  {line}")));
    }
    Ok(0)
}

fn lab(args: &InitLabArgs) -> Result<LabView, CliError> {
    let product = Product::of(args)?;
    let dates = Dates::from(common::clock().now())?;
    let site = site::site(&product)?;
    let folder = NewFolder::begin(&args.folder)?;
    let mut chance = common::chance();
    let keys = LabKeys::draw(&product, &site, &mut chance)?;

    folder.write(&format!("card-profiles/{}.toml", product.name()), product.text(), Access::Umask)?;
    folder.write(SITE, site.text(), Access::Umask)?;
    folder.write(CONFIG, &text::config(), Access::Umask)?;
    folder.write(KEYS, keys.text()?.expose(), Access::Owner)?;
    for (name, text) in keys.public_files(&site)? {
        folder.write(&format!("public/{name}"), &text, Access::Umask)?;
    }
    certificate(&product, &keys, &dates, &folder)?;
    let pin = pin::draw(&mut chance)?;
    folder.write(PIN, pin.line()?.expose(), Access::Owner)?;
    let orders = orders::make(&product, &site, &keys, &pin, &dates, &mut chance)?;
    for order in &orders {
        folder.write(&order.path(), order.text().expose(), Access::Owner)?;
    }
    SqliteStore::create_test(&folder.path(LEDGER), machine::origin(), &mut machine::ports(std::time::Duration::ZERO))?;
    folder.write(README, &text::readme(&product, &orders), Access::Umask)?;
    folder.finish()?;

    let shown = args.folder.display().to_string();
    Ok(LabView {
        product: product.name().to_owned(),
        sample: product.sample(),
        aids: product.aids().iter().map(hex::encode_upper).collect(),
        keys: keys.names(),
        orders: orders.iter().map(orders::LabOrder::path).collect(),
        next: vec![format!("cd {}", typed(&args.folder)), "perso run orders/own.json --reader sim".to_owned()],
        folder: shown,
    })
}

/// The test CA, and the certificate of the issuer's key.
fn certificate(product: &Product, keys: &LabKeys, dates: &Dates, folder: &NewFolder) -> Result<(), CliError> {
    let failed = |source: TestCaError| CaError::Test { path: folder.path(CA), source: Box::new(source) };
    let ca = TestCa::generate(product.rid(), CA_INDEX, dates.ca(), BITS, &mut common::chance()).map_err(failed)?;
    folder.write(CA, ca.to_text().map_err(failed)?.expose(), Access::Owner)?;
    folder.write_json(CA_KEYS, &ca.ca_keys().to_file())?;
    let subject = Subject { expiry: dates.certificate(), serial: SERIAL };
    let issued = ca.certify(product.issuer_id(), subject, &keys.issuer(product)?).map_err(failed)?;
    let public = ca.ca_keys();
    for key in public.keys() {
        folder.write_json(ISSUER, &IssuerFile::of(key.rid(), key.index(), key.key(), &issued))?;
    }
    Ok(())
}
