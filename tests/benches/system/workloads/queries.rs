//! W8: questions to the read model.

use std::time::Instant;

use kantoku_api::contract::{CountParams, Counts, Filter, ListParams, TaskCount, TaskList};
use serde_json::json;

use crate::{
    measured::{Measured, Spending},
    stand::Up,
};

const TIMES: usize = 50;
const ROWS: u32 = 50;

pub(super) async fn run(up: &Up) -> Vec<(&'static str, Measured)> {
    let spending = Spending::begin(up.pid);
    let list = repeated(async || {
        let sort = Some("-updated_at".to_owned());
        let params =
            ListParams { filter: finished(), sort, limit: Some(ROWS), ..ListParams::default() };
        let page = up.client.call::<TaskList>(&params).await.expect("answered");
        assert_eq!(page.items.len(), ROWS as usize);
    });
    let note = "task.list: a status, the last changed first, 50 rows";
    let list = list.await.described(note, &spending);
    let spending = Spending::begin(up.pid);
    let mut counts = None;
    let count = repeated(async || {
        let params = CountParams { filter: finished(), ..CountParams::default() };
        counts = Some(up.client.call::<TaskCount>(&params).await.expect("answered"));
    });
    let note = "task.count: a status";
    let count = count.await.described(note, &spending);
    let total = counts.map_or(0, |counts: Counts| counts.total) as f64;
    vec![("W8 list", list.with("tasks", total)), ("W8 count", count.with("tasks", total))]
}

fn finished() -> Filter {
    json!({"status": "finished"}).as_object().cloned().unwrap_or_default()
}

struct Times(Vec<f64>);

async fn repeated(mut ask: impl AsyncFnMut()) -> Times {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        ask().await;
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    Times(times)
}

impl Times {
    fn described(self, note: &'static str, spending: &Spending) -> Measured {
        let seconds = self.0.iter().sum::<f64>() / 1_000.0;
        Measured::new(self.0.len(), seconds, note).spent(&spending.end()).percentiles(self.0)
    }
}
