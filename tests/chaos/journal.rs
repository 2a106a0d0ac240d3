//! What clients asked and were told, for whoever judges: one JSON object a line.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::SystemTime,
};

use serde_json::{Value, json};

use crate::rpc::Failed;

/// Microseconds since 1970, by this process' clock.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(since.as_micros()).expect("before the year 500000")
}

/// The log of one client.
pub(crate) struct Journal {
    client: String,
    file: BufWriter<File>,
}

impl Journal {
    pub(crate) fn create(dir: &Path, client: &str) -> Self {
        let dir = dir.join("clients");
        std::fs::create_dir_all(&dir).expect("made");
        let file = File::create(dir.join(format!("{client}.jsonl"))).expect("created");
        Self { client: client.to_owned(), file: BufWriter::new(file) }
    }

    pub(crate) fn invoke(&mut self, op: &str, attempt: u32, method: &str, params: &Value) {
        let said = json!({"phase": "invoke", "try": attempt, "params": params});
        self.write(op, method, said);
    }

    pub(crate) fn told(&mut self, op: &str, method: &str, told: &Result<Value, Failed>) {
        let said = match told {
            Ok(result) => json!({"phase": "ok", "result": result}),
            Err(failed) => json!({
                "phase": if failed.is_unknown { "unknown" } else { "fail" },
                "error": {
                    "code": failed.code, "message": failed.message, "reason": failed.reason,
                },
            }),
        };
        self.write(op, method, said);
    }

    fn write(&mut self, op: &str, method: &str, mut line: Value) {
        line["at_us"] = now_us().into();
        line["client"] = self.client.as_str().into();
        line["op"] = op.into();
        line["method"] = method.into();
        // Before the call is made: whatever becomes of it, it is known to have begun.
        writeln!(self.file, "{line}").and_then(|()| self.file.flush()).expect("written");
    }
}
