//! The page of guarantees names the tests that show them: each has to be there.

use std::{collections::BTreeSet, fs, path::Path};

/// The names that a page has in backticks and that have the form of a test's: words joined by at
/// least three underscores.
fn named(page: &str) -> BTreeSet<&str> {
    let is_name = |text: &&str| {
        text.matches('_').count() >= 3
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    page.split('`').filter(is_name).collect()
}

/// The functions of all sources under `folder`.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            functions(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            // Tests of the harness' defects are made by a macro, from a list of `name: [defects]`.
            let words = source.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let mut previous = "";
            for word in words.filter(|word| !word.is_empty()) {
                if previous == "fn" || word.ends_with(':') {
                    found.insert(word.trim_end_matches(':').to_owned());
                }
                previous = word;
            }
        }
    }
}

#[test]
fn every_test_that_the_guarantees_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/guarantees.md")).expect("the page");
    let mut found = BTreeSet::new();
    functions(&root, &mut found);
    let named = named(&page);
    assert!(named.len() > 20, "{} names are too few: the page was not understood", named.len());
    let missing: Vec<&&str> = named.iter().filter(|name| !found.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/guarantees.md names tests that are not there: {missing:?}");
}
