//! A question as Cedar sees it: principal, action, target, context. All of it canonical before it comes here.

use std::collections::HashSet;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};

use super::Action;
use crate::id::FunctionName;
use crate::installation::Installation;
use crate::request::HostCall;

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Parameter {
    Text(String),
    Number(i64),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) action: Action,
    pub(super) target: String,
    pub(super) context: Vec<(&'static str, Parameter)>,
    /// In words, as a denial names it.
    pub(super) operation: String,
}

pub(super) fn call(installation: &Installation, subject: &str, function: &FunctionName, depth: u32) -> Question {
    Question {
        action: Action::Call,
        target: function.to_string(),
        context: vec![
            ("function", Parameter::Text(function.to_string())),
            ("subject", Parameter::Text(subject.to_owned())),
            ("depth", Parameter::Number(i64::from(depth))),
        ],
        operation: format!("call {} {function}", installation.key()),
    }
}

pub(super) fn host_call(_: &Installation, call: &HostCall<'_>) -> Question {
    let context = call.parameters();
    let operation = call.to_string();
    Question { action: call.action(), target: operation.clone(), context, operation }
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let name: EntityTypeName = format!("Soma::{kind}").parse().map_err(|e| format!("{e}"))?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

pub(super) fn request(question: &Question, installation: &Installation, schema: &Schema) -> Result<Request, String> {
    let target = if question.action == Action::Call { "Function" } else { "Target" };
    let pairs = question.context.iter().map(|(name, value)| ((*name).to_owned(), expression(value)));
    let context = Context::from_pairs(pairs).map_err(|error| error.to_string())?;
    let principal = uid("Capsule", &installation.key().to_string())?;
    let action = uid("Action", question.action.as_str())?;
    let resource = uid(target, &question.target)?;
    Request::new(principal, action, resource, context, Some(schema)).map_err(|error| error.to_string())
}

fn expression(value: &Parameter) -> RestrictedExpression {
    match value {
        Parameter::Text(text) => RestrictedExpression::new_string(text.clone()),
        Parameter::Number(number) => RestrictedExpression::new_long(*number),
    }
}

pub(super) fn entities(installation: &Installation, schema: &Schema) -> Result<Entities, String> {
    let text = |text: &dyn ToString| RestrictedExpression::new_string(text.to_string());
    let capsule = installation.capsule();
    let key = installation.key();
    let kinds = installation.rights().granted_kinds();
    let kinds = kinds.into_iter().map(|kind| text(&kind));
    let attributes = [
        ("publisher", text(&capsule.publisher)),
        ("name", text(capsule)),
        ("version", text(installation.version())),
        ("digest", text(&installation.digest())),
        ("signer", text(&installation.signer())),
        ("tenant", text(&key.org)),
        ("environment", text(&key.environment)),
        ("installation", text(&key.id)),
        ("capabilities", RestrictedExpression::new_set(kinds)),
    ];
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let publisher = uid("Publisher", capsule.publisher.as_str())?;
    let parents = HashSet::from([publisher.clone()]);
    let capsule = Entity::new(uid("Capsule", &key.to_string())?, attributes, parents).map_err(|e| e.to_string())?;
    let publisher = Entity::new_no_attrs(publisher, HashSet::new());
    Entities::from_entities([capsule, publisher], Some(schema)).map_err(|error| error.to_string())
}
