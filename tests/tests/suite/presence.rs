//! Services say that they are here, how they are, and goodbye.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use kantoku_service::{Health, Identity, announce, entry};
use kantoku_streams::{Bus, Load, ServiceEntry, Settings};
use uuid::Uuid;

use crate::stand::{Running, Stand};

const DEADLINE: Duration = Duration::from_secs(60);

async fn until(bus: &Bus, what: &str, is_so: impl Fn(&[ServiceEntry]) -> bool) {
    let start = Instant::now();
    loop {
        let services = bus.presence().list().await.expect("listed");
        if is_so(&services) {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: {services:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_listed_with_its_load_until_it_ends() {
    let stand = Stand::start().await;
    let dir = std::env::temp_dir().join(format!("ktk-presence-{}", Uuid::new_v4()));
    let identity = Identity::take(&dir, "executor", None).expect("an identity");
    let labels = [("gpu".to_owned(), "a100".to_owned())].into();
    let entry = entry(&identity, "executor", labels);
    assert!(!entry.host.is_empty() && entry.pid == std::process::id(), "{entry:?}");

    let running = Arc::new(AtomicU32::new(3));
    let (bus, shown, shared) = (stand.bus.clone(), entry.clone(), Arc::clone(&running));
    let load = move || Load { running: shared.load(Ordering::Relaxed), slots: 8 };
    let health = Health::default();
    let reported = health.clone();
    let announcing = Running::start(|stop| announce(bus, entry, load, reported, stop));
    until(&stand.bus, "it is here", |services| {
        services == [ServiceEntry { load: Load { running: 3, slots: 8 }, ..shown.clone() }]
    })
    .await;
    assert!(health.missing().is_empty());
    running.store(4, Ordering::Relaxed);
    until(&stand.bus, "its load is renewed", |services| services[0].load.running == 4).await;
    announcing.stop().await;
    let settings = Settings::default();
    let other = Bus::open(stand.nats_url(), "other", DEADLINE, &settings).await.expect("opened");
    assert_eq!(other.presence().list().await.expect("listed"), [], "it said goodbye");
    std::fs::remove_dir_all(dir).expect("removed");
    stand.stop().await;
}
