//! Pictures as they must be, line by line.

use std::time::{Duration, Instant};

use kantoku_api::contract::{Tree, TreeTask};
use kantoku_domain::task::Outcome;
use kantoku_projections::document::TaskStatus;

use super::*;
use crate::render::{
    chain_lines,
    testing::{at, id, task, tree},
};

fn received(task: TreeTask, from: u64) -> TreeTask {
    TreeTask { status: TaskStatus::Received, attempt: 1, started_at: Some(at(from)), ..task }
}

fn finished(task: TreeTask, from: u64, to: u64) -> TreeTask {
    TreeTask {
        status: TaskStatus::Finished,
        sub_status: Some(Outcome::Ok),
        finished_at: Some(at(to)),
        ..received(task, from)
    }
}

fn failed(task: TreeTask, from: u64, to: u64, error: &str) -> TreeTask {
    TreeTask {
        sub_status: Some(Outcome::Failed),
        error: Some(error.into()),
        attempt: 3,
        ..finished(task, from, to)
    }
}

fn canvas(width: usize, height: usize) -> Canvas {
    Canvas { width, height, paint: Paint::OFF, now: at(4_200) }
}

#[track_caller]
fn assert_picture(tree: &Tree, canvas: &Canvas, expected: &str) {
    let picture = tree_lines(tree, By::Parent, canvas).join("\n");
    let expected = expected.trim_start_matches('\n').trim_end();
    assert_eq!(picture, expected, "\n--- is\n{picture}\n--- should be\n{expected}");
}

/// A pipeline with a failure in it, and a task that spawned two.
fn words() -> Tree {
    let child = |n, step: &str| TreeTask { parent_id: Some(id(2)), ..task(n, step, &[]) };
    tree(vec![
        finished(task(1, "fetch", &[]), 0, 12),
        finished(task(2, "words", &[1]), 20, 60),
        finished(child(5, "part-1"), 70, 1_400),
        received(child(6, "part-2"), 1_000),
        failed(task(3, "count", &[2]), 100, 3_100, "exit code 1: boom\nand more\n"),
        task(4, "top", &[2, 3]),
    ])
}

#[test]
fn a_small_context_shows_every_task_with_what_came_before_it_and_what_failed_first() {
    assert_picture(
        &words(),
        &canvas(80, 40),
        "
top-words v2  running  4.2 s  00000000-0000-5000-8000-00000000002a
████████████████░░░░░░░░  4 of 6 ended · 1 failed · 1 running · 1 waiting · 3 ok

✖ failed  count  00000003  try 3    exit code 1: boom

├─ ✔ ok          fetch   text/count  12 ms
├─ ✔ ok          words   text/count  40 ms    ← fetch
│  ├─ ✔ ok       part-1  text/count  1.3 s
│  └─ ● running  part-2  text/count  3.2 s
├─ ✖ failed      count   text/count  3.0 s    attempt 3  ← words
└─ ○ waiting     top     text/count           ← words, count
",
    );
}

#[test]
fn a_narrow_terminal_gets_names_and_errors_and_nothing_wraps() {
    let tree = words();
    assert_picture(
        &tree,
        &canvas(40, 40),
        "
top-words v2  running  4.2 s  00000000-…
████████████████░░░░░░░░  4 of 6 ended …

✖ failed  count  try 3    exit code 1: …

├─ ✔ ok          fetch   12 ms
├─ ✔ ok          words   40 ms    ← fet…
│  ├─ ✔ ok       part-1  1.3 s
│  └─ ● running  part-2  3.2 s
├─ ✖ failed      count   3.0 s    attem…
└─ ○ waiting     top              ← wor…
",
    );
}

/// `width` chains of `depth` tasks, of which those before `ended` have finished.
fn lattice(width: usize, depth: usize, ended: usize) -> Tree {
    let mut tasks = Vec::new();
    for level in 0..depth {
        for chain in 0..width {
            let n = level * width + chain + 1;
            let before: &[usize] = if level == 0 { &[] } else { &[n - width] };
            let task = task(n, &format!("s{level}_{chain}"), before);
            tasks.push(if n <= ended { finished(task, 10, 10 + n as u64) } else { task });
        }
    }
    tree(tasks)
}

#[test]
fn thousands_of_tasks_are_grouped_by_level_and_long_runs_collapse() {
    let mut tree = lattice(100, 20, 850);
    let running = tree.tasks[850..858].iter().map(|task| received(task.clone(), 1_000));
    let running: Vec<_> = running.collect();
    tree.tasks.splice(850..858, running);
    tree.tasks[859] = failed(tree.tasks[859].clone(), 0, 2_000, "out of memory");
    assert_picture(
        &tree,
        &canvas(100, 24),
        "
top-words v2  running  4.2 s  00000000-0000-5000-8000-00000000002a
██████████░░░░░░░░░░░░░░  851 of 2000 ended · 1 failed · 8 running · 1141 waiting · 850 ok

✖ failed  s8_59  0000035c  try 3    out of memory

level
  1–8  ✔ ok       800 tasks   text/count           each 1 ms to 800 ms
    9  ✖ failed   s8_59       text/count  2.0 s
       ● running  8 tasks     text/count
       ○ waiting  41 tasks    text/count
       ✔ ok       50 tasks    text/count           each 801 ms to 850 ms
10–20  ○ waiting  1100 tasks  text/count
",
    );
}

#[test]
fn a_picture_never_exceeds_its_canvas() {
    for (width, depth, ended) in [(1, 1, 0), (1, 2_000, 700), (2_000, 1, 3), (40, 50, 1_234)] {
        let mut tree = lattice(width, depth, ended);
        for (n, task) in tree.tasks.iter_mut().enumerate().filter(|(n, _)| n % 7 == 3) {
            *task = failed(task.clone(), 0, n as u64, "a long reason, of many words, in one line");
        }
        for canvas in [canvas(120, 50), canvas(80, 24), canvas(30, 12), canvas(5, 5)] {
            let lines = tree_lines(&tree, By::Parent, &canvas);
            assert!(lines.len() <= canvas.height, "{} lines in {canvas:?}", lines.len());
            for line in lines {
                assert!(console::measure_text_width(&line) <= canvas.width, "{line} {canvas:?}");
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let plain = tree_lines(&words(), By::Parent, &canvas(80, 40));
    let coloured = tree_lines(&words(), By::Parent, &Canvas { paint: Paint::ON, ..canvas(80, 40) });
    let stripped: Vec<_> = coloured.iter().map(|line| console::strip_ansi_codes(line)).collect();
    assert_eq!(stripped, plain);
    assert_ne!(coloured, plain);
}

#[test]
fn tasks_that_spawn_each_other_thousands_deep_stay_on_the_canvas() {
    let mut tasks = vec![task(1, "root", &[])];
    for n in 2..3_000 {
        tasks.push(TreeTask { parent_id: Some(id(n - 1)), ..task(n, "child", &[]) });
    }
    let tree = tree(tasks);
    let lines = tree_lines(&tree, By::Parent, &canvas(80, 5_000));
    assert_eq!(lines.len(), 3 + 2_999);
    assert!(lines.iter().all(|line| console::measure_text_width(line) <= 80));
}

#[test]
fn a_picture_of_two_thousand_tasks_takes_no_time_that_a_person_would_notice() {
    let tree = lattice(40, 50, 1_000);
    let started = Instant::now();
    tree_lines(&tree, By::Parent, &canvas(120, 50));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn a_change_is_one_line() {
    let failed = failed(task(3, "count", &[]), 0, 2_500, "boom\nbang");
    let line = change_line(&failed, name_width(&words()), at(2_500));
    assert_eq!(line, "03:04:07 ✖ failed     count   text/count  2.5 s  boom");
}

/// A pipeline of which a task was restarted twice, the second time on other tasks' outputs.
fn mended() -> Tree {
    let restarted = |task, by| TreeTask { restarted_as: Some(id(by)), ..task };
    let restart = |task, of| TreeTask { restart_parent: Some(id(of)), ..task };
    let child =
        |n, parent, step: &str| TreeTask { parent_id: Some(id(parent)), ..task(n, step, &[]) };
    tree(vec![
        finished(task(1, "fetch", &[]), 0, 12),
        restarted(failed(task(2, "count", &[1]), 100, 3_100, "exit code 1: boom"), 5),
        finished(child(3, 2, "part"), 200, 300),
        restart(restarted(failed(task(5, "count", &[1]), 3_200, 3_300, "boom"), 6), 2),
        restart(finished(task(6, "count", &[1]), 3_400, 4_000), 5),
        received(child(8, 6, "part"), 4_100),
        finished(task(7, "top", &[6]), 4_050, 4_100),
    ])
}

#[test]
fn what_was_restarted_gives_way_to_what_took_its_place() {
    assert_picture(
        &mended(),
        &canvas(80, 40),
        "
top-words v2  running  4.2 s  00000000-0000-5000-8000-00000000002a
██████████████████░░░░░░  3 of 4 ended · 1 running · 3 ok

├─ ✔ ok          fetch  text/count  12 ms
├─ ✔ ok          count  text/count  600 ms   ← fetch  restart of 00000005
│  └─ ● running  part   text/count  100 ms
└─ ✔ ok          top    text/count  50 ms    ← count
  … 3 that others replaced (ktk tree --by restart)
",
    );
}

#[test]
fn by_data_each_task_stands_below_the_last_of_those_before_it() {
    let picture = tree_lines(&words(), By::Data, &canvas(80, 40)).join("\n");
    let expected = "
└─ ✔ ok                fetch   text/count  12 ms
   └─ ✔ ok             words   text/count  40 ms    ← fetch
      ├─ ✔ ok          part-1  text/count  1.3 s
      ├─ ● running     part-2  text/count  3.2 s
      └─ ✖ failed      count   text/count  3.0 s    attempt 3  ← words
         └─ ○ waiting  top     text/count           ← words, count";
    let body = picture.split_once("boom\n").unwrap().1;
    assert_eq!(body, expected, "\n--- is\n{body}\n--- should be\n{expected}");
}

#[test]
fn chains_of_restarts_show_each_task_with_what_took_its_place() {
    let lines = chain_lines(&mended(), &canvas(80, 40)).join("\n");
    let expected = "
top-words v2  running  4.2 s  00000000-0000-5000-8000-00000000002a

✖ failed        count  text/count  3.0 s    00000002  attempt 3  exit code 1: b…
└─ ✖ failed     count  text/count  100 ms   00000005  attempt 3  boom
   └─ ✔ ok      count  text/count  600 ms   00000006
  … 4 tasks were never restarted";
    let expected = expected.trim_start_matches('\n');
    assert_eq!(lines, expected, "\n--- is\n{lines}\n--- should be\n{expected}");
    let few = chain_lines(&mended(), &canvas(80, 5));
    assert_eq!(few.len(), 5);
    assert_eq!(few[4], "  … 1 more restarts; 4 tasks were never restarted");
    assert!(chain_lines(&words(), &canvas(80, 40))[2].contains("nothing was restarted"));
}

#[test]
fn a_chain_that_leads_back_to_itself_ends() {
    let around = |n, before, after| TreeTask {
        restart_parent: before,
        restarted_as: Some(id(after)),
        ..task(n, "a", &[])
    };
    let lines =
        chain_lines(&tree(vec![around(1, None, 2), around(2, Some(id(1)), 1)]), &canvas(80, 40));
    assert!(lines.len() <= 6, "{lines:?}");
}
