//! The lines once more, as the tables of docs/performance.md, on stderr.

use serde_json::Value;

/// Tells our lines, then what was compared with peers.
pub(crate) fn tell(ours: &[Value], theirs: &[Value]) {
    if let Some(first) = ours.first() {
        let of = |name: &str| first[name].as_str().unwrap_or("unknown").to_owned();
        eprintln!(
            "\n{}; nats-server {}, Postgres {}; {}\n",
            of("machine"),
            of("nats"),
            of("postgres"),
            of("durability")
        );
        eprintln!(
            "| | figure | CPU µs each: ktk, nats, postgres, client | more |\n|---|---|---|---|"
        );
    }
    for line in ours {
        let more = &line["more"];
        let cpu =
            ["ktk", "nats", "postgres", "client"].map(|name| number(&more["cpu_us_each"][name]));
        let cpu = if more["cpu_us_each"].is_null() { "–".to_owned() } else { cpu.join(", ") };
        let name = text(&line["workload"]);
        eprintln!("| {name} | {} | {cpu} | {} |", figure(&name, line), others(more));
    }
    let compared: Vec<&Value> = theirs.iter().filter(|line| line["compared"].is_string()).collect();
    if !compared.is_empty() {
        eprintln!(
            "\n| peer | workload | figure | ours | theirs | times as good |\n|---|---|---|---|---|---|"
        );
    }
    for line in compared {
        let [peer, workload, figure] = ["peer", "workload", "figure"].map(|name| text(&line[name]));
        let [ours, theirs, times] =
            ["ours", "theirs", "times_as_good"].map(|name| number(&line[name]));
        eprintln!("| {peer} | {workload} | {figure} | {ours} | {theirs} | {times} |");
    }
}

/// What is quoted of a workload.
fn figure(name: &str, line: &Value) -> String {
    let percentiles = || format!("{} / {} ms", number(&line["p50_ms"]), number(&line["p99_ms"]));
    let seconds = line["seconds"].as_f64().unwrap_or_default();
    match name {
        "W1" | "W7 W1" => format!("{} tasks/s", number(&line["rate"])),
        "W4" | "W7 W4" | "W8 list" | "W8 count" => percentiles(),
        "W2" | "W5 rhai" | "W5 process" => {
            let n = line["n"].as_f64().unwrap_or(1.0);
            format!("{} ms a task", shown(seconds * 1_000.0 / n))
        }
        apart if apart.starts_with("W10") => format!("{} tasks/s", number(&line["rate"])),
        _ => format!("{} s", shown(seconds)),
    }
}

/// Everything else that is a number, by name; of hops, each.
fn others(more: &Value) -> String {
    let hops = more["hops_ms"].as_object().into_iter().flatten();
    let fields = more.as_object().into_iter().flatten().chain(hops);
    let numbers = fields.filter(|(_, value)| value.is_number());
    let named =
        numbers.map(|(name, value)| format!("{} {}", name.replace('_', " "), number(value)));
    named.collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> String {
    value.as_f64().map_or_else(|| "–".to_owned(), shown)
}

/// Three digits say all that such a figure can.
fn shown(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        medium if medium >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}
