//! What a task waits for, part by part.

use std::collections::BTreeSet;

use kantoku_domain::{
    Dependency as Expression,
    dependency::{Needs, Trigger, TriggerRule},
};

use super::{TaskDocument, TaskStatus};

/// Something that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The input's name, `when: ` and the task's rule, or `depends_on`.
    pub name: String,
    /// What: of an input, the resource; of a rule, an expression that says the same.
    pub data: Expression,
    /// What has to hold for it, for the rules that decide. Of an input that the task's rule lets it
    /// do without, the rule.
    pub needs: Needs,
}

impl TaskDocument {
    /// What the task waits for: the resources among its inputs, its rule, and the parts of
    /// `depends_on`. It may run once it needs none of them any more.
    pub fn waits_for(&self) -> Vec<Awaited> {
        let rule = self.when.as_ref().map(|when| self.rule(when));
        let inputs = self.inputs.iter().filter_map(|(name, binding)| {
            let id = binding.resource()?;
            let governing = rule.iter().find(|rule| rule.needs.inputs.contains_key(name));
            let own = || Needs { inputs: [(name.clone(), id)].into(), ..Needs::default() };
            let needs = governing.map_or_else(own, |rule| rule.needs.clone());
            Some(Awaited { name: name.clone(), data: Expression::Resource(id), needs })
        });
        let depends_on = self.depends_on.as_ref().map(top_level).unwrap_or_default().iter();
        let depends_on = depends_on.map(|part| Awaited {
            name: "depends_on".into(),
            data: part.clone(),
            needs: Needs { depends_on: Some(part.clone()), ..Needs::default() },
        });
        inputs.chain(rule.iter().cloned()).chain(depends_on).collect()
    }

    fn rule(&self, when: &Trigger) -> Awaited {
        let governed = when.upstream.iter().flat_map(|upstream| &upstream.inputs);
        let governed: BTreeSet<&String> = governed.collect();
        let inputs = self.inputs.iter().filter(|(name, _)| governed.contains(name));
        let inputs = inputs.filter_map(|(name, it)| Some((name.clone(), it.resource()?)));
        Awaited {
            name: format!("when: {}", when.rule.name()),
            data: expression(when),
            needs: Needs { inputs: inputs.collect(), when: Some(when.clone()), depends_on: None },
        }
    }

    /// Whether it was announced that all that it waits for is there, and nothing has set it back.
    pub fn is_past_waiting(&self) -> bool {
        match self.status {
            TaskStatus::Ready | TaskStatus::Received => true,
            TaskStatus::Finished => self.expired.is_none(),
            TaskStatus::Initialized | TaskStatus::Cancelled | TaskStatus::Skipped => false,
        }
    }
}

/// The parts that all have to hold.
fn top_level(depends_on: &Expression) -> &[Expression] {
    match depends_on {
        Expression::All(parts) => parts,
        part => std::slice::from_ref(part),
    }
}

/// A rule as an expression, for people.
fn expression(when: &Trigger) -> Expression {
    let tasks = when.upstream.iter().map(|upstream| upstream.task);
    match when.rule {
        TriggerRule::AllOk => Expression::All(tasks.map(Expression::Task).collect()),
        TriggerRule::AllDone => Expression::All(tasks.map(Expression::Done).collect()),
        TriggerRule::AnyOk => Expression::Any(tasks.map(Expression::Task).collect()),
        TriggerRule::AnyFailed => Expression::Any(tasks.map(Expression::Failed).collect()),
        TriggerRule::AllFailed => Expression::All(tasks.map(Expression::Failed).collect()),
        TriggerRule::NoneFailed => Expression::All(
            tasks.map(|task| Expression::Not(Box::new(Expression::Failed(task)))).collect(),
        ),
    }
}
