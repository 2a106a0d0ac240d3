//! Clients label what they spawn with the name of the call: what became of each is counted in the
//! rows, keys or no keys.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

/// Tasks that a call made itself.
const LABELLED: &str = "SELECT document -> 'labels' ->> 'op', count(*) FROM ktk.tasks \
    WHERE document ->> 'parent_id' IS NULL AND document ->> 'restart_parent' IS NULL \
    AND document ->> 'step' IS NULL AND document -> 'labels' ? 'op' GROUP BY 1";

/// What a client was told of a call, the best of all tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Refused,
    Unknown,
    Accepted,
}

/// Calls that made more or less than they said.
pub(crate) async fn broken_words(dir: &Path, database: &str) -> Result<Vec<String>, sqlx::Error> {
    let words = words(dir)?;
    let mut connection = PgConnection::connect(database).await?;
    let counted: Vec<(String, i64)> = sqlx::query_as(LABELLED).fetch_all(&mut connection).await?;
    let counted: BTreeMap<String, i64> = counted.into_iter().collect();
    let mut broken = Vec::new();
    for (op, word) in words {
        let count = counted.get(&op).copied().unwrap_or_default();
        let is_kept = match word {
            Word::Refused => count == 0,
            Word::Unknown => count <= 1,
            Word::Accepted => count == 1,
        };
        if !is_kept {
            broken.push(format!("spawn {op} was {word:?}, and there are {count} tasks of it"));
        }
    }
    Ok(broken)
}

/// By spawn.
fn words(dir: &Path) -> io::Result<BTreeMap<String, Word>> {
    let mut words = BTreeMap::new();
    for path in journals(dir)? {
        for line in fs::read_to_string(path)?.lines() {
            let line: Value = serde_json::from_str(line).map_err(io::Error::other)?;
            let (Some(op), true) = (line["op"].as_str(), line["method"] == "task.spawn") else {
                continue;
            };
            let word = match line["phase"].as_str() {
                Some("ok") => Word::Accepted,
                Some("fail") => Word::Refused,
                Some("unknown") => Word::Unknown,
                _ => continue,
            };
            let best = words.entry(op.to_owned()).or_insert(word);
            *best = word.max(*best);
        }
    }
    Ok(words)
}

fn journals(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let dir = dir.join("clients");
    if !dir.exists() {
        return Ok(Vec::new());
    }
    dir.read_dir()?.map(|entry| Ok(entry?.path())).collect()
}
