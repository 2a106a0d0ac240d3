//! The checkpoint's position, as Postgres announces it, and whether Postgres is there.

use std::time::Duration;

use kantoku_streams::warn_missing;
use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{Database, Error, checkpoint::CHANNEL};

/// The longest pause before a lost connection is tried again.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The pool tries for much longer, and nothing is known meanwhile.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known by following.
pub(super) struct Followed {
    pub(super) position: watch::Receiver<u64>,
    /// Whether there is a connection.
    pub(super) is_there: watch::Receiver<bool>,
    pub(super) follower: JoinHandle<()>,
}

/// Listens first and reads the checkpoint then, so that no commit falls between.
pub(super) async fn start(database: &Database) -> Result<Followed, Error> {
    let (database, pool) = (database.clone(), database.pool().clone());
    let schema = database.schema().to_owned();
    let (sender, position) = watch::channel(0);
    let (there, is_there) = watch::channel(true);
    let listener = listen(&pool, &sender).await.map_err(Error::database("following commits"))?;
    let follower = tokio::spawn(async move {
        let mut listener = Some(listener);
        let mut backoff = BACKOFF_MIN;
        loop {
            let failed = match listener.take() {
                Some(listener) => {
                    backoff = BACKOFF_MIN;
                    there.send_replace(true);
                    follow(listener, &schema, &sender).await
                }
                None => match listen_again(&database, &sender).await {
                    Ok(again) => {
                        listener = Some(again);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            if pool.is_closed() {
                return;
            }
            there.send_replace(false);
            warn_missing("postgres", "follow the position of the read models", &failed);
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    });
    Ok(Followed { position, is_there, follower })
}

async fn listen_again(
    database: &Database,
    sender: &watch::Sender<u64>,
) -> Result<PgListener, sqlx::Error> {
    match database.dial().await {
        Ok(()) => listen(database.pool(), sender).await,
        Err(Error::Database { source, .. }) => Err(source),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

async fn listen(pool: &PgPool, sender: &watch::Sender<u64>) -> Result<PgListener, sqlx::Error> {
    let mut listener = timeout(DIAL_TIMEOUT, PgListener::connect_with(pool))
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)??;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    let position: i64 =
        sqlx::query_scalar("SELECT stream_seq FROM checkpoint").fetch_one(pool).await?;
    // Not only upwards: Postgres may have been restored.
    sender.send_replace(position as u64);
    Ok(listener)
}

/// Passes on positions until the connection is lost; returns why.
async fn follow(
    mut listener: PgListener,
    schema: &str,
    sender: &watch::Sender<u64>,
) -> sqlx::Error {
    loop {
        match listener.try_recv().await {
            Ok(Some(notice)) => {
                // Rebuilds announce on the same channel under their own names.
                let words: Vec<&str> = notice.payload().split(' ').collect();
                match words[..] {
                    [of, position] if of == schema => advance(sender, position),
                    [of, position, _anew] if of == schema => replace(sender, position),
                    _ => {}
                }
            }
            Ok(None) => return sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
            Err(error) => return error,
        }
    }
}

fn advance(sender: &watch::Sender<u64>, position: &str) {
    let Ok(position) = position.parse::<u64>() else { return };
    sender.send_if_modified(|at| {
        let ahead = position > *at;
        *at = position.max(*at);
        ahead
    });
}

/// Other tables are in the place of those before.
fn replace(sender: &watch::Sender<u64>, position: &str) {
    let Ok(position) = position.parse::<u64>() else { return };
    sender.send_replace(position);
}
