//! The schema of one type.

use schemars::{JsonSchema, generate::Contract};
use serde_json::{Map, Value};

use super::{
    Dialect,
    describe::{finished, generator},
    merge::referred,
};

/// The schema of a type, with those that it refers to.
#[derive(Clone, Debug)]
pub struct TypeSchema {
    root: Value,
    schemas: Map<String, Value>,
}

impl TypeSchema {
    /// Of a type as it is read: what may be left out is not required.
    pub fn given<T: JsonSchema>() -> Self {
        Self::of::<T>(Contract::Deserialize)
    }

    /// Of a type as it is written.
    pub fn told<T: JsonSchema>() -> Self {
        Self::of::<T>(Contract::Serialize)
    }

    fn of<T: JsonSchema>(contract: Contract) -> Self {
        let mut generator = generator(Dialect::Draft2020, contract);
        let schema = generator.subschema_for::<T>();
        let root = finished(&mut generator, schema);
        Self { root, schemas: generator.take_definitions(true) }
    }

    /// The schema of the type itself.
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// The name of the schema that `schema` refers to, if it is a reference, and that schema.
    pub fn referred<'a>(&'a self, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(referred)?;
        self.schemas.get(name).map(|schema| (name, schema))
    }
}
