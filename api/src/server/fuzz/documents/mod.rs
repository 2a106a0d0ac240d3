//! Documents that look like requests of JSON-RPC and mostly are none: made by number, so that each
//! can be made again, and judged by what the specification says, not by what the server does.

mod corpus;
mod judge;
mod mutate;
mod random;
mod shrink;

pub(crate) use corpus::{Known, samples};
pub(crate) use judge::{Judge, Limits};
pub(crate) use mutate::Documents;
pub(crate) use shrink::{shown, shrunk};
