//! A small world for one scene.

use std::{io, time::Duration};

use kantoku_streams::defect::Defect;
use serde_json::{Value, json};

use crate::{
    client::Calls,
    ground::{DEADLINE, eventually},
    journal::now_us,
    load::manifests,
    nats::EVENTS,
    quiet::quiet,
    roles::{API, EXECUTOR, NODE, PROJECTOR, Role},
    verdict::{Account, judge},
    world::World,
};

/// What the judge found.
pub(super) type Findings = Vec<String>;

/// How long everything may take, which is a few seconds on a machine that has nothing else to do.
const REST_MAX: Duration = Duration::from_secs(60);
/// After this long with a defect, something is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(12);

pub(super) struct Scene {
    pub(super) world: World,
    defect: Option<Defect>,
    pub(super) poison: Vec<u64>,
    started: u64,
}

impl Scene {
    /// The servers alone.
    pub(super) async fn start(defect: Option<Defect>) -> Self {
        let world = World::start_small("defect").await;
        Self { world, defect, poison: Vec::new(), started: now_us() }
    }

    /// Starts a process without the defect.
    pub(super) async fn serve(&self, role: Role) {
        self.world.serve(role, &[]).await;
    }

    /// Starts a process with the defect, if there is to be one.
    pub(super) async fn serve_broken(&self, role: Role) {
        let name = self.defect.map(Defect::name);
        let environment: Vec<_> = name.iter().map(|name| ("KTK_DEFECT", *name)).collect();
        self.world.serve(role, &environment).await;
    }

    /// Starts everything, but with the defect in those of `broken`; what there is to run is
    /// applied.
    pub(super) async fn serve_all(&self, broken: &[Role]) {
        for role in [API, PROJECTOR, NODE, EXECUTOR] {
            if broken.iter().any(|one| one.id == role.id) {
                self.serve_broken(role).await;
            } else {
                self.serve(role).await;
            }
        }
        self.apply().await;
    }

    /// Applies what there is to run.
    pub(super) async fn apply(&self) {
        self.world.ask("manifest.apply", json!({"documents": manifests()})).await;
    }

    /// A client whose calls are written down.
    pub(super) async fn client(&self, name: &str) -> Calls {
        let port = self.world.port(API.id).await;
        Calls::new(port, &self.world.dir, name.to_owned(), 1)
    }

    /// The last position of the stream of events.
    pub(super) async fn head(&self) -> io::Result<u64> {
        self.world.nats().await?.last_seq(EVENTS).await
    }

    /// Waits until the stream has come to a position.
    pub(super) async fn until_head(&self, seq: u64) {
        eventually(&format!("position {seq}"), DEADLINE, async || {
            self.head().await.is_ok_and(|head| head >= seq).then_some(())
        })
        .await;
    }

    /// What a durable of the stream of events says of itself.
    pub(super) async fn durable(&self, name: &str) -> io::Result<Value> {
        let mut nats = self.world.nats().await?;
        nats.api(&format!("CONSUMER.INFO.{EVENTS}.{name}"), &Value::Null).await
    }

    /// Waits for rest, and has everything judged.
    pub(super) async fn judge(self) -> Findings {
        let Self { started, poison, .. } = self;
        let account = Account { seed: 1, started, poison, ..Account::default() };
        // One finding is enough where there is to be one.
        let found = match self.defect {
            Some(_) => quiet(&self.world, STUCK_AFTER).await.err(),
            None => None,
        };
        let found = match found {
            Some(stuck) => vec![stuck],
            None => judge(&self.world, REST_MAX, &account).await.findings,
        };
        self.world.stop(false).await;
        found
    }
}

/// The parameters of a task of this specification.
pub(super) fn task(specification: &str) -> Value {
    json!({"specification": specification, "inputs": {"x": {"value": 1}}})
}
