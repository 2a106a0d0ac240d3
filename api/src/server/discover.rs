//! `rpc.discover`

use std::sync::{Arc, LazyLock};

use serde_json::value::RawValue;

use super::{Api, Module};
use crate::{
    ApiError,
    contract::{Discover, NoParams},
    schema::OPENRPC,
};

static DOCUMENT: LazyLock<Box<RawValue>> =
    LazyLock::new(|| serde_json::from_str(&OPENRPC).expect("the document is JSON"));

pub(super) fn register(module: &mut Module) {
    module.register_raw::<Discover>(discover);
}

async fn discover(_: Arc<Api>, _: NoParams) -> Result<Box<RawValue>, ApiError> {
    Ok(DOCUMENT.clone())
}
