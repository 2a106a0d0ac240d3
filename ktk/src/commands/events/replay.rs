//! `ktk events replay`

use std::path::{Path, PathBuf};

use kantoku_api::contract::{ContextGet, TaskGet};
use kantoku_domain::{Id, Recorded};
use kantoku_projections::{
    Model,
    document::{ContextDocument, ResourceDocument, TaskDocument},
};
use kantoku_streams::Line;

use super::row::Printer;
use crate::{
    error::{CommandError, Exit},
    history::{HistoryFile, Live, Part, Scope},
    kind::Kind,
    output::{Format, List, print_document, print_line, print_list, print_one},
    progress::Progress,
    rows::{context_status, resource_status, task_status},
    session::Session,
    target::Target,
};

/// How often progress is told, in events.
const TELL_EVERY: u64 = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An export, which needs no server; - for stdin [default: the history of the server]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show this as it was: task/ID, context/ID or resource/ID; the beginning of an id is enough
    /// [default: all contexts]
    #[arg(long, value_name = "KIND/ID")]
    of: Option<Target>,
    /// The last position to take in
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Show every change from this position on, instead of the end alone
    #[arg(long, value_name = "SEQ", requires = "of")]
    from_seq: Option<u64>,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let progress = Progress::start(session, "replaying events");
    let mut replay = Replay {
        model: Model::default(),
        target: args.of.clone(),
        film: args.from_seq.map(|from_seq| Film { from_seq, printer: Printer::new(session) }),
        to: args.to.unwrap_or(u64::MAX),
        events: 0,
        format: session.output(),
    };
    if let Some(path) = &args.file {
        replay.take_file(path, &progress)?;
    } else {
        let (scope, target) = scope(&args, session).await?;
        replay.target = target;
        let mut history = Live::open(scope, session).await?;
        let last = history.header.to_seq;
        while let Some(line) = history.next().await? {
            if !replay.take(&line, "an event of the stream")? {
                break;
            }
            tell(&progress, replay.events, replay.model.as_of_seq(), last, "positions");
        }
    }
    drop(progress);
    replay.show(session)
}

fn tell(progress: &Progress, events: u64, done: u64, total: u64, unit: &str) {
    if events.is_multiple_of(TELL_EVERY) && total > 0 {
        progress.update(done, total, &format!("{unit}, {events} events"));
    }
}

fn not_from_the_beginning() -> CommandError {
    let text = "the export does not begin with the first event: what came before is not known";
    CommandError::new(Exit::Refused, text).advise("ktk events export FILE, without --from-seq")
}

fn not_sound(path: &Path) -> CommandError {
    let text = format!("{} holds a line that is no JSON", path.display());
    CommandError::new(Exit::Error, text)
        .advise(format!("ktk events verify --file {}", path.display()))
}

/// What has to be read, of a task or a context its context alone; and what is asked for by its whole
/// id.
async fn scope(args: &Args, session: &Session) -> Result<(Scope, Option<Target>), CommandError> {
    let mut scope = Scope { to_seq: args.to, namespace: session.namespace(), ..Scope::default() };
    let Some(target) = &args.of else { return Ok((scope, None)) };
    let (kind, id) = target.resolve_either(session).await?;
    let params = session.get(id.clone());
    let target = match kind {
        Kind::Task => {
            let task = session.call::<TaskGet>(&params).await?;
            scope.context_id = Some(task.context_id);
            Target::new(kind, &task.id.to_string())
        }
        Kind::Context => {
            let context = session.call::<ContextGet>(&params).await?;
            scope.context_id = Some(context.id);
            Target::new(kind, &context.id.to_string())
        }
        Kind::Resource => Target::new(kind, &id),
        _ => return Err(CommandError::usage("--of is task/ID, context/ID or resource/ID")),
    };
    Ok((scope, Some(target)))
}

/// Shows every change from a position on.
struct Film {
    from_seq: u64,
    printer: Printer,
}

struct Replay {
    model: Model,
    target: Option<Target>,
    film: Option<Film>,
    to: u64,
    events: u64,
    format: Format,
}

/// What was asked for, as it is in the model.
enum Found<'a> {
    Task(&'a TaskDocument),
    Context(&'a ContextDocument),
    Resource(&'a ResourceDocument),
}

impl Replay {
    /// Takes in an export.
    fn take_file(&mut self, path: &Path, progress: &Progress) -> Result<(), CommandError> {
        let mut file = HistoryFile::open(path)?;
        if file.header.from_seq > 1 {
            return Err(not_from_the_beginning());
        }
        while let Some(part) = file.next()? {
            let Part::Event(line, number) = part else { return Err(not_sound(path)) };
            let (done, total) = file.bytes();
            if !self.take(&line, &format!("line {number}"))? {
                break;
            }
            tell(progress, self.events, done, total, "bytes");
        }
        Ok(())
    }

    /// Takes in the next event. `false`: it lies behind the last one that is wanted.
    fn take(&mut self, line: &Line, place: &str) -> Result<bool, CommandError> {
        let recorded = line.read().map_err(|error| {
            let text = format!("{place} cannot be read as an event: {error}");
            CommandError::new(Exit::Error, text)
        })?;
        if recorded.stream_seq > self.to {
            return Ok(false);
        }
        self.model.take(&recorded);
        self.events += 1;
        self.show_change(&recorded)?;
        Ok(true)
    }

    fn show_change(&self, recorded: &Recorded) -> Result<(), CommandError> {
        let Some(film) = self.film.as_ref().filter(|it| it.from_seq <= recorded.stream_seq) else {
            return Ok(());
        };
        // Not everything that is asked for is there from the first event on.
        let Ok(found) = self.find() else { return Ok(()) };
        if found.stream_seq() != recorded.stream_seq {
            return Ok(());
        }
        match self.format {
            Format::Table | Format::Wide => {
                film.printer.print(recorded)?;
                print_line(&format!("{:>8}  → {}", "", found.status()))
            }
            Format::Name => print_line(&recorded.stream_seq.to_string()),
            format => found.print(format.of_stream()),
        }
    }

    fn show(&self, session: &Session) -> Result<(), CommandError> {
        let as_of = self.model.as_of_seq();
        session.note(&format!("ktk: replayed {} events (as of position {as_of})", self.events));
        if self.film.is_some() {
            return self.find().map(drop);
        }
        if self.target.is_some() {
            return match self.find()? {
                Found::Task(task) => print_one(session, task.clone()),
                Found::Context(context) => print_one(session, context.clone()),
                Found::Resource(resource) => print_one(session, resource.clone()),
            };
        }
        let mut items: Vec<ContextDocument> = self.model.contexts().cloned().collect();
        items.sort_by_key(|context| std::cmp::Reverse(context.stream_seq));
        print_list(session, &List { items, next_cursor: None, as_of_seq: Some(as_of) })
    }

    /// What was asked for; the beginning of an id is enough.
    fn find(&self) -> Result<Found<'_>, CommandError> {
        let Some(Target { kind, name }) = &self.target else {
            return Err(CommandError::usage("say what is to be shown: --of KIND/ID"));
        };
        let begins = |id: Id| id.to_string().starts_with(name.as_str());
        let mut found: Vec<Found<'_>> = Vec::new();
        if matches!(kind, None | Some(Kind::Task)) {
            found.extend(self.model.tasks().filter(|it| begins(it.id)).map(Found::Task));
        }
        if matches!(kind, None | Some(Kind::Context)) {
            found.extend(self.model.contexts().filter(|it| begins(it.id)).map(Found::Context));
        }
        if matches!(kind, Some(Kind::Resource)) {
            found.extend(self.model.resources().filter(|it| begins(it.id)).map(Found::Resource));
        }
        let as_of = self.model.as_of_seq();
        let several = found.len() > 1;
        match found.pop() {
            Some(only) if !several => Ok(only),
            Some(_) => {
                let text = format!("{name:?} stands for several: write KIND/, or more of the id");
                Err(CommandError::new(Exit::NotFound, text).as_of(as_of))
            }
            None => {
                let text = format!("there is no such thing as {name:?} then");
                Err(CommandError::new(Exit::NotFound, text).as_of(as_of))
            }
        }
    }
}

impl Found<'_> {
    fn stream_seq(&self) -> u64 {
        match self {
            Self::Task(task) => task.stream_seq,
            Self::Context(context) => context.stream_seq,
            Self::Resource(resource) => resource.stream_seq,
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Task(task) => task_status(task.status, task.sub_status),
            Self::Context(context) => context_status(context.status),
            Self::Resource(resource) => resource_status(resource.status),
        }
    }

    fn print(&self, format: Format) -> Result<(), CommandError> {
        match self {
            Self::Task(task) => print_document(format, task),
            Self::Context(context) => print_document(format, context),
            Self::Resource(resource) => print_document(format, resource),
        }
    }
}
