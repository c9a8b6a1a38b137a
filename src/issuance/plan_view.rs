//! A plan as people and programs read it. Holds no secret and no customer's value.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::plan::{AppPlan, Plan};
use super::result::ProfileRef;
use super::wire::{Link, Wire};
use crate::card::cps::Block;
use crate::profile::{ReadBack, Shown};

/// What `perso plan --format json` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlanView {
    /// Version of this shape: 1.
    pub perso_plan: u32,
    /// Id of the record.
    pub record: String,
    /// Whether the card is a sample.
    pub sample: bool,
    /// The profile.
    pub profile: ProfileRef,
    /// The link that times are estimated for.
    pub link: String,
    /// The applications in order.
    pub applications: Vec<AppView>,
    /// Life cycle that the card is set to after an equal read-back, hexadecimal.
    pub final_life_cycle: Option<String>,
    /// Commands that load the card, read-back not included.
    pub commands: usize,
    /// STORE DATA commands.
    pub store_data: usize,
    /// STORE DATA commands that could not be fewer with these payloads.
    pub minimum: usize,
    /// Bytes of the commands on the wire.
    pub bytes: usize,
    /// Estimated time of the commands on the wire in microseconds; the card's own time comes on top.
    pub wire_micros: u64,
}

/// One application.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AppView {
    /// Its AID.
    pub aid: String,
    /// AID of the security domain it is personalized through; absent for the direct method.
    pub through: Option<String>,
    /// Protocol of the secure channel.
    pub protocol: String,
    /// Security level, hexadecimal.
    pub level: String,
    /// Plain bytes that one command takes.
    pub payload: usize,
    /// The groupings.
    pub groupings: Vec<GroupingView>,
    /// The commands.
    pub commands: Vec<CommandView>,
    /// STORE DATA commands that could not be fewer.
    pub minimum: usize,
}

/// One grouping.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GroupingView {
    /// Its number, hexadecimal.
    pub dgi: String,
    /// Its name in the profile.
    pub name: String,
    /// Bytes on the card, with padding.
    pub length: usize,
    /// Enciphered under the card's DEK.
    pub sealed: bool,
    /// The card may refuse it.
    pub tolerated: bool,
    /// How it is read back.
    pub read_back: &'static str,
}

/// One command.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CommandView {
    /// Its name.
    pub command: &'static str,
    /// First parameter, hexadecimal.
    pub p1: String,
    /// Second parameter, hexadecimal.
    pub p2: String,
    /// What it carries: groupings with the bytes of their encoding that stand in it.
    pub carries: String,
    /// Bytes on the wire.
    pub bytes: usize,
    /// Whether it changes the card.
    pub changes_card: bool,
    #[serde(skip)]
    #[schemars(skip)]
    answer: usize,
}

impl PlanView {
    /// Views a plan for a link.
    pub fn new(plan: &Plan, link: &Link) -> Self {
        let applications: Vec<AppView> = plan.applications.iter().map(AppView::new).collect();
        let commands = || applications.iter().flat_map(|app| &app.commands);
        Self {
            perso_plan: 1,
            record: plan.record.clone(),
            sample: plan.sample,
            profile: ProfileRef { name: plan.profile.clone(), sha256: hex::encode(plan.profile_hash) },
            link: format!(
                "{} at {} bit/s",
                match link.wire {
                    Wire::T0 => "T=0",
                    Wire::T1 => "T=1",
                    Wire::Contactless => "contactless",
                },
                link.bits_per_second
            ),
            final_life_cycle: plan.final_state.as_ref().map(|state| format!("{:02X}", state.life_cycle)),
            commands: commands().count(),
            store_data: plan.applications.iter().map(|app| app.blocks.len()).sum(),
            minimum: plan.applications.iter().map(|app| app.minimum).sum(),
            bytes: commands().map(|command| command.bytes).sum(),
            wire_micros: commands().map(|command| link.micros(command.bytes, command.answer)).sum(),
            applications,
        }
    }
}

impl AppView {
    fn new(app: &AppPlan) -> Self {
        let selected = app.through.as_ref().unwrap_or(&app.aid);
        let mut commands = vec![
            CommandView::other("SELECT", 0x04, 0x00, hex::encode_upper(selected), 6 + selected.len(), 64),
            CommandView::other(
                "INITIALIZE UPDATE",
                app.channel.key_version,
                0x00,
                "host challenge".into(),
                6 + app.channel.challenge_length(),
                app.channel.greeting_length() + 2,
            ),
            CommandView::other(
                "EXTERNAL AUTHENTICATE",
                app.channel.level.byte(),
                0x00,
                "host cryptogram, MAC".into(),
                5 + 2 * app.channel.challenge_length(),
                2,
            ),
        ];
        if app.through.is_some() {
            let bytes = 4 + 1 + app.channel.protected_length(app.aid.len() + 6) + 1;
            let aid = hex::encode_upper(&app.aid);
            commands.push(CommandView::other("INSTALL [for personalization]", 0x20, 0x00, aid, bytes, 3));
        }
        commands.extend(app.blocks.iter().map(|block| CommandView::store_data(app, block)));
        Self {
            aid: hex::encode_upper(&app.aid),
            through: app.through.as_ref().map(hex::encode_upper),
            protocol: app.channel.protocol.to_string(),
            level: format!("{:02X}", app.channel.level.byte()),
            payload: app.payload,
            groupings: app
                .groupings
                .iter()
                .map(|grouping| GroupingView {
                    dgi: format!("{:04X}", grouping.dgi),
                    name: grouping.name.clone(),
                    length: grouping.length,
                    sealed: grouping.sealed,
                    tolerated: grouping.tolerated,
                    read_back: match grouping.read_back {
                        ReadBack::Record => "READ RECORD",
                        ReadBack::Fci => "SELECT",
                        ReadBack::FciContactless => "SELECT, contactless",
                        ReadBack::Gpo => "GET PROCESSING OPTIONS",
                        ReadBack::GpoContactless => "GET PROCESSING OPTIONS, contactless",
                        ReadBack::GetData => "GET DATA",
                        ReadBack::PinTryCounter => "PIN try counter",
                        ReadBack::Tag(tag) => match Shown::of(tag) {
                            Some(Shown::Select) => "SELECT",
                            Some(Shown::ProcessingOptions) => "GET PROCESSING OPTIONS",
                            Some(Shown::GetData) => "GET DATA",
                            None => "none",
                        },
                        ReadBack::None => "none",
                    },
                })
                .collect(),
            minimum: app.minimum,
            commands,
        }
    }
}

impl CommandView {
    fn other(command: &'static str, p1: u8, p2: u8, carries: String, bytes: usize, answer: usize) -> Self {
        Self { command, p1: hex(p1), p2: hex(p2), carries, bytes, changes_card: false, answer }
    }

    fn store_data(app: &AppPlan, block: &Block) -> Self {
        let carried = block.segments.iter().map(|segment| {
            let dgi = app.groupings.get(segment.piece).map_or(0, |grouping| grouping.dgi);
            let sealed = app.groupings.get(segment.piece).is_some_and(|grouping| grouping.sealed);
            let part = if segment.is_whole() {
                String::new()
            } else {
                format!(" bytes {}-{}", segment.range().start + 1, segment.range().end)
            };
            format!("{dgi:04X}{}{part}", if sealed { " sealed" } else { "" })
        });
        Self {
            command: "STORE DATA",
            p1: hex(block.p1),
            p2: hex(block.p2),
            carries: carried.collect::<Vec<_>>().join(", "),
            bytes: app.block_bytes(block),
            changes_card: true,
            answer: app.channel.answer_overhead() + 2,
        }
    }
}

fn hex(byte: u8) -> String {
    format!("{byte:02X}")
}

impl fmt::Display for PlanView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sample = if self.sample { ", a SAMPLE," } else { "" };
        let (name, hash) = (&self.profile.name, &self.profile.sha256);
        writeln!(f, "Plan for record {}{sample} on profile {name} ({hash})", self.record)?;
        for app in &self.applications {
            let through = app.through.as_ref().map(|domain| format!(" through {domain}")).unwrap_or_default();
            writeln!(f, "\nApplication {}{through}: {}, level {}", app.aid, app.protocol, app.level)?;
            writeln!(f, "  {:<5} {:<34} {:>6}  {:<7} read back by", "DGI", "name", "bytes", "form")?;
            for grouping in &app.groupings {
                let form = if grouping.sealed { "sealed" } else { "clear" };
                let tolerated = if grouping.tolerated { " (the card may refuse it)" } else { "" };
                writeln!(
                    f,
                    "  {:<5} {:<34} {:>6}  {form:<7} {}{tolerated}",
                    grouping.dgi, grouping.name, grouping.length, grouping.read_back
                )?;
            }
            writeln!(f, "  {:<30} P1 P2  {:>5}  carries", "command", "bytes")?;
            for command in &app.commands {
                let CommandView { command, p1, p2, bytes, carries, .. } = command;
                writeln!(f, "  {command:<30} {p1} {p2}  {bytes:>5}  {carries}")?;
            }
            let stores = app.commands.iter().filter(|command| command.changes_card).count();
            writeln!(
                f,
                "  {stores} STORE DATA of at most {} plain bytes; not possible with fewer than {}",
                app.payload, app.minimum
            )?;
        }
        if let Some(state) = &self.final_life_cycle {
            writeln!(f, "\nAfter an equal read-back: SET STATUS to {state}")?;
        }
        write!(
            f,
            "\n{} commands, {} bytes, {:.1} ms on the wire ({}); read-back and the card's own time come on top",
            self.commands,
            self.bytes,
            self.wire_micros as f64 / 1000.0,
            self.link
        )
    }
}
