//! Secrets by reference: what a task is given by name is found nowhere but in the task.

use std::{fs::File, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use axum::{Router, http::StatusCode, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};
use uuid::Uuid;

use crate::{
    api::raw::{Answer, send_to},
    stand::{Stand, ktk},
};

const DEADLINE: Duration = Duration::from_secs(90);
const PLANTED: usize = 20;

/// A secret: a text that nothing else holds, within a value.
struct Planted {
    name: String,
    core: String,
    value: String,
}

impl Planted {
    fn draw(number: usize) -> Self {
        let core = Uuid::new_v4().simple().to_string();
        // One that JSON and URLs have to escape.
        let value = if number == 0 { format!("q\"u /{core}% ü") } else { format!("v-{core}-w") };
        Self { name: format!("s{number}"), core, value }
    }

    /// The name of a form in which it stands in `text`.
    fn found_in(&self, text: &str) -> Option<String> {
        let hex: String = self
            .core
            .bytes()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .map(char::from)
            .collect();
        let base64 = (0..3).map(|before| {
            let text = [&vec![0; before], self.core.as_bytes()].concat();
            let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
            STANDARD_NO_PAD.encode(&text)[from..to].to_owned()
        });
        let mut forms = base64.chain([self.core.clone(), self.core.to_uppercase(), hex]);
        forms.find(|form| text.contains(form.as_str()))
    }
}

/// `ktk serve` in a process of its own, which logs all it can, and what it has said.
struct Server {
    child: Child,
    address: SocketAddr,
    key: String,
    answers: Vec<String>,
}

impl Server {
    async fn start(stand: &Stand, dir: &Path) -> Self {
        let (log, first_key) = (dir.join("log"), dir.join("first.key"));
        let mut child = Command::new(ktk())
            .args(["serve", "-o", "json", "--listen", "127.0.0.1:0", "--new-secrets-key"])
            .arg("--secrets-key")
            .arg(dir.join("secrets.key"))
            .arg("--first-key")
            .arg(&first_key)
            .arg("--state-dir")
            .arg(dir.join("state"))
            .env("KTK_NATS_URL", stand.nats_url())
            .env("KTK_DATABASE_URL", stand.database_url())
            .env("KTK_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log).expect("a log"))
            .kill_on_drop(true)
            .spawn()
            .expect("ktk runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = timeout(DEADLINE, lines.next_line()).await.expect("in time").expect("read");
        let document: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let url = document["endpoints"]["api"].as_str().expect("an address");
        let address = url.trim_start_matches("http://").parse().expect("an address");
        let key = std::fs::read_to_string(first_key).expect("a key").trim().to_owned();
        Self { child, address, key, answers: Vec::new() }
    }

    /// An answer, which is kept to be looked through.
    async fn send(&mut self, to: &str, body: &str) -> Answer {
        let headers = format!(
            "Host: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json",
            self.address, self.key
        );
        let answer = send_to(self.address, to, &headers, body).await;
        self.answers.push(answer.body.clone());
        answer
    }

    async fn call(&mut self, method: &str, params: &Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send("POST /rpc", &body.to_string()).await.json()
    }

    async fn result(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.call(method, params).await;
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }
}

/// Answers with what it was sent, in the way that the path says.
async fn echo() -> SocketAddr {
    let app = Router::new()
        .route("/fail", post(|body: String| async move { (StatusCode::IM_A_TEAPOT, body) }))
        .route("/text", post(|body: String| async move { format!("it is {body}") }))
        .route("/same", post(|body: String| async move { body }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// What runs with a secret, and whether it is to end well.
fn executables(web: SocketAddr) -> Vec<(Value, bool)> {
    const READ: &str = r#"v=$(sed 's/.*"s":"\([^"]*\)".*/\1/'); "#;
    let sh = |script: &str| json!({"type": "process", "command": ["sh", "-c", format!("{READ}{script}")]});
    let http = |path: &str| json!({"type": "http", "url": format!("http://{web}/{path}")});
    let rhai = |script: &str| json!({"type": "rhai", "script": script});
    vec![
        (json!({"type": "process", "command": ["sh", "-c", "cat >&2; exit 3"]}), false),
        (sh(r#"echo "all $v of it" >&2; echo '{"o":"fine"}'"#), true),
        (
            sh(
                r#"printf '%s' "${v%????????}" >&2; printf '%s\n' "${v#"${v%????????}"}" >&2; exit 1"#,
            ),
            false,
        ),
        (sh(r#"printf 'user:%s' "$v" | base64 -w 0 >&2; echo '{"o":"fine"}'"#), true),
        (sh(r#"printf '%s' "$v" | od -An -v -tx1 | tr -d ' \n' >&2; exit 1"#), false),
        (sh(r#"printf '{"o":"%s"}' "$v""#), false),
        (sh(r#"printf 'no JSON %s' "$v""#), false),
        (sh(r#"printf '{"outputs":{"o":"x"},"spawn":"%s"}' "$v""#), false),
        (
            sh(
                r#"printf '{"outputs":{"o":"x"},"spawn":[{"key":"k","specification":"t1","inputs":{"s":"%s"}}]}' "$v""#,
            ),
            false,
        ),
        (sh(r#"printf '{"outputs":{"o":"x"},"result":["%s"]}' "$v""#), false),
        (sh(r#"printf '{"outputs":{"%s":"x"}}' "$v""#), false),
        (sh(r#"head -c 9000 /dev/zero | tr '\0' x >&2; echo "$v" >&2; exit 1"#), false),
        (http("fail"), false),
        (http("text"), false),
        (http("same"), false),
        (rhai("#{o: s}"), false),
        (rhai("throw s"), false),
        (rhai("#{o: `${s.len()}`}"), true),
        (json!({"type": "noop"}), true),
        (json!({"type": "sleep", "duration": "1ms", "outputs": {"o": "fine"}}), true),
    ]
}

/// Every stream with all that is in it: buckets and object stores are streams as well.
async fn streams(url: &str) -> Vec<(String, String)> {
    let client = kantoku_streams::connect(url, "search", DEADLINE).await.expect("connected");
    let context = async_nats::jetstream::new(client);
    let names: Vec<String> = context.stream_names().try_collect().await.expect("names");
    let mut found = Vec::new();
    for name in names {
        let stream = context.get_stream(&name).await.expect("there");
        let state = stream.cached_info().state.clone();
        let mut text = String::new();
        for position in state.first_sequence..=state.last_sequence {
            // Some were replaced since.
            let Ok(message) = stream.get_raw_message(position).await else { continue };
            let headers = format!("{:?}", message.headers);
            let payload = String::from_utf8_lossy(&message.payload);
            text.extend([&*message.subject, &*headers, &*payload]);
        }
        found.push((name, text));
    }
    found
}

/// Every row of every table as text.
async fn tables(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.expect("connected");
    let names = sqlx::query(
        "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables \
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
    );
    let names = names.fetch_all(&mut connection).await.expect("names");
    let mut text = String::new();
    for name in names {
        let name: String = name.get(0);
        let query = sqlx::AssertSqlSafe(format!("SELECT t::text FROM {name} t"));
        let mut rows = sqlx::query(query).fetch(&mut connection);
        while let Some(row) = rows.next().await {
            text.push_str(&row.expect("a row").get::<String, _>(0));
        }
    }
    text
}

/// Calls that are wrong, and hold a value.
async fn mistakes(server: &mut Server, value: &str) {
    let long = value.repeat(2_000);
    for params in [
        json!({"name": "x", "value": [value]}),
        json!({"name": "x", "value": {value: value}}),
        json!({"name": "x", "value": long}),
        json!({"name": "x", "valeu": value}),
        json!({"name": "x", "value": "long enough", value: 1}),
        json!({"name": format!("{value} !"), "value": "long enough"}),
        json!({"name": "x", "value": "long enough", "namespace": value.to_uppercase()}),
        json!({"name": "x", "value": "long enough", "if_revision": value}),
        json!([value]),
        json!(value),
    ] {
        let answer = server.call("secret.set", &params).await;
        assert!(answer["error"]["code"].is_number(), "{answer}");
    }
    let spawn = json!({"specification": "t0", "inputs": {"s": {"secret": format!("{value} !")}}});
    assert!(server.call("task.spawn", &spawn).await["error"]["code"].is_number());
    for (to, body) in [
        ("PUT /v1/secrets/x", json!({"value": [value]}).to_string()),
        ("PUT /v1/secrets/x", json!({ value: 1 }).to_string()),
        ("PUT /v1/secrets/x", format!("{{\"value\": \"{value}")),
        ("POST /v1/secrets/x", json!({ "value": value }).to_string()),
    ] {
        let answer = server.send(to, &body).await;
        assert!(answer.status >= 400, "{to}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_planted_secrets_appear_nowhere() {
    let stand = Box::pin(Stand::with_postgres()).await;
    let dir = std::env::temp_dir().join(format!("ktk-secrets-{}", Uuid::new_v4()));
    std::fs::create_dir(&dir).expect("made");
    let mut server = Box::pin(Server::start(&stand, &dir)).await;
    let marker = format!("marker-{}", Uuid::new_v4().simple());
    let planted: Vec<Planted> = (0..PLANTED).map(Planted::draw).collect();
    let executables = executables(echo().await);
    assert_eq!(executables.len(), PLANTED);

    let documents: Vec<Value> = executables.iter().enumerate().map(|(n, (executable, _))| json!({
        "apiVersion": "kantoku/v1", "kind": "Specification", "metadata": {"name": format!("t{n}")},
        "spec": {
            "inputs": {"s": "string", "m": {"optional": "string"}}, "outputs": {"o": {"optional": "unknown"}},
            "executable": executable, "retry": {"attempts": 1},
        },
    })).collect();
    server.result("manifest.apply", &json!({ "documents": documents })).await;
    for secret in &planted {
        let params = json!({"name": secret.name, "value": secret.value});
        server.result("secret.set", &params).await;
        mistakes(&mut server, &secret.value).await;
    }
    // What is no secret stands everywhere: so does what is looked through.
    server.call("task.get", &json!({ "id": marker })).await;
    let mut ended = Vec::new();
    for (n, (_, is_well)) in executables.iter().enumerate() {
        let inputs = json!({"s": {"secret": planted[n].name}, "m": {"value": marker}});
        let spawn = json!({"specification": format!("t{n}"), "inputs": inputs});
        let id = server.result("task.spawn", &spawn).await["task_id"].clone();
        let wait = json!({"id": id, "timeout": "60s"});
        let waited = server.result("task.wait", &wait).await;
        assert_eq!(waited["done"], true, "t{n}: {waited}");
        let expected = if *is_well { "ok" } else { "failed" };
        assert_eq!(waited["sub_status"], expected, "t{n}: {waited}");
        ended.push((id, waited["stream_seq"].clone()));
    }
    for (id, seq) in ended {
        server.result("task.get", &json!({"id": id, "min_seq": seq, "timeout": "60s"})).await;
        server.result("task.attempts", &json!({ "id": id })).await;
        server.result("task.logs", &json!({ "id": id })).await;
    }
    for to in ["/v1/secrets", "/v1/secrets/s1", "/v1/audit", "/v1/events", "/openapi.json"] {
        assert_eq!(server.send(&format!("GET {to}"), "").await.status, 200, "{to}");
    }
    server.result("rpc.discover", &json!({})).await;
    let metrics = server.send("GET /metrics", "").await.body;
    let mut places = streams(stand.nats_url()).await;
    places.push(("tables".into(), tables(stand.database_url()).await));
    server.child.kill().await.expect("ended");
    places.push(("log".into(), std::fs::read_to_string(dir.join("log")).expect("a log")));
    places.push(("answers".into(), server.answers.join("\n")));
    places.push(("metrics".into(), metrics));

    let text = |name: &str| &places.iter().find(|(place, _)| place == name).expect(name).1;
    for place in ["KTK_EVENTS", "KTK_LOGS", "tables", "log", "answers"] {
        assert!(text(place).contains(&marker), "{place} does not hold what is no secret");
    }
    for (place, known) in [
        ("KTK_AUDIT", "secret.set"),
        ("KV_ktk_secrets", "\"sealed\""),
        ("KV_ktk_keys", "first"),
        ("metrics", "ktk_"),
        ("KTK_LOGS", "[secret s1]"),
        ("KTK_EVENTS", "[secret s4]"),
        ("answers", "[secret s12]"),
    ] {
        assert!(text(place).contains(known), "{place} does not hold {known}");
    }
    for (place, text) in &places {
        for secret in &planted {
            let found = secret.found_in(text);
            assert_eq!(found, None, "{place} holds {}, {}", secret.name, secret.value);
        }
    }
    assert!(planted[0].found_in(&format!("a{}b", planted[0].value)).is_some());
    std::fs::remove_dir_all(dir).expect("removed");
    Box::pin(stand.stop()).await;
}
