//! What a process needs once, whatever it runs.

use std::{
    any::Any,
    panic::{self, PanicHookInfo},
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::ServeError;

/// The upper ends of what durations are counted by, in seconds: from a hop to a long task.
const SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0];
/// How often what histograms have gathered is put together.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// How many files and connections may be open, where the system allows it: what programs get unless
/// they ask is less than the connections of one API.
const FILES_MAX: u64 = 16_384;

/// Sets up TLS, the log of panics, the limit of open files and the metrics. To be called once.
pub(super) fn install() -> Result<PrometheusHandle, ServeError> {
    raise_limit_of_files();
    // Refused only when it is there already.
    rustls::crypto::ring::default_provider().install_default().ok();
    panic::set_hook(Box::new(log_panic));
    let seconds = Matcher::Suffix("_seconds".into());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS)?;
    let metrics = builder.install_recorder()?;
    kantoku_streams::metric::describe();
    kantoku_preprocessors::describe_metrics();
    kantoku_executor::describe_metrics();
    kantoku_api::server::metric::describe();
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    Ok(metrics)
}

/// Where it cannot be raised, connections are refused earlier.
fn raise_limit_of_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = FILES_MAX.min(hard);
        if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

/// In the log like everything else, and not among it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = std::backtrace::Backtrace::capture();
    tracing::error!(
        place,
        thread = thread.name().unwrap_or("unnamed"),
        %backtrace,
        "panic: {}",
        message(panic.payload())
    );
}

/// What a panic said.
pub(super) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
