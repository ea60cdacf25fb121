//! Orders that are wanted: releases that were revoked and that no operator has signed a stop of yet.
//!
//! Every host stops them already, by the feed; an order stops them where the feed does not come, and stays on record.

use soma_market::release::Release;
use soma_policy::{Digest, KillScope, Timestamp};

use super::KillsError;
use super::book::Book;
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit};
use crate::trust::operators;

const SCOPE: PlatformScope = PlatformScope::of("wanted kill orders");
/// Releases of one look.
const PAGE: u32 = 200;

/// A revoked release without an order.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) release: Release,
    pub(crate) digest: Digest,
    pub(crate) revoked: Timestamp,
}

impl Server {
    /// What waits for an operator's signature, by name and version, after `after`.
    pub(crate) async fn wanted_kills(
        &self,
        after: (&str, &str),
        limit: usize,
    ) -> Result<Vec<Wanted>, KillsError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let signed = self.signed_digests(&mut unit).await?;
        let (mut found, mut after) = (Vec::new(), (after.0.to_owned(), after.1.to_owned()));
        loop {
            let page = unit.revoked_releases((&after.0, &after.1), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = (last.record().name.to_string(), last.record().version.to_string());
            for (release, revoked) in page {
                let Some(digest) = release.digest() else { continue };
                if !signed.contains(&digest) {
                    found.push(Wanted { release, digest, revoked });
                }
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
    }

    /// Digests that an order was complete for, lifted since or not.
    async fn signed_digests(&self, unit: &mut PlatformUnit) -> Result<Vec<Digest>, KillsError> {
        let rows = unit.kill_documents().await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let trusted = operators(&self.trust).await?;
        let views = Book::of(&rows, &trusted)?.views(&trusted, self.now());
        let signed = views.into_iter().filter(|it| matches!(it.state, "complete" | "lifted"));
        let digests = signed.filter_map(|it| match it.order.scope {
            KillScope::Digest(digest) => Some(digest),
            _ => None,
        });
        Ok(digests.collect())
    }
}
