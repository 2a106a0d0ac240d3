//! Where the events of a rebuild come from.

use futures::{StreamExt as _, stream, stream::BoxStream};
use kantoku_domain::Recorded;
use kantoku_streams::{Bus, Fault};

/// All events of a stream.
pub trait History: Send + Sync {
    /// Those from position `from_seq` to what is the last one now, in order, page by page. After a
    /// fault the rest may be asked for anew.
    fn pages(&self, from_seq: u64) -> BoxStream<'_, Result<Vec<Recorded>, Fault>>;
}

/// Messages that are no events are left out, as they are by consumers.
impl History for Bus {
    fn pages(&self, from_seq: u64) -> BoxStream<'_, Result<Vec<Recorded>, Fault>> {
        stream::try_unfold(None, move |replay| async move {
            let mut replay = match replay {
                Some(replay) => replay,
                None => self.replay(from_seq).await?,
            };
            let page = replay.next_page().await?;
            Ok(page.map(|page| (page.into_iter().filter_map(Result::ok).collect(), Some(replay))))
        })
        .boxed()
    }
}
