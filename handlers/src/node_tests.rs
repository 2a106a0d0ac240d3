//! Nodes on a real nats-server.

use std::time::Duration;

use kantoku_domain::{
    Event, Id, Millis, Namespace, Standing, Timeouts,
    restart::{OutputPolicy, VersionPolicy, successor_id},
    standing::Stage,
    task::{Expired, Outcome},
};
use tokio::{task::JoinHandle, time::timeout};

use super::*;
use crate::testing::{DEADLINE, Scene, Server, TASKS, id};

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
