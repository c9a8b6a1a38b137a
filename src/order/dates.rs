//! Dates of an order: one century rule, and the expiry that a product's rule gives.

use jiff::civil::Date;

use super::context::{Context, Naming, Paths};
use super::file::{CardFile, OrderFile};
use super::problem::Findings;
use super::rules as r;
use crate::base::emv::date;

/// The day of a moment, UTC.
pub(super) fn day_of(moment: &str) -> Option<Date> {
    let moment: jiff::Timestamp = moment.parse().ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(moment).date())
}

/// The month of YYMM, by the century rule of the chip.
fn month(yymm: &str) -> Option<Date> {
    let digits = yymm.len() == 4 && yymm.bytes().all(|byte| byte.is_ascii_digit());
    let (year, month) = yymm.split_at_checked(2).filter(|_| digits)?;
    let year = i16::try_from(date::century(year.parse().ok()?)).ok()?;
    Date::new(year, month.parse().ok()?, 1).ok()
}

/// Whether the card's data states its expiry as it must; where it does not, that is told of and nothing is held
/// against it.
pub(super) fn is_month(expiry: &str) -> bool {
    expiry.len() == 4 && month_of(expiry).is_some() && expiry.get(..2).is_some_and(|year| year < "50")
}

/// A month YYMM, as itself or out of a date: 2031-05, 2031-05-31, 2031-05-31T00:00:00Z.
pub(super) fn month_of(text: &str) -> Option<String> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() == 4 && digits(text) {
        return matches!(text.get(2..)?.parse(), Ok(1..=12)).then(|| text.to_owned());
    }
    let day = match text.len() {
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => {
            text.parse::<jiff::Timestamp>().ok()?;
            text.get(..10)?.to_owned()
        }
    };
    let day: jiff::civil::Date = day.parse().ok()?;
    (day.year() >= 2000 && day.year() < 2100).then(|| format!("{:02}{:02}", day.year() % 100, day.month()))
}

/// The expiry of an order that states none: the old card's, or so many months from receipt, as the product says.
// Mastercard Processing: Expiry Date Rule
pub(super) fn expiry_by_rule(file: &mut OrderFile, paths: Paths, context: &Context, found: &mut Findings) {
    let rule = context.site.and_then(|site| site.product(&file.product.profile)).and_then(|product| product.expiry);
    let received = day_of(&file.identity.received_at);
    let Some(card) = &mut file.card else { return };
    let name = |own: &'static str| paths.iter().find(|(ours, _)| *ours == own).map_or(own, |(_, theirs)| *theirs);
    let old = card.old_expiry.as_deref().map(month);
    if old == Some(None) {
        found.format(name("card.old_expiry"), "must be a month YYMM");
    }
    if !card.expiry.is_empty() {
        return;
    }
    let Some(old) = old else {
        return found.format(name("card.expiry"), "required; or give old_expiry, for a product with an expiry rule");
    };
    if context.site.is_none() {
        return found.skip("the expiry: it is computed by a rule of the site, and no site was given");
    }
    let Some(rule) = rule else {
        return found
            .value(name("card.expiry"), "absent, and the site's [[profile]] of the product has no expiry rule");
    };
    let (Some(old), Some(received)) = (old.map(Date::last_of_month), received) else { return };
    let span = |months: u32| jiff::Span::new().try_months(months).ok();
    let limit = span(rule.keep_if_more_than).and_then(|span| received.checked_add(span).ok());
    let kept = limit.is_some_and(|limit| limit < old);
    let last = if kept { Some(old) } else { span(rule.months).and_then(|span| received.checked_add(span).ok()) };
    let Some((last, year)) = last.and_then(|last| Some((last, date::two_digits(last.year())?))) else {
        return found.value(name("card.expiry"), "the expiry rule gives a year that two digits cannot state");
    };
    card.expiry = format!("{year:02}{:02}", last.month());
    let why = match kept {
        true => format!("the old card's is kept: it is more than {} months ahead", rule.keep_if_more_than),
        false => format!(
            "{} months from receipt: the old card's is not more than {} ahead",
            rule.months, rule.keep_if_more_than
        ),
    };
    let words = format!("not stated by the order, computed as {} (YYMM): {why}", card.expiry);
    found.warn(name("card.expiry"), words.clone());
    card.expiry_rule = Some(words);
}

/// The last day of the expiry's month. A month in the wrong order of digits is often caught by the tracks only.
pub(super) fn expiry(card: &CardFile, received: Option<Date>, path: &Naming, found: &mut Findings) -> Option<Date> {
    let last = month(&card.expiry).map(Date::last_of_month);
    match (last, received) {
        (None, _) => found.format(path.card("expiry"), "it is not a month"),
        (Some(last), _) if last.year() < 2000 => {
            let message = "a year from 50 to 99 is 1950 to 1999 to a terminal; the year must be 00 to 49";
            found.value(path.card("expiry"), message); // EMV B4 §6.7.3
            // Nothing else is compared with it.
            return None;
        }
        (Some(last), Some(received)) if last < received => {
            found.value(path.card("expiry"), "the card would have expired before it was ordered");
        }
        _ => {}
    }
    last
}

pub(super) fn effective(
    card: &CardFile,
    received: Option<Date>,
    expiry: Option<Date>,
    path: &Naming,
    found: &mut Findings,
) -> Option<Date> {
    let Some(text) = &card.effective else {
        if received.is_some_and(|day| date::two_digits(day.year()).is_none()) {
            let message = "the card becomes effective on this day, and 5F25 states only the years 1950 to 2049";
            found.value(path.of("identity.received_at"), message);
        }
        return received;
    };
    let day: Option<Date> = text.parse().ok().filter(|_| r::DAY.accepts(text));
    match (day, expiry) {
        (None, _) => found.format(path.card("effective"), "it is not a date YYYY-MM-DD"),
        // EMV B4 §6.7.3
        (Some(day), _) if date::two_digits(day.year()).is_none() => {
            found.value(path.card("effective"), "5F25 states only the years 1950 to 2049");
        }
        (Some(day), Some(expiry)) if day > expiry => {
            found.value(path.card("effective"), "the card would become effective after it expires");
        }
        _ => {}
    }
    day
}
