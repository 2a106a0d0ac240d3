//! Making it so.

use std::collections::BTreeMap;

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use kantoku_domain::{
    Aggregate, Event, Id, Name, NamedType, Namespace, Pipeline, Policy, Specification,
    manifest::Manifest, pipeline, policy, specification, typename,
};
use kantoku_streams::Loaded;

use super::{
    documents::{kind, name},
    known::Known,
};
use crate::{
    ApiError,
    contract::{Applied, AppliedItem, Change},
    server::{Api, Caller, shared::new_id},
};

/// Documents that are applied at once.
const AT_ONCE: usize = 64;

/// What becomes of one document, and the position to see it.
type Done = (AppliedItem, u64);

/// An aggregate that documents declare.
trait Declared: Aggregate {
    /// The number of its latest version.
    fn latest(&self) -> Option<u64>;
    /// Those that documents name.
    fn among(known: &Known) -> &BTreeMap<Name, Loaded<Self>>;
    /// What a document orders, if it is of this kind.
    fn command(manifest: &Manifest) -> Option<Self::Command>;
}

impl Declared for NamedType {
    fn latest(&self) -> Option<u64> {
        self.latest.as_ref().map(|applied| applied.version)
    }

    fn among(known: &Known) -> &BTreeMap<Name, Loaded<Self>> {
        &known.types
    }

    fn command(manifest: &Manifest) -> Option<typename::Command> {
        let Manifest::Type(name, description, definition) = manifest else { return None };
        let (name, description) = (name.clone(), description.clone());
        Some(typename::Command::Apply { name, description, definition: definition.clone() })
    }
}

impl Declared for Specification {
    fn latest(&self) -> Option<u64> {
        self.latest().map(|applied| applied.version)
    }

    fn among(known: &Known) -> &BTreeMap<Name, Loaded<Self>> {
        &known.specifications
    }

    fn command(manifest: &Manifest) -> Option<specification::Command> {
        let Manifest::Specification(name, definition) = manifest else { return None };
        let (name, definition) = (name.clone(), definition.clone());
        Some(specification::Command::Apply { name, source: None, definition })
    }
}

impl Declared for Pipeline {
    fn latest(&self) -> Option<u64> {
        self.latest.as_ref().map(|applied| applied.version)
    }

    fn among(known: &Known) -> &BTreeMap<Name, Loaded<Self>> {
        &known.pipelines
    }

    fn command(manifest: &Manifest) -> Option<pipeline::Command> {
        let Manifest::Pipeline(name, definition) = manifest else { return None };
        let (name, definition) = (name.clone(), definition.clone());
        Some(pipeline::Command::Apply { name, definition })
    }
}

impl Declared for Policy {
    /// Of one that was deleted, too: versions go on.
    fn latest(&self) -> Option<u64> {
        self.latest.as_ref().map(|applied| applied.version)
    }

    fn among(known: &Known) -> &BTreeMap<Name, Loaded<Self>> {
        &known.policies
    }

    fn command(manifest: &Manifest) -> Option<policy::Command> {
        let Manifest::Policy(name, definition) = manifest else { return None };
        let (name, definition) = (name.clone(), definition.clone());
        Some(policy::Command::Apply { name, definition })
    }
}

/// Applies documents, or says what that would do.
pub(super) struct Apply<'a> {
    pub(super) api: &'a Api,
    pub(super) caller: &'a Caller,
    pub(super) namespace: &'a Namespace,
    pub(super) known: &'a Known,
    pub(super) dry_run: bool,
}

impl Apply<'_> {
    /// Types first, then specifications, then pipelines, so that whoever comes in between finds
    /// all that is referred to; limits before that which they limit can run.
    pub(super) async fn run(&self, documents: &[(usize, Manifest)]) -> Result<Applied, ApiError> {
        let mut done = BTreeMap::new();
        for stage in 0..=2 {
            let of_stage = documents.iter().filter(|(_, manifest)| stage_of(manifest) == stage);
            let applies: Vec<BoxFuture<'_, _>> = of_stage
                .map(|(index, manifest)| self.apply(manifest).map(move |r| (*index, r)).boxed())
                .collect();
            let mut applies = stream::iter(applies).buffer_unordered(AT_ONCE);
            while let Some((index, applied)) = applies.next().await {
                let applied = applied.map_err(|error| unfinished(error, done.len()))?;
                done.insert(index, applied);
            }
        }
        let stream_seq = done.values().map(|(_, seq)| *seq).max().unwrap_or_default();
        Ok(Applied { items: done.into_values().map(|(item, _)| item).collect(), stream_seq })
    }

    async fn apply(&self, manifest: &Manifest) -> Result<Done, ApiError> {
        match manifest {
            Manifest::Type(..) => self.apply_one::<NamedType>(manifest).await,
            Manifest::Specification(..) => self.apply_one::<Specification>(manifest).await,
            Manifest::Pipeline(..) => self.apply_one::<Pipeline>(manifest).await,
            Manifest::Policy(..) => self.apply_one::<Policy>(manifest).await,
        }
    }

    async fn apply_one<A: Declared>(&self, manifest: &Manifest) -> Result<Done, ApiError> {
        let id = Id::named(self.namespace, A::KIND, name(manifest).as_str());
        let envelope = self.api.envelope(self.caller, new_id(), id, id);
        let Some(command) = A::command(manifest) else { unreachable!("{} is its kind", A::KIND) };
        let nothing = Loaded::default();
        let known = A::among(self.known).get(name(manifest)).unwrap_or(&nothing);
        if self.dry_run {
            let event = known.state.decide(&command, &envelope)?;
            return Ok((item(manifest, event.as_ref(), &known.state), known.stream_seq));
        }
        let outcome = self.api.execute::<A>(self.namespace, &command, &envelope).await?;
        let event = outcome.event.as_ref().map(|recorded| &recorded.event);
        // Somebody else may have applied the same since it was loaded.
        if event.is_none() && outcome.stream_seq != known.stream_seq {
            let now = self.api.bus.ledger().load::<A>(self.namespace, id).await?;
            return Ok((item(manifest, None, &now.state), outcome.stream_seq));
        }
        Ok((item(manifest, event, &known.state), outcome.stream_seq))
    }
}

const fn stage_of(manifest: &Manifest) -> usize {
    match manifest {
        Manifest::Type(..) | Manifest::Policy(..) => 0,
        Manifest::Specification(..) => 1,
        Manifest::Pipeline(..) => 2,
    }
}

/// A second apply does what this one left undone.
fn unfinished(mut error: ApiError, done: usize) -> ApiError {
    error.message = format!(
        "{}; {done} documents are applied by now: apply all of them again to go on",
        error.message
    );
    error
}

/// What `event` made of the document's aggregate; `None` if it was so in `state`.
fn item<A: Declared>(manifest: &Manifest, event: Option<&Event>, state: &A) -> AppliedItem {
    let applied = event.and_then(version);
    let change = match applied {
        None => Change::Unchanged,
        Some(1) => Change::Created,
        Some(_) => Change::Configured,
    };
    let version = applied.or(state.latest()).unwrap_or_default();
    AppliedItem { kind: kind(manifest).into(), name: name(manifest).to_string(), version, change }
}

const fn version(event: &Event) -> Option<u64> {
    match event {
        Event::TypeApplied(applied) => Some(applied.version),
        Event::SpecificationApplied(applied) => Some(applied.version),
        Event::PipelineApplied(applied) => Some(applied.version),
        Event::PolicyApplied(applied) => Some(applied.version),
        _ => None,
    }
}
