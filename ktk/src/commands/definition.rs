//! What is declared now, whatever its kind.

use kantoku_api::contract::{PipelineGet, PolicyGet, SpecificationGet, TypeGet};
use kantoku_domain::Problem;
use serde_json::Value;

use crate::{
    error::{CommandError, Exit},
    kind::Kind,
    manifest::Declared,
    output::Row,
    session::Session,
};

/// Something that is declared, and its version.
pub(super) struct Current {
    /// What it says.
    pub(super) declared: Declared,
    /// Which version that is.
    pub(super) version: u64,
}

/// What is declared as `kind/name`. Of what cannot be declared, an error says so.
pub(super) async fn current(
    kind: Kind,
    name: &str,
    session: &Session,
) -> Result<Current, CommandError> {
    let params = session.version(name)?;
    let manifest = match kind {
        Kind::Specification => manifest(&session.call::<SpecificationGet>(&params).await, kind),
        Kind::Type => manifest(&session.call::<TypeGet>(&params).await, kind),
        Kind::Pipeline => manifest(&session.call::<PipelineGet>(&params).await, kind),
        Kind::Policy => manifest(&session.call::<PolicyGet>(&session.policy(name)?).await, kind),
        _ => Err(CommandError::usage(format!("{} are not declared by manifests", kind.plural()))),
    }?;
    let unreadable = |problem: Problem| {
        let message = format!("what the server says of {kind}/{name} cannot be read: {problem}");
        CommandError::new(Exit::Error, message).advise("ktk version")
    };
    let declared = Declared::read(&manifest).map_err(unreadable)?;
    let version = manifest["metadata"]["version"].as_u64().unwrap_or_default();
    Ok(Current { declared, version })
}

fn manifest<T: Row>(answer: &Result<T, CommandError>, kind: Kind) -> Result<Value, CommandError> {
    let document = answer.as_ref().map_err(|error| error.clone().or_list(kind))?;
    document.to_manifest().map_err(|error| CommandError::new(Exit::Error, error.to_string()))
}
