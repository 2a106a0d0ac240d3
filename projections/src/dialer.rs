//! Dialling Postgres at a pace: a pool alone dials many times a second while nobody is there, for
//! each of those who wait.

use std::time::Duration;

use kantoku_streams::Redial;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::Error;

/// How long one dial may take.
const DIAL_MAX: Duration = Duration::from_secs(3);

/// Whether Postgres can be dialled. Shared by all who use a pool.
#[derive(Debug, Default)]
pub(crate) struct Dialer(Mutex<Away>);

#[derive(Debug, Default)]
struct Away {
    redial: Redial,
    /// Nobody dials before. `None`: the last dial succeeded.
    until: Option<Instant>,
}

impl Dialer {
    /// Dials once, one at a time. Fails without dialling where the last dial failed just now.
    pub(crate) async fn dial(&self, options: &PgConnectOptions) -> Result<(), Error> {
        let mut away = self.0.lock().await;
        if away.until.is_some_and(|until| Instant::now() < until) {
            return Err(does_not_answer(sqlx::Error::PoolTimedOut));
        }
        let dialled = timeout(DIAL_MAX, PgConnection::connect_with(options)).await;
        let failed = match dialled {
            Ok(Ok(connection)) => {
                *away = Away::default();
                connection.close().await.ok();
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        away.until = Some(Instant::now() + away.redial.next_wait());
        Err(does_not_answer(failed))
    }
}

fn does_not_answer(source: sqlx::Error) -> Error {
    Error::Database { doing: "connecting", source }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn however_many_wait_and_ask_nobody_is_dialled_more_often_than_at_the_pace() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
        let counting = tokio::spawn(async move {
            let mut dials = 0;
            while let Ok(Ok((stream, _))) = timeout(Duration::from_secs(6), listener.accept()).await
            {
                dials += 1;
                drop(stream);
            }
            dials
        });
        let dialer = Dialer::default();
        let end = Instant::now() + Duration::from_secs(8);
        let ask = async || {
            while Instant::now() < end {
                dialer.dial(&options).await.expect_err("hung up");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        futures::future::join_all((0..20).map(|_| ask())).await;
        let dials = counting.await.expect("counted");
        // The first at once, three while the pace slows down, then one every 3.4 s at most.
        assert!((2..=7).contains(&dials), "{dials} dials in 8 s");
    }
}
