//! Exported functions against what the manifest says of them.

use soma_policy::{Code, FunctionName, did_you_mean};

use super::Finding;
use crate::component::Analysis;
use crate::manifest::{Kind, Manifest};
use crate::schema::FunctionSchema;

/// Words about functions and parameters that do not exist.
pub(super) fn described(manifest: &Manifest, analysis: &Analysis, out: &mut Vec<Finding>) {
    let known: Vec<&str> = analysis.functions.iter().map(|f| f.name.as_str()).collect();
    for (name, words) in &manifest.functions {
        let Some(function) = analysis.function(name.as_str()) else {
            let hint = did_you_mean(name.as_str(), &known);
            let message = format!("function `{name}` is described but not exported{hint}");
            let path = ["functions", name.as_str()];
            out.push(Finding::error(Code::ManifestUnknownFunction, &path, message));
            continue;
        };
        let params = parameters(function);
        for input in words.inputs.keys().filter(|input| !params.contains(&input.as_str())) {
            let hint = did_you_mean(input, &params);
            let message = format!("function `{name}` has no parameter `{input}`{hint}");
            let path = ["functions", name.as_str(), "inputs", input.as_str()];
            out.push(
                Finding::error(Code::ManifestUnknownFunction, &path, message)
                    .fix("describe the parameters that the WIT signature has"),
            );
        }
    }
    health(manifest, analysis, out);
}

fn health(manifest: &Manifest, analysis: &Analysis, out: &mut Vec<Finding>) {
    let Some(health) = &manifest.health else { return };
    let path = ["health", "function"];
    let Some(function) = analysis.function(health.function.as_str()) else {
        let message =
            format!("the health check calls `{}`, which is not exported", health.function);
        out.push(Finding::error(Code::ManifestHealth, &path, message));
        return;
    };
    let params = parameters(function);
    let required = function.input.get("required").and_then(serde_json::Value::as_array);
    let required = required.into_iter().flatten().filter_map(serde_json::Value::as_str);
    for missing in required.filter(|name| !health.args.contains_key(*name)) {
        let message = format!("the health check gives no argument `{missing}`");
        out.push(Finding::error(Code::ManifestHealth, &["health", "args"], message));
    }
    for unknown in health.args.keys().filter(|name| !params.contains(&name.as_str())) {
        let hint = did_you_mean(unknown, &params);
        let message = format!("`{}` has no parameter `{unknown}`{hint}", health.function);
        out.push(Finding::error(Code::ManifestHealth, &["health", "args"], message));
    }
}

fn parameters(function: &FunctionSchema) -> Vec<&str> {
    let properties = function.input.get("properties").and_then(serde_json::Value::as_object);
    properties.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect()
}

/// Exports that cannot be called, or that do not fit the kind of the capsule.
pub(super) fn callable(manifest: &Manifest, analysis: &Analysis, out: &mut Vec<Finding>) {
    for refused in &analysis.uncallable {
        let message = crate::component::bounded(&refused.to_string());
        out.push(Finding::error(Code::ComponentType, &["functions"], message));
    }
    for function in &analysis.functions {
        let name = crate::component::bounded(&function.name);
        if function.name.parse::<FunctionName>().is_err() {
            let message = format!("`{name}` is too long for a function name");
            out.push(Finding::error(Code::ComponentType, &["functions"], message));
        } else if analysis.function(&function.name).is_none() {
            let message = format!("more than one exported function is named `{name}`");
            out.push(
                Finding::error(Code::ComponentType, &["functions"], message)
                    .fix("rename one of the functions or of their interfaces"),
            );
        }
    }
    kind(manifest, analysis, out);
}

fn kind(manifest: &Manifest, analysis: &Analysis, out: &mut Vec<Finding>) {
    let error = |path: &[&str], message: &str| {
        Finding::error(Code::ComponentNoExports, path, message.to_string())
    };
    let serves = analysis.serves_http();
    let http = manifest.kind == Kind::Http;
    if http && !serves {
        let message = "kind is \"http\", but wasi:http/incoming-handler is not exported";
        out.push(error(&["kind"], message).fix("export wasi:http/incoming-handler@0.2"));
    }
    if serves && !http {
        let message =
            format!("wasi:http/incoming-handler is exported, but kind is \"{}\"", manifest.kind);
        out.push(error(&["kind"], &message).fix("write kind = \"http\""));
    }
    if !serves && !http && analysis.functions.is_empty() && analysis.uncallable.is_empty() {
        out.push(error(&["kind"], "nothing is exported that can be called"));
    }
    if !http && manifest.capabilities.serve.is_some() {
        let message = "[capabilities.serve] is only for kind \"http\"";
        let fix = "remove [capabilities.serve], or write kind = \"http\"";
        out.push(error(&["capabilities", "serve"], message).fix(fix));
    }
}
