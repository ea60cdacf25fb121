//! `soma policy explain INSTALLATION OPERATION…`: the judgement of each layer, by the very rules of a host.

mod kill;

use serde_json::json;
use soma_host::home::Configuration;
use soma_policy::{
    Code, ConfigRequest, Denial, EmitRequest, FileOp, FileRequest, FunctionName, HostCall,
    HttpRequest, Installation, InstallationKey, KvOperation, KvRequest, LabelSet, Layer,
    OperatorPolicy, SecretRequest, ToolRequest,
};

use super::Explain;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, neutral};

/// The layers in the order in which they judge.
const LAYERS: [Layer; 4] = [Layer::Manifest, Layer::Grant, Layer::Operator, Layer::Kill];

impl Explain {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let home = context.home()?;
        let development = crate::devkey::public()?;
        let configuration = Configuration::open(home.clone(), development, context.now())?;
        let snapshot = configuration.snapshot();
        let key = InstallationKey {
            environment: self.place.environment.clone(),
            id: self.installation.clone(),
            org: self.place.tenant.clone(),
        };
        let entry = snapshot.entry(&key).ok_or_else(|| {
            Failure::new(Code::InstallationUnknown, format!("there is no installation `{key}`"))
                .fix("soma list")
        })?;
        let Some(installation) = &entry.running else {
            return Err(crate::failure::of_problems(context, &entry.problems));
        };
        let words: Vec<&str> = self.operation.iter().map(String::as_str).collect();
        let mut denials = judge(installation, &snapshot.policy, &words)?;
        let operation = words.join(" ");
        let kills = kill::standing(context, &home, &self.place)?;
        denials.extend(kill::judge(&kills, installation, &operation));
        let value = json!({
            "installation": key.to_string(), "operation": operation,
            "decision": if denials.is_empty() { "allow" } else { "deny" }, "denials": denials,
        });
        context.out.report(&Report::new("soma.policy.explain.v1", value, line(&denials)))?;
        for denial in &denials {
            context.out.note(denial.to_string());
        }
        match denials.first() {
            None => Ok(()),
            Some(first) => Err(Failure::told(first.code.entry().exit)),
        }
    }
}

/// The denials of manifest, grant and operator; none if it is allowed.
fn judge(
    installation: &Installation,
    policy: &OperatorPolicy,
    words: &[&str],
) -> Result<Vec<Denial>, Failure> {
    match words {
        ["call", function] => {
            let function: FunctionName = function.parse()?;
            let caller = soma_policy::Caller::new(
                installation.key.org.clone(),
                installation.key.environment.clone(),
                "explain",
                None,
                soma_policy::CallScope::All,
            );
            Ok(denials([policy.judge_call(installation, &caller, &function)]))
        }
        ["http", method, url] => match http(method, url)? {
            Ok(request) => Ok(host_call(installation, policy, &HostCall::Http(&request))),
            Err(denial) => Ok(vec![*denial]),
        },
        ["kv", store, operation, key] => {
            let request = KvRequest::new(store, kv_operation(operation)?, key);
            Ok(host_call(installation, policy, &HostCall::Kv(&request)))
        }
        ["files", operation, path] => match FileRequest::canonical(file_operation(operation)?, path) {
            Ok(request) => Ok(host_call(installation, policy, &HostCall::Files(&request))),
            Err(denial) => Ok(vec![*denial]),
        },
        ["tool", tool, function] => {
            let request = ToolRequest::new(tool, function, LabelSet::EMPTY);
            Ok(host_call(installation, policy, &HostCall::Tool(&request)))
        }
        ["secret", name] => {
            Ok(host_call(installation, policy, &HostCall::Secret(&SecretRequest::new(name))))
        }
        ["emit", name] => Ok(host_call(installation, policy, &HostCall::Emit(&EmitRequest::new(name)))),
        ["config", key] => {
            Ok(host_call(installation, policy, &HostCall::Config(&ConfigRequest::new(key))))
        }
        _ => Err(Failure::new(Code::Usage, "this is not an operation").fix(
            "http METHOD URL · kv NAME get|exists|list|set|delete|increment KEY · files read|stat|list|write|create|rename|delete PATH · tool NAME FUNCTION · secret NAME · emit NAME · config KEY · call FUNCTION",
        )),
    }
}

fn host_call(
    installation: &Installation,
    policy: &OperatorPolicy,
    call: &HostCall<'_>,
) -> Vec<Denial> {
    denials([installation.allow(call), policy.judge_host_call(installation, call)])
}

fn denials<const N: usize>(judged: [Result<(), Box<Denial>>; N]) -> Vec<Denial> {
    judged.into_iter().filter_map(Result::err).map(|denial| *denial).collect()
}

fn http(method: &str, url: &str) -> Result<Result<HttpRequest, Box<Denial>>, Failure> {
    let refused = || Failure::new(Code::Usage, format!("`{url}` is not an absolute URL"));
    // Taken apart by hand: a parser that mends paths would hide what a guest really asks for.
    let (scheme, rest) = url.split_once("://").ok_or_else(refused)?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let target = if target.is_empty() { "/" } else { target };
    Ok(HttpRequest::canonical(scheme, authority, target, method))
}

fn kv_operation(word: &str) -> Result<KvOperation, Failure> {
    Ok(match word {
        "get" => KvOperation::Get,
        "exists" => KvOperation::Exists,
        "list" => KvOperation::List,
        "set" => KvOperation::Set,
        "delete" => KvOperation::Delete,
        "increment" => KvOperation::Increment,
        _ => {
            return Err(Failure::new(
                Code::Usage,
                format!("`{word}`: get, exists, list, set, delete or increment"),
            ));
        }
    })
}

fn file_operation(word: &str) -> Result<FileOp, Failure> {
    Ok(match word {
        "read" => FileOp::Read,
        "stat" => FileOp::Stat,
        "list" => FileOp::List,
        "write" => FileOp::Write,
        "create" => FileOp::Create,
        "rename" => FileOp::Rename,
        "delete" => FileOp::Delete,
        _ => {
            return Err(Failure::new(
                Code::Usage,
                format!("`{word}`: read, stat, list, write, create, rename or delete"),
            ));
        }
    })
}

/// `manifest ✓ · grant ✗ http.issues allows GET · operator ✓ · kill ✓ ⇒ denied`.
fn line(denials: &[Denial]) -> String {
    let mut parts = Vec::new();
    let mut is_hidden = false;
    for layer in LAYERS {
        match denials.iter().find(|denial| denial.layer == layer) {
            Some(denial) => {
                parts.push(format!("{layer} ✗ {}", neutral(&denial.reason)));
                // What is not declared cannot be granted: the grant was not asked.
                is_hidden = layer == Layer::Manifest;
            }
            None if is_hidden && layer == Layer::Grant => parts.push(format!("{layer} –")),
            None => parts.push(format!("{layer} ✓")),
        }
    }
    for denial in denials.iter().filter(|d| !LAYERS.contains(&d.layer)) {
        parts.push(format!("{} ✗ {}", denial.layer, neutral(&denial.reason)));
    }
    let verdict = if denials.is_empty() { "allowed" } else { "denied" };
    format!("{} ⇒ {verdict}", parts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(layer: Layer) -> Denial {
        Denial::new(Code::HttpMethod, layer, "POST https://x/", "http.issues allows GET")
    }

    #[test]
    fn the_line_shows_who_said_no() {
        assert_eq!(line(&[]), "manifest ✓ · grant ✓ · operator ✓ · kill ✓ ⇒ allowed");
        assert_eq!(
            line(&[denial(Layer::Grant)]),
            "manifest ✓ · grant ✗ http.issues allows GET · operator ✓ · kill ✓ ⇒ denied"
        );
        let both = [denial(Layer::Manifest), denial(Layer::Operator)];
        assert!(line(&both).contains("grant – · operator ✗"), "{}", line(&both));
    }

    #[test]
    fn a_url_is_taken_as_it_is_written() {
        assert!(http("GET", "no-url").is_err());
        let asked = http("GET", "https://api.github.com/a/../b").unwrap();
        assert!(asked.is_err() || asked.unwrap().path() != "/b");
    }
}
