//! `soma explain CODE`: what a code means and what to do. Works without host, home or network.
//!
//! The same table prints docs/reference/errors.md, so the page cannot differ from the program; the same
//! goes for the host's interface and docs/reference/openapi.json.

use std::fmt::Write;

use serde_json::{Value, json};
use soma_policy::Code;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// Say what an error code means and what to do about it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma explain SOMA-D012\n  soma explain --all > docs/reference/errors.md\n  soma explain --openapi > docs/reference/openapi.json"
)]
pub(crate) struct Explain {
    /// The code, such as SOMA-D012 or D012
    #[arg(value_name = "CODE", required_unless_present_any = ["all", "openapi"])]
    code: Option<String>,
    /// Every code, as the reference page in Markdown
    #[arg(long, conflicts_with = "openapi")]
    all: bool,
    /// The host's HTTP interface, as its OpenAPI document
    #[arg(long, conflicts_with = "code")]
    openapi: bool,
}

impl Explain {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let report = match self.code {
            Some(_) if self.all => {
                return Err(Failure::new(Code::Usage, "give a code or --all, not both"));
            }
            Some(code) => one(&find(&code)?),
            None if self.openapi => openapi(),
            None => all(),
        };
        Ok(context.out.report(&report)?)
    }
}

fn find(given: &str) -> Result<Code, Failure> {
    Code::find(given).ok_or_else(|| {
        let short: String = given.chars().take(40).collect();
        let near = Code::near(&short);
        Failure::new(Code::CodeUnknown, format!("`{short}` is not a code of this program{near}"))
            .fix("soma explain --all lists them")
    })
}

fn one(code: &Code) -> Report {
    let entry = code.entry();
    let text = format!(
        "{code}  {}\n\n{}\n\nWhat to do: {}\nExit code {}{}",
        entry.title,
        entry.explain,
        entry.remedy,
        entry.exit,
        status(entry.http),
    );
    Report::new("soma.explain.v1", value(code), text)
}

fn status(status: u16) -> String {
    if status == 0 { String::new() } else { format!(" · HTTP status {status}") }
}

fn value(code: &Code) -> Value {
    let entry = code.entry();
    json!({
        "code": code.to_string(),
        "title": entry.title,
        "explain": entry.explain,
        "remedy": entry.remedy,
        "exit": entry.exit,
        "status": entry.http,
    })
}

fn openapi() -> Report {
    let document = soma_host::edge::openapi();
    let text = format!("{document:#}");
    Report::new("soma.openapi.v1", document, text)
}

fn all() -> Report {
    let mut page = String::from(
        "# Error codes\n\n<!-- Made by `soma explain --all`. Do not edit. -->\n\n\
         `soma explain CODE` prints the same, offline.\n",
    );
    let mut family = ' ';
    for code in Code::ALL {
        let name = code.to_string();
        if code.family() != family {
            family = code.family();
            let _ = write!(page, "\n## {family}: {}\n", family_title(family));
        }
        let entry = code.entry();
        let _ = write!(
            page,
            "\n### {name}\n\n**{}.** {}\n\nWhat to do: {}\n\nExit code {}{}.\n",
            entry.title,
            entry.explain,
            entry.remedy,
            entry.exit,
            status(entry.http),
        );
    }
    let items: Vec<Value> = Code::ALL.iter().map(value).collect();
    Report::new("soma.explain.v1", json!({ "items": items }), page)
}

fn family_title(letter: char) -> &'static str {
    match letter {
        'M' => "manifest",
        'C' => "component",
        'V' => "verification and signatures",
        'D' => "denials",
        'L' => "limits",
        'K' => "kill orders",
        'J' => "journal",
        'I' => "installation files",
        'P' => "policy",
        'T' => "tokens",
        'H' => "HTTP and input",
        'R' => "the running host",
        'G' => "guests",
        'U' => "usage",
        'B' => "billing",
        'S' => "marketplace",
        'F' => "findings of a review",
        _ => "others",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name_long_and_short() {
        for code in Code::ALL {
            let name = code.to_string();
            assert_eq!(find(&name).unwrap(), *code);
            assert_eq!(find(&name.replace("SOMA-", "").to_lowercase()).unwrap(), *code);
        }
    }

    #[test]
    fn the_page_holds_every_code_once_and_every_family_has_a_title() {
        let page = all().text().to_owned();
        for code in Code::ALL {
            assert_eq!(page.matches(&format!("### {code}\n")).count(), 1, "{code}");
            assert_ne!(family_title(code.family()), "others", "{code}");
        }
    }

    #[test]
    fn an_unknown_code_is_not_found() {
        for bad in ["", "D", "SOMA-", "SOMA-D999", "x\u{1b}"] {
            assert_eq!(find(bad).unwrap_err().exit(), 5, "{bad:?}");
        }
    }
}
