//! The data of a prepared application, taken apart so that one thing of it can be changed.
#![allow(dead_code)]

use std::collections::BTreeMap;

use perso::base::codec::tlv::{self, Tag, Tlv};
use perso::record::Record;

/// The payment application of the product in the manner of Visa.
pub const PAYMENT: &str = "A0000009990301";

/// What is changed of record or card.
pub struct Data {
    /// The clear groupings by AID and number, and which of the sealed ones are there.
    pub groupings: BTreeMap<(String, u16), Option<Vec<u8>>>,
    /// The service code of the stripe.
    pub code: &'static str,
}

impl Data {
    pub fn of_record(record: &Record) -> Self {
        let groupings = record.applications().iter().flat_map(|app| {
            app.groupings().iter().map(|grouping| {
                let clear = app.clear_value(grouping.dgi()).map(<[u8]>::to_vec);
                ((hex::encode_upper(app.aid()), grouping.dgi()), clear)
            })
        });
        Self { groupings: groupings.collect(), code: "201" }
    }

    pub fn grouping(&mut self, dgi: u16) -> &mut Vec<u8> {
        self.groupings.get_mut(&(PAYMENT.to_owned(), dgi)).unwrap().as_mut().unwrap()
    }

    /// Changes the objects of a grouping's template.
    pub fn inside(&mut self, aid: &str, dgi: u16, change: impl FnOnce(&mut Vec<Tlv>)) {
        let value = self.groupings.get_mut(&(aid.to_owned(), dgi)).unwrap().as_mut().unwrap();
        let template = tlv::parse_one(value).unwrap();
        let mut objects = template.children().to_vec();
        change(&mut objects);
        *value = tlv::encode(template.tag, &tlv::encode_all(&objects));
    }

    /// Gives an object another value, or takes it away, wherever a template of the payment application holds it.
    pub fn set(&mut self, tag: u32, value: Option<&str>) {
        let templates: Vec<u16> = self
            .groupings
            .iter()
            .filter(|((aid, _), value)| aid == PAYMENT && value.as_ref().is_some_and(|it| matches!(it[0], 0x70 | 0xA5)))
            .map(|((_, dgi), _)| *dgi)
            .collect();
        let mut found = false;
        for dgi in templates {
            self.inside(PAYMENT, dgi, |objects| {
                let held = objects.iter().position(|object| object.tag == Tag::of(tag));
                found |= held.is_some();
                match (held, value) {
                    (Some(at), Some(value)) => objects[at] = object(tag, value),
                    (Some(at), None) => drop(objects.remove(at)),
                    (None, _) => {}
                }
            });
        }
        assert!(found, "{tag:X} is nowhere");
    }

    pub fn add(&mut self, dgi: u16, tag: u32, value: &str) {
        self.inside(PAYMENT, dgi, |objects| objects.push(object(tag, value)));
    }

    /// The service code of 5F30, of 57 and of the stripe.
    pub fn service_code(&mut self, code: &'static str) {
        self.code = code;
        self.set(0x5F30, Some(&format!("0{code}")));
        let track = self.track().replace("D3012201", &format!("D3012{code}"));
        self.set(0x57, Some(&track));
    }

    /// The value of 57.
    pub fn track(&mut self) -> String {
        let template = tlv::parse_one(self.grouping(0x0101)).unwrap();
        hex::encode_upper(tlv::find(template.children(), Tag::of(0x57)).unwrap().value_bytes())
    }
}

pub fn object(tag: u32, value: &str) -> Tlv {
    Tlv::primitive(Tag::of(tag), hex::decode(value).unwrap())
}
