//! `rpc.discover`

use serde_json::Value;

use super::{NoParams, methods};

methods! {
    /// What this API is: the `OpenRPC` document of all its methods.
    Discover = "rpc.discover": NoParams => Value;
}
