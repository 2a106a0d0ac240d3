//! Where the next page of a query begins.

use kantoku_domain::{Id, Timestamp};
use uuid::Uuid;

use super::{Find, invalid};
use crate::{Error, document::Record};

/// The last record of a page, and when the first page was asked for.
pub(super) struct Place {
    pub(super) now: Timestamp,
    pub(super) id: Id,
    /// What the list is sorted by.
    pub(super) key: String,
}

impl Place {
    pub(super) fn write(&self, digest: &str) -> String {
        let Self { now, id, key } = self;
        format!("{digest}_{}_{}_{key}", now.micros(), id.uuid().simple())
    }

    /// A cursor of another query is refused: what it says of this one would be wrong.
    pub(super) fn parse(cursor: &str, digest: &str) -> Result<Self, Error> {
        let parsed = || {
            let mut parts = cursor.splitn(4, '_');
            let found = parts.next()?;
            let now = Timestamp::from_micros(parts.next()?.parse().ok()?);
            let id = parts.next()?.parse().ok()?;
            Some((found, Self { now, id, key: parts.next()?.to_owned() }))
        };
        let (found, place) = parsed().ok_or_else(super::super::bad_cursor)?;
        if found != digest {
            let message = "this is the next_cursor of another query; ask with the same filter, sort \
                           and namespace, or start without one";
            return Err(invalid("cursor", message));
        }
        if cursor.contains('\0') {
            return Err(super::super::bad_cursor());
        }
        Ok(place)
    }
}

/// Of all that makes the list what it is.
pub(super) fn digest<T: Record>(find: &Find) -> String {
    let Find { namespace, condition, sort, .. } = find;
    let text = format!("{} {namespace:?} {sort:?} {condition:?}", T::TABLE);
    let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).simple().to_string();
    digest[..12].to_owned()
}
