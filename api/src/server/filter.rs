//! From a filter as it is written, in either spelling, to one that the read model knows.

use kantoku_domain::{Id, Namespace};
use kantoku_projections::{
    document::ContextDocument,
    query::{Catalogue, Condition, Invalid, Place, cost, mql, text},
};

use super::Api;
use crate::{ApiError, Code, contract::Filter};

/// The field whose values may be the beginning of an id.
const CONTEXT: &str = "context_id";

impl Api {
    /// What both spellings ask of records that have these fields.
    pub(super) async fn condition(
        &self,
        fields: &Catalogue,
        namespace: Option<Namespace>,
        written: &Filter,
        also: Option<&str>,
    ) -> Result<Condition, ApiError> {
        let mut written = written.clone();
        if let Some(value) = written.get_mut(CONTEXT)
            && let Some(text) = value.as_str()
            && fields.entries.iter().any(|entry| entry.name == CONTEXT)
        {
            *value = self.context_id(namespace, text).await?.to_string().into();
        }
        let condition = mql::parse(fields, &written).map_err(|it| invalid("filter", it))?;
        let Some(also) = also else { return Ok(condition) };
        let also = text::parse(fields, also).map_err(|it| invalid("where", it))?;
        let condition = Condition::all([condition, also]);
        cost::check(&condition).map_err(|it| invalid("where", it))?;
        Ok(condition)
    }

    async fn context_id(&self, namespace: Option<Namespace>, text: &str) -> Result<Id, ApiError> {
        let namespace = namespace.unwrap_or_default();
        let id = self.resolve::<ContextDocument>(&namespace, text).await;
        id.map_err(|error| error.field("filter.context_id"))
    }
}

/// The error names the field of the filter, or tells the column of the text.
fn invalid(parameter: &str, error: Invalid) -> ApiError {
    match &error.place {
        Place::Keys(keys) => {
            let field = format!("{parameter}.{}", keys.join("."));
            ApiError::new(Code::Invalid, error.message).field(field)
        }
        Place::Whole | Place::Column(_) => ApiError::new(Code::Invalid, error).field(parameter),
    }
}
