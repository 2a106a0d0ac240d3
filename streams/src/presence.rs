//! Which services are present: an entry per service that lasts as long as its heartbeat.

use std::collections::BTreeMap;

use async_nats::{
    Client,
    jetstream::{Context, kv},
};
use kantoku_domain::{Id, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Fault, direct, subject};

/// How many services are listed at most.
const SERVICES_MAX: usize = 10_000;

/// A service as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// Its persistent id.
    pub service_id: String,
    /// What it is: `node`, `executor`, `api`, …
    pub kind: String,
    /// This run of it.
    pub boot_id: Id,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The version of its program.
    pub version: String,
    /// Where it runs.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// When this run began.
    pub started_at: Timestamp,
    /// How busy it is.
    #[serde(default)]
    pub load: Load,
}

impl ServiceEntry {
    /// The label by which an executor says which queue it serves.
    pub const QUEUE: &'static str = "queue";
    /// The label by which a node says which handlers it runs, separated by spaces.
    pub const HANDLERS: &'static str = "handlers";
}

/// How busy a service is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// What it does at the moment: attempts, of an executor.
    pub running: u32,
    /// How much it would do at once; 0 where that says nothing.
    pub slots: u32,
}

/// The bucket of present services. An entry that is not renewed expires, see
/// [`Settings::presence_age_max`](crate::Settings::presence_age_max).
#[derive(Clone)]
pub struct Presence {
    client: Client,
    bucket: kv::Store,
}

impl Presence {
    /// Opens the bucket, which [`setup`](crate::setup()) has made.
    pub async fn open(client: Client, context: &Context) -> Result<Self, Fault> {
        let bucket = context
            .get_key_value(subject::SERVICES)
            .await
            .map_err(|error| Fault::unreachable("open the bucket of services", error))?;
        Ok(Self { client, bucket })
    }

    /// How long an entry lasts. To be renewed at a third of it, or more often.
    pub fn age_max(&self) -> std::time::Duration {
        self.bucket.stream.cached_info().config.max_age
    }

    /// Says that the service of `entry` is here, and how it is.
    pub async fn renew(&self, entry: &ServiceEntry) -> Result<(), Fault> {
        let fault = |cause| Fault::unreachable("renew the presence of this service", cause);
        let json = serde_json::to_vec(entry).map_err(|error| fault(crate::Cause::from(error)))?;
        self.bucket
            .put(subject::service_key(&entry.service_id), json.into())
            .await
            .map_err(|error| fault(error.into()))?;
        Ok(())
    }

    /// Says goodbye, at once rather than by expiry.
    pub async fn leave(&self, service_id: &str) -> Result<(), Fault> {
        self.bucket
            .purge(subject::service_key(service_id))
            .await
            .map_err(|error| Fault::unreachable("say goodbye", error))
    }

    /// Who is present, by service id. Entries that cannot be read, as another version wrote them,
    /// are left out.
    pub async fn list(&self) -> Result<Vec<ServiceEntry>, Fault> {
        let services = direct::entries(&self.client, &self.bucket, SERVICES_MAX).await?;
        let by_id =
            services.into_iter().map(|entry: ServiceEntry| (entry.service_id.clone(), entry));
        Ok(by_id.collect::<BTreeMap<_, _>>().into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{Settings, direct::PAGE, setup, testing::Server};

    fn service(service_id: &str, running: u32) -> ServiceEntry {
        ServiceEntry {
            service_id: service_id.into(),
            kind: "executor".into(),
            boot_id: Id::default(),
            labels: [("gpu".into(), "a100".into())].into(),
            version: "0.1.0".into(),
            host: "here".into(),
            pid: 7,
            started_at: Timestamp::from_micros(1),
            load: Load { running, slots: 8 },
        }
    }

    #[tokio::test]
    async fn a_service_is_listed_until_it_leaves_or_falls_silent() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.connect().await;
        let presence_age_max = Duration::from_secs(1);
        let settings = Settings { presence_age_max, ..Settings::default() };
        setup(&client, &context, &settings).await.unwrap();
        let presence = Presence::open(client, &context).await.unwrap();
        assert_eq!(presence.age_max(), presence_age_max);

        assert_eq!(presence.list().await.unwrap(), []);
        presence.renew(&service("gpu.1 *", 1)).await.unwrap();
        presence.renew(&service("gpu-2", 1)).await.unwrap();
        presence.renew(&service("gpu.1 *", 2)).await.unwrap();
        presence.leave("gpu-2").await.unwrap();
        assert_eq!(presence.list().await.unwrap(), [service("gpu.1 *", 2)]);

        let deadline = Instant::now() + Duration::from_secs(20);
        while !presence.list().await.unwrap().is_empty() {
            assert!(Instant::now() < deadline, "the entry of a silent service never expired");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn more_services_than_one_page_holds_are_listed_without_a_consumer() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        let presence = Presence::open(client, &context).await.unwrap();
        for n in 0..PAGE + 3 {
            presence.renew(&service(&format!("s{n:04}"), 0)).await.unwrap();
        }
        assert_eq!(presence.list().await.unwrap().len(), PAGE + 3);
        let stream = context.get_stream(&presence.bucket.stream_name).await.unwrap();
        assert_eq!(stream.cached_info().state.consumer_count, 0);
    }
}
