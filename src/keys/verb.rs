//! What is done with a key, and for whom.

/// What a store's keys are opened for. A store is opened for one use, and its handles keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Prepare, run, verify, records, import, export: the work that keys are held for.
    Job,
    /// `perso calc`: the caller sees the answer, so that live keys answer almost nothing.
    Calculator,
}

/// What a verb of a key store does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Computes the key's check value.
    CheckValue,
    /// Derives a key that stays in the store.
    Derive,
    /// Derives a key whose value leaves the store for one session.
    SessionKey,
    /// Enciphers a block, and gives it out.
    Encipher,
    /// Computes a MAC, and gives it out.
    Mac,
    /// Computes a MAC that is compared with one that came.
    CheckMac,
    /// Compares a whole cryptogram of at least 4 bytes: yes or no.
    Compare,
    /// Seals a value or a PIN.
    Seal,
    /// Opens a sealed value.
    OpenSealed,
    /// Enciphers a value for the card: its DEK.
    EncipherForCard,
    /// Goes sealed into a data grouping: a card's own keys.
    GoSealed,
    /// Opens a key that arrives under it.
    UnwrapKey,
    /// Opens a prepared block of card data.
    OpenCardBlock,
    /// Opens a PIN block.
    OpenPin,
    /// Opens a TR-31 key block.
    OpenKeyBlock,
    /// Makes a TR-31 key block.
    MakeKeyBlock,
    /// Leaves the store in a TR-31 key block.
    LeaveInKeyBlock,
    /// Opens the body of a record or a pool.
    OpenBody,
    /// Seals the body of a record or a pool.
    SealBody,
    /// Opens the content key of an encrypted order.
    OpenContentKey,
    /// Signs a certificate or static data.
    Sign,
    /// Gives out the public half of a key pair.
    PublicKey,
    /// Gives out the key's own value, in the clear.
    Expose,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 23] = [
        Verb::CheckValue,
        Verb::Derive,
        Verb::SessionKey,
        Verb::Encipher,
        Verb::Mac,
        Verb::CheckMac,
        Verb::Compare,
        Verb::Seal,
        Verb::OpenSealed,
        Verb::EncipherForCard,
        Verb::GoSealed,
        Verb::UnwrapKey,
        Verb::OpenCardBlock,
        Verb::OpenPin,
        Verb::OpenKeyBlock,
        Verb::MakeKeyBlock,
        Verb::LeaveInKeyBlock,
        Verb::OpenBody,
        Verb::SealBody,
        Verb::OpenContentKey,
        Verb::Sign,
        Verb::PublicKey,
        Verb::Expose,
    ];

    /// In words, as an infinitive.
    pub fn words(self) -> &'static str {
        match self {
            Verb::CheckValue => "compute its check value",
            Verb::Derive => "derive a key that stays in the store",
            Verb::SessionKey => "derive a session key that leaves the store",
            Verb::Encipher => "encipher a block",
            Verb::Mac => "compute a MAC",
            Verb::CheckMac => "check a MAC",
            Verb::Compare => "compare a cryptogram",
            Verb::Seal => "seal a value",
            Verb::OpenSealed => "open a sealed value",
            Verb::EncipherForCard => "encipher a value for the card",
            Verb::GoSealed => "go sealed into a data grouping",
            Verb::UnwrapKey => "open a wrapped key",
            Verb::OpenCardBlock => "open a prepared TLV block",
            Verb::OpenPin => "open a PIN block",
            Verb::OpenKeyBlock => "open a key block",
            Verb::MakeKeyBlock => "make a key block",
            Verb::LeaveInKeyBlock => "leave the store in a key block",
            Verb::OpenBody => "open a record's body",
            Verb::SealBody => "seal a record's body",
            Verb::OpenContentKey => "open an encrypted order",
            Verb::Sign => "sign",
            Verb::PublicKey => "give out its public key",
            Verb::Expose => "show its value",
        }
    }
}
