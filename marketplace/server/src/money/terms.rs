//! Terms: editions of what charges depend on. Hosts are told each one, leases name the one that held.

use soma_capsule::dsse;
use soma_market::Refusal;
use soma_policy::price::{PriceError, Terms};
use soma_policy::{Code, Currency};

use super::MoneyError;
use crate::audit::Act;
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit, TermsRow};

const SCOPE: PlatformScope = PlatformScope::of("terms");
/// The kind of document that an edition is signed as.
const KIND: &str = "terms";

impl Server {
    /// The first edition: nothing is asked for resources, until an operator puts another one.
    pub(crate) async fn ensure_terms(&self) -> Result<(), MoneyError> {
        let mut unit = self.store.platform(SCOPE).await?;
        if unit.active_terms(Currency::EUR).await?.is_some() {
            return Ok(());
        }
        self.put_terms(&mut unit, Terms::free(Currency::EUR), "server").await?;
        unit.commit().await?;
        Ok(())
    }

    /// Makes an edition the one that holds for new leases of its currency.
    pub(crate) async fn put_terms(
        &self,
        unit: &mut PlatformUnit,
        terms: Terms,
        actor: &str,
    ) -> Result<TermsRow, MoneyError> {
        let digest = terms.digest().map_err(Refusal::from)?;
        let currency = terms.currency();
        let before = unit.active_terms(currency).await?;
        let edition = terms.book().version;
        if let Some(before) = before.map(|row| row.terms.book().version)
            && edition <= before
        {
            let reason =
                format!("`book.version` is {edition}, and edition {before} holds for {currency}");
            return Err(Refusal::new(Code::TermsBad, "put terms", reason).into());
        }
        let failed = |error: &dyn std::fmt::Display| {
            let reason = format!("the edition cannot be signed: {error}");
            Refusal::new(Code::TermsBad, "put terms", reason)
        };
        let envelope = dsse::sign_document(KIND, &terms, &[&self.feed_key]);
        let envelope = envelope.map_err(|error| failed(&error))?.to_json();
        let row = TermsRow {
            digest,
            envelope: String::from_utf8(envelope).map_err(|error| failed(&error))?,
            terms,
            active: true,
            put_by: actor.to_owned(),
            created: self.now(),
        };
        unit.activate_terms(&row).await?;
        let payload = serde_json::to_value(&row.terms);
        let payload = payload.map_err(|error| failed(&PriceError::Terms(error.to_string())))?;
        unit.change(&self.feed(&self.platform, "terms", digest, &payload)).await?;
        let detail = serde_json::json!({ "currency": currency, "edition": edition.to_string() });
        unit.audit(&self.note(&self.platform, actor, Act::TermsPut, digest, &detail)).await?;
        Ok(row)
    }
}
