//! The actions of the schema, and which of them a set of policies speaks of in particular.

use std::collections::BTreeSet;
use std::fmt;

use cedar_policy::{ActionConstraint, Effect, PolicySet};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
        /// What is asked of the operator's policy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the schema.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

actions! {
    /// A call of an exported function.
    Call "call";
    /// An outbound request.
    HttpRequest "http.request";
    /// Reading a key.
    KvRead "kv.read";
    /// Writing a key.
    KvWrite "kv.write";
    /// Opening a file to read.
    FilesRead "files.read";
    /// Opening a file to write, and everything else that changes files.
    FilesWrite "files.write";
    /// Calling another capsule.
    ToolCall "tool.call";
    /// Asking whether a secret is there.
    SecretPresent "secret.present";
    /// Emitting output.
    Emit "emit";
    /// Reading configuration.
    ConfigRead "config.read";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Actions for which an answer may depend on more than «any capsule, any target»: those that some policy
/// names, that a forbid without a named action covers, and that no plain permit covers.
pub(super) fn mentioned(policies: &PolicySet) -> BTreeSet<Action> {
    Action::ALL.iter().copied().filter(|action| depends(policies, *action)).collect()
}

fn depends(policies: &PolicySet, action: Action) -> bool {
    let mut freely_permitted = false;
    for policy in policies.policies() {
        if !covers(&policy.action_constraint(), action) {
            continue;
        }
        match policy.effect() {
            Effect::Permit if is_plain(policy) => freely_permitted = true,
            Effect::Permit => {}
            Effect::Forbid => return true,
        }
    }
    !freely_permitted
}

fn covers(constraint: &ActionConstraint, action: Action) -> bool {
    let is = |uid: &cedar_policy::EntityUid| uid.id().unescaped() == action.as_str();
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is(uid),
        ActionConstraint::In(uids) => uids.iter().any(is),
    }
}

/// A permit for any capsule and any target, without conditions.
fn is_plain(policy: &cedar_policy::Policy) -> bool {
    use cedar_policy::{PrincipalConstraint, ResourceConstraint};
    matches!(policy.principal_constraint(), PrincipalConstraint::Any)
        && matches!(policy.resource_constraint(), ResourceConstraint::Any)
        && policy.to_json().is_ok_and(|json| json.get("conditions").is_none_or(is_empty_list))
}

fn is_empty_list(value: &serde_json::Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
