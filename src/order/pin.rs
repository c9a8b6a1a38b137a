//! The PIN as it arrives: enciphered, and never opened here.

use super::context::Context;
use super::file::PinFile;
use super::pin_form::PinForm;
use super::problem::Findings;
use crate::base::Secret;

/// A PIN block as it arrived.
pub struct ArrivedPin {
    form: PinForm,
    block: Secret<Vec<u8>>,
    kid: String,
    key: Option<String>,
    transport: Option<TransportKey>,
}

/// The transport key that came along.
struct TransportKey {
    value: Secret<Vec<u8>>,
    kcv: [u8; 3],
}

impl ArrivedPin {
    pub(super) fn read(
        file: &PinFile,
        path: &dyn Fn(&str) -> String,
        context: &Context,
        found: &mut Findings,
    ) -> Option<Self> {
        let Some(form) = PinForm::find(&file.form) else {
            found.value(path("pin.form"), "must be ISO0, ISO0TK or ISO4");
            return None;
        };
        let length = if form == PinForm::Iso4 { 16 } else { 8 };
        let block = bytes(&file.block, length);
        if block.is_none() {
            found.format(path("pin.block"), format!("it is not {length} bytes in hexadecimal"));
        }
        let kid_fits = (1..=3).contains(&file.kid.len())
            && file.kid.bytes().all(|byte| match form {
                PinForm::Iso4 => byte.is_ascii_digit(),
                PinForm::Iso0 | PinForm::Iso0Tk => byte.is_ascii_graphic(),
            });
        if !kid_fits {
            found.format(path("pin.kid"), "it must be one to three characters, digits only with ISO4");
        }
        let transport = match (form, &file.transport_key, &file.transport_kcv) {
            (PinForm::Iso0Tk, value, kcv) => transport(value.as_deref(), kcv.as_deref(), path, found),
            (_, None, None) => None,
            _ => {
                found.refuse(path("pin.transport_key"), "a transport key comes along with ISO0TK only");
                None
            }
        };
        if form == PinForm::Iso0Tk && transport.is_none() {
            return None;
        }
        let key = context.site.map(|site| site.pin_key(form, &file.kid));
        if key == Some(None) && kid_fits {
            found.value(path("pin.kid"), "this site has no key of this id for PIN blocks of this form");
        }
        let key = key.flatten().map(str::to_owned);
        if let Some(name) = &key {
            context.has_key(name, &[form.purpose()], &path("pin.kid"), found);
        }
        Some(Self { form, block: block?, kid: file.kid.clone(), key, transport })
    }

    /// How it arrived.
    pub fn form(&self) -> PinForm {
        self.form
    }

    /// The enciphered block: 8 bytes, 16 of format 4.
    pub fn block(&self) -> &Secret<Vec<u8>> {
        &self.block
    }

    /// The key's id in the order.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key's name in the key store, where a site was given.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The transport key under that key, 16 bytes, and its check value (method des-zero).
    pub fn transport_key(&self) -> Option<(&Secret<Vec<u8>>, [u8; 3])> {
        self.transport.as_ref().map(|key| (&key.value, key.kcv))
    }

    pub(super) fn walk(&self, say: &mut dyn FnMut(&str, &str)) {
        say("pin form", self.form.name());
        say("pin block", &hex::encode_upper(self.block.expose()));
        say("pin key", &self.kid);
        if let Some(key) = &self.transport {
            say("pin transport key", &hex::encode_upper(key.value.expose()));
            say("pin transport key check value", &hex::encode_upper(key.kcv));
        }
    }
}

fn transport(
    value: Option<&str>,
    kcv: Option<&str>,
    path: &dyn Fn(&str) -> String,
    found: &mut Findings,
) -> Option<TransportKey> {
    let value = value.and_then(|text| bytes(text, 16));
    if value.is_none() {
        found.format(path("pin.transport_key"), "it is not 16 bytes in hexadecimal");
    }
    let kcv = kcv.and_then(|text| hex::decode(text).ok()).and_then(|kcv| <[u8; 3]>::try_from(kcv).ok());
    if kcv.is_none() {
        found.format(path("pin.transport_kcv"), "it is not three bytes in hexadecimal");
    }
    Some(TransportKey { value: value?, kcv: kcv? })
}

fn bytes(text: &str, length: usize) -> Option<Secret<Vec<u8>>> {
    Secret::from_hex(text).filter(|bytes| bytes.len() == length)
}
