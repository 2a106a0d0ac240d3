//! The scripts that a worker has compiled.

use std::collections::HashMap;

use rhai::{AST, Engine};

use crate::{Limits, ScriptError, engine};

/// Compiled scripts by their source, the longest unused thrown out first. What counts is the
/// length of the sources, since compiled code is a multiple of it.
pub(crate) struct Cache {
    scripts: HashMap<Box<str>, Entry>,
    source_bytes: usize,
    clock: u64,
}

struct Entry {
    ast: AST,
    used_at: u64,
}

impl Cache {
    const SCRIPTS_MAX: usize = 256;
    const SOURCE_BYTES_MAX: usize = 256 * 1024;

    pub(crate) fn new() -> Self {
        Self { scripts: HashMap::new(), source_bytes: 0, clock: 0 }
    }

    /// `script` compiled, now or before.
    pub(crate) fn compiled(
        &mut self,
        engine: &Engine,
        script: &str,
        limits: &Limits,
    ) -> Result<&AST, ScriptError> {
        self.clock += 1;
        if !self.scripts.contains_key(script) {
            let ast = engine::compile(engine, script, limits)?;
            self.make_room(script.len());
            self.source_bytes += script.len();
            self.scripts.insert(script.into(), Entry { ast, used_at: 0 });
        }
        let entry = self.scripts.get_mut(script).expect("it was there or has been inserted");
        entry.used_at = self.clock;
        Ok(&entry.ast)
    }

    fn make_room(&mut self, source_bytes: usize) {
        while self.scripts.len() >= Self::SCRIPTS_MAX
            || self.source_bytes + source_bytes > Self::SOURCE_BYTES_MAX
        {
            let Some((oldest, _)) = self.scripts.iter().min_by_key(|(_, entry)| entry.used_at)
            else {
                return;
            };
            let oldest = oldest.clone();
            self.source_bytes -= oldest.len();
            self.scripts.remove(&oldest);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod tests {
    use super::*;

    fn remember(cache: &mut Cache, engine: &Engine, script: &str) {
        cache.compiled(engine, script, &Limits::default()).map(|_| ()).unwrap();
    }

    #[test]
    fn the_longest_unused_script_goes_first() {
        let engine = engine::build(&Limits::default());
        let mut cache = Cache::new();
        for n in 0..Cache::SCRIPTS_MAX {
            remember(&mut cache, &engine, &format!("{n}"));
        }
        remember(&mut cache, &engine, "0");
        remember(&mut cache, &engine, "1 + 1");
        assert_eq!(cache.scripts.len(), Cache::SCRIPTS_MAX);
        assert!(cache.scripts.contains_key("0"));
        assert!(!cache.scripts.contains_key("1"));
    }

    #[test]
    fn long_sources_are_few() {
        let engine = engine::build(&Limits::default());
        let mut cache = Cache::new();
        for n in 0..20 {
            let script = format!("{n}{}", " ".repeat(60 * 1024));
            remember(&mut cache, &engine, &script);
            assert!(cache.source_bytes <= Cache::SOURCE_BYTES_MAX);
        }
        let kept: usize = cache.scripts.keys().map(|script| script.len()).sum();
        assert_eq!(cache.source_bytes, kept);
    }
}
