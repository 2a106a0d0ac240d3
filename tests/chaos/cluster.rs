//! Three nats-servers that keep every stream threefold: one is killed, two are, all are.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use ktk::dev::Source;
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    ground::{DEADLINE, eventually, new_dir, tools},
    journal::now_us,
    load::{Load, manifests},
    nats::{EVENTS, Nats},
    proxy::free_port,
    roles::ALL,
    verdict::{Account, judge},
    world::World,
};

const SERVERS: usize = 3;
const PASSWORD: &str = "chaos";
/// How long work goes on between two blows.
const BETWEEN: Duration = Duration::from_secs(3);
const REST_MAX: Duration = Duration::from_secs(120);

struct Cluster {
    dir: PathBuf,
    ports: [u16; SERVERS],
    running: [Option<Child>; SERVERS],
}

impl Cluster {
    fn start(dir: &Path) -> Self {
        let port = || free_port().expect("a port");
        let ports = std::array::from_fn(|_| port());
        let routes: [u16; SERVERS] = std::array::from_fn(|_| port());
        let urls: Vec<String> =
            routes.iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
        for number in 0..SERVERS {
            let store = dir.join(format!("store-{number}"));
            fs::create_dir_all(&store).expect("made");
            let text = format!(
                "server_name: \"{}\"\nlisten: \"127.0.0.1:{}\"\nmax_payload: 8MB\n\
                 authorization {{ user: ktk, password: \"{PASSWORD}\" }}\n\
                 jetstream {{ store_dir: {:?}, sync_interval: \"100ms\", max_file_store: 4GB }}\n\
                 cluster {{ name: chaos, listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
                name(number),
                ports[number],
                store.display().to_string(),
                routes[number],
                urls.join(", "),
            );
            fs::write(dir.join(format!("nats-{number}.conf")), text).expect("written");
        }
        let mut cluster = Self { dir: dir.to_owned(), ports, running: Default::default() };
        (0..SERVERS).for_each(|number| cluster.begin(number));
        cluster
    }

    fn url(&self, number: usize) -> String {
        format!("nats://ktk:{PASSWORD}@127.0.0.1:{}", self.ports[number])
    }

    fn urls(&self) -> String {
        let urls: Vec<String> = (0..SERVERS).map(|number| self.url(number)).collect();
        urls.join(",")
    }

    fn begin(&mut self, number: usize) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join(format!("nats-{number}.log")))
            .expect("a log file");
        let child = Command::new(tools().join("bin/nats-server"))
            .arg("-c")
            .arg(self.dir.join(format!("nats-{number}.conf")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        self.running[number] = Some(child.expect("nats-server runs"));
    }

    async fn kill(&mut self, number: usize) {
        let mut child = self.running[number].take().expect("it runs");
        child.kill().await.expect("killed");
    }

    /// Waits until one of them leads the stream of events; which.
    async fn leader(&self) -> usize {
        eventually("the stream has a leader", DEADLINE, async || {
            for number in 0..SERVERS {
                let Ok(info) = self.info(number).await else { continue };
                let leader = info["cluster"]["leader"].as_str().unwrap_or_default();
                if let Some(leader) = (0..SERVERS).find(|number| name(*number) == leader) {
                    return Some(leader);
                }
            }
            None
        })
        .await
    }

    async fn info(&self, number: usize) -> io::Result<Value> {
        let mut nats = Nats::connect(&self.url(number)).await?;
        nats.api(&format!("STREAM.INFO.{EVENTS}"), &Value::Null).await
    }
}

fn name(number: usize) -> String {
    format!("chaos-{number}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_lose_nothing_whichever_of_them_are_killed() {
    let dir = new_dir("cluster");
    fs::create_dir_all(&dir).expect("made");
    let mut cluster = Cluster::start(&dir);
    let urls = cluster.urls();
    let world =
        World::start_in(dir.join("world"), |config| config.nats = Source::External(urls)).await;
    for role in ALL {
        world.serve(role, &[("KTK_REPLICAS", "3")]).await;
    }
    world.ask("manifest.apply", json!({"documents": manifests()})).await;
    let started = now_us();
    let clients = Load { seed: 3, clients: 6 }.start(world.port("api").await, &world.dir);
    sleep(BETWEEN).await;

    let leader = cluster.leader().await;
    cluster.kill(leader).await;
    sleep(BETWEEN).await;
    cluster.begin(leader);
    let next = cluster.leader().await;
    assert_eq!(cluster.info(next).await.expect("answered")["config"]["num_replicas"], 3);
    sleep(BETWEEN).await;

    let two = [next, (next + 1) % SERVERS];
    for number in two {
        cluster.kill(number).await;
    }
    sleep(BETWEEN).await;
    for number in two {
        cluster.begin(number);
    }
    cluster.leader().await;
    sleep(BETWEEN).await;

    for number in 0..SERVERS {
        cluster.kill(number).await;
    }
    (0..SERVERS).for_each(|number| cluster.begin(number));
    cluster.leader().await;
    sleep(BETWEEN).await;

    let told = clients.stop().await;
    let account = Account { seed: 3, started, kills: 6, told, ..Account::default() };
    let verdict = judge(&world, REST_MAX, &account).await;
    let found = &verdict.findings;
    eprintln!("three servers: {told:?}, {} events", verdict.events);
    world.stop(!found.is_empty()).await;
    drop(cluster);
    assert!(found.is_empty(), "what is left is in {}: {found:#?}", dir.display());
    fs::remove_dir_all(&dir).expect("removed");
}
