//! `ktk`: the command line of Kantoku, and the only place where its parts are put together.

mod assignment;
pub mod audit;
pub mod cli;
mod commands;
mod current;
pub mod dev;
mod error;
mod failed;
mod history;
mod kind;
mod last;
mod manifest;
mod output;
mod progress;
mod render;
mod rows;
mod serve;
mod session;
mod step;
mod target;
mod waiting;
pub mod wfcommons;
