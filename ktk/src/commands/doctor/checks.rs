//! Versions, the read model, and who is there.

use std::collections::BTreeSet;

use kantoku_api::contract::{ContextList, Info, ListParams, Services};
use kantoku_domain::Millis;

use super::report::Report;
use crate::{
    error::{CommandError, Exit},
    serve::{HANDLERS_LABEL, Part},
    session::Session,
};

/// The oldest NATS server that has what the streams need.
const NATS_VERSION_MIN: (u64, u64) = (2, 14);
/// How long the read model may take to show what is stored already.
const CATCH_UP: Millis = Millis(3_000);

pub(super) fn versions(info: &Info, url: &str, report: &mut Report) {
    let client = env!("CARGO_PKG_VERSION");
    if info.version == client {
        report.fine("api", format!("version {} answers at {url}", info.version));
    } else {
        report.finding(
            "api",
            format!("its version is {}, this program's {client}", info.version),
            "use a ktk of the server's version",
        );
    }
    let mut numbers = info.nats_version.split('.').map_while(|part| part.parse().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= NATS_VERSION_MIN {
        report.fine("nats", format!("version {}", info.nats_version));
    } else {
        let (major, minor) = NATS_VERSION_MIN;
        report.finding(
            "nats",
            format!("version {} is too old", info.nats_version),
            format!("install nats-server {major}.{minor} or later"),
        );
    }
    // On a machine of one's own a risk is no fault, and it says what to do.
    let at_risk = info.at_risk.as_deref().unwrap_or("nothing that was acknowledged is lost");
    report.fine("sync", format!("{} × {}: {at_risk}", info.replicas, info.sync));
    if let Some(most) = info.consumers_max.filter(|most| info.consumers * 10 >= most * 9) {
        report.finding(
            "consumers",
            format!("the stream of events has {} consumers and may have {most}", info.consumers),
            "remove durables of services that are gone (nats consumer ls KTK_EVENTS), or raise \
             the server's limit",
        );
    }
    report.fine("stream", format!("position {}, created {}", info.head_seq, info.stream_created));
}

/// Whether the read model gets to where the stream is now.
pub(super) async fn read_model(
    info: &Info,
    session: &Session,
    report: &mut Report,
) -> Result<(), CommandError> {
    let params = ListParams {
        limit: Some(1),
        namespace: session.namespace(),
        min_seq: Some(info.head_seq),
        timeout: Some(CATCH_UP),
        ..ListParams::default()
    };
    match session.call::<ContextList>(&params).await {
        Ok(page) => report.fine("read model", format!("as of position {}", page.as_of_seq)),
        Err(error) if error.exit == Exit::TimedOut => {
            let behind = info.head_seq.saturating_sub(info.projected_seq);
            report.finding(
                "read model",
                format!("it is {behind} positions behind and does not catch up within {CATCH_UP}"),
                "see whether a projector runs and what it logs: ktk get services, ktk dev logs",
            );
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Whether each part of the work has somebody who does it.
pub(super) fn services(services: &Services, report: &mut Report) {
    let there: BTreeSet<&str> = services
        .items
        .iter()
        .flat_map(|service| {
            let parts = service.labels.get(HANDLERS_LABEL).map(String::as_str).unwrap_or_default();
            parts.split(' ').chain([service.kind.as_str()])
        })
        .collect();
    for part in Part::ALL {
        let name = part.name();
        if !there.contains(name) {
            report.finding(
                "services",
                format!("no {name} is present: {}", part.without_it()),
                format!("ktk serve --only {name}, or `ktk dev up` for all of them"),
            );
        }
    }
    report.fine("services", format!("{} present", services.items.len()));
    let (running, slots) = services.items.iter().fold((0, 0), |(running, slots), service| {
        (running + service.running.unwrap_or(0), slots + service.slots.unwrap_or(0))
    });
    if slots > 0 {
        report.fine("executors", format!("{running} of {slots} slots are taken"));
    }
}

#[cfg(test)]
mod tests {
    use kantoku_api::contract::Service;

    use super::*;

    fn service(kind: &str, parts: &str) -> Service {
        Service {
            service_id: kind.into(),
            kind: kind.into(),
            boot_id: String::new(),
            version: "0.1.0".into(),
            host: "here".into(),
            pid: 1,
            labels: [(HANDLERS_LABEL.into(), parts.into())].into(),
            started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            running: None,
            slots: None,
            leads: Vec::new(),
        }
    }

    #[test]
    fn a_part_that_nobody_does_is_a_finding() {
        let mut all = Services {
            items: vec![
                service("node", "scheduler unfolder timers lease-keeper"),
                service("executor", ""),
                service("projector", ""),
                service("sealer", ""),
                service("api", ""),
            ],
        };
        let mut report = Report::default();
        services(&all, &mut report);
        assert_eq!(report.found(), [""; 0]);

        all.items.remove(1);
        let mut report = Report::default();
        services(&all, &mut report);
        assert_eq!(report.found(), ["no executor is present: what is ready stays ready"]);
    }

    #[test]
    fn another_version_and_an_old_server_are_findings() {
        let mut info = Info {
            version: env!("CARGO_PKG_VERSION").into(),
            stream_created: "2026-01-02T03:04:05Z".parse().unwrap(),
            head_seq: 9,
            projected_seq: 9,
            nats_version: "2.14.0".into(),
            replicas: 1,
            sync: "always".into(),
            at_risk: None,
            consumers: 3,
            consumers_max: Some(1_000),
        };
        let mut report = Report::default();
        versions(&info, "", &mut report);
        assert_eq!(report.found(), [""; 0]);

        info.version = "0.0.1".into();
        info.nats_version = "2.9.25-beta".into();
        info.consumers = 901;
        versions(&info, "", &mut report);
        assert_eq!(report.found().len(), 3);
    }
}
