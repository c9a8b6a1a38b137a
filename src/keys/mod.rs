//! Who holds the secrets.
//!
//! Static keys and card DEKs are [`KeyHandle`]s: other rooms can have them derive, encipher and re-encipher, never
//! show themselves. Session keys for ENC, MAC and R-MAC come out as [`Secret`](crate::base::Secret)s and live for one
//! session.

mod any;
mod arrivals;
pub mod ca_keys;
pub mod card_values;
mod compute;
mod custody;
pub mod diversify;
mod engine;
mod error;
pub mod file;
mod file_error;
mod handle;
mod header;
mod info;
pub mod issuer;
mod locked;
mod make;
mod oaep;
mod operation;
pub mod pin;
pub mod pkcs11;
mod pkcs11_derive;
mod pkcs8;
pub mod policy;
mod private;
mod public;
mod recipient;
mod ring;
pub mod sets;
mod software;
mod store;
pub mod test_ca;
pub mod tr31;
pub mod usage;
mod verb;
mod verbs;
mod weak;
mod weakness;

pub use any::{AnyStore, ForCalculator, ForJobs, Serving};
pub use diversify::{CardKeys, Diversification, card_keys, card_keys_to_show, is_chosen, select_kmc};
pub use error::{KeyError, UnknownName};
pub use handle::KeyHandle;
pub use header::{KeyHeader, Limits, OptionalBlock};
pub use info::{Algorithm, Kcv, KeyInfo, Purpose};
pub use locked::lock_pages;
pub use make::{from_components, random};
pub use operation::Operation;
pub use public::PublicKey;
pub use recipient::{KeyTransport, NewContentKey};
pub use sets::KeySet;
pub use software::SoftwareStore;
pub use store::{BlockForm, KeyStore};
pub use verb::{Use, Verb};
pub use verbs::{CardForm, CardPadding, Computation, Derivation, JweAlgorithm, Sealed, WrappedKey};
pub use weakness::Weakness;
