//! A denial: a value that says what was refused, which layer refused it, why, and what would allow it.
//!
//! Denials are not errors. They become one at the edge: problem+json, an exit code, a guest's error code.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capability::CapabilityRef;
use crate::code::Code;
use crate::id::OrderId;

/// Who refused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The author's manifest does not declare it.
    Manifest,
    /// The tenant's grants, or the scope of the token that the tenant made, do not hold it.
    Grant,
    /// The host's policy bundle rules it out.
    Operator,
    /// A tenant's own narrower policy rules it out.
    Constitution,
    /// There is no money or quota left.
    Budget,
    /// A kill order or suspension stands.
    Kill,
    /// The data or the capsule must not leave its region.
    Residency,
    /// Moderation stopped it.
    Moderation,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "manifest",
            Self::Grant => "grant",
            Self::Operator => "operator",
            Self::Constitution => "constitution",
            Self::Budget => "budget",
            Self::Kill => "kill",
            Self::Residency => "residency",
            Self::Moderation => "moderation",
        })
    }
}

/// One refusal, complete enough to act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// Which capability was asked for, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<CapabilityRef>,
    /// The code that `soma explain` knows.
    pub code: Code,
    /// The layer that refused.
    pub layer: Layer,
    /// What was asked, in its canonical form: `POST https://api.github.com/repos`.
    pub operation: String,
    /// The kill order, when the layer is [`Layer::Kill`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Why, in words.
    pub reason: String,
    /// The exact grant or command that would allow it.
    pub remedy: String,
}

impl Denial {
    /// A denial with the catalogue's own remedy.
    #[must_use]
    pub fn new(
        code: Code,
        layer: Layer,
        operation: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            capability: None,
            code,
            layer,
            operation: operation.into(),
            order: None,
            reason: reason.into(),
            remedy: code.entry().remedy.to_owned(),
        }
    }

    /// The same, about this capability.
    #[must_use]
    pub fn on(self, capability: CapabilityRef) -> Self {
        Self { capability: Some(capability), ..self }
    }

    /// The same, with an exact remedy.
    #[must_use]
    pub fn fix(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }

    /// The same, because of this order.
    #[must_use]
    pub fn by(self, order: OrderId) -> Self {
        Self { order: Some(order), ..self }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, layer, operation, remedy, .. } = self;
        write!(f, "denied {code} {operation} · layer {layer} · fix: {remedy}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_code_operation_layer_and_remedy() {
        let denial = Denial::new(Code::KvQuota, Layer::Grant, "kv set cache k", "4 MiB are used");
        assert_eq!(
            denial.to_string(),
            format!(
                "denied SOMA-D022 kv set cache k · layer grant · fix: {}",
                Code::KvQuota.entry().remedy
            )
        );
        let told = denial.on("kv.cache".parse().unwrap()).fix("raise it").by(OrderId::from_u128(1));
        assert!(told.to_string().ends_with("fix: raise it"));
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<Denial>(&json).unwrap(), told);
        assert!(serde_json::from_str::<Denial>(&json.replace("\"layer\"", "\"layr\"")).is_err());
    }

    #[test]
    fn every_layer_prints_as_documents_spell_it() {
        let all = [
            Layer::Manifest,
            Layer::Grant,
            Layer::Operator,
            Layer::Constitution,
            Layer::Budget,
            Layer::Kill,
            Layer::Residency,
            Layer::Moderation,
        ];
        for layer in all {
            assert_eq!(serde_json::to_value(layer).unwrap(), layer.to_string());
        }
    }
}
