//! `ktk`: the command line of Kantoku, and the only place where its parts are put together.

pub mod cli;
mod commands;
pub mod dev;
mod error;
mod output;
mod render;
mod serve;
mod session;
pub mod wfcommons;
