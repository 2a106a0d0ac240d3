//! The pages under `docs/semantics`, `docs/operations` and `docs/api`: what they show is what happens.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod page;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../cli/stand.rs"]
mod stand;

use std::{path::Path, process::Command};

use page::Block;

use crate::stand::{Stand, stand, text};

#[test]
fn every_example_of_the_pages_is_true() {
    let stand = stand!();
    let status = stand.ok_json(stand.ktk(&["dev", "status", "-o", "json"]));
    let url = status["endpoints"]["api"].as_str().unwrap();
    for (folder, least) in [("semantics", 20), ("operations", 20), ("api", 4)] {
        if folder == "api" && Command::new("curl").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no curl to follow the pages of docs/api with");
            continue;
        }
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(folder);
        let mut run = 0;
        for entry in std::fs::read_dir(pages).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                run += follow(&stand, url, &path);
            }
        }
        assert!(run > least, "{run} commands are too few: the pages were not understood");
    }
}

/// Where pages say that the API is.
const SHOWN_URL: &str = "http://127.0.0.1:7300";

/// Does what a page says, in a namespace and a directory of its own; how many commands that were.
fn follow(stand: &Stand, url: &str, path: &Path) -> usize {
    let name = path.file_stem().unwrap().to_str().unwrap().to_lowercase();
    // Each folder has a first page of one name.
    let dir = stand.dir().join(&name);
    std::fs::create_dir_all(&dir).unwrap();
    let mut run = 0;
    for block in page::blocks(&std::fs::read_to_string(path).unwrap()) {
        match block {
            Block::File(name, text) => std::fs::write(dir.join(name), text).unwrap(),
            Block::Commands(commands) => {
                for shown in commands {
                    let command = shown.command.replace(SHOWN_URL, url);
                    let output = stand.sh(&command, &dir, &name);
                    let said = text(&output.stdout) + &text(&output.stderr);
                    let place = format!("{}: $ {}\n{said}", path.display(), shown.command);
                    assert_eq!(output.status.code(), Some(shown.exit_code), "{place}");
                    assert_eq!(shown.missing(&said), None, "{place}");
                    run += 1;
                }
            }
        }
    }
    run
}
