//! Names of capsules as the catalogue shows them, the tokens by which they are found, their offers and ratings.

use soma_market::offer::Offer;
use soma_market::rating::{Ran, Rating};
use soma_market::release::CapsuleEntry;
use soma_policy::{CapsuleName, Digest, InstallationKey, Money, OrgId, PublisherName, Timestamp};

use super::sql::{Row, binds, record_text, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError};

/// Tokens that one search asks for at most.
pub(crate) const TOKENS_MAX: usize = 8;
/// How far the rarest token is looked for.
const RARE: u32 = 200;

/// A capsule's name with what the catalogue shows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CapsuleRow {
    pub(crate) entry: CapsuleEntry,
    pub(crate) org: OrgId,
    /// The newest release that can be installed; none if there is none now.
    pub(crate) latest: Option<String>,
    pub(crate) shown: Shown,
    pub(crate) stars: u64,
    pub(crate) ratings: u64,
    /// Tenants that have it installed.
    pub(crate) installs: u64,
}

/// What is shown of the newest release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    pub(crate) kind: String,
    pub(crate) summary: String,
    pub(crate) licence: String,
    pub(crate) price: Option<Money>,
    pub(crate) published: Option<Timestamp>,
}

fn read(row: &Row) -> Result<CapsuleRow, StoreError> {
    let micros = row.int("price_micros")?;
    let currency = row.maybe_parsed("price_currency")?;
    Ok(CapsuleRow {
        entry: row.record("record")?,
        org: row.parsed("org")?,
        latest: row.maybe_text("latest")?,
        shown: Shown {
            kind: row.text("kind")?,
            summary: row.text("summary")?,
            licence: row.text("licence")?,
            price: currency.map(|currency| Money { currency, micros }),
            published: row.maybe_time("published_ms")?,
        },
        stars: row.count("stars")?,
        ratings: row.count("ratings")?,
        installs: row.count("installs")?,
    })
}

macro_rules! capsules {
    ($rest:literal) => {
        concat!(
            "SELECT c.record, c.org, c.latest, c.kind, c.summary, c.licence, c.price_micros, c.price_currency, c.published_ms, \
             c.stars, c.ratings, c.installs FROM ",
            $rest
        )
    };
}

/// The rarest token leads; each of the others is one look into the index.
pub(super) const SEARCH: &str = capsules!(
    "catalogue_tokens t JOIN capsules c ON c.capsule = t.capsule WHERE t.token = $1 AND t.capsule > $2 AND c.price_micros <= $3 \
     AND ($4 = '' OR EXISTS (SELECT 1 FROM catalogue_tokens x WHERE x.token = $4 AND x.capsule = t.capsule)) \
     AND ($5 = '' OR EXISTS (SELECT 1 FROM catalogue_tokens x WHERE x.token = $5 AND x.capsule = t.capsule)) \
     AND ($6 = '' OR EXISTS (SELECT 1 FROM catalogue_tokens x WHERE x.token = $6 AND x.capsule = t.capsule)) \
     AND ($7 = '' OR EXISTS (SELECT 1 FROM catalogue_tokens x WHERE x.token = $7 AND x.capsule = t.capsule)) \
     AND ($8 = '' OR EXISTS (SELECT 1 FROM catalogue_tokens x WHERE x.token = $8 AND x.capsule = t.capsule)) \
     AND ($9 = '' OR EXISTS (SELECT 1 FROM catalogue_tokens x WHERE x.token = $9 AND x.capsule = t.capsule)) \
     AND ($10 = '' OR EXISTS (SELECT 1 FROM catalogue_tokens x WHERE x.token = $10 AND x.capsule = t.capsule)) \
     ORDER BY t.capsule LIMIT $11"
);

impl PlatformUnit {
    pub(crate) async fn capsule(
        &mut self,
        name: &CapsuleName,
    ) -> Result<Option<CapsuleRow>, StoreError> {
        let sql = capsules!("capsules c WHERE c.capsule = $1");
        self.tx.one(sql, binds![&name.to_string()]).await?.as_ref().map(read).transpose()
    }

    /// Names of a publisher.
    pub(crate) async fn capsules_of(
        &mut self,
        publisher: &PublisherName,
    ) -> Result<Vec<CapsuleRow>, StoreError> {
        let sql = capsules!("capsules c WHERE c.namespace = $1 ORDER BY c.capsule");
        self.tx.all(sql, binds![publisher.as_str()]).await?.iter().map(read).collect()
    }

    pub(crate) async fn insert_capsule(
        &mut self,
        entry: &CapsuleEntry,
        org: &OrgId,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO capsules (capsule, namespace, org, sequence, record, kind, summary, licence, price_micros, stars, ratings, installs) \
                   VALUES ($1, $2, $3, $4, $5, '', '', '', 0, 0, 0, 0)";
        let (name, record) = (entry.name.to_string(), record_text(entry)?);
        let publisher = entry.name.publisher.as_str();
        let binds = binds![&name, publisher, org.as_str(), whole(entry.sequence), &record];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Keeps the next state of a name, if it still is in the one that was read.
    pub(crate) async fn update_entry(
        &mut self,
        before: u64,
        next: &CapsuleEntry,
    ) -> Result<bool, StoreError> {
        let sql =
            "UPDATE capsules SET sequence = $3, record = $4 WHERE capsule = $1 AND sequence = $2";
        let (name, record) = (next.name.to_string(), record_text(next)?);
        let binds = binds![&name, whole(before), whole(next.sequence), &record];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// What the catalogue shows of a capsule from now on, and by what it is found.
    pub(crate) async fn show_capsule(
        &mut self,
        name: &CapsuleName,
        latest: Option<&str>,
        it: &Shown,
        tokens: &[String],
    ) -> Result<(), StoreError> {
        let sql = "UPDATE capsules SET latest = $2, kind = $3, summary = $4, licence = $5, price_micros = $6, price_currency = $7, \
                   published_ms = $8 WHERE capsule = $1";
        let (capsule, micros) = (name.to_string(), it.price.map_or(0, |price| price.micros));
        let currency = it.price.map(|price| price.currency.to_string());
        let binds = binds![
            &capsule,
            latest,
            &it.kind,
            &it.summary,
            &it.licence,
            micros,
            currency.as_deref(),
            it.published
        ];
        self.tx.run(sql, binds).await?;
        self.tx.run("DELETE FROM catalogue_tokens WHERE capsule = $1", binds![&capsule]).await?;
        let sql = "INSERT INTO catalogue_tokens (token, capsule) VALUES ($1, $2) ON CONFLICT (token, capsule) DO NOTHING";
        for token in tokens {
            self.tx.run(sql, binds![token, &capsule]).await?;
        }
        Ok(())
    }

    /// Capsules with every one of these tokens, by their names.
    pub(crate) async fn search(
        &mut self,
        tokens: &[String],
        micros_max: Option<i64>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<CapsuleRow>, StoreError> {
        let mut counted = Vec::new();
        for token in tokens.iter().take(TOKENS_MAX) {
            let sql = "SELECT count(*) AS n FROM (SELECT 1 AS one FROM catalogue_tokens WHERE token = $1 LIMIT $2) AS hits";
            let row = self.tx.one(sql, binds![token, RARE]).await?;
            counted.push((row.map_or(Ok(0), |row| row.count("n"))?, token.as_str()));
        }
        counted.sort_unstable();
        let mut by = counted.into_iter().map(|(_, token)| token).chain(std::iter::repeat(""));
        let mut next = || by.next().unwrap_or("");
        let lead = next();
        let binds = binds![
            lead,
            after,
            micros_max.unwrap_or(i64::MAX),
            next(),
            next(),
            next(),
            next(),
            next(),
            next(),
            next(),
            limit.min(PAGE_MAX + 1),
        ];
        self.tx.all(SEARCH, binds).await?.iter().map(read).collect()
    }

    /// Other publishers' capsules that share one of these tokens.
    pub(crate) async fn sharing(
        &mut self,
        tokens: &[String],
        publisher: &PublisherName,
    ) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT t.capsule FROM catalogue_tokens t JOIN capsules c ON c.capsule = t.capsule \
                   WHERE t.token = $1 AND c.namespace <> $2 ORDER BY t.capsule LIMIT 10";
        let mut found = Vec::new();
        for token in tokens {
            for row in self.tx.all(sql, binds![token, publisher.as_str()]).await? {
                found.push(row.text("capsule")?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Keeps an offer; the same again changes nothing.
    pub(crate) async fn insert_offer(
        &mut self,
        capsule: &CapsuleName,
        org: &OrgId,
        (digest, offer): (Digest, &Offer),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO offers (capsule, offer, org, record, made_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (capsule, offer) DO NOTHING";
        let (capsule, digest, record) =
            (capsule.to_string(), digest.to_string(), record_text(offer)?);
        self.tx.run(sql, binds![&capsule, &digest, org.as_str(), &record, now]).await.map(drop)
    }

    /// What a capsule's author asks by this offer, and who that is now.
    pub(crate) async fn offer(
        &mut self,
        capsule: &CapsuleName,
        digest: &Digest,
    ) -> Result<Option<(OrgId, Offer)>, StoreError> {
        let sql = "SELECT org, record FROM offers WHERE capsule = $1 AND offer = $2";
        let row = self.tx.one(sql, binds![&capsule.to_string(), &digest.to_string()]).await?;
        row.map(|row| Ok((row.parsed("org")?, row.record("record")?))).transpose()
    }

    /// When an org first installed a capsule: a trial begins once.
    pub(crate) async fn first_accepted(
        &mut self,
        org: &OrgId,
        capsule: &CapsuleName,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT made_ms FROM revisions WHERE org = $1 AND capsule = $2 ORDER BY made_ms LIMIT 1";
        let row = self.tx.one(sql, binds![org.as_str(), &capsule.to_string()]).await?;
        row.map(|row| row.time("made_ms")).transpose()
    }

    /// So many more settled calls of a capsule by a tenant, the last one of this version.
    pub(crate) async fn note_runs(
        &mut self,
        org: &OrgId,
        capsule: &CapsuleName,
        (version, calls): (&str, u64),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO capsule_runs (org, capsule, version, calls, last_ms) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (org, capsule) DO UPDATE SET calls = capsule_runs.calls + excluded.calls, version = excluded.version, last_ms = excluded.last_ms";
        self.tx
            .run(sql, binds![org.as_str(), &capsule.to_string(), version, whole(calls), at])
            .await
            .map(drop)
    }

    /// What is known of a tenant's use of a capsule.
    pub(crate) async fn ran(
        &mut self,
        org: &OrgId,
        capsule: &CapsuleName,
    ) -> Result<Option<Ran>, StoreError> {
        let sql = "SELECT version, calls FROM capsule_runs WHERE org = $1 AND capsule = $2";
        let row = self.tx.one(sql, binds![org.as_str(), &capsule.to_string()]).await?;
        row.map(|row| Ok(Ran { calls: row.count("calls")?, version: row.parsed("version")? }))
            .transpose()
    }

    /// Keeps a rating in place of the tenant's earlier one, and what all of them come to.
    pub(crate) async fn keep_rating(&mut self, it: &Rating) -> Result<(), StoreError> {
        let capsule = it.capsule.to_string();
        // Ratings of one capsule wait for each other: the sums are theirs.
        self.tx
            .run("UPDATE capsules SET ratings = ratings WHERE capsule = $1", binds![&capsule])
            .await?;
        let sql = "INSERT INTO ratings (org, capsule, stars, record, rated_ms) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (org, capsule) DO UPDATE SET stars = excluded.stars, record = excluded.record, rated_ms = excluded.rated_ms";
        let (stars, record) = (u32::from(u8::from(it.stars)), record_text(it)?);
        self.tx.run(sql, binds![it.tenant.as_str(), &capsule, stars, &record, it.at]).await?;
        let sql = "UPDATE capsules SET ratings = (SELECT count(*) FROM ratings r WHERE r.capsule = $1), \
                   stars = (SELECT CAST(COALESCE(sum(r.stars), 0) AS BIGINT) FROM ratings r WHERE r.capsule = $1) WHERE capsule = $1";
        self.tx.run(sql, binds![&capsule]).await.map(drop)
    }

    /// Ratings of a capsule by their tenants, after `after`.
    pub(crate) async fn ratings(
        &mut self,
        capsule: &CapsuleName,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Rating>, StoreError> {
        let sql =
            "SELECT record FROM ratings WHERE capsule = $1 AND org > $2 ORDER BY org LIMIT $3";
        let capsule = capsule.to_string();
        let binds = binds![&capsule, after, limit.min(PAGE_MAX + 1)];
        self.tx.all(sql, binds).await?.iter().map(|row| row.record("record")).collect()
    }

    /// Counts the tenants that have a capsule installed, after one of them made or removed this installation of it.
    pub(crate) async fn count_tenant(
        &mut self,
        capsule: &CapsuleName,
        key: &InstallationKey,
        removed: bool,
    ) -> Result<(), StoreError> {
        let capsule = capsule.to_string();
        // Who comes second waits here, and its next statement sees the first one's installation.
        let lock = "UPDATE capsules SET installs = installs WHERE capsule = $1";
        self.tx.run(lock, binds![&capsule]).await?;
        let sql = "UPDATE capsules SET installs = installs + $5 WHERE capsule = $1 AND NOT EXISTS ( \
                   SELECT 1 FROM revisions r JOIN installations i ON i.org = r.org AND i.environment = r.environment AND i.installation = r.installation \
                   WHERE r.org = $2 AND r.capsule = $1 AND i.state <> 'removed' AND NOT (i.environment = $3 AND i.installation = $4))";
        let (org, environment, id) = (key.org.as_str(), key.environment.as_str(), key.id.as_str());
        let by = if removed { -1_i64 } else { 1 };
        self.tx.run(sql, binds![&capsule, org, environment, id, by]).await.map(drop)
    }
}
