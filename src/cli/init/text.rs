//! The texts of a laboratory: its configuration and its README.md.

use super::orders::LabOrder;
use super::product::Product;
use super::site::filled;
use super::{CA_KEYS, ISSUER, KEYS, LEDGER, SITE};

const CONFIG_TEXT: &str = include_str!("templates/perso.toml");
const README_TEXT: &str = include_str!("templates/README.md");

/// The configuration.
pub(super) fn config() -> String {
    [("{KEYS}", KEYS), ("{SITE}", SITE), ("{LEDGER}", LEDGER), ("{ISSUER}", ISSUER), ("{CA_KEYS}", CA_KEYS)]
        .iter()
        .fold(CONFIG_TEXT.to_owned(), |text, (place, name)| text.replace(place, name))
}

/// The README.md.
pub(super) fn readme(product: &Product, orders: &[LabOrder]) -> String {
    let row = |order: &LabOrder| format!("| `{}` | {} |\n", order.path(), order.about());
    let line = |interface: &str| {
        let line = |order: &LabOrder| format!("perso run {} --reader sim{interface}\n", order.path());
        orders.iter().map(line).collect::<String>()
    };
    let contactless = match product.is_contactless() {
        true => format!("Contactless, in the same way:\n\n```sh\n{}```\n", line(" --interface contactless")),
        false => "The product is for contacts only.\n".to_owned(),
    };
    let aids: Vec<String> = product
        .aids()
        .iter()
        .zip(product.ids())
        .map(|(aid, id)| format!("`{}` ({id})", hex::encode_upper(aid)))
        .collect();
    filled(README_TEXT, product)
        .replace("{AIDS}", &aids.join(", "))
        .replace("{ORDER_ROWS}", row_text(orders, row).trim_end())
        .replace("{ORDER_RUNS}", line("").trim_end())
        .replace("{CONTACTLESS}", contactless.trim_end())
}

fn row_text(orders: &[LabOrder], row: impl Fn(&LabOrder) -> String) -> String {
    orders.iter().map(row).collect()
}
