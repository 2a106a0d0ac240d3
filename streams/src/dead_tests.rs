//! Dead letters, on a real server.

use std::{sync::Arc, time::Duration};

use kantoku_domain::{Id, Kind, Namespace};
use tokio::{sync::watch, time::timeout};

use super::*;
use crate::{Bus, QueueConfig, Redelivered, Settings, testing::Server};

const DEADLINE: Duration = Duration::from_secs(20);

async fn bus(server: &Server) -> Bus {
    Bus::open(server.url(), "test", DEADLINE, &Settings::default()).await.unwrap()
}

fn raw(stream_seq: u64) -> Raw {
    let id: Id = "0193b0de-0000-7000-8000-00000000002a".parse().unwrap();
    let subject = subject::event(&Namespace::default(), Kind::Task, id);
    let payload = format!("letter {stream_seq}").into();
    Raw { stream_seq, subject, event_type: Some("TaskSpawned".into()), payload }
}

#[tokio::test]
async fn letters_are_listed_in_pages_once_each_and_gone_when_they_were_seen_to() {
    let Some(server) = Server::start().await else { return };
    let bus = bus(&server).await;
    let (client, context) = server.connect().await;
    for stream_seq in [3, 5, 9] {
        bury(&context, "node-a.b", &raw(stream_seq), "it\nfails").await.unwrap();
    }
    bury(&context, "other", &raw(3), "it fails").await.unwrap();

    let first = bus.dead_letters(0, 2).await.unwrap();
    let told: Vec<_> = first.letters.iter().map(|it| (it.letter, it.stream_seq)).collect();
    assert_eq!((told, first.left), (vec![(1, 3), (2, 5)], 2));
    let letter = &first.letters[0];
    assert_eq!((&*letter.consumer, &*letter.reason), ("node-a.b", "it fails"));
    assert_eq!((&letter.subject, &letter.payload[..]), (&raw(3).subject, &b"letter 3"[..]));
    assert_eq!(letter.event_type.as_deref(), Some("TaskSpawned"));
    assert!(crate::now().since(letter.at) < DEADLINE);
    let rest = bus.dead_letters(2, 1_000).await.unwrap();
    let told: Vec<_> = rest.letters.iter().map(|it| (&*it.consumer, it.stream_seq)).collect();
    assert_eq!((told, rest.left), (vec![("node-a.b", 9), ("other", 3)], 0));

    assert_eq!(bus.dead_letter(2).await.unwrap().as_ref(), Some(&first.letters[1]));
    assert_eq!(bus.redeliver(2).await.unwrap(), Redelivered::NobodyReads);
    // What is met again takes the place of what was said of it before.
    bury(&context, "node-a.b", &raw(9), "it still fails").await.unwrap();
    let all = bus.dead_letters(0, 10).await.unwrap().letters;
    let told: Vec<_> = all.iter().map(|it| (it.letter, it.stream_seq, &*it.reason)).collect();
    let (old, new) = ("it fails", "it still fails");
    assert_eq!(told, [(1, 3, old), (2, 5, old), (4, 3, old), (5, 9, new)]);
    let mut again = bus.again("node-a.b").await.unwrap();
    client.flush().await.unwrap();
    let (redelivered, ()) = tokio::join!(bus.redeliver(2), async {
        let wanted = timeout(DEADLINE, again.next()).await.unwrap().unwrap();
        assert_eq!(wanted.stream_seq, 5);
        wanted.taken().await;
    });
    assert_eq!(redelivered.unwrap(), Redelivered::Taken);
    assert_eq!(bus.dead_letter(2).await.unwrap(), None);
    assert_eq!(bus.redeliver(2).await.unwrap(), Redelivered::NoLetter);
    assert_eq!(bus.dead_letters(0, 10).await.unwrap().letters.len(), 3);
    remove(&context, 2).await.unwrap();
}

#[tokio::test]
async fn a_queue_takes_in_again_what_it_could_not_read() {
    let Some(server) = Server::start().await else { return };
    let bus = bus(&server).await;
    let (_, context) = server.connect().await;
    let garbage = || async {
        let sent = context.publish(raw(0).subject, "{".into()).await.unwrap();
        sent.await.unwrap().sequence
    };
    let at = garbage().await;
    let (_room, room) = watch::channel(8);
    let mut queue = bus.queue(
        QueueConfig {
            name: "shared".into(),
            filters: vec![],
            in_flight_max: 8,
            ack_wait: DEADLINE,
        },
        room,
    );
    let reading = tokio::spawn(async move { queue.next().await.is_some() });
    let letter = |number| {
        let bus = bus.clone();
        async move {
            let found = async {
                loop {
                    if let Some(letter) = bus.dead_letter(number).await.unwrap() {
                        return letter;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(DEADLINE, found).await.unwrap()
        }
    };
    let letter = Arc::new(letter);
    let first = letter(1).await;
    assert_eq!((first.stream_seq, &*first.consumer), (at, "shared"));
    // It cannot be read any better than before.
    assert_eq!(bus.redeliver(1).await.unwrap(), Redelivered::Taken);
    let second = letter(2).await;
    assert_eq!((second.stream_seq, second.reason), (at, first.reason));
    assert!(!reading.is_finished(), "it was not handed out");
    reading.abort();
}
