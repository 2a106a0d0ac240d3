//! `ktk get -w`: what there is, then what changes. On a terminal a table that is redrawn in place,
//! else line by line.

use std::pin::pin;

use futures::StreamExt as _;
use kantoku_api::contract::{
    ContextChanged, ContextSubscribe, SubscribeParams, Subscription, TaskChanged, TaskSubscribe,
};
use kantoku_projections::document::{ContextDocument, TaskDocument};

use super::{Args, fetch, live};
use crate::{
    error::CommandError,
    output::{Format, Row, Rows, print_document, print_line, print_name, print_yaml},
    render::Screen,
    session::Session,
};

pub(super) async fn tasks(args: &Args, session: &Session) -> Result<(), CommandError> {
    let document = |changed: TaskChanged| changed.task;
    follow::<TaskSubscribe, TaskDocument>(args, session, document).await
}

pub(super) async fn contexts(args: &Args, session: &Session) -> Result<(), CommandError> {
    let document = |changed: ContextChanged| changed.context;
    follow::<ContextSubscribe, ContextDocument>(args, session, document).await
}

async fn follow<S, T>(
    args: &Args,
    session: &Session,
    document: impl Fn(S::Item) -> T,
) -> Result<(), CommandError>
where
    S: Subscription<Params = SubscribeParams>,
    T: Row,
{
    if session.all_namespaces() {
        return Err(CommandError::usage("-w watches one namespace: leave -A out"));
    }
    let params = SubscribeParams {
        filter: fetch::filter(T::kind(), args, session).await?,
        condition: args.condition.clone(),
        from_seq: None,
        namespace: session.namespace(),
        timeout: session.read_timeout(),
    };
    let mut items = session.subscribe::<S>(&params).await?;
    if let Some(screen) = Screen::on_stdout().filter(|_| session.output().is_table()) {
        let documents = items.map(|item| item.map(&document));
        return live::draw(screen, pin!(documents), session).await;
    }
    let mut rows = Rows::new(session, []);
    while let Some(item) = items.next().await {
        let item = document(item?);
        match session.output() {
            Format::Table | Format::Wide => {
                rows.push(&item);
                rows.print()?;
            }
            Format::Name => print_name(&item)?,
            Format::Yaml => {
                print_line("---")?;
                print_yaml(&item)?;
            }
            // A stream of documents, each of which has to end somewhere.
            format => print_document(format.of_stream(), &item)?,
        }
    }
    Err(session.connection_lost())
}
