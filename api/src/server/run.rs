//! `pipeline.run`

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kantoku_domain::{
    BlobRef, Context, Datum, Event, Id, Kind, Name, Namespace, Pipeline, Problem, Recorded, Source,
    Specification, context, pipeline, plan, task::Planned,
};
use kantoku_projections::document::PipelineDocument;

use super::{
    Api, Caller, Module,
    command::{Ids, used_before},
    shared::blocking,
};
use crate::{
    ApiError,
    contract::{Method as _, PipelineRun, Run, RunParams},
};

pub(super) fn register(module: &mut Module) {
    module.register_command::<PipelineRun>(run);
}

async fn run(api: Arc<Api>, caller: Caller, params: RunParams) -> Result<Run, ApiError> {
    let namespace = params.namespace.clone().unwrap_or_default();
    let ids = Ids::of(&namespace, PipelineRun::NAME, params.idempotency_key.as_deref());
    let context_id = ids.make("context", ids.command.partition());
    if ids.is_keyed() {
        let history = api.bus.ledger().history(&namespace, Kind::Context, context_id, 0).await?;
        if let Some(first) = history.first() {
            let large = store_large(&api, &params).await?;
            return answer(first, &params, &large);
        }
    }
    let pipeline = load(&api, &namespace, &params.name).await?;
    let problems = plan::check_params(&pipeline.definition, &params.params);
    if !problems.is_empty() {
        return Err(ApiError::of_problems(&problems));
    }
    let large = store_large(&api, &params).await?;
    let used = pipeline.definition.tasks.values().map(|step| step.specification.clone());
    let used: BTreeSet<Name> = used.collect();
    let loaded = api.load_named::<Specification>(&namespace, used).await?;
    let latest = loaded
        .into_iter()
        .filter_map(|(name, loaded)| Some((name, loaded.state.versions.into_iter().next_back()?)));
    let specifications: plan::Specifications = latest.collect();
    let (whole, blobs) = (params.params.clone(), large.clone());
    let planned =
        blocking(move || plan::plan(&pipeline, &specifications, &whole, &blobs, context_id))
            .await?;
    let mut opened = planned.map_err(|problems| unfit(&params.name, &problems))?;
    opened.labels.clone_from(&params.labels);

    let envelope = api.envelope(&caller, ids.command, context_id, context_id);
    let command = context::Command::Open(Box::new(opened));
    let recorded = api.create::<Context>(&ids, &namespace, &command, &envelope).await?;
    answer(&recorded, &params, &large)
}

/// The latest version of a pipeline.
async fn load(
    api: &Api,
    namespace: &Namespace,
    name: &Name,
) -> Result<pipeline::Applied, ApiError> {
    let id = Id::named(namespace, Kind::Pipeline, name.as_str());
    let loaded = api.bus.ledger().load::<Pipeline>(namespace, id).await?;
    match loaded.state.latest {
        Some(latest) => Ok(latest),
        None => Err(api.no_such::<PipelineDocument>(namespace, "name", name).await),
    }
}

/// Stores the parameters that are too large for an event, which are checked already.
async fn store_large(api: &Api, params: &RunParams) -> Result<BTreeMap<String, BlobRef>, ApiError> {
    let mut large = BTreeMap::new();
    for (name, value) in &params.params {
        if let Datum::Blob(blob) = api.datum(value.clone()).await? {
            large.insert(name.clone(), blob);
        }
    }
    Ok(large)
}

/// The pipeline was sound when it was applied; specifications may have changed since.
fn unfit(name: &Name, problems: &[Problem]) -> ApiError {
    let mut error = ApiError::of_problems(problems);
    error.message = format!(
        "pipeline {name} does not fit its specifications as they are now; apply it anew: {}",
        error.message
    );
    error
}

/// The run that `recorded` is, if it is what `params` ask for: a key may have been used before.
fn answer(
    recorded: &Recorded,
    params: &RunParams,
    large: &BTreeMap<String, BlobRef>,
) -> Result<Run, ApiError> {
    match &recorded.event {
        Event::ContextOpened(opened) if is_asked_for(opened, params, large) => Ok(Run {
            context_id: recorded.id,
            version: opened.pipeline.version,
            tasks: opened.plan.len(),
            outputs: opened.outputs.clone(),
            stream_seq: recorded.stream_seq,
        }),
        _ => Err(used_before(recorded)),
    }
}

fn is_asked_for(
    opened: &context::Opened,
    params: &RunParams,
    large: &BTreeMap<String, BlobRef>,
) -> bool {
    let small = params.params.iter().filter(|(name, _)| !large.contains_key(*name));
    // A large parameter stands in the plan only, where it is used.
    let is_ours = |blob: &BlobRef| large.values().any(|ours| ours == blob);
    opened.pipeline.name == params.name
        && opened.labels == params.labels
        && small.eq(&opened.params)
        && opened.plan.iter().flat_map(blobs).all(is_ours)
}

fn blobs(planned: &Planned) -> impl Iterator<Item = &BlobRef> {
    planned.task.inputs.values().filter_map(|binding| match &binding.source {
        Source::Blob(blob) => Some(blob),
        Source::Value(_) | Source::Resource(_) | Source::Secret(_) => None,
    })
}
