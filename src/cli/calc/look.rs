//! Calculations without a key: TLV, groupings, lists, ATR, tracks, check digits.

use super::input::{Inputs, wrong};
use super::shown::Calculated;
use crate::base::codec::tlv::{self, Tag};
use crate::base::emv::track::Fields;
use crate::base::emv::{Dol, luhn_check_digit, tag_info, tag_name};
use crate::card::Atr;
use crate::card::apdu::StatusWord;
use crate::card::words;
use crate::cli::args::{DolArgs, LuhnArgs, OneValue};
use crate::cli::common::CliError;

/// BER-TLV as a tree, masked.
pub fn tlv(args: &OneValue, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut data = inputs.bytes("VALUE", &args.value)?;
    // An answer is often pasted with its status word; 9000 alone would be an empty certificate.
    let without = data.get(..data.len().saturating_sub(2)).unwrap_or_default();
    let sw = status_word(&data).filter(|_| tlv::parse(without).is_ok_and(|objects| !objects.is_empty()));
    data.truncate(data.len() - 2 * usize::from(sw.is_some()));
    tlv::parse(&data).map_err(|error| wrong("VALUE", error.to_string()))?;
    let mut shown = Calculated::new("tlv");
    if let Some(sw) = sw {
        shown.note(left_out(sw));
    }
    shown.items(words::tlv(&data).ok_or_else(|| wrong("VALUE", "there is no object in it"))?);
    Ok(shown)
}

/// The status word that an answer ends with: 9000, or 61 to 6F.
fn status_word(bytes: &[u8]) -> Option<StatusWord> {
    let (_, last) = bytes.split_last_chunk::<2>()?;
    let sw = StatusWord(u16::from_be_bytes(*last));
    (sw.is_ok() || (0x6100..=0x6FFF).contains(&sw.0)).then_some(sw)
}

fn left_out(sw: StatusWord) -> String {
    format!("the status word {sw} at the end was left out")
}

/// Data groupings as STORE DATA carries them, masked.
pub fn dgi(args: &OneValue, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let data = inputs.bytes("VALUE", &args.value)?;
    let mut groupings = words::Groupings::default();
    let items = groupings.walk(&data, false);
    let mut shown = Calculated::new("dgi");
    if items.is_empty() {
        return Err(wrong("VALUE", "there is no grouping in it"));
    }
    shown.items(items);
    shown.is_right(groupings.is_whole());
    if !groupings.is_whole() {
        shown.note("the last grouping is not whole");
    }
    Ok(shown)
}

/// What a list asks for, and the data for it.
pub fn dol(args: &DolArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let dol = Dol::parse(&inputs.bytes("VALUE", &args.dol)?).map_err(|error| wrong("VALUE", error.to_string()))?;
    let mut values = Vec::new();
    for given in &args.value {
        let (tag, value) = given.split_once('=').ok_or_else(|| wrong("--value", "give it as TAG=HEX"))?;
        let tag = Tag::from_hex(tag).ok_or_else(|| wrong("--value", "what stands before = is no tag"))?;
        if !dol.items().iter().any(|(asked, _)| *asked == tag) {
            return Err(wrong("--value", format!("the list does not ask for tag {tag}")));
        }
        values.push((tag, inputs.bytes("--value", value)?));
    }
    let mut shown = Calculated::new("dol");
    for (tag, length) in dol.items() {
        let name = tag_name(*tag).unwrap_or("unknown tag");
        let given = if values.is_empty() || values.iter().any(|(given, _)| given == tag) { "" } else { ": zeros" };
        shown.step(tag.to_string(), format!("{name} [{length}]{given}"));
    }
    shown.result("length", dol.total().to_string());
    if !values.is_empty() {
        let built = dol.build(|tag| values.iter().find(|(given, _)| *given == tag).map(|(_, value)| value.clone()));
        let sensitive = values.iter().any(|(tag, _)| tag_info(*tag).is_none_or(|info| info.sensitive));
        match sensitive {
            true => shown.withheld("data", "a tag among them may hold a PAN, a track or a name"),
            false => shown.bytes("data", built),
        }
    }
    Ok(shown)
}

/// An answer to reset.
pub fn atr(args: &OneValue, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut bytes = inputs.bytes("VALUE", &args.value)?;
    // A reader's answer to "get ATR" ends with 9000.
    let whole = Atr::parse(&bytes).is_ok_and(|atr| atr.surplus().is_empty());
    let sw = status_word(&bytes).filter(|_| !whole && Atr::parse(&bytes).is_ok_and(|atr| atr.surplus().len() == 2));
    bytes.truncate(bytes.len() - 2 * usize::from(sw.is_some()));
    Atr::parse(&bytes).map_err(|error| wrong("VALUE", error.to_string()))?;
    let view = crate::card::atr_view::AtrView::of(&bytes);
    let mut shown = Calculated::new("atr");
    if let Some(sw) = sw {
        shown.note(left_out(sw));
    }
    shown.result("summary", view.summary);
    shown.result("kind", if view.contactless { "contactless, made by a reader" } else { "contact" });
    shown.result("protocols", view.protocols.join(", "));
    if let Some(protocol) = view.specific_mode {
        shown.result("TA2", format!("specific mode, {protocol}"));
    }
    if let Some(speed) = view.speed {
        let at = format!("F={}, D={}, {} bit/s at {} kHz", speed.f, speed.d, speed.bits_per_second, speed.khz);
        shown.result(format!("TA1 {}", speed.ta1), at);
    }
    if let Some(ifsc) = view.ifsc {
        shown.result("IFSC", ifsc.to_string());
    }
    if let Some(extended) = view.extended {
        shown.result("extended lengths", if extended { "yes" } else { "no" });
    }
    shown.result("historical bytes", view.historical);
    for [tag, value] in view.objects {
        shown.result(format!("object {tag}"), value);
    }
    shown.result("check byte", view.check);
    if !view.surplus.is_empty() {
        shown.note(format!("bytes behind the end of the ATR were ignored: {}", view.surplus));
    }
    shown.is_right(view.check != "wrong");
    Ok(shown)
}

/// The fields of a track, masked.
pub fn track(args: &OneValue, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let text = inputs.text("VALUE", &args.value)?;
    let (kind, read) = if text.contains('^') {
        ("track 1", Fields::track1(&text))
    } else if text.contains('=') {
        ("track 2", Fields::track2(&text))
    } else {
        ("track 2 equivalent data", Fields::from_tag57(&crate::cli::common::bytes("VALUE", &text)?))
    };
    let fields = read.map_err(|error| wrong("VALUE", error.to_string()))?;
    let mut shown = Calculated::new("track");
    shown.step("kind", kind);
    shown.result("PAN", fields.pan.to_string());
    shown.result("check digit of the PAN", if fields.pan.luhn_ok() { "right" } else { "wrong" });
    if let Some(name) = &fields.name {
        shown.withheld(format!("name [{}]", name.chars().count()), "a person's name");
    }
    shown.result("expiry (YYMM)", fields.expiry.as_str());
    shown.result("service code", fields.service_code.as_str());
    let length = fields.discretionary.chars().count();
    shown.withheld(format!("discretionary data [{length}]"), "holds card verification values");
    shown.is_right(fields.pan.luhn_ok());
    Ok(shown)
}

/// Whether the last digit is the check digit, and which it would be; or the check digit of a number without one.
pub fn luhn(args: &LuhnArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let text = inputs.text("VALUE", &args.value)?;
    let number = text.trim();
    if args.compute {
        let digit = luhn_check_digit(number).filter(|_| !number.is_empty());
        let mut shown = Calculated::new("luhn");
        shown.step("digits", number.len().to_string());
        // The number with its check digit may be a whole PAN, and is not printed.
        shown.result("check digit", digit.ok_or_else(|| wrong("VALUE", "give digits only"))?.to_string());
        return Ok(shown);
    }
    let split = number.split_at_checked(number.len().saturating_sub(1)).filter(|(payload, _)| !payload.is_empty());
    let (payload, last) = split.ok_or_else(|| wrong("VALUE", "give a number of two digits or more"))?;
    let digit = luhn_check_digit(payload).filter(|_| last.bytes().all(|digit| digit.is_ascii_digit()));
    let digit = digit.ok_or_else(|| wrong("VALUE", "give digits only"))?.to_string();
    let mut shown = Calculated::new("luhn");
    shown.step("digits", number.len().to_string());
    shown.result("last digit", last);
    shown.result("check digit", digit.as_str());
    shown.result("verdict", if digit == last { "right" } else { "wrong" });
    shown.is_right(digit == last);
    Ok(shown)
}
