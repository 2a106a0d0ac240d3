//! What a definition must be besides well-formed.

use kantoku_domain::{Executable, Problem, Type, pipeline, specification};

/// Names of queues stand in subjects.
const QUEUE_BYTES_MAX: usize = 128;

/// A type, its references replaced, written at `path`.
pub(super) fn type_(type_: &Type, path: &[&str]) -> Option<Problem> {
    let depth = type_.depth();
    (depth > Type::DEPTH_MAX).then(|| {
        Problem::new(path, format!("the type nests {depth} deep, and may {}", Type::DEPTH_MAX))
    })
}

/// A specification; paths start at the manifest's root.
pub(super) fn specification(definition: &specification::Definition) -> Vec<Problem> {
    let mut problems = definition.problems(&["spec"]);
    for (what, types) in [("inputs", &definition.inputs), ("outputs", &definition.outputs)] {
        let wrong = types.iter().filter_map(|(name, of)| type_(of, &["spec", what, name]));
        problems.extend(wrong);
    }
    let queue = &definition.queue;
    if queue.is_empty() || queue.len() > QUEUE_BYTES_MAX {
        let message = format!("the name of a queue has 1 to {QUEUE_BYTES_MAX} bytes");
        problems.push(Problem::new(&["spec", "queue"], message));
    }
    problems.extend(executable(&definition.executable));
    problems
}

fn executable(executable: &Executable) -> Option<Problem> {
    match executable {
        Executable::Process { command, .. } if command.first().is_none_or(String::is_empty) => {
            let path = ["spec", "executable", "command"];
            Some(Problem::new(&path, "the command is empty: name a program, as in [python3, a.py]"))
        }
        Executable::Http { url, .. }
            if !url.starts_with("http://") && !url.starts_with("https://") =>
        {
            let path = ["spec", "executable", "url"];
            Some(Problem::new(&path, format!("{url:?} does not start with http:// or https://")))
        }
        _ => None,
    }
}

/// A pipeline, apart from how its steps fit together; paths start at the manifest's root.
pub(super) fn pipeline(definition: &pipeline::Definition) -> Vec<Problem> {
    let params = definition.params.iter();
    params.filter_map(|(name, of)| type_(of, &["spec", "params", name])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_never_work_is_found() {
        let definition = serde_json::from_value(json!({
            "executable": {"type": "process", "command": []},
            "retry": {"attempts": 0, "factor": 0.5}, "timeouts": {"attempt": 0}, "queue": "",
        }));
        let problems = specification(&definition.expect("well-formed"));
        let paths: Vec<String> = problems.iter().map(|problem| problem.path.join(".")).collect();
        assert_eq!(
            paths,
            [
                "spec.retry.attempts",
                "spec.retry.factor",
                "spec.timeouts.attempt",
                "spec.queue",
                "spec.executable.command"
            ]
        );
    }

    #[test]
    fn what_works_is_not_complained_of() {
        let definition = serde_json::from_value(json!({
            "inputs": {"x": {"array": "string"}}, "executable": {"type": "noop"},
            "retry": {"attempts": 3},
        }));
        assert_eq!(specification(&definition.expect("well-formed")), []);
    }
}
