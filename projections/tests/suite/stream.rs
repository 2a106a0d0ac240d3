//! A projection halts when the stream is not the one that it was made from.

use kantoku_domain::Timestamp;
use kantoku_projections::{Error, Projector};

use crate::{
    given::{CREATED, everything, id},
    postgres::Postgres,
};

#[tokio::test]
async fn another_stream_is_refused_and_changes_nothing() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let database = postgres.open("ktk").await;
    let projector = Projector::new(database.clone(), CREATED);
    projector.apply_batch(&events[..20]).await.unwrap();
    projector.verify(Some(&events[19])).await.unwrap();
    let before = database.digests().await.unwrap();

    let other = Projector::new(database.clone(), Timestamp::from_micros(CREATED.micros() + 1));
    let error = other.apply_batch(&events).await.unwrap_err();
    assert!(matches!(error, Error::OtherStream { .. }), "{error}");

    let mut restored = events.clone();
    restored[19].metadata.event_id = id(12);
    let error = projector.apply_batch(&restored[15..]).await.unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    for at in [Some(&restored[19]), None] {
        let error = projector.verify(at).await.unwrap_err();
        assert!(matches!(error, Error::Diverged { .. }), "{error}");
    }

    let backwards = [events[21].clone(), events[20].clone()];
    let error = projector.apply_batch(&backwards).await.unwrap_err();
    assert!(matches!(error, Error::Order { .. }), "{error}");
    assert_eq!(before, database.digests().await.unwrap());
}
