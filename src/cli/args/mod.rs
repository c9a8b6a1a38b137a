//! What may be typed.

mod auth;
mod ca;
mod calc;
mod calc_certificate;
mod card;
mod check;
mod config;
mod doctor;
mod examples;
mod global;
mod help;
mod init;
mod keep;
mod keys;
mod ledger;
mod prepare;
mod readers;
mod run;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::auth::AuthArgs;
pub use self::ca::CaCommand;
pub use self::calc::{
    ArpcArgs, ArqcArgs, BlockFormat, CalcCommand, CardArgs, CvvArgs, DiversifyArgs, DolArgs, IccKeyArgs, KeyArgs,
    KeyCheckArgs, KeyPlaceArgs, LuhnArgs, OffsetArgs, OneValue, PinBlockCommand, PinKeyArgs, PvvArgs, SessionArgs,
    SessionKeysArgs, Tr31Args,
};
pub use self::calc_certificate::CertificateArgs;
pub use self::card::{ApduArgs, AppsArgs, CardCommand, ChannelArgs, DataArgs, InfoArgs};
pub use self::check::CheckArgs;
pub use self::config::ConfigCommand;
pub use self::doctor::DoctorArgs;
pub use self::global::{Color, Format, LogLevel};
pub use self::help::{dressed, usage_message, usage_of, wants_json, with_tip};
pub use self::init::{InitCommand, InitLabArgs};
pub use self::keep::{KeepArgs, ReplaceArgs};
pub use self::keys::{
    ExportArgs, GenerateArgs, ImportArgs, KcvArgs, KeyFileArgs, KeysCommand, LoadArgs, NamedArgs, RotateArgs,
};
pub use self::keys::{NeededArgs, NewPassphraseArgs, PublicArgs, PublicForm, RemoveArgs};
pub use self::ledger::{ActArgs, ActCommand, LedgerArgs, LedgerCommand, LedgerListArgs, LedgerShowArgs};
pub use self::prepare::{PoolCommand, PreparationArgs, PrepareArgs};
pub use self::readers::ReadersArgs;
pub use self::run::{LevelArgs, RunArgs};
pub use self::verify::VerifyArgs;

/// Personalizes payment smart cards: one prepared record, one card, one verdict.
#[derive(Debug, Parser)]
#[command(name = "perso", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// The station's configuration, which gives defaults to all options. Default: the nearest perso.toml in this folder, those above, or ~/.config/perso.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How results are printed: text for people, json for programs (schemas in docs/schemas).
    #[arg(long, global = true, value_name = "FORMAT", value_enum, hide_possible_values = true, default_value_t = Format::Text)]
    pub format: Format,

    /// Colours: auto, always or never. auto means on a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR and
    /// CLICOLOR_FORCE are obeyed.
    #[arg(long, global = true, value_name = "WHEN", value_enum, hide_possible_values = true, default_value_t = Color::Auto)]
    pub color: Color,

    /// No progress on standard error. Warnings, errors and results are printed all the same.
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// More on standard error: -v every exchange (header, length, status word, time), -vv also data, if every key in use is
    /// a test key. No level ever shows a secret.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// The same by name: off, error, warn, info, debug or trace.
    #[arg(long, global = true, value_name = "LEVEL", value_enum, hide_possible_values = true, default_value_t = LogLevel::Warn)]
    pub log: LogLevel,
}

impl Cli {
    /// What is logged: the more verbose of `--log` and `-v`.
    pub fn level(&self) -> LogLevel {
        let counted = match self.verbose {
            0 => self.log,
            1 => LogLevel::Debug,
            _ => LogLevel::Trace,
        };
        counted.max(self.log)
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0 good · 1 a fault of this program · 2 usage · 3 refused (record, profile) · 4 set-up (reader, service) · \
5 keys · 6 untouched · 7 spoiled · 8 in doubt · 9 ledger or stock · 10 findings

Progress goes to standard error, results to standard output. No secret is ever an argument.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a laboratory from nothing: configuration, product, test keys, sample orders.
    #[command(subcommand)]
    Init(InitCommand),
    /// Show an order becoming a card, and a power cut, step by step. On simulated cards, in under a minute; leaves nothing.
    Demo,
    /// Make one card from one record or order: the main job.
    Run(RunArgs),
    /// Read a card as a terminal would, and prove it. Offline data authentication up to the CA key, consistency rules,
    /// comparison with its record. Changes nothing but the transaction counter of each application, unless asked to.
    Verify(VerifyArgs),
    /// Check orders, records, profiles and key files. Lists every problem with its path; needs no card.
    Check(CheckArgs),
    /// Show the commands of a record, without a card. With bytes and time on the wire; no secret is shown.
    Plan(PlanArgs),
    /// Prepare a record from an order. Chip data, keys, certificates, PIN, tracks.
    Prepare(PrepareArgs),
    /// Make RSA keys of cards ahead.
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Seal and show prepared records.
    #[command(subcommand)]
    Record(RecordCommand),
    /// Make, import, export and list keys; never prints a key.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List CA public keys; run a CA for tests.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Make, list, show and check the ledger: what has happened to each order and card.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Check the station's configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make simulated cards, and put them behind virtual readers.
    #[command(subcommand)]
    Sim(SimCommand),
    /// Show and replay traces of APDUs.
    #[command(subcommand)]
    Trace(TraceCommand),
    /// List the PC/SC readers, and what card is in each.
    Readers(ReadersArgs),
    /// Look into a card, and send it APDUs.
    #[command(subcommand)]
    Card(CardCommand),
    /// Show which keys fit a card; never authenticates. One INITIALIZE UPDATE, then everything is compared offline.
    ExplainAuth(AuthArgs),
    /// Calculate check values, PIN blocks, cryptograms, TLV and more. The steps are shown.
    #[command(subcommand)]
    Calc(CalcCommand),
    /// Check whether this machine is ready. PC/SC, readers, keys, profiles, clock, journal; changes nothing.
    Doctor(DoctorArgs),
    /// Explain an error code or a status word, and what to do.
    Explain {
        /// A code such as CARD-CRYPTOGRAM, a rule such as R12, or a status word as 6A88, 0x6A88 or 6A 88; all codes if none is
        /// given.
        code: Vec<String>,
    },
}

/// Where keys and profiles are.
#[derive(Debug, Clone, Args)]
pub struct Sources {
    /// The key file: sealed, or an unsealed file of test keys. Or a token: pkcs11:token=LABEL?module-path=FILE
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
}

/// How the passphrase of a sealed key file arrives. Never as an argument.
#[derive(Debug, Clone, Default, Args)]
pub struct PassphraseArgs {
    /// Read the key file's passphrase, or the token's PIN, from the first line of this file, instead of asking for it.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    pub passphrase_file: Option<PathBuf>,
    /// Read it from the first line of this open descriptor.
    #[arg(long, value_name = "N")]
    pub passphrase_fd: Option<u32>,
    /// Log in to a token even if one wrong PIN would lock it.
    #[arg(long, hide_short_help = true)]
    pub last_try: bool,
    /// The token's own mechanism for retail MACs (ISO 9797-1 algorithm 3) by label, such as perso=0x80000A01.
    #[arg(long, value_name = "LABEL=NUMBER", hide_short_help = true)]
    pub token_retail_mac: Vec<String>,
    /// Allow companions of the left half of live keys in the token of this label; docs/keys.md says what that means.
    #[arg(long, value_name = "LABEL", hide_short_help = true)]
    pub allow_left_half: Vec<String>,
}

/// Where profiles are.
#[derive(Debug, Clone, Args)]
pub struct ProfileArgs {
    /// Folder of card profiles (*.toml); the record names the one it was prepared for.
    #[arg(long, value_name = "DIR", default_value = crate::cli::paths::PROFILES_FOLDER)]
    pub profiles: PathBuf,
}

/// Which card.
#[derive(Debug, Clone, Args)]
pub struct ReaderArgs {
    /// `sim` for a fresh simulated blank, `sim:FILE` for a simulated card kept in a file, `replay:FILE` for a trace in
    /// the place of a card, else a PC/SC reader: its name, a unique part of it, or its number.
    #[arg(long, value_name = "READER", value_parser = reader)]
    pub reader: String,
    /// Simulated cards only: the interface that the card is reached over. A real reader says it itself.
    #[arg(long, value_enum, default_value_t = Interface::Contact)]
    pub interface: Interface,
    /// Wait this long for the reader and for a card in it; 0 does not wait. Without it (also in perso.toml) a card is
    /// waited for 120 s, and a missing reader is an error at once.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub limits: LimitArgs,
}

/// How long a card may take.
#[derive(Debug, Clone, Copy, Args)]
pub struct LimitArgs {
    /// Give up the card if a command, with all the exchanges that it takes, is not answered within this time. The state
    /// of the card is then unknown. The old name --ceiling is accepted for one more version.
    #[arg(long, alias = "ceiling", hide_short_help = true, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub command_timeout: u32,
    /// Give up the card if all commands together take longer than this.
    #[arg(long, hide_short_help = true, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86400))]
    pub job_timeout: u32,
}

/// An empty variable in a script must not choose a reader, nor a card.
fn reader(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("it is empty; `perso readers` lists the readers, `sim` is the simulated card"),
        "sim:" => Err("no file follows sim: ; make a card with `perso sim new`, or use `sim` for a fresh one"),
        _ => Ok(text.to_owned()),
    }
}

/// Interfaces of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Interface {
    /// Contacts.
    Contact,
    /// Contactless.
    Contactless,
}

/// `perso plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The prepared record; - for standard input.
    pub record: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sources: Sources,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub level: LevelArgs,
    /// Bits per second on the wire, for the estimate.
    #[arg(long, value_name = "BITS", default_value_t = 250_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    pub speed: u32,
    /// The protocol of the estimate.
    #[arg(long, value_enum, default_value_t = Wire::T1)]
    pub wire: Wire,
}

/// Link protocols of the time estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wire {
    /// Contact, T=0.
    T0,
    /// Contact, T=1, IFSC 254.
    T1,
    /// Contactless, ISO/IEC 14443-4.
    Contactless,
}

/// `perso record …`
#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// Make a sealed record from a clear one; for test keys only.
    Seal {
        /// The clear record, - for standard input; docs/schemas/record-clear.schema.json describes it.
        clear: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs)]
        sources: Sources,
        #[command(flatten)]
        #[allow(missing_docs)]
        level: LevelArgs,
        /// Write here; standard output otherwise.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        #[allow(missing_docs)]
        replace: ReplaceArgs,
    },
    /// Show a record, masked.
    Show {
        /// The prepared record; - for standard input.
        record: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs)]
        sources: Sources,
    },
}

/// `perso sim …`
#[derive(Debug, Subcommand)]
pub enum SimCommand {
    /// Put simulated cards behind virtual PC/SC readers, through vsmartcard's vpcd. Takes commands on standard input:
    /// insert N [FILE], remove N, swap N FILE (the reader does not notice), tear N before|after|within, mute N, quit.
    Serve(ServeArgs),
    /// Make a simulated blank as the card maker of a profile's stock would have: its keys diversified from a test key.
    New(SimNewArgs),
}

/// `perso sim new`
#[derive(Debug, Args)]
pub struct SimNewArgs {
    /// Name of the profile, or its file.
    pub profile: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sources: Sources,
    /// AID of an application on the blank; may be given several times.
    #[arg(long, value_name = "AID", required_unless_present = "record")]
    pub aid: Vec<String>,
    /// Take the AIDs from this record instead.
    #[arg(long, value_name = "FILE", conflicts_with = "aid")]
    pub record: Option<PathBuf>,
    /// Name of the master key, if the profile names several.
    #[arg(long, value_name = "NAME")]
    pub master: Option<String>,
    /// Chip serial number, 8 hexadecimal digits; drawn at random otherwise.
    #[arg(long, value_name = "HEX")]
    pub serial: Option<String>,
    /// The blank talks T=0 alone, and its ATR says so; otherwise it talks what the profile's ATR offers, T=1 first.
    #[arg(long)]
    pub t0: bool,
    /// Whether it refuses a command that expects data and has no Le, as cards that talk T=1 do.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub strict_le: bool,
    /// Write here; an existing file is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `perso sim serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Cards' files, made by `perso sim new`: the first for the first reader, and so on.
    #[arg(required = true, value_name = "CARD")]
    pub cards: Vec<PathBuf>,
    /// Address at which vpcd waits for the first card; the second card goes to the next port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:35963")]
    pub connect: std::net::SocketAddr,
    /// Address at which to wait for vpcd instead.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "connect")]
    pub listen: Option<std::net::SocketAddr>,
    /// The interface that the readers have.
    #[arg(long, value_enum, default_value_t = Interface::Contact)]
    pub interface: Interface,
    /// The time that a card takes for each command.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=60_000))]
    pub card_time: u32,
    /// Take as long for each exchange as a link of this speed would. Default: no time.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    pub speed: Option<u32>,
    /// The protocol of that wire.
    #[arg(long, value_enum, default_value_t = Wire::T1)]
    pub wire: Wire,
    /// Faults that the cards show, as with `perso run --fault`. Rules that never fired are listed at the end.
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
    /// Write what the hosts send and the cards answer, for `perso trace show`; with several cards into FILE.0, FILE.1, …
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub replace: ReplaceArgs,
}

/// `perso trace …`
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Explain a trace, exchange by exchange.
    Show {
        /// The trace; - for standard input.
        trace: PathBuf,
        /// Look inside the secure channel with the test keys of this key file: data is deciphered, MACs are checked.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        #[command(flatten)]
        #[allow(missing_docs)]
        passphrase: PassphraseArgs,
    },
    /// Run the host against a trace and name the first difference.
    Replay {
        /// The trace.
        trace: PathBuf,
        /// The record that the trace was made with.
        record: PathBuf,
        /// The CA keys that the job was run with.
        #[arg(long, value_name = "FILE")]
        ca_keys: Option<PathBuf>,
        #[command(flatten)]
        #[allow(missing_docs)]
        sources: Sources,
        #[command(flatten)]
        #[allow(missing_docs)]
        level: LevelArgs,
    },
}
