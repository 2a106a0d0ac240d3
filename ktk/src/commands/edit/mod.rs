//! `ktk edit`

mod draft;
mod editor;

use kantoku_api::contract::AppliedItem;
use serde_json::json;

use self::{draft::Draft, editor::Editor};
use super::{
    apply::{apply, word},
    definition::{Current, current},
    visible,
};
use crate::{
    complete,
    error::{CommandError, Exit},
    manifest::{Declared, Manifests},
    output::{Format, print_document, print_line},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk edit pipeline/top-words
  KTK_EDITOR='code --wait' ktk edit policy/gentle

The editor is that of KTK_EDITOR, VISUAL or EDITOR, else vi. Who changes nothing has nothing done;
what is refused is opened again with the reason above it.";

/// How often one text is opened again.
const ROUNDS_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A specification, type, pipeline or policy
    #[arg(value_name = "KIND/NAME", add = complete::targets())]
    target: Target,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let Some(kind) = args.target.kind else {
        return Err(CommandError::usage("write KIND/NAME, e.g. pipeline/top-words"));
    };
    if args.target.name.contains('@') {
        return Err(CommandError::usage("the latest version is edited: leave the version out"));
    }
    let current = current(kind, &args.target.name, session).await?;
    let reference = current.declared.reference();
    let editor = Editor::from_env();
    let mut draft = Draft::create(&reference, &current.declared.to_yaml()?)?;
    let edited = edit(&editor, &mut draft, &current, session).await;
    match edited {
        Ok(item) => {
            draft.remove();
            if let Some(item) = item {
                return print(&reference, &item, &current, session);
            }
            session.note(&format!("ktk: nothing was changed, so {reference} stays"));
            Ok(())
        }
        Err(error) if draft.is_worth_keeping() => {
            Err(error.add(&format!("; what you wrote is in {}", draft.path().display())))
        }
        Err(error) => {
            draft.remove();
            Err(error)
        }
    }
}

/// Lets the user write until it can be applied. `None` if nothing was changed.
async fn edit(
    editor: &Editor,
    draft: &mut Draft,
    current: &Current,
    session: &Session,
) -> Result<Option<AppliedItem>, CommandError> {
    for _ in 0..ROUNDS_MAX {
        editor.open(draft.path()).await?;
        let before = draft.text().to_owned();
        draft.load()?;
        if draft.is_original() {
            return Ok(None);
        }
        if draft.was_refused() && draft.text() == before {
            let message = "nothing was applied: what was refused was not changed";
            return Err(CommandError::new(Exit::Refused, message));
        }
        let mut manifests = match draft.parse()? {
            Ok(manifests) => manifests,
            Err(reasons) => {
                draft.refuse(&reasons)?;
                continue;
            }
        };
        if let Some(reason) = strange(&manifests, &current.declared) {
            draft.refuse(&[reason])?;
            continue;
        }
        manifests.take_records();
        match apply(&manifests, false, session).await {
            Ok(applied) => {
                visible(session, applied.stream_seq).await;
                return Ok(applied.items.into_iter().next());
            }
            Err(error) => match error.api().map(|error| error.data.problems.clone()) {
                Some(problems) if !problems.is_empty() => {
                    let reasons = draft.reasons(&problems)?;
                    draft.refuse(&reasons)?;
                }
                _ => return Err(error),
            },
        }
    }
    Err(CommandError::new(Exit::Refused, format!("it was refused {ROUNDS_MAX} times")))
}

/// Why this is not what was to be edited, if so. What cannot be read is left to the server.
fn strange(manifests: &Manifests, wanted: &Declared) -> Option<String> {
    let documents = manifests.values();
    let [document] = documents.as_slice() else {
        return Some(format!("there is one document here, for {}", wanted.reference()));
    };
    let declared = Declared::read(document).ok()?;
    let is_it = (declared.kind, &declared.name) == (wanted.kind, &wanted.name);
    (!is_it).then(|| {
        let (is, was) = (declared.reference(), wanted.reference());
        format!("this declares {is}, and {was} is edited; `ktk apply -f` takes new things")
    })
}

fn print(
    reference: &str,
    item: &AppliedItem,
    before: &Current,
    session: &Session,
) -> Result<(), CommandError> {
    if item.version > before.version + 1 {
        session.note(&format!(
            "ktk: somebody else changed it meanwhile: see `ktk get {reference}@{} -o yaml`",
            item.version - 1
        ));
    }
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&format!("{reference} {}, version {}", word(item.change), item.version))
        }
        Format::Name => print_line(reference),
        format => print_document(format, &json!(item)),
    }
}
