//! `key.*`, `audit.*`

use std::sync::Arc;

use kantoku_domain::{
    Namespace, Timestamp,
    access::{Reach, Role},
};
use kantoku_streams::{Audit, Bus, Fault, KeyEntry, Keys, now};

use super::{Api, Caller, Module, access::Secret};
use crate::{
    ApiError, Code,
    contract::{
        AuditList, AuditPage, AuditParams, KeyCreate, KeyCreateParams, KeyCreated, KeyList,
        KeyPage, KeyRevoke, KeyRevokeParams, KeyRevoked, NoParams,
    },
};

/// How long a name may be, and in how many namespaces a key may hold.
const NAME_CHARS_MAX: usize = 100;
const NAMESPACES_MAX: usize = 1_000;
/// How many calls a second a key may make, unless it says otherwise, and at most.
const CALLS_PER_SECOND: u32 = 1_000;
const CALLS_PER_SECOND_MAX: u32 = 1_000_000;
const AUDIT_PAGE: u32 = 100;

pub(super) fn register(module: &mut Module) {
    module.register_command::<KeyCreate>(create);
    module.register::<KeyList>(list);
    module.register_command::<KeyRevoke>(revoke);
    module.register::<AuditList>(audit);
}

async fn create(
    api: Arc<Api>,
    caller: Caller,
    params: KeyCreateParams,
) -> Result<KeyCreated, ApiError> {
    let invalid =
        |field: &str, message: String| Err(ApiError::new(Code::Invalid, message).field(field));
    let KeyCreateParams { name, role, namespaces, expires_in, calls_per_second } = params;
    let is_fit = |name: &str| !name.trim().is_empty() && !name.chars().any(char::is_control);
    if !is_fit(&name) || name.chars().count() > NAME_CHARS_MAX {
        return invalid("name", format!("name the key, in 1 to {NAME_CHARS_MAX} characters"));
    }
    let count = namespaces.as_ref().map_or(1, Vec::len);
    if count == 0 || count > NAMESPACES_MAX {
        let message = format!("name 1 to {NAMESPACES_MAX} namespaces, or leave it out for all");
        return invalid("namespaces", message);
    }
    let calls = calls_per_second.unwrap_or(CALLS_PER_SECOND);
    if calls == 0 || calls > CALLS_PER_SECOND_MAX {
        return invalid("calls_per_second", format!("use 1 to {CALLS_PER_SECOND_MAX}"));
    }
    let at = now();
    let expires_at = expires_in.map(|after| at.plus(after.duration()));
    let keys = api.bus.keys().await?;
    if keys.list().await?.len() >= Keys::MAX {
        let message = format!("there are {} keys, which is the limit; revoke some", Keys::MAX);
        return Err(ApiError::new(Code::Limit, message).for_good());
    }
    let secret = Secret::draw();
    let made = Made { name, role, namespaces, calls, expires_at, by: caller.actor.to_string() };
    let entry = made.entry(&secret, at);
    keys.create(&entry).await?;
    Ok(KeyCreated { key: entry.into(), secret: secret.into_text() })
}

/// What is said of a key that is made.
struct Made {
    name: String,
    role: Role,
    namespaces: Option<Vec<Namespace>>,
    calls: u32,
    expires_at: Option<Timestamp>,
    by: String,
}

impl Made {
    fn entry(self, secret: &Secret, at: Timestamp) -> KeyEntry {
        KeyEntry {
            id: secret.id.clone(),
            name: self.name,
            digest: secret.digest(),
            role: self.role,
            reach: self.namespaces.map_or(Reach::All, Reach::Namespaces),
            calls_per_second: self.calls,
            expires_at: self.expires_at,
            created_at: at,
            created_by: self.by,
        }
    }
}

/// Where there is no key, makes one for an admin of everything, and returns its secret. Of several
/// who do so at once, one does.
pub async fn first_key(bus: &Bus) -> Result<Option<String>, Fault> {
    let keys = bus.keys().await?;
    if !keys.list().await?.is_empty() {
        return Ok(None);
    }
    let made = Made {
        name: "first".into(),
        role: Role::Admin,
        namespaces: None,
        calls: CALLS_PER_SECOND,
        expires_at: None,
        by: "ktk serve".into(),
    };
    let secret = Secret::draw_first();
    match keys.create(&made.entry(&secret, now())).await {
        Ok(()) => Ok(Some(secret.into_text())),
        // Somebody else was faster.
        Err(_) if !keys.list().await?.is_empty() => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn list(api: Arc<Api>, _: NoParams) -> Result<KeyPage, ApiError> {
    let entries = api.bus.keys().await?.list().await?;
    Ok(KeyPage { items: entries.into_iter().map(Into::into).collect() })
}

async fn revoke(api: Arc<Api>, _: Caller, params: KeyRevokeParams) -> Result<KeyRevoked, ApiError> {
    let keys = api.bus.keys().await?;
    let entry = keys.list().await?.into_iter().find(|entry| entry.id == params.id);
    let entry = entry.ok_or_else(|| {
        let message = format!("there is no key {:?}; ktk key list shows them", params.id);
        ApiError::new(Code::NotFound, message).field("id")
    })?;
    keys.delete(&entry.id).await?;
    Ok(KeyRevoked { key: entry.into() })
}

async fn audit(api: Arc<Api>, params: AuditParams) -> Result<AuditPage, ApiError> {
    let limit = params.limit.unwrap_or(AUDIT_PAGE);
    if limit == 0 || limit as usize > Audit::PAGE {
        let message = format!("use 1 to {}", Audit::PAGE);
        return Err(ApiError::new(Code::Invalid, message).field("limit"));
    }
    let items = api.bus.audit().page(params.after, limit as usize).await?;
    Ok(AuditPage { items })
}
