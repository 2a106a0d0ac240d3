//! The task that a step of a context is now.

use kantoku_api::contract::{TaskTree, TreeTask};
use kantoku_domain::{Id, nearest};

use crate::{
    current::are_current,
    error::{CommandError, Exit},
    render::short_id,
    session::Session,
};

/// How many tasks are named where a step's name means several.
const NAMED_MAX: usize = 5;

/// The task that has the step `step` of `context`, of which the id or its beginning is known.
pub(crate) async fn task_of(
    context: &str,
    step: &str,
    session: &Session,
) -> Result<Id, CommandError> {
    let tree = session.call::<TaskTree>(&session.get(context)).await?;
    find(&tree.tasks, step).map_err(|message| {
        CommandError::new(Exit::NotFound, message)
            .as_of(tree.as_of_seq)
            .advise(format!("ktk tree context/{}", tree.context.id))
    })
}

/// Of the tasks that have the step, the one that nothing took the place of; one of the pipeline goes
/// before those that other tasks spawned under that name.
fn find(tasks: &[TreeTask], step: &str) -> Result<Id, String> {
    let current = are_current(tasks);
    let current = || tasks.iter().zip(&current).filter(|(_, is)| **is).map(|(task, _)| task);
    let named = || current().filter(|task| task.step.as_deref() == Some(step));
    let mut found: Vec<&TreeTask> = named().filter(|task| task.parent_id.is_none()).collect();
    if found.is_empty() {
        found = named().collect();
    }
    match found.as_slice() {
        [task] => Ok(task.id),
        [] => {
            let known = current().filter_map(|task| task.step.as_deref());
            Err(match nearest(step, known) {
                Some(other) => format!("there is no step {step:?}; did you mean {other:?}?"),
                None => format!("there is no step {step:?} in the context"),
            })
        }
        several => {
            let ids: Vec<_> =
                several.iter().take(NAMED_MAX).map(|task| short_id(task.id)).collect();
            let more = if several.len() > NAMED_MAX { ", …" } else { "" };
            Err(format!("{} tasks are called {step:?}: {}{more}", several.len(), ids.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{id, task};

    #[test]
    fn a_step_is_the_task_that_has_it_now() {
        let child =
            |n, parent, step: &str| TreeTask { parent_id: Some(id(parent)), ..task(n, step, &[]) };
        let tasks = [
            TreeTask { restarted_as: Some(id(2)), ..task(1, "words", &[]) },
            task(2, "words", &[]),
            child(3, 1, "part"),
            child(4, 2, "part"),
            child(5, 2, "words"),
            child(6, 2, "twin"),
            child(7, 4, "twin"),
        ];
        assert_eq!(find(&tasks, "words"), Ok(id(2)));
        assert_eq!(find(&tasks, "part"), Ok(id(4)), "not what the task before it had spawned");
        let several = find(&tasks, "twin").unwrap_err();
        assert_eq!(several, "2 tasks are called \"twin\": 00000006, 00000007");
        let none = find(&tasks, "word").unwrap_err();
        assert_eq!(none, "there is no step \"word\"; did you mean \"words\"?");
    }
}
