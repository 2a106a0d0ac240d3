//! Who may do what. [`RULES`] says of each method which role it takes and where that has to hold; a
//! call is judged by it before anything is looked up, whichever way it came, so that a refusal tells
//! nothing about what there is.

mod keyring;
mod rules;
mod scope;
mod secret;

use std::{net::SocketAddr, sync::Arc};

use axum::http::{HeaderMap, header};
use kantoku_domain::{Id, Namespace};
use kantoku_streams::{Audit, AuditEntry, now, warn_missing};
use serde_json::value::RawValue;

pub(super) use keyring::{Held, Keyring};
use rules::{Needs, RULES};
use scope::Scope;
pub(super) use secret::Secret;

use super::{Caller, metric, params, upgrade::words};
use crate::{
    ApiError, Code,
    contract::{Method as _, SecretSet},
};

/// Before a key that is sent as a subprotocol of a WebSocket: browsers set no other header there.
const KEY_PROTOCOL: &str = "kantoku.key.";

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(super) SocketAddr);

/// Whether keys are asked for.
pub(super) enum Access {
    /// No: whoever comes may do everything.
    Open,
    /// Yes, and it is written down who did what.
    Keys {
        /// The keys.
        ring: Arc<Keyring>,
        /// The book.
        audit: Box<Audit>,
    },
}

/// What was asked for, for the audit.
pub(super) struct Asked<'a> {
    pub(super) caller: &'a Caller,
    pub(super) method: &'static str,
    pub(super) params: Option<&'a RawValue>,
    pub(super) trace_id: &'a str,
}

impl Access {
    /// Who sends a request with these headers.
    pub(super) fn identify(
        &self,
        headers: &HeaderMap,
        from: Option<ClientAddress>,
    ) -> Result<Caller, ApiError> {
        let from = from.map(|ClientAddress(address)| address);
        let Self::Keys { ring, .. } = self else { return Ok(Caller { from, ..Caller::default() }) };
        let secret = match headers.get(header::AUTHORIZATION) {
            Some(value) => value.to_str().ok().and_then(bearer),
            None => Some(subprotocol(headers).ok_or_else(|| {
                unauthenticated(
                    "send the key: Authorization: Bearer <key>; ktk takes it from KTK_API_KEY",
                )
            })?),
        };
        let secret = secret.and_then(Secret::parse).ok_or_else(|| {
            unauthenticated("this is no key; one looks like ktk_0123…_89ab…, after the word Bearer")
        })?;
        let held = ring.find(&secret)?;
        Ok(Caller {
            actor: held.entry.name.as_str().into(),
            key: Some(held),
            from,
            operation: None,
        })
    }

    /// Whether a caller may make this call now. It is counted.
    pub(super) fn check(
        &self,
        caller: &Caller,
        method: Option<&'static str>,
        params: Option<&RawValue>,
    ) -> Result<(), ApiError> {
        let Self::Keys { ring, .. } = self else { return Ok(()) };
        let held = caller.key.as_ref().ok_or_else(|| unauthenticated("send a key"))?;
        ring.check(held)?;
        // What there is no method for has nothing to be kept from anybody.
        let Some(method) = method else { return Ok(()) };
        let rule = RULES.iter().find(|rule| rule.method == method).ok_or_else(|| {
            ApiError::new(
                Code::Forbidden,
                "nobody may call this: it has no rule; this is a mistake",
            )
        })?;
        let entry = &held.entry;
        if entry.role < rule.role {
            let message = format!(
                "{method} takes the role {}, and this key is of a {}; ask an admin for another",
                rule.role, entry.role
            );
            return Err(ApiError::new(Code::Forbidden, message).reason("role"));
        }
        match rule.needs {
            Needs::Nothing => Ok(()),
            Needs::Everything => Scope::everything().check(entry),
            Needs::Namespace => scope(method, params)?.check(entry),
        }
    }

    /// Writes down that an operation has ended, and how.
    pub(super) async fn note_end(&self, id: Id, actor: &str, namespace: &Namespace, how: &str) {
        let Self::Keys { audit, .. } = self else { return };
        let entry = AuditEntry {
            at: now(),
            actor: actor.to_owned(),
            key_id: None,
            role: None,
            method: "operation.start".to_owned(),
            namespace: Some(namespace.clone()),
            from: None,
            outcome: format!("ended: {how}"),
            code: None,
            trace_id: id.to_string(),
        };
        keep(audit, &entry).await;
    }

    /// Writes down what came of a command, or that it was refused for want of a right. What cannot be
    /// written down is told to the log: the outcome stands.
    pub(super) async fn note(&self, asked: Asked<'_>, is_command: bool, error: Option<&ApiError>) {
        let Self::Keys { audit, .. } = self else { return };
        let is_refused = error.is_some_and(|error| error.code == Code::Forbidden);
        if !is_command && !is_refused {
            return;
        }
        let Asked { caller, method, params, trace_id } = asked;
        let entry = AuditEntry {
            at: now(),
            actor: caller.actor.to_string(),
            key_id: caller.key.as_ref().map(|held| held.entry.id.clone()),
            role: caller.key.as_ref().map(|held| held.entry.role),
            method: method.to_owned(),
            namespace: namespace(method, params),
            from: caller.from.map(|from| from.to_string()),
            outcome: error.map_or("ok", |error| &error.data.reason).to_owned(),
            code: error.map(|error| error.code.number()),
            trace_id: trace_id.to_owned(),
        };
        keep(audit, &entry).await;
    }
}

async fn keep(audit: &Audit, entry: &AuditEntry) {
    if let Err(fault) = audit.append(entry).await {
        metric::unaudited();
        warn_missing("nats", "write down who asked for what", &fault);
    }
}

/// Where a call is about. What is wrong with a call that sets a secret is said without quoting it.
fn scope(method: &str, params: Option<&RawValue>) -> Result<Scope, ApiError> {
    let is_private = method == SecretSet::NAME;
    Scope::of(params)
        .map_err(|error| if is_private { params::unquoted(&error, &[]) } else { error })
}

/// Whose a call is about, of a method that is about one.
fn namespace(method: &str, params: Option<&RawValue>) -> Option<Namespace> {
    let rule = RULES.iter().find(|rule| rule.method == method)?;
    let is_of_one = matches!(rule.needs, Needs::Namespace);
    Scope::of(params).ok().filter(|_| is_of_one)?.named()
}

fn unauthenticated(message: &str) -> ApiError {
    ApiError::new(Code::Unauthenticated, message)
}

/// RFC 6750, 2.1: the scheme in any case, then the token.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The key among the subprotocols that a browser names.
fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    words(headers, &header::SEC_WEBSOCKET_PROTOCOL).find_map(|word| word.strip_prefix(KEY_PROTOCOL))
}
