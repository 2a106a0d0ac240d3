//! What holds for every expression and all facts.

use kantoku_domain::{
    Dependency, Millis, Timestamp,
    dependency::{Cause, Ending, How, Known, Status},
};
use proptest::prelude::*;

use super::world::World;
use crate::scenario::uuid_like::id;

const NAMES: u64 = 6;

/// Expressions whose leaves settle.
fn expressions() -> impl Strategy<Value = Dependency> {
    let leaf = (0..4, 0..NAMES).prop_map(|(kind, n)| match kind {
        0 => Dependency::Resource(id(n)),
        1 => Dependency::Task(id(n)),
        2 => Dependency::Done(id(n)),
        _ => Dependency::Failed(id(n)),
    });
    leaf.prop_recursive(4, 24, 4, |part| {
        let parts = || prop::collection::vec(part.clone(), 0..4);
        prop_oneof![
            parts().prop_map(Dependency::All),
            parts().prop_map(Dependency::Any),
            (0..4_u32, parts()).prop_map(|(count, of)| Dependency::AtLeast { count, of }),
            part.clone().prop_map(|part| Dependency::Not(Box::new(part))),
            (1..4_u64, part.clone()).prop_map(|(seconds, of)| Dependency::Within {
                time: Millis(seconds * 1_000),
                of: Box::new(of),
            }),
        ]
    })
}

fn without_clock() -> impl Strategy<Value = Dependency> {
    let has_clock = |it: &Dependency| format!("{it:?}").contains("Within");
    expressions().prop_filter("no within", move |it| !has_clock(it))
}

fn times() -> impl Strategy<Value = Timestamp> {
    (0..5_i64).prop_map(|seconds| Timestamp::from_micros(seconds * 1_000_000))
}

fn worlds() -> impl Strategy<Value = World> {
    let known = prop_oneof![
        Just(Known::Pending),
        times().prop_map(|at| Known::Holds { at }),
        (0..NAMES, times()).prop_map(|(n, at)| Known::Impossible {
            root_causes: id(n).into(),
            cause: Cause::Failure,
            at
        }),
    ];
    let how = prop_oneof![
        Just(How::Ok),
        Just(How::Failed),
        Just(How::Cancelled),
        (0..NAMES).prop_map(|n| How::Skipped { root_causes: id(n).into(), cause: Cause::Rule }),
    ];
    let ending =
        prop::option::of((how, times()).prop_map(|(how, at)| Ending { task: id(0), how, at }));
    let facts = prop::collection::vec((known, ending), NAMES as usize);
    (facts, times()).prop_map(|(facts, now)| {
        let mut world = World::at(now);
        for (n, (known, ending)) in facts.into_iter().enumerate() {
            world.resources.insert(id(n as u64), known);
            world.tasks.extend(ending.map(|ending| (id(n as u64), ending)));
        }
        // Nothing is known before it has happened.
        world.now = world.now.max(latest(&world));
        world
    })
}

/// When the last fact came.
fn latest(world: &World) -> Timestamp {
    let resources = world.resources.values().filter_map(|known| match known {
        Known::Pending => None,
        Known::Holds { at } | Known::Impossible { at, .. } => Some(*at),
    });
    resources.chain(world.tasks.values().map(|ending| ending.at)).max().unwrap_or_default()
}

/// The textbook's three-valued logic: `None` is unknown.
fn kleene(expression: &Dependency, world: &World) -> Option<bool> {
    let leaf = |leaf: &Dependency| match world.evaluate(leaf) {
        Status::Ready => Some(true),
        Status::Failed { .. } => Some(false),
        Status::Pending { .. } => None,
    };
    let at_least = |count: usize, parts: &[Dependency]| {
        let values: Vec<_> = parts.iter().map(|part| kleene(part, world)).collect();
        let yes = values.iter().filter(|it| **it == Some(true)).count();
        let no = values.iter().filter(|it| **it == Some(false)).count();
        match () {
            () if yes >= count => Some(true),
            () if values.len() - no < count => Some(false),
            () => None,
        }
    };
    match expression {
        Dependency::All(parts) => at_least(parts.len(), parts),
        Dependency::Any(parts) => at_least(1, parts),
        Dependency::AtLeast { count, of } => at_least(*count as usize, of),
        Dependency::Not(part) => kleene(part, world).map(|it| !it),
        other => leaf(other),
    }
}

fn value(status: &Status) -> Option<bool> {
    match status {
        Status::Ready => Some(true),
        Status::Failed { .. } => Some(false),
        Status::Pending { .. } => None,
    }
}

/// The same world in which only the facts that `of` names are known.
fn only(world: &World, of: &[Dependency]) -> World {
    let mut less = World::at(world.now);
    for leaf in of {
        let name = leaf.named().expect("it settles");
        match leaf {
            Dependency::Resource(_) => {
                less.resources.insert(*name, world.resources[name].clone());
            }
            _ => less.tasks.extend(world.tasks.get(name).map(|ending| (*name, ending.clone()))),
        }
    }
    less
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_agrees_with_three_valued_logic(expression in without_clock(), world in worlds()) {
        prop_assert_eq!(value(&world.evaluate(&expression)), kleene(&expression, &world));
    }

    #[test]
    fn not_is_the_opposite_and_everything_has_a_form(expression in expressions(), world in worlds()) {
        let not = Dependency::Not(Box::new(expression.clone()));
        let (is, is_not) = (world.evaluate(&expression), world.evaluate(&not));
        prop_assert_eq!(value(&is).map(|it| !it), value(&is_not));
        let form = serde_json::to_value(&expression).expect("JSON");
        prop_assert_eq!(serde_json::from_value::<Dependency>(form).expect("readable"), expression);
    }

    /// What is decided stays decided, whatever becomes known later and however late it is asked.
    #[test]
    fn what_has_settled_stays(expression in expressions(), world in worlds(), later in worlds()) {
        let before = value(&world.evaluate(&expression));
        let mut after = world.clone();
        after.now = world.now.max(later.now);
        // Facts that come later are dated later.
        let at = after.now.max(world.now);
        for (id, known) in &later.resources {
            let now = match known.clone() {
                Known::Pending => Known::Pending,
                Known::Holds { .. } => Known::Holds { at },
                Known::Impossible { root_causes, cause, .. } => Known::Impossible { root_causes, cause, at },
            };
            if after.resources[id] == Known::Pending {
                after.resources.insert(*id, now);
            }
        }
        for (id, ending) in &later.tasks {
            after.tasks.entry(*id).or_insert(Ending { at, ..ending.clone() });
        }
        if before.is_some() {
            prop_assert_eq!(value(&after.evaluate(&expression)), before);
        }
    }

    #[test]
    fn grounds_decide_by_themselves_and_none_is_superfluous(
        expression in without_clock(), world in worlds(),
    ) {
        let explanation = expression.explain("x", &world, world.now);
        prop_assert_eq!(&explanation.status, &world.evaluate(&expression));
        let mut leaves: Vec<_> = explanation.grounds.iter().map(|it| it.leaf.clone()).collect();
        leaves.sort_by_key(|leaf| format!("{leaf:?}"));
        leaves.dedup();
        let Some(decided) = value(&explanation.status) else {
            prop_assert!(!leaves.is_empty(), "something is waited for");
            prop_assert!(explanation.grounds.iter().all(|it| value(&it.status).is_none()));
            return Ok(());
        };
        let same = only(&world, &leaves);
        prop_assert_eq!(value(&same.evaluate(&expression)), Some(decided));
    }

    /// In an expression that names nothing twice, exactly the grounds of what is pending matter.
    #[test]
    fn what_is_pending_waits_for_its_grounds(world in worlds(), count in 0..4_u32) {
        let task = |n| Dependency::Task(id(n));
        let parts = vec![task(0), Dependency::Any(vec![task(1), task(2)]), Dependency::All(vec![task(3), task(4)])];
        let expression = Dependency::AtLeast { count, of: parts };
        let explanation = expression.explain("x", &world, world.now);
        if !matches!(explanation.status, Status::Pending { .. }) {
            return Ok(());
        }
        let mut yes = world.clone();
        let mut no = world.clone();
        for ground in &explanation.grounds {
            let task = *ground.leaf.named().expect("a task");
            prop_assert!(!world.tasks.contains_key(&task));
            yes.tasks.insert(task, Ending { task, how: How::Ok, at: world.now });
            no.tasks.insert(task, Ending { task, how: How::Failed, at: world.now });
        }
        prop_assert_eq!(yes.evaluate(&expression), Status::Ready);
        prop_assert_eq!(value(&no.evaluate(&expression)), Some(false));
        // All else makes no difference.
        let mut others = world.clone();
        for n in 0..NAMES {
            let named = explanation.grounds.iter().any(|it| it.leaf.named() == Some(&id(n)));
            if !named && !others.tasks.contains_key(&id(n)) {
                others.tasks.insert(id(n), Ending { task: id(n), how: How::Failed, at: world.now });
            }
        }
        prop_assert_eq!(value(&others.evaluate(&expression)), None);
    }
}
