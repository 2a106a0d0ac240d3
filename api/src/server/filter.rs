//! From a filter as it is written to one that the read model knows.

use kantoku_domain::{Id, Namespace, nearest};
use kantoku_projections::{
    document::{ContextDocument, Record},
    reader,
};
use serde_json::Value;

use super::Api;
use crate::{ApiError, Code, contract::Filter};

/// Before the name of a label.
const LABELS: &str = "labels.";

impl Api {
    /// The filter, for records of type `T`. `namespace` is `None` for all of them.
    pub(super) async fn filter<T: Record>(
        &self,
        namespace: Option<Namespace>,
        written: &Filter,
    ) -> Result<reader::Filter, ApiError> {
        let mut filter = reader::Filter { namespace, ..reader::Filter::default() };
        for (field, value) in written {
            let text = value.as_str().ok_or_else(|| not_a_text(field, value))?;
            if let Some(label) = field.strip_prefix(LABELS)
                && T::COLUMNS.contains(&"labels")
            {
                filter.labels.insert(label.to_owned(), text.to_owned());
                continue;
            }
            if !T::COLUMNS.contains(&field.as_str()) {
                return Err(unknown_field::<T>(field));
            }
            let slot = match field.as_str() {
                "status" => &mut filter.status,
                "sub_status" => &mut filter.sub_status,
                "specification" => &mut filter.specification,
                "pipeline" => &mut filter.pipeline,
                "context_id" => {
                    filter.context_id =
                        Some(self.context_id(filter.namespace.clone(), text).await?);
                    continue;
                }
                _ => return Err(unknown_field::<T>(field)),
            };
            *slot = Some(text.to_owned());
        }
        Ok(filter)
    }

    async fn context_id(&self, namespace: Option<Namespace>, text: &str) -> Result<Id, ApiError> {
        let namespace = namespace.unwrap_or_default();
        let id = self.resolve::<ContextDocument>(&namespace, text).await;
        id.map_err(|error| error.field("filter.context_id"))
    }
}

/// The fields by which records of type `T` are filtered, as they are written.
fn fields<T: Record>() -> impl Iterator<Item = &'static str> {
    T::COLUMNS.iter().map(|column| if *column == "labels" { "labels.NAME" } else { column })
}

fn unknown_field<T: Record>(field: &str) -> ApiError {
    let message = if let Some(meant) = nearest(field, fields::<T>()) {
        format!("a {} has no field {field:?}; did you mean {meant:?}?", T::KIND)
    } else {
        let known: Vec<&str> = fields::<T>().collect();
        format!("a {} is not filtered by {field:?}, but by {}", T::KIND, known.join(", "))
    };
    ApiError::new(Code::Invalid, message).field(format!("filter.{field}"))
}

fn not_a_text(field: &str, value: &Value) -> ApiError {
    let what = match value {
        Value::Object(_) => "an operator, and only equality is known",
        _ => "no text",
    };
    let message = format!("{field} is compared with {what}; write {{{field:?}: \"value\"}}");
    ApiError::new(Code::Invalid, message).field(format!("filter.{field}"))
}
