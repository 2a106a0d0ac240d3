//! The engine: an allow-list of what scripts can do.

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, BitFieldPackage, LogicPackage, MoreStringPackage,
    Package,
};
use rhai::{AST, Engine, OptimizationLevel};

use crate::{Limits, ScriptError, diagnosis, error::LimitName, json};

/// Keywords that are no part of the language here, so that using one does not even compile.
const KEYWORDS_DISABLED: [&str; 5] = ["eval", "import", "export", "print", "debug"];

/// An engine that can compute and nothing else. Rhai's core package (`sleep`, reflection), its
/// time and its blob packages are left out, and so is any module resolver.
pub(crate) fn build(limits: &Limits) -> Engine {
    let mut engine = grammar(limits);
    ArithmeticPackage::new().register_into_engine(&mut engine);
    BitFieldPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    json::register(&mut engine);
    engine
}

/// An engine that can only compile: the same language, without any function.
pub(crate) fn grammar(limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    for keyword in KEYWORDS_DISABLED {
        engine.disable_symbol(keyword);
    }
    // The optimiser takes time in the square of the source, and would fold constants at best.
    engine.set_optimization_level(OptimizationLevel::None);
    restrict(&mut engine, limits);
    engine
}

/// Compiles `script`, once its size is known to be allowed.
pub(crate) fn compile(engine: &Engine, script: &str, limits: &Limits) -> Result<AST, ScriptError> {
    check_size(script, limits)?;
    engine.compile(script).map_err(diagnosis::compile)
}

/// Refuses a source that is too long.
pub(crate) fn check_size(script: &str, limits: &Limits) -> Result<(), ScriptError> {
    if script.len() <= limits.script_bytes {
        return Ok(());
    }
    Err(ScriptError::limit(
        LimitName::ScriptBytes,
        format!(
            "the source has {} bytes of at most {}; pass data in as a value instead",
            script.len(),
            limits.script_bytes
        ),
    ))
}

fn restrict(engine: &mut Engine, limits: &Limits) {
    // To Rhai a zero is "unlimited" in all of these but the call depth and the variables.
    engine
        .set_max_operations(limits.operations.max(1))
        .set_max_call_levels(limits.call_depth)
        .set_max_expr_depths(limits.expression_depth.max(1), limits.expression_depth.max(1))
        .set_max_string_size(limits.string_bytes.max(1))
        .set_max_array_size(limits.array_items.max(1))
        .set_max_map_size(limits.map_entries.max(1))
        .set_max_variables(limits.variables)
        .set_max_modules(0);
}
