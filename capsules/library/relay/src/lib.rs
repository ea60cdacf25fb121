//! The `soma/relay` capsule: calls functions of the capsule behind `tool.target`, singly or as a
//! pipeline. What the callee may do is decided by the callee's own installation, never by this one.

use serde_json::Value;
use soma_sdk::tool;

wit_bindgen::generate!({ path: "wit", world: "relay" });

/// The name under `[capabilities.tool.NAME]`.
const TOOL: &str = "target";
const PREVIOUS: &str = "$previous";

struct Relay;

impl Guest for Relay {
    fn call(function: String, arguments: String) -> Result<String, RelayError> {
        tool::call(TOOL, &function, &arguments).map_err(failed)
    }

    fn pipeline(steps: Vec<Step>) -> Result<String, RelayError> {
        let mut previous = None;
        for step in steps {
            let arguments = fill(&step.arguments, previous.as_ref())?;
            let result = tool::call(TOOL, &step.function, &arguments).map_err(failed)?;
            previous = Some(parse(&result)?);
        }
        previous.map(|value| value.to_string()).ok_or(RelayError::NoSteps)
    }
}

/// Puts the result before where a member asks for it; only whole members, never inside text.
fn fill(arguments: &str, previous: Option<&Value>) -> Result<String, RelayError> {
    let mut arguments = parse(arguments)?;
    for value in arguments.as_object_mut().into_iter().flat_map(|object| object.values_mut()) {
        if value == PREVIOUS {
            *value = previous.cloned().unwrap_or(Value::Null);
        }
    }
    Ok(arguments.to_string())
}

fn parse(json: &str) -> Result<Value, RelayError> {
    serde_json::from_str(json).map_err(|error| RelayError::InvalidArguments(error.to_string()))
}

fn failed(error: tool::Error) -> RelayError {
    match error {
        tool::Error::Denied(why) => RelayError::Denied(why),
        tool::Error::NotFound(what) => RelayError::NotFound(what),
        tool::Error::InvalidArguments(why) => RelayError::InvalidArguments(why),
        tool::Error::Guest(error) => RelayError::Callee(error),
        tool::Error::Unavailable(why) => RelayError::Unavailable(why),
        tool::Error::Trapped(why)
        | tool::Error::Limit(why)
        | tool::Error::Budget(why)
        | tool::Error::Interrupted(why) => RelayError::Failed(why),
    }
}

export!(Relay);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_result_before_fills_whole_members_only() {
        let filled =
            fill(r#"{"text":"$previous","note":"a $previous"}"#, Some(&json!("hi"))).unwrap();
        assert_eq!(filled, r#"{"text":"hi","note":"a $previous"}"#);
    }

    #[test]
    fn arguments_that_are_no_json_are_refused() {
        assert!(matches!(fill("{", None), Err(RelayError::InvalidArguments(_))));
    }
}
