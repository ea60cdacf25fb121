//! Taking a document: checked, merged with what is known, kept, told and noted, all in one transaction.

use serde_json::json;
use soma_capsule::crash_point;
use soma_capsule::kill::{Checked, Document, KillRefusal};
use soma_policy::feed::{KillNotice, Topic};
use soma_policy::{HostId, KillError, KillScope, KillSet, OrderId};

use super::book::{Book, clock, state};
use super::{KillsError, OrderView};
use crate::audit::Act;
use crate::server::Server;
use crate::store::{KillRow, PlatformScope, PlatformUnit, StoreError};
use crate::trust::operators;

const SCOPE: PlatformScope = PlatformScope::of("kill switch");
/// Documents that are kept at most: as many as a host keeps.
const DOCUMENTS_MAX: u64 = 10_000;

/// Who brings a document. Its authority is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Giver {
    /// Somebody.
    Person,
    /// A host that took it directly.
    Host(HostId),
}

/// What became of a document.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) order: OrderId,
    /// Of the order, or `unknown` for a lift that came before it.
    pub(crate) state: &'static str,
    /// Persons who signed this document, by all its copies.
    pub(crate) signed: usize,
    /// Persons who must; zero while the order is unknown.
    pub(crate) needed: usize,
    /// What the order stops, if it stands.
    pub(crate) stands: Option<KillScope>,
}

impl Server {
    /// Takes a signed order or lift, or a further signature of one. `about` is the order that it must be
    /// about, and that must be known.
    pub(crate) async fn take_kill(
        &self,
        bytes: &[u8],
        giver: Giver,
        about: Option<OrderId>,
    ) -> Result<Taken, KillsError> {
        let trusted = operators(&self.trust).await?;
        let checked = trusted.check(bytes)?;
        let id = checked.document.order();
        let mut unit = self.store.platform(SCOPE).await?;
        // Two that sign at once are merged one after the other.
        unit.lock_deployment().await?;
        let rows = unit.kill_documents_of(id).await?;
        if let Some(about) = about {
            if id != about {
                return Err(KillsError::Other(id));
            }
            if !rows.iter().any(|row| !row.is_lift) {
                return Err(KillsError::Unknown(about));
            }
        }
        let mut book = Book::of(&rows, &trusted)?;
        if giver == Giver::Person
            && let Document::Lift(lift) = &checked.document
        {
            book.state.check_lift(lift.document()).map_err(KillRefusal::State)?;
        }
        let (hash, is_lift) = (checked.hash, matches!(checked.document, Document::Lift(_)));
        let changed = self.merge(&mut unit, &mut book, checked).await?;
        let now = self.now();
        let view = book.views(&trusted, now).into_iter().rfind(|view| view.order.id == id);
        let taken = taken(&book, &view, (id, hash), is_lift, now);
        if changed {
            let note = self.kill_note(&book, (id, hash), giver, is_lift, &taken);
            unit.audit(&note).await?;
            crash_point!("server.kill.kept");
            unit.commit().await?;
            crash_point!("server.kill.committed");
            self.bell.notify_one();
            if let Some(scope) = &taken.stands {
                self.follow_taken(scope, id).await;
            }
        }
        Ok(taken)
    }

    /// Merges a checked document into the book; keeps and tells what is new of it. False if nothing is.
    async fn merge(
        &self,
        unit: &mut PlatformUnit,
        book: &mut Book,
        checked: Checked,
    ) -> Result<bool, KillsError> {
        let Checked { document, mut envelope, hash } = checked;
        let (key, now) = ((document.order(), hash), self.now());
        let known = book.kept.get(&key).cloned();
        if known.is_none() && unit.kill_count().await? >= DOCUMENTS_MAX {
            return Err(KillRefusal::State(KillError::Full).into());
        }
        let since = known.as_ref().map_or(now, |(_, since)| *since);
        if let Some((before, _)) = &known {
            envelope.merge(before).map_err(KillRefusal::Document)?;
        }
        let changed = match document {
            Document::Order(signed) => book.state.accept_order(signed, clock(since)),
            Document::Lift(signed) => book.state.accept_lift(signed, clock(since)),
        };
        let changed = changed.map_err(KillRefusal::State)?;
        book.kept.insert(key, (envelope, since));
        let mut write = book.state.take_completed();
        if changed || known.is_none() {
            write.insert(key);
        }
        for key in &write {
            let row = book.row(key);
            let broken = StoreError::Corrupt { column: "envelope", expected: "a kill document" };
            let row = row.ok_or(broken)?;
            unit.keep_kill(&row).await?;
            unit.change(&self.kill_told(&row)).await?;
        }
        Ok(!write.is_empty())
    }

    /// That hosts must have this document.
    fn kill_told(&self, row: &KillRow) -> crate::store::NewChange {
        let notice = KillNotice { envelope: row.envelope.clone() };
        let payload = serde_json::to_value(notice).unwrap_or_default();
        self.feed(&self.platform, Topic::Kill.as_str(), row.hash, &payload)
    }

    fn kill_note(
        &self,
        book: &Book,
        key: soma_policy::DocumentKey,
        giver: Giver,
        is_lift: bool,
        taken: &Taken,
    ) -> crate::store::NewAudit {
        let keys: Vec<&str> =
            book.kept.get(&key).map(|(it, _)| it.key_ids().collect()).unwrap_or_default();
        let actor = match giver {
            Giver::Host(host) => format!("host:{host}"),
            // Persons are named by their keys: the chain holds no personal data.
            Giver::Person => format!("key:{}", keys.last().copied().unwrap_or_default()),
        };
        let detail = json!({
            "document": key.1, "keys": keys, "needed": taken.needed, "scope": taken.stands,
            "signed": taken.signed, "state": taken.state,
        });
        let act = if is_lift { Act::KillLiftTaken } else { Act::KillTaken };
        self.note(&self.platform, &actor, act, key.0, &detail)
    }

    /// The orders that stand now, for whoever judges a change.
    pub(crate) async fn standing_kills(
        &self,
        unit: &mut PlatformUnit,
    ) -> Result<KillSet, KillsError> {
        let rows = unit.kill_documents().await?;
        if rows.is_empty() {
            return Ok(KillSet::default());
        }
        let trusted = operators(&self.trust).await?;
        Ok(Book::of(&rows, &trusted)?.set(self.now()))
    }

    /// Orders with their state, by their ids, after `after`.
    pub(crate) async fn kill_views(
        &self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(OrderView, u64)>, KillsError> {
        let trusted = operators(&self.trust).await?;
        let mut unit = self.store.survey(SCOPE).await?;
        let mut views = Vec::new();
        for id in unit.kill_orders(after, limit).await? {
            let rows = unit.kill_documents_of(id).await?;
            let receipts = unit.kill_receipt_count(id, None).await?;
            let book = Book::of(&rows, &trusted)?;
            // Of two documents under one id, the one of the higher version speaks.
            let highest = book.state.order(id).map(|order| order.hash()).ok();
            let found = book.views(&trusted, self.now()).into_iter();
            let own = found.filter(|view| Some(view.order.hash()) == highest);
            views.extend(own.map(|view| (view, receipts)));
        }
        Ok(views)
    }
}

fn taken(
    book: &Book,
    view: &Option<OrderView>,
    key: soma_policy::DocumentKey,
    is_lift: bool,
    now: soma_policy::Timestamp,
) -> Taken {
    let standing = book.standing(key.0, now);
    let stands = matches!(
        standing,
        Some(soma_policy::Standing::Complete | soma_policy::Standing::Suspended { .. })
    );
    let scope = view.as_ref().map(|view| view.order.scope.clone());
    let persons = view.as_ref().map_or(0, |view| view.persons.len());
    let on_this = book.kept.get(&key).map_or(0, |(it, _)| it.key_ids().count());
    Taken {
        order: key.0,
        state: state(standing),
        signed: if is_lift { on_this } else { persons },
        needed: view.as_ref().map_or(0, |view| view.needed),
        stands: scope.filter(|_| stands),
    }
}
