//! What a calculation is given: public values, clear test keys and PINs, keys by name.

use std::path::Path;

use zeroize::Zeroizing;

use crate::base::crypto::{self, Cipher, KcvMethod};
use crate::base::emv::Pan;
use crate::base::{Secret, Warning};
use crate::cli::args::{KeyArgs, KeyPlaceArgs, PassphraseArgs, PinKeyArgs};
use crate::cli::common::{self, CliError};
use crate::cli::stores;
use crate::issuance::file_kind::FileKind;
use crate::keys::pin::Pin;
use crate::keys::{
    Algorithm, AnyStore, ForCalculator, Kcv, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose, SoftwareStore,
};

/// More than that is no value of this calculator, in bytes.
const MOST: u64 = 1 << 20;

/// Where inputs come from. Standard input can be read once.
#[derive(Default)]
pub struct Inputs {
    standard_input: Option<&'static str>,
    /// What is told of the key stores that were opened.
    pub warnings: Vec<Warning>,
}

/// A store whose keys know that the calculator asks.
pub type CalculatorStore = AnyStore<ForCalculator>;

/// A key with the store that it is in.
pub struct Opened {
    pub store: CalculatorStore,
    pub key: KeyHandle,
}

/// Where a key comes from, and the options that say so.
pub struct KeySource<'a> {
    pub name: Option<&'a str>,
    pub from: Option<&'a str>,
    pub from_option: &'static str,
    pub keys: Option<&'a Path>,
    pub passphrase: &'a PassphraseArgs,
    pub test_keys: bool,
}

impl<'a> KeySource<'a> {
    /// A key that must be there.
    pub fn of(args: &'a KeyArgs) -> Self {
        Self::at(args.key.as_deref(), &args.place)
    }

    /// A key that may be there.
    pub fn of_pin(args: &'a PinKeyArgs) -> Option<Self> {
        let source = Self::at(args.key.as_deref(), &args.place);
        (source.name.is_some() || source.from.is_some()).then_some(source)
    }

    fn at(name: Option<&'a str>, place: &'a KeyPlaceArgs) -> Self {
        let KeyPlaceArgs { keys, passphrase, key_from, test_keys } = place;
        let (from, keys) = (key_from.as_deref(), keys.as_deref());
        Self { name, from, from_option: "--key-from", keys, passphrase, test_keys: *test_keys }
    }
}

/// Says that an option's value cannot be.
pub fn wrong(option: &'static str, why: impl Into<String>) -> CliError {
    CliError::Option { option, why: why.into() }
}

impl Inputs {
    /// A value that is not secret: typed, `@FILE`, or `-` for standard input; without a line end.
    pub fn text(&mut self, option: &'static str, value: &str) -> Result<Zeroizing<String>, CliError> {
        match value.strip_prefix('@') {
            Some(path) => self.file(option, path),
            None if value == "-" => self.file(option, value),
            None => Ok(Zeroizing::new(value.to_owned())),
        }
    }

    /// A file's text, `-` for standard input; without a line end.
    pub fn file(&mut self, option: &'static str, path: &str) -> Result<Zeroizing<String>, CliError> {
        let bytes = match path {
            "-" => self.standard_input(option)?,
            path => common::read_kind(Path::new(path), &[FileKind::Text, FileKind::KeyBlock])?,
        };
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong(option, "what it names is no text"))?;
        Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn standard_input(&mut self, option: &'static str) -> Result<Vec<u8>, CliError> {
        if let Some(earlier) = self.standard_input.replace(option) {
            return Err(wrong(option, format!("standard input is read for {earlier} already; give a file")));
        }
        let bytes = common::read_as_it_is(Path::new("-"))?;
        if bytes.len() as u64 > MOST { Err(CliError::TooLarge("standard input".into())) } else { Ok(bytes) }
    }

    /// Bytes that are not secret, in hexadecimal.
    pub fn bytes(&mut self, option: &'static str, value: &str) -> Result<Vec<u8>, CliError> {
        common::bytes(option, &self.text(option, value)?)
    }

    /// So many bytes that are not secret.
    pub fn array<const N: usize>(&mut self, option: &'static str, value: &str) -> Result<[u8; N], CliError> {
        let bytes = self.bytes(option, value)?;
        <[u8; N]>::try_from(bytes).map_err(|_| wrong(option, format!("give {N} bytes in hexadecimal")))
    }

    /// A PAN.
    pub fn pan(&mut self, option: &'static str, value: &str) -> Result<Pan, CliError> {
        Pan::parse(self.text(option, value)?.trim()).map_err(|error| wrong(option, error.to_string()))
    }

    /// A PIN in the clear, declared to be for tests.
    pub fn pin(&mut self, option: &'static str, path: &str, declared: bool) -> Result<Pin, CliError> {
        declare(option, declared)?;
        let digits = Secret::new(self.file(option, path)?.trim().as_bytes().to_vec());
        Pin::from_ascii(&digits).map_err(|error| wrong(option, error.to_string()))
    }

    /// A block of a PIN in the clear, declared to be for tests. It is not typed.
    pub fn clear_block(
        &mut self,
        option: &'static str,
        value: &str,
        declared: bool,
    ) -> Result<Secret<Vec<u8>>, CliError> {
        declare(option, declared)?;
        if !value.starts_with('@') && value != "-" {
            return Err(wrong(option, "a block in the clear is not typed: give @FILE, or - for standard input"));
        }
        Ok(Secret::new(self.bytes(option, value)?))
    }

    /// Clear keys, one a line, declared to be for tests.
    pub fn clear_keys(&mut self, source: &KeySource<'_>, path: &str) -> Result<Vec<Secret<Vec<u8>>>, CliError> {
        declare(source.from_option, source.test_keys)?;
        let text = self.file(source.from_option, path)?;
        text.lines().map(|line| common::bytes(source.from_option, line).map(Secret::new)).collect()
    }

    /// A key, of one of these purposes where it is named; as the first of them where it comes in the clear.
    pub fn key(
        &mut self,
        source: &KeySource<'_>,
        purposes: &[Purpose],
        cipher: Option<Cipher>,
    ) -> Result<Opened, CliError> {
        let Some(path) = source.from else { return self.named(source, purposes) };
        let values = self.clear_keys(source, path)?;
        let Ok([value]) = <[Secret<Vec<u8>>; 1]>::try_from(values) else {
            return Err(wrong(source.from_option, "give one key, in one line"));
        };
        let purpose = purposes.first().copied().unwrap_or(Purpose::Data);
        let store = store_of(source.from_option, vec![("clear-key", value)], purpose, cipher)?;
        let key = store.open("clear-key", purpose)?;
        Ok(Opened { store, key })
    }

    fn named(&mut self, source: &KeySource<'_>, purposes: &[Purpose]) -> Result<Opened, CliError> {
        let name = source.name.ok_or_else(|| wrong("--key", "name a key of the key file, with --keys"))?;
        let file = source.keys.ok_or(CliError::NoKeys("--key"))?;
        let store = stores::calculator_keys(file, source.passphrase, &mut self.warnings)?;
        let info = store.keys().iter().find(|info| info.name == name);
        let is = info.map(|info| info.purpose).ok_or_else(|| KeyError::unknown(name, store.keys()))?;
        let wanted = match purposes {
            [first, ..] if !purposes.contains(&is) => *first,
            _ => is,
        };
        let key = store.open(name, wanted)?;
        Ok(Opened { store, key })
    }
}

/// A clear secret is for tests, and that is said.
fn declare(option: &'static str, declared: bool) -> Result<(), CliError> {
    let why =
        "a key or PIN in the clear is taken for tests only: say so with --test-keys; live keys are named by --key";
    if declared { Ok(()) } else { Err(wrong(option, why)) }
}

/// A store of test keys that came in the clear. Where the cipher is not given, the purpose and then the length tell.
pub fn store_of(
    option: &'static str,
    values: Vec<(&str, Secret<Vec<u8>>)>,
    purpose: Purpose,
    cipher: Option<Cipher>,
) -> Result<CalculatorStore, CliError> {
    let key = |(name, value): (&str, Secret<Vec<u8>>)| {
        let tdes = Algorithm::of(Cipher::Tdes, value.len());
        let algorithm = match cipher {
            Some(cipher) => Algorithm::of(cipher, value.len()),
            None => tdes.or(Algorithm::of(Cipher::Aes, value.len())),
        };
        let fitting = algorithm.filter(|algorithm| purpose.takes(*algorithm));
        let why = || format!("{} bytes are no key for this: it takes another length", value.len());
        let algorithm = fitting.ok_or_else(|| wrong(option, why()))?;
        let is_tdes = algorithm.cipher() == Some(Cipher::Tdes);
        let made = crypto::kcv(value.expose(), KcvMethod::Cmac, is_tdes, 5).map_err(|_| wrong(option, why()))?;
        let info = KeyInfo {
            name: name.to_owned(),
            zone: String::new(),
            purpose,
            version: 0,
            algorithm,
            kcv: Kcv { method: KcvMethod::Cmac, value: made },
            test: true,
            kmcid: None,
            header: None,
        };
        Ok::<_, CliError>((info, value))
    };
    Ok(SoftwareStore::new(values.into_iter().map(key).collect::<Result<_, _>>()?).into())
}
