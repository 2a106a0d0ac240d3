//! Names fit for manifests, from whatever a recorder wrote.

use kantoku_domain::{Name, digest};

/// How much of a pipeline's name its specifications carry, and of a task's id.
const PART_MAX: usize = 100;

/// The pipeline's name.
pub(super) fn pipeline(recorded: Option<&str>) -> Name {
    let fitted = fit(recorded.unwrap_or_default(), "/", 2 * PART_MAX);
    fitted.parse().or_else(|_| "workflow".parse()).expect("a name")
}

/// The name of a task's specification. Two tasks never share one: an id that does not fit, or that
/// had to be changed, is told apart by its digest.
pub(super) fn specification(pipeline: &Name, id: &str) -> Name {
    let name = format!("wf/{}/{}", distinct(pipeline.as_str(), "/"), distinct(id, ""));
    name.parse().expect("fitted")
}

fn distinct(text: &str, also: &str) -> String {
    let fitted = fit(text, also, PART_MAX);
    if fitted == text {
        return fitted;
    }
    let digest = digest(&text);
    let digest = &digest["sha256:".len()..][..16];
    if fitted.is_empty() { digest.to_owned() } else { format!("{fitted}-{digest}") }
}

/// `text` with `-` for everything that a name cannot hold, trimmed at both ends, at most `max`
/// characters long. Of the punctuation of names, `also` may stay besides `_`, `-` and `.`.
fn fit(text: &str, also: &str, max: usize) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c) || also.contains(c);
    let fitted = text.chars().take(max).map(|c| if is_kept(c) { c } else { '-' });
    let fitted: String = fitted.collect();
    fitted.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}
