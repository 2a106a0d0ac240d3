//! Keys, roles and namespaces, as those see them who call.

mod cross;
mod keys;
mod typescript;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use kantoku_api::server::{AccessPolicy, ApiConfig, first_key};
use kantoku_domain::access::Role;
use serde_json::{Value, json};

use super::{
    DEADLINE, Served, pass,
    raw::{self, Answer},
};

/// A server that asks for keys, and the first of them.
struct Guarded {
    served: Served,
    root: String,
}

impl Guarded {
    async fn start() -> Self {
        let config = ApiConfig { access: AccessPolicy::Keys, ..ApiConfig::new("api-1") };
        let served = Box::pin(Served::with(config)).await;
        let root = first_key(&served.stand.bus).await.expect("NATS answers").expect("the first");
        let guarded = Self { served, root };
        guarded.until_it_opens(&guarded.root).await;
        guarded
    }

    /// Keys are taken up within seconds of their making.
    async fn until_it_opens(&self, key: &str) {
        let info = request("system.info", &json!({}));
        until("the key opens", async || {
            (self.post(Some(key), &info).await.status == 200).then_some(())
        })
        .await;
    }

    /// A key that holds in `namespaces`.
    async fn key(&self, role: Role, more: &Value) -> (String, String) {
        let mut params = json!({ "name": format!("a {role}"), "role": role });
        let members = more.as_object().expect("an object").clone();
        params.as_object_mut().expect("an object").extend(members);
        let made = self.result(&self.root, "key.create", &params).await;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&made["key"]["id"]), text(&made["secret"]))
    }

    async fn post(&self, key: Option<&str>, body: &Value) -> Answer {
        post(self.served.address, key, body).await
    }

    /// What a call comes to, the error's `trace_id` left out.
    async fn answer(&self, key: &str, method: &str, params: &Value) -> Value {
        let answer = self.post(Some(key), &request(method, params)).await;
        untraced(answer.json())
    }

    async fn result(&self, key: &str, method: &str, params: &Value) -> Value {
        let answer = self.answer(key, method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
}

/// Looks again and again until there is something.
pub(super) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("{what}: never"))
}

fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

async fn post(address: SocketAddr, key: Option<&str>, body: &Value) -> Answer {
    let key = key.map(|key| format!("\r\nAuthorization: Bearer {key}")).unwrap_or_default();
    let headers = format!("Host: {address}\r\nContent-Type: application/json{key}");
    raw::send(address, "POST", &headers, &body.to_string()).await
}

/// Without what differs from call to call.
fn untraced(mut answer: Value) -> Value {
    let answers = match &mut answer {
        Value::Array(answers) => answers.iter_mut().collect(),
        one => vec![one],
    };
    for answer in answers {
        if let Some(data) = answer.pointer_mut("/error/data") {
            data.as_object_mut().expect("an object").remove("trace_id");
        }
    }
    answer
}

/// Of each method, as docs/operations/access.md tells: the role, and where it has to hold.
fn told() -> BTreeMap<String, (Role, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/access.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| {
        let mut cells = row.trim_end_matches(" |").split(" | ");
        let mut next = || cells.next().expect("three cells").to_owned();
        let (method, role, place) = (next(), next(), next());
        let role = role.parse().expect("a role");
        (method.trim_end_matches('`').to_owned(), (role, place))
    });
    rows.collect()
}
