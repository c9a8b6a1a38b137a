//! The plan: the commands that a record means on its card product. Holds no secret and no customer's value.

use super::options::{self, FinalState};
use crate::base::fault::Code;
use crate::card::channel::ChannelSpec;
use crate::card::cps::{self, Block, Piece};
use crate::profile::prepare::RecordUse;
use crate::profile::{Interface, Profile, ReadBack};
use crate::record::{Application, Content, Method, Record};

/// A plan for one card.
#[derive(Debug)]
pub struct Plan {
    /// Id of the record.
    pub record: String,
    /// Whether the card is a sample.
    pub sample: bool,
    /// Name of the profile.
    pub profile: String,
    /// Hash of the profile.
    pub profile_hash: [u8; 32],
    /// The applications in order.
    pub applications: Vec<AppPlan>,
    /// The card's life cycle after an equal read-back, set through this security domain; `None` leaves it.
    pub final_state: Option<FinalState>,
}

/// What is done to one application.
#[derive(Debug)]
pub struct AppPlan {
    /// AID of the application.
    pub aid: Vec<u8>,
    /// AID of the security domain it is personalized through; `None` for the direct method.
    pub through: Option<Vec<u8>>,
    /// The secure channel.
    pub channel: ChannelSpec,
    /// The groupings in order.
    pub groupings: Vec<Grouping>,
    /// The STORE DATA commands in order.
    pub blocks: Vec<Block>,
    /// STORE DATA commands that could not be fewer with this payload.
    pub minimum: usize,
    /// Plain bytes that one command takes.
    pub payload: usize,
    /// Tags that GET DATA must answer beside those that were loaded.
    pub read_too: Vec<u16>,
    /// The interface over which it can be read back.
    pub interface: Interface,
    /// Another application moves its transaction counter too.
    pub shares_counter: bool,
}

/// One data grouping, without its value.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// Its number.
    pub dgi: u16,
    /// Its name in the profile.
    pub name: String,
    /// Bytes on the card, with the padding that the profile names.
    pub length: usize,
    /// Enciphered under the card's DEK.
    pub sealed: bool,
    /// The card may refuse it with 6A88.
    pub tolerated: bool,
    /// How it is read back.
    pub read_back: ReadBack,
    /// Of a record: where a terminal finds its objects, if the profile's recipe says it.
    pub record_use: Option<RecordUse>,
    /// The grouping whose key check values the card compares with it, or the reverse.
    pub checked_with: Option<u16>,
}

/// A record that cannot be planned on its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a path into the record.
    pub path: String,
    /// Catalogue code.
    pub code: Code,
    /// What is wrong.
    pub message: String,
}

impl Plan {
    /// Plans a record on its profile. The two have been checked against each other.
    ///
    /// # Errors
    /// What the card product cannot take, each with its path in the record.
    pub fn new(record: &Record, profile: &Profile) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut applications = Vec::new();
        for (index, app) in record.applications().iter().enumerate() {
            match AppPlan::new(app, profile) {
                Ok(plan) => applications.push(plan),
                Err(message) => problems.push(Problem {
                    path: format!("body.applications[{index}]"),
                    code: Code::RecordDgi,
                    message,
                }),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            record: record.id().to_owned(),
            sample: record.is_sample(),
            profile: profile.name().to_owned(),
            profile_hash: profile.hash(),
            applications,
            final_state: options::final_state(profile),
        })
    }

    /// State-changing commands: every STORE DATA, and the final SET STATUS.
    pub fn state_changing(&self) -> u32 {
        let blocks: usize = self.applications.iter().map(|app| app.blocks.len()).sum();
        blocks as u32 + u32::from(self.final_state.is_some())
    }

    /// Bytes of data in the longest STORE DATA command, with its protection.
    pub fn longest_command(&self) -> usize {
        let lengths = |app: &AppPlan| app.blocks.iter().map(|block| app.channel.protected_length(block.len)).max();
        self.applications.iter().filter_map(lengths).max().unwrap_or_default()
    }
}

impl AppPlan {
    fn new(app: &Application, profile: &Profile) -> Result<Self, String> {
        let channel = options::channel(profile, app).map_err(|error| error.to_string())?;
        let payload = channel.max_data(profile.max_command());
        let groupings =
            app.groupings().iter().map(|it| Grouping::new(it, app, profile)).collect::<Result<Vec<_>, _>>()?;
        let pieces: Vec<Piece> = groupings
            .iter()
            .map(|grouping| Piece {
                dgi: grouping.dgi,
                len: grouping.length,
                sealed: grouping.sealed,
                together: app.groups().iter().position(|group| group.contains(&grouping.dgi)).map(|at| at as u32),
                alone: grouping.tolerated,
            })
            .collect();
        let packing = options::packing(profile, payload);
        let blocks = cps::pack(&pieces, &packing).map_err(|error| error.to_string())?;
        Ok(Self {
            aid: app.aid().to_vec(),
            through: match app.method() {
                Method::Direct => None,
                Method::Through(domain) => Some(domain.clone()),
            },
            channel,
            minimum: cps::minimum(&pieces, payload),
            groupings,
            blocks,
            payload,
            read_too: profile.read_too().to_vec(),
            interface: profile.interface(app.aid()),
            shares_counter: profile.shares_counter(app.aid()),
        })
    }

    /// Bytes of a block's command on the wire: header, Lc, protected data, MAC, Le.
    pub fn block_bytes(&self, block: &Block) -> usize {
        let data = self.channel.protected_length(block.len);
        let lc = if data > 255 { 3 } else { 1 };
        4 + lc + data
    }
}

impl Grouping {
    /// Whether the contactless answer to GET PROCESSING OPTIONS carries its objects, and no AFL over this interface names it.
    pub fn is_answered(&self, contactless: bool) -> bool {
        self.record_use.is_some_and(|it| it.answer && !it.is_located(contactless))
    }

    fn new(grouping: &crate::record::Grouping, app: &Application, profile: &Profile) -> Result<Self, String> {
        let dgi = grouping.dgi();
        let rule = profile
            .dgi(app.aid(), dgi)
            .ok_or_else(|| format!("the profile does not know DGI {dgi:04X} in this application"))?;
        let (length, sealed) = match grouping.content() {
            Content::Clear(value) => (value.len(), false),
            Content::Sealed(value) => {
                let padded = rule.padding().padded(value.length(), options::dek_cipher(profile).block());
                let padded = padded.ok_or_else(|| {
                    format!(
                        "DGI {dgi:04X} has {} bytes, which are not whole blocks, and its padding is none",
                        value.length()
                    )
                })?;
                (padded, true)
            }
        };
        Ok(Self {
            dgi,
            name: rule.name().to_owned(),
            length,
            sealed,
            tolerated: app.tolerated().contains(&dgi),
            read_back: rule.read_back(),
            record_use: profile.record_use(app.aid(), dgi),
            checked_with: profile.checked_with(app.aid(), dgi),
        })
    }
}
