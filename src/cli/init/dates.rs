//! Dates of a laboratory's cards and certificates, counted from today.

use crate::base::chance::Instant;
use crate::base::emv::certificate::MonthYear;
use crate::cli::common::CliError;
use crate::issuance::report;

/// Years from today to the expiry of a card, of the issuer's certificate, and of the CA's key.
const CARD: u16 = 4;
const CERTIFICATE: u16 = 5;
const CA: u16 = 8;
/// The last year that EMV's two digits tell. // EMV B4 §6.7.3
const LAST: u16 = 2049;

/// Today, and what is counted from it.
pub(super) struct Dates {
    moment: String,
    day: (u16, u8, u8),
    certificate: MonthYear,
    ca: MonthYear,
}

impl Dates {
    /// Counts from this moment.
    ///
    /// # Errors
    /// The clock shows a year that cards cannot state.
    pub(super) fn from(now: Instant) -> Result<Self, CliError> {
        let why = || "it shows no year from 2000 to 2045".to_owned();
        let wrong = || CliError::Advised {
            option: "(clock)",
            why: why(),
            next: "Set the system's clock, then start again.".to_owned(),
        };
        let day = report::day(now).filter(|(year, ..)| (2000..=LAST - CARD).contains(year)).ok_or_else(wrong)?;
        let end = |years: u16| MonthYear::new((day.0 + years).min(LAST), 12).ok_or_else(wrong);
        Ok(Self { moment: report::timestamp(now), day, certificate: end(CERTIFICATE)?, ca: end(CA)? })
    }

    /// Now, as orders state it.
    pub(super) fn moment(&self) -> &str {
        &self.moment
    }

    /// Today, YYYY-MM-DD.
    pub(super) fn today(&self) -> String {
        let (year, month, day) = self.day;
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The year in which a card expires, at the end of December.
    pub(super) fn last_year(&self) -> u16 {
        self.day.0 + CARD
    }

    /// The end of the issuer's certificate.
    pub(super) fn certificate(&self) -> MonthYear {
        self.certificate
    }

    /// The end of the CA's key.
    pub(super) fn ca(&self) -> MonthYear {
        self.ca
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Microseconds of this day's begin.
    fn at(day: &str) -> Instant {
        let moment: jiff::Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
        Instant(u64::try_from(moment.as_microsecond()).unwrap())
    }

    #[test]
    fn card_certificate_and_ca_end_in_this_order() {
        let dates = Dates::from(at("2026-12-01")).unwrap();
        assert_eq!((dates.today().as_str(), dates.last_year()), ("2026-12-01", 2030));
        assert_eq!((dates.certificate().to_string(), dates.ca().to_string()), ("2031-12".into(), "2034-12".into()));
        let late = Dates::from(at("2045-06-30")).unwrap();
        assert_eq!((late.last_year(), late.certificate(), late.ca()), (2049, late.ca(), late.certificate()));
    }

    #[test]
    fn clock_whose_cards_could_not_state_their_expiry_is_refused() {
        for day in ["1999-12-31", "2046-01-01"] {
            let refused = Dates::from(at(day)).err().unwrap().to_string();
            assert!(refused.contains("2000 to 2045"), "{refused}");
        }
    }
}
