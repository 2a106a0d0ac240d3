//! The processes that there are.

/// A process: what it runs, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role {
    pub(crate) id: &'static str,
    pub(crate) only: &'static str,
    pub(crate) more: &'static [&'static str],
}

/// A short lease, so that what a killed executor held is taken over soon.
pub(crate) const LEASE: [&str; 2] = ["--lease", "2s"];
pub(crate) const HANDLERS: &str = "scheduler,unfolder,lease-keeper,timers";
pub(crate) const API: Role = Role { id: "api", only: "api", more: &[] };
pub(crate) const PROJECTOR: Role = Role { id: "projector", only: "projector", more: &[] };
pub(crate) const NODE: Role = Role { id: "node-1", only: HANDLERS, more: &LEASE };
pub(crate) const OTHER_NODE: Role = Role { id: "node-2", ..NODE };
pub(crate) const EXECUTOR: Role = Role { id: "executor-1", only: "executor", more: &LEASE };
pub(crate) const OTHER_EXECUTOR: Role = Role { id: "executor-2", ..EXECUTOR };
/// Everything, each apart.
pub(crate) const ALL: [Role; 6] = [API, PROJECTOR, NODE, OTHER_NODE, EXECUTOR, OTHER_EXECUTOR];
