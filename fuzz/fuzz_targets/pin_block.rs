//! PIN blocks in the clear and enciphered: refused or read, never a panic; what was read makes the same block again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::base::Secret;
use perso::base::emv::Pan;
use perso::keys::pin::{ArrivedPin, PinFormat, Shape, decode, encode};
use perso::keys::{KeyStore, Purpose, Sealed, SoftwareStore, file};

static STORE: LazyLock<SoftwareStore> =
    LazyLock::new(|| file::load(include_bytes!("../../tests/samples/keys.test.json"), None).expect("the sample"));

const FORMATS: [PinFormat; 5] = [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso2, PinFormat::Iso3, PinFormat::Iso4];

fuzz_target!(|data: &[u8]| {
    let (block, pan) = data.split_at(data.len().min(16));
    let pan = String::from_utf8_lossy(pan).into_owned();
    for format in FORMATS {
        let cut = Secret::new(block.get(..format.length()).unwrap_or(block).to_vec());
        let Ok(pin) = decode(format, &cut, &pan) else { continue };
        let again = match format {
            PinFormat::Iso0 => encode(&pin, &Shape::Iso0(&pan)),
            PinFormat::Iso2 => encode(&pin, &Shape::Iso2),
            _ => continue,
        };
        assert!(again.expect("its PIN").equals(cut.expose()));
    }
    let pan = Pan::parse(&pan).or_else(|_| Pan::parse("4123456789012345")).expect("a PAN");
    let open = |name, purpose| STORE.open(name, purpose).expect("a sample key");
    let (zpk, pek, tk) =
        (open("lab-zpk", Purpose::Zpk), open("lab-pek", Purpose::Zpk), open("lab-tk-des", Purpose::Transport));
    for format in FORMATS {
        let _ = STORE.open_pin(&ArrivedPin::UnderZpk { key: &zpk, format, block }, &pan);
        let sealed = Sealed { iv: None, ciphertext: block, length: 8 };
        let _ = STORE.open_pin(&ArrivedPin::Sealed { key: &tk, format, sealed }, &pan);
    }
    let _ = STORE.open_pin(&ArrivedPin::UnderPek { key: &pek, block }, &pan);
});
