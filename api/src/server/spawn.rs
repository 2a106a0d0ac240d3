//! `task.spawn`, `task.spawn_batch`

use std::{collections::BTreeMap, sync::Arc};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use kantoku_domain::{
    Event, Id, Kind, Name, Namespace, Problem, Recorded, Source, Specification, Task, plan,
    specification::Applied,
    task::{Command, Spawned as Born},
};
use kantoku_projections::document::SpecificationDocument;
use tokio::sync::{Mutex, OnceCell};

use super::{
    Api, Caller, Module,
    command::{Ids, used_before},
};
use crate::{
    ApiError, Code,
    contract::{
        Input, Method as _, SPAWN_BATCH_MAX, SpawnBatchParams, SpawnParams, SpawnResult, Spawned,
        SpawnedBatch, TaskSpawn, TaskSpawnBatch,
    },
};

/// Tasks of one batch that are spawned at once.
const AT_ONCE: usize = 256;

pub(super) fn register(module: &mut Module) {
    module.register_command::<TaskSpawn>(spawn);
    module.register_command::<TaskSpawnBatch>(spawn_batch);
}

async fn spawn(api: Arc<Api>, caller: Caller, params: SpawnParams) -> Result<Spawned, ApiError> {
    let namespace = params.namespace.clone().unwrap_or_default();
    spawn_one(&api, &caller, &Specifications::default(), &namespace, params).await
}

/// Each on its own: what is wrong with one is said in its place.
async fn spawn_batch(
    api: Arc<Api>,
    caller: Caller,
    params: SpawnBatchParams,
) -> Result<SpawnedBatch, ApiError> {
    if params.tasks.len() > SPAWN_BATCH_MAX {
        let message = format!(
            "{} tasks are more than {SPAWN_BATCH_MAX}; send them in several calls",
            params.tasks.len()
        );
        return Err(ApiError::new(Code::Limit, message).field("tasks").for_good());
    }
    let of_batch = params.namespace.unwrap_or_default();
    let specifications = Specifications::default();
    let spawns: Vec<BoxFuture<'_, _>> = params
        .tasks
        .into_iter()
        .map(|task| {
            let namespace = task.namespace.clone().unwrap_or_else(|| of_batch.clone());
            let (api, caller, specifications) = (&*api, &caller, &specifications);
            async move { spawn_one(api, caller, specifications, &namespace, task).await }.boxed()
        })
        .collect();
    let results: Vec<Result<Spawned, ApiError>> =
        stream::iter(spawns).buffered(AT_ONCE).collect().await;
    let seqs = results.iter().flatten().map(|spawned| spawned.stream_seq);
    let stream_seq = seqs.max().unwrap_or_default();
    let results = results.into_iter().map(|result| match result {
        Ok(spawned) => SpawnResult::Result(spawned),
        Err(ApiError { code, message, data }) => {
            SpawnResult::Error { code: code.number(), message, data }
        }
    });
    Ok(SpawnedBatch { results: results.collect(), stream_seq })
}

/// The specifications that one call uses, each looked up once.
#[derive(Default)]
struct Specifications(Mutex<BTreeMap<(Namespace, Name), Shared>>);

/// A specification that one looks up and all wait for.
type Shared = Arc<OnceCell<Arc<Found>>>;

/// What was found.
struct Found {
    specification: Specification,
    /// Why nobody can spawn it, where it has no version: names like it are looked for once.
    missing: OnceCell<ApiError>,
}

impl Specifications {
    async fn get(
        &self,
        api: &Api,
        namespace: &Namespace,
        name: &Name,
    ) -> Result<Arc<Found>, ApiError> {
        let key = (namespace.clone(), name.clone());
        let cell = Arc::clone(self.0.lock().await.entry(key).or_default());
        let found = cell.get_or_try_init(async || {
            let id = Id::named(namespace, Kind::Specification, name.as_str());
            let loaded = Box::pin(api.bus.ledger().load::<Specification>(namespace, id)).await?;
            let missing = OnceCell::new();
            Ok::<_, ApiError>(Arc::new(Found { specification: loaded.state, missing }))
        });
        Ok(Arc::clone(found.await?))
    }
}

async fn spawn_one(
    api: &Api,
    caller: &Caller,
    specifications: &Specifications,
    namespace: &Namespace,
    params: SpawnParams,
) -> Result<Spawned, ApiError> {
    let key = params.idempotency_key.as_deref();
    // The partition of a task is its context's, so a key cannot be found across contexts.
    let ids = match params.context_id {
        None => Ids::of(namespace, TaskSpawn::NAME, key),
        Some(context) => Ids::of(namespace, &format!("{}:{context}", TaskSpawn::NAME), key),
    };
    let partition = params.context_id.map_or(ids.command.partition(), Id::partition);
    let context_id = params.context_id.unwrap_or_else(|| ids.make("context", partition));
    let id = ids.make("task", partition);
    let name = &params.specification;
    let found = specifications.get(api, namespace, name).await?;
    let specification = &found.specification;
    let request = Request { api, specification, id, context_id, params: &params };

    if ids.is_keyed() {
        let history = Box::pin(api.bus.ledger().history(namespace, Kind::Task, id, 0)).await?;
        if let Some(first) = history.first() {
            return Box::pin(request.again(first)).await;
        }
    }
    let Some(latest) = specification.latest() else {
        let missing = || api.no_such::<SpecificationDocument>(namespace, "specification", name);
        return Err(Box::pin(found.missing.get_or_init(missing)).await.clone());
    };
    let task = request.task(latest).await?;
    let envelope = api.envelope(caller, ids.command, id, context_id);
    let command = Command::Spawn(Box::new(task.clone()));
    let recorded = api.create::<Task>(&ids, namespace, &command, &envelope).await?;
    match &recorded.event {
        Event::TaskSpawned(stored) if *stored == task => Ok(answer(&recorded, stored)),
        // Somebody has used the key in between.
        _ => Box::pin(request.again(&recorded)).await,
    }
}

fn answer(recorded: &Recorded, stored: &Born) -> Spawned {
    let outputs = stored.outputs.iter().map(|(name, output)| (name.clone(), output.id));
    Spawned {
        task_id: recorded.id,
        context_id: stored.context_id,
        outputs: outputs.collect(),
        stream_seq: recorded.stream_seq,
    }
}

/// What is asked for.
struct Request<'a> {
    api: &'a Api,
    specification: &'a Specification,
    id: Id,
    context_id: Id,
    params: &'a SpawnParams,
}

impl Request<'_> {
    /// The task, made of a version of the specification.
    async fn task(&self, applied: &Applied) -> Result<Born, ApiError> {
        let params = self.params;
        let given = params.inputs.iter().map(|(name, input)| {
            let source = match input {
                Input::Value(value) => Source::Value(value.clone()),
                Input::Resource(id) => Source::Resource(*id),
                Input::Secret(name) => Source::Secret(name.clone()),
            };
            (name.clone(), source)
        });
        let wrong = |problems: Vec<Problem>| ApiError::of_problems(&problems);
        let mut inputs = plan::bind_inputs(applied, given.collect()).map_err(wrong)?;
        for binding in inputs.values_mut() {
            if let Source::Value(value) = &mut binding.source {
                binding.source = self.api.datum(value.take()).await?.into();
            }
        }
        let mut template = applied.template(inputs);
        template.labels.clone_from(&params.labels);
        if let Some(retry) = &params.retry {
            template.retry.clone_from(retry);
        }
        if let Some(timeouts) = &params.timeouts {
            template.timeouts.clone_from(timeouts);
        }
        let mut task = template.spawned(self.id, None, self.context_id, None);
        task.depends_on.clone_from(&params.depends_on);
        task.shard_key.clone_from(&params.shard_key);
        task.priority = params.priority.unwrap_or_default();
        let problems = task.problems(&[]);
        if problems.is_empty() { Ok(task) } else { Err(wrong(problems)) }
    }

    /// The answer to a key that was used before: the same as then, if the same is asked for. What
    /// it was made of then may not be the latest version any more.
    async fn again(&self, first: &Recorded) -> Result<Spawned, ApiError> {
        let other = || used_before(first);
        let Event::TaskSpawned(stored) = &first.event else { return Err(other()) };
        let of_then = self.specification.versions.iter();
        let mut of_then = of_then.filter(|applied| applied.reference() == stored.specification);
        let task = match of_then.next() {
            Some(applied) => self.task(applied).await,
            None => return Err(other()),
        };
        match task {
            Ok(task) if task == *stored => Ok(answer(first, stored)),
            Err(error) if error.code != Code::Invalid => Err(error),
            _ => Err(other()),
        }
    }
}
