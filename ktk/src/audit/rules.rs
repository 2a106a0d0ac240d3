//! Whether an event may follow, by the rules of its aggregate: all but tasks.

use kantoku_domain::{
    Context, Event, NamedType, NamespaceState, Pipeline, Policy, Recorded, Resource, Specification,
    context, namespace as namespaces, pipeline as pipelines, policy as policies,
    resource as resources, restart::Plan, specification as specifications, typename as types,
};

use super::decided;

type Verdict = Result<(), String>;

/// An event of another kind on this aggregate's subject.
fn strange(recorded: &Recorded) -> Verdict {
    Err(format!("{} is no event of a {}", recorded.event.name(), recorded.aggregate))
}

pub(super) fn context(state: &Context, recorded: &Recorded) -> Verdict {
    use context::Command;
    let command = match &recorded.event {
        Event::ContextOpened(opened) => Command::Open(Box::new(opened.clone())),
        Event::ContextCancelled(cancelled) => Command::Cancel { reason: cancelled.reason.clone() },
        Event::ContextPaused(paused) => Command::Pause { reason: paused.reason.clone() },
        Event::ContextResumed(_) => Command::Resume,
        Event::ContextRestarted(restarted) => return restart(state, restarted, recorded),
        Event::ContextRestartSettled(settled) => Command::SettleRestart(settled.clone()),
        _ => return strange(recorded),
    };
    decided(state, &command, recorded).map(drop)
}

fn restart(state: &Context, restarted: &context::Restarted, recorded: &Recorded) -> Verdict {
    let plan = Plan {
        context_id: recorded.id,
        target: restarted.target,
        outputs: restarted.outputs,
        version: restarted.version,
        entries: restarted.steps.clone(),
        results: [].into(),
        reopens: false,
    };
    let (reason, by) = (restarted.reason.clone(), Some(restarted.by.clone()));
    let command = context::Command::Restart(Box::new(context::Restart { plan, reason, by }));
    match decided(state, &command, recorded)? {
        Event::ContextRestarted(decided) if decided.id != restarted.id => {
            Err(format!("the restart is called {}, not {}", decided.id, restarted.id))
        }
        _ => Ok(()),
    }
}

pub(super) fn resource(state: &Resource, recorded: &Recorded) -> Verdict {
    use resources::Command;
    let command = match &recorded.event {
        Event::ResourceAllocated(allocated) => Command::Allocate(allocated.type_.clone()),
        Event::ResourceInitialized(initialized) => Command::Initialize(initialized.value.clone()),
        Event::ResourceReleased(_) => Command::Release,
        _ => return strange(recorded),
    };
    decided(state, &command, recorded).map(drop)
}

pub(super) fn specification(state: &Specification, recorded: &Recorded) -> Verdict {
    use specifications::Command;
    let command = match &recorded.event {
        Event::SpecificationApplied(applied) => Command::Apply {
            name: applied.name.clone(),
            source: applied.source.clone(),
            definition: Box::new(applied.definition.clone()),
        },
        Event::SpecificationPaused(paused) => Command::Pause { reason: paused.reason.clone() },
        Event::SpecificationResumed(_) => Command::Resume,
        _ => return strange(recorded),
    };
    let event = decided(state, &command, recorded)?;
    same_version(number(&event), number(&recorded.event))
}

pub(super) fn type_(state: &NamedType, recorded: &Recorded) -> Verdict {
    let Event::TypeApplied(applied) = &recorded.event else { return strange(recorded) };
    let command = types::Command::Apply {
        name: applied.name.clone(),
        description: applied.description.clone(),
        definition: applied.definition.clone(),
    };
    let event = decided(state, &command, recorded)?;
    same_version(number(&event), number(&recorded.event))
}

pub(super) fn pipeline(state: &Pipeline, recorded: &Recorded) -> Verdict {
    let Event::PipelineApplied(applied) = &recorded.event else { return strange(recorded) };
    let command = pipelines::Command::Apply {
        name: applied.name.clone(),
        definition: Box::new(applied.definition.clone()),
    };
    let event = decided(state, &command, recorded)?;
    same_version(number(&event), number(&recorded.event))
}

pub(super) fn policy(state: &Policy, recorded: &Recorded) -> Verdict {
    let command = match &recorded.event {
        Event::PolicyApplied(applied) => policies::Command::Apply {
            name: applied.name.clone(),
            definition: Box::new(applied.definition.clone()),
        },
        Event::PolicyDeleted(_) => policies::Command::Delete,
        _ => return strange(recorded),
    };
    let event = decided(state, &command, recorded)?;
    same_version(number(&event), number(&recorded.event))
}

pub(super) fn namespace(state: &NamespaceState, recorded: &Recorded) -> Verdict {
    let command = match &recorded.event {
        Event::NamespacePaused(paused) => {
            namespaces::Command::Pause { reason: paused.reason.clone() }
        }
        Event::NamespaceResumed(_) => namespaces::Command::Resume,
        _ => return strange(recorded),
    };
    decided(state, &command, recorded).map(drop)
}

/// Which version of a definition an event makes.
fn number(event: &Event) -> Option<u64> {
    match event {
        Event::SpecificationApplied(applied) => Some(applied.version),
        Event::TypeApplied(applied) => Some(applied.version),
        Event::PipelineApplied(applied) => Some(applied.version),
        Event::PolicyApplied(applied) => Some(applied.version),
        _ => None,
    }
}

fn same_version(next: Option<u64>, found: Option<u64>) -> Verdict {
    if next == found {
        return Ok(());
    }
    let name = |version: Option<u64>| version.map_or_else(String::new, |it| it.to_string());
    Err(format!("version {} is next, not {}", name(next), name(found)))
}
