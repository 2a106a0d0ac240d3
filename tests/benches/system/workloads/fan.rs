//! W3: 1 → 1,000 → 1.

use super::row;
use crate::{
    manifests::{FAN, FAN_WIDTH},
    measured::Measured,
    stand::Up,
};

pub(super) async fn run(up: &Up) -> Measured {
    let note = "1 → 1,000 → 1; seconds are those of the client, until the read model shows the end";
    row::started(up, FAN, FAN_WIDTH + 2, note).await.1
}
