//! What the API says of itself: its methods with the JSON schemas of what they take and answer,
//! made from the very types that are read and written.

mod describe;
mod merge;
mod openrpc;
mod tidy;
mod type_schema;
#[cfg(test)]
mod typescript;

use std::sync::LazyLock;

pub(crate) use describe::{Described, Description, Dialect};
pub use type_schema::TypeSchema;

/// The `OpenRPC` document, as it is served.
pub(crate) static OPENRPC: LazyLock<String> = LazyLock::new(|| written(&openrpc::document()));

/// The version of the interface: that of this build.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the documents are about, for people.
pub(crate) const ABOUT: &str = "Kantoku executes tasks that read and write resources. Every change \
    is an event; writes answer with its position, `stream_seq`, and reads that are given it as \
    `min_seq` see what was written.";

/// A document as it is served and committed.
pub(crate) fn written(document: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("documents have texts as keys");
    text.push('\n');
    text
}

/// Compares a document with the one that is committed at `path`; writes it instead if
/// `KTK_WRITE_DOCS` is set.
#[cfg(test)]
pub(crate) fn assert_committed(path: &str, document: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("KTK_WRITE_DOCS").is_some() {
        std::fs::write(&file, document).expect("written");
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == document,
        "{path} is not what the types say; run the tests of kantoku-api with \
         KTK_WRITE_DOCS=1, and look at the difference"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        assert_committed("docs/api/openrpc.json", &OPENRPC);
    }
}
