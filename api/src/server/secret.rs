//! `secret.*`

use std::sync::Arc;

use kantoku_domain::SecretName;
use kantoku_streams::{SecretError, SecretKeys, Secrets, now};

use super::{Api, Caller, Module};
use crate::{
    ApiError, Code,
    contract::{
        Secret, SecretDelete, SecretGet, SecretList, SecretListParams, SecretPage, SecretParams,
        SecretSet, SecretSetParams,
    },
};

pub(super) fn register(module: &mut Module) {
    module.register_private::<SecretSet>(&["name", "value"], set);
    module.register::<SecretGet>(get);
    module.register::<SecretList>(list);
    module.register_command::<SecretDelete>(delete);
}

async fn set(api: Arc<Api>, caller: Caller, params: SecretSetParams) -> Result<Secret, ApiError> {
    let keys = keys(&api)?;
    let SecretSetParams { name, value, if_revision, namespace } = params;
    let namespace = namespace.unwrap_or_default();
    if name.label().contains(value.expose()) {
        let message = "the value stands within the name, which everybody may see";
        return Err(ApiError::new(Code::Invalid, message).field("value"));
    }
    let secrets = api.bus.secrets();
    if secrets.get(&namespace, &name).await?.is_none()
        && secrets.list(&namespace).await?.len() >= Secrets::PER_NAMESPACE_MAX
    {
        let most = Secrets::PER_NAMESPACE_MAX;
        let message = format!("there are {most} secrets, which is the limit; delete some");
        return Err(ApiError::new(Code::Limit, message).for_good());
    }
    let actor = &caller.actor;
    let set = secrets.set(keys, &namespace, &name, &value, actor, now(), if_revision).await;
    set.map(Into::into).map_err(|error| match error {
        SecretError::Fault(fault) => fault.into(),
        SecretError::Overtaken(_) => {
            ApiError::new(Code::Conflict, error).field("if_revision").for_good()
        }
        _ => ApiError::new(Code::Invalid, error),
    })
}

async fn get(api: Arc<Api>, params: SecretParams) -> Result<Secret, ApiError> {
    keys(&api)?;
    let SecretParams { name, namespace } = params;
    let found = api.bus.secrets().get(&namespace.unwrap_or_default(), &name).await?;
    found.map(Into::into).ok_or_else(|| missing(&name))
}

async fn list(api: Arc<Api>, params: SecretListParams) -> Result<SecretPage, ApiError> {
    keys(&api)?;
    let infos = api.bus.secrets().list(&params.namespace.unwrap_or_default()).await?;
    Ok(SecretPage { items: infos.into_iter().map(Into::into).collect() })
}

async fn delete(api: Arc<Api>, _: Caller, params: SecretParams) -> Result<Secret, ApiError> {
    keys(&api)?;
    let SecretParams { name, namespace } = params;
    let namespace = namespace.unwrap_or_default();
    let secrets = api.bus.secrets();
    let found = secrets.get(&namespace, &name).await?.ok_or_else(|| missing(&name))?;
    secrets.delete(&namespace, &name).await?;
    Ok(found.into())
}

fn keys(api: &Api) -> Result<&SecretKeys, ApiError> {
    api.config.secret_keys.as_ref().ok_or_else(|| {
        let message = "this server has no key for secrets; start it with --secrets-key FILE";
        ApiError::new(Code::Unavailable, message).reason("no_secrets_key").for_good()
    })
}

fn missing(name: &SecretName) -> ApiError {
    let message = format!("there is no secret {name}; ktk get secrets shows them");
    ApiError::new(Code::NotFound, message).field("name")
}
