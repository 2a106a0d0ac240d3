//! `seal.*`

use std::sync::Arc;

use kantoku_streams::{AppendError, Begun, Seal, StoredSeal, now};

use super::{Api, Caller, Module};
use crate::{
    ApiError, Code,
    contract::{SealList, SealRestart, SealRestartParams, Seals, SealsParams},
};

pub(super) fn register(module: &mut Module) {
    module.register::<SealList>(list);
    module.register_command::<SealRestart>(restart);
}

async fn list(api: Arc<Api>, params: SealsParams) -> Result<Seals, ApiError> {
    let seals = api.bus.seals();
    let latest = seals.latest().await?;
    let items = match &latest {
        Some(latest) if latest.position > params.after => seals.page(params.after).await?,
        _ => Vec::new(),
    };
    Ok(Seals { items, latest })
}

async fn restart(
    api: Arc<Api>,
    caller: Caller,
    params: SealRestartParams,
) -> Result<StoredSeal, ApiError> {
    if params.reason.trim().is_empty() {
        let message = "say why, for whoever reads the seals later";
        return Err(ApiError::new(Code::Invalid, message).field("reason"));
    }
    let seals = api.bus.seals();
    let after = seals.latest().await?.map_or(0, |latest| latest.position);
    let begun = Begun { by: caller.actor.to_string(), reason: params.reason };
    let seal = Seal { begun: Some(begun), ..Seal::first(api.bus.created().await?, now()) };
    match seals.append(&seal, after).await {
        Ok(position) => Ok(StoredSeal { position, seal }),
        Err(AppendError::Conflict { .. }) => {
            let message = "the events were sealed meanwhile: the sealer works, so look again";
            Err(ApiError::new(Code::Conflict, message))
        }
        Err(error) => Err(error.into()),
    }
}
