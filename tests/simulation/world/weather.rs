//! What a run has to bear. Each seed has weather of its own, so that some runs are rough in one way
//! only: what would hide behind other faults comes out.

use crate::rng::Rng;

/// How likely things are: weights among all that can happen at a step, or percentages.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Contexts that are opened one after another, and steps of each, at most.
    pub(crate) contexts: usize,
    pub(crate) steps: usize,
    pub(crate) executors: usize,
    pub(crate) slots: usize,
    /// Whether the handlers run in nodes of their own.
    pub(crate) apart: bool,
    /// Whether some run twice.
    pub(crate) spare: bool,
    /// Percentages: answers to appends that are lost; heartbeats that are not heard; effects that
    /// are asked for one by one; commands that are decided on what was loaded a while ago.
    pub(crate) lost_answers: u64,
    pub(crate) lost_beats: u64,
    pub(crate) lost_orders: u64,
    pub(crate) late_decisions: u64,
    /// Percentages of attempts: that fail, that spawn children.
    pub(crate) failures: u64,
    pub(crate) children: u64,
    /// Weights.
    pub(crate) orders: u64,
    pub(crate) crashes: u64,
    pub(crate) deaths: u64,
    pub(crate) stalls: u64,
    pub(crate) jumps: u64,
    pub(crate) foresight: u64,
    /// Weights of orders.
    pub(crate) cancels: u64,
    pub(crate) pauses: u64,
    pub(crate) restarts: u64,
    pub(crate) policies: u64,
}

impl Weather {
    pub(crate) fn of(rng: &mut Rng) -> Self {
        let mut sometimes = |most: u64| if rng.chance(60) { rng.between(1, most) } else { 0 };
        let (lost_answers, lost_beats, lost_orders) = (sometimes(15), sometimes(40), sometimes(60));
        let (crashes, deaths, stalls) = (sometimes(6), sometimes(10), sometimes(10));
        let (jumps, foresight, late_decisions) = (sometimes(4), sometimes(80), sometimes(70));
        let (cancels, pauses, restarts, policies) =
            (sometimes(10), sometimes(12), sometimes(20), sometimes(6));
        let (failures, children) = (sometimes(45), sometimes(50));
        Self {
            contexts: 1 + rng.below(6),
            steps: 2 + rng.below(8),
            executors: 1 + rng.below(3),
            slots: 1 + rng.below(3),
            apart: rng.chance(40),
            spare: rng.chance(25),
            lost_answers,
            lost_beats,
            lost_orders,
            late_decisions,
            failures,
            children,
            orders: rng.between(5, 40),
            crashes,
            deaths,
            stalls,
            jumps,
            foresight,
            cancels,
            pauses,
            restarts,
            policies,
        }
    }
}
