//! A resource, with its value in whole.

use kantoku_api::contract::{ResourceGet, ResourceLoad};
use serde_json::json;

use super::{Page, events};
use crate::{
    error::CommandError,
    output::{Format, View, print_document, print_line, print_text},
    rows::resource_status,
    session::Session,
};

/// How much of a value people are shown, in characters.
const SHOWN_MAX: usize = 4_000;

pub(super) async fn describe(id: String, session: &Session) -> Result<(), CommandError> {
    let resource = session.call::<ResourceGet>(&session.get(id)).await?;
    if matches!(session.output(), Format::Name) {
        return print_line(&format!("resource/{}", resource.id));
    }
    let value = if resource.has_value() {
        Some(session.call::<ResourceLoad>(&session.get(resource.id.to_string())).await?.value)
    } else {
        None
    };
    let events = events(resource.id, session).await?;
    if !session.output().is_table() {
        return print_document(
            session.output(),
            &json!({ "resource": resource, "value": value, "events": events.0 }),
        );
    }
    let view = View::of(session);
    let mut page = Page::new(&format!("resource/{}", resource.id), &view);
    let id = |id: Option<kantoku_domain::Id>| id.map(|id| id.to_string()).unwrap_or_default();
    page.field("status", view.status(resource_status(resource.status)));
    page.field("type", resource.type_.to_string());
    page.field("namespace", resource.namespace.to_string());
    page.field("custodian", id(resource.custodian));
    page.field("output", resource.output.clone().unwrap_or_default());
    page.field("context", id(resource.context_id));
    page.field("digest", resource.digest.clone().unwrap_or_default());
    page.field("size", resource.size.map(|size| format!("{size} bytes")).unwrap_or_default());
    page.time("created", Some(resource.created_at));
    page.time("updated", Some(resource.updated_at));
    page.field("position", resource.stream_seq.to_string());
    if let Some(value) = &value {
        page.section("Value");
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        page.foreign(&text.chars().take(SHOWN_MAX).collect::<String>());
        if text.chars().count() > SHOWN_MAX {
            page.line(&format!("… the rest: ktk describe resource/{} -o json", resource.id));
        }
    }
    page.events(&events);
    print_text(&page.into_text())
}
