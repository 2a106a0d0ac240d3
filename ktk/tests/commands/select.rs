//! `-o jsonpath=` and `-o custom-columns=`, `ktk graph` and completion.

use crate::{
    Own, failed_context,
    stand::{Stand, stand, text},
};

#[test]
fn some_of_a_document_can_be_taken() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "select" };
    let context = failed_context(&stand, own.namespace);
    let take = |format: &str| own.ok(&["get", "tasks", "--context", &context, "-o", format]);
    let steps = take("jsonpath={range .items[*]}{.step}={.status}{\"\\n\"}{end}");
    let mut steps: Vec<&str> = steps.lines().collect();
    steps.sort_unstable();
    assert_eq!(steps, ["first=finished", "second=finished", "third=skipped"]);
    assert_eq!(take("jsonpath={.items[?(@.step=='third')].sub_status}"), "null");
    let table = take("custom-columns=STEP:.step,WHERE:.sub_status,NONE:.nothing.at.all");
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["STEP", "WHERE", "NONE"]);
    assert!(table.contains("second") && table.contains("<none>"), "{table}");
    // Whatever prints a document takes it, and a stream of documents one by one.
    assert_eq!(own.ok(&["tree", &context, "-o", "jsonpath={.context.status}"]), "failed");
    let events = ["events", "log", "--context", &context, "-o", "custom-columns=TYPE:.type"];
    let events = own.ok(&events);
    assert_eq!(events.lines().filter(|line| *line == "TYPE").count(), 1, "{events}");
    assert!(events.lines().count() > 5, "{events}");

    let wrong = own.ends(&["get", "tasks", "-o", "jsonpath={.items[}"], 2);
    let stderr = text(&wrong.stderr);
    assert!(stderr.contains("this [ is not closed, at character 8 of "), "{stderr}");
}

#[test]
fn a_context_is_drawn_in_all_languages() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "graph" };
    let context = failed_context(&stand, own.namespace);
    let graph = |format: &str| own.ok(&["graph", &context, "-o", format]);
    let dot = graph("dot");
    assert!(dot.starts_with("digraph \"sad context/") && dot.contains("n0 -> n1;"), "{dot}");
    assert!(graph("mermaid").contains("flowchart LR\n  n0[\"first<br/>"), "{}", graph("mermaid"));
    let svg = graph("svg");
    assert!(
        svg.starts_with("<svg ") && svg.contains("✖ failed") && svg.contains("⊘ skipped"),
        "{svg}"
    );
    assert_eq!(svg, graph("svg"), "it is always the same");
    assert!(graph("tree").contains("second"), "{}", graph("tree"));
    own.ends(&["get", "tasks", "-o", "svg"], 2);
}

#[test]
fn a_shell_is_told_the_names_that_the_server_knows() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "complete" };
    failed_context(&stand, own.namespace);
    let completed = |words: &[&str]| {
        let words = [&["--", "ktk", "-n", own.namespace], words].concat();
        let last = (words.len() - 2).to_string();
        let asked = own.stand.ktk(&words).env("KTK_COMPLETE", "bash");
        let asked = asked.env("_CLAP_COMPLETE_INDEX", &last).env("_CLAP_IFS", "\n");
        own.stand.ok(asked.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true"))
    };
    assert_eq!(completed(&["run", "s"]).trim(), "sad");
    let names = completed(&["get", "specifications", ""]);
    let names: Vec<&str> = names.lines().filter(|word| !word.starts_with('-')).collect();
    assert_eq!(names, ["fail", "rest", "talk"]);
    assert_eq!(completed(&["describe", "pipeline/s"]).trim(), "pipeline/sad");
    assert!(completed(&["get", "pip"]).contains("pipelines"));
    // Nobody there: no names, no error, and no waiting.
    let nobody = completed(&["--api-url", "http://127.0.0.1:1", "run", "s"]);
    assert_eq!(nobody.trim(), "");
}
