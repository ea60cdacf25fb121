//! Terms: editions of what charges depend on, and by what the calls of each revision are settled.

use soma_market::Digested;
use soma_market::install::Revision;
use soma_market::offer::Offer;
use soma_policy::feed::Installed;
use soma_policy::price::Terms;
use soma_policy::{CallFacts, CapsuleName, Currency, Digest, InstallationKey, OrgId, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PlatformUnit, StoreError};

/// An edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TermsRow {
    pub(crate) digest: Digest,
    pub(crate) terms: Terms,
    pub(crate) envelope: String,
    pub(crate) active: bool,
    pub(crate) put_by: String,
    pub(crate) created: Timestamp,
}

/// By what the calls of a revision are settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PricedRevision {
    pub(crate) key: InstallationKey,
    pub(crate) revision: u64,
    pub(crate) capsule: CapsuleName,
    /// The org that earns.
    pub(crate) author: OrgId,
    pub(crate) offer: Digested<Offer>,
    /// When the org first accepted an offer of this capsule.
    pub(crate) accepted: Timestamp,
    /// Since when its calls are billed; none while it is at its health gate, and none if it never passed it.
    pub(crate) billed: Option<Timestamp>,
}

fn read(row: &Row) -> Result<TermsRow, StoreError> {
    let wrong = |_| StoreError::Corrupt { column: "document", expected: "terms" };
    Ok(TermsRow {
        digest: row.parsed("digest")?,
        terms: serde_json::from_str(&row.text("document")?).map_err(wrong)?,
        envelope: row.text("envelope")?,
        active: row.flag("active")?,
        put_by: row.text("put_by")?,
        created: row.time("created_ms")?,
    })
}

fn digested(offer: Offer) -> Result<Digested<Offer>, StoreError> {
    Digested::of(offer).map_err(|refusal| StoreError::Refused(refusal.reason))
}

macro_rules! terms {
    ($rest:literal) => {
        concat!("SELECT digest, document, envelope, active, put_by, created_ms FROM terms ", $rest)
    };
}

impl PlatformUnit {
    /// Makes an edition the active one of its currency. An edition is never changed.
    pub(crate) async fn activate_terms(&mut self, it: &TermsRow) -> Result<(), StoreError> {
        let currency = it.terms.currency().to_string();
        let off = "UPDATE terms SET active = $2 WHERE currency = $1 AND active = $3";
        self.tx.run(off, binds![&currency, false, true]).await?;
        let sql = "INSERT INTO terms (digest, currency, edition, document, envelope, active, put_by, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let document = serde_json::to_string(&it.terms).unwrap_or_default();
        self.tx
            .run(
                sql,
                binds![
                    &it.digest.to_string(),
                    &currency,
                    whole(it.terms.book().version),
                    &document,
                    &it.envelope,
                    true,
                    &it.put_by,
                    it.created
                ],
            )
            .await
            .map(drop)
    }

    pub(crate) async fn active_terms(
        &mut self,
        currency: Currency,
    ) -> Result<Option<TermsRow>, StoreError> {
        let sql = terms!("WHERE currency = $1 AND active = $2");
        let row = self.tx.one(sql, binds![currency.as_str(), true]).await?;
        row.as_ref().map(read).transpose()
    }

    pub(crate) async fn terms(&mut self, digest: Digest) -> Result<Option<TermsRow>, StoreError> {
        let sql = terms!("WHERE digest = $1");
        self.tx.one(sql, binds![&digest.to_string()]).await?.as_ref().map(read).transpose()
    }

    /// Every edition, newest first, at most a hundred.
    pub(crate) async fn editions(&mut self) -> Result<Vec<TermsRow>, StoreError> {
        let sql = terms!("ORDER BY currency, edition DESC LIMIT 100");
        self.tx.all(sql, binds![]).await?.iter().map(read).collect()
    }

    /// Says by what the calls of a revision are settled: in the transaction that makes it, once. Of a
    /// revision that is known only its billing may begin.
    pub(crate) async fn price_revision(&mut self, it: &PricedRevision) -> Result<(), StoreError> {
        let sql = "INSERT INTO priced_revisions (org, environment, installation, revision, capsule, author, offer_digest, offer, accepted_ms, billed_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (org, environment, installation, revision) \
                   DO UPDATE SET billed_ms = COALESCE(priced_revisions.billed_ms, $10)";
        let key = &it.key;
        let digest = it.offer.sum();
        let offer = serde_json::to_string(&*it.offer).unwrap_or_default();
        self.tx
            .run(
                sql,
                binds![
                    key.org.as_str(),
                    key.environment.as_str(),
                    key.id.as_str(),
                    whole(it.revision),
                    &it.capsule.to_string(),
                    it.author.as_str(),
                    &digest.to_string(),
                    &offer,
                    it.accepted,
                    it.billed
                ],
            )
            .await
            .map(drop)
    }

    /// By what a call is settled; none if its revision is not known, or has another offer. It is noted when the revision
    /// becomes the active one, or when its first receipt comes. Calls that began at its health gate are never billed,
    /// whenever their receipts come.
    pub(crate) async fn priced(
        &mut self,
        facts: &CallFacts,
    ) -> Result<Option<PricedRevision>, StoreError> {
        if let Some(known) = self.priced_before(facts).await? {
            return Ok(Some(known));
        }
        let (environment, id) = (facts.environment.clone(), facts.installation.clone());
        let key = InstallationKey { environment, id, org: facts.org.clone() };
        let found = self.revision(&key, facts.revision).await?;
        let Some(revision) = found.filter(|it| it.offer == facts.offer) else { return Ok(None) };
        // One that was active before activations were noted: it is the active one, or the one before.
        let row = self.installation(&key).await?;
        let was = row.as_ref().is_some_and(|row| {
            let record = row.it.record();
            let before = record.previous.as_ref().map(|it| it.number);
            record.active.number == facts.revision || before == Some(facts.revision)
        });
        let sold = self.sold(&key, &revision, was.then_some(Timestamp(0))).await?;
        if let Some(it) = &sold {
            self.price_revision(it).await?;
        }
        Ok(sold)
    }

    /// A revision became the active one: what begins from then on is billed.
    pub(crate) async fn bill_revision(
        &mut self,
        key: &InstallationKey,
        it: &Revision,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        match self.sold(key, it, Some(since)).await? {
            Some(it) => self.price_revision(&it).await,
            None => Ok(()),
        }
    }

    /// What the marketplace says of a revision: whose it is, at which offer.
    async fn sold(
        &mut self,
        key: &InstallationKey,
        it: &Revision,
        billed: Option<Timestamp>,
    ) -> Result<Option<PricedRevision>, StoreError> {
        let capsule = it.spec.capsule.clone();
        let Some((author, offer)) = self.offer(&capsule, &it.offer).await? else {
            return Ok(None);
        };
        let accepted = self.first_accepted(&key.org, &capsule).await?;
        Ok(Some(PricedRevision {
            key: key.clone(),
            revision: it.number,
            capsule,
            author,
            offer: digested(offer)?,
            accepted: accepted.unwrap_or(it.at),
            billed,
        }))
    }

    async fn priced_before(
        &mut self,
        facts: &CallFacts,
    ) -> Result<Option<PricedRevision>, StoreError> {
        let sql = "SELECT capsule, author, offer, accepted_ms, billed_ms FROM priced_revisions \
                   WHERE org = $1 AND environment = $2 AND installation = $3 AND revision = $4 AND offer_digest = $5";
        let (environment, installation) = (&facts.environment, &facts.installation);
        let Some(row) = self
            .tx
            .one(
                sql,
                binds![
                    facts.org.as_str(),
                    environment.as_str(),
                    installation.as_str(),
                    whole(facts.revision),
                    &facts.offer.to_string()
                ],
            )
            .await?
        else {
            return Ok(None);
        };
        let wrong = |_| StoreError::Corrupt { column: "offer", expected: "an offer" };
        Ok(Some(PricedRevision {
            key: InstallationKey {
                environment: environment.clone(),
                id: installation.clone(),
                org: facts.org.clone(),
            },
            revision: facts.revision,
            capsule: row.parsed("capsule")?,
            author: row.parsed("author")?,
            offer: digested(serde_json::from_str(&row.text("offer")?).map_err(wrong)?)?,
            accepted: row.time("accepted_ms")?,
            billed: row.maybe_time("billed_ms")?,
        }))
    }

    /// An installation as hosts are told of it; none if there is no such one.
    pub(crate) async fn installed(
        &mut self,
        key: &InstallationKey,
    ) -> Result<Option<Installed>, StoreError> {
        let sql = "SELECT payload FROM feed_state WHERE topic = 'installation' AND subject = $1";
        let Some(row) = self.tx.one(sql, binds![&key.to_string()]).await? else { return Ok(None) };
        let wrong = |_| StoreError::Corrupt { column: "payload", expected: "an installation" };
        serde_json::from_str(&row.text("payload")?).map_err(wrong)
    }

    /// How many included calls of an offer an installation used in a window.
    pub(crate) async fn included_used(
        &mut self,
        key: &InstallationKey,
        offer: Digest,
        span: &str,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT used FROM offer_uses WHERE org = $1 AND environment = $2 AND installation = $3 AND offer_digest = $4 AND span = $5";
        let offer = offer.to_string();
        let binds =
            binds![key.org.as_str(), key.environment.as_str(), key.id.as_str(), &offer, span];
        self.tx.one(sql, binds).await?.map_or(Ok(0), |row| row.count("used"))
    }

    pub(crate) async fn set_included_used(
        &mut self,
        key: &InstallationKey,
        offer: Digest,
        span: &str,
        used: u64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO offer_uses (org, environment, installation, offer_digest, span, used) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (org, environment, installation, offer_digest, span) DO UPDATE SET used = $6";
        let offer = offer.to_string();
        let (environment, id) = (key.environment.as_str(), key.id.as_str());
        let binds = binds![key.org.as_str(), environment, id, &offer, span, whole(used)];
        self.tx.run(sql, binds).await.map(drop)
    }
}
