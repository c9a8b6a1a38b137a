//! What a profile says of the offset of the IBM 3624 method.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::emv::Pan;

/// The offset of the IBM 3624 method, which `{offset}` in a pattern stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct OffsetFile {
    /// Decimalization table: sixteen digits, for 0 to F.
    table: String,
    /// The first of the PAN's digits that are validation data, from 1.
    #[serde(default = "first")]
    first: usize,
    /// How many of them, 1 to 16.
    #[serde(default = "whole")]
    digits: usize,
    /// The hexadecimal digit that fills them to sixteen on the right.
    #[serde(default = "filler")]
    filler: char,
}

fn first() -> usize {
    1
}

fn whole() -> usize {
    16
}

fn filler() -> char {
    'F'
}

/// How an offset is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offset(OffsetFile);

impl Offset {
    /// Reads the part; every fault is added with its path.
    pub(super) fn read(file: &OffsetFile, problems: &mut dyn FnMut(String, String)) -> Self {
        let mut wrong = |holds: bool, name: &str, why: &str| {
            if !holds {
                problems(format!("prepare.offset.{name}"), why.into());
            }
        };
        let table = file.table.len() == 16 && file.table.bytes().all(|byte| byte.is_ascii_digit());
        wrong(table, "table", "sixteen digits");
        wrong((1..=19).contains(&file.first), "first", "1 to 19: a PAN has no more digits");
        wrong((1..=16).contains(&file.digits), "digits", "1 to 16");
        wrong(file.filler.is_ascii_hexdigit(), "filler", "one hexadecimal digit");
        Self(file.clone())
    }

    /// Decimalization table.
    pub fn table(&self) -> &str {
        &self.0.table
    }

    /// Sixteen hexadecimal digits of validation data. None where the PAN has no such digits.
    pub fn validation(&self, pan: &Pan) -> Option<Zeroizing<String>> {
        let from = self.0.first.checked_sub(1)?;
        let digits = pan.digits().get(from..from.checked_add(self.0.digits)?)?;
        let filling = std::iter::repeat_n(self.0.filler, 16_usize.checked_sub(digits.len())?);
        Some(Zeroizing::new(digits.chars().chain(filling).collect()))
    }
}
