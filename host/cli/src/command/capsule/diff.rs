//! `soma capsule diff`: what another release may do more or less, in the words that tenants agree to.

use serde_json::{Value, json};

use super::withdraw::Release;
use crate::command::list::word;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

/// Show what one release may do that another may not
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma capsule diff acme/csv@1.0.0 acme/csv@1.1.0")]
pub(crate) struct Diff {
    /// PUBLISHER/NAME@VERSION
    from: Release,
    /// PUBLISHER/NAME@VERSION
    to: Release,
    #[command(flatten)]
    place: Place,
}

impl Diff {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        let (from, to) = block_on(async {
            Ok((server.get(&self.from.path()).await?, server.get(&self.to.path()).await?))
        })?;
        let (less, more) = (without(&from, &to), without(&to, &from));
        let (was, is) = (word(from.get("price")), word(to.get("price")));
        let mut lines: Vec<String> = less.iter().map(|line| format!("- {line}")).collect();
        lines.extend(more.iter().map(|line| format!("+ {line}")));
        if was != is {
            lines.push(format!("price of a call: {} → {}", free(&was), free(&is)));
        }
        if lines.is_empty() {
            lines.push("the same rights at the same price".to_owned());
        }
        let value = json!({ "less": less, "more": more, "price": { "from": was, "to": is } });
        let text = neutral(&lines.join("\n")).into_owned();
        Ok(context.out.report(&Report::new("soma.capsule.diff.v1", value, text))?)
    }
}

fn free(price: &str) -> &str {
    if price.is_empty() { "nothing" } else { price }
}

/// The rights of one that the other has not.
fn without(one: &Value, other: &Value) -> Vec<String> {
    let rights = |page: &Value| -> Vec<String> {
        let list = page.get("capabilities").and_then(Value::as_array);
        list.into_iter().flatten().map(|it| word(Some(it))).collect()
    };
    let theirs = rights(other);
    rights(one).into_iter().filter(|right| !theirs.contains(right)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_may_is_the_difference() {
        let (a, b) = (json!({ "capabilities": ["x", "y"] }), json!({ "capabilities": ["y", "z"] }));
        assert_eq!(
            (without(&a, &b), without(&b, &a)),
            (vec!["x".to_owned()], vec!["z".to_owned()])
        );
        assert!(without(&a, &a).is_empty());
    }
}
