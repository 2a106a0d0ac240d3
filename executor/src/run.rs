//! One attempt: inputs, executable, result.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Executable, Id, Kind, Name, Namespace, Source, Specification,
    specification::Applied,
    task::{Child, Failure, Ready, Spawned, Success, Template},
};
use kantoku_preprocessors::Pool;
use kantoku_streams::Bus;
use serde_json::{Map, Value};

use crate::{
    inputs::{Inputs, NoInputs, datum_of},
    process,
    result::{self, ResultDocument, SpawnRequest},
};

/// A claimed attempt.
pub(crate) struct Attempt<'a> {
    pub(crate) bus: &'a Bus,
    pub(crate) scripts: &'a Pool,
    pub(crate) namespace: &'a Namespace,
    pub(crate) task_id: Id,
    pub(crate) spawned: &'a Spawned,
    pub(crate) ready: &'a Ready,
    /// The position of the claim.
    pub(crate) fence: u64,
}

impl Attempt<'_> {
    /// Runs it to its end, or to its timeout.
    pub(crate) async fn run(&self) -> Result<Success, Failure> {
        match self.spawned.timeouts.attempt {
            None => self.run_untimed().await,
            Some(limit) => tokio::time::timeout(limit.duration(), self.run_untimed())
                .await
                .unwrap_or_else(|_| Err(process::timed_out(limit.duration()))),
        }
    }

    async fn run_untimed(&self) -> Result<Success, Failure> {
        let wanted = &self.spawned.specification;
        let specification = self.specification(&wanted.name, Some(wanted.version)).await?;
        let inputs = match Inputs::fetch(self.bus, self.scripts, self.spawned, self.ready).await {
            Ok(inputs) => inputs,
            Err(NoInputs::Failed(failure)) => return Err(failure),
            Err(NoInputs::Fault(fault)) => return Err(Failure::new("infrastructure", fault, true)),
        };
        let document = self.execute(&specification.definition.executable, &inputs.values).await?;
        self.success(document, inputs).await
    }

    async fn execute(
        &self,
        executable: &Executable,
        inputs: &Map<String, Value>,
    ) -> Result<ResultDocument, Failure> {
        match executable {
            Executable::Noop => Ok(ResultDocument {
                outputs: self.outputs_from(|name| inputs.get(name).cloned()),
                ..ResultDocument::default()
            }),
            Executable::Sleep { duration, outputs } => {
                tokio::time::sleep(duration.duration()).await;
                Ok(ResultDocument {
                    outputs: self.outputs_from(|name| outputs.get(name).cloned()),
                    ..ResultDocument::default()
                })
            }
            Executable::Process { command, env, cwd } => {
                let mut environment = env.clone();
                environment.insert("KANTOKU_TASK_ID".into(), self.task_id.to_string());
                environment.insert("KANTOKU_ATTEMPT".into(), self.ready.attempt.to_string());
                environment.insert("KANTOKU_FENCE".into(), self.fence.to_string());
                let said = process::run(command, &environment, cwd.as_deref(), inputs).await?;
                ResultDocument::read(said)
            }
            Executable::Rhai { script } => {
                let said = self.scripts.run(script, inputs).await.map_err(|error| {
                    Failure::new("script", error.to_string(), error.is_retryable())
                })?;
                ResultDocument::read(said)
            }
            Executable::Http { .. } => {
                Err(Failure::new("start", "this executor has no HTTP client", false))
            }
        }
    }

    fn outputs_from(&self, value: impl Fn(&str) -> Option<Value>) -> Map<String, Value> {
        let output = |name: &String| (name.clone(), value(name).unwrap_or_default());
        self.spawned.outputs.keys().map(output).collect()
    }

    async fn success(&self, said: ResultDocument, inputs: Inputs) -> Result<Success, Failure> {
        let mut success =
            Success { inputs: inputs.made, result: said.result, ..Success::default() };
        for (name, value) in said.outputs {
            // Checked here, as the domain cannot look into a blob.
            if let Some(output) = self.spawned.outputs.get(&name) {
                output.type_.check(&value).map_err(|error| {
                    Failure::new("type", format!("output {name:?} {error}"), false)
                })?;
            }
            let datum = datum_of(self.bus, value)
                .await
                .map_err(|fault| Failure::new("infrastructure", fault, true))?;
            success.outputs.insert(name, datum);
        }
        for request in said.spawn {
            success.children.push(self.child(request).await?);
        }
        for (name, target) in said.delegate {
            let (key, output) = target.split_once('.').ok_or_else(|| {
                result::failure(&format!("delegate {name:?}: {target:?} is not key.output"))
            })?;
            success.delegate.insert(name, (key.to_owned(), output.to_owned()));
        }
        Ok(success)
    }

    async fn child(&self, request: SpawnRequest) -> Result<Child, Failure> {
        let applied = self.specification(&request.specification, None).await?;
        let definition = &applied.definition;
        let wrong = |what: String| result::failure(&format!("child {:?}: {what}", request.key));
        for (name, type_) in &definition.inputs {
            if !request.inputs.contains_key(name) && !type_.is_optional() {
                return Err(wrong(format!("input {name:?} ({type_}) is missing")));
            }
        }
        let mut inputs = BTreeMap::new();
        for (name, value) in request.inputs.clone() {
            let type_ = definition
                .inputs
                .get(&name)
                .ok_or_else(|| wrong(format!("{} has no input {name:?}", request.specification)))?;
            type_.check(&value).map_err(|error| wrong(format!("input {name:?} {error}")))?;
            let datum = datum_of(self.bus, value)
                .await
                .map_err(|fault| Failure::new("infrastructure", fault, true))?;
            let source = Source::from(datum);
            let binding = Binding { source, type_: type_.clone(), map: None, names: vec![] };
            inputs.insert(name, binding);
        }
        let template = Template {
            specification: applied.reference(),
            inputs,
            outputs: definition.outputs.clone(),
            queue: definition.queue.clone(),
            labels: BTreeMap::new(),
            retry: definition.retry.clone(),
            timeouts: definition.timeouts.clone(),
        };
        Ok(Child { key: request.key, template })
    }

    /// A version of a specification, or its latest.
    async fn specification(&self, name: &Name, version: Option<u64>) -> Result<Applied, Failure> {
        let id = Id::named(self.namespace, Kind::Specification, name.as_str());
        let loaded = self
            .bus
            .ledger()
            .load::<Specification>(self.namespace, id)
            .await
            .map_err(|fault| Failure::new("infrastructure", fault.to_string(), true))?;
        let versions = loaded.state.versions;
        let found = match version {
            Some(version) => versions.into_iter().find(|applied| applied.version == version),
            None => versions.into_iter().next_back(),
        };
        found.ok_or_else(|| {
            Failure::new("start", format!("there is no specification {:?}", name.as_str()), false)
        })
    }
}
