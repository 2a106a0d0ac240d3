//! Lists and single records in every format.

use kantoku_domain::manifest::API_VERSION;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Format, ShortIds, Table, View, now, print_document, print_line, print_text};
use crate::{
    error::{CommandError, Exit},
    kind::Kind,
    manifest::to_yaml,
    session::Session,
};

/// What a list can show.
pub(crate) trait Row: Serialize {
    /// What it is.
    fn kind() -> Kind;

    /// What it is called: its id or its name.
    fn name(&self) -> String;

    /// Whose it is; `None` for what belongs to nobody.
    fn namespace(&self) -> Option<&str>;

    /// The ids that are shown in short.
    fn ids(&self) -> Vec<kantoku_domain::Id>;

    /// The header.
    fn columns(wide: bool) -> Vec<&'static str>;

    /// Its cells, one per column.
    fn cells(&self, view: &View) -> Vec<String>;

    /// What `-o yaml` shows: the manifest that declares it; of what is not declared, which is all
    /// the server's, a document that `ktk apply` tells from those that are.
    fn to_manifest(&self) -> Result<Value, serde_json::Error> {
        let mut metadata = json!({ "name": self.name() });
        if let Some(namespace) = self.namespace() {
            metadata["namespace"] = namespace.into();
        }
        let status = serde_json::to_value(self)?;
        let kind = Self::kind().title();
        Ok(
            json!({ "apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "status": status }),
        )
    }
}

/// Records, as of a position.
#[derive(Debug)]
pub(crate) struct List<T> {
    /// The records.
    pub(crate) items: Vec<T>,
    /// For what comes behind them.
    pub(crate) next_cursor: Option<String>,
    /// The position, where there is one.
    pub(crate) as_of_seq: Option<u64>,
}

/// Prints a list.
pub(crate) fn print_list<T: Row>(session: &Session, list: &List<T>) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide => print_table(session, list),
        Format::Name => list.items.iter().try_for_each(print_name),
        Format::Jsonl => list.items.iter().try_for_each(|item| print_document(Format::Jsonl, item)),
        Format::Yaml => {
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    print_line("---")?;
                }
                print_yaml(item)?;
            }
            Ok(())
        }
        format => {
            let mut document = json!({ "items": list.items });
            if let Some(as_of_seq) = list.as_of_seq {
                document["as_of_seq"] = as_of_seq.into();
            }
            if let Some(cursor) = &list.next_cursor {
                document["next_cursor"] = cursor.as_str().into();
            }
            print_document(format, &document)
        }
    }
}

/// Prints the one record that was asked for.
pub(crate) fn print_one<T: Row>(session: &Session, item: T) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide | Format::Name | Format::Yaml => {
            print_list(session, &List { items: vec![item], next_cursor: None, as_of_seq: None })
        }
        format => print_document(format, &item),
    }
}

fn print_table<T: Row>(session: &Session, list: &List<T>) -> Result<(), CommandError> {
    if list.items.is_empty() {
        let scope = match session.namespace() {
            _ if session.all_namespaces() => String::new(),
            Some(namespace) => format!(" in namespace {namespace}"),
            None => String::new(),
        };
        let as_of = list.as_of_seq.map(|seq| format!(" (as of position {seq})"));
        session.note(&format!(
            "no {} found{scope}{}",
            T::kind().plural(),
            as_of.unwrap_or_default()
        ));
        return Ok(());
    }
    let mut rows = Rows::new(session, list.items.iter().flat_map(Row::ids));
    for item in &list.items {
        rows.push(item);
    }
    rows.print()
}

/// A table that may grow.
pub(crate) struct Rows<T> {
    view: View,
    table: Table,
    kind: std::marker::PhantomData<T>,
}

impl<T: Row> Rows<T> {
    /// A table with a header, for records with these ids.
    pub(crate) fn new(
        session: &Session,
        ids: impl IntoIterator<Item = kantoku_domain::Id>,
    ) -> Self {
        Self::of(View { ids: ShortIds::of(ids), ..View::of(session) })
    }

    /// A table with a header, as `view` shows it.
    pub(crate) fn of(view: View) -> Self {
        let mut header = T::columns(view.wide);
        if view.namespaces {
            header.insert(0, "NAMESPACE");
        }
        Self { table: Table::with_header(header), view, kind: std::marker::PhantomData }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, item: &T) {
        self.view.now = now();
        let mut cells = item.cells(&self.view);
        if self.view.namespaces {
            cells.insert(0, item.namespace().unwrap_or_default().to_owned());
        }
        self.table.push(cells);
    }

    /// The rows that were added since the last time.
    pub(crate) fn take_text(&mut self) -> String {
        self.table.take_text()
    }

    /// Prints the rows that were added since the last time.
    pub(crate) fn print(&mut self) -> Result<(), CommandError> {
        print_text(&self.take_text())
    }
}

/// Prints `kind/name`.
pub(crate) fn print_name<T: Row>(item: &T) -> Result<(), CommandError> {
    print_line(&format!("{}/{}", T::kind(), item.name()))
}

/// Prints what `-o yaml` shows.
pub(crate) fn print_yaml<T: Row>(item: &T) -> Result<(), CommandError> {
    let manifest = item
        .to_manifest()
        .map_err(|error| CommandError::new(Exit::Error, format!("cannot be printed: {error}")))?;
    print_text(&to_yaml(&manifest)?)
}
