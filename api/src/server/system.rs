//! `service.*`, `system.*`, `projection.list`

use std::sync::Arc;

use kantoku_streams::ServiceEntry;

use super::{Api, Module};
use crate::{
    ApiError,
    contract::{
        Info, NoParams, Projection, ProjectionList, Projections, Service, ServiceList, Services,
        SystemInfo,
    },
};

pub(super) fn register(module: &mut Module) {
    module.register::<ServiceList>(services);
    module.register::<SystemInfo>(info);
    module.register::<ProjectionList>(projections);
}

async fn services(api: Arc<Api>, _: NoParams) -> Result<Services, ApiError> {
    let mut items: Vec<Service> =
        api.bus.presence().list().await?.into_iter().map(service).collect();
    let leading = api.bus.leading_scheduler().await?;
    for service in &mut items {
        if leading.as_ref().is_some_and(|holder| holder.service_id == service.service_id) {
            service.leads.push("scheduler".into());
        }
    }
    items.sort_by(|a, b| (&a.kind, &a.service_id).cmp(&(&b.kind, &b.service_id)));
    Ok(Services { items })
}

fn service(entry: ServiceEntry) -> Service {
    // Who has no slots does not run attempts.
    let has_slots = entry.load.slots > 0;
    Service {
        service_id: entry.service_id,
        kind: entry.kind,
        boot_id: entry.boot_id.to_string(),
        version: entry.version,
        host: entry.host,
        pid: entry.pid,
        labels: entry.labels,
        started_at: entry.started_at,
        running: has_slots.then_some(entry.load.running.into()),
        slots: has_slots.then_some(entry.load.slots.into()),
        leads: Vec::new(),
    }
}

async fn info(api: Arc<Api>, _: NoParams) -> Result<Info, ApiError> {
    let safety = api.bus.safety();
    Ok(Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stream_created: api.bus.created().await?,
        head_seq: api.bus.head().await?,
        projected_seq: api.reader.position(),
        nats_version: api.bus.server_version(),
        replicas: safety.replicas,
        sync: safety.sync.to_string(),
        at_risk: safety.at_risk(),
        consumers: api.bus.consumers().await?,
        consumers_max: safety.consumers_max,
    })
}

async fn projections(api: Arc<Api>, _: NoParams) -> Result<Projections, ApiError> {
    let projection = Projection {
        name: api.database.schema().to_owned(),
        stream_seq: api.reader.position(),
        head_seq: api.bus.head().await?,
    };
    Ok(Projections { items: vec![projection] })
}
