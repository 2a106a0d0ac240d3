//! Every method, with its schemas.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    transform::transform_subschemas,
};
use serde_json::Value;

use super::{merge, tidy};
use crate::contract::{self, Method, Subscription, Visitor};

/// Which JSON Schema it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Draft 7, as `OpenRPC` has it.
    Draft07,
    /// Draft 2020-12, as `OpenAPI` has it.
    Draft2020,
}

/// A method.
pub(crate) struct Described {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) summary: String,
    /// The schema of its parameters, an object.
    pub(crate) params: Value,
    /// The schema of its answer.
    pub(crate) answer: Value,
    /// Of a subscription.
    pub(crate) notices: Option<Notices>,
}

/// What a subscription has to say.
pub(crate) struct Notices {
    /// The method that ends it.
    pub(crate) unsubscribe: &'static str,
    /// The schema of what each notification holds.
    pub(crate) item: Value,
}

/// All methods, and the schemas that theirs refer to by `#/components/schemas/NAME`.
pub(crate) struct Description {
    /// In the order of the contract.
    pub(crate) methods: Vec<Described>,
    /// By name.
    pub(crate) schemas: BTreeMap<String, Value>,
}

impl Description {
    /// Of the whole contract.
    pub(crate) fn of(dialect: Dialect) -> Self {
        let mut describing = Describing {
            given: generator(dialect, Contract::Deserialize),
            told: generator(dialect, Contract::Serialize),
            methods: Vec::new(),
        };
        contract::visit(&mut describing);
        describing.told.subschema_for::<crate::ErrorData>();
        let Describing { mut given, mut told, mut methods } = describing;
        let (given, told) = (given.take_definitions(true), told.take_definitions(true));
        let (schemas, renamed) = merge::merge(given, told);
        for method in &mut methods {
            merge::rename(&mut method.params, &renamed);
        }
        Self { methods, schemas }
    }

    /// The method of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Described> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// What a schema that may be a reference says.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(merge::referred);
        name.and_then(|name| self.schemas.get(name)).unwrap_or(schema)
    }
}

pub(super) fn generator(dialect: Dialect, contract: Contract) -> SchemaGenerator {
    let settings = match dialect {
        Dialect::Draft07 => SchemaSettings::draft07(),
        Dialect::Draft2020 => SchemaSettings::draft2020_12(),
    };
    let settings = settings.with(|settings| {
        settings.definitions_path = Cow::Borrowed(merge::COMPONENTS);
        settings.contract = contract;
    });
    settings.with_transform(everywhere).into_generator()
}

fn everywhere(schema: &mut Schema) {
    tidy::tidy(schema);
    transform_subschemas(&mut everywhere, schema);
}

struct Describing {
    /// Of what is read.
    given: SchemaGenerator,
    /// Of what is written.
    told: SchemaGenerator,
    methods: Vec<Described>,
}

impl Describing {
    fn params<P: JsonSchema>(&mut self) -> Value {
        // Parameters are taken apart by whoever documents them, so theirs is no reference.
        let schema = P::json_schema(&mut self.given);
        finished(&mut self.given, schema)
    }

    fn told<T: JsonSchema>(&mut self) -> Value {
        let schema = self.told.subschema_for::<T>();
        finished(&mut self.told, schema)
    }
}

impl Visitor for Describing {
    fn method<M: Method>(&mut self) {
        let params = self.params::<M::Params>();
        let mut answer = self.told::<M::Answer>();
        if tidy::selects_fields(&params) {
            answer = tidy::of_parts(answer);
        }
        let summary = tidy::prose(M::SUMMARY);
        self.methods.push(Described { name: M::NAME, summary, params, answer, notices: None });
    }

    fn subscription<S: Subscription>(&mut self) {
        let params = self.params::<S::Params>();
        let notices = Notices { unsubscribe: S::UNSUBSCRIBE, item: self.told::<S::Item>() };
        let answer = self.told::<u64>();
        let (name, summary) = (S::NAME, tidy::prose(S::SUMMARY));
        self.methods.push(Described { name, summary, params, answer, notices: Some(notices) });
    }
}

/// With the changes that definitions are given, too.
pub(super) fn finished(generator: &mut SchemaGenerator, mut schema: Schema) -> Value {
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    schema.into()
}
