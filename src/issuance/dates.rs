//! Days and timestamps in UTC.

use crate::base::chance::Instant;

/// The day in UTC: year, month, day.
pub fn day(at: Instant) -> Option<(u16, u8, u8)> {
    let time = jiff::Timestamp::from_microsecond(i64::try_from(at.0).ok()?).ok()?;
    let date = jiff::tz::TimeZone::UTC.to_datetime(time).date();
    Some((u16::try_from(date.year()).ok()?, u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?))
}

/// RFC 3339, UTC, to the microsecond.
pub fn timestamp(at: Instant) -> String {
    jiff::Timestamp::from_microsecond(i64::try_from(at.0).unwrap_or(i64::MAX))
        .map_or_else(|_| String::from("unknown"), |time| time.to_string())
}
