//! One attempt: inputs, executable, result.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use kantoku_domain::{
    Datum, Executable, Millis,
    task::{Failure, Success},
};
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    children::{Children, delegations},
    claim::Claim,
    directory::Directory,
    executor::Parts,
    failure,
    http::Post,
    inputs::{Inputs, datum_of},
    log::Log,
    metric,
    process::Program,
    reaper::BOOT_ID,
    redact::Redactor,
    result::ResultDocument,
    running::{Place, Stop},
};

/// How long the end of an attempt waits for its last output to be stored.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// The variable that holds the fencing token of the attempt.
const FENCE: &str = "KANTOKU_FENCE";

/// A claimed attempt, and what it takes to run it.
pub(crate) struct Attempt<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) claim: &'a Claim,
    pub(crate) place: &'a Place,
}

/// How an attempt ended, and the kind of its executable as far as it is known.
pub(crate) struct Ended {
    pub(crate) outcome: Result<Success, Failure>,
    pub(crate) executable: &'static str,
}

impl Attempt<'_> {
    /// Runs it to its end, to its timeout, or until it is told to stop.
    pub(crate) async fn run(&self) -> Ended {
        let mut executable = "unknown";
        let halt = self.place.halt().child_token();
        let outcome = {
            let mut work = pin!(self.work(&halt, &mut executable));
            match self.claim.spawned.timeouts.attempt {
                None => work.await,
                Some(limit) => tokio::select! {
                    biased;
                    ended = &mut work => ended,
                    () = sleep(limit.duration()) => {
                        halt.cancel();
                        work.await.map_err(|left| Failure {
                            stderr_tail: left.stderr_tail,
                            ..failure::timed_out(limit)
                        })
                    }
                },
            }
        };
        Ended { outcome, executable }
    }

    async fn work(
        &self,
        halt: &CancellationToken,
        kind: &mut &'static str,
    ) -> Result<Success, Failure> {
        let Claim { recorded, ready, spawned, .. } = self.claim;
        let prepare = async {
            let reference = &spawned.specification;
            let applied = self.parts.specifications.get(&recorded.namespace, reference).await?;
            let (bus, scripts) = (&self.parts.bus, &self.parts.scripts);
            let (keys, namespace) = (self.parts.config.secret_keys.as_ref(), &recorded.namespace);
            let inputs = Inputs::fetch(bus, scripts, keys, namespace, spawned, ready).await?;
            Ok((applied, inputs))
        };
        let (applied, mut inputs) = until(halt, prepare).await?;
        let executable = &applied.definition.executable;
        *kind = metric::kind(executable);
        let redactor = &Redactor::new(&std::mem::take(&mut inputs.secrets));
        let work = async {
            let said = self.execute(executable, &mut inputs.values, redactor, halt).await?;
            redactor.check(&said)?;
            until(halt, self.success(said, inputs.made)).await
        };
        // Whatever went wrong may tell of what was read.
        work.await.map_err(|failure| redactor.failure(failure))
    }

    async fn execute(
        &self,
        executable: &Executable,
        inputs: &mut Map<String, Value>,
        redactor: &Redactor,
        halt: &CancellationToken,
    ) -> Result<ResultDocument, Failure> {
        let said = match executable {
            Executable::Noop => {
                return Ok(self.outputs(|name| inputs.remove(name)));
            }
            Executable::Sleep { duration, outputs } => {
                halt.run_until_cancelled(sleep(duration.duration()))
                    .await
                    .ok_or_else(failure::stopped)?;
                return Ok(self.outputs(|name| outputs.get(name).cloned()));
            }
            Executable::Process { command, env, cwd } => {
                self.process(command, env, cwd.as_deref(), inputs, redactor, halt).await?
            }
            Executable::Rhai { script } => {
                let run = async {
                    let made = self.parts.scripts.run(script, inputs).await;
                    made.map_err(|error| failure::script(error.to_string(), error.is_retryable()))
                };
                until(halt, run).await?
            }
            Executable::Http { url, headers } => {
                let post = Post {
                    url,
                    headers,
                    task_id: self.claim.ready.task_id.to_string(),
                    attempt: self.claim.ready.attempt,
                    fence: self.claim.fence,
                    redactor,
                };
                until(halt, self.parts.http.post(&post, inputs)).await?
            }
        };
        ResultDocument::read(said)
    }

    fn outputs(&self, mut value: impl FnMut(&str) -> Option<Value>) -> ResultDocument {
        let output = |name: &String| (name.clone(), value(name).unwrap_or_default());
        let outputs = self.claim.spawned.outputs.keys().map(output).collect();
        ResultDocument { outputs, ..ResultDocument::default() }
    }

    /// Runs a process, its output going to the log of the attempt.
    async fn process(
        &self,
        command: &[String],
        own: &BTreeMap<String, String>,
        cwd: Option<&str>,
        inputs: &Map<String, Value>,
        redactor: &Redactor,
        halt: &CancellationToken,
    ) -> Result<Value, Failure> {
        let ready = &self.claim.ready;
        let config = &self.parts.config;
        let name = format!("{}-{}", ready.task_id, ready.attempt);
        let directory = Directory::open(cwd, &config.run_dir(), &name).map_err(|error| {
            let place = config.work_dir.display();
            failure::infrastructure(format!("no directory of its own in {place}: {error}"))
        })?;
        let cwd = directory.path();
        let environment = self.environment(own);
        let mark = [BOOT_ID, FENCE].map(|name| format!("{name}={}", environment[name]));
        let (environment, mark, grace) = (&environment, &mark, &|| self.grace());
        let program = Program { command, environment, mark, cwd, grace, redactor };
        let address = self.claim.log_address();
        let (log, mut writer) = Log::open();
        let logs = self.parts.bus.logs();
        // Goes on when this attempt is dropped: what was said until then is stored.
        let store = tokio::spawn(async move { log.store(&logs, &address).await });
        let ended = program.run(inputs, &mut |piece| writer.write(piece), halt).await;
        drop(writer);
        // Whoever sees the end of the attempt finds its output, unless the log is out of reach.
        timeout(FLUSH_MAX, store).await.ok();
        ended
    }

    /// How long a process may take to go. The executor itself has no more time than its own.
    fn grace(&self) -> Duration {
        let usual = self.parts.config.grace;
        let own = self.claim.spawned.timeouts.grace.map_or(usual, Millis::duration);
        if self.place.reason() == Some(&Stop::Shutdown) { own.min(usual) } else { own }
    }

    fn environment(&self, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let ours = [
            ("KANTOKU_TASK_ID", self.claim.ready.task_id.to_string()),
            ("KANTOKU_ATTEMPT", self.claim.ready.attempt.to_string()),
            (FENCE, self.claim.fence.to_string()),
            (BOOT_ID, self.parts.config.boot_id.to_string()),
        ];
        let mut environment = own.clone();
        environment.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        environment
    }

    /// What the executable said, checked and stored as far as the domain cannot.
    async fn success(
        &self,
        said: ResultDocument,
        made: BTreeMap<String, Datum>,
    ) -> Result<Success, Failure> {
        let parts = self.parts;
        let ledger = parts.bus.ledger();
        let mut success = Success { inputs: made, result: said.result, ..Success::default() };
        for (name, value) in said.outputs {
            // Checked here, as the domain cannot look into a blob.
            if let Some(output) = self.claim.spawned.outputs.get(&name) {
                let checked = output.type_.check(&value);
                checked.map_err(|error| failure::wrong_type("output", &name, &error))?;
            }
            success.outputs.insert(name, datum_of(ledger, value).await?);
        }
        let namespace = &self.claim.recorded.namespace;
        let mut children = Children::new(ledger, &parts.specifications, namespace);
        for request in said.spawn {
            success.children.push(children.child(request).await?);
        }
        success.delegate = delegations(said.delegate, &success.children)?;
        Ok(success)
    }
}

/// What `work` gives, unless `halt` is cancelled before.
async fn until<T>(
    halt: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    halt.run_until_cancelled(work).await.unwrap_or_else(|| Err(failure::stopped()))
}
