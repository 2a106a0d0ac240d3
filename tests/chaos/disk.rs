//! The disk of the stream's store is full for a while.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use ktk::dev::Server;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    journal::now_us,
    load::{Load, manifests},
    roles::ALL,
    verdict::{Account, judge},
    world::World,
};

const BYTES: &str = "size=96m";
const BEFORE: Duration = Duration::from_secs(4);
const FULL: Duration = Duration::from_secs(4);
const REST_MAX: Duration = Duration::from_secs(120);

/// A small disk, as long as this is there.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", BYTES, "tmpfs"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }

    /// Leaves no room.
    fn fill(&self) {
        let chunk = vec![0; 64 * 1024];
        let mut file = fs::File::create(self.ballast()).expect("created");
        while file.write_all(&chunk).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).expect("removed");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open keeps it.
        Command::new("umount").arg("-l").arg(self.0).status().ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let world = World::start("disk").await;
    let dir = world.dir.clone();
    // In the place of the store that there is, in which nothing is.
    let place = dir.join("nats/store");
    world.servers().kill(Server::Nats).await.expect("killed");
    let Some(disk) = Disk::mount(&place) else {
        eprintln!("SKIPPED: no small disk can be mounted here");
        return world.stop(false).await;
    };
    world.servers().restart(Server::Nats).await.expect("it starts on the small disk");
    for role in ALL {
        world.serve(role, &[]).await;
    }
    world.ask("manifest.apply", json!({"documents": manifests()})).await;
    let started = now_us();
    let clients = Load { seed: 5, clients: 6 }.start(world.port("api").await, &world.dir);
    sleep(BEFORE).await;
    disk.fill();
    sleep(FULL).await;
    disk.empty();
    // It may have given its streams up; whoever looks after it would start it again.
    world.servers().restart(Server::Nats).await.expect("it starts again");
    sleep(BEFORE).await;

    let told = clients.stop().await;
    let account = Account { seed: 5, started, kills: 1, told, ..Account::default() };
    let verdict = judge(&world, REST_MAX, &account).await;
    let found = &verdict.findings;
    eprintln!("a full disk: {told:?}, {} events", verdict.events);
    world.stop(true).await;
    drop(disk);
    assert!(found.is_empty(), "what is left is in {}: {found:#?}", dir.display());
    fs::remove_dir_all(&dir).expect("removed");
}
