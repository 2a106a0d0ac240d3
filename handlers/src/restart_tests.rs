//! Restarts of a context, carried out once, twice, at the same time, and in spite of faults.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures::future::BoxFuture;
use kantoku_domain::{
    Event, Recorded,
    restart::{OutputPolicy, VersionPolicy, successor_id},
    task::Status,
};
use kantoku_streams::{Guard, Memory, Message, Raw, Store, subject};

use super::*;
use crate::testing::{Scene, Server, TASKS, id, output, signer};

/// Carries it out, in spite of faults.
async fn carry_out(scene: &Scene, restarted: &context::Restarted) {
    let (signer, namespace) = (signer(), Namespace::default());
    let mut restarting = Restarting::new(&scene.ledger, &signer, &namespace, id("cx"), restarted);
    for _ in 0..1_000 {
        if matches!(restarting.go_on().await, Ok(true)) {
            return;
        }
    }
    panic!("it does not end");
}

/// The end of the restart as the context has it; it is settled once.
fn settled(history: &[Recorded]) -> context::RestartSettled {
    let settled = history.iter().filter_map(|recorded| match &recorded.event {
        Event::ContextRestartSettled(settled) => Some(settled.clone()),
        _ => None,
    });
    let settled: Vec<_> = settled.collect();
    assert_eq!(settled.len(), 1, "{settled:?}");
    settled.into_iter().next().expect("one")
}

fn superseded(history: &[Recorded]) -> Vec<Id> {
    settled(history).superseded.iter().map(|superseded| superseded.task_id).collect()
}

async fn check_overtaken(scene: &Scene, restarted: &context::Restarted) {
    for task in ["a", "e"] {
        let successor = successor_id(restarted.id, id(task));
        assert_eq!(scene.load(task).await.state.restarted_as, Some(successor), "{task}");
    }
    for task in ["b", "c"] {
        assert_eq!(scene.load(task).await.state.status, Status::Initialized, "{task}");
    }
    let other = scene.load("d").await.state.restarted_as;
    assert_ne!(other, Some(successor_id(restarted.id, id("d"))));
    assert_eq!(superseded(&scene.history(&TASKS).await), [id("d")]);
}

/// Whoever does it again, or beside somebody else, changes nothing; `d` is overtaken.
async fn carried_out_again_and_again(scene: &Scene) {
    scene.fail_some().await;
    let restarted = scene.order(&TASKS, OutputPolicy::Reuse, VersionPolicy::Same).await;
    assert_eq!(restarted.steps.len(), 5);
    scene.overtake().await;
    let others = [scene.clone(), scene.clone(), scene.clone()];
    join_all(others.iter().map(|scene| carry_out(scene, &restarted))).await;
    let history = scene.history(&TASKS).await;
    carry_out(scene, &restarted).await;
    assert_eq!(scene.history(&TASKS).await, history);
    check_overtaken(scene, &restarted).await;
}

#[tokio::test]
async fn a_restart_is_carried_out_once_however_often() {
    carried_out_again_and_again(&Scene::new().await).await;
}

#[tokio::test]
async fn a_restart_is_carried_out_once_on_a_real_server() {
    let Some(server) = Server::start().await else { return };
    carried_out_again_and_again(&Scene::of(server.bus().await.ledger().clone()).await).await;
}

#[tokio::test]
async fn fresh_outputs_and_another_version_are_passed_on() {
    let mut scene = Scene::new().await;
    scene.fail_some().await;
    scene.apply_second_version().await;
    let restarted = scene.order(&TASKS, OutputPolicy::Reallocate, VersionPolicy::Latest).await;
    carry_out(&scene, &restarted).await;
    assert_eq!(superseded(&scene.history(&TASKS).await), []);
    let successor = successor_id(restarted.id, id("a"));
    let fresh = successor.derive("out", id("cx").partition());
    let history = scene.history(&TASKS).await;
    let planned = |task: &str| {
        let of = |recorded: &&Recorded| recorded.id == id(task);
        history.iter().filter(of).find_map(|recorded| match &recorded.event {
            Event::TaskRestarted(restarted) => Some(restarted.successor.task.clone()),
            _ => None,
        })
    };
    let (a, b) = (planned("a").expect("restarted"), planned("b").expect("restarted"));
    assert_eq!((a.specification.version, b.specification.version), (2, 2));
    assert_eq!(b.inputs["a"].resource(), Some(fresh), "and not {}", output("a"));
}

#[tokio::test]
async fn a_version_that_is_not_there_is_refused_step_by_step() {
    let mut scene = Scene::new().await;
    scene.fail_some().await;
    scene.apply_second_version().await;
    let mut restarted = scene.order(&TASKS, OutputPolicy::Reuse, VersionPolicy::Latest).await;
    for step in &mut restarted.steps {
        if let Some(specification) = &mut step.specification {
            specification.digest = "sha256:other".into();
        }
    }
    carry_out(&scene, &restarted).await;
    let history = scene.history(&TASKS).await;
    let settled = settled(&history);
    let reason = &settled.superseded.iter().find(|it| it.task_id == id("a")).expect("refused");
    assert!(reason.reason.contains("was not looked up"), "{}", reason.reason);
    assert!(scene.load("a").await.state.restarted_as.is_none());
}

/// A store that loses every third message, or the answer to it, once it is on. Before it stores
/// the first event of one subject, it lets somebody else be faster.
struct Weather {
    inner: Arc<Memory>,
    is_on: AtomicBool,
    calls: AtomicUsize,
    rival: Mutex<Option<(String, BoxFuture<'static, ()>)>>,
}

impl Weather {
    fn over(inner: Arc<Memory>) -> Self {
        let (is_on, calls, rival) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(None));
        Self { inner, is_on, calls, rival }
    }

    fn rival(&self, subject: &str) -> Option<BoxFuture<'static, ()>> {
        let mut rival = self.rival.lock().expect("not poisoned");
        rival.take_if(|(of, _)| of == subject).map(|(_, rival)| rival)
    }
}

impl Store for Weather {
    fn append(&self, message: Message, guard: Guard) -> BoxFuture<'_, Result<u64, AppendError>> {
        Box::pin(async move {
            if let Some(rival) = self.rival(&message.subject) {
                rival.await;
            }
            if !self.is_on.load(Ordering::Relaxed) {
                return self.inner.append(message, guard).await;
            }
            let lost = Err(Fault::Unknown { subject: message.subject.clone() }.into());
            match self.calls.fetch_add(1, Ordering::Relaxed) % 3 {
                0 => lost,
                1 => self.inner.append(message, guard).await,
                _ => self.inner.append(message, guard).await.and(lost),
            }
        })
    }

    fn read<'a>(
        &'a self,
        subject: &'a str,
        after_seq: u64,
    ) -> BoxFuture<'a, Result<Vec<Raw>, Fault>> {
        self.inner.read(subject, after_seq)
    }
}

#[tokio::test]
async fn faults_in_between_change_nothing() {
    let store = Arc::new(Weather::over(Arc::default()));
    let scene = Scene::on(Arc::clone(&store) as Arc<dyn Store>).await;
    scene.fail_some().await;
    let restarted = scene.order(&TASKS, OutputPolicy::Reuse, VersionPolicy::Same).await;
    scene.overtake().await;
    store.is_on.store(true, Ordering::Relaxed);
    carry_out(&scene, &restarted).await;
    assert!(store.calls.load(Ordering::Relaxed) > 6, "some were lost");
    check_overtaken(&scene, &restarted).await;
}

#[tokio::test]
async fn a_step_that_is_overtaken_while_it_is_appended_is_looked_at_again() {
    let inner = Arc::new(Memory::default());
    let store = Arc::new(Weather::over(Arc::clone(&inner)));
    let scene = Scene::on(Arc::clone(&store) as Arc<dyn Store>).await;
    scene.fail_some().await;
    let restarted = scene.order(&TASKS, OutputPolicy::Reuse, VersionPolicy::Same).await;
    let other = scene.below(inner);
    let subject = subject::event(&Namespace::default(), Kind::Task, id("d"));
    let rival = Box::pin(async move { other.overtake().await });
    *store.rival.lock().expect("not poisoned") = Some((subject, rival));
    carry_out(&scene, &restarted).await;
    check_overtaken(&scene, &restarted).await;
}
