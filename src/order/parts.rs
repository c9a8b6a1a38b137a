//! An order by its parts: each value stands in one of them.

use super::{IndexUse, Line, Order, Pvv};

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Into the chip, or into how the chip is made.
    Chip,
    /// Onto the magnetic stripe.
    Stripe,
    /// Onto the card's faces.
    Print,
    /// To those who make, pack and send it.
    Fulfilment,
    /// Back to the one who ordered, or into the ledger.
    Report,
}

impl Part {
    /// As `docs/fields.md` has it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Chip => "chip",
            Part::Stripe => "stripe",
            Part::Print => "print",
            Part::Fulfilment => "fulfilment",
            Part::Report => "report",
        }
    }
}

pub(super) const PLASTIC_SEQUENCE: &str = "plastic_sequence";
pub(super) const TRACK_NUMBER: &str = "track_number";

impl Order {
    /// Shows every value with its part and name: for the preparation of each part, and for whoever must know that
    /// nothing stands where it does not belong. What is shown is secret.
    pub fn walk(&self, see: &mut dyn FnMut(Part, &str, &str)) {
        self.walk_chip(see);
        self.walk_stripe(see);
        for (at, name) in self.print.names.iter().enumerate() {
            see(Part::Print, &format!("name {}", at + 1), name.expose());
        }
        if let Some(cvv2) = &self.print.cvv2 {
            see(Part::Print, "cvv2", cvv2.expose());
        }
        if self.product.sample {
            see(Part::Print, "sample", "true");
        }
        let lines = |part: Part, lines: &[Line], see: &mut dyn FnMut(Part, &str, &str)| {
            lines.iter().for_each(|line| see(part, &line.name, line.value.expose()));
        };
        lines(Part::Print, &self.print.lines, see);
        lines(Part::Fulfilment, &self.fulfilment, see);
        see(Part::Fulfilment, "channel", self.channel.name());
        for (name, place) in [("station", &self.station), ("center", &self.center)] {
            place.iter().for_each(|place| see(Part::Fulfilment, name, place));
        }
        let identity = &self.identity;
        see(Part::Report, "issuer", &identity.issuer);
        see(Part::Report, "card", &identity.card);
        see(Part::Report, "operation", &identity.operation);
        see(Part::Report, "received", &identity.received);
        see(Part::Report, "issuance", self.issuance.name());
        lines(Part::Report, &self.report, see);
    }

    fn walk_chip(&self, see: &mut dyn FnMut(Part, &str, &str)) {
        let (chip, product) = (&self.chip, &self.product);
        let mut say = |name: &str, value: &str| see(Part::Chip, name, value);
        say("profile", &product.profile);
        say("scheme", product.scheme.name());
        product.contactless.iter().for_each(|it| say("contactless", &it.to_string()));
        product.applications.iter().for_each(|it| say("applications", &it.to_string()));
        product.pin_length.iter().for_each(|it| say("pin length", &it.to_string()));
        for key in product.keys.iter().filter(|key| key.r#use != IndexUse::Pv) {
            say(&format!("{} key", key.r#use.name()), &key.index);
        }
        say("5A", chip.pan.digits());
        say("5F34", &format!("{:02}", chip.psn));
        say("5F24", &chip.expiry);
        say("5F25", &chip.effective);
        chip.encoded_name.iter().for_each(|it| say("5F20", it.expose()));
        chip.service_code.iter().for_each(|it| say("5F30", it));
        chip.icvv.iter().for_each(|it| say("icvv", it.expose()));
        chip.par.iter().for_each(|it| say("9F24", it.expose()));
        chip.pin.iter().for_each(|pin| pin.walk(&mut say));
        for (at, block) in chip.blocks.iter().enumerate() {
            block.walk(at, &mut say);
        }
    }

    fn walk_stripe(&self, see: &mut dyn FnMut(Part, &str, &str)) {
        let stripe = &self.stripe;
        see(Part::Stripe, "wanted", if stripe.wanted { "true" } else { "false" });
        stripe.cvv.iter().for_each(|it| see(Part::Stripe, "cvv", it.expose()));
        match &stripe.pvv {
            Pvv::Given(pvv) => see(Part::Stripe, "pvv", pvv.expose()),
            Pvv::Computed => see(Part::Stripe, "pvv", "computed"),
            Pvv::Zero => see(Part::Stripe, "pvv", "0000"),
        }
        if let Some(key) = self.product.keys(IndexUse::Pv) {
            see(Part::Stripe, "pv key", &key.index);
        }
        if self.product.generate_pvv {
            see(Part::Stripe, "generate pvv", "true");
        }
        for (number, track) in &stripe.tracks {
            see(Part::Stripe, &format!("track {number}"), track.expose());
        }
    }
}
