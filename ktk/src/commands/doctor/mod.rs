//! `ktk doctor`

mod checks;
mod edge;
mod report;
mod tasks;

use kantoku_api::contract::{NoParams, ServiceList, SystemInfo};

use self::report::Report;
use crate::{error::CommandError, session::Session};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk doctor            what is wrong, and what to do about it; exit 7 if anything is
  ktk doctor -o json";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Nothing can be said while the API is out of reach, and the error that says so is advice enough.
pub(crate) async fn run(_args: Args, session: &Session) -> Result<(), CommandError> {
    let mut report = Report::default();
    let info = session.call::<SystemInfo>(&NoParams {}).await?;
    checks::versions(&info, session.url(), &mut report);
    edge::check(session, &mut report).await;
    checks::read_model(&info, session, &mut report).await?;
    let services = session.call::<ServiceList>(&NoParams {}).await?;
    checks::services(&services, &mut report);
    tasks::check(&services, session, &mut report).await?;
    report.print(session)
}
