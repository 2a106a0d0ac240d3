//! Which services are present: an entry per service that lasts as long as its heartbeat.

use async_nats::jetstream::{Context, kv};
use futures::TryStreamExt as _;
use kantoku_domain::Id;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Fault, subject};

/// How many services are listed at most.
const SERVICES_MAX: usize = 10_000;

/// The bucket of present services. An entry that is not renewed expires, see
/// [`Settings::presence_age_max`](crate::Settings::presence_age_max).
#[derive(Clone)]
pub struct Presence {
    bucket: kv::Store,
}

impl Presence {
    /// Opens the bucket, which [`setup`](crate::setup()) has made.
    pub async fn open(context: &Context) -> Result<Self, Fault> {
        let bucket = context
            .get_key_value(subject::SERVICES)
            .await
            .map_err(|error| Fault::unreachable("open the bucket of services", error))?;
        Ok(Self { bucket })
    }

    /// Says that `service` is here, and how it is. To be repeated at a third of the time after
    /// which an entry expires, or more often.
    pub async fn renew<T: Serialize>(&self, service: Id, entry: &T) -> Result<(), Fault> {
        let fault = |cause| Fault::unreachable("renew the presence of this service", cause);
        let json = serde_json::to_vec(entry).map_err(|error| fault(crate::Cause::from(error)))?;
        self.bucket
            .put(service.to_string(), json.into())
            .await
            .map_err(|error| fault(error.into()))?;
        Ok(())
    }

    /// Says goodbye, at once rather than by expiry.
    pub async fn leave(&self, service: Id) -> Result<(), Fault> {
        self.bucket
            .purge(service.to_string())
            .await
            .map_err(|error| Fault::unreachable("say goodbye", error))
    }

    /// Who is present. Entries that another version wrote and that are no `T` are left out.
    pub async fn list<T: DeserializeOwned>(&self) -> Result<Vec<(Id, T)>, Fault> {
        let fault = |cause| Fault::unreachable("list the services", cause);
        let keys = self.bucket.keys().await.map_err(|error| fault(crate::Cause::from(error)))?;
        let keys: Vec<String> = futures::StreamExt::take(keys, SERVICES_MAX)
            .try_collect()
            .await
            .map_err(|error| fault(error.into()))?;
        let mut services = Vec::with_capacity(keys.len());
        for key in keys {
            let entry = self.bucket.get(&key).await.map_err(|error| fault(error.into()))?;
            match (key.parse(), entry.as_deref().map(serde_json::from_slice)) {
                (Ok(id), Some(Ok(entry))) => services.push((id, entry)),
                // Gone between the two questions.
                (Ok(_), None) => {}
                _ => tracing::debug!(key, "an entry among the services cannot be read"),
            }
        }
        Ok(services)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{Settings, setup, testing::Server};

    #[tokio::test]
    async fn a_service_is_listed_until_it_leaves_or_falls_silent() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.connect().await;
        let presence_age_max = Duration::from_secs(1);
        let settings = Settings { presence_age_max, ..Settings::default() };
        setup(&client, &context, &settings).await.unwrap();
        let presence = Presence::open(&context).await.unwrap();
        let id =
            |n: u8| format!("0193b0de-0000-7000-8000-0000000000{n:02x}").parse::<Id>().unwrap();

        assert_eq!(presence.list::<String>().await.unwrap(), []);
        presence.renew(id(1), &"one").await.unwrap();
        presence.renew(id(2), &"two").await.unwrap();
        presence.leave(id(2)).await.unwrap();
        assert_eq!(presence.list::<String>().await.unwrap(), [(id(1), "one".to_owned())]);

        let deadline = Instant::now() + Duration::from_secs(20);
        while !presence.list::<String>().await.unwrap().is_empty() {
            assert!(Instant::now() < deadline, "the entry of a silent service never expired");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
