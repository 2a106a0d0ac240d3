//! Carries faults out, and takes each of them back.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ktk::dev::Server;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::{
    sync::RwLock,
    time::{Instant, sleep, timeout_at},
};
use uuid::Uuid;

use crate::{
    journal::now_us,
    nats::{EVENTS, Nats},
    proxy::Line,
    roles::Role,
    schedule::{Fault, Kind},
    world::World,
};

/// What goes wrong in a world, and what was done so far.
pub(crate) struct Faults<'a> {
    world: &'a World,
    roles: &'a [Role],
    /// Nobody is started while a stream has limits that a start refuses.
    starts: RwLock<()>,
    record: Mutex<Vec<Value>>,
    kills: AtomicU64,
    /// Positions of what is no event.
    poison: Mutex<Vec<u64>>,
}

/// How much went wrong.
pub(crate) struct Suffered {
    pub(crate) record: Vec<Value>,
    pub(crate) kills: u64,
    pub(crate) poison: Vec<u64>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(world: &'a World, roles: &'a [Role]) -> Self {
        Self {
            world,
            roles,
            starts: RwLock::default(),
            record: Mutex::default(),
            kills: AtomicU64::new(0),
            poison: Mutex::default(),
        }
    }

    /// One after the other, until `end`; what has begun is taken back.
    pub(crate) async fn run(&self, faults: &[Fault], end: Instant) {
        for fault in faults {
            if timeout_at(end, sleep(fault.pause)).await.is_err() {
                return;
            }
            let at_us = now_us();
            let time = fault.time.min(end.saturating_duration_since(Instant::now()));
            let target = self.strike(&Fault { time, ..*fault }).await;
            let entry = json!({
                "at_us": at_us, "until_us": now_us(), "kind": format!("{:?}", fault.kind),
                "target": target,
            });
            self.record.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
    }

    pub(crate) fn suffered(self) -> Suffered {
        let inner = PoisonError::into_inner;
        Suffered {
            record: self.record.into_inner().unwrap_or_else(inner),
            kills: self.kills.into_inner(),
            poison: self.poison.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Carries one out; whom it struck.
    async fn strike(&self, fault: &Fault) -> String {
        let role = self.roles[fault.pick % self.roles.len()];
        let server = if fault.pick.is_multiple_of(3) { Server::Postgres } else { Server::Nats };
        match fault.kind {
            Kind::Kill => self.kill(role, fault.time, &[]).await,
            Kind::WrongClock => {
                let offset = (fault.pick as i64 - 500) * 10;
                let offset = offset.to_string();
                self.kill(role, fault.time, &[("KTK_CLOCK_OFFSET_MS", offset.as_str())]).await
            }
            Kind::Freeze => {
                self.world.signal(role.id, Signal::SIGSTOP).await;
                sleep(fault.time).await;
                self.world.signal(role.id, Signal::SIGCONT).await;
                role.id.to_owned()
            }
            Kind::Cut => self.disturb(role, server, Line::Cut, fault.time).await,
            Kind::Hold => self.disturb(role, server, Line::Held, fault.time).await,
            Kind::HoldAnswers => self.disturb(role, server, Line::AnswersHeld, fault.time).await,
            Kind::Slow => {
                let delay = Duration::from_millis(1 + fault.pick as u64 % 50);
                self.disturb(role, server, Line::Slow(delay), fault.time).await
            }
            Kind::NatsKilled | Kind::NatsDown => self.down(Server::Nats, fault.time).await,
            Kind::PostgresKilled | Kind::PostgresDown => {
                self.down(Server::Postgres, fault.time).await
            }
            Kind::NatsFrozen => self.freeze(Server::Nats, fault.time).await,
            Kind::PostgresFrozen => self.freeze(Server::Postgres, fault.time).await,
            Kind::ConsumerDeleted => told(self.delete_consumer(fault.pick).await),
            Kind::PositionLost => told(self.lose_position(fault.pick).await),
            Kind::Poison => told(self.poison(fault.pick).await),
            Kind::StreamFull => told(self.fill(fault.time).await),
        }
    }

    async fn kill(&self, role: Role, time: Duration, environment: &[(&str, &str)]) -> String {
        self.world.kill(role.id).await;
        self.kills.fetch_add(1, Ordering::Relaxed);
        sleep(time).await;
        let _allowed = self.starts.read().await;
        self.world.serve(role, environment).await;
        role.id.to_owned()
    }

    async fn disturb(&self, role: Role, server: Server, line: Line, time: Duration) -> String {
        self.world.set_line(Some(role.id), server, line).await;
        sleep(time).await;
        self.world.set_line(Some(role.id), server, Line::Open).await;
        format!("{} to {server}: {line:?}", role.id)
    }

    async fn down(&self, server: Server, time: Duration) -> String {
        self.world.servers().kill(server).await.expect("killed");
        self.kills.fetch_add(1, Ordering::Relaxed);
        sleep(time).await;
        self.world.servers().restart(server).await.expect("it starts again");
        server.to_string()
    }

    async fn freeze(&self, server: Server, time: Duration) -> String {
        self.world.signal_server(server, Signal::SIGSTOP);
        sleep(time).await;
        self.world.signal_server(server, Signal::SIGCONT);
        server.to_string()
    }

    async fn delete_consumer(&self, pick: usize) -> io::Result<String> {
        let mut nats = self.world.nats().await?;
        let name = some_consumer(&mut nats, pick).await?;
        nats.api(&format!("CONSUMER.DELETE.{EVENTS}.{name}"), &Value::Null).await?;
        Ok(name)
    }

    async fn lose_position(&self, pick: usize) -> io::Result<String> {
        let mut nats = self.world.nats().await?;
        let name = some_consumer(&mut nats, pick).await?;
        nats.api(&format!("CONSUMER.RESET.{EVENTS}.{name}"), &json!({"seq": 1})).await?;
        Ok(name)
    }

    async fn poison(&self, pick: usize) -> io::Result<String> {
        let mut nats = self.world.nats().await?;
        let task = format!("evt.default.2a.task.{}2a", &Uuid::new_v4().to_string()[..34]);
        let subject =
            if pick.is_multiple_of(2) { task.as_str() } else { "ready.default.default.0" };
        let payload: &[u8] = match pick % 3 {
            0 => b"\xff\x00garbage",
            1 => br#"{"version": 1}"#,
            _ => br#"{"version":1,"event":{"type":"TaskMelted","data":{}},"metadata":{}}"#,
        };
        let said = nats.request(subject, &[("Ktk-Type", "TaskSpawned")], payload).await?.json()?;
        let seq = said["seq"].as_u64().ok_or_else(|| io::Error::other(said.to_string()))?;
        self.poison.lock().unwrap_or_else(PoisonError::into_inner).push(seq);
        Ok(format!("position {seq} on {subject}"))
    }

    /// Lets the stream be full for a while.
    async fn fill(&self, time: Duration) -> io::Result<String> {
        let _nobody = self.starts.write().await;
        let mut nats = self.world.nats().await?;
        let info = nats.api(&format!("STREAM.INFO.{EVENTS}"), &Value::Null).await?;
        let mut config = info["config"].clone();
        let bytes = info["state"]["bytes"].as_u64().unwrap_or_default();
        config["max_bytes"] = (bytes + 1_000).into();
        nats.api(&format!("STREAM.UPDATE.{EVENTS}"), &config).await?;
        sleep(time).await;
        // It has to be taken back, whatever else goes on.
        loop {
            let undo = async {
                let mut nats = self.world.nats().await?;
                nats.api(&format!("STREAM.UPDATE.{EVENTS}"), &info["config"]).await
            };
            if undo.await.is_ok() {
                self.world.start_refused().await;
                return Ok(format!("{EVENTS} at {bytes} bytes"));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn some_consumer(nats: &mut Nats, pick: usize) -> io::Result<String> {
    let names = nats.consumers(EVENTS).await?;
    let name = names.get(pick % names.len().max(1)).cloned();
    name.ok_or_else(|| io::Error::other("there is no durable"))
}

fn told(target: io::Result<String>) -> String {
    target.unwrap_or_else(|error| format!("nobody: {error}"))
}
