//! A read model of one's own, with what is often done to it.

use kantoku_domain::{
    Event, Id, Namespace,
    restart::{OutputPolicy, VersionPolicy, successor_id},
    task::{self, Planned},
};
use kantoku_projections::{
    Projector, Reader,
    document::{ContextDocument, DependencyStatus, ResourceDocument, TaskDocument},
};
use serde_json::json;

use crate::{
    given::{CREATED, Stream, derived, ok, spawned},
    postgres::Postgres,
};

/// A read model, and a stream for it.
pub(crate) struct Stand {
    _postgres: Postgres,
    projector: Projector,
    pub(crate) reader: Reader,
    pub(crate) stream: Stream,
}

impl Stand {
    pub(crate) async fn start() -> Option<Self> {
        let postgres = Postgres::start().await?;
        let database = postgres.open("ktk").await;
        let projector = Projector::new(database.clone(), CREATED);
        let reader = Reader::start(database).await.unwrap();
        Some(Self { _postgres: postgres, projector, reader, stream: Stream::default() })
    }

    /// Takes in what has happened, event by event.
    pub(crate) async fn project(&self) {
        for event in &self.stream.events {
            self.projector.apply_batch(std::slice::from_ref(event)).await.unwrap();
        }
    }

    pub(crate) async fn task(&self, id: Id) -> TaskDocument {
        self.project().await;
        self.reader.task(&Namespace::default(), id).await.unwrap().document
    }

    pub(crate) async fn context(&self, id: Id) -> ContextDocument {
        self.project().await;
        self.reader.record(&Namespace::default(), id).await.unwrap().document
    }

    pub(crate) async fn resource(&self, id: Id) -> ResourceDocument {
        self.project().await;
        self.reader.record(&Namespace::default(), id).await.unwrap().document
    }

    /// What the task waits for, by name.
    pub(crate) async fn awaited(&self, id: Id) -> Vec<(String, DependencyStatus)> {
        let dependencies = self.task(id).await.dependencies;
        dependencies.into_iter().map(|it| (it.name, it.status)).collect()
    }

    pub(crate) fn restart(
        &mut self,
        context: Id,
        task: Id,
        step: &str,
        outputs: OutputPolicy,
    ) -> Id {
        self.restart_as_step(context, task, step, outputs, None, vec![])
    }

    pub(crate) fn restart_as_step(
        &mut self,
        context: Id,
        task: Id,
        step: &str,
        outputs: OutputPolicy,
        step_of: Option<Id>,
        children: Vec<Id>,
    ) -> Id {
        let successor = successor_id(step_of.unwrap_or(task), task);
        let mut planned = Planned { id: successor, task: spawned(context, successor, step, &[]) };
        planned.task.restart_parent = Some(task);
        planned.task.restart_root = Some(task);
        if outputs == OutputPolicy::Reuse {
            planned.task.outputs.get_mut("out").unwrap().id = derived(task, "out");
        }
        let restarted = task::Restarted {
            successor: planned.clone(),
            outputs,
            version: VersionPolicy::Same,
            reason: "it was the disk".into(),
            by: "ann".into(),
            step_of,
            revive: vec![],
            children,
        };
        self.stream.push(context, task, Event::TaskRestarted(restarted));
        self.stream.push(context, successor, Event::TaskSpawned(planned.task));
        successor
    }

    pub(crate) fn finish(&mut self, context: Id, task: Id) {
        self.stream.run(context, task, 1);
        self.stream.finish(context, task, ok(1, json!(1)));
    }
}
