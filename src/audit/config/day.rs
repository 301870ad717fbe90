//! Days, on which allowances end.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate};

use crate::error::{Error, ErrorKind, Result};

/// A day of the calendar, in UTC: `2026-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(NaiveDate);

impl Day {
    /// The day of a time, in seconds since 1970-01-01 00:00 UTC.
    pub fn from_unix(seconds: i64) -> Day {
        let time = DateTime::from_timestamp(seconds, 0);
        Day(time.map_or(NaiveDate::MAX, |time| time.date_naive()))
    }

    /// `None` if there is no such day.
    pub(super) fn new(year: i32, month: u32, day: u32) -> Option<Day> {
        NaiveDate::from_ymd_opt(year, month, day).map(Day)
    }
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Day> {
        let day = text.parse().map(Day);
        day.map_err(|e| Error::new(ErrorKind::Usage, format!("`{text}` is no day: {e}")))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
