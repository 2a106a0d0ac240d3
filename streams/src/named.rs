//! Which large values events name.

use kantoku_domain::{BlobRef, Datum, Event, Source, task::Spawned};

/// The large values that an event names.
pub fn blobs_named(event: &Event) -> Vec<&BlobRef> {
    let data = |datum| match datum {
        &Datum::Value(_) => None,
        Datum::Blob(blob) => Some(blob),
    };
    match event {
        Event::ContextOpened(opened) => {
            opened.plan.iter().flat_map(|planned| inputs(&planned.task)).collect()
        }
        Event::TaskSpawned(spawned) => inputs(spawned).collect(),
        Event::TaskFinished(finished) => {
            let values = finished.inputs.values().chain(finished.outputs.values());
            let children = finished.children.iter().flat_map(|child| inputs(&child.task));
            values.filter_map(data).chain(children).collect()
        }
        Event::TaskRestarted(restarted) => inputs(&restarted.successor.task).collect(),
        Event::ResourceInitialized(initialized) => data(&initialized.value).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn inputs(spawned: &Spawned) -> impl Iterator<Item = &BlobRef> {
    spawned.inputs.values().filter_map(|binding| match &binding.source {
        Source::Blob(blob) => Some(blob),
        Source::Value(_) | Source::Resource(_) | Source::Secret(_) => None,
    })
}
