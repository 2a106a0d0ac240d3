//! The reference for people, made of the documents for programs: one page without scripts.

mod html;
mod schema;

use std::sync::LazyLock;

use serde_json::Value;

use super::openapi::OPENAPI;
use crate::{Code, schema::OPENRPC};
use html::{escaped, paragraphs};

/// How it looks.
pub(super) const STYLE: &str = include_str!("style.css");

/// The page, as it is served.
pub(super) static PAGE: LazyLock<String> = LazyLock::new(|| {
    let parse = |text: &str| serde_json::from_str(text).expect("the document is JSON");
    page(&parse(&OPENAPI), &parse(&OPENRPC))
});

fn page(rest: &Value, rpc: &Value) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Kantoku: reference</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n\
         <h1>Kantoku: reference</h1>\n",
    );
    page.push_str(&paragraphs(rest["info"]["description"].as_str().unwrap_or_default()));
    page.push_str(
        "<p>For programs: <a href=\"/openapi.json\">/openapi.json</a> and \
         <a href=\"/openrpc.json\">/openrpc.json</a>.</p>\n\
         <nav><ul><li><a href=\"#errors\">Errors</a></li>\
         <li><a href=\"#rest\">REST</a></li><li><a href=\"#rpc\">JSON-RPC</a></li>\
         <li><a href=\"#schemas\">Documents</a></li></ul></nav>\n",
    );
    errors(&mut page);
    page.push_str("<h2 id=\"rest\">REST</h2>\n");
    for (path, verbs) in rest["paths"].as_object().into_iter().flatten() {
        for (verb, operation) in verbs.as_object().into_iter().flatten() {
            route(&mut page, path, verb, operation);
        }
    }
    page.push_str("<h2 id=\"rpc\">JSON-RPC</h2>\n");
    for told in rpc["methods"].as_array().into_iter().flatten() {
        method(&mut page, told);
    }
    page.push_str("<h2 id=\"schemas\">Documents</h2>\n");
    for (name, told) in rest["components"]["schemas"].as_object().into_iter().flatten() {
        page.extend([format!("<h3 id=\"schema-{name}\">{name}</h3>\n")]);
        page.push_str(&schema::section(told));
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn errors(page: &mut String) {
    page.push_str(
        "<h2 id=\"errors\">Errors</h2>\n<p>Over REST an error is \
         <code>application/problem+json</code> with the status of its code.</p>\n\
         <table>\n<tr><th>code</th><th>status</th><th>reason</th><th>what it means</th></tr>\n",
    );
    for code in Code::all() {
        let (number, status) = (code.number(), code.status().as_u16());
        let (reason, about) = (code.reason(), escaped(code.about()));
        page.extend([format!(
            "<tr id=\"error{number}\"><td>{number}</td><td>{status}</td>\
             <td><code>{reason}</code></td><td>{about}</td></tr>\n"
        )]);
    }
    page.push_str("</table>\n");
}

fn route(page: &mut String, path: &str, verb: &str, operation: &Value) {
    let id = operation["operationId"].as_str().unwrap_or_default();
    let verb = verb.to_uppercase();
    page.extend([format!(
        "<h3 id=\"rest-{id}\"><a href=\"#rest-{id}\"><code>{verb} {}</code></a></h3>\n",
        escaped(path)
    )]);
    for text in ["summary", "description"] {
        page.push_str(&paragraphs(operation[text].as_str().unwrap_or_default()));
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let rows = parameters.map(|parameter| {
        let place = parameter["in"].as_str().unwrap_or_default();
        let in_content = &parameter["content"]["application/json"]["schema"];
        let schema = parameter.get("schema").unwrap_or(in_content);
        schema::row(&parameter["name"], place, schema, parameter["required"] == true)
    });
    page.push_str(&schema::table("where", rows));
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        page.push_str("<p>The body:</p>\n");
        page.push_str(&schema::section(body));
    }
    for (status, told) in operation["responses"].as_object().into_iter().flatten() {
        let answer = &told["content"]["application/json"]["schema"];
        if !answer.is_null() {
            page.extend([format!("<p>{status}: {}</p>\n", schema::type_of(answer))]);
        }
    }
}

fn method(page: &mut String, told: &Value) {
    let name = told["name"].as_str().unwrap_or_default();
    page.extend([format!(
        "<h3 id=\"rpc-{name}\"><a href=\"#rpc-{name}\"><code>{name}</code></a></h3>\n"
    )]);
    page.push_str(&paragraphs(told["summary"].as_str().unwrap_or_default()));
    let params = told["params"].as_array().into_iter().flatten();
    let rows = params
        .map(|param| schema::row(&param["name"], "", &param["schema"], param["required"] == true));
    page.push_str(&schema::table("", rows));
    page.extend([format!("<p>Answer: {}</p>\n", schema::type_of(&told["result"]["schema"]))]);
    let item = &told["x-notification"]["params"]["result"];
    if !item.is_null() {
        page.extend([format!("<p>Each notification: {}</p>\n", schema::type_of(item))]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn links_lead_somewhere_and_nothing_comes_from_elsewhere() {
        let after = |text: &'static str| {
            let parts = PAGE.split(text).skip(1);
            parts.map(|part| part.split('"').next().unwrap_or_default().to_owned())
        };
        let ids: Vec<String> = after(" id=\"").collect();
        let known: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(known.len(), ids.len(), "ids are unique");
        for target in after(" href=\"") {
            let is_known = target.strip_prefix('#').is_none_or(|id| known.contains(id));
            assert!(is_known && !target.contains("//"), "{target}");
        }
        for foreign in ["<script", " src=", " style=", " onclick="] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }
}
