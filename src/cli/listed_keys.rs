//! Keys as they are listed.

use serde::Serialize;

use crate::keys::{KeyHeader, KeyInfo};

/// A key as it is listed.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Listed<'a> {
    /// Name.
    name: &'a str,
    /// Whose key it is.
    zone: &'a str,
    /// What it is for.
    purpose: &'static str,
    /// Version; of a card's master key the key version number.
    version: u8,
    /// Cipher and length.
    algorithm: &'static str,
    /// Check value, hexadecimal.
    kcv: String,
    /// How the check value is made.
    kcv_method: &'static str,
    /// A test key.
    test: bool,
    /// KMCID of the cards that a master key is for.
    kmcid: Option<String>,
    /// The limits of the key block that it came in; absent if it came without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<ListedHeader<'a>>,
}

/// The keys of a key file or token.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ListedKeys<'a> {
    /// The keys, in the order of the file.
    pub keys: Vec<Listed<'a>>,
}

/// The header of a key block as it is listed.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ListedHeader<'a> {
    /// Key usage.
    usage: &'a str,
    /// Mode of use; N sets no limits.
    mode: char,
    /// Key version number; 00 if none.
    key_version: &'a str,
    /// Exportability: E, N or S.
    exportability: char,
    /// Key context: 0 or 2.
    context: char,
    /// Ids of the optional blocks.
    blocks: Vec<&'a str>,
}

impl<'a> ListedHeader<'a> {
    fn of(header: &'a KeyHeader) -> Self {
        Self {
            usage: &header.usage,
            mode: header.mode,
            key_version: &header.key_version,
            exportability: header.exportability,
            context: header.context,
            blocks: header.blocks.iter().map(|block| block.id.as_str()).collect(),
        }
    }

    fn text(&self) -> String {
        format!(" {}/{}/{}", self.usage, self.mode, self.exportability)
    }
}

impl<'a> Listed<'a> {
    /// What is shown of a key.
    pub fn of(key: &'a KeyInfo) -> Self {
        Self {
            name: &key.name,
            zone: &key.zone,
            purpose: key.purpose.name(),
            version: key.version,
            algorithm: key.algorithm.name(),
            kcv: hex::encode_upper(&key.kcv.value),
            kcv_method: key.kcv.method.name(),
            test: key.test,
            kmcid: key.kmcid.map(hex::encode_upper),
            header: key.header.as_ref().map(ListedHeader::of),
        }
    }

    /// The cells of a row of the list.
    pub fn row(&self) -> Vec<String> {
        vec![
            self.name.to_owned(),
            self.purpose.to_owned(),
            format!("{:02X}", self.version),
            self.algorithm.to_owned(),
            self.kcv.clone(),
            self.kcv_method.to_owned(),
            if self.test { "test" } else { "live" }.to_owned(),
            self.zone.to_owned(),
            self.header.as_ref().map(|header| header.text().trim().to_owned()).unwrap_or_default(),
            self.kmcid.clone().unwrap_or_default(),
        ]
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let zone = if self.zone.is_empty() { String::new() } else { format!(", zone {}", self.zone) };
        format!(
            "{}, {}{zone}, version {:02X}, {}, KCV {} ({}){}{}, {}",
            self.name,
            self.purpose,
            self.version,
            self.algorithm,
            self.kcv,
            self.kcv_method,
            self.kmcid.as_ref().map(|id| format!(", KMCID {id}")).unwrap_or_default(),
            self.header.as_ref().map(|header| format!(",{}", header.text())).unwrap_or_default(),
            if self.test { "test key" } else { "live key" },
        )
    }
}
