//! Makes the streams, and refuses to work on others than these.

use std::time::Duration;

use async_nats::{
    Client,
    jetstream::{
        Context, ErrorCode,
        context::{CreateStreamErrorKind, GetStreamErrorKind},
        kv, object_store,
        stream::{Config, DiscardPolicy, PersistenceMode, Republish, RetentionPolicy, StorageType},
    },
};
use thiserror::Error;

use crate::{Cause, Login, Sync, subject};

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many servers keep each stream: 1, 3 or 5.
    pub replicas: usize,
    /// How large the logs may become in bytes; then the oldest go.
    pub logs_bytes_max: i64,
    /// How old logs may become.
    pub logs_age_max: Duration,
    /// How large the audit may become in bytes; then the oldest entries go.
    pub audit_bytes_max: i64,
    /// How old the entries of the audit may become.
    pub audit_age_max: Duration,
    /// How old dead letters may become.
    pub dead_age_max: Duration,
    /// How long a service counts as present after its last heartbeat.
    pub presence_age_max: Duration,
    /// How long a service leads after it has last said that it does.
    pub lead_age_max: Duration,
    /// The monitoring address of the server, `http://host:8222`, where it is open.
    pub monitor_url: Option<String>,
    /// When the server writes to the disk, for whoever knows without asking.
    pub sync: Option<Sync>,
    /// How this process is let in. What its role may not see is not looked at.
    pub login: Login,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            replicas: 1,
            logs_bytes_max: 1024 * 1024 * 1024,
            logs_age_max: 7 * DAY,
            audit_bytes_max: 1024 * 1024 * 1024,
            audit_age_max: 365 * DAY,
            dead_age_max: 30 * DAY,
            presence_age_max: Duration::from_secs(15),
            lead_age_max: Duration::from_secs(9),
            monitor_url: None,
            sync: None,
            login: Login::default(),
        }
    }
}

/// How long it is known what came of an operation.
const OPERATIONS_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Why Kantoku does not work on this server.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The server is too old.
    #[error("the NATS server is version {found}; Kantoku needs 2.14 or newer: upgrade it")]
    Version {
        /// Its version.
        found: String,
    },
    /// There is no `JetStream`.
    #[error(
        "the NATS server offers no JetStream ({cause}); start it with -js, or enable it for this account"
    )]
    NoJetStream {
        /// What the client reports.
        #[source]
        cause: Cause,
    },
    /// A stream exists, but is another than we need.
    #[error("stream {stream} has {setting} = {found}, Kantoku needs {wanted}; {advice}")]
    Mismatch {
        /// The stream.
        stream: String,
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: String,
        /// What to do.
        advice: &'static str,
    },
    /// A stream is not there, and this process is not one of those that make it.
    #[error(
        "{name} is not there yet; a process that runs a scheduler or another processor makes it, and is \
         waited for"
    )]
    Missing {
        /// Its name.
        name: String,
    },
    /// The servers have no room for a stream.
    #[error(
        "{name} finds no room: {cause}; it reserves {mebibytes} MiB on each of {servers} server(s): raise \
         max_file_store, free some disk, or start the servers that are missing"
    )]
    Room {
        /// Its name.
        name: String,
        /// How much is kept free for it.
        mebibytes: i64,
        /// How many servers keep it.
        servers: usize,
        /// What the server reports.
        #[source]
        cause: Cause,
    },
    /// A stream, bucket or object store could not be made or looked at.
    #[error(
        "{name} could not be made or read: {cause}; check the limits of the account and the number of servers"
    )]
    Refused {
        /// Its name.
        name: String,
        /// What the client reports.
        #[source]
        cause: Cause,
    },
}

/// Checks the server, makes what is missing and verifies what is there. Any number of services may
/// do so at once.
pub async fn setup(
    client: &Client,
    context: &Context,
    settings: &Settings,
) -> Result<(), SetupError> {
    if !client.is_server_compatible(2, 14, 0) {
        return Err(SetupError::Version { found: client.server_info().version });
    }
    context
        .query_account()
        .await
        .map_err(|error| SetupError::NoJetStream { cause: error.into() })?;
    let role = settings.login.role;
    for config in streams(settings).into_iter().filter(|config| role.sees(&config.name)) {
        ensure(context, config, role.makes_streams()).await?;
    }
    let buckets = [
        (subject::SERVICES, "present services", settings.presence_age_max),
        (subject::LEADS, "who leads", settings.lead_age_max),
        (subject::KEYS, "keys of the API", Duration::ZERO),
        (subject::OPERATIONS, "operations", OPERATIONS_AGE_MAX),
        (subject::SECRETS, "sealed secrets", Duration::ZERO),
    ];
    for (name, of, age_max) in buckets {
        if role.sees(&subject::under_bucket(name)) {
            bucket(context, name, of, age_max, settings).await?;
        }
    }
    blobs(context, settings).await
}

/// The streams as they must be.
fn streams(settings: &Settings) -> [Config; 6] {
    let stream = |name: &str, subjects: &[&str], description: &str| Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
        description: Some(description.to_owned()),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        num_replicas: settings.replicas,
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        allow_direct: true,
        ..Config::default()
    };
    [
        Config {
            deny_delete: true,
            allow_atomic_publish: true,
            ..stream(subject::EVENTS, &subject::EVENTS_SUBJECTS, "Kantoku: all events")
        },
        Config {
            allow_message_schedules: true,
            // What was due goes by a time to live of its own: an age limit would drop timers.
            allow_message_ttl: true,
            // The server refuses schedules with discard new; without a limit nothing is dropped.
            discard: DiscardPolicy::Old,
            // A schedule needs rollups: the newest message on a timer's subject is the timer.
            allow_rollup: true,
            ..stream(subject::TIMERS, &subject::TIMERS_SUBJECTS, "Kantoku: retries and timeouts")
        },
        Config {
            discard: DiscardPolicy::Old,
            max_bytes: settings.logs_bytes_max,
            max_age: settings.logs_age_max,
            // How followers learn, with its position, that something was stored.
            republish: Some(Republish {
                source: subject::LOGS_SUBJECTS[0].to_owned(),
                destination: subject::LOGGED.to_owned(),
                headers_only: true,
            }),
            ..stream(subject::LOGS, &subject::LOGS_SUBJECTS, "Kantoku: output of tasks")
        },
        Config {
            max_age: settings.dead_age_max,
            ..stream(subject::DEAD, &subject::DEAD_SUBJECTS, "Kantoku: undigested messages")
        },
        Config {
            deny_delete: true,
            ..stream(subject::SEALS, &[subject::SEAL], "Kantoku: seals over all events")
        },
        Config {
            discard: DiscardPolicy::Old,
            deny_delete: true,
            max_bytes: settings.audit_bytes_max,
            max_age: settings.audit_age_max,
            ..stream(subject::AUDIT, &[subject::AUDITED], "Kantoku: who asked for what")
        },
    ]
}

async fn ensure(context: &Context, wanted: Config, may_make: bool) -> Result<(), SetupError> {
    let refused = |cause| SetupError::Refused { name: wanted.name.clone(), cause };
    match context.get_stream(&wanted.name).await {
        Ok(stream) => verify(&stream.cached_info().config, &wanted),
        Err(error) if is_missing(error.kind()) && !may_make => {
            Err(SetupError::Missing { name: wanted.name })
        }
        Err(error) if is_missing(error.kind()) => {
            // Made by another service meanwhile, it comes back as it is, or is refused.
            let made = context.create_stream(wanted.clone()).await;
            let stream = made.map_err(|error| match error.kind() {
                kind if is_full(&kind) => no_room(&wanted, error.into()),
                _ => refused(error.into()),
            })?;
            tracing::info!(stream = wanted.name, "stream made");
            verify(&stream.cached_info().config, &wanted)
        }
        Err(error) => Err(refused(error.into())),
    }
}

fn is_missing(kind: GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_full(kind: &CreateStreamErrorKind) -> bool {
    const FULL: [ErrorCode; 3] = [
        ErrorCode::CLUSTER_NO_PEERS,
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ];
    matches!(kind, CreateStreamErrorKind::JetStream(error) if FULL.contains(&error.error_code()))
}

fn no_room(wanted: &Config, cause: Cause) -> SetupError {
    SetupError::Room {
        name: wanted.name.clone(),
        mebibytes: wanted.max_bytes.max(0) / (1024 * 1024),
        servers: wanted.num_replicas,
        cause,
    }
}

const RECREATE: &str = "it cannot be changed in place: use another account or server, or move the \
                        old stream away (`nats stream backup`, `nats stream rm`)";
const EDIT: &str = "change it with `nats stream edit`, or change Kantoku's configuration";

/// Compares every setting that the promises of the event log rest on.
fn verify(found: &Config, wanted: &Config) -> Result<(), SetupError> {
    let check = |setting, found, wanted_value, advice| {
        check(&wanted.name, setting, found, wanted_value, advice)
    };
    macro_rules! same {
        ($($field:ident: $advice:expr;)*) => {$(
            check(
                stringify!($field),
                format!("{:?}", found.$field),
                format!("{:?}", wanted.$field),
                $advice,
            )?;
        )*};
    }
    same! {
        storage: RECREATE;
        retention: RECREATE;
        deny_delete: RECREATE;
        subjects: EDIT;
        discard: EDIT;
        num_replicas: EDIT;
        max_age: EDIT;
        max_bytes: EDIT;
        max_messages: EDIT;
        max_messages_per_subject: EDIT;
        allow_direct: EDIT;
        allow_atomic_publish: EDIT;
        allow_message_schedules: RECREATE;
        allow_message_ttl: RECREATE;
        allow_rollup: EDIT;
        republish: EDIT;
        no_ack: EDIT;
        sealed: RECREATE;
    }
    // The server may name its default or not; asynchronous persistence acknowledges too early.
    let is_async = matches!(found.persist_mode, Some(PersistenceMode::Async));
    check("persist_mode async", is_async.to_string(), false.to_string(), RECREATE)
}

fn check(
    stream: &str,
    setting: &'static str,
    found: String,
    wanted: String,
    advice: &'static str,
) -> Result<(), SetupError> {
    if found == wanted {
        return Ok(());
    }
    Err(SetupError::Mismatch { stream: stream.to_owned(), setting, found, wanted, advice })
}

async fn bucket(
    context: &Context,
    name: &str,
    of: &str,
    age_max: Duration,
    settings: &Settings,
) -> Result<(), SetupError> {
    let config = kv::Config {
        bucket: name.to_owned(),
        description: format!("Kantoku: {of}"),
        history: 1,
        max_age: age_max,
        num_replicas: settings.replicas,
        ..kv::Config::default()
    };
    if settings.login.role.makes_streams() && context.get_key_value(name).await.is_err() {
        context
            .create_key_value(config)
            .await
            .map_err(|error| SetupError::Refused { name: name.to_owned(), cause: error.into() })?;
    }
    verify_bucket(context, &subject::under_bucket(name), age_max, settings).await
}

async fn blobs(context: &Context, settings: &Settings) -> Result<(), SetupError> {
    let config = object_store::Config {
        bucket: subject::BLOBS.to_owned(),
        description: Some("Kantoku: large values by digest".to_owned()),
        max_bytes: -1,
        num_replicas: settings.replicas,
        ..object_store::Config::default()
    };
    let may_make = settings.login.role.makes_streams();
    if may_make && context.get_object_store(subject::BLOBS).await.is_err() {
        context.create_object_store(config).await.map_err(|error| SetupError::Refused {
            name: subject::BLOBS.to_owned(),
            cause: error.into(),
        })?;
    }
    verify_bucket(context, &subject::under_objects(subject::BLOBS), Duration::ZERO, settings).await
}

/// Compares what Kantoku relies on in the stream under a bucket.
async fn verify_bucket(
    context: &Context,
    name: &str,
    age_max: Duration,
    settings: &Settings,
) -> Result<(), SetupError> {
    let stream = context.get_stream(name).await.map_err(|error| match error.kind() {
        kind if is_missing(kind.clone()) => SetupError::Missing { name: name.to_owned() },
        _ => SetupError::Refused { name: name.to_owned(), cause: error.into() },
    })?;
    let found = &stream.cached_info().config;
    let (age, replicas) = (format!("{:?}", found.max_age), found.num_replicas.to_string());
    check(name, "max_age", age, format!("{age_max:?}"), EDIT)?;
    check(name, "num_replicas", replicas, settings.replicas.to_string(), EDIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[tokio::test]
    async fn it_can_be_repeated_and_two_may_do_it_at_once() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.connect().await;
        let settings = Settings::default();
        let (one, other) =
            tokio::join!(setup(&client, &context, &settings), setup(&client, &context, &settings));
        one.unwrap();
        other.unwrap();
        setup(&client, &context, &settings).await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_that_drops_events_is_refused() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.connect().await;
        let [events, ..] = streams(&Settings::default());
        let careless = Config { discard: DiscardPolicy::Old, ..events };
        context.create_stream(careless).await.unwrap();
        let error = setup(&client, &context, &Settings::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("KTK_EVENTS has discard = Old, Kantoku needs New"), "{text}");
        assert!(text.contains("nats stream edit"), "{text}");
    }

    #[tokio::test]
    async fn a_server_without_room_is_told_how_much_is_wanted() {
        let server = Server::start_with_monitor("max_file_store: 1500MB").await;
        let Some(server) = server else { return };
        let (client, context) = server.connect().await;
        let error = setup(&client, &context, &Settings::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, SetupError::Room { .. }), "{text}");
        assert!(text.contains("KTK_AUDIT finds no room"), "{text}");
        assert!(text.contains("reserves 1024 MiB on each of 1 server(s): raise"), "{text}");
    }

    #[tokio::test]
    async fn a_timer_arrives_where_it_is_due() {
        let Some(server) = Server::start().await else { return };
        let (_client, context) = server.ready().await;
        let timer = subject::timer("0193b0de-0000-7000-8000-00000000002a".parse().unwrap());
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Schedule", "@at 2020-01-01T00:00:00Z");
        headers.insert("Nats-Schedule-Target", subject::due("retry"));
        let stored = context.publish_with_headers(timer, headers, "now".into()).await.unwrap();
        stored.await.unwrap();
        let stream = context.get_stream(subject::TIMERS).await.unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let due = loop {
            match stream.get_last_raw_message_by_subject("due.retry").await {
                Ok(due) => break due,
                Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(due.payload, "now");
    }

    #[tokio::test]
    async fn blobs_that_expire_are_refused() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.connect().await;
        let config = object_store::Config {
            bucket: subject::BLOBS.to_owned(),
            max_age: Duration::from_secs(60),
            max_bytes: -1,
            num_replicas: 1,
            ..object_store::Config::default()
        };
        context.create_object_store(config).await.unwrap();
        let error = setup(&client, &context, &Settings::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("OBJ_ktk_blobs has max_age = 60s, Kantoku needs 0ns"), "{text}");
    }

    #[tokio::test]
    async fn an_old_server_is_refused() {
        let url = crate::testing::pretend_server("2.9.25").await;
        let client = crate::connect(&url, "test", Duration::from_secs(20)).await.unwrap();
        let context = async_nats::jetstream::new(client.clone());
        let error = setup(&client, &context, &Settings::default()).await.unwrap_err();
        assert!(matches!(&error, SetupError::Version { found } if found == "2.9.25"), "{error}");
    }

    #[tokio::test]
    async fn a_server_without_jetstream_is_refused() {
        let Some(server) = Server::start_without_jetstream().await else { return };
        let (client, context) = server.connect().await;
        let error = setup(&client, &context, &Settings::default()).await.unwrap_err();
        assert!(matches!(error, SetupError::NoJetStream { .. }), "{error}");
    }
}
