//! JSON schemas as fields.

use kantoku_api::TypeSchema;
use serde::Serialize;
use serde_json::Value;

/// How deep fields of fields are shown; types that hold themselves end before that.
const DEPTH_MAX: usize = 16;

/// A field, as people see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Field {
    /// The way to it, or its name among the fields of another.
    pub(super) name: String,
    /// Its type, e.g. `map[string]Step`.
    #[serde(rename = "type")]
    pub(super) type_: String,
    /// Whether it has to be given, or is always there.
    pub(super) required: bool,
    /// What it is.
    pub(super) description: String,
    /// The values that it can have, if those are few.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<Value>,
    /// What it is unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Value>,
    /// Of which variants it is, e.g. `type: process`; of all if none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) of: Vec<String>,
    /// What it consists of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<Field>,
}

/// A property of a schema.
#[derive(Clone, Debug)]
pub(super) struct Property<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
    pub(super) is_required: bool,
    /// The other schemas of the property of this name, and of which variants it is.
    others: Vec<&'a Value>,
    of: Vec<String>,
}

/// The shapes of the values that a schema allows.
pub(super) struct Shapes<'a> {
    schema: &'a TypeSchema,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(schema: &'a TypeSchema) -> Self {
        Self { schema }
    }

    /// Of the whole.
    pub(super) fn root(&self) -> &'a Value {
        self.schema.root()
    }

    /// What a value consists of, or each value of a list or a map.
    pub(super) fn fields(&self, schema: &'a Value) -> Vec<Property<'a>> {
        let (_, schema) = self.resolve(self.element(schema));
        let mut fields = Vec::new();
        Self::add(schema, None, &mut fields);
        for variant in variants(schema) {
            let (_, variant) = self.resolve(variant);
            Self::add(variant, tag(variant).as_ref(), &mut fields);
        }
        fields
    }

    /// A field, with its fields, and with theirs if it is to be `recursive`.
    pub(super) fn describe(
        &self,
        name: &str,
        schema: &'a Value,
        is_required: bool,
        recursive: bool,
    ) -> Field {
        let depth = if recursive { DEPTH_MAX } else { 1 };
        let property = Property { name, schema, is_required, others: Vec::new(), of: Vec::new() };
        self.field(&property, depth, &mut Vec::new())
    }

    fn field(&self, property: &Property<'a>, depth: usize, within: &mut Vec<&'a str>) -> Field {
        let schema = property.schema;
        let mut values = self.values(schema);
        for other in &property.others {
            values.extend(
                self.values(other)
                    .into_iter()
                    .filter(|it| !values.contains(it))
                    .collect::<Vec<_>>(),
            );
        }
        let (element, _) = self.resolve(self.element(schema));
        let is_within = element.is_some_and(|name| within.contains(&name));
        let mut fields = Vec::new();
        if depth > 0 && !is_within {
            within.extend(element);
            let properties = self.fields(schema);
            fields.extend(properties.iter().map(|it| self.field(it, depth - 1, within)));
            within.truncate(within.len() - usize::from(element.is_some()));
        }
        Field {
            name: property.name.to_owned(),
            type_: self.type_name(schema),
            required: property.is_required,
            description: self.description(schema),
            values,
            default: schema.get("default").filter(|value| !value.is_null()).cloned(),
            of: property.of.clone(),
            fields,
        }
    }

    fn add(schema: &'a Value, of: Option<&String>, fields: &mut Vec<Property<'a>>) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required = schema.get("required").and_then(Value::as_array);
        for (name, schema) in properties {
            if let Some(known) = fields.iter_mut().find(|known| known.name == name) {
                known.others.push(schema);
                // What has a value of its own in each variant tells them apart.
                let tells_apart = schema.get("const").is_some();
                known.of.extend(of.cloned());
                if tells_apart {
                    known.of.clear();
                }
                continue;
            }
            let is_required =
                required.is_some_and(|required| required.iter().any(|it| it == name.as_str()));
            let of = if schema.get("const").is_some() { None } else { of.cloned() };
            let of = of.into_iter().collect();
            fields.push(Property { name, schema, is_required, others: Vec::new(), of });
        }
    }

    /// What a schema comes to behind references, and that it may be null; the name of the last
    /// reference.
    fn resolve(&self, schema: &'a Value) -> (Option<&'a str>, &'a Value) {
        let (mut name, mut schema) = (None, schema);
        for _ in 0..DEPTH_MAX {
            if let Some((referred, next)) = self.schema.referred(schema) {
                (name, schema) = (Some(referred), next);
            } else if let Some(only) = only(schema) {
                schema = only;
            } else {
                break;
            }
        }
        (name, schema)
    }

    /// What a list or a map is made of; of everything else, itself.
    fn element(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..DEPTH_MAX {
            let (_, resolved) = self.resolve(schema);
            match inner(resolved) {
                Some((_, element)) => schema = element,
                None => break,
            }
        }
        schema
    }

    fn type_name(&self, schema: &'a Value) -> String {
        let (name, resolved) = self.resolve(schema);
        if let Some((prefix, element)) = inner(resolved) {
            return format!("{prefix}{}", self.type_name(element));
        }
        let is_plain = resolved.get("type").and_then(Value::as_str).filter(|it| *it != "object");
        match (name, is_plain) {
            (_, Some(plain)) => plain.to_owned(),
            (Some(name), None) => name.to_owned(),
            (None, None) => match resolved.get("type").and_then(Value::as_array) {
                Some(types) => types
                    .iter()
                    .filter_map(Value::as_str)
                    .find(|it| *it != "null")
                    .unwrap_or("any")
                    .to_owned(),
                None if resolved.get("type").is_some() => "object".to_owned(),
                None => "any".to_owned(),
            },
        }
    }

    /// What the field says, else what its type says.
    fn description(&self, schema: &'a Value) -> String {
        let own = schema.get("description").or_else(|| self.resolve(schema).1.get("description"));
        own.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn values(&self, schema: &'a Value) -> Vec<Value> {
        let (_, schema) = self.resolve(schema);
        let listed = schema.get("enum").and_then(Value::as_array).cloned();
        let mut values = listed.unwrap_or_default();
        values.extend(schema.get("const").cloned());
        for variant in variants(schema) {
            values
                .extend(variant.get("enum").and_then(Value::as_array).cloned().unwrap_or_default());
            values.extend(variant.get("const").cloned());
        }
        values.retain(|value| !value.is_null());
        values
    }
}

/// The schemas of which a value fits one.
fn variants(schema: &Value) -> impl Iterator<Item = &Value> {
    let of = |word: &str| schema.get(word).and_then(Value::as_array);
    ["oneOf", "anyOf"].into_iter().filter_map(of).flatten()
}

/// The only schema that is no null among alternatives.
fn only(schema: &Value) -> Option<&Value> {
    let mut others = variants(schema).filter(|it| it.get("type") != Some(&Value::from("null")));
    let first = others.next()?;
    let is_alone = others.next().is_none() && schema.get("properties").is_none();
    is_alone.then_some(first)
}

/// What a list or a map is made of, and how its type begins.
fn inner(schema: &Value) -> Option<(&'static str, &Value)> {
    if let Some(items) = schema.get("items") {
        return Some(("[]", items));
    }
    let values = schema.get("additionalProperties")?;
    match (values, schema.get("properties")) {
        (Value::Object(_) | Value::Bool(true), None) => Some(("map[string]", values)),
        _ => None,
    }
}

/// What tells a variant from the others: `type: process`.
fn tag(variant: &Value) -> Option<String> {
    let properties = variant.get("properties")?.as_object()?;
    let told = |(name, schema): (&String, &Value)| {
        schema.get("const").and_then(Value::as_str).map(|value| format!("{name}: {value}"))
    };
    properties.iter().find_map(told)
}
