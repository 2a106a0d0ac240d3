//! That the logic which every task goes through keeps its pace.
//!
//! No absolute times, which say more about the machine than about the code: what a task costs is compared
//! with a fixed computation on the same thread, in turns, and with what it costs among ten times as many.
//! The bounds leave room for noise and for other machines, and none for a slip by a factor of ten.

mod life;
mod logic;
mod stopwatch;

use self::{
    logic::{Folded, Lives, Restored, Shown},
    stopwatch::{Work, compare},
};

/// How many readings of a fixed document one task may cost, in the domain, in the scheduler and in the read
/// model: some five times what was measured (1.3, 0.7 and 0.5).
const DOMAIN_MAX: f64 = 6.0;
const SCHEDULER_MAX: f64 = 3.0;
const READ_MODEL_MAX: f64 = 2.5;
/// And how many one that is over may cost a scheduler that starts with a snapshot; and its bytes in that.
const RESTORED_MAX: f64 = 0.3;
const BYTES_MAX: usize = 100;
/// How much more a task may cost among ten times as many: twice, as caches have it; ten times where
/// somebody looks at all of them for each.
const GROWTH_MAX: f64 = 5.0;

const FEW: usize = 1_000;
const MANY: usize = 10 * FEW;

#[test]
fn a_slip_by_a_factor_of_ten_is_seen() {
    let ratio = compare(&stopwatch::Tenfold, &stopwatch::Reading);
    assert!((6.0..16.0).contains(&ratio), "ten readings cost {ratio:.2} times one");
}

#[test]
fn deciding_and_folding_a_task_costs_no_more_than_so_many_readings_of_a_document() {
    keeps_pace("domain", &Lives::of(FEW), DOMAIN_MAX);
}

#[test]
fn scheduling_a_task_costs_no_more_than_so_many_readings_of_a_document() {
    keeps_pace("scheduler", &Folded::of(FEW), SCHEDULER_MAX);
}

#[test]
fn taking_up_a_task_that_is_over_costs_no_more_than_part_of_a_reading_of_a_document() {
    let work = Restored::of(MANY);
    keeps_pace("snapshot", &work, RESTORED_MAX);
    let bytes = work.bytes_of_one();
    assert!(bytes <= BYTES_MAX, "a task that is over takes {bytes} bytes, {BYTES_MAX} at most");
}

#[test]
fn showing_a_task_costs_no_more_than_so_many_readings_of_a_document() {
    keeps_pace("read model", &Shown::of(FEW), READ_MODEL_MAX);
}

#[test]
fn scheduling_a_task_among_ten_times_as_many_costs_about_the_same() {
    does_not_grow("scheduler", &Folded::of(FEW), &Folded::of(MANY));
}

#[test]
fn showing_a_task_among_ten_times_as_many_costs_about_the_same() {
    does_not_grow("read model", &Shown::of(FEW), &Shown::of(MANY));
}

#[track_caller]
fn keeps_pace(what: &str, work: &impl Work, most: f64) {
    let ratio = compare(work, &stopwatch::Reading);
    eprintln!("pace {what}: a task costs {ratio:.2} readings of the document, {most} at most");
    assert!(ratio <= most, "a task costs the {what} {ratio:.2} readings, {most} at most");
}

#[track_caller]
fn does_not_grow(what: &str, few: &impl Work, many: &impl Work) {
    let ratio = compare(many, few);
    eprintln!("pace {what}: among {MANY} a task costs {ratio:.2} of what it costs among {FEW}");
    assert!(ratio <= GROWTH_MAX, "the {what} slows down by {ratio:.2}, {GROWTH_MAX} at most");
}
