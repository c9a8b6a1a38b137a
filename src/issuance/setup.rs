//! What jobs work with, in the program, a batch or a station: keys, profiles, the site's files, and the effects as ports.

use std::sync::Arc;

pub use super::profile_folder::{ProfileFolder, Profiles, ProfilesError};
use crate::base::fault::Fault;
use crate::base::{Chance, Clock};
use crate::keys::KeyStore;
use crate::keys::ca_keys::CaKeys;
use crate::order::Site;
use crate::prepare::{IssuerCertificate, Pool};

/// What jobs work with. A command, a batch or a service builds it from what was typed or configured; below it nobody knows
/// where a part came from.
///
/// ```
/// use std::sync::Arc;
///
/// use perso::base::chance::Instant;
/// use perso::base::{Chance, Clock};
/// use perso::issuance::setup::{ProfileFolder, Setup};
/// use perso::keys::file;
///
/// let keys = file::load(&std::fs::read("tests/samples/keys.test.json")?, None)?;
/// let profiles = ProfileFolder::new("card-profiles".as_ref());
/// let (clock, chance) = (Clock::fixed(Instant(1_700_000_000_000_000)), Chance::fixed(vec![0; 64]));
/// let setup = Setup::new(Arc::new(keys), Arc::new(profiles), clock, chance);
/// assert_eq!(setup.profiles.profile("debit-aes-scp03")?.name(), "debit-aes-scp03");
/// assert!(!setup.is_live());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Setup {
    /// The keys.
    pub keys: Arc<dyn KeyStore>,
    /// The profiles.
    pub profiles: Arc<dyn Profiles>,
    /// The site that orders are for; `None` takes records only.
    pub site: Option<Site>,
    /// The issuer's certificate, for products with offline data authentication.
    pub issuer: Option<IssuerCertificate>,
    /// The CA keys: the issuer's certificate is opened with them, and the card is proven by them at the end.
    pub ca_keys: Option<CaKeys>,
    /// RSA keys made ahead; without it they are made with the record.
    pub pool: Option<Box<dyn CardKeyPool>>,
    /// The least security level of a profile; `None` if no card is made.
    pub minimum_level: Option<u8>,
    /// The time.
    pub clock: Clock,
    /// The random source.
    pub chance: Chance,
}

impl Setup {
    /// A set-up for records, without site, issuer, CA keys and pool.
    pub fn new(keys: Arc<dyn KeyStore>, profiles: Arc<dyn Profiles>, clock: Clock, chance: Chance) -> Self {
        let (site, issuer, ca_keys, pool, minimum_level) = (None, None, None, None, None);
        Self { keys, profiles, site, issuer, ca_keys, pool, minimum_level, clock, chance }
    }

    /// Whether a live key is among the keys.
    pub fn is_live(&self) -> bool {
        self.keys.keys().iter().any(|key| !key.test)
    }
}

/// A pool of RSA keys that several processes take from.
pub trait CardKeyPool: Send {
    /// Locks the pool and opens it. The lock is held until [`HeldPool::save`], or until the pool is dropped.
    ///
    /// # Errors
    /// It is in use, cannot be locked, or does not open.
    fn hold(&self, keys: &dyn KeyStore) -> Result<Box<dyn HeldPool>, PortError>;
}

/// A pool that no other process takes from meanwhile.
pub trait HeldPool {
    /// The keys.
    fn keys(&mut self) -> &mut Pool;

    /// Writes the pool durably as it is now, and lets go of it.
    ///
    /// # Errors
    /// It cannot be sealed or written; the pool is then as it was.
    fn save(self: Box<Self>, keys: &dyn KeyStore) -> Result<(), PortError>;
}

/// What went wrong behind a port: its own fault, with code and remedy.
pub type PortError = Box<dyn Fault + Send + Sync>;
