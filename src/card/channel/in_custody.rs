//! Session keys that stay in their key store: check values are told of them, and a card's cryptogram is compared. Nothing
//! here can make a host cryptogram, nor a MAC.

use super::{Answered, Handshake, scp02, scp03};
use crate::keys::{CardKeys, Computation, Derivation, KeyError, KeyHandle, KeyStore};

/// The keys of a session.
pub struct SessionInCustody {
    /// S-ENC.
    pub enc: KeyHandle,
    /// S-MAC.
    pub mac: KeyHandle,
    /// S-RMAC.
    pub rmac: KeyHandle,
    /// SCP02: S-DEK. SCP03: the card's own DEK.
    pub dek: KeyHandle,
}

impl SessionInCustody {
    /// The session keys of SCP02. // GPC 2.3.1 §E.4.1
    ///
    /// # Errors
    /// The keys are not two-key triple DES.
    pub fn scp02(store: &dyn KeyStore, keys: &CardKeys, i: u8, sequence: [u8; 2]) -> Result<Self, KeyError> {
        let [enc, mac, dek] = scp02::bases(keys, i);
        let session =
            |key, constant| store.derive(key, &Derivation::CbcZero(&scp02::derivation_data(constant, sequence)));
        Ok(Self {
            enc: session(enc, scp02::S_ENC)?,
            mac: session(mac, scp02::S_MAC)?,
            rmac: session(mac, scp02::S_RMAC)?,
            dek: session(dek, scp02::S_DEK)?,
        })
    }

    /// The session keys of SCP03. // GPC-D §6.2.1
    ///
    /// # Errors
    /// The keys are not AES.
    pub fn scp03(store: &dyn KeyStore, keys: &CardKeys, host: &[u8], card: &[u8]) -> Result<Self, KeyError> {
        let context = [host, card].concat();
        let session = |key: &KeyHandle, constant| {
            let length = key.algorithm().key_length();
            store.derive(key, &Derivation::Cmac { messages: &scp03::kdf(constant, length, &context), length })
        };
        Ok(Self {
            enc: session(&keys.enc, scp03::S_ENC)?,
            mac: session(&keys.mac, scp03::S_MAC)?,
            rmac: session(&keys.mac, scp03::S_RMAC)?,
            dek: store.duplicate(&keys.dek)?,
        })
    }

    /// Whether the card's cryptogram is made with these keys. SCP02 proves K-ENC so, SCP03 K-MAC. // GPC 2.3.1 §E.4.2,
    /// GPC-D §6.2.2.2
    ///
    /// # Errors
    /// The keys are of another store or another cipher.
    pub fn is_of(&self, store: &dyn KeyStore, handshake: &Handshake) -> Result<bool, KeyError> {
        let Handshake { host, challenge, cryptogram, .. } = handshake;
        match handshake.protocol {
            Answered::Scp02 => {
                let data = [host.as_slice(), &handshake.counter(), challenge].concat();
                let data = crate::base::crypto::pad_80(&data, 8);
                store.compare(&self.enc, &Computation::CbcMac(&data), cryptogram)
            }
            Answered::Scp03 { mode, .. } => {
                let length = mode.length();
                let messages = scp03::kdf(scp03::CARD_CRYPTOGRAM, length, &[host.as_slice(), challenge].concat());
                store.compare(&self.mac, &Computation::Cmac { messages: &messages, length }, cryptogram)
            }
        }
    }
}
