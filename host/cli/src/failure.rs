//! How a command fails: a code, a sentence, a way out, an exit code.
//!
//! Everything that goes wrong becomes a [`Failure`] before it leaves a command; `main` prints it once.

use std::error::Error;
use std::fmt;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use soma_host::installations::FileProblem;
use soma_policy::{Code, Denial};

use crate::output::{Format, neutral, neutral_json, say};

/// Why a command did not do what it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: Option<Code>,
    exit: u8,
    message: String,
    remedy: Option<String>,
    denials: Vec<Value>,
    /// Printed already (a call's outcome, a list of findings): only the exit code is left to say.
    told: bool,
}

impl Failure {
    /// A failure whose exit code is that of its code.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code: Some(code),
            exit: code.entry().exit,
            message,
            remedy: None,
            denials: Vec::new(),
            told: false,
        }
    }

    /// One that has been told; the process only ends with `exit`.
    pub(crate) fn told(exit: u8) -> Self {
        Self {
            code: None,
            exit,
            message: String::new(),
            remedy: None,
            denials: Vec::new(),
            told: true,
        }
    }

    /// The person pressed Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self {
            code: None,
            exit: 130,
            message: "interrupted".to_owned(),
            remedy: None,
            denials: Vec::new(),
            told: false,
        }
    }

    /// A denial, printed in its own words.
    pub(crate) fn denied(denial: &Denial) -> Self {
        let mut failure = Self::new(denial.code, denial.to_string());
        failure.denials = serde_json::to_value(denial).into_iter().collect();
        failure
    }

    /// Adds the way out.
    pub(crate) fn fix(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Replaces the exit code.
    pub(crate) fn exit_with(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// Carries the denials that a host told.
    pub(crate) fn with_denials(mut self, denials: Vec<Value>) -> Self {
        self.denials = denials;
        self
    }

    pub(crate) fn code(&self) -> Option<Code> {
        self.code
    }

    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// An error and its causes in one line.
    pub(crate) fn chain(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text.push_str(": ");
                text.push_str(&inner_text);
            }
            cause = inner.source();
        }
        text
    }

    /// In one line, for those who tell of several.
    pub(crate) fn line(&self) -> String {
        let code = self.code.map(|code| format!("{code} ")).unwrap_or_default();
        let remedy = self.remedy.as_ref().map(|remedy| format!(" · fix: {remedy}"));
        format!("{code}{}{}", self.message, remedy.unwrap_or_default())
    }

    /// Prints it on standard error.
    pub(crate) fn print(&self, format: Format) {
        if self.told {
            return;
        }
        match format {
            Format::Text => say(&self.text()),
            Format::Json | Format::Jsonl => say(&neutral_json(&self.document().to_string())),
        }
    }

    fn text(&self) -> String {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let mut text = match self.code {
            _ if self.message.starts_with("denied SOMA-") => neutral(&self.message).into_owned(),
            Some(code) => format!("{red}error{red:#} {code} {}", neutral(&self.message)),
            None => format!("{red}error{red:#} {}", neutral(&self.message)),
        };
        for denial in self.denials.iter().filter_map(denial_line) {
            if !self.message.contains(&denial) {
                text.push_str("\n  ");
                text.push_str(&neutral(&denial));
            }
        }
        // A denial's own words hold its remedy already.
        let is_told = self.message.contains("fix: ");
        if let Some(remedy) = self.remedy.as_ref().filter(|_| !is_told) {
            text.push_str("\n  fix: ");
            text.push_str(&neutral(remedy));
        }
        text
    }

    fn document(&self) -> Value {
        json!({
            "schema": "soma.error.v1",
            "code": self.code.map(|c| c.to_string()),
            "title": self.code.map(|c| c.entry().title),
            "detail": self.message,
            "remedy": self.remedy,
            "denials": self.denials,
            "exit": self.exit,
        })
    }
}

/// A denial as people read it, with its remedy: even a guest that swallowed it cannot hide it.
fn denial_line(denial: &Value) -> Option<String> {
    let denial: soma_policy::Denial = serde_json::from_value(denial.clone()).ok()?;
    Some(denial.to_string())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

/// The first of a file's problems as the failure; the others are told before it.
pub(crate) fn of_problems(context: &crate::context::Context, problems: &[FileProblem]) -> Failure {
    for more in problems.iter().skip(1) {
        context.out.note(format!("{} {more}", more.code));
    }
    match problems.first() {
        Some(first) => {
            let failure = Failure::new(first.code, first.to_string());
            match &first.remedy {
                Some(remedy) => failure.fix(remedy.clone()),
                None => failure.fix(first.code.entry().remedy),
            }
        }
        None => Failure::new(Code::ConfigurationBad, "something is wrong with the files"),
    }
}

/// Errors of the libraries, each with the code that it states.
macro_rules! from_coded {
    ($($error:ty),* $(,)?) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.code(), Self::chain(&error)).fix(error.remedy().to_string())
            }
        }
    )* };
}

from_coded! {
    soma_capsule::VerifyError,
    soma_capsule::key::KeyError,
    soma_capsule::manifest::ManifestError,
    soma_capsule::component::ComponentError,
    soma_capsule::section::SectionError,
    soma_capsule::bundle::BundleError,
}

macro_rules! from_code_only {
    ($($error:ty),* $(,)?) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let code = error.code();
                Self::new(code, Self::chain(&error)).fix(code.entry().remedy)
            }
        }
    )* };
}

from_code_only! {
    soma_capsule::trust::TrustError,
    soma_capsule::oci::OciError,
    soma_capsule::dsse::DsseError,
    soma_host::home::HomeError,
    soma_host::token::TokenError,
    soma_host::feed::FeedError,
    soma_server::continuity::ContinuityError,
}

macro_rules! from_usage {
    ($($error:ty),* $(,)?) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(Code::Usage, error.to_string())
            }
        }
    )* };
}

from_usage!(soma_policy::IdError, soma_policy::AmountError, soma_policy::PatternError);

impl From<soma_host::OpenError> for Failure {
    fn from(error: soma_host::OpenError) -> Self {
        use soma_host::OpenError;
        let code = match &error {
            OpenError::Home(inner) => inner.code(),
            OpenError::Journal(inner) => inner.code(),
            OpenError::Kills(inner) => inner.code(),
            OpenError::Feed(inner) => inner.code(),
            _ => Code::EngineFailure,
        };
        Self::new(code, Self::chain(&error)).fix(code.entry().remedy)
    }
}
