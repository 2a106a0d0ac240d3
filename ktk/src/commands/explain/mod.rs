//! `ktk explain`: what the types say of themselves, without a server.

mod page;
mod shape;
#[cfg(test)]
mod tests;

use kantoku_api::{
    TypeSchema,
    contract::{DeadLetter, Operation, Secret, Service},
};
use kantoku_domain::{
    Recorded,
    manifest::{Document, TypeDefinition},
    nearest, pipeline, policy, specification,
};
use kantoku_projections::document::{
    ContextDocument, NamespaceDocument, ResourceDocument, TaskDocument,
};
use kantoku_streams::StoredSeal;

use self::shape::{Field, Shapes};
use crate::{
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    output::{print_document, print_text},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk explain pipeline
  ktk explain specification.spec.executable
  ktk explain pl.spec.tasks.retry
  ktk explain policy --recursive
  ktk explain task.status -o json";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A kind, and the way to one of its fields. Maps and lists are passed through: of the steps of
    /// all pipelines, pipeline.spec.tasks.use
    #[arg(value_name = "KIND[.FIELD]...", add = complete::kinds())]
    path: String,
    /// Show the fields of fields, too
    #[arg(long)]
    recursive: bool,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<(), CommandError> {
    let mut names = args.path.split('.');
    let kind: Kind = names.next().unwrap_or_default().parse().map_err(CommandError::usage)?;
    let schema = schema(kind);
    let shapes = Shapes::new(&schema);
    let field = find(&shapes, kind, names, args.recursive)?;
    if session.output().is_table() {
        return print_text(&page::text(kind, &field));
    }
    print_document(session.output(), &page::document(kind, &field))
}

/// The schema of a kind: of its manifest, or of the document that the server writes.
fn schema(kind: Kind) -> TypeSchema {
    match kind {
        Kind::Specification => TypeSchema::given::<Document<specification::Definition>>(),
        Kind::Type => TypeSchema::given::<Document<TypeDefinition>>(),
        Kind::Pipeline => TypeSchema::given::<Document<pipeline::Definition>>(),
        Kind::Policy => TypeSchema::given::<Document<policy::Definition>>(),
        Kind::Task => TypeSchema::told::<TaskDocument>(),
        Kind::Context => TypeSchema::told::<ContextDocument>(),
        Kind::Resource => TypeSchema::told::<ResourceDocument>(),
        Kind::Namespace => TypeSchema::told::<NamespaceDocument>(),
        Kind::Event => TypeSchema::told::<Recorded>(),
        Kind::Service => TypeSchema::told::<Service>(),
        Kind::DeadLetter => TypeSchema::told::<DeadLetter>(),
        Kind::Seal => TypeSchema::told::<StoredSeal>(),
        Kind::Operation => TypeSchema::told::<Operation>(),
        Kind::Secret => TypeSchema::told::<Secret>(),
    }
}

/// Follows names from a kind to one of its fields.
fn find<'a>(
    shapes: &Shapes<'_>,
    kind: Kind,
    names: impl Iterator<Item = &'a str>,
    recursive: bool,
) -> Result<Field, CommandError> {
    let mut path = kind.name().to_owned();
    let mut schema = shapes.root();
    let mut is_required = false;
    for name in names {
        let fields = shapes.fields(schema);
        let Some(found) = fields.iter().find(|field| field.name == name) else {
            let known = fields.iter().map(|field| field.name);
            return Err(no_field(&path, name, known));
        };
        (schema, is_required) = (found.schema, found.is_required);
        path = format!("{path}.{name}");
    }
    Ok(shapes.describe(&path, schema, is_required, recursive))
}

fn no_field<'a>(path: &str, name: &str, known: impl Iterator<Item = &'a str>) -> CommandError {
    let known: Vec<&str> = known.collect();
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean {near:?}?"),
        None if known.is_empty() => "; it has no fields".to_owned(),
        None => format!("; its fields are {}", known.join(", ")),
    };
    CommandError::new(Exit::NotFound, format!("{path} has no field {name:?}{hint}"))
        .advise(format!("ktk explain {path}"))
}
