//! What each kind of process needs of NATS, and nothing else: the subjects that it may publish to and
//! subscribe to, for users of a server that is shared.
//!
//! A subject of an event names no type, and a subject of NATS is matched token by token: whoever may
//! append events may append any, and consumers can be told apart by their whole name only.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::subject;

/// A kind of process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatsRole {
    /// May do everything: a process that runs several kinds of parts, and whoever looks after NATS.
    #[default]
    Server,
    /// Answers clients.
    Api,
    /// Schedulers, unfolders, timers, lease keepers, projectors and sealers. Makes the streams.
    Processor,
    /// Claims, runs and ends attempts of its queues.
    Executor,
    /// Reads events, seals and large values, and changes nothing.
    Reader,
}

/// What a user may do. An answer to whoever asks is allowed besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Subjects to publish to, with wildcards.
    pub publish: Vec<String>,
    /// Subjects to subscribe to, with wildcards.
    pub subscribe: Vec<String>,
}

impl NatsRole {
    /// All of them, the mightiest first.
    pub const ALL: [Self; 5] =
        [Self::Server, Self::Processor, Self::Api, Self::Executor, Self::Reader];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Api => "api",
            Self::Processor => "processor",
            Self::Executor => "executor",
            Self::Reader => "reader",
        }
    }

    /// What the inboxes of its processes begin with: nobody else hears the answers that they get.
    pub fn inbox(self) -> String {
        match self {
            Self::Server => "_INBOX".to_owned(),
            role => format!("_INBOX_{}", role.name()),
        }
    }

    /// Whether it may make streams that are missing.
    pub(crate) fn makes_streams(self) -> bool {
        matches!(self, Self::Server | Self::Processor)
    }

    /// Whether it may look at how `stream` is set up.
    pub(crate) fn sees(self, stream: &str) -> bool {
        match self {
            Self::Server | Self::Api | Self::Processor => true,
            // That there are secrets is known from events; what they are nobody reads but executors.
            Self::Executor | Self::Reader => {
                stream != subject::AUDIT && stream != subject::under_bucket(subject::KEYS)
            }
        }
    }
}

impl fmt::Display for NatsRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NatsRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What processes of `role` need. An executor gets at `queues` and at no others.
pub fn permissions(role: NatsRole, queues: &[String]) -> Permissions {
    let mut allowed = Allowed::default();
    if role == NatsRole::Server {
        allowed.publish(">");
        allowed.subscribe(">");
        return allowed.into();
    }
    allowed.subscribe(&format!("{}.>", role.inbox()));
    allowed.publish("$JS.API.INFO");
    for stream in subject::STREAMS.into_iter().map(str::to_owned).chain(subject::under_buckets()) {
        if role.sees(&stream) {
            allowed.ask("STREAM.INFO", &stream);
        }
        if role.makes_streams() {
            allowed.ask("STREAM.CREATE", &stream);
        }
    }
    allowed.read(subject::EVENTS);
    allowed.read_objects(subject::BLOBS);
    match role {
        NatsRole::Server => {}
        NatsRole::Reader => allowed.read(subject::SEALS),
        NatsRole::Executor => {
            allowed.work();
            allowed.publish(subject::BEATS);
            allowed.publish(subject::LOGS_SUBJECTS[0]);
            allowed.subscribe(subject::ORDERS);
            allowed.read(&subject::under_bucket(subject::SECRETS));
            for queue in queues {
                let durable = subject::shared_durable(subject::EXECUTOR, queue);
                allowed.consume(subject::EVENTS, &durable);
                allowed.subscribe(&subject::again(&durable));
            }
        }
        NatsRole::Api => {
            allowed.work();
            allowed.follow_events();
            for stream in [subject::LOGS, subject::DEAD, subject::SEALS, subject::AUDIT] {
                allowed.read(stream);
            }
            allowed.read(&subject::under_bucket(subject::SERVICES));
            allowed.read(&subject::under_bucket(subject::LEADS));
            for bucket in [subject::KEYS, subject::OPERATIONS, subject::SECRETS] {
                allowed.read(&subject::under_bucket(bucket));
                allowed.publish(&format!("$KV.{bucket}.>"));
            }
            allowed.publish(subject::AUDITED);
            allowed.publish(subject::SEAL);
            allowed.publish(subject::QUESTIONS);
            allowed.publish(subject::AGAIN);
            allowed.subscribe(subject::LOGGED);
            allowed.ask("STREAM.MSG.DELETE", subject::DEAD);
        }
        NatsRole::Processor => {
            allowed.work();
            allowed.follow_events();
            allowed.publish(subject::EVENTS_SUBJECTS[1]);
            allowed.publish(subject::TIMERS_SUBJECTS[0]);
            // A timer is taken back by purging its subject, which stands in the request.
            allowed.ask("STREAM.PURGE", subject::TIMERS);
            allowed.read(subject::TIMERS);
            allowed.consume(subject::TIMERS, "*");
            allowed.read(&subject::under_bucket(subject::LEADS));
            allowed.publish(&format!("$KV.{}.>", subject::LEADS));
            allowed.subscribe(subject::BEATS);
            allowed.publish(subject::ECHOES);
            allowed.publish(subject::ORDERS);
            allowed.subscribe(subject::QUESTIONS);
            allowed.subscribe(subject::AGAIN);
            allowed.read(subject::SEALS);
            allowed.publish(subject::SEAL);
            allowed.read_objects(subject::SNAPSHOTS);
            allowed.publish(&format!("$O.{}.>", subject::SNAPSHOTS));
            // A snapshot that is written over.
            allowed.ask("STREAM.PURGE", &subject::under_objects(subject::SNAPSHOTS));
        }
    }
    allowed.into()
}

#[derive(Default)]
struct Allowed {
    publish: BTreeSet<String>,
    subscribe: BTreeSet<String>,
}

impl Allowed {
    fn publish(&mut self, subject: &str) {
        self.publish.insert(subject.to_owned());
    }

    fn subscribe(&mut self, subject: &str) {
        self.subscribe.insert(subject.to_owned());
    }

    /// A request to `JetStream` that is about `what`.
    fn ask(&mut self, request: &str, what: &str) {
        self.publish.insert(format!("$JS.API.{request}.{what}"));
    }

    /// Messages of a stream, by position or subject.
    fn read(&mut self, stream: &str) {
        self.ask("STREAM.MSG.GET", stream);
        self.ask("DIRECT.GET", stream);
        self.ask("DIRECT.GET", &format!("{stream}.>"));
    }

    /// A stream by the consumer `durable`.
    fn consume(&mut self, stream: &str, durable: &str) {
        self.ask("CONSUMER.INFO", &format!("{stream}.{durable}"));
        self.ask("CONSUMER.CREATE", &format!("{stream}.{durable}"));
        self.ask("CONSUMER.CREATE", &format!("{stream}.{durable}.>"));
        self.ask("CONSUMER.MSG.NEXT", &format!("{stream}.{durable}"));
        self.publish.insert(format!("$JS.ACK.{stream}.{durable}.>"));
    }

    /// All events by a consumer of one's own, whose name is not known here.
    fn follow_events(&mut self) {
        self.consume(subject::EVENTS, "*");
        self.ask("CONSUMER.DELETE", &format!("{}.*", subject::EVENTS));
    }

    /// Objects, whose parts come by a consumer that lives as long as that takes.
    fn read_objects(&mut self, bucket: &str) {
        let stream = subject::under_objects(bucket);
        self.read(&stream);
        self.ask("CONSUMER.CREATE", &stream);
        self.ask("CONSUMER.CREATE", &format!("{stream}.>"));
        self.ask("CONSUMER.DELETE", &format!("{stream}.*"));
        self.publish.insert(format!("$JS.FC.{stream}.>"));
    }

    /// What everybody does who decides: append, store what is large, give up, be present.
    fn work(&mut self) {
        self.publish(subject::EVENTS_SUBJECTS[0]);
        self.publish(&format!("$O.{}.>", subject::BLOBS));
        self.publish(subject::DEAD_SUBJECTS[0]);
        self.publish(&format!("$KV.{}.>", subject::SERVICES));
        self.subscribe("$SRV.>");
    }
}

impl From<Allowed> for Permissions {
    fn from(allowed: Allowed) -> Self {
        let Allowed { publish, subscribe } = allowed;
        Self { publish: publish.into_iter().collect(), subscribe: subscribe.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(role: NatsRole) -> Permissions {
        permissions(role, &["default".to_owned()])
    }

    /// As the server matches them.
    fn matches(pattern: &str, subject: &str) -> bool {
        let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
        loop {
            match (pattern.next(), subject.next()) {
                (Some(">"), Some(_)) | (None, None) => return true,
                (Some(wanted), Some(token)) if wanted == "*" || wanted == token => {}
                _ => return false,
            }
        }
    }

    fn may_publish(role: NatsRole, subject: &str) -> bool {
        of(role).publish.iter().any(|pattern| matches(pattern, subject))
    }

    #[test]
    fn nobody_but_the_server_takes_away_what_is_stored() {
        for role in NatsRole::ALL {
            for stream in [subject::EVENTS, subject::AUDIT, subject::SEALS, "KV_ktk_keys"] {
                for request in ["STREAM.DELETE", "STREAM.UPDATE", "STREAM.PURGE"] {
                    let asked = format!("$JS.API.{request}.{stream}");
                    assert_eq!(
                        may_publish(role, &asked),
                        role == NatsRole::Server,
                        "{role}: {asked}"
                    );
                }
            }
        }
    }

    #[test]
    fn keys_and_the_audit_are_for_the_api_alone() {
        let subjects = [
            "$JS.API.DIRECT.GET.KV_ktk_keys",
            "$JS.API.STREAM.MSG.GET.KV_ktk_keys",
            "$JS.API.DIRECT.GET.KTK_AUDIT",
            "$KV.ktk_keys.a",
            "audit",
        ];
        for role in NatsRole::ALL {
            let may = matches!(role, NatsRole::Server | NatsRole::Api);
            for subject in subjects {
                assert_eq!(may_publish(role, subject), may, "{role}: {subject}");
            }
        }
    }

    #[test]
    fn an_executor_gets_at_its_queues_alone_and_hears_no_answers_to_others() {
        let next = |durable: &str| format!("$JS.API.CONSUMER.MSG.NEXT.KTK_EVENTS.{durable}");
        assert!(may_publish(NatsRole::Executor, &next("executor-default")));
        assert!(!may_publish(NatsRole::Executor, &next("executor-gpu")));
        assert!(!may_publish(NatsRole::Executor, "ready.a.default.0"));
        assert!(!may_publish(NatsRole::Executor, "$JS.API.CONSUMER.DELETE.KTK_EVENTS.node-1"));
        let subscribe = of(NatsRole::Executor).subscribe;
        let hears = |subject: &str| subscribe.iter().any(|pattern| matches(pattern, subject));
        assert!(hears("_INBOX_executor.x"));
        for subject in ["_INBOX.x", "_INBOX_api.x", "evt.a.00.task.x", "beat.x", "ask.scheduler"] {
            assert!(!hears(subject), "{subject}");
        }
    }

    #[test]
    fn a_reader_stores_nothing() {
        for subject in
            ["evt.a.00.task.x", "ready.a.b.0", "$O.ktk_blobs.C.x", "dead.x", "seal", "log.x"]
        {
            assert!(!may_publish(NatsRole::Reader, subject), "{subject}");
        }
    }

    #[test]
    fn roles_are_named_as_they_are_shown() {
        for role in NatsRole::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<NatsRole>().unwrap_err().contains("executor"));
    }
}
