//! An operation over many records: what it is, how far it is, and what it was refused.

use kantoku_api::contract::{Operation, OperationGet};

use super::{Page, show};
use crate::{
    commands::{bulk, operation},
    error::CommandError,
    output::View,
    session::Session,
};

pub(super) async fn describe(name: &str, session: &Session) -> Result<(), CommandError> {
    let operation = session.call::<OperationGet>(&operation::params(name, session)?).await?;
    show(session, &operation, || page(&operation, &View::of(session)))
}

fn page(operation: &Operation, view: &View) -> Page {
    let mut page = Page::new(&format!("operation/{}", operation.id), view);
    page.field("kind", operation.kind.clone());
    page.field("status", view.status(&bulk::status(operation)));
    page.field("done", format!("{} of {}", operation.done, operation.total));
    page.field("error", operation.error.clone().unwrap_or_default());
    let Some(of) = &operation.bulk else {
        page.time("started", Some(operation.started_at));
        page.time("finished", operation.finished_at);
        return page;
    };
    page.field("came to", bulk::came(of, "changed"));
    page.field("namespace", of.namespace.to_string());
    page.field("where", bulk::asked(of));
    page.field("action", serde_json::to_string(&of.action).unwrap_or_default());
    page.field("started by", of.by.clone());
    page.field("cancelled by", of.cancelled_by.clone().unwrap_or_default());
    page.time("started", Some(operation.started_at));
    page.time("finished", operation.finished_at);
    page.field("as of", operation.as_of_seq.unwrap_or_default().to_string());
    if !of.refusals.is_empty() {
        page.section("Refused");
        for refusal in &of.refusals {
            let kind = of.kind.name();
            let cells = [format!("{kind}/{}", refusal.id), view.long_text(&refusal.message)];
            page.row(cells);
        }
    }
    page
}
