//! That the harness would notice: each deliberate defect of `kantoku_streams::defect` is switched on
//! in the processes that would have it, and what is wrong afterwards is found by the same judge. The
//! same scene without the defect is found clean.

mod projections;
mod scene;
mod servers;
mod tasks;
mod words;

use kantoku_streams::defect::Defect;

use self::scene::{Findings, Scene};

/// A test per scene, and a list of what they catch.
macro_rules! caught {
    ($($test:ident: [$($defect:ident),+] in $scene:path;)*) => {
        const CAUGHT: &[Defect] = &[$($(Defect::$defect),+),*];

        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                catch(&[$(Defect::$defect),+], async |defect| {
                    Box::pin($scene(Scene::start(defect).await)).await
                })
                .await;
            }
        )*
    };
}

caught! {
    a_projector_that_is_killed_in_a_batch: [CheckpointBeforeCommit] in projections::killed_in_a_batch;
    a_projector_without_its_database: [BatchSkipped] in projections::without_its_database;
    two_projectors_of_one_schema: [ProjectedTwice] in projections::two_of_them;
    a_projector_of_a_stream_that_went_back: [EventIdUnchecked] in projections::a_stream_that_went_back;
    a_question_ahead_of_the_read_model: [MinSeqIgnored] in projections::a_question_ahead;
    garbage_in_the_stream: [PoisonAcked] in servers::garbage;
    a_durable_that_is_deleted: [ConsumerAtHead] in servers::a_durable_is_deleted;
    a_node_that_was_away: [UnfoldOnce] in tasks::nobody_unfolds;
    an_executor_that_is_killed_before_its_claim: [AckBeforeEffect] in tasks::killed_before_the_claim;
    an_executor_that_comes_back: [LeaseWithoutBoot] in tasks::killed_at_work;
    an_executor_that_wakes_up_late: [GuardReadAfterDeciding, NoGuard] in tasks::a_zombie;
    an_api_that_is_killed_after_its_word: [AcknowledgedBeforeAppend] in words::killed_after_its_word;
    an_answer_that_is_lost: [RetryWithoutReadingBack] in words::an_answer_is_lost;
    answers_that_never_come: [UnknownToldAsFailed] in words::answers_never_come;
    the_same_key_again: [DedupByWindow] in words::the_same_key_again;
}

#[test]
fn every_defect_has_its_scene() {
    let missing: Vec<&Defect> =
        Defect::ALL.iter().filter(|defect| !CAUGHT.contains(defect)).collect();
    assert!(missing.is_empty(), "nothing would notice {missing:?}");
}

/// How often a scene is played before a defect counts as unnoticed: on a busy machine what a defect has
/// lost may come again in time, and nothing is lost then.
const TRIES: usize = 3;

async fn catch(defects: &[Defect], scene: impl AsyncFn(Option<Defect>) -> Findings) {
    let sound = scene(None).await;
    assert!(sound.is_empty(), "without a defect: {sound:?}");
    for defect in defects {
        let mut found = scene(Some(*defect)).await;
        for _ in 1..TRIES {
            if found.is_empty() {
                found = scene(Some(*defect)).await;
            }
        }
        let first = found.first().and_then(|found| found.lines().next());
        eprintln!("{}: caught: {}", defect.name(), first.unwrap_or("not at all"));
        assert!(!found.is_empty(), "{} is not noticed", defect.name());
    }
}
