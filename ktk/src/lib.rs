//! `ktk`: the command line of Kantoku, and the only place where its parts are put together.

pub mod cli;
pub mod dev;
mod serve;
