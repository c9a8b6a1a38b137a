//! PIN blocks, PVV, offsets.

use zeroize::Zeroizing;

use super::input::{Inputs, KeySource, Opened, wrong};
use super::shown::Calculated;
use crate::base::Secret;
use crate::base::crypto::Cipher;
use crate::base::emv::Pan;
use crate::cli::args::{BlockFormat, OffsetArgs, PinBlockCommand, PinKeyArgs, PvvArgs};
use crate::cli::common::{self, CliError};
use crate::keys::pin::{self, ArrivedPin, Ibm3624, Pin, PinFormat, Shape, pan_field, pin_from_offset, pin_offset};
use crate::keys::{KeyError, KeyHandle, KeyStore, Purpose, Verb};

/// Why a PIN block in the clear does not leave.
const TYPED: &str = "give it with @FILE or -, not as an argument";
/// Format 2 is what the chip takes; under a PIN key it would be one block for one PIN, whatever the card.
const FORMAT_2: &str = "format 2 is for the card's chip and is not enciphered under a PIN key; use format 0, 3 or 4";

/// Makes, reads or translates a PIN block.
pub fn block(command: &PinBlockCommand, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    match command {
        PinBlockCommand::Encode { to, pin_from, pan, key } => encode((*to, pin_from), pan.as_deref(), key, inputs),
        PinBlockCommand::Decode { from, block, pan, key } => decode((*from, block), pan.as_deref(), key, inputs),
        PinBlockCommand::Translate { from, block, pan, key, to, to_key, to_key_from } => {
            let mut shown = Calculated::new("pin-block translate");
            let pan = inputs.pan("--pan", pan)?;
            let block = inputs.bytes("--block", block)?;
            let source = KeySource::of(key);
            let target = KeySource {
                name: to_key.as_deref(),
                from: to_key_from.as_deref(),
                from_option: "--to-key-from",
                ..KeySource::of(key)
            };
            let old = inputs.key(&source, &[Purpose::Zpk], Some(cipher(*from)))?;
            let new = inputs.key(&target, &[Purpose::Zpk], Some(cipher(*to)))?;
            for (option, format) in [("--from", *from), ("--to", *to)] {
                if matches!(format, BlockFormat::Iso1 | BlockFormat::Iso2) {
                    return Err(wrong(option, "formats 1 and 2 are bound to no PAN and do not travel between hosts"));
                }
            }
            // A PIN under a live key would go out under another, for anybody who asks.
            old.key.may(Verb::OpenPin)?;
            new.key.may(Verb::Encipher)?;
            shown.used(&old.key);
            shown.used(&new.key);
            shown.step("PAN", pan.to_string());
            let pin = old.store.open_pin(&arrived(*from, &old.key, &block), &pan)?;
            shown.step("from", format!("{}: the PIN is read for this PAN, and its filling compared", words(*from)));
            shown.step("to", words(*to));
            let made = enciphered(&made(&pin, *to, Some(pan.digits()))?, &new, *to, &pan)?;
            shown.bytes("PIN block", made);
            Ok(shown)
        }
    }
}

fn encode(
    (to, pin_from): (BlockFormat, &str),
    pan: Option<&str>,
    key: &PinKeyArgs,
    inputs: &mut Inputs,
) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("pin-block encode");
    let pan = pan.map(|pan| inputs.pan("--pan", pan)).transpose()?;
    let pin = inputs.pin("--pin-from", pin_from, key.place.test_keys)?;
    shown.step("format", words(to));
    if let Some(pan) = &pan {
        shown.step("PAN", pan.to_string());
    }
    let clear = made(&pin, to, pan.as_ref().map(Pan::digits))?;
    match (KeySource::of_pin(key), pan) {
        (None, _) if to == BlockFormat::Iso4 => {
            shown.bytes("PIN field, in the clear", clear.expose());
            shown.note("format 4 exists under a key only: this is the field before encipherment");
        }
        (None, _) => shown.bytes("PIN block, in the clear", clear.expose()),
        (Some(source), pan) => {
            if to == BlockFormat::Iso2 {
                return Err(wrong("--to", FORMAT_2));
            }
            let new = inputs.key(&source, &[Purpose::Zpk], Some(cipher(to)))?;
            new.key.may(Verb::Encipher)?;
            shown.used(&new.key);
            match pan {
                Some(pan) => shown.bytes("PIN block", enciphered(&clear, &new, to, &pan)?),
                None => shown.bytes("PIN block", ecb(&new, clear.expose())?.expose()),
            }
        }
    }
    Ok(shown)
}

fn decode(
    (from, block): (BlockFormat, &str),
    pan: Option<&str>,
    key: &PinKeyArgs,
    inputs: &mut Inputs,
) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("pin-block decode");
    shown.step("format", words(from));
    let pan = pan.map(|pan| inputs.pan("--pan", pan)).transpose()?;
    if let Some(pan) = &pan {
        shown.step("PAN", pan.to_string());
    }
    let needs_pan = || wrong("--pan", "this format is mixed with the PAN: give it");
    let pin = match KeySource::of_pin(key) {
        None if from == BlockFormat::Iso4 => return Err(wrong("--key", "format 4 exists under an AES key only")),
        None => {
            let clear = inputs.clear_block("--block", block, key.place.test_keys)?;
            if pan.is_none() && matches!(from, BlockFormat::Iso0 | BlockFormat::Iso3) {
                return Err(needs_pan());
            }
            pin::decode(format(from), &clear, pan.as_ref().map_or("", Pan::digits)).map_err(KeyError::Pin)?
        }
        Some(source) => {
            if from == BlockFormat::Iso2 {
                return Err(wrong("--from", FORMAT_2));
            }
            let Opened { store, key } = inputs.key(&source, &[Purpose::Zpk], Some(cipher(from)))?;
            key.may(Verb::OpenPin)?;
            shown.used(&key);
            let block = inputs.bytes("--block", block)?;
            match from {
                BlockFormat::Iso1 => {
                    let value = store.expose_test_key(&key)?;
                    let cipher = Cipher::Tdes.ecb_decrypt(value.expose(), &block).map(Secret::new);
                    let clear = cipher.map_err(|error| wrong("--block", error.to_string()))?;
                    pin::decode(format(from), &clear, "").map_err(KeyError::Pin)?
                }
                _ => store.open_pin(&arrived(from, &key, &block), &pan.ok_or_else(needs_pan)?)?,
            }
        }
    };
    pin_result(&mut shown, &pin)?;
    Ok(shown)
}

/// A PIN's digits: nothing comes here that is not for tests.
fn pin_result(shown: &mut Calculated, pin: &Pin) -> Result<(), CliError> {
    let digits = pin.expose_test_pin().map_err(KeyError::Pin)?;
    shown.result("PIN", String::from_utf8_lossy(digits.expose()));
    Ok(())
}

fn arrived<'a>(from: BlockFormat, key: &'a KeyHandle, block: &'a [u8]) -> ArrivedPin<'a> {
    match from {
        BlockFormat::Iso4 => ArrivedPin::UnderPek { key, block },
        _ => ArrivedPin::UnderZpk { key, format: format(from), block },
    }
}

/// A block in the clear; its filling is drawn at random where the format wants that.
fn made(pin: &Pin, to: BlockFormat, pan: Option<&str>) -> Result<Secret<Vec<u8>>, CliError> {
    let pan = || pan.ok_or_else(|| wrong("--pan", format!("this format is mixed with the PAN: {TYPED}")));
    let random = Zeroizing::new(common::chance().bytes::<14>()?);
    let lowest = if to == BlockFormat::Iso3 { 10 } else { 0 };
    let filling = random.iter().take(14 - pin.length()).map(|byte| lowest + byte % (16 - lowest));
    let filling = Zeroizing::new(filling.collect::<Vec<u8>>());
    let half = random.first_chunk::<8>().copied().unwrap_or_default();
    let block = match to {
        BlockFormat::Iso0 => pin::encode(pin, &Shape::Iso0(pan()?)),
        BlockFormat::Iso1 => pin::encode(pin, &Shape::Iso1(&filling)),
        BlockFormat::Iso2 => pin::encode(pin, &Shape::Iso2),
        BlockFormat::Iso3 => pin::encode(pin, &Shape::Iso3(pan()?, &filling)),
        BlockFormat::Iso4 => {
            pan()?;
            pin::encode(pin, &Shape::Iso4(&half))
        }
    };
    Ok(block.map_err(KeyError::Pin)?)
}

/// The block under a key; of format 4 with the PAN between two encipherments. // ISO 9564-1 §9.4.2.3
fn enciphered(clear: &Secret<Vec<u8>>, new: &Opened, to: BlockFormat, pan: &Pan) -> Result<Vec<u8>, CliError> {
    let once = ecb(new, clear.expose())?;
    if to != BlockFormat::Iso4 {
        return Ok(once.expose().clone());
    }
    let pan = pan_field(pan.digits()).map_err(KeyError::Pin)?;
    let mixed = Zeroizing::new(once.expose().iter().zip(pan.iter()).map(|(a, b)| a ^ b).collect::<Vec<u8>>());
    Ok(ecb(new, &mixed)?.expose().clone())
}

fn ecb(new: &Opened, data: &[u8]) -> Result<Secret<Vec<u8>>, CliError> {
    let block = new.key.algorithm().cipher().map(Cipher::block);
    if block != Some(data.len()) {
        return Err(wrong("--key", format!("a key of {} is not for this format", new.key.algorithm())));
    }
    Ok(new.store.encipher(&new.key, data, false)?)
}

fn cipher(format: BlockFormat) -> Cipher {
    if format == BlockFormat::Iso4 { Cipher::Aes } else { Cipher::Tdes }
}

fn format(format: BlockFormat) -> PinFormat {
    match format {
        BlockFormat::Iso0 => PinFormat::Iso0,
        BlockFormat::Iso1 => PinFormat::Iso1,
        BlockFormat::Iso2 => PinFormat::Iso2,
        BlockFormat::Iso3 => PinFormat::Iso3,
        BlockFormat::Iso4 => PinFormat::Iso4,
    }
}

fn words(format: BlockFormat) -> &'static str {
    match format {
        BlockFormat::Iso0 => {
            "0: length, PIN, F; mixed with the twelve rightmost digits of the PAN before the check digit"
        }
        BlockFormat::Iso1 => "1: length, PIN, random digits; no PAN",
        BlockFormat::Iso2 => "2: length, PIN, F; no PAN",
        BlockFormat::Iso3 => "3: as 0, filled with random digits A to F",
        BlockFormat::Iso4 => "4: sixteen bytes under AES, the PAN mixed in between two encipherments",
    }
}

/// A PVV.
pub fn pvv(args: &PvvArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("pvv");
    let pan = inputs.pan("--pan", &args.pan)?;
    let pin = inputs.pin("--pin-from", &args.pin_from, args.key.place.test_keys)?;
    let Opened { store, key } = inputs.key(&KeySource::of(&args.key), &[Purpose::Pvk], Some(Cipher::Tdes))?;
    key.may(Verb::Encipher)?;
    shown.used(&key);
    shown.step("PAN", pan.to_string());
    shown.step("data", "eleven digits of the PAN before the check digit, the key's index, four digits of the PIN");
    shown.step("index", args.index.to_string());
    shown.step("digits", "the first four decimal ones of the ciphertext; then letters, A as 0 to F as 5");
    let value = pin::pvv(&store, &key, &pan, args.index, &pin)?;
    shown.result("PVV", String::from_utf8_lossy(value.expose()));
    Ok(shown)
}

/// The IBM 3624 method.
pub fn offset(args: &OffsetArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("offset");
    let validation = inputs.text("--validation", &args.validation)?;
    let method = Ibm3624 { validation: &validation, table: &args.table };
    let pin =
        args.pin_from.as_ref().map(|path| inputs.pin("--pin-from", path, args.key.place.test_keys)).transpose()?;
    let source = KeySource::of(&args.key);
    let Opened { store, key } = inputs.key(&source, &[Purpose::Pvk3624], Some(Cipher::Tdes))?;
    key.may(Verb::Encipher)?;
    shown.used(&key);
    shown.step("natural PIN", "the validation data enciphered, each digit through the table");
    shown.step("table", args.table.as_str());
    let refused = |error| match error {
        KeyError::Pin(error @ pin::PinError::Ibm3624) => wrong("--validation, --table", error.to_string()),
        KeyError::Pin(error @ pin::PinError::Offset) => wrong("--offset", error.to_string()),
        error => CliError::Key(error),
    };
    let digits = |value: &Secret<Vec<u8>>| String::from_utf8_lossy(value.expose()).into_owned();
    shown.result("natural PIN", digits(&method.natural(&store, &key).map_err(refused)?));
    if let Some(pin) = pin {
        shown.step("offset", "PIN less natural PIN, digit by digit without carry");
        shown.result("offset", digits(&pin_offset(&store, &key, &method, &pin).map_err(refused)?));
    }
    if let Some(offset) = &args.offset {
        shown.step("PIN", "natural PIN and offset, digit by digit without carry");
        pin_result(&mut shown, &pin_from_offset(&store, &key, &method, offset).map_err(refused)?)?;
    }
    Ok(shown)
}
