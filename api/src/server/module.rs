//! The methods that this server carries out, by name.

use std::{collections::HashMap, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use kantoku_domain::{Id, access::Reach, nearest};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use super::{Api, access::Held, params};
use crate::{
    ApiError, Code,
    contract::{Method, Subscription},
};

/// Who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The name that stands in events as the actor.
    pub(super) actor: Arc<str>,
    /// The key, where one is asked for.
    pub(super) key: Option<Arc<Held>>,
    /// The address of the client.
    pub(super) from: Option<SocketAddr>,
    /// The operation that calls in their name, if it is one: it stands in events as their cause.
    pub(super) operation: Option<Id>,
}

impl Caller {
    /// Whether they may look at what is about all namespaces.
    pub(super) fn reaches_everything(&self) -> bool {
        self.key.as_ref().is_none_or(|held| held.entry.reach == Reach::All)
    }
}

impl Default for Caller {
    fn default() -> Self {
        Self { actor: "anonymous".into(), key: None, from: None, operation: None }
    }
}

/// The answers of a subscription until it ends. One that ends with an error says so to the client.
pub(super) type Items<S> = BoxStream<'static, Result<<S as Subscription>::Item, ApiError>>;

/// Answers of whatever type, as they stand on the wire.
pub(super) type RawItems = BoxStream<'static, Result<Box<RawValue>, ApiError>>;

/// One call of what stands on `A`: who, and with what.
pub(super) struct Call<'a, A = Api> {
    pub(super) api: Arc<A>,
    pub(super) caller: Caller,
    /// They are read before the call begins.
    pub(super) params: Option<&'a RawValue>,
    pub(super) answer_bytes_max: usize,
}

/// What a call comes to.
pub(super) type Answered<T> = BoxFuture<'static, Result<T, ApiError>>;

/// What begins a call.
type Begin<A, T> = Box<dyn Fn(Call<'_, A>) -> Answered<T> + Send + Sync>;

/// What is behind a name.
pub(super) enum Entry<A = Api> {
    /// Answers once.
    Call {
        /// Whether it may change something.
        is_command: bool,
        /// Begins it.
        begin: Begin<A, Box<RawValue>>,
    },
    /// Answers until it is told to stop.
    Subscribe(Begin<A, RawItems>),
    /// Tells a subscription to stop.
    Unsubscribe,
}

/// The methods by name, which stand on an `A`.
pub(super) struct Module<A = Api> {
    entries: HashMap<&'static str, Entry<A>>,
}

impl<A> Default for Module<A> {
    fn default() -> Self {
        Self { entries: HashMap::new() }
    }
}

/// What carries out method `M`: `async fn(Arc<Api>, M::Params) -> Result<M::Answer, ApiError>`.
pub(super) trait Handler<M: Method>: Send + Sync + 'static {
    fn call(&self, api: Arc<Api>, params: M::Params) -> Answered<M::Answer>;
}

impl<M, F, Fut> Handler<M> for F
where
    M: Method,
    F: Fn(Arc<Api>, M::Params) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Answer, ApiError>> + Send + 'static,
{
    fn call(&self, api: Arc<Api>, params: M::Params) -> Answered<M::Answer> {
        self(api, params).boxed()
    }
}

/// The same for a method that changes something, and has to say who did:
/// `async fn(Arc<Api>, Caller, M::Params) -> Result<M::Answer, ApiError>`.
pub(super) trait CommandHandler<M: Method>: Send + Sync + 'static {
    fn call(&self, api: Arc<Api>, caller: Caller, params: M::Params) -> Answered<M::Answer>;
}

impl<M, F, Fut> CommandHandler<M> for F
where
    M: Method,
    F: Fn(Arc<Api>, Caller, M::Params) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Answer, ApiError>> + Send + 'static,
{
    fn call(&self, api: Arc<Api>, caller: Caller, params: M::Params) -> Answered<M::Answer> {
        self(api, caller, params).boxed()
    }
}

/// The same for a method that writes its answer itself:
/// `async fn(Arc<Api>, M::Params) -> Result<Box<RawValue>, ApiError>`.
pub(super) trait RawHandler<M: Method>: Send + Sync + 'static {
    fn call(&self, api: Arc<Api>, params: M::Params) -> Answered<Box<RawValue>>;
}

impl<M, F, Fut> RawHandler<M> for F
where
    M: Method,
    F: Fn(Arc<Api>, M::Params) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Box<RawValue>, ApiError>> + Send + 'static,
{
    fn call(&self, api: Arc<Api>, params: M::Params) -> Answered<Box<RawValue>> {
        self(api, params).boxed()
    }
}

/// What carries out subscription `S`: `async fn(Arc<Api>, S::Params) -> Result<Items<S>, ApiError>`.
/// An error is the answer to the call that subscribes. The stream is dropped when the client
/// unsubscribes or goes away, and is polled no faster than the client reads.
pub(super) trait SubscriptionHandler<S: Subscription>: Send + Sync + 'static {
    fn call(&self, api: Arc<Api>, params: S::Params) -> Answered<Items<S>>;
}

impl<S, F, Fut> SubscriptionHandler<S> for F
where
    S: Subscription,
    F: Fn(Arc<Api>, S::Params) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Items<S>, ApiError>> + Send + 'static,
{
    fn call(&self, api: Arc<Api>, params: S::Params) -> Answered<Items<S>> {
        self(api, params).boxed()
    }
}

impl Module {
    /// Adds a method.
    pub(super) fn register<M: Method>(&mut self, handler: impl Handler<M>) {
        self.insert_call(M::NAME, false, move |call: Call<'_>, params| {
            let bytes_max = call.answer_bytes_max;
            let answer = handler.call(call.api, params);
            async move { encode(&answer.await?, bytes_max) }.boxed()
        });
    }

    /// Adds a method that may change something, and is told who calls.
    pub(super) fn register_command<M: Method>(&mut self, handler: impl CommandHandler<M>) {
        self.insert_call(M::NAME, true, move |call: Call<'_>, params| {
            let bytes_max = call.answer_bytes_max;
            let answer = handler.call(call.api, call.caller, params);
            async move { encode(&answer.await?, bytes_max) }.boxed()
        });
    }

    /// Adds a method that changes nothing, and answers by who calls.
    pub(super) fn register_own<M: Method>(&mut self, handler: impl CommandHandler<M>) {
        self.insert_call(M::NAME, false, move |call: Call<'_>, params| {
            let bytes_max = call.answer_bytes_max;
            let answer = handler.call(call.api, call.caller, params);
            async move { encode(&answer.await?, bytes_max) }.boxed()
        });
    }

    /// The same for a method whose parameters nobody may see: no error quotes any but the `safe` ones,
    /// whose own errors do not.
    pub(super) fn register_private<M: Method>(
        &mut self,
        safe: &'static [&'static str],
        handler: impl CommandHandler<M>,
    ) {
        let begin = move |call: Call<'_>| match params::decode::<M::Params>(call.params) {
            Err(error) => std::future::ready(Err(params::unquoted(&error, safe))).boxed(),
            Ok(params) => {
                let bytes_max = call.answer_bytes_max;
                let answer = handler.call(call.api, call.caller, params);
                guarded(M::NAME, async move { encode(&answer.await?, bytes_max) })
            }
        };
        self.insert(M::NAME, Entry::Call { is_command: true, begin: Box::new(begin) });
    }

    /// Adds a method that writes its answer itself, as it may be more, or less, than `M::Answer`.
    pub(super) fn register_raw<M: Method>(&mut self, handler: impl RawHandler<M>) {
        self.insert_call(M::NAME, false, move |call: Call<'_>, params| {
            let bytes_max = call.answer_bytes_max;
            let answer = handler.call(call.api, params);
            async move { check_size(answer.await?, bytes_max) }.boxed()
        });
    }

    /// Adds a subscription, and the method that ends it.
    pub(super) fn register_subscription<S: Subscription>(
        &mut self,
        handler: impl SubscriptionHandler<S>,
    ) {
        self.insert_subscription::<S>(move |call: Call<'_>, params| {
            let bytes_max = call.answer_bytes_max;
            let items = handler.call(call.api, params);
            async move {
                let raw = items.await?.map(move |item| encode(&item?, bytes_max));
                Ok(raw.boxed())
            }
            .boxed()
        });
    }
}

impl<A: 'static> Module<A> {
    /// Adds what answers once.
    pub(super) fn insert_call<P: DeserializeOwned>(
        &mut self,
        name: &'static str,
        is_command: bool,
        answer: impl Fn(Call<'_, A>, P) -> Answered<Box<RawValue>> + Send + Sync + 'static,
    ) {
        let begin = move |call: Call<'_, A>| match params::decode(call.params) {
            Err(error) => std::future::ready(Err(error)).boxed(),
            Ok(params) => guarded(name, answer(call, params)),
        };
        self.insert(name, Entry::Call { is_command, begin: Box::new(begin) });
    }

    /// Adds what answers until it is told to stop.
    pub(super) fn insert_subscription<S: Subscription>(
        &mut self,
        items: impl Fn(Call<'_, A>, S::Params) -> Answered<RawItems> + Send + Sync + 'static,
    ) {
        let begin = move |call: Call<'_, A>| match params::decode(call.params) {
            Err(error) => std::future::ready(Err(error)).boxed(),
            Ok(params) => guarded(S::NAME, items(call, params)),
        };
        self.insert(S::NAME, Entry::Subscribe(Box::new(begin)));
        self.insert(S::UNSUBSCRIBE, Entry::Unsubscribe);
    }

    /// What is behind `name`, if there is something.
    pub(super) fn get(&self, name: &str) -> Option<(&'static str, &Entry<A>)> {
        self.entries.get_key_value(name).map(|(name, entry)| (*name, entry))
    }

    /// What is behind `name`.
    pub(super) fn find(&self, name: &str) -> Result<(&'static str, &Entry<A>), ApiError> {
        if let Some(found) = self.get(name) {
            return Ok(found);
        }
        let shown: String = name.chars().take(80).collect();
        let message = match nearest(&shown, self.entries.keys().copied()) {
            Some(meant) => format!("there is no method {shown:?}; did you mean {meant:?}?"),
            None => format!("there is no method {shown:?}; methods are named like task.get"),
        };
        Err(ApiError::new(Code::MethodNotFound, message))
    }

    /// All names.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.entries.keys().copied()
    }

    fn insert(&mut self, name: &'static str, entry: Entry<A>) {
        let before = self.entries.insert(name, entry);
        assert!(before.is_none(), "two methods are called {name}");
    }
}

/// A panic is a mistake of ours in one call, and the answer to that call only.
fn guarded<T>(
    method: &'static str,
    answer: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Answered<T> {
    let caught = AssertUnwindSafe(answer).catch_unwind();
    caught
        .map(move |result| {
            result.unwrap_or_else(|_| {
                tracing::error!(method, "the handler of a call panicked");
                Err(ApiError::new(
                    Code::Internal,
                    "the server made a mistake; its log says more under the trace_id",
                ))
            })
        })
        .boxed()
}

pub(super) fn encode(answer: &impl Serialize, bytes_max: usize) -> Result<Box<RawValue>, ApiError> {
    let raw = to_raw_value(answer).map_err(|error| ApiError::new(Code::Internal, error))?;
    check_size(raw, bytes_max)
}

fn check_size(raw: Box<RawValue>, bytes_max: usize) -> Result<Box<RawValue>, ApiError> {
    let bytes = raw.get().len();
    if bytes > bytes_max {
        let message = format!(
            "the answer has {bytes} bytes and may have {bytes_max}; ask for less, e.g. by limit"
        );
        return Err(ApiError::new(Code::Limit, message));
    }
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_error_of_one_call() {
        let answer = guarded::<()>("test", async { panic!("a mistake") }).await;
        assert_eq!(answer.map_err(|error| error.code), Err(Code::Internal));
    }

    #[test]
    fn an_answer_that_is_too_long_is_refused() {
        assert!(encode(&"12345", 7).is_ok());
        assert_eq!(encode(&"123456", 7).map_err(|error| error.code).err(), Some(Code::Limit));
    }
}
