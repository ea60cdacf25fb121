//! Publishers' names and the keys whose signature counts for them.

use serde::Serialize;
use soma_market::namespace::Namespace;
use soma_policy::{Fingerprint, OrgId, PublisherName, Timestamp};
use utoipa::ToSchema;

use super::sql::{Row, binds, record_text, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError};

/// A publisher's name as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamespaceRow {
    pub(crate) it: Namespace,
    /// Whether the platform checked who the publisher is.
    pub(crate) checked: bool,
}

/// A key whose signature counts, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SigningKey {
    /// Its id: the SHA-256 of its SPKI in hex.
    pub(crate) key: String,
    /// The fingerprint that signatures and receipts name.
    #[schema(value_type = String)]
    pub(crate) fingerprint: Fingerprint,
    /// SPKI in base64.
    pub(crate) spki: String,
    /// Who added it.
    pub(crate) added_by: String,
    /// When (milliseconds).
    #[schema(value_type = String)]
    pub(crate) added: Timestamp,
    /// When it was revoked; none while it counts.
    #[schema(value_type = Option<String>)]
    pub(crate) revoked: Option<Timestamp>,
}

fn read(row: &Row) -> Result<NamespaceRow, StoreError> {
    Ok(NamespaceRow { it: row.record("record")?, checked: row.flag("checked")? })
}

fn read_key(row: &Row) -> Result<SigningKey, StoreError> {
    Ok(SigningKey {
        key: row.text("key_id")?,
        fingerprint: row.parsed("fingerprint")?,
        spki: row.text("spki")?,
        added_by: row.text("added_by")?,
        added: row.time("added_ms")?,
        revoked: row.maybe_time("revoked_ms")?,
    })
}

impl PlatformUnit {
    pub(crate) async fn namespace(
        &mut self,
        name: &PublisherName,
    ) -> Result<Option<NamespaceRow>, StoreError> {
        let sql = "SELECT record, checked FROM namespaces WHERE namespace = $1";
        self.tx.one(sql, binds![name.as_str()]).await?.as_ref().map(read).transpose()
    }

    /// Names of one org, or of all if none is given, after `after`.
    pub(crate) async fn namespaces(
        &mut self,
        org: Option<&OrgId>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<NamespaceRow>, StoreError> {
        let sql = "SELECT record, checked FROM namespaces WHERE ($1 = '' OR org = $1) AND namespace > $2 \
                   ORDER BY namespace LIMIT $3";
        let org = org.map_or("", OrgId::as_str);
        let rows = self.tx.all(sql, binds![org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn insert_namespace(
        &mut self,
        it: &NamespaceRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO namespaces (namespace, org, checked, sequence, record, created_ms) VALUES ($1, $2, $3, $4, $5, $6)";
        let record = record_text(&it.it)?;
        let (name, org) = (it.it.name.as_str(), it.it.owner.as_str());
        let binds = binds![name, org, it.checked, whole(it.it.sequence), &record, now];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Keeps the next state of a name, if it still is in the one that was read.
    pub(crate) async fn update_namespace(
        &mut self,
        before: u64,
        next: &Namespace,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE namespaces SET org = $3, sequence = $4, record = $5 WHERE namespace = $1 AND sequence = $2";
        let record = record_text(next)?;
        let (name, owner) = (next.name.as_str(), next.owner.as_str());
        let binds = binds![name, whole(before), owner, whole(next.sequence), &record];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// Whether the platform checked who the publisher is.
    pub(crate) async fn check_namespace(
        &mut self,
        name: &PublisherName,
        checked: bool,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE namespaces SET checked = $2 WHERE namespace = $1";
        Ok(self.tx.run(sql, binds![name.as_str(), checked]).await? == 1)
    }

    /// Makes changes of a name's keys and releases wait for each other.
    pub(crate) async fn lock_namespace(
        &mut self,
        name: &PublisherName,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE namespaces SET sequence = sequence WHERE namespace = $1";
        Ok(self.tx.run(sql, binds![name.as_str()]).await? == 1)
    }

    /// What a new owner takes over with the name.
    pub(crate) async fn hand_over(
        &mut self,
        name: &PublisherName,
        to: &OrgId,
    ) -> Result<(), StoreError> {
        for sql in [
            "UPDATE capsules SET org = $2 WHERE namespace = $1",
            "UPDATE signing_keys SET org = $2 WHERE namespace = $1",
            "UPDATE offers SET org = $2 WHERE capsule IN (SELECT capsule FROM capsules WHERE namespace = $1)",
        ] {
            self.tx.run(sql, binds![name.as_str(), to.as_str()]).await?;
        }
        Ok(())
    }

    /// Keys of a name, the revoked ones too.
    pub(crate) async fn signing_keys(
        &mut self,
        name: &PublisherName,
    ) -> Result<Vec<SigningKey>, StoreError> {
        let sql = "SELECT key_id, fingerprint, spki, added_by, added_ms, revoked_ms FROM signing_keys \
                   WHERE namespace = $1 ORDER BY added_ms, key_id LIMIT 1000";
        self.tx.all(sql, binds![name.as_str()]).await?.iter().map(read_key).collect()
    }

    pub(crate) async fn insert_signing_key(
        &mut self,
        name: &PublisherName,
        org: &OrgId,
        it: &SigningKey,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO signing_keys (namespace, key_id, org, spki, fingerprint, added_by, added_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let fingerprint = it.fingerprint.to_string();
        let binds = binds![
            name.as_str(),
            &it.key,
            org.as_str(),
            &it.spki,
            &fingerprint,
            &it.added_by,
            it.added
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Revokes a key, once and for good.
    pub(crate) async fn revoke_signing_key(
        &mut self,
        name: &PublisherName,
        key: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE signing_keys SET revoked_ms = $3 WHERE namespace = $1 AND key_id = $2 AND revoked_ms IS NULL";
        Ok(self.tx.run(sql, binds![name.as_str(), key, now]).await? == 1)
    }
}
