//! Answering those who ask NATS itself which services there are (`nats micro ls`).

use std::collections::HashMap;

use async_nats::{
    Client,
    service::{Service, ServiceExt as _},
};

use crate::{Fault, ServiceEntry};

/// Answers on `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` for as long as it lives.
pub struct Discovery(Option<Service>);

impl Discovery {
    /// Answers for the service of `entry`, as `kantoku-<kind>`.
    pub(crate) async fn start(client: &Client, entry: &ServiceEntry) -> Result<Self, Fault> {
        let service = client
            .service_builder()
            .description("Kantoku")
            .metadata(metadata(entry))
            .start(format!("kantoku-{}", entry.kind), &entry.version)
            .await
            .map_err(|cause| Fault::unreachable("answer discovery", cause))?;
        Ok(Self(Some(service)))
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        // Without a runtime there is nobody left who would answer.
        if let (Some(service), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(service.stop());
        }
    }
}

fn metadata(entry: &ServiceEntry) -> HashMap<String, String> {
    let own = [
        ("service_id", entry.service_id.clone()),
        ("boot_id", entry.boot_id.to_string()),
        ("host", entry.host.clone()),
        ("pid", entry.pid.to_string()),
        ("started_at", entry.started_at.to_string()),
    ];
    let labels = entry.labels.iter().map(|(key, value)| (format!("label.{key}"), value.clone()));
    own.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(labels).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use async_nats::RequestErrorKind;
    use kantoku_domain::{Id, Timestamp};
    use serde_json::Value;

    use super::*;
    use crate::{Load, testing::Server};

    #[tokio::test]
    async fn a_service_answers_to_discovery_until_it_is_dropped() {
        let Some(server) = Server::start().await else { return };
        let (client, _) = server.connect().await;
        let entry = ServiceEntry {
            service_id: "gpu-1".into(),
            kind: "executor".into(),
            boot_id: Id::default(),
            labels: [("gpu".into(), "a100".into())].into(),
            version: "0.1.0".into(),
            host: "here".into(),
            pid: 7,
            started_at: Timestamp::from_micros(1),
            load: Load::default(),
        };
        let discovery = Discovery::start(&client, &entry).await.unwrap();
        let subject = "$SRV.PING.kantoku-executor";
        let answer = client.request(subject, "".into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(answer["metadata"]["service_id"], "gpu-1");
        assert_eq!(answer["metadata"]["label.gpu"], "a100");

        drop(discovery);
        let start = Instant::now();
        loop {
            match client.request(subject, "".into()).await {
                Err(error) if error.kind() == RequestErrorKind::NoResponders => break,
                _ => assert!(start.elapsed() < Duration::from_secs(20), "it answers on"),
            }
        }
    }
}
