//! Specifications, types, pipelines, policies and secrets.

use std::collections::BTreeMap;

use kantoku_api::contract::Secret;
use kantoku_domain::{Timestamp, TriggerRule, Type};
use kantoku_projections::document::{
    PipelineDocument, PolicyDocument, SpecificationDocument, TypeDocument,
};

use super::Page;
use crate::{
    output::{Row, View},
    rows::{allowed, counted},
};

pub(super) fn specification(document: &SpecificationDocument, view: &View) -> Page {
    let mut page =
        head(document, &document.description, document.version, document.created_at, view);
    page.paused(document.paused.as_ref());
    page.field("source", document.source.clone().unwrap_or_default());
    page.field("queue", document.queue.clone());
    page.field("attempts", document.retry.attempts.to_string());
    page.field("digest", document.digest.clone());
    types(&mut page, "Inputs", &document.inputs);
    types(&mut page, "Outputs", &document.outputs);
    page.section("Executable");
    page.yaml(&document.executable);
    page
}

pub(super) fn named_type(document: &TypeDocument, view: &View) -> Page {
    let mut page =
        head(document, &document.description, document.version, document.created_at, view);
    page.field("digest", document.digest.clone());
    page.section("Type");
    page.yaml(&document.type_);
    page
}

pub(super) fn pipeline(document: &PipelineDocument, view: &View) -> Page {
    let mut page =
        head(document, &document.description, document.version, document.created_at, view);
    page.field("digest", document.digest.clone());
    types(&mut page, "Parameters", &document.params);
    page.section(&format!("Tasks: {}", document.tasks.len()));
    for (name, step) in &document.tasks {
        let after = match step.after.as_slice() {
            [] => String::new(),
            after => format!("after {}", after.join(", ")),
        };
        let when = match step.when {
            TriggerRule::AllOk => String::new(),
            when => format!("when {}", when.name()),
        };
        page.row([name.clone(), step.specification.to_string(), after, when]);
        for (input, value) in &step.with {
            let written = value.as_str().map_or_else(|| view.value(value), |text| view.text(text));
            page.row([String::new(), format!("  {input}"), written]);
        }
    }
    if !document.outputs.is_empty() {
        page.section("Outputs");
        for (name, from) in &document.outputs {
            page.row([name.clone(), from.clone()]);
        }
    }
    page
}

pub(super) fn policy(document: &PolicyDocument, view: &View) -> Page {
    let mut page =
        head(document, &document.description, document.version, document.created_at, view);
    page.field("digest", document.digest.clone());
    let ageing = document.ageing;
    page.field(
        "ageing",
        ageing.map(|it| format!("one of priority every {}", it.every)).unwrap_or_default(),
    );
    let fair = |fair: bool| if fair { "yes" } else { "no" };
    page.field("fair share", document.fair_share.map(fair).unwrap_or_default());
    if !document.limits.is_empty() {
        page.section("Limits");
        for (name, limit) in &document.limits {
            page.row([name.clone(), counted(limit), allowed(limit)]);
        }
    }
    page
}

pub(super) fn secret(secret: &Secret, view: &View) -> Page {
    let mut page = Page::new(&format!("{}/{}", Secret::kind(), secret.name), view);
    page.field("namespace", secret.namespace.as_str());
    page.field("revision", secret.revision.to_string());
    page.time("set", Some(secret.set_at));
    page.field("by", view.text(&secret.set_by));
    page.field("sealed under", secret.key_id.clone());
    page.field("value", "never shown: only tasks that name it are given it");
    page
}

fn head<T: Row>(
    document: &T,
    description: &str,
    version: u64,
    created_at: Timestamp,
    view: &View,
) -> Page {
    let mut page = Page::new(&format!("{}/{}", T::kind(), document.name()), view);
    page.field("description", view.text(description));
    page.field("version", version.to_string());
    page.field("namespace", document.namespace().unwrap_or_default());
    page.time("applied", Some(created_at));
    page
}

fn types(page: &mut Page, title: &str, types: &BTreeMap<String, Type>) {
    if types.is_empty() {
        return;
    }
    page.section(title);
    for (name, type_) in types {
        page.row([name.clone(), type_.to_string()]);
    }
}
