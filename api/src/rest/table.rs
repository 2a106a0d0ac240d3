//! The routes, all of them.

use super::route::{Route, delete, get, post, put};

/// Every route. Documents, checks and the server are made from it.
pub(crate) const ROUTES: &[Route] = &[
    get("/v1/tasks", "task.list").paged(),
    post("/v1/tasks", "task.spawn").makes("task_id", "/v1/tasks/{task_id}"),
    get("/v1/tasks/count", "task.count"),
    get("/v1/tasks/values", "task.distinct"),
    post("/v1/tasks/batches", "task.spawn_batch"),
    get("/v1/tasks/{id}", "task.get").document(),
    get("/v1/tasks/{id}/attempts", "task.attempts"),
    post("/v1/tasks/{id}/approvals", "task.approve").guarded_by("task.get"),
    post("/v1/tasks/{id}/cancellation", "task.cancel").accepts("stream_seq").guarded_by("task.get"),
    get("/v1/tasks/{id}/events", "event.list").paged().named("task.events"),
    post("/v1/tasks/{id}/labels", "task.label").guarded_by("task.get"),
    get("/v1/tasks/{id}/logs", "task.logs").paged_by("next_after", "after"),
    put("/v1/tasks/{id}/pause", "task.pause").guarded_by("task.get"),
    delete("/v1/tasks/{id}/pause", "task.resume").guarded_by("task.get"),
    post("/v1/tasks/{id}/restarts", "task.restart")
        .makes("task_id", "/v1/tasks/{task_id}")
        .guarded_by("task.get"),
    get("/v1/tasks/{id}/result", "task.wait"),
    get("/v1/tasks/{id}/tree", "task.tree"),
    get("/v1/tasks/{id}/why", "task.why"),
    get("/v1/contexts", "context.list").paged(),
    get("/v1/contexts/count", "context.count"),
    get("/v1/contexts/values", "context.distinct"),
    get("/v1/contexts/{id}", "context.get").document(),
    post("/v1/contexts/{id}/cancellation", "context.cancel")
        .accepts("stream_seq")
        .guarded_by("context.get"),
    get("/v1/contexts/{id}/events", "event.list")
        .paged()
        .id_as("context_id")
        .named("context.events"),
    get("/v1/contexts/{id}/graph", "context.graph"),
    put("/v1/contexts/{id}/pause", "context.pause").guarded_by("context.get"),
    delete("/v1/contexts/{id}/pause", "context.resume").guarded_by("context.get"),
    post("/v1/contexts/{id}/restarts", "context.restart")
        .accepts("stream_seq")
        .guarded_by("context.get"),
    get("/v1/contexts/{id}/result", "context.wait"),
    get("/v1/contexts/{id}/tree", "task.tree").named("context.tree"),
    get("/v1/resources", "resource.list").paged(),
    post("/v1/resources", "resource.allocate").creates(),
    post("/v1/resources/releases", "resource.release"),
    post("/v1/resources/values", "resource.initialize"),
    get("/v1/resources/count", "resource.count"),
    get("/v1/resources/values", "resource.distinct"),
    get("/v1/resources/{id}", "resource.get").document(),
    get("/v1/resources/{id}/events", "event.list").paged().named("resource.events"),
    get("/v1/resources/{id}/value", "resource.load"),
    get("/v1/specifications", "specification.list").paged(),
    get("/v1/specifications/{name}", "specification.get").document(),
    put("/v1/specifications/{name}/pause", "specification.pause").guarded_by("specification.get"),
    delete("/v1/specifications/{name}/pause", "specification.resume")
        .guarded_by("specification.get"),
    get("/v1/types", "type.list").paged(),
    get("/v1/types/{name}", "type.get").document(),
    get("/v1/pipelines", "pipeline.list").paged(),
    get("/v1/pipelines/{name}", "pipeline.get").document(),
    post("/v1/pipelines/{name}/runs", "pipeline.run")
        .makes("context_id", "/v1/contexts/{context_id}"),
    get("/v1/policies", "policy.list").paged(),
    get("/v1/policies/{name}", "policy.get").document(),
    delete("/v1/policies/{name}", "policy.delete").guarded_by("policy.get"),
    get("/v1/namespaces/{namespace}", "namespace.get").document(),
    put("/v1/namespaces/{namespace}/pause", "namespace.pause").guarded_by("namespace.get"),
    delete("/v1/namespaces/{namespace}/pause", "namespace.resume").guarded_by("namespace.get"),
    post("/v1/manifests", "manifest.apply"),
    post("/v1/manifests/deletions", "manifest.delete"),
    post("/v1/manifests/differences", "manifest.diff"),
    post("/v1/manifests/validations", "manifest.validate"),
    get("/v1/events", "event.list").paged(),
    get("/v1/events/export", "event.export").paged_by("next_seq", "from_seq"),
    post("/v1/events/imports", "event.import"),
    post("/v1/blobs", "blob.store").makes("digest", "/v1/blobs/{digest}?size={size}"),
    post("/v1/blobs/verifications", "blob.verify").starts("/v1/operations/{operation_id}"),
    get("/v1/blobs/{digest}", "blob.load"),
    get("/v1/dead-letters", "dead_letter.list"),
    get("/v1/dead-letters/{letter}", "dead_letter.get"),
    post("/v1/dead-letters/{letter}/redeliveries", "dead_letter.redeliver"),
    get("/v1/seals", "seal.list"),
    post("/v1/seals/restarts", "seal.restart"),
    post("/v1/scripts/checks", "script.check"),
    post("/v1/scripts/runs", "script.run"),
    get("/v1/secrets", "secret.list"),
    get("/v1/secrets/{name}", "secret.get"),
    put("/v1/secrets/{name}", "secret.set"),
    delete("/v1/secrets/{name}", "secret.delete"),
    get("/v1/keys", "key.list"),
    post("/v1/keys", "key.create").creates(),
    delete("/v1/keys/{id}", "key.revoke"),
    get("/v1/audit", "audit.list"),
    get("/v1/services", "service.list"),
    get("/v1/system", "system.info"),
    get("/v1/projections", "projection.list"),
    post("/v1/projections/rebuilds", "projection.rebuild").starts("/v1/operations/{operation_id}"),
    post("/v1/projections/verifications", "projection.verify")
        .starts("/v1/operations/{operation_id}"),
    get("/v1/operations", "operation.list").paged(),
    post("/v1/operations", "operation.start")
        .starts_if("operation_id", "/v1/operations/{operation_id}"),
    get("/v1/operations/{id}", "operation.get"),
    post("/v1/operations/{id}/cancellation", "operation.cancel"),
];

/// Methods that have no route, as a document of their own answers.
#[cfg(test)]
const WITHOUT: &[&str] = &["rpc.discover"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::schema::{Description, Dialect};

    #[test]
    fn every_method_that_answers_once_has_a_route_and_every_route_a_method() {
        let methods = Description::of(Dialect::Draft2020).methods;
        let once = methods.iter().filter(|method| method.notices.is_none());
        let declared: BTreeSet<&str> = once.map(|method| method.name).collect();
        let routed = ROUTES.iter().map(|route| route.method);
        let told: BTreeSet<&str> = routed.chain(WITHOUT.iter().copied()).collect();
        assert_eq!(told, declared);
    }

    #[test]
    fn no_two_routes_are_alike() {
        let shape = |path: &str| {
            let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
            parts.collect::<Vec<_>>().join("/")
        };
        let shapes: BTreeSet<_> =
            ROUTES.iter().map(|route| (route.verb, shape(route.path))).collect();
        assert_eq!(shapes.len(), ROUTES.len());
        let names: BTreeSet<_> = ROUTES.iter().map(Route::operation_id).collect();
        assert_eq!(names.len(), ROUTES.len());
    }
}
