//! Nodes on a real nats-server.

use std::{sync::atomic::Ordering, time::Duration};

use kantoku_domain::{
    Event, Id, Millis, Namespace, Standing, Timeouts,
    restart::{OutputPolicy, VersionPolicy, successor_id},
    standing::Stage,
    task::{Expired, Outcome},
};
use kantoku_streams::{DeadLetter, Redelivered};
use tokio::{task::JoinHandle, time::timeout};

use super::*;
use crate::testing::{DEADLINE, IS_DIGESTIBLE, POISON, Scene, Server, TASKS, id};

/// A node that runs.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    bus: Bus,
}

impl Running {
    /// With a connection of its own, as in a process of its own.
    async fn start(server: &Server, service_id: &str) -> Self {
        let bus = server.bus().await;
        let node = Node::open(&bus, NodeConfig::new(service_id)).await.expect("opened");
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(node.run(stop.clone())), stop, bus }
    }

    /// Lets it carry out what it has begun.
    async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("drained").expect("no panic");
    }
}

async fn ask(bus: &Bus, task_id: Id) -> Option<Standing> {
    let answer = bus.ask(&Namespace::default(), task_id, Duration::from_secs(5)).await;
    answer.expect("it may be asked")
}

/// What is said of the task, once somebody who is live is there.
async fn standing(bus: &Bus, task_id: Id) -> Standing {
    let told = async {
        loop {
            if let Some(standing) = ask(bus, task_id).await {
                return standing;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, told).await.expect("within the deadline")
}

fn settled(event: &Event) -> Option<Vec<Id>> {
    match event {
        Event::ContextRestartSettled(settled) => {
            Some(settled.superseded.iter().map(|superseded| superseded.task_id).collect())
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_restart_is_carried_out_by_several_nodes_and_the_next_finds_nothing_left() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    scene.fail_some().await;
    let restarted = scene.order(&TASKS, OutputPolicy::Reuse, VersionPolicy::Same).await;
    scene.overtake().await;
    let nodes = [Running::start(&server, "one").await, Running::start(&server, "two").await];
    assert_eq!(scene.until("cx", settled).await, [id("d")], "it was overtaken");
    for task in ["a", "e"] {
        let successor = successor_id(restarted.id, id(task));
        let announced = standing(&bus, successor).await.stage.name();
        assert!(["waiting", "queued", "announced"].contains(&announced), "{announced}");
    }
    for node in nodes {
        node.stop().await;
    }

    // Some announcement may be left to it, and nothing else.
    let one = Running::start(&server, "three").await;
    let waiting = standing(&one.bus, id("b")).await;
    assert_eq!(waiting.stage, Stage::Waiting, "for what {} will make", id("a"));
    one.stop().await;
    let (head, history) = (bus.head().await.expect("known"), scene.history(&TASKS).await);
    let next = Running::start(&server, "four").await;
    assert_eq!(standing(&next.bus, id("b")).await.stage, Stage::Waiting);
    next.stop().await;
    assert_eq!(scene.history(&TASKS).await, history);
    assert_eq!(bus.head().await.expect("known"), head);
}

#[tokio::test]
async fn a_node_answers_once_it_is_live_and_only_for_what_it_knows() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    scene.spawn("a", &["b"]).await;
    assert_eq!(ask(&bus, id("a")).await, None, "nobody is there");
    let node = Running::start(&server, "one").await;
    let told = standing(&bus, id("a")).await;
    assert_eq!((told.task_id, told.stage), (id("a"), Stage::Waiting));
    assert!(told.position >= scene.load("a").await.stream_seq && !told.grounds.is_empty());
    assert_eq!(ask(&bus, id("nobody")).await, None);
    node.stop().await;
    assert_eq!(ask(&bus, id("a")).await, None, "nobody is there any more");
}

#[tokio::test]
async fn what_nobody_claims_and_what_never_ends_is_ended_by_the_clock() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    let short = Some(Millis(200));
    let queue = Timeouts { queue: short, ..Timeouts::default() };
    let total = Timeouts { total: short, ..Timeouts::default() };
    scene.spawn_limited("a", &[], queue).await;
    scene.spawn_limited("b", &["nothing"], total).await;
    let node = Running::start(&server, "one").await;
    let expired = |event: &Event| match event {
        Event::TaskFinished(finished) => Some((finished.outcome, finished.expired)),
        _ => None,
    };
    assert_eq!(scene.until("a", expired).await, (Outcome::Failed, Some(Expired::Queue)));
    assert_eq!(scene.until("b", expired).await, (Outcome::Failed, Some(Expired::Total)));
    node.stop().await;
}

/// The first dead letter, once it is there.
async fn letter(bus: &Bus) -> DeadLetter {
    let found = async {
        loop {
            if let Some(letter) = bus.dead_letters(0, 1).await.expect("listed").letters.pop() {
                return letter;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, found).await.expect("within the deadline")
}

#[tokio::test]
async fn an_event_at_which_a_handler_panics_is_a_dead_letter_and_all_else_goes_on() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    scene.spawn("a", &[]).await;
    scene.spawn(POISON, &[]).await;
    let node = Running::start(&server, "one").await;
    let letter = letter(&bus).await;
    assert_eq!((&*letter.consumer, letter.stream_seq), ("node-one", 3));
    assert_eq!(letter.reason, "the unfolder panicked at event 3: on purpose");
    scene.spawn("b", &["a"]).await;
    for (task, stage) in [("a", "announced"), (POISON, "announced"), ("b", "waiting")] {
        let reached = async {
            while standing(&bus, id(task)).await.stage.name() != stage {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, reached).await.expect("every other handler knows the task");
    }
    // Whoever is started anew meets it again, and says so once.
    node.stop().await;
    let node = Running::start(&server, "one").await;
    standing(&bus, id("b")).await;
    let again = bus.dead_letters(0, 10).await.expect("listed").letters;
    assert_eq!(again.len(), 1, "{again:?}");

    IS_DIGESTIBLE.store(true, Ordering::SeqCst);
    let redelivered = bus.redeliver(again[0].letter).await.expect("asked");
    assert_eq!(redelivered, Redelivered::Taken);
    standing(&bus, id("b")).await;
    assert_eq!(bus.dead_letters(0, 10).await.expect("listed").letters, []);
    assert_eq!(bus.redeliver(again[0].letter).await.expect("asked"), Redelivered::NoLetter);
    node.stop().await;
}

async fn until_back(bus: &Bus) {
    let back = async {
        while bus.missing().is_some() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, back).await.expect("within the deadline");
}

#[tokio::test]
async fn where_an_older_store_is_put_back_the_history_is_folded_anew() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    scene.spawn("a", &[]).await;
    let (server, kept) = server.keep().await;
    until_back(&bus).await;
    scene.spawn("b", &[]).await;
    scene.spawn("c", &["b"]).await;
    let node = Running::start(&server, "one").await;
    assert_eq!(standing(&node.bus, id("c")).await.stage, Stage::Waiting);

    let server = server.put_back(&kept).await;
    until_back(&bus).await;
    // The same positions, and other events.
    scene.spawn("d", &["a"]).await;
    let other = server.bus().await;
    let forgotten = async {
        while ask(&other, id("c")).await.is_some() || ask(&other, id("d")).await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, forgotten).await.expect("what is gone is forgotten, and the rest is known");
    assert!(ask(&other, id("a")).await.is_some());
    node.stop().await;
}
