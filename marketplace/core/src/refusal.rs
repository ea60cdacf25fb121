//! What a rule says instead of a next state: a value that names the moves that would have been legal.
//!
//! Every room refuses with this one type, so that the edge maps it to problem+json, an exit code and words in
//! one place. A refusal changes nothing: no room gives back half a change with one.

use serde::Serialize;
use soma_policy::{Code, Denial};

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// The code that `soma explain` knows; its status and exit code are the refusal's.
    pub code: Code,
    /// The move that was tried.
    pub attempted: &'static str,
    /// The state it was tried in, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// The moves that are legal in that state.
    pub legal: Box<[&'static str]>,
    /// Why, in words.
    pub reason: String,
    /// What to do.
    pub remedy: String,
    /// What policy said, where policy refused.
    #[serde(skip_serializing_if = "<[Denial]>::is_empty")]
    pub denials: Box<[Denial]>,
}

impl Refusal {
    /// A refusal with the catalogue's own remedy.
    #[must_use]
    pub fn new(code: Code, attempted: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            attempted,
            state: None,
            legal: Box::default(),
            reason: reason.into(),
            remedy: code.entry().remedy.to_owned(),
            denials: Box::default(),
        }
    }

    /// A move that the state does not have.
    #[must_use]
    pub fn illegal(
        what: &str,
        attempted: &'static str,
        state: &'static str,
        legal: impl Into<Box<[&'static str]>>,
    ) -> Self {
        let legal = legal.into();
        let moves =
            if legal.is_empty() { "none, this is final".to_owned() } else { legal.join(", ") };
        let reason = format!("cannot `{attempted}` {what} that is `{state}`; legal: {moves}");
        Self { state: Some(state), legal, ..Self::new(Code::MoveIllegal, attempted, reason) }
    }

    /// What policy refused.
    #[must_use]
    pub fn denied(attempted: &'static str, denials: Vec<Denial>) -> Self {
        let code = denials.first().map_or(Code::CallDenied, |denial| denial.code);
        let reason = match denials.first() {
            Some(first) => format!("{}: {}", first.operation, first.reason),
            None => "policy denies it".to_owned(),
        };
        let remedy = denials.first().map_or_else(String::new, |denial| denial.remedy.clone());
        Self { denials: denials.into(), remedy, ..Self::new(code, attempted, reason) }
    }

    /// With a remedy of its own.
    #[must_use]
    pub fn fix(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }

    /// In a state with these moves.
    #[must_use]
    pub fn within(self, state: &'static str, legal: impl Into<Box<[&'static str]>>) -> Self {
        Self { state: Some(state), legal: legal.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use soma_policy::Layer;

    use super::*;

    #[test]
    fn an_illegal_move_names_the_legal_ones() {
        let refusal = Refusal::illegal("a release", "publish", "draft", ["submit"]);
        assert_eq!(
            refusal.to_string(),
            "cannot `publish` a release that is `draft`; legal: submit"
        );
        assert_eq!(
            (refusal.code.entry().http, refusal.code.entry().exit, &*refusal.legal),
            (409, 8, &["submit"][..])
        );
        let last = Refusal::illegal("a release", "yank", "revoked", []);
        assert!(last.reason.ends_with("none, this is final"), "{last}");
    }

    #[test]
    fn a_refusal_of_policy_keeps_each_denial() {
        let denial = |code| Denial::new(code, Layer::Grant, "[grants.kv.a]", "left out");
        let refusal = Refusal::denied(
            "install",
            vec![denial(Code::GrantMissing), denial(Code::GrantUnknown)],
        );
        assert_eq!((refusal.code, refusal.denials.len()), (Code::GrantMissing, 2));
        assert!(refusal.reason.contains("[grants.kv.a]") && !refusal.remedy.is_empty());
        assert_eq!(Refusal::denied("install", Vec::new()).code, Code::CallDenied);
    }

    #[test]
    fn it_stays_small_enough_to_be_returned_by_value() {
        assert!(size_of::<Refusal>() < 128);
        let json = serde_json::to_value(
            Refusal::new(Code::NoPrevious, "rollback", "there is none").fix("wait"),
        )
        .unwrap();
        assert_eq!((&json["code"], &json["remedy"]), (&"SOMA-S027".into(), &"wait".into()));
        assert!(json.get("denials").is_none() && json.get("state").is_none());
    }
}
