//! The two questions: may this caller call, and may this host call be made.

use cedar_policy::{
    Authorizer, Context, Decision as Verdict, Entities, Entity, EntityUid, PolicySet, Request,
    Response, RestrictedExpression,
};

use super::OperatorPolicy;
use super::cache::{Answer, Key};
use super::subject::{self, Unaskable, text};
use crate::authorise::Caller;
use crate::capability::{CapabilityKind, CapabilityRef};
use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::id::FunctionName;
use crate::installation::Installation;
use crate::request::HostCall;

/// A question in Cedar's terms.
struct Question {
    principal: EntityUid,
    action: &'static str,
    resource: EntityUid,
    context: Vec<(&'static str, RestrictedExpression)>,
    entities: Vec<Entity>,
}

impl OperatorPolicy {
    /// Whether this caller may call this function.
    ///
    /// # Errors
    /// The denial, which names the policy that decided.
    pub fn judge_call(
        &self,
        installation: &Installation,
        caller: &Caller,
        function: &FunctionName,
    ) -> Result<(), Box<Denial>> {
        let tool = if caller.is_tool() { "tool" } else { "" };
        let (org, environment) = (caller.org.as_str(), caller.environment.as_str());
        let anonymous = if caller.is_anonymous() { "anonymous" } else { "" };
        let parts = ["call", org, environment, &caller.subject, function.as_str(), tool, anonymous];
        self.remembered(key(installation, &parts), || {
            let operation = format!("call {} {function}", installation.key);
            let question = call_question(installation, caller, function);
            self.ask(question, &self.call).map_err(|no| no.denial(self, operation, None))
        })
    }

    /// Whether this host call may be made, as far as the operator is concerned.
    ///
    /// # Errors
    /// The denial, which names the policy that decided.
    pub fn judge_host_call(
        &self,
        installation: &Installation,
        call: &HostCall<'_>,
    ) -> Result<(), Box<Denial>> {
        let action = call.action();
        if !self.mentions(action) {
            return Ok(());
        }
        let shape = Shape::of(installation, call);
        let mut parts = vec![action.as_str()];
        parts.extend(shape.context.iter().flat_map(|(name, value)| [*name, value.as_str()]));
        let on = shape.capability.to_string();
        parts.push(&on);
        self.remembered(key(installation, &parts), || {
            let Some(policies) = self.host.get(&action) else { return Ok(()) };
            let question = host_question(installation, action.as_str(), &shape);
            self.ask(question, policies)
                .map_err(|no| no.denial(self, call.to_string(), Some(shape.capability.clone())))
        })
    }

    fn remembered(&self, key: Key, decide: impl FnOnce() -> Answer) -> Answer {
        if let Some(answer) = self.cache.get(&key) {
            return answer;
        }
        // A tool call asks from a guest's fiber. Cedar measures what is left of the thread's own stack,
        // which a fiber is not on, and would refuse every question as too deep.
        let answer = stacker::grow(STACK_BYTES, decide);
        self.cache.put(key, answer.clone());
        answer
    }

    fn ask(&self, question: Result<Question, Unaskable>, policies: &PolicySet) -> Result<(), No> {
        let response =
            question.and_then(|question| self.put(question, policies)).map_err(No::Unaskable)?;
        // A policy that errors is skipped by the evaluator, and a skipped forbid would allow.
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(No::Errored(error.to_string()));
        }
        match response.decision() {
            Verdict::Allow => Ok(()),
            Verdict::Deny => {
                Err(No::Forbidden(response.diagnostics().reason().map(ToString::to_string).min()))
            }
        }
    }

    fn put(&self, question: Question, policies: &PolicySet) -> Result<Response, Unaskable> {
        let Question { principal, action, resource, context, entities } = question;
        let action = subject::uid("Action", action)?;
        let context = context.into_iter().map(|(name, value)| (name.to_owned(), value));
        let context = Context::from_pairs(context).map_err(|error| error.to_string())?;
        let schema = Some(&self.schema);
        let request = Request::new(principal, action, resource, context, schema)
            .map_err(|error| error.to_string())?;
        let entities =
            Entities::from_entities(entities, schema).map_err(|error| error.to_string())?;
        Ok(Authorizer::new().is_authorized(&request, policies, &entities))
    }
}

fn key(installation: &Installation, parts: &[&str]) -> Key {
    Key::of(installation.subject().identity(), parts)
}

fn call_question(
    installation: &Installation,
    caller: &Caller,
    function: &FunctionName,
) -> Result<Question, Unaskable> {
    let mut entities = installation.subject().entities()?;
    let (principal, caller_entity) = subject::caller(caller)?;
    entities.push(caller_entity);
    Ok(Question {
        principal,
        action: "call",
        resource: installation.subject().uid()?,
        context: vec![
            ("function", text(function.as_str())),
            ("tool", RestrictedExpression::new_bool(caller.is_tool())),
        ],
        entities,
    })
}

fn host_question(
    installation: &Installation,
    action: &'static str,
    shape: &Shape,
) -> Result<Question, Unaskable> {
    let mut entities = installation.subject().entities()?;
    let (resource, above) = subject::capability(&shape.capability)?;
    entities.extend(above);
    let value = |name: &str, value: &str| match value.parse() {
        Ok(number) if name == "port" => RestrictedExpression::new_long(number),
        _ => text(value),
    };
    let context = shape.context.iter().map(|(name, text)| (*name, value(name, text))).collect();
    Ok(Question { principal: installation.subject().uid()?, action, resource, context, entities })
}

/// Room for Cedar's evaluator, several times what it insists on.
const STACK_BYTES: usize = 1 << 20;

/// The parameters of a host call, as the schema names them.
struct Shape {
    capability: CapabilityRef,
    context: Vec<(&'static str, String)>,
}

impl Shape {
    fn of(installation: &Installation, call: &HostCall<'_>) -> Self {
        let named = |kind: CapabilityKind, name: &str| match name.parse() {
            Ok(name) => CapabilityRef::named(kind, name),
            Err(_) => CapabilityRef::of(kind),
        };
        match call {
            HostCall::Http(request) => {
                // The entry that allows it; an order of entries is fixed by their names.
                let right = installation.allow_http(request, crate::LabelSet::EMPTY).ok();
                let capability = right.map_or(CapabilityRef::of(CapabilityKind::Http), |right| {
                    right.capability().clone()
                });
                Self { capability, context: http_context(request) }
            }
            HostCall::Kv(request) => Self {
                capability: named(CapabilityKind::Kv, request.store()),
                context: vec![
                    ("key", request.key().to_owned()),
                    ("operation", request.operation().as_str().to_owned()),
                ],
            },
            HostCall::Files(request) => {
                let right = installation.allow_files(request, crate::LabelSet::EMPTY).ok();
                let capability = right.map_or(CapabilityRef::of(CapabilityKind::Files), |right| {
                    right.capability().clone()
                });
                let operation = request.op().as_str().to_owned();
                Self {
                    capability,
                    context: vec![("path", request.path().to_owned()), ("operation", operation)],
                }
            }
            HostCall::Tool(request) => {
                let right = installation
                    .rights()
                    .tools()
                    .iter()
                    .find(|right| right.name().as_str() == request.tool());
                let capsule =
                    right.map_or_else(String::new, |right| right.granted().capsule.to_string());
                Self {
                    capability: named(CapabilityKind::Tool, request.tool()),
                    context: vec![
                        ("capsule", capsule),
                        ("function", request.function().to_owned()),
                    ],
                }
            }
            HostCall::Secret(request) => {
                Self { capability: named(CapabilityKind::Secret, request.name()), context: vec![] }
            }
            HostCall::Emit(request) => {
                Self { capability: named(CapabilityKind::Emit, request.emitter()), context: vec![] }
            }
            HostCall::Config(request) => Self {
                capability: CapabilityRef::of(CapabilityKind::Config),
                context: vec![("key", request.key().to_owned())],
            },
        }
    }
}

fn http_context(request: &crate::HttpRequest) -> Vec<(&'static str, String)> {
    let origin = request.origin();
    vec![
        ("scheme", origin.scheme.to_string()),
        ("host", origin.host.to_string()),
        ("port", origin.port.to_string()),
        ("origin", origin.to_string()),
        ("method", request.method().to_string()),
        ("path", request.path().to_owned()),
    ]
}

/// Why the answer is no.
enum No {
    /// The policy that forbids; none where nothing permits.
    Forbidden(Option<String>),
    /// A policy errored.
    Errored(String),
    /// The question does not fit the schema. A host bug, and still a no.
    Unaskable(String),
}

impl No {
    fn denial(
        self,
        policy: &OperatorPolicy,
        operation: String,
        on: Option<CapabilityRef>,
    ) -> Box<Denial> {
        let (code, reason, remedy) = match self {
            Self::Forbidden(None) => (
                Code::PolicyNoPermit,
                "no policy of the operator permits it".to_owned(),
                "ask the operator to add a permit for it under policy/".to_owned(),
            ),
            Self::Forbidden(Some(id)) => match policy.notes.get(&id) {
                Some(note) => (
                    Code::PolicyForbids,
                    note.reason.clone(),
                    format!("ask the operator to change policy \"{id}\" in policy/{}", note.file),
                ),
                None => (Code::PolicyForbids, format!("policy \"{id}\" forbids it"), String::new()),
            },
            Self::Errored(error) | Self::Unaskable(error) => (
                Code::PolicyErrored,
                format!("the policy could not be evaluated: {error}"),
                "ask the operator to correct the policy".to_owned(),
            ),
        };
        let denial =
            Denial { capability: on, ..Denial::new(code, Layer::Operator, operation, reason) };
        Box::new(if remedy.is_empty() { denial } else { denial.fix(remedy) })
    }
}
