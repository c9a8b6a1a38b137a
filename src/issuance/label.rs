//! Names of applications for people.

use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::record::{Application, Content};

/// Application label, tag 50. // EMV B3 Annex A
const LABEL: Tag = Tag::of(0x50);

/// The label of an application, from the clear groupings of its record: it is text of the issuer. The directories PSE and
/// PPSE have the names that are their AIDs; the labels in them are those of other applications.
pub(super) fn of(application: &Application) -> Option<String> {
    if application.aid().iter().all(u8::is_ascii_graphic) {
        return Some(String::from_utf8_lossy(application.aid()).into_owned());
    }
    application.groupings().iter().find_map(|grouping| match grouping.content() {
        Content::Clear(value) => label(&tlv::parse(value.expose()).ok()?),
        Content::Sealed(_) => None,
    })
}

fn label(objects: &[Tlv]) -> Option<String> {
    objects.iter().find_map(|object| {
        if object.tag != LABEL {
            return label(object.children());
        }
        let text = String::from_utf8_lossy(&object.value_bytes()).trim().to_owned();
        (!text.is_empty()).then_some(text)
    })
}
