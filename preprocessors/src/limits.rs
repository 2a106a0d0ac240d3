//! What a script may take.

use serde::{Deserialize, Serialize};

/// What one script may take. A zero is no way to say "unlimited": it allows nothing, or next to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Operations of the engine: roughly, expressions evaluated.
    pub operations: u64,
    /// Calls of script functions and closures within each other.
    pub call_depth: usize,
    /// Expressions and blocks within each other. A chain such as `a + b + c` nests once per
    /// operator.
    pub expression_depth: usize,
    /// Bytes of one string, or of all strings in one array or map.
    pub string_bytes: usize,
    /// Items of one array, those of the arrays within it included.
    pub array_items: usize,
    /// Entries of one map, those of the maps within it included.
    pub map_entries: usize,
    /// Variables at any one time, those of the scope included.
    pub variables: usize,
    /// Bytes of the source.
    pub script_bytes: usize,
    /// Bytes of the scope (the values given to the script) as JSON.
    pub scope_bytes: usize,
    /// Bytes of the result as JSON.
    pub result_bytes: usize,
    /// Bytes of address space that the worker may take beyond those it starts with.
    pub memory_bytes: u64,
    /// Milliseconds from handing the script to a worker to having its result.
    pub wall_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            operations: 5_000_000,
            call_depth: 64,
            expression_depth: 128,
            string_bytes: 16 * MIB,
            array_items: 1_000_000,
            map_entries: 1_000_000,
            variables: 1024,
            script_bytes: 64 * 1024,
            scope_bytes: 16 * MIB,
            result_bytes: 16 * MIB,
            memory_bytes: 256 * MIB as u64,
            wall_ms: 1000,
        }
    }
}
