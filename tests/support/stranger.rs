//! A whole terminal that we did not write: the flow of the crate `emv`, from the selection to the second GENERATE AC.
#![allow(dead_code)]

use emv::config::{AidsConfig, TerminalConfig, assemble_terminal};
use emv::contact::online_processing::{OnlineAuthorisationOutcome, OnlineAuthorisationResponse};
use emv::contact::transaction::TransactionInputs;
use emv::contact::transaction_driver::Transaction;
use emv::contact::transaction_flow::{self as flow, HostMediated, TransactionFlowStep as Step};
use emv::core::apdu::{Command, Response};
use emv::core::card_reader::CardReader;
use emv::core::oda::CaPublicKey;
use emv::core::tags;
use emv::de::authorisation_response_code::AuthorisationResponseCode;
use perso::card::transport::Transport;
use serde_json::Value;

/// SDA, DDA and CDA; PIN in the clear, enciphered and online.
const TERMINAL: &str = r#"
ifd_serial_number = "STRANGER"
terminal_country_code = 840
terminal_type = "22"
terminal_capabilities = "60D0C8"
additional_terminal_capabilities = "F080B07001"
cardholder_selection_and_confirmation_supported = false
"#;

/// Its clock says 24 November 2026.
const INPUTS: TransactionInputs = TransactionInputs {
    amount_authorised: 5000,
    amount_other: 0,
    transaction_currency_code: 840,
    transaction_currency_exponent: 2,
    transaction_date: [0x26, 0x11, 0x24],
    transaction_time: [0x12, 0, 0],
    transaction_type: 0,
    transaction_sequence_counter: 1,
    unpredictable_number: [0x1A, 0x2B, 0x3C, 0x4D],
};

/// How a transaction ended.
#[derive(Debug, PartialEq)]
pub struct Ended {
    pub approved: bool,
    pub verification_results: [u8; 5],
    pub status: [u8; 2],
    /// ICC dynamic number, which only a signature that was verified gives.
    pub dynamic_number: Option<Vec<u8>>,
    /// It wanted to go online, and was told that the issuer approves.
    pub online: bool,
}

struct Link(Box<dyn Transport>);

impl CardReader for Link {
    type Error = String;

    fn transmit(&mut self, command: &Command) -> Result<Response, String> {
        let bytes = command.to_bytes().map_err(|error| format!("{error:?}"))?;
        let answer = self.0.transmit(&bytes).map_err(|error| error.to_string())?;
        Response::parse(&answer).map_err(|error| format!("{error:?}"))
    }
}

/// The CA keys of the test CA, as the crate has them.
pub fn ca_keys(file: &str) -> Vec<CaPublicKey> {
    let file: Value = serde_json::from_str(file).unwrap();
    let bytes = |key: &Value, name: &str| hex::decode(key[name].as_str().unwrap()).unwrap();
    let read = |key: &Value| CaPublicKey {
        rid: bytes(key, "rid").try_into().unwrap(),
        index: bytes(key, "index")[0],
        modulus: bytes(key, "modulus"),
        exponent: bytes(key, "exponent"),
    };
    file["keys"].as_array().unwrap().iter().map(read).collect()
}

/// Pays with the application of this AID, and enters this PIN where it is asked for one.
pub fn pay(
    link: Box<dyn Transport>,
    aid: &str,
    version: &str,
    keys: &[CaPublicKey],
    pin: &[u8],
) -> Result<Ended, String> {
    let aids = format!(
        "[defaults]\nmerchant_category_code = 5999\nmerchant_identifier = \"STRANGER0000001\"\n\
         merchant_name_and_location = \"lab\"\nterminal_identification = \"STRANGER\"\n\
         terminal_floor_limit = 10000\ndefault_ddol = \"9F3704\"\n\
         [[aids]]\naid = \"{aid}\"\napplication_version_number = \"{version}\"\n\
         tac_denial = \"0000000000\"\ntac_online = \"FFFFFFFFFF\"\ntac_default = \"0000000000\"\n"
    );
    let wrong = |what: &str, why: String| format!("{what}: {why}");
    let terminal = TerminalConfig::parse(TERMINAL).map_err(|error| wrong("terminal", format!("{error:?}")))?;
    let aids = AidsConfig::parse(&aids).map_err(|error| wrong("applications", format!("{error:?}")))?;
    let terminal = assemble_terminal(&terminal, &aids).map_err(|error| wrong("terminal", format!("{error:?}")))?;
    let mut link = link;
    link.reset().map_err(|error| error.to_string())?;
    let mut tx = Transaction::new(Link(link), &terminal, INPUTS, HostMediated);
    let failed = |error| format!("{error:?}");
    let mut online = false;
    let mut step = flow::start(&mut tx, keys, &[], &[], None).map_err(failed)?;
    let approved = loop {
        step = match step {
            Step::CardholderVerification { .. } => {
                let random = |buffer: &mut [u8]| {
                    buffer.fill(0x5A);
                    true
                };
                flow::submit_pin(&mut tx, keys, None, pin, random).map_err(failed)?
            }
            Step::OnlineRequest { first_generate_ac } => {
                online = true;
                let response = OnlineAuthorisationResponse {
                    authorisation_response_code: AuthorisationResponseCode(*b"00"),
                    issuer_authentication_data: None,
                    issuer_scripts: Vec::new(),
                };
                let outcome = OnlineAuthorisationOutcome::Approved;
                flow::submit_authorisation_response(&mut tx, &first_generate_ac, &response, outcome).map_err(failed)?
            }
            Step::Approved { .. } => break true,
            Step::Declined { .. } => break false,
            other => return Err(format!("{other:?}")),
        };
    };
    Ok(Ended {
        approved,
        verification_results: tx.ctx.tvr.to_bytes(),
        status: tx.ctx.tsi.to_bytes(),
        dynamic_number: tx.ctx.tag_store.get(tags::ICC_DYNAMIC_NUMBER).map(<[u8]>::to_vec),
        online,
    })
}
