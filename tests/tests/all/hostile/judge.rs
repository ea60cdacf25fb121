//! What came of an attack, and how it differs from the row.

use serde_json::Value;
use soma_tests::{Reply, TestHost, host};

use super::place::SECRET;
use super::plant::{OUTSIDE, PASSWD};
use super::table::Row;

/// What came of an attack.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) kind: String,
    pub(crate) code: String,
    pub(crate) denials: Vec<String>,
    /// The result or the guest's own error, as text.
    pub(crate) result: String,
    /// Everything that anybody was shown.
    pub(crate) shown: String,
    /// What a person sees on a terminal.
    pub(crate) terminal: String,
    /// What is wrong besides.
    pub(crate) wrong: Vec<String>,
}

impl Got {
    pub(crate) fn nothing(why: &str) -> Self {
        Self { kind: "nothing".to_owned(), wrong: vec![why.to_owned()], ..Self::default() }
    }

    pub(crate) fn refused(code: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            kind: "refused".to_owned(),
            code: code.into(),
            shown: said.into(),
            ..Self::default()
        }
    }

    /// The end of a call, from the reply and from what the host keeps of the call.
    pub(crate) async fn of_call(host: &TestHost, reply: &Reply) -> Self {
        let mut got = Self {
            code: reply.code().to_owned(),
            result: result_text(reply),
            shown: reply.body.to_string(),
            ..Self::default()
        };
        let denials = reply.denials();
        got.denials = denials.into_iter().map(str::to_owned).collect();
        if reply.call.is_empty() {
            got.kind = if reply.status == 200 { "ok".to_owned() } else { "refused".to_owned() };
            return got;
        }
        match host.get(&format!("/v1/calls/{}", reply.call)).await {
            Ok(kept) => got.add(&kept),
            Err(error) => got.wrong.push(format!("the call cannot be read: {error}")),
        }
        if let Ok(logs) = host.get(&format!("/v1/calls/{}/logs", reply.call)).await {
            got.shown.push_str(&logs.to_string());
        }
        got
    }

    fn add(&mut self, kept: &Value) {
        self.kind = kept["outcome"]["kind"].as_str().unwrap_or("unknown").to_owned();
        for code in host::codes(kept) {
            if !self.denials.iter().any(|known| known == code) {
                self.denials.push(code.to_owned());
            }
        }
        self.shown.push_str(&kept.to_string());
    }

    /// In what the row is not met.
    pub(crate) fn against(&self, row: &Row) -> Vec<String> {
        let mut why = self.wrong.clone();
        let mut check = |met: bool, what: String| {
            if !met {
                why.push(what);
            }
        };
        check(
            self.kind == row.expect,
            format!(
                "it ended as {} ({})",
                self.kind,
                self.shown.chars().take(300).collect::<String>()
            ),
        );
        if let Some(code) = &row.code {
            check(self.code == *code, format!("the code is {:?}", self.code));
        }
        if let Some(denial) = &row.denial {
            check(self.denials.contains(denial), format!("the denials are {:?}", self.denials));
        }
        if let Some(result) = &row.result {
            check(self.result == *result, format!("it got {:?}", self.result));
        }
        if let Some(part) = &row.contains {
            check(self.result.contains(part.as_str()), format!("it got {:?}", self.result));
        }
        let everything = format!("{}{}{}", self.result, self.shown, self.terminal);
        let squeezed: String = everything.chars().filter(|c| !c.is_whitespace()).collect();
        check(!squeezed.contains(SECRET), "the secret came out".to_owned());
        for foreign in [PASSWD, OUTSIDE] {
            check(!everything.contains(foreign), format!("{foreign:?} came in from outside"));
        }
        if row.no_control {
            check(!self.terminal.is_empty(), "nothing was shown".to_owned());
            let obeyed = self.terminal.chars().find(|c| steers(*c));
            check(obeyed.is_none(), format!("the terminal was sent {obeyed:?}"));
        }
        why
    }

    pub(crate) fn summary(&self) -> String {
        let denials = self.denials.join(" ");
        [self.kind.as_str(), self.code.as_str(), &denials].join(" ").trim().to_owned()
    }
}

/// Control characters other than the line end, and marks that turn the direction of text.
fn steers(c: char) -> bool {
    (c.is_control() && c != '\n')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

fn result_text(reply: &Reply) -> String {
    let value = if reply.status == 200 { &reply.body } else { &reply.body["guest_error"] };
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
