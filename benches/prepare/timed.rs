//! A key store that looks at the clock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use perso::base::crypto::{KcvMethod, NONCE, RsaPublic, TAG};
use perso::base::emv::Pan;
use perso::base::{Chance, Secret};
use perso::keys::pin::{ArrivedPin, CardPin, Pin};
use perso::keys::tr31::{ArrivedKey, Header, KeyBlock, Version};
use perso::keys::{
    BlockForm, CardForm, Computation, Derivation, JweAlgorithm, KeyError, KeyHandle, KeyInfo, KeyStore, PublicKey,
    Purpose, Sealed, WrappedKey,
};

/// Time spent in a key store, and in it with the issuer's RSA key.
pub struct Timed<'a> {
    store: &'a dyn KeyStore,
    all: AtomicU64,
    signing: AtomicU64,
}

impl<'a> Timed<'a> {
    pub fn new(store: &'a dyn KeyStore) -> Self {
        Self { store, all: AtomicU64::new(0), signing: AtomicU64::new(0) }
    }

    /// Since it was made.
    pub fn all(&self) -> Duration {
        Duration::from_nanos(self.all.load(Relaxed))
    }

    /// Of it, signatures.
    pub fn signing(&self) -> Duration {
        Duration::from_nanos(self.signing.load(Relaxed))
    }

    fn time<T>(&self, signs: bool, work: impl FnOnce(&dyn KeyStore) -> T) -> T {
        let began = Instant::now();
        let done = work(self.store);
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap();
        self.all.fetch_add(nanos, Relaxed);
        self.signing.fetch_add(if signs { nanos } else { 0 }, Relaxed);
        done
    }
}

macro_rules! timed {
    ($($verb:ident($($name:ident: $type:ty),*) -> $result:ty;)*) => {
        impl KeyStore for Timed<'_> {
            fn keys(&self) -> &[KeyInfo] {
                self.store.keys()
            }

            $(fn $verb(&self, $($name: $type),*) -> Result<$result, KeyError> {
                self.time(stringify!($verb) == "rsa_sign", |store| store.$verb($($name),*))
            })*
        }
    };
}

timed! {
    open(name: &str, purpose: Purpose) -> KeyHandle;
    derive(from: &KeyHandle, how: &Derivation<'_>) -> KeyHandle;
    derive_to_seal(from: &KeyHandle, how: &Derivation<'_>) -> KeyHandle;
    session_key(from: &KeyHandle, how: &Derivation<'_>) -> Secret<Vec<u8>>;
    encipher(key: &KeyHandle, data: &[u8], cbc: bool) -> Secret<Vec<u8>>;
    compare(key: &KeyHandle, how: &Computation<'_>, expected: &[u8]) -> bool;
    retail_mac(key: &KeyHandle, data: &[u8]) -> [u8; 8];
    retail_mac_to_check(key: &KeyHandle, data: &[u8]) -> [u8; 8];
    jwe_content_key(key: &KeyHandle, how: JweAlgorithm<'_>) -> Secret<Vec<u8>>;
    rsa_sign(key: &KeyHandle, block: &[u8]) -> Vec<u8>;
    rsa_public(key: &KeyHandle) -> RsaPublic;
    public_key(key: &KeyHandle) -> PublicKey;
    duplicate(key: &KeyHandle) -> KeyHandle;
    kcv(key: &KeyHandle, method: KcvMethod, length: usize) -> Vec<u8>;
    reseal(from: &KeyHandle, sealed: &Sealed<'_>, to: &KeyHandle, form: CardForm) -> Vec<u8>;
    seal(key: &KeyHandle, iv: &[u8], value: &Secret<Vec<u8>>) -> Vec<u8>;
    seal_keys(keys: &[&KeyHandle], under: &KeyHandle, iv: &[u8]) -> (Vec<u8>, usize);
    sealed_check_values(from: &KeyHandle, sealed: &Sealed<'_>, length: usize) -> Vec<u8>;
    unwrap(kek: &KeyHandle, wrapped: &WrappedKey<'_>, purpose: Purpose) -> KeyHandle;
    open_block(kek: &KeyHandle, mac_key: &[u8], data: &[u8], form: BlockForm, mac: [u8; 4]) -> Secret<Vec<u8>>;
    open_pin(arrived: &ArrivedPin<'_>, pan: &Pan) -> Pin;
    seal_pin(pin: &Pin, form: CardPin, under: &KeyHandle, iv: &[u8], chance: &mut Chance) -> (Vec<u8>, usize);
    tr31_keys(kbpk: &KeyHandle, version: Version) -> (KeyHandle, KeyHandle);
    tr31_unwrap(kbpk: &KeyHandle, block: &KeyBlock) -> ArrivedKey;
    tr31_take(arrived: ArrivedKey, name: &str, purpose: Purpose) -> KeyHandle;
    tr31_wrap(kbpk: &KeyHandle, header: &Header, key: &KeyHandle, hide: bool, chance: &mut Chance) -> String;
    open_body(key: &KeyHandle, nonce: &[u8; NONCE], header: &[u8], body: &[u8], tag: &[u8; TAG]) -> Secret<Vec<u8>>;
    seal_body(key: &KeyHandle, nonce: &[u8; NONCE], header: &[u8], body: &Secret<Vec<u8>>) -> (Vec<u8>, [u8; TAG]);
    expose_test_key(key: &KeyHandle) -> Secret<Vec<u8>>;
}
