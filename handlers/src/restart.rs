//! Carries out the restart of a context, step by step: see [`Unfolding`].
//!
//! Each step is decided on what the leader has of its task and appended under just that position.
//! Whoever carries the same restart out anew, or at the same time, comes to the same.

use std::collections::HashMap;

use futures::future::{join_all, try_join_all};
use kantoku_domain::{
    Aggregate as _, Context, Id, Kind, Namespace, Reason, Rejection, Specification, Task, context,
    restart::Unfolding,
    specification::Applied,
    task::{Command, SpecificationRef},
};
use kantoku_streams::{AppendError, Draft, ExecuteError, Fault, Ledger, Loaded};

use crate::hands::Signer;

/// How many steps are under way at once.
const STEPS_MAX: usize = 16;

/// A restart under way.
pub(crate) struct Restarting<'a> {
    ledger: &'a Ledger,
    signer: &'a Signer,
    namespace: &'a Namespace,
    context_id: Id,
    restart_id: Id,
    unfolding: Unfolding,
    versions: HashMap<SpecificationRef, Option<Applied>>,
}

/// A step whose event is on its way.
struct Step {
    task_id: Id,
    loaded: Loaded<Task>,
    draft: Draft,
}

impl<'a> Restarting<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger,
        signer: &'a Signer,
        namespace: &'a Namespace,
        context_id: Id,
        restarted: &context::Restarted,
    ) -> Self {
        Self {
            ledger,
            signer,
            namespace,
            context_id,
            restart_id: restarted.id,
            unfolding: Unfolding::new(restarted.clone()),
            versions: HashMap::new(),
        }
    }

    /// Goes on with some steps, or settles the restart once all are decided. `true`: it is done.
    pub(crate) async fn go_on(&mut self) -> Result<bool, String> {
        if let Some(command) = self.unfolding.settled() {
            self.settle(&command).await?;
            return Ok(true);
        }
        let steps = self.decide_some().await.map_err(|fault| fault.to_string())?;
        let appends = steps.iter().map(|step| self.ledger.append(step.draft.clone()));
        let appended = join_all(appends).await;
        let mut lost = None;
        for (mut step, appended) in steps.into_iter().zip(appended) {
            match appended {
                Ok(recorded) => {
                    step.loaded.take(&recorded);
                    self.look(step.task_id, &step.loaded, None);
                }
                // Something else happened to the task: it is looked at again.
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => lost = Some(error.to_string()),
            }
        }
        lost.map_or(Ok(false), Err)
    }

    /// Looks at steps that wait for no other; those of which something is to be appended.
    async fn decide_some(&mut self) -> Result<Vec<Step>, Fault> {
        let steps = self.unfolding.next(STEPS_MAX).into_iter();
        let steps: Vec<_> = steps.map(|step| (step.task_id, step.specification.clone())).collect();
        let load = |(task_id, _): &(Id, _)| self.ledger.load::<Task>(self.namespace, *task_id);
        let loaded = try_join_all(steps.iter().map(load)).await?;
        let mut decided = Vec::new();
        for ((task_id, specification), loaded) in steps.into_iter().zip(loaded) {
            let version = match specification {
                Some(of) => self.version(of).await?,
                None => None,
            };
            if let Some(command) = self.look(task_id, &loaded, version) {
                decided.extend(self.decide(task_id, loaded, &command));
            }
        }
        Ok(decided)
    }

    fn look(
        &mut self,
        task_id: Id,
        loaded: &Loaded<Task>,
        version: Option<Applied>,
    ) -> Option<Command> {
        self.unfolding.look(task_id, loaded.stream_seq, &loaded.state, version)
    }

    fn decide(&mut self, task_id: Id, loaded: Loaded<Task>, command: &Command) -> Option<Step> {
        let key = format!("step:{task_id}");
        let envelope = self.signer.envelope(task_id, self.context_id, self.restart_id, &key);
        let rejection = match loaded.state.decide(command, &envelope) {
            Ok(Some(event)) => {
                let (version, last_seq) = (loaded.version, loaded.stream_seq);
                let draft =
                    Draft::next(self.namespace, task_id, version, last_seq, event, &envelope);
                return Some(Step { task_id, loaded, draft });
            }
            Ok(None) => Rejection::new(Reason::WrongState, "there was nothing left to do"),
            Err(rejection) => rejection,
        };
        self.unfolding.refused(task_id, &rejection);
        None
    }

    /// The version of a specification that a step names. What is not found, the task refuses.
    async fn version(&mut self, of: SpecificationRef) -> Result<Option<Applied>, Fault> {
        if let Some(known) = self.versions.get(&of) {
            return Ok(known.clone());
        }
        let id = Id::named(self.namespace, Kind::Specification, of.name.as_str());
        let loaded = self.ledger.load::<Specification>(self.namespace, id).await?;
        let is_it =
            |applied: &Applied| applied.version == of.version && applied.digest == of.digest;
        let found = loaded.state.versions.into_iter().find(is_it);
        self.versions.insert(of, found.clone());
        Ok(found)
    }

    async fn settle(&self, command: &context::Command) -> Result<(), String> {
        let (context_id, restart_id) = (self.context_id, self.restart_id);
        let envelope = self.signer.envelope(context_id, context_id, restart_id, "settle");
        match self.ledger.execute::<Context>(self.namespace, command, &envelope).await {
            Ok(_) => {
                tracing::info!(%context_id, %restart_id, "a restart was carried out");
                Ok(())
            }
            Err(ExecuteError::Rejected(rejection)) => {
                tracing::warn!(%rejection, %context_id, %restart_id, "a restart was not settled");
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod tests;
