//! Mistakes that can be made on purpose, so that tests show that they would be noticed.
//!
//! Only with the feature `defects`, which nothing but tests turns on. Without it no defect is there
//! and no clock is wrong, and the compiler leaves out what stands behind these questions.

macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A mistake that systems of this kind make.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Defect {
            $($(#[$doc])* $variant,)*
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, as `KTK_DEFECT` has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

defects! {
    /// The API answers before the event is stored.
    AcknowledgedBeforeAppend = "acknowledged-before-append",
    /// An announcement is acknowledged when it comes, not when its claim is decided.
    AckBeforeEffect = "ack-before-effect",
    /// A batch that could not be written is left out.
    BatchSkipped = "batch-skipped",
    /// A projection's position is committed before its rows.
    CheckpointBeforeCommit = "checkpoint-before-commit",
    /// A durable that is made begins with what comes next.
    ConsumerAtHead = "consumer-at-head",
    /// An idempotency key counts for two seconds.
    DedupByWindow = "dedup-by-window",
    /// A projection goes on after its checkpoint whatever event is there.
    EventIdUnchecked = "event-id-unchecked",
    /// What was decided on an old state is appended under a new guard.
    GuardReadAfterDeciding = "guard-read-after-deciding",
    /// A heartbeat renews whatever the service ever held, in this run or another.
    LeaseWithoutBoot = "lease-without-boot",
    /// Reads do not wait for the position that they are to be as of.
    MinSeqIgnored = "min-seq-ignored",
    /// Events are appended without a guard.
    NoGuard = "no-guard",
    /// What cannot be read is acknowledged and forgotten.
    PoisonAcked = "poison-acked",
    /// Events that were projected are projected again when they come again.
    ProjectedTwice = "projected-twice",
    /// After an unanswered append nobody looks whether it was stored.
    RetryWithoutReadingBack = "retry-without-reading-back",
    /// What was due when a node began is taken for done.
    UnfoldOnce = "unfold-once",
    /// An append of unknown outcome is reported as not stored.
    UnknownToldAsFailed = "unknown-told-as-failed",
}

#[cfg(not(feature = "defects"))]
mod choice {
    use super::Defect;

    /// Whether the defect is there: never in this build.
    #[inline]
    pub const fn has(_: Defect) -> bool {
        false
    }

    /// How many microseconds this process' clock is ahead: none in this build.
    pub(crate) const fn clock_offset_us() -> i64 {
        0
    }
}

#[cfg(feature = "defects")]
mod choice {
    use std::{env, sync::LazyLock};

    use super::Defect;

    static CHOSEN: LazyLock<Option<Defect>> = LazyLock::new(|| {
        let name = env::var("KTK_DEFECT").ok()?;
        let chosen = Defect::ALL.iter().find(|defect| defect.name() == name);
        assert!(chosen.is_some(), "KTK_DEFECT={name} is none of {:?}", Defect::ALL);
        chosen.copied()
    });

    static OFFSET_US: LazyLock<i64> = LazyLock::new(|| {
        let Ok(text) = env::var("KTK_CLOCK_OFFSET_MS") else { return 0 };
        let offset: i64 =
            text.parse().unwrap_or_else(|_| panic!("KTK_CLOCK_OFFSET_MS={text} is no number"));
        offset.saturating_mul(1_000)
    });

    /// Whether `KTK_DEFECT` names this defect. It is read once.
    pub fn has(defect: Defect) -> bool {
        *CHOSEN == Some(defect)
    }

    /// How many microseconds this process' clock is ahead: `KTK_CLOCK_OFFSET_MS`, read once.
    pub(crate) fn clock_offset_us() -> i64 {
        *OFFSET_US
    }
}

pub(crate) use choice::clock_offset_us;
pub use choice::has;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn defects_have_names_of_their_own_and_are_not_there_unasked() {
        let names: BTreeSet<&str> = Defect::ALL.iter().map(|defect| defect.name()).collect();
        assert_eq!(names.len(), Defect::ALL.len());
        assert!(!Defect::ALL.iter().any(|defect| has(*defect)));
    }
}
