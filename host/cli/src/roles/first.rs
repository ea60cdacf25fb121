//! What to type next: a real call of something that is installed.

use soma_capsule::analyse;
use soma_host::home::Home;
use soma_host::installations::Snapshot;

/// `soma call csv to-json -a text=…`, or how to get that far: from the marketplace by a host that joined.
pub(crate) fn next(home: &Home, snapshot: &Snapshot) -> String {
    let joined = home.server().is_ok_and(|server| server.is_some());
    let mut running: Vec<_> =
        snapshot.entries().filter_map(|entry| entry.running.as_ref()).collect();
    running.sort_by_key(|installation| installation.key.to_string());
    let Some(first) = running.first() else {
        let from = if joined { "soma search" } else { "soma install FILE.wasm" };
        return from.to_owned();
    };
    let id = &first.key.id;
    let package = home.store().get(&first.digest).ok().flatten();
    let analysis = package.and_then(|package| analyse(&package.component).ok());
    let Some(analysis) = analysis else { return format!("soma call {id} FUNCTION") };
    match analysis.functions.first() {
        None => format!("open http://{id}--{}--{}.localhost", first.key.environment, first.key.org),
        Some(function) => format!("soma call {id} {}{}", function.name, arguments(&function.input)),
    }
}

/// ` -a text=…` for each parameter.
fn arguments(schema: &serde_json::Value) -> String {
    let names = schema.get("required").and_then(serde_json::Value::as_array);
    let names = names.into_iter().flatten().filter_map(serde_json::Value::as_str);
    names.map(|name| format!(" -a {name}=…")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_shown_as_they_are_typed() {
        let schema = serde_json::json!({ "required": ["text", "query"], "properties": {} });
        assert_eq!(arguments(&schema), " -a text=… -a query=…");
        assert_eq!(arguments(&serde_json::json!({})), "");
    }
}
