//! Dates to seconds and back (proleptic Gregorian calendar), and what the host's clock says.

use crate::config::RtcBase;
use std::time::{SystemTime, UNIX_EPOCH};

/// A date and time as the clock's registers hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1–12.
    pub(super) month: i64,
    /// 1–31.
    pub(super) day: i64,
    /// 0–23.
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
}

impl Date {
    /// The date `seconds` after 1970-01-01 00:00:00.
    pub(super) fn from_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let rest = seconds.rem_euclid(86_400);
        // Years are counted from March, so that the leap day comes last; 400 of them have 146097 days.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Date {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// Seconds since 1970-01-01 00:00:00. Fields out of range count on, as a 31st of April is the 1st of May.
    pub(super) fn to_seconds(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = (self.month + 9).rem_euclid(12);
        let day_of_year = (153 * shifted_month + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// 1 is Sunday.
    pub(super) fn weekday(self) -> i64 {
        (self.to_seconds().div_euclid(86_400) + 4).rem_euclid(7) + 1
    }
}

/// What a clock that keeps `base` shows now, in seconds since 1970-01-01 00:00:00 of its own reckoning.
pub fn host_seconds(base: RtcBase) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let utc = i64::try_from(now.as_secs()).unwrap_or(0);
    match base {
        RtcBase::Utc => utc,
        RtcBase::LocalTime => utc + local_offset(utc),
    }
}

/// Seconds that local time is ahead of UTC.
fn local_offset(utc: i64) -> i64 {
    // SAFETY: all-zero bytes are a valid `tm` (numbers and a null pointer).
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right type; localtime_r keeps neither.
    let result = unsafe { libc::localtime_r(&raw const utc, &raw mut tm) };
    if result.is_null() { 0 } else { tm.tm_gmtoff }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        let date = Date::from_seconds(951_782_400);
        assert_eq!((date.year, date.month, date.day), (2000, 2, 29));
        assert_eq!(date.weekday(), 3, "a Tuesday");
        assert_eq!(Date::from_seconds(-1).year, 1969);
    }

    proptest! {
        #[test]
        fn there_and_back(seconds in -100_000_000_000i64..100_000_000_000) {
            prop_assert_eq!(Date::from_seconds(seconds).to_seconds(), seconds);
        }
    }
}
