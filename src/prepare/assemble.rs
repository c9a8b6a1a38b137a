//! Groupings from a recipe: templates, records, locators.

use super::PrepareError;
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag};
use crate::profile::prepare::{AppRecipe, Derived, GroupingRecipe, Object, OrderField, Source};

/// Where objects take their values from.
pub(super) trait Larder {
    /// A field of the order as EMV codes it; none where the order has nothing for it.
    fn order(&self, field: OrderField) -> Option<Secret<Vec<u8>>>;

    /// A computed value; none where there is none, as with remainders of certificates that hold all.
    fn derived(&self, derived: Derived) -> Option<Secret<Vec<u8>>>;
}

/// The value of a grouping of objects.
///
/// # Errors
/// A source has nothing and the object is not optional.
pub(super) fn objects(
    template: Option<Tag>,
    objects: &[Object],
    larder: &dyn Larder,
    path: &str,
) -> Result<Secret<Vec<u8>>, PrepareError> {
    let inside = Secret::new(encoded(objects, larder, path)?);
    Ok(match template {
        Some(template) => Secret::new(tlv::encode(template, inside.expose())),
        None => inside,
    })
}

fn encoded(objects: &[Object], larder: &dyn Larder, path: &str) -> Result<Vec<u8>, PrepareError> {
    let mut out = Vec::new();
    for object in objects {
        let value = match &object.source {
            Source::Fixed(value) => Some(Secret::new(value.clone())),
            Source::Order(field) => larder.order(*field),
            Source::Derived(derived) => larder.derived(*derived),
            Source::Put(inner) => Some(Secret::new(encoded(inner, larder, path)?)),
        };
        match value {
            Some(value) => out.extend(tlv::encode(object.tag, value.expose())),
            None if object.optional || may_be_empty(&object.source) => {}
            None => {
                return Err(PrepareError::Nothing {
                    path: path.to_owned(),
                    tag: object.tag,
                    what: named(&object.source),
                    field: match &object.source {
                        Source::Order(field) => Some(*field),
                        _ => None,
                    },
                });
            }
        }
    }
    Ok(out)
}

/// A certificate that holds the whole modulus has no remainder, and a short signature needs no record.
/// // EMV B2 §6.1
fn may_be_empty(source: &Source) -> bool {
    let optional = [Derived::IssuerRemainder, Derived::IccRemainder, Derived::PinRemainder, Derived::FastSignature];
    matches!(source, Source::Derived(derived) if optional.contains(derived))
}

fn named(source: &Source) -> String {
    match source {
        Source::Order(field) => format!("the order's {field:?}"),
        Source::Derived(derived) => format!("the value {derived:?}"),
        Source::Fixed(_) | Source::Put(_) => "a value".into(),
    }
}

/// AIP and AFL as TLVs, over one interface. // EMV B3 §10.2, CPS 1.1 annex A
///
/// # Errors
/// The application has no AIP for it, or no record that is read over it.
pub(super) fn locator(app: &AppRecipe, contactless: bool) -> Result<Vec<u8>, PrepareError> {
    let aip = if contactless { app.aip_contactless } else { app.aip };
    let missing = |what| PrepareError::Recipe { aid: hex::encode_upper(&app.aid), what };
    let aip = aip.ok_or_else(|| missing("the recipe has no AIP for an interface that has a locator"))?;
    let afl = afl(&app.groupings, contactless);
    if afl.is_empty() {
        return Err(missing("the recipe has no record for an interface that has a locator"));
    }
    Ok([tlv::encode(Tag::of(0x82), &aip), tlv::encode(Tag::of(0x94), &afl)].concat())
}

/// Entries of consecutive records. Only the first records of an entry can take part in offline data authentication, so
/// a signed record behind one that is not begins an entry of its own. // EMV B3 §10.2
pub(super) fn afl(groupings: &[GroupingRecipe], contactless: bool) -> Vec<u8> {
    let mut records: Vec<(u8, u8, bool)> = groupings
        .iter()
        .filter(|grouping| grouping.read.is_located(contactless))
        .filter_map(|grouping| grouping.record().map(|(sfi, number)| (sfi, number, grouping.signed)))
        .collect();
    records.sort_unstable();
    let mut entries: Vec<[u8; 4]> = Vec::new();
    for (sfi, number, signed) in records {
        match entries.last_mut() {
            Some([file, first, last, count])
                if *file == sfi << 3
                    && last.checked_add(1) == Some(number)
                    && (!signed || usize::from(*count) == usize::from(*last - *first) + 1) =>
            {
                *last = number;
                *count += u8::from(signed);
            }
            _ => entries.push([sfi << 3, number, number, u8::from(signed)]),
        }
    }
    entries.concat()
}

/// A grouping as it is named in problems.
pub(super) fn path(app: &AppRecipe, grouping: &GroupingRecipe) -> String {
    format!("application {} grouping {:04X}", hex::encode_upper(&app.aid), grouping.dgi)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::emv::Afl;
    use crate::profile::prepare::{Content, RecordUse};

    fn record(dgi: u16, read: RecordUse, signed: bool) -> GroupingRecipe {
        GroupingRecipe { dgi, content: Content::Fixed(Vec::new()), read, signed, only: None }
    }

    #[test]
    fn an_afl_counts_signed_records_from_the_first_of_an_entry() {
        let both = RecordUse { contact: true, contactless: true, answer: false };
        let contactless = RecordUse { contact: false, ..both };
        let answer = RecordUse { contact: false, contactless: false, answer: true };
        let groupings = [
            record(0x0101, both, false),
            record(0x0201, both, true),
            record(0x0202, both, true),
            record(0x0203, both, false),
            record(0x0204, both, true),
            record(0x0301, contactless, false),
            record(0x0302, answer, false),
            record(0x9104, both, false),
        ];
        let contact = afl(&groupings, false);
        assert_eq!(hex::encode(&contact), "08010100100103021004040 1".replace(' ', ""));
        let afl = Afl::parse(&super::afl(&groupings, true)).unwrap();
        assert_eq!(afl.oda_records().collect::<Vec<_>>(), [(2, 1), (2, 2), (2, 4)]);
        assert_eq!(afl.records().last(), Some((3, 1)));
    }
}
