//! Snapshots, on a real nats-server.

use std::time::Duration;

use kantoku_domain::{
    Namespace, Task,
    restart::{OutputPolicy, VersionPolicy, successor_id},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Node,
    snapshotter::{Failed, take},
    testing::{DEADLINE, INDIGESTIBLE, Scene, Server, TASKS, id},
};

fn config() -> NodeConfig {
    NodeConfig { snapshot_every: 1, ..NodeConfig::new("one") }
}

/// The snapshot there is, and where handlers begin.
async fn began(bus: &Bus) -> (Vec<u64>, u64) {
    let kind = kind(&config(), bus.created().await.expect("known"));
    let entries = bus.snapshots().list(&kind).await.expect("listed");
    let (folded, _) = newest(bus, &config()).await.expect("folded");
    (entries.iter().map(|entry| entry.position).collect(), folded.position)
}

async fn head(bus: &Bus) -> u64 {
    bus.head().await.expect("known")
}

#[test]
fn what_was_changed_on_its_way_is_not_read() {
    let place =
        Place { stream_created: Timestamp::from_micros(1), stream_seq: 7, event_id: Id::default() };
    let config = config();
    let packed = pack(place, &Folded::new(&config).save().expect("written")).expect("packed");
    let (found, folded) = restore(&config, &packed).expect("restored");
    assert_eq!((found, folded.position), (place, 7));
    for index in (0..packed.len()).step_by(3) {
        let mut damaged = packed.clone();
        damaged[index] ^= 1;
        assert!(matches!(restore(&config, &damaged), Err(Unfit::Damaged)), "byte {index}");
    }
    for length in [0, 1, DIGEST_BYTES, packed.len() - 1] {
        assert!(matches!(restore(&config, &packed[..length]), Err(Unfit::Damaged)), "{length}");
    }
    let fewer = NodeConfig { handlers: [HandlerName::Timers].into(), ..config };
    assert!(matches!(restore(&fewer, &packed), Err(Unfit::OtherHandlers)));
    let packed = pack(place, &Folded::new(&fewer).save().expect("written")).expect("packed");
    assert!(matches!(restore(&self::config(), &packed), Err(Unfit::OtherHandlers)));
}

#[tokio::test]
async fn handlers_begin_behind_the_newest_snapshot_that_fits() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    assert_eq!(began(&bus).await, (vec![], 0));
    scene.spawn("a", &[]).await;
    let first = head(&bus).await;
    assert_eq!(take(&bus, &config()).await.expect("taken").expect("new").stream_seq, first);
    assert_eq!(take(&bus, &config()).await.expect("looked"), None, "nothing has happened since");
    scene.spawn("b", &["a"]).await;
    take(&bus, &config()).await.expect("taken");
    let second = head(&bus).await;
    scene.spawn("c", &["b"]).await;
    assert_eq!(began(&bus).await, (vec![second, first], second));

    // The newest is damaged: the one before is as good.
    let kind = kind(&config(), bus.created().await.expect("known"));
    let entries = bus.snapshots().list(&kind).await.expect("listed");
    let mut damaged = bus.snapshots().get(&entries[0]).await.expect("there");
    damaged[20] ^= 1;
    let put = bus.snapshots().put(&kind, second, &damaged, Some(&entries[1])).await;
    put.expect("stored");
    assert_eq!(began(&bus).await, (vec![second, first], first));
    // And the next takes the place of the damaged one.
    take(&bus, &config()).await.expect("taken");
    let third = head(&bus).await;
    assert_eq!(began(&bus).await, (vec![third, first], third));
}

#[tokio::test]
async fn one_of_events_that_are_gone_is_not_used() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    scene.spawn("a", &[]).await;
    let (server, kept) = server.keep().await;
    let bus = server.bus().await;
    let scene = scene.with(bus.ledger().clone());
    scene.spawn("b", &[]).await;
    take(&bus, &config()).await.expect("taken");
    let (snapshots, position) = began(&bus).await;
    assert_eq!(snapshots, [position]);
    let packed = packed(&bus).await;

    let server = server.put_back(&kept).await;
    let bus = server.bus().await;
    let scene = scene.with(bus.ledger().clone());
    // Snapshots went with the rest; this one comes back without its events.
    store(&bus, position, &packed).await;
    assert_eq!(began(&bus).await, (vec![position], 0), "the stream ends before");
    scene.spawn("c", &[]).await;
    assert_eq!(head(&bus).await, position);
    assert_eq!(began(&bus).await, (vec![position], 0), "another event is there");
    scene.spawn("d", &[]).await;
    take(&bus, &config()).await.expect("taken");
    assert_eq!(began(&bus).await.1, head(&bus).await, "of the history as it is");

    // A stream that was created at another time has snapshots of its own.
    let other = Place {
        stream_created: Timestamp::from_micros(1),
        ..restore(&config(), &packed).expect("sound").0
    };
    let created = bus.created().await.expect("known");
    let refused = check(&bus, other, created).await.expect_err("another stream");
    assert!(matches!(refused, Unfit::OtherStream { .. }), "{refused}");
}

async fn packed(bus: &Bus) -> Vec<u8> {
    let kind = kind(&config(), bus.created().await.expect("known"));
    let entries = bus.snapshots().list(&kind).await.expect("listed");
    bus.snapshots().get(&entries[0]).await.expect("there")
}

async fn store(bus: &Bus, position: u64, packed: &[u8]) {
    let kind = kind(&config(), bus.created().await.expect("known"));
    bus.snapshots().put(&kind, position, packed, None).await.expect("stored");
}

#[tokio::test]
async fn a_snapshot_does_not_go_past_an_event_that_a_handler_panics_at() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    scene.spawn("a", &[]).await;
    take(&bus, &config()).await.expect("taken");
    let before = began(&bus).await;
    scene.spawn(INDIGESTIBLE, &[]).await;
    let only = NodeConfig { handlers: [HandlerName::Unfolder].into(), ..config() };
    for config in [config(), only] {
        let failed = take(&bus, &config).await.expect_err("on purpose");
        assert!(matches!(failed, Failed::Poisoned(_)), "{failed}");
    }
    assert_eq!(began(&bus).await, before);
}

#[tokio::test]
async fn what_was_due_and_not_done_is_done_by_whoever_begins_with_a_snapshot() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    scene.fail_some().await;
    let restarted = scene.order(&TASKS, OutputPolicy::Reuse, VersionPolicy::Same).await;
    take(&bus, &config()).await.expect("taken");
    let position = head(&bus).await;
    assert_eq!(began(&bus).await, (vec![position], position), "all of it is in there");

    let node = Node::open(&bus, config()).await.expect("opened");
    let stop = CancellationToken::new();
    let running = tokio::spawn(node.run(stop.clone()));
    for task in ["a", "d", "e"] {
        let successor = successor_id(restarted.id, id(task));
        let namespace = Namespace::default();
        let spawned = async {
            while bus.ledger().load::<Task>(&namespace, successor).await.expect("loaded").stream_seq
                == 0
            {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, spawned).await.expect("within the deadline");
    }
    // The node takes snapshots itself, of what it has done.
    let renewed = async {
        while began(&bus).await.1 <= position + 3 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, renewed).await.expect("within the deadline");
    stop.cancel();
    timeout(DEADLINE, running).await.expect("drained").expect("no panic");
}
