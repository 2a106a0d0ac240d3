//! Events that Postgres refuses: found out, passed over, and nothing else is lost.

use kantoku_projections::{Error, Projector};
use sqlx::AssertSqlSafe;

use crate::{
    given::{CREATED, everything},
    postgres::Postgres,
};

/// Lets the database refuse the index entries of the events at `positions` in this schema.
async fn refuse(postgres: &Postgres, schema: &str, positions: &[u64]) {
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    let listed: Vec<String> = positions.iter().map(u64::to_string).collect();
    let refuse = format!(
        "CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '22P05'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON {schema}.events FOR EACH ROW \
         WHEN (NEW.stream_seq IN ({})) EXECUTE FUNCTION {schema}.refuse()",
        listed.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(refuse)).execute(&pool).await.unwrap();
}

#[tokio::test]
async fn what_is_refused_is_found_out_and_passed_over_and_all_else_is_projected() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    // Two that follow each other, and another.
    let poison = [3, 4, 30].map(|index| events[index].stream_seq);
    let last = events.last().unwrap().stream_seq;
    let without = postgres.open("without").await;
    let rest: Vec<_> =
        events.iter().filter(|event| !poison.contains(&event.stream_seq)).cloned().collect();
    Projector::new(without.clone(), CREATED).apply_batch(&rest).await.unwrap();

    let with = postgres.open("with_poison").await;
    refuse(&postgres, "with_poison", &poison).await;
    let projector = Projector::new(with.clone(), CREATED);
    let mut found = Vec::new();
    let reached = loop {
        match projector.apply_batch(&events).await {
            Err(Error::Poison { stream_seq, reason }) => {
                assert!(reason.contains("on purpose"), "{reason}");
                found.push(stream_seq);
                let at = events.iter().find(|event| event.stream_seq == stream_seq).unwrap();
                assert_eq!(projector.pass_over(at).await.unwrap(), stream_seq);
                // Again, by whoever crashed meanwhile: it is behind us.
                assert_eq!(projector.pass_over(at).await.unwrap(), stream_seq);
            }
            reached => break reached.unwrap(),
        }
    };
    assert_eq!((found.as_slice(), reached), (&poison[..], last));
    assert_eq!(with.digests().await.unwrap(), without.digests().await.unwrap());
}
