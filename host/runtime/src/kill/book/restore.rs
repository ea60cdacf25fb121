//! Taking documents again that were taken before: out of files, out of the journal, and under another list
//! of operators.
//!
//! The journal is the host's own, chained and signed: what stands in it was proven when it came, so it
//! stands on though its signers are operators no longer. A file says nothing by itself: an order in it
//! is proven again, and one that cannot be and that the journal does not know stops the host.

use std::collections::BTreeSet;

use soma_capsule::dsse::Envelope;
use soma_policy::{Digest, DocumentKey, OrderId};

use super::Book;
use crate::kill::document::{Document, Trusted, Vouched};
use crate::kill::error::{KillOpenError, KillRefusal};
use crate::kill::receipt::KillReceipt;
use crate::kill::replay::{KillReplay, Recorded};
use crate::kill::store::Folder;

/// Whose word it is that a document was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    /// A file: orders in it count, lifts only as far as they are proven again and the journal does not know
    /// them.
    Folder,
    /// The host itself, by its signed journal or its memory: what it took, it had proven.
    Host,
}

impl Book {
    /// Reads what was stored and what the journal recorded; whatever is in either counts. A document
    /// that only the journal has is stored again.
    pub(in crate::kill) fn read(
        folder: &Folder,
        trusted: &Trusted,
        replayed: KillReplay,
    ) -> Result<Self, KillOpenError> {
        let mut book = Self { marked: replayed.uptime(), ..Self::default() };
        let (stored, mut unproven, mut recorded) = (folder.documents()?, Vec::new(), Vec::new());
        // The journal first: of what it knows, it also knows whether it was complete.
        for document in replayed.documents()? {
            match book.restore(trusted, &document, Witness::Host) {
                Ok(key) => recorded.push(key),
                Err(refused) => unproven.push((document.envelope, refused)),
            }
        }
        for document in &stored {
            if let Err(refused) = book.restore(trusted, document, Witness::Folder) {
                unproven.push((document.envelope.clone(), refused));
            }
        }
        book.nothing_dropped(unproven)?;
        book.store_missing(folder, &recorded, &stored)?;
        book.state.take_completed();
        for receipt in folder.receipts()? {
            if let Some(read) = KillReceipt::stored(&receipt) {
                book.keep_receipt(read.order, receipt);
            }
        }
        Ok(book)
    }

    /// What the files say for themselves, for a look that decides nothing: the host's word on each is taken.
    pub(in crate::kill) fn look(folder: &Folder, trusted: &Trusted) -> Result<Self, KillOpenError> {
        let mut book = Self::default();
        for document in folder.documents()? {
            book.restore(trusted, &document, Witness::Host).map_err(|refused| {
                let order = claimed_order(&document.envelope);
                KillOpenError::Refused { order, why: refused.to_string() }
            })?;
        }
        Ok(book)
    }

    /// Takes a document again that was taken before.
    fn restore(
        &mut self,
        trusted: &Trusted,
        recorded: &Recorded,
        witness: Witness,
    ) -> Result<DocumentKey, KillRefusal> {
        let Recorded { envelope, since, complete } = recorded;
        let (since, complete) = (*since, *complete);
        let document = match trusted.check_envelope(envelope) {
            Ok(checked) => checked.document,
            Err(refused) if witness == Witness::Folder => return Err(refused),
            Err(refused) => return self.vouch(recorded, refused),
        };
        let key = (document.order(), Digest::of(envelope.unverified_payload()));
        let kept = self.merged(&key, envelope.clone(), since)?;
        match (document, witness) {
            (Document::Order(signed), _) => {
                let (order, persons) = signed.into_parts();
                self.state.restore_order(order, persons, since, complete)?
            }
            (Document::Lift(signed), Witness::Folder) if !self.kept.contains_key(&key) => {
                self.state.accept_lift(signed, since)?
            }
            (Document::Lift(signed), _) => {
                let (lift, persons) = signed.into_parts();
                self.state.restore_lift(
                    lift,
                    persons,
                    since,
                    complete && witness == Witness::Host,
                )?
            }
        };
        self.kept.insert(key, kept);
        Ok(key)
    }

    /// Takes what the host vouches for though no present operator signed it: it stands as it was
    /// recorded, complete or as a suspension that lapses. `refused` says why it is not proven.
    fn vouch(
        &mut self,
        recorded: &Recorded,
        refused: KillRefusal,
    ) -> Result<DocumentKey, KillRefusal> {
        let Recorded { envelope, since, complete } = recorded;
        let vouched = Vouched::read(envelope).ok_or(refused)?;
        let key = (vouched.order(), Digest::of(envelope.unverified_payload()));
        let kept = self.merged(&key, envelope.clone(), *since)?;
        let nobody = BTreeSet::new();
        match vouched {
            Vouched::Order(order) => self.state.restore_order(order, nobody, *since, *complete)?,
            Vouched::Lift(lift) => self.state.restore_lift(lift, nobody, *since, *complete)?,
        };
        self.kept.insert(key, kept);
        Ok(key)
    }

    /// The same documents, judged by another list of operators: who signed is found out again, what was
    /// complete stays so.
    pub(in crate::kill) fn under(&self, trusted: &Trusted) -> Result<Self, KillRefusal> {
        let mut fresh = Self { marked: self.marked, ..Self::default() };
        for (key, kept) in &self.kept {
            let complete = self.state.was_complete(key);
            let recorded =
                Recorded { envelope: kept.envelope.clone(), since: kept.since, complete };
            fresh.restore(trusted, &recorded, Witness::Host)?;
        }
        fresh.state.take_completed();
        fresh.unwritten.clone_from(&self.unwritten);
        fresh.receipts.clone_from(&self.receipts);
        Ok(fresh)
    }

    /// Stores the documents of which the journal has more than the folder.
    fn store_missing(
        &self,
        folder: &Folder,
        recorded: &[DocumentKey],
        stored: &[Recorded],
    ) -> Result<(), KillOpenError> {
        for line in recorded.iter().filter_map(|key| self.line(key)) {
            let same = |it: &Recorded| it.envelope == line.envelope && it.complete == line.complete;
            if !stored.iter().any(same) {
                folder.store(&line).map_err(|error| KillOpenError::Refused {
                    order: line.order,
                    why: error.to_string(),
                })?;
            }
        }
        Ok(())
    }

    /// A copy that cannot be proven any more, because its signer is no operator now, is passed over only
    /// if another copy of the same document is.
    fn nothing_dropped(&self, unproven: Vec<(Envelope, KillRefusal)>) -> Result<(), KillOpenError> {
        for (envelope, refused) in unproven {
            let order = claimed_order(&envelope);
            let hash = Digest::of(envelope.unverified_payload());
            if !self.kept.contains_key(&(order, hash)) {
                let why = refused.to_string();
                return Err(match refused {
                    KillRefusal::State(_) => KillOpenError::Refused { order, why },
                    _ => KillOpenError::Unrecognised { order, why },
                });
            }
        }
        Ok(())
    }
}

/// The order that an unchecked document says it is about, for messages only.
fn claimed_order(envelope: &Envelope) -> OrderId {
    let document: serde_json::Value =
        serde_json::from_slice(envelope.unverified_payload()).unwrap_or_default();
    let id = document.get("order").or_else(|| document.get("id")).and_then(|id| id.as_str());
    id.and_then(|id| id.parse().ok()).unwrap_or(OrderId::from_u128(0))
}
