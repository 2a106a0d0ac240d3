//! `ktk delete`

use std::path::PathBuf;

use kantoku_api::contract::{
    DELETIONS_MAX, DeletedItem, Deletions, ManifestDelete, ManifestDeleteParams, NamesParams,
    PolicyDelete, PolicyDeleteParams, PolicyList, SecretDelete,
};
use serde_json::json;

use super::{
    files::{FileArgs, read, refuse},
    visible,
};
use crate::{
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    output::{Format, Paint, print_document, print_line},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk delete policy/gentle      what waits for its limits goes on at once
  ktk delete policy gentle
  ktk delete secret db-password
  ktk delete -f policies.yaml   those that are declared there
  ktk delete -f policies.yaml --dry-run
  ktk delete policies --where 'name.startsWith(\"test/\")' --yes
What manifests declare otherwise stays: tasks refer to it for good.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What holds no longer: a policy or a secret
    #[arg(
        value_name = "KIND[/NAME]",
        required_unless_present = "filename",
        conflicts_with = "filename",
        add = complete::kinds(),
    )]
    kind: Option<String>,
    /// Its name
    #[arg(value_name = "NAME", conflicts_with = "filename", add = complete::names_of_kind())]
    name: Option<String>,
    /// What the manifests in a file, a directory, or - for stdin declare. Repeatable
    #[arg(short, long, value_name = "FILE|DIR|-")]
    filename: Vec<PathBuf>,
    /// Instead of one: all policies that are so, e.g. 'name.startsWith("test/")'
    #[arg(long = "where", value_name = "CONDITION", conflicts_with_all = ["name", "filename"])]
    condition: Option<String>,
    /// Of many: they are meant
    #[arg(short, long, requires = "condition")]
    yes: bool,
    /// Of files and of many: say what would happen, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let Some(kind) = args.kind else {
        return declared(FileArgs::of(args.filename), args.dry_run, session).await;
    };
    if let Some(condition) = args.condition {
        return matching(&kind, &condition, (args.yes, args.dry_run), session).await;
    }
    if args.dry_run {
        return Err(CommandError::usage("--dry-run is for -f and --where"));
    }
    let target = match args.name {
        Some(name) => Target::new(kind.parse().map_err(CommandError::usage)?, &name),
        None => kind.parse::<Target>().map_err(CommandError::usage)?,
    };
    match target.kind {
        Some(Kind::Policy) => policy(&target, session).await,
        Some(Kind::Secret) => secret(&target, session).await,
        Some(kind) => {
            let text = format!("a {kind} cannot be deleted: policies and secrets can");
            Err(CommandError::usage(text))
        }
        None => Err(CommandError::usage("write policy/NAME or secret/NAME")),
    }
}

/// Deletes what manifests declare.
async fn declared(files: FileArgs, dry_run: bool, session: &Session) -> Result<(), CommandError> {
    let (manifests, _) = read(files, session).await?;
    let params = ManifestDeleteParams {
        documents: manifests.values(),
        dry_run,
        namespace: session.namespace(),
        ..ManifestDeleteParams::default()
    };
    let answer = session.call_within::<ManifestDelete>(session.work_timeout(), &params).await;
    let answer = answer.map_err(|error| refuse(&manifests, "deleted", error, Paint::stderr()))?;
    tell(&answer, dry_run, session).await
}

/// Deletes all policies that are as `condition` says.
async fn matching(
    kind: &str,
    condition: &str,
    (yes, dry_run): (bool, bool),
    session: &Session,
) -> Result<(), CommandError> {
    if kind.parse() != Ok(Kind::Policy) {
        return Err(CommandError::usage(
            "with --where write policies, as nothing else is deleted so",
        ));
    }
    let mut params = NamesParams {
        condition: Some(condition.to_owned()),
        limit: Some(1_000),
        namespace: session.namespace(),
        min_seq: session.min_seq(),
        timeout: session.read_timeout(),
        ..NamesParams::default()
    };
    let (mut names, mut as_of_seq) = (Vec::new(), 0);
    loop {
        let page = session.call::<PolicyList>(&params).await?;
        names.extend(page.items.iter().map(|policy| format!("policy/{}", policy.name)));
        as_of_seq = page.as_of_seq.max(as_of_seq);
        params.cursor = page.next_cursor;
        if params.cursor.is_none() {
            break;
        }
    }
    let count = names.len();
    if count == 0 {
        return Err(CommandError::new(Exit::NotFound, "no policy is so").as_of(as_of_seq));
    }
    if !yes && !dry_run {
        return Err(CommandError::usage(format!(
            "policies that would be deleted: {count}; --yes says that they are meant, --dry-run \
             shows them"
        )));
    }
    let mut all = Deletions { items: Vec::with_capacity(count), stream_seq: 0 };
    for names in names.chunks(DELETIONS_MAX) {
        let params = ManifestDeleteParams {
            names: names.to_vec(),
            dry_run,
            namespace: session.namespace(),
            ..ManifestDeleteParams::default()
        };
        let done = session.call_within::<ManifestDelete>(session.work_timeout(), &params).await?;
        all.items.extend(done.items);
        all.stream_seq = done.stream_seq.max(all.stream_seq);
    }
    tell(&all, dry_run, session).await
}

/// Prints what became of many.
async fn tell(answer: &Deletions, dry_run: bool, session: &Session) -> Result<(), CommandError> {
    if !dry_run && answer.stream_seq > 0 {
        visible(session, answer.stream_seq).await;
    }
    let suffix = if dry_run { " (dry run)" } else { "" };
    let reference = |item: &DeletedItem| format!("{}/{}", item.kind.to_lowercase(), item.name);
    match session.output() {
        Format::Table | Format::Wide => answer.items.iter().try_for_each(|item| {
            let word = if item.deleted { "deleted" } else { "was not there" };
            print_line(&format!("{} {word}{suffix}", reference(item)))
        }),
        Format::Name => answer.items.iter().try_for_each(|item| print_line(&reference(item))),
        Format::Jsonl => {
            answer.items.iter().try_for_each(|item| print_document(Format::Jsonl, item))
        }
        format => print_document(
            format,
            &json!({ "items": answer.items, "stream_seq": answer.stream_seq, "dry_run": dry_run }),
        ),
    }
}

async fn secret(target: &Target, session: &Session) -> Result<(), CommandError> {
    let deleted = session.call::<SecretDelete>(&session.secret(&target.name)?).await;
    let deleted = deleted.map_err(|error| error.or_list(Kind::Secret))?;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("secret/{} deleted", deleted.name)),
        Format::Name => print_line(&format!("secret/{}", deleted.name)),
        format => print_document(format, &deleted),
    }
}

async fn policy(target: &Target, session: &Session) -> Result<(), CommandError> {
    let version = session.version(&target.name)?;
    if version.version.is_some() {
        return Err(CommandError::usage("a policy is deleted as a whole: leave the version out"));
    }
    let name = version.name;
    let params = PolicyDeleteParams {
        name: name.clone(),
        idempotency_key: None,
        namespace: session.namespace(),
    };
    let accepted = session.call::<PolicyDelete>(&params).await;
    let stream_seq = accepted.map_err(|error| error.or_list(Kind::Policy))?.stream_seq;
    visible(session, stream_seq).await;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("policy/{name} deleted")),
        Format::Name => print_line(&format!("policy/{name}")),
        format => print_document(
            format,
            &json!({ "kind": "policy", "name": name, "stream_seq": stream_seq }),
        ),
    }
}
