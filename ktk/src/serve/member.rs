//! The services of a process, each with an id of its own.

use std::collections::BTreeMap;

use kantoku_service::Identity;
use kantoku_streams::ServiceEntry;

use super::{Config, HANDLERS_LABEL, ServeError, Service};

/// One service of this process.
pub(super) struct Member {
    pub(super) service: Service,
    pub(super) identity: Identity,
    /// What it is known by.
    pub(super) labels: BTreeMap<String, String>,
}

impl Member {
    /// Takes the identities of all services that `config` asks for.
    pub(super) fn all(config: &Config) -> Result<Vec<Self>, ServeError> {
        let services = config.services();
        let is_alone = services.len() == 1;
        services.into_iter().map(|service| Self::take(service, is_alone, config)).collect()
    }

    fn take(service: Service, is_alone: bool, config: &Config) -> Result<Self, ServeError> {
        let wanted = config.service_id.as_ref();
        let wanted = wanted.map(|id| if is_alone { id.clone() } else { format!("{id}-{service}") });
        let identity = Identity::take(&config.state_dir, service.name(), wanted.as_deref())?;
        let mut labels = config.labels.clone();
        if service == Service::Node {
            let handlers: Vec<_> = config.handlers().collect();
            labels.insert(HANDLERS_LABEL.into(), handlers.join(" "));
        }
        if service == Service::Executor {
            labels.insert(ServiceEntry::QUEUE.into(), config.queue.clone());
        }
        Ok(Self { service, identity, labels })
    }
}
