//! Documents by the million, through everything that stands between a connection and the methods.
//! Each method that takes its parameters answers with them: what is behind needs servers, and is
//! met with such documents over a socket elsewhere.

mod documents;

use std::{
    collections::HashSet,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use tokio::runtime::{Builder, Runtime};

use self::documents::{Documents, Judge, Known, samples, shown, shrunk};
use super::{
    Caller, Limits,
    access::Access,
    dispatch::{Dispatcher, Ground, Peer, Result},
    module::{Call, Module, encode},
    room::Room,
    subscriptions::Subscriptions,
    weight::{Patience, Rooms},
};
use crate::contract::{self, Method, Subscription};

/// How many documents there are unless `KTK_FUZZ_COUNT` says otherwise.
const COUNT: u64 = 100_000;
/// What they follow from unless `KTK_FUZZ_SEED` says otherwise.
const SEED: u64 = 7;
/// An answer that takes longer is none.
const HANGS_AFTER: Duration = Duration::from_secs(10);

/// Nothing that methods could stand on.
struct Nothing;

impl Ground for Nothing {
    fn reach(&self, _: Patience) -> BoxFuture<'_, Result<()>> {
        std::future::ready(Ok(())).boxed()
    }
}

impl contract::Visitor for Module<Nothing> {
    fn method<M: Method>(&mut self) {
        self.insert_call(M::NAME, true, |call: Call<'_, Nothing>, params: M::Params| {
            std::future::ready(encode(&params, call.answer_bytes_max)).boxed()
        });
    }

    fn subscription<S: Subscription>(&mut self) {
        self.insert_subscription::<S>(|call, params| {
            let first = encode(&params, call.answer_bytes_max);
            std::future::ready(Ok(stream::iter([first]).boxed())).boxed()
        });
    }
}

/// A server without anything behind it.
struct Server {
    dispatcher: Dispatcher<Nothing>,
    peer: Peer,
    runtime: Runtime,
}

impl Server {
    fn start() -> Self {
        let mut module = Module::default();
        contract::visit(&mut module);
        let limits = Limits::default();
        let rooms = Arc::new(Rooms::new(&limits));
        let peer = Peer {
            caller: Caller::default(),
            subscriptions: Some(Subscriptions::new(limits.subscriptions_max, Arc::clone(&rooms))),
            share: Room::new(limits.connection_bytes_max),
        };
        let dispatcher = Dispatcher {
            api: Arc::new(Nothing),
            module: Arc::new(module),
            limits: Arc::new(limits),
            rooms,
            access: Arc::new(Access::Open),
        };
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { dispatcher, peer, runtime }
    }

    /// Says what is wrong with the answer to a document.
    fn try_out(&self, document: &[u8], judge: &Judge) -> std::result::Result<(), String> {
        let begin = Instant::now();
        let carried_out = async {
            match self.dispatcher.admit(document, 0, &self.peer, Duration::ZERO).await {
                Ok(_held) => self.dispatcher.answer(document, &self.peer).await,
                Err(refused) => refused,
            }
        };
        let answer = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(carried_out)));
        let answer = answer.map_err(|_| "a panic".to_owned())?;
        let took = begin.elapsed();
        if took > HANGS_AFTER {
            return Err(format!("it took {took:?}"));
        }
        judge.check(document, answer.text.as_deref())?;
        drop(answer);
        match self.dispatcher.rooms.calls.held_bytes() {
            0 => Ok(()),
            left => Err(format!("{left} bytes are held afterwards")),
        }
    }
}

fn judge() -> Judge {
    let Limits { depth_max, batch_max, .. } = Limits::default();
    let methods: HashSet<String> = contract::names().into_iter().map(str::to_owned).collect();
    Judge { limits: documents::Limits { depth_max, batch_max }, methods }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Tries out documents one after the other; the first that goes wrong ends it.
fn run(documents: &Documents, numbers: Range<u64>, step: usize) {
    let (server, judge) = (Server::start(), judge());
    for number in numbers.step_by(step) {
        let document = documents.document(number);
        if let Err(wrong) = server.try_out(&document, &judge) {
            let smallest = shrunk(&document, |less| server.try_out(less, &judge).is_err());
            let still = server.try_out(&smallest, &judge).err().unwrap_or_default();
            panic!(
                "document {number}: {wrong}\n{}\nits smallest part: {still}\n{}",
                shown(&document[..document.len().min(4_000)]),
                shown(&smallest[..smallest.len().min(4_000)]),
            );
        }
    }
}

#[test]
fn fuzz_whatever_comes_is_answered_as_json_rpc_has_it() {
    let (count, seed) = (number("KTK_FUZZ_COUNT", COUNT), number("KTK_FUZZ_SEED", SEED));
    let documents = Documents::new(seed, &Known::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads as u64 {
            let documents = &documents;
            scope.spawn(move || run(documents, thread..count, threads));
        }
    });
    let took = begin.elapsed().as_secs_f64();
    let rate = count as f64 / took;
    eprintln!("fuzz: {count} documents of seed {seed} in {took:.1} s, {rate:.0} a second");
}

#[test]
fn every_method_has_a_sample_that_is_taken() {
    let (server, judge) = (Server::start(), judge());
    let samples = samples(&Known::default());
    let sampled: HashSet<&str> = samples.iter().map(|(method, _)| *method).collect();
    let all: HashSet<&str> = contract::names().into_iter().collect();
    let missing: Vec<_> = all.difference(&sampled).collect();
    assert!(missing.is_empty(), "documents/corpus.rs has no call of {missing:?}");
    for (method, params) in samples {
        let request =
            serde_json::json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1});
        let document = request.to_string().into_bytes();
        server.try_out(&document, &judge).expect("a sound answer");
        let answer = server.dispatcher.answer(&document, &server.peer);
        let answer = server.runtime.block_on(answer).text.expect("an answer");
        assert!(answer.contains("\"result\":"), "{method}: {answer}");
    }
}

#[test]
fn what_goes_wrong_is_noticed_and_made_small() {
    let judge = judge();
    let document = br#"{"jsonrpc":"2.0","method":"task.get","params":{"id":"a"},"id":7}"#;
    for (answer, is_well) in [
        (r#"{"jsonrpc":"2.0","id":7,"result":{}}"#, true),
        (r#"{"jsonrpc":"2.0","id":8,"result":{}}"#, false),
        (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":null}"#, true),
        (r#"{"jsonrpc":"1.0","id":7,"result":{}}"#, false),
        (
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"m","data":{"reason":"r","retryable":false}}}"#,
            false,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":1002,"message":"m","data":{"reason":"r","retryable":false}}}"#,
            true,
        ),
        (r#"{"jsonrpc":"2.0","id":7,"error":{"code":1002,"message":"m"}}"#, false),
        ("[]", false),
    ] {
        assert_eq!(judge.check(document, Some(answer)).is_ok(), is_well, "{answer}");
    }
    assert!(judge.check(document, None).is_err());
    let notification = br#"{"jsonrpc":"2.0","method":"task.get"}"#;
    assert!(judge.check(notification, None).is_ok());
    assert!(judge.check(notification, Some(r#"{"jsonrpc":"2.0","id":null,"result":1}"#)).is_err());
    let smallest = shrunk(b"abc[def]ghi", |less| less.contains(&b'[') && less.contains(&b']'));
    assert_eq!(smallest, b"[]");
}
