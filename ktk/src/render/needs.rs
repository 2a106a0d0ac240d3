//! What a task waits for, in words.

use kantoku_domain::{Dependency, dependency::Approval};

/// An expression on one line.
pub(crate) fn needs_text(expression: &Dependency) -> String {
    match expression {
        Dependency::All(parts) => all_of("all of", parts),
        Dependency::Any(parts) => all_of("any of", parts),
        Dependency::AtLeast { count, of } => all_of(&format!("at least {count} of"), of),
        Dependency::Not(part) => format!("not {}", needs_text(part)),
        Dependency::Within { time, of } => format!("within {time}: {}", needs_text(of)),
        Dependency::Resource(id) => format!("resource/{id}"),
        Dependency::Task(id) => format!("task/{id} is ok"),
        Dependency::Done(id) => format!("task/{id} has ended"),
        Dependency::Failed(id) => format!("task/{id} has failed"),
        Dependency::At(at) => format!("the time {at}"),
        Dependency::Window(window) => {
            format!("a window of {} from each {:?}, UTC", window.duration, window.cron.to_string())
        }
        Dependency::Approval(approval) => approval_text(approval),
        Dependency::Event(pattern) => {
            let of = pattern.id.map(|id| format!(" of {id}")).unwrap_or_default();
            let labels: Vec<_> =
                pattern.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let labels = if labels.is_empty() {
                String::new()
            } else {
                format!(" with {}", labels.join(","))
            };
            format!("an event {}{of}{labels}", pattern.type_)
        }
        Dependency::Http(probe) => {
            format!("{} answers {}, asked every {}", probe.url, probe.expect, probe.every)
        }
    }
}

/// Who has to say yes to what.
pub(crate) fn approval_text(approval: &Approval) -> String {
    let Approval { name, count, by } = approval;
    let whose = match by.as_slice() {
        [] => "anybody".to_owned(),
        by => by.join(", "),
    };
    format!("approval {name:?}: {count} of {whose}")
}

fn all_of(word: &str, parts: &[Dependency]) -> String {
    match parts {
        [] => format!("{word} nothing"),
        parts => {
            let parts: Vec<_> = parts.iter().map(needs_text).collect();
            format!("{word} ({})", parts.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_are_read_as_they_are_meant() {
        let id = "00000001-0000-5000-8000-00000000002a";
        for (written, told) in [
            (json!({"task": id}), format!("task/{id} is ok")),
            (json!({"not": {"failed": id}}), format!("not task/{id} has failed")),
            (json!({"all": []}), "all of nothing".into()),
            (json!({"approval": "go"}), "approval \"go\": 1 of anybody".into()),
            (
                json!({"within": {"time": "1h", "of": {"approval": {"name": "go", "count": 2, "by": ["ann", "bo"]}}}}),
                "within 1h: approval \"go\": 2 of ann, bo".into(),
            ),
            (
                json!({"at_least": {"count": 1, "of": [{"done": id}, {"resource": id}]}}),
                format!("at least 1 of (task/{id} has ended; resource/{id})"),
            ),
            (
                json!({"window": {"cron": "0 22 * * *", "duration": "8h"}}),
                "a window of 8h from each \"0 22 * * *\", UTC".into(),
            ),
            (
                json!({"event": {"type": "TaskFinished", "labels": {"team": "x"}}}),
                "an event TaskFinished with team=x".into(),
            ),
            (
                json!({"http": "http://h/ready"}),
                "http://h/ready answers 200, asked every 30s".into(),
            ),
        ] {
            let expression: Dependency = serde_json::from_value(written).unwrap();
            assert_eq!(needs_text(&expression), told);
        }
    }
}
