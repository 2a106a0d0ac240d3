//! `manifest.*`
//!
//! Documents are read ([`documents`]), what they refer to is loaded ([`known`]), all of it is
//! checked together ([`check`]), and only then something happens ([`apply`]).

mod apply;
mod check;
mod delete;
mod diff;
mod documents;
mod known;
mod scripts;
mod types;

use std::sync::Arc;

use kantoku_domain::{Namespace, manifest::DOCUMENTS_MAX, nearest};
use kantoku_projections::document::{SpecificationDocument, TypeDocument};
use serde_json::Value;

use self::{
    apply::Apply,
    check::{Checked, Unknown},
    documents::Documents,
    known::Known,
};
use super::{Api, Caller, Module, shared::blocking};
use crate::{
    ApiError, Code,
    contract::{
        Applied, DELETIONS_MAX, Deletions, Differences, DocumentProblem, ManifestApply,
        ManifestDelete, ManifestDeleteParams, ManifestDiff, ManifestDiffParams, ManifestParams,
        ManifestValidate, Validated,
    },
};

pub(super) fn register(module: &mut Module) {
    module.register_command::<ManifestApply>(apply);
    module.register::<ManifestValidate>(validate);
    module.register::<ManifestDiff>(diff);
    module.register_command::<ManifestDelete>(delete);
}

async fn apply(api: Arc<Api>, caller: Caller, params: ManifestParams) -> Result<Applied, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let (checked, known) = examine(&api, &namespace, params.documents).await?;
    if !checked.problems.is_empty() {
        return Err(unsound("applied", checked.problems));
    }
    let (caller, known) = (&caller, &*known);
    let dry_run = params.dry_run;
    let apply = Apply { api: &api, caller, namespace: &namespace, known, dry_run };
    apply.run(&checked.sound).await
}

async fn validate(api: Arc<Api>, params: ManifestParams) -> Result<Validated, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let (checked, _) = examine(&api, &namespace, params.documents).await?;
    Ok(Validated { problems: checked.problems })
}

/// Compares with what holds; changes nothing, whoever asks.
async fn diff(api: Arc<Api>, params: ManifestDiffParams) -> Result<Differences, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let (checked, known) = examine(&api, &namespace, params.documents).await?;
    if !checked.problems.is_empty() {
        return Err(unsound("compared", checked.problems));
    }
    let (caller, known) = (&Caller::default(), &*known);
    let apply = Apply { api: &api, caller, namespace: &namespace, known, dry_run: true };
    diff::diff(&apply, &checked.sound).await
}

async fn delete(
    api: Arc<Api>,
    caller: Caller,
    params: ManifestDeleteParams,
) -> Result<Deletions, ApiError> {
    let count = params.documents.len() + params.names.len();
    if count > DELETIONS_MAX {
        let message = format!("{count} to be deleted are more than {DELETIONS_MAX}");
        return Err(ApiError::new(Code::Limit, message).field("documents").for_good());
    }
    delete::delete(&api, &caller, params).await
}

/// Reads, looks up, and checks everything; changes nothing.
async fn examine(
    api: &Arc<Api>,
    namespace: &Namespace,
    documents: Vec<Value>,
) -> Result<(Checked, Arc<Known>), ApiError> {
    if documents.len() > DOCUMENTS_MAX {
        let message = format!("{} documents are more than {DOCUMENTS_MAX}", documents.len());
        return Err(ApiError::new(Code::Limit, message).field("documents").for_good());
    }
    let documents = blocking(move || Documents::read(&documents)).await?;
    let known = Arc::new(Known::load(api, namespace, &documents).await?);
    let loaded = Arc::clone(&known);
    let mut checked = blocking(move || check::check(documents, &loaded)).await??;
    suggest(api, namespace, &mut checked).await;
    Ok((checked, known))
}

/// Names that do not exist were compared with those in the documents; here with all others.
async fn suggest(api: &Api, namespace: &Namespace, checked: &mut Checked) {
    if checked.unknown.is_empty() {
        return;
    }
    let specifications = api.names::<SpecificationDocument>(namespace).await;
    let types = api.names::<TypeDocument>(namespace).await;
    for (index, unknown) in &checked.unknown {
        let problem = &mut checked.problems[*index].problem;
        let (wrong, known) = match unknown {
            Unknown::Specification(name) => (name, &specifications),
            Unknown::Type(name) => (name, &types),
        };
        if problem.suggestion.is_none() {
            let meant = nearest(wrong, known.iter().map(String::as_str));
            problem.suggestion = meant.map(|name| format!("did you mean {name:?}?"));
        }
    }
}

/// Why nothing was `done`.
fn unsound(done: &str, problems: Vec<DocumentProblem>) -> ApiError {
    let told = match problems.as_slice() {
        [only] => format!("document {}: {}", only.document, only.problem),
        several => format!(
            "{} problems; the first, in document {}: {}",
            several.len(),
            several[0].document,
            several[0].problem
        ),
    };
    let mut error = ApiError::new(Code::Invalid, format!("nothing was {done}: {told}"));
    error.data.field = Some(format!("documents[{}]", problems[0].document));
    error.data.problems = problems;
    error
}
