//! `ktk version`

use kantoku_api::contract::{NoParams, SystemInfo};
use serde_json::json;

use crate::{
    error::CommandError,
    output::{print_document, print_line},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk version
  ktk version --client
  ktk version -o json";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask the server
    #[arg(long)]
    client: bool,
}

pub(crate) async fn run(args: &Args, session: &Session) -> Result<(), CommandError> {
    let client = env!("CARGO_PKG_VERSION");
    let server =
        if args.client { None } else { Some(session.call::<SystemInfo>(&NoParams {}).await?) };
    if !session.output().is_table() {
        return print_document(
            session.output(),
            &json!({ "client": { "version": client }, "server": server }),
        );
    }
    print_line(&format!("client  {client}"))?;
    if let Some(server) = server {
        print_line(&format!("server  {} at {}", server.version, session.url()))?;
        print_line(&format!("nats    {}", server.nats_version))?;
        print_line(&format!(
            "stream  created {}, position {}, read model at {}",
            server.stream_created, server.head_seq, server.projected_seq
        ))?;
    }
    Ok(())
}
