//! Who waits for whom, and who gets which file from whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Problems,
    recording::{Key, Recording},
};

/// By index of the task.
pub(super) struct Graph {
    /// Per task, the files that it reads, and the task that it gets each from; `None`: they were
    /// there before.
    pub(super) sources: Vec<BTreeMap<String, Option<usize>>>,
    /// Per task, those that it waits for without getting a file.
    pub(super) after: Vec<BTreeSet<usize>>,
    /// Files to those that write them.
    pub(super) writers: HashMap<String, Vec<usize>>,
}

impl Graph {
    /// Looks names up, binds files, and finds cycles.
    pub(super) fn of(recording: &Recording, problems: &mut Problems) -> Self {
        let mut before = declared(recording, problems);
        let mut writers: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, task) in recording.tasks.iter().enumerate() {
            for file in &task.writes {
                writers.entry(file.clone()).or_default().push(index);
            }
        }
        let places = match places(&before) {
            Ok(places) => places,
            Err(cycle) => {
                report_cycle(recording, &cycle, problems);
                vec![0; before.len()]
            }
        };
        let sources: Vec<_> = (0..before.len())
            .map(|reader| sources(recording, reader, &writers, &before[reader], &places, problems))
            .collect();
        if problems.is_empty() {
            for (before, sources) in before.iter_mut().zip(&sources) {
                before.extend(sources.values().flatten());
            }
            if let Err(cycle) = self::places(&before) {
                report_cycle(recording, &cycle, problems);
            }
        }
        for (before, sources) in before.iter_mut().zip(&sources) {
            for source in sources.values().flatten() {
                before.remove(source);
            }
        }
        Self { sources, after: before, writers }
    }
}

/// Per task, the parents that it names and those that name it as a child.
fn declared(recording: &Recording, problems: &mut Problems) -> Vec<BTreeSet<usize>> {
    let index = Index::of(recording);
    let mut before = vec![BTreeSet::new(); recording.tasks.len()];
    for (place, task) in recording.tasks.iter().enumerate() {
        for (field, names) in [("parents", &task.parents), ("children", &task.children)] {
            for (position, name) in names.iter().enumerate() {
                match index.find(name) {
                    Some(other) if field == "parents" => before[place].insert(other),
                    Some(other) => before[other].insert(place),
                    None => {
                        let (place, position) = (place.to_string(), position.to_string());
                        let path = recording.path(&place, &[field, &position]);
                        let message = format!("there is no single task {name:?}");
                        let advice = match recording.refers_by {
                            Key::Id => {
                                "name a task of the recording by its id, or remove the entry"
                            }
                            Key::Name => {
                                "name a task of the recording by its name (in 1.4 not by its id), or remove the entry"
                            }
                        };
                        problems.add(&path, message, advice);
                        false
                    }
                };
            }
        }
    }
    before
}

/// Tasks by what they are referred to by; `None` for a name that several have.
struct Index<'a> {
    first: HashMap<&'a str, Option<usize>>,
    second: HashMap<&'a str, Option<usize>>,
}

impl<'a> Index<'a> {
    fn of(recording: &'a Recording) -> Self {
        let (mut ids, mut names) = (HashMap::new(), HashMap::new());
        for (index, task) in recording.tasks.iter().enumerate() {
            ids.insert(task.id.as_str(), Some(index));
            if let Some(name) = &task.name {
                names.entry(name.as_str()).and_modify(|known| *known = None).or_insert(Some(index));
            }
        }
        match recording.refers_by {
            Key::Id => Self { first: ids, second: names },
            Key::Name => Self { first: names, second: ids },
        }
    }

    /// Recorders take the one for the other, so what is not found as the one is tried as the other.
    fn find(&self, text: &str) -> Option<usize> {
        *self.first.get(text).or_else(|| self.second.get(text))?
    }
}

/// Where `reader` gets each of its files from. Of several that write a file it is the parent that
/// comes last.
fn sources(
    recording: &Recording,
    reader: usize,
    writers: &HashMap<String, Vec<usize>>,
    before: &BTreeSet<usize>,
    places: &[usize],
    problems: &mut Problems,
) -> BTreeMap<String, Option<usize>> {
    let mut sources = BTreeMap::new();
    for file in &recording.tasks[reader].reads {
        let others = writers.get(file).into_iter().flatten().copied();
        let others: Vec<usize> = others.filter(|writer| *writer != reader).collect();
        let source = match others[..] {
            [] => None,
            [writer] => Some(writer),
            _ => {
                let parents = others.iter().copied().filter(|writer| before.contains(writer));
                let last = parents.max_by_key(|writer| places[*writer]);
                if last.is_none() {
                    let [a, b] = [others[0], others[1]].map(|index| &recording.tasks[index].id);
                    let message = format!(
                        "{file:?} is written by {} tasks ({a:?}, {b:?}, …), none of them a parent",
                        others.len()
                    );
                    let reader = reader.to_string();
                    problems.add(
                        &recording.path(&reader, &["parents"]),
                        message,
                        "name the one that it is read from as a parent, or give each file a name of its own",
                    );
                }
                last
            }
        };
        sources.insert(file.clone(), source);
    }
    sources
}

/// The place of each task in an order in which all come after those that they wait for (Kahn,
/// 1962), or a cycle.
fn places(before: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waiting: Vec<usize> = before.iter().map(BTreeSet::len).collect();
    let mut followers = vec![Vec::new(); before.len()];
    for (task, before) in before.iter().enumerate() {
        for other in before {
            followers[*other].push(task);
        }
    }
    let mut order: Vec<usize> = (0..before.len()).filter(|task| waiting[*task] == 0).collect();
    let mut next = 0;
    while let Some(task) = order.get(next).copied() {
        next += 1;
        for follower in &followers[task] {
            waiting[*follower] -= 1;
            if waiting[*follower] == 0 {
                order.push(*follower);
            }
        }
    }
    let Some(mut task) = waiting.iter().position(|count| *count > 0) else {
        let mut places = vec![0; before.len()];
        for (place, task) in order.into_iter().enumerate() {
            places[task] = place;
        }
        return Ok(places);
    };
    // Whoever is left waits for somebody who is left: going back must come round.
    let (mut trail, mut seen) = (Vec::new(), BTreeSet::new());
    while seen.insert(task) {
        trail.push(task);
        let other = before[task].iter().find(|other| waiting[**other] > 0);
        task = *other.expect("it waits for one that is left");
    }
    let mut cycle: Vec<_> = trail.into_iter().skip_while(|known| *known != task).collect();
    cycle.reverse();
    let first = (0..cycle.len()).min_by_key(|place| cycle[*place]).unwrap_or_default();
    cycle.rotate_left(first);
    Err(cycle)
}

fn report_cycle(recording: &Recording, cycle: &[usize], problems: &mut Problems) {
    const SHOWN: usize = 8;
    let name = |index: &usize| recording.tasks[*index].id.as_str();
    let mut names: Vec<&str> = cycle.iter().take(SHOWN).map(name).collect();
    if cycle.len() > SHOWN {
        names.push("…");
    }
    names.extend(cycle.first().map(name));
    let place = cycle.first().copied().unwrap_or_default().to_string();
    problems.add(
        &recording.path(&place, &["parents"]),
        format!("the tasks wait for each other: {}", names.join(" → ")),
        "remove one of these edges: parents, children, and files that one writes and another reads",
    );
}
