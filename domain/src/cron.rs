//! Cron expressions: the five fields of `crontab(5)`, in UTC.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{Date, Duration, Month, OffsetDateTime, Time};

use crate::Timestamp;

/// Minutes at which something starts: `minute hour day-of-month month day-of-week`, each `*`, a
/// number, a list, a range or a step (`1,5`, `mon-fri`, `*/15`), or one of `@hourly`, `@daily`,
/// `@weekly`, `@monthly`, `@yearly`. If both day fields are restricted, either may match, as in
/// `crontab(5)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cron {
    text: Arc<str>,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day must match both day fields, as one of them starts with `*`.
    both_days: bool,
}

/// A field.
struct Field {
    /// What it is called.
    what: &'static str,
    /// Its least and its greatest value.
    min: u32,
    max: u32,
    /// The names of values, from the least.
    names: &'static [&'static str],
    /// The numbers from the least to the greatest, of one digit or two, as a regular expression.
    numbers: &'static str,
    /// Those from 1 to the greatest.
    steps: &'static str,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field {
        what: "minute",
        min: 0,
        max: 59,
        names: &[],
        numbers: "[0-5]?[0-9]",
        steps: "[1-5][0-9]|0?[1-9]",
    },
    Field {
        what: "hour",
        min: 0,
        max: 23,
        names: &[],
        numbers: "2[0-3]|[01]?[0-9]",
        steps: "2[0-3]|1[0-9]|0?[1-9]",
    },
    Field {
        what: "day of month",
        min: 1,
        max: 31,
        names: &[],
        numbers: "3[01]|[12][0-9]|0?[1-9]",
        steps: "3[01]|[12][0-9]|0?[1-9]",
    },
    Field {
        what: "month",
        min: 1,
        max: 12,
        names: &MONTHS,
        numbers: "1[0-2]|0?[1-9]",
        steps: "1[0-2]|0?[1-9]",
    },
    Field {
        what: "day of week",
        min: 0,
        max: 7,
        names: &WEEKDAYS,
        numbers: "0?[0-7]",
        steps: "0?[1-7]",
    },
];

/// What an expression may be instead of five fields, and the fields it stands for.
const NAMED: [(&str, &str); 5] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
];

/// Nothing that fires at all waits longer: 29 February, across a century without a leap year.
const DAYS_MAX: u32 = 366 * 8 + 1;

impl Field {
    /// The values that `text` stands for, one bit each.
    fn read(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |bits, part| {
            let (from, to, step) = self.part(part)?;
            Ok(bits | (from..=to).step_by(step).fold(0, |bits, value| bits | 1 << value))
        })
    }

    /// A range that runs backwards, which stands for nothing.
    fn backwards<'a>(&self, text: &'a str) -> Option<&'a str> {
        text.split(',').find(|part| self.part(part).is_ok_and(|(from, to, _)| from > to))
    }

    /// The first and the last value of a part, and the step between.
    fn part(&self, text: &str) -> Result<(u32, u32, usize), String> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (text, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (self.min, self.max),
            (_, Some((from, to))) => (self.value(from)?, self.value(to)?),
            (one, None) => {
                let from = self.value(one)?;
                (from, if step.is_some() { self.max } else { from })
            }
        };
        Ok((from, to, step.unwrap_or(1)))
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let step = number(text).filter(|step| (1..=self.max).contains(step));
        let step = step.ok_or_else(|| format!("{text:?} is no step of the {}", self.what))?;
        Ok(step as usize)
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let value = match named {
            Some(index) => Some(index as u32 + self.min),
            None => number(text).filter(|value| (self.min..=self.max).contains(value)),
        };
        value.ok_or_else(|| format!("{} {text:?} is not {} to {}", self.what, self.min, self.max))
    }

    /// What [`Field::read`] reads, as a regular expression.
    fn pattern(&self) -> String {
        let letter = |c: char| format!("[{c}{}]", c.to_ascii_uppercase());
        let names = self.names.iter().map(|name| name.chars().map(letter).collect());
        let values: Vec<String> = [self.numbers.to_owned()].into_iter().chain(names).collect();
        let (value, steps) = (values.join("|"), self.steps);
        let part = format!(r"(\*|({value})(-({value}))?)(/({steps}))?");
        format!("{part}(,{part})*")
    }
}

/// A number of one digit or two: `parse` alone takes a sign and zeros without end.
fn number(text: &str) -> Option<u32> {
    let is_plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok())?
}

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_ascii();
        let wrong = |why: String| {
            let text: String = text.chars().take(80).collect();
            format!("{text:?} is not a cron expression: {why}")
        };
        let Ok([minutes, hours, days, months, weekdays]) = <[&str; 5]>::try_from(fields(text))
        else {
            return Err(wrong("write minute, hour, day of month, month, day of week".into()));
        };
        let read = |index: usize, text: &str| FIELDS[index].read(text).map_err(wrong);
        let named = read(4, weekdays)?;
        Ok(Self {
            text: text.into(),
            minutes: read(0, minutes)?,
            hours: read(1, hours)?,
            days: read(2, days)?,
            months: read(3, months)?,
            // 7 is Sunday, as 0 is.
            weekdays: (named | named >> 7) & 0x7f,
            both_days: days.starts_with('*') || weekdays.starts_with('*'),
        })
    }
}

/// The fields that an expression consists of, or stands for.
fn fields(text: &str) -> Vec<&str> {
    let named = NAMED.iter().find(|(name, _)| *name == text);
    named.map_or(text, |(_, stands_for)| stands_for).split_ascii_whitespace().collect()
}

impl Cron {
    /// What is wrong with an expression that is one: a range that runs backwards, or a day that never
    /// comes.
    pub fn problem(&self) -> Option<String> {
        let backwards = fields(&self.text).into_iter().zip(&FIELDS).find_map(|(text, field)| {
            let part = field.backwards(text)?;
            Some(format!("{} {part:?} runs backwards; write two ranges", field.what))
        });
        let never = || {
            let is_never = self.next_after(Timestamp::default()).is_none();
            is_never.then(|| format!("{:?}: no such day ever comes", &*self.text))
        };
        backwards.or_else(never)
    }

    /// What is read as an expression, as a regular expression.
    pub(crate) fn pattern() -> String {
        let [minute, hour, day, month, weekday] = FIELDS.map(|field| field.pattern());
        let (blank, blanks) = (r"[ \t\n\f\r]*", r"[ \t\n\f\r]+");
        let named = NAMED.map(|(name, _)| name).join("|");
        let fields = [minute, hour, day, month, weekday].join(blanks);
        format!("^{blank}({named}|{fields}){blank}$")
    }

    /// The first start after `at`. `None` at the end of the calendar only.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let from = at.to_offset() + Duration::MINUTE;
        let mut date = from.date();
        let mut earliest = u32::from(from.hour()) * 60 + u32::from(from.minute());
        for _ in 0..DAYS_MAX {
            if self.is_on(date)
                && let Some(minute) = (earliest..24 * 60).find(|minute| self.is_at(*minute))
            {
                return at_minute(date, minute);
            }
            (date, earliest) = (date.next_day()?, 0);
        }
        None
    }

    /// The last start at or before `at`. `None` at the beginning of the calendar only.
    pub fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        let until = at.to_offset();
        let mut date = until.date();
        let mut latest = u32::from(until.hour()) * 60 + u32::from(until.minute());
        for _ in 0..DAYS_MAX {
            if self.is_on(date)
                && let Some(minute) = (0..=latest).rev().find(|minute| self.is_at(*minute))
            {
                return at_minute(date, minute);
            }
            (date, latest) = (date.previous_day()?, 24 * 60 - 1);
        }
        None
    }

    fn is_on(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().number_days_from_sunday());
        let day_matches = if self.both_days { day && weekday } else { day || weekday };
        day_matches && has(self.months, Month::into(date.month()))
    }

    fn is_at(&self, minute: u32) -> bool {
        self.hours >> (minute / 60) & 1 == 1 && self.minutes >> (minute % 60) & 1 == 1
    }
}

fn has(bits: u64, value: u8) -> bool {
    bits >> value & 1 == 1
}

fn at_minute(date: Date, minute: u32) -> Option<Timestamp> {
    let time = Time::from_hms((minute / 60) as u8, (minute % 60) as u8, 0).ok()?;
    Some(OffsetDateTime::new_utc(date, time).into())
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy as _;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn the_next_and_the_last_start_are_found() {
        for (cron, now, last, next) in [
            (
                "*/15 * * * *",
                "2026-01-01T00:15:30Z",
                "2026-01-01T00:15:00Z",
                "2026-01-01T00:30:00Z",
            ),
            ("0 2 * * *", "2026-01-01T02:00:00Z", "2026-01-01T02:00:00Z", "2026-01-02T02:00:00Z"),
            (
                "30 9 * * mon-fri",
                "2026-01-03T12:00:00Z",
                "2026-01-02T09:30:00Z",
                "2026-01-05T09:30:00Z",
            ),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            // Both day fields: either may match.
            (
                "0 0 13 * fri",
                "2026-02-07T00:00:00Z",
                "2026-02-06T00:00:00Z",
                "2026-02-13T00:00:00Z",
            ),
            ("0 0 * * 7", "2026-02-07T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-08T00:00:00Z"),
            ("@monthly", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (
                "5/20 1 1 jan,JUL *",
                "2026-01-01T01:26:00Z",
                "2026-01-01T01:25:00Z",
                "2026-01-01T01:45:00Z",
            ),
        ] {
            let parsed: Cron = cron.parse().expect(cron);
            assert_eq!(parsed.last_until(at(now)), Some(at(last)), "{cron} until {now}");
            assert_eq!(parsed.next_after(at(now)), Some(at(next)), "{cron} after {now}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (cron, why) in [
            ("* * * *", "write minute, hour"),
            ("60 * * * *", "minute \"60\" is not 0 to 59"),
            ("* * 0 * *", "day of month \"0\" is not 1 to 31"),
            ("*/0 * * * *", "\"0\" is no step of the minute"),
            ("+5 * * * *", "minute \"+5\" is not 0 to 59"),
            ("005 * * * *", "minute \"005\" is not 0 to 59"),
            ("@often", "write minute, hour"),
        ] {
            let error = cron.parse::<Cron>().expect_err(cron);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said_of_what_can_be_read() {
        for (cron, why) in [
            ("* * * * fri-mon", "day of week \"fri-mon\" runs backwards"),
            ("1,9-3/2 * * * *", "minute \"9-3/2\" runs backwards"),
            ("0 0 30 2 *", "\"0 0 30 2 *\": no such day ever comes"),
        ] {
            let problem = cron.parse::<Cron>().expect("an expression").problem();
            assert!(problem.as_deref().is_some_and(|it| it.contains(why)), "{cron}: {problem:?}");
        }
        for cron in ["@daily", "0 0 29 2 *", " 1-1\t* * jan-DEC 0-7 "] {
            assert_eq!(cron.parse::<Cron>().expect("an expression").problem(), None, "{cron}");
        }
    }

    /// Expressions as the schema has them.
    fn written() -> impl proptest::strategy::Strategy<Value = String> {
        let pattern = Cron::pattern();
        let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
        proptest::string::string_regex(pattern).expect("a regular expression")
    }

    /// Numbers and names, of which some are too large.
    fn nearly_written() -> impl proptest::strategy::Strategy<Value = String> {
        proptest::collection::vec("[0-9]{1,3}|[a-zA-Z]{3}|jan|SUN|[*]", 5)
            .prop_map(|it| it.join(" "))
    }

    proptest::proptest! {
        #[test]
        fn what_the_schema_allows_can_be_read(cron in written()) {
            proptest::prop_assert!(cron.parse::<Cron>().is_ok(), "{:?}", cron);
        }

        #[test]
        fn what_can_be_read_is_what_the_schema_allows(cron in nearly_written()) {
            let pattern = regex::Regex::new(&Cron::pattern()).expect("a regular expression");
            proptest::prop_assert_eq!(cron.parse::<Cron>().is_ok(), pattern.is_match(&cron));
        }

        #[test]
        fn starts_are_the_minutes_that_match_and_none_is_left_out(
            minute in 0..60_u32, step in 1..24_u32, from in 0..2_000_000_i64,
        ) {
            let cron: Cron = format!("{minute} */{step} * * *").parse().expect("sound");
            let start = Timestamp::from_micros(from * 1_000_000);
            let next = cron.next_after(start).expect("there is one");
            proptest::prop_assert!(next > start);
            proptest::prop_assert_eq!(cron.last_until(next), Some(next));
            let before = Timestamp::from_micros(next.micros() - 1);
            proptest::prop_assert!(cron.last_until(before).is_none_or(|last| last <= start));
        }
    }
}
