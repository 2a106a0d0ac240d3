//! One Postgres for all small worlds, each with a database of its own: making a server takes longer
//! than most scenes.

use std::path::Path;

use ktk::dev::{Servers, ServersConfig, Source};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::ground::ktk;

/// It ends with this process; its directory is found again by the next.
static POSTGRES: OnceCell<Servers> = OnceCell::const_new();

/// A database of one's own.
pub(crate) struct Database {
    name: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let name = format!("scene_{}", Uuid::new_v4().simple());
        let url = server().await;
        run(&format!("CREATE DATABASE {name}")).await;
        let (server, _) = url.rsplit_once('/').expect("a database");
        Self { url: format!("{server}/{name}"), name }
    }

    pub(crate) async fn remove(self) {
        run(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn server() -> &'static str {
    let servers = POSTGRES.get_or_init(async || {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos-postgres");
        let mut config = ServersConfig::new(dir).expect("a state directory");
        config.launcher = ktk();
        config.nats = Source::Off;
        Servers::start(&config).await.expect("Postgres starts")
    });
    servers.await.database_url().expect("it has an address")
}

async fn run(statement: &str) {
    let mut connection = PgConnection::connect(server().await).await.expect("connected");
    let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}
