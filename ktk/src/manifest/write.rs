//! Values as YAML that [`super::yaml`] reads back as the same.

use serde::Serialize;

use crate::error::{CommandError, Exit};

/// One document, ending with a line end.
pub(crate) fn to_yaml<T: Serialize>(value: &T) -> Result<String, CommandError> {
    serde_saphyr::to_string(value).map_err(|error| {
        CommandError::new(Exit::Error, format!("cannot be written as YAML: {error}"))
    })
}
