//! Room `tool`: calls of other installed capsules.
//!
//! The view decides that this call may be made and counts what crosses. Resolving the callee within the tenant, taking its
//! money, time and slot out of the caller's, the depth of the chain and the child's own decision are done by whoever makes
//! calls: [`ToolCaller`], handed in by the host. Labels travel both ways: the
//! child's sinks are judged by what its caller has read, and the caller's by what the child read, once it has answered.

use futures::future::BoxFuture;
use soma_policy::{HostCall, LabelSet, ToolRequest};
use soma_wit::soma::tool::{Error, Host};
use wasmtime::Result;
use wasmtime::component::HasData;

use super::words;
use crate::gate::{Gate, Permit};
use crate::state::Ctx;

/// The longest name of a tool or function.
const NAME_MAX: usize = 128;

/// Makes one permitted call and waits for its end. The future is dropped when the caller is cut.
pub(crate) type ToolCaller = dyn Fn(ToolCall) -> BoxFuture<'static, std::result::Result<ToolAnswer, ToolFailure>>
    + Send
    + Sync;

/// A call that the gate allowed.
pub(crate) struct ToolCall {
    /// Which function of which capsule, as decided.
    pub(crate) permit: Permit<ToolRequest>,
    /// The caller's gate: its reservation, its token, its place in the chain.
    pub(crate) caller: Gate,
    /// A JSON object.
    pub(crate) arguments: serde_json::Value,
    /// What the caller has read so far.
    pub(crate) labels: LabelSet,
}

/// What came back.
pub(crate) struct ToolAnswer {
    /// The function's result.
    pub(crate) result: serde_json::Value,
    /// What the callee has read.
    pub(crate) labels: LabelSet,
}

/// Why nothing came back. Each holds words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolFailure {
    /// Refused on the callee's side, or by depth, labels, a kill.
    Denied(String),
    /// No such installation or function.
    NotFound(String),
    /// The arguments do not fit.
    InvalidArguments(String),
    /// The function's own error, as JSON, and what the callee has read.
    Guest(String, LabelSet),
    /// It trapped.
    Trapped(String),
    /// It met a limit.
    Limit(String),
    /// There was no money.
    Budget(String),
    /// Nothing was started.
    Unavailable(String),
    /// Nobody knows how it ended.
    Interrupted(String),
}

/// Names [`ToolView`] to the linker.
pub(crate) struct Tool;

impl HasData for Tool {
    type Data<'a> = ToolView<'a>;
}

/// `soma:tool` for one call.
pub(crate) struct ToolView<'a> {
    gate: &'a Gate,
    tools: &'a ToolCaller,
}

impl<'a> ToolView<'a> {
    pub(crate) fn of(ctx: &'a mut Ctx) -> Self {
        Self { gate: &ctx.gate, tools: &*ctx.backends.tools }
    }

    async fn make(
        &self,
        tool: &str,
        function: &str,
        arguments: &str,
    ) -> Result<std::result::Result<String, Error>> {
        let running = self.gate.running();
        let bytes = [tool, function, arguments].iter().map(|text| text.len()).sum();
        running.charge_bytes(bytes)?;
        if tool.len() > NAME_MAX || function.len() > NAME_MAX {
            return Ok(Err(Error::NotFound(
                "there is no tool or function of this name".to_owned(),
            )));
        }
        let arguments = match serde_json::from_str(arguments) {
            Ok(arguments @ serde_json::Value::Object(_)) => arguments,
            Ok(_) => return Ok(Err(Error::InvalidArguments("not a JSON object".to_owned()))),
            Err(error) => return Ok(Err(Error::InvalidArguments(error.to_string()))),
        };
        let labels = self.gate.labels();
        let decided = self.gate.decide(
            ToolRequest::new(tool, function, labels),
            |authorised, request| authorised.tool(request).map(|_| ()),
            |request| HostCall::Tool(request),
        );
        let permit = match decided {
            Ok((permit, ())) => permit,
            Err(refused) => return Ok(Err(Error::Denied(words(refused)?))),
        };
        // The child has effects of its own; the caller's record must stand before the child's.
        running.before_effect().await?;
        running.waiting(Some(format!("tool {tool} {function}")));
        let call = ToolCall { permit, caller: self.gate.clone(), arguments, labels };
        let ended = tokio::select! {
            biased;
            () = running.token().cancelled() => return Err(running.cut_reason().into()),
            ended = (self.tools)(call) => ended,
        };
        running.waiting(None);
        self.answer(ended)
    }

    fn answer(
        &self,
        ended: std::result::Result<ToolAnswer, ToolFailure>,
    ) -> Result<std::result::Result<String, Error>> {
        let came = match &ended {
            Ok(ToolAnswer { labels, .. }) | Err(ToolFailure::Guest(_, labels)) => *labels,
            Err(_) => LabelSet::EMPTY,
        };
        self.gate.running().add_labels(came);
        // The caller's own sinks are judged by what came back from now on.
        self.gate.authorised().receive(came);
        let failure = match ended {
            Ok(answer) => {
                let text = answer.result.to_string();
                self.gate.running().charge_bytes(text.len())?;
                return Ok(Ok(text));
            }
            Err(failure) => failure,
        };
        let (text, error): (_, fn(String) -> Error) = match failure {
            ToolFailure::Denied(text) => (text, Error::Denied),
            ToolFailure::NotFound(text) => (text, Error::NotFound),
            ToolFailure::InvalidArguments(text) => (text, Error::InvalidArguments),
            ToolFailure::Guest(text, _) => (text, Error::Guest),
            ToolFailure::Trapped(text) => (text, Error::Trapped),
            ToolFailure::Limit(text) => (text, Error::Limit),
            ToolFailure::Budget(text) => (text, Error::Budget),
            ToolFailure::Unavailable(text) => (text, Error::Unavailable),
            ToolFailure::Interrupted(text) => (text, Error::Interrupted),
        };
        self.gate.running().charge_bytes(text.len())?;
        Ok(Err(error(text)))
    }
}

impl Host for ToolView<'_> {
    async fn call(
        &mut self,
        tool: String,
        function: String,
        arguments: String,
    ) -> Result<std::result::Result<String, Error>> {
        self.make(&tool, &function, &arguments).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;
    use serde_json::json;
    use soma_policy::{Code, Label};

    use super::*;
    use crate::capability::rig::Rig;

    const GRANTED: &str =
        "[tool.csv]\ncapsule = \"acme/csv\"\nversion = \"^1\"\nfunctions = [\"to-json\"]";
    const SECRET: LabelSet = LabelSet::EMPTY.with(Label::SecretDerived);

    /// Answers with what it was asked.
    fn echo(read: LabelSet) -> Box<ToolCaller> {
        Box::new(move |call| {
            async move {
                let asked = json!({
                    "tool": call.permit.tool(),
                    "function": call.permit.function(),
                    "arguments": call.arguments,
                });
                Ok(ToolAnswer { result: asked, labels: call.labels.union(read) })
            }
            .boxed()
        })
    }

    fn fails(failure: ToolFailure) -> Box<ToolCaller> {
        Box::new(move |_| std::future::ready(Err(failure.clone())).boxed())
    }

    async fn call(
        rig: &mut Rig,
        tool: &str,
        function: &str,
        arguments: &str,
    ) -> Result<std::result::Result<String, Error>> {
        let mut view = ToolView::of(rig.ctx());
        view.call(tool.to_owned(), function.to_owned(), arguments.to_owned()).await
    }

    #[tokio::test]
    async fn a_granted_function_is_called() {
        let mut rig = Rig::granting(GRANTED).with_tools(echo(LabelSet::EMPTY));
        let answer = call(&mut rig, "csv", "to-json", r#"{"text":"a"}"#).await.unwrap().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["function"], "to-json");
        assert_eq!(answer["arguments"]["text"], "a");
        assert!(rig.labels().is_empty() && rig.denials().is_empty());
    }

    #[tokio::test]
    async fn labels_go_along_and_come_back() {
        let told = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let tell = told.clone();
        let tools: Box<ToolCaller> = Box::new(move |call| {
            tell.lock().push(call.labels);
            std::future::ready(Err(ToolFailure::Guest("{}".to_owned(), SECRET))).boxed()
        });
        let mut rig = Rig::granting(GRANTED).with_tools(tools);
        for _ in 0..2 {
            call(&mut rig, "csv", "to-json", "{}").await.unwrap().unwrap_err();
        }
        assert_eq!(*told.lock(), [LabelSet::EMPTY, SECRET]);
        assert_eq!(rig.labels(), SECRET);
        assert_eq!(rig.ctx().gate.authorised().labels(), SECRET, "sinks are judged by it");
    }

    #[tokio::test]
    async fn what_is_not_granted_is_never_called() {
        let never = || -> Box<ToolCaller> { Box::new(|_| unreachable!("called without a permit")) };
        let mut rig = Rig::declaring(GRANTED).with_tools(never());
        assert!(matches!(
            call(&mut rig, "csv", "to-json", "{}").await.unwrap(),
            Err(Error::Denied(_))
        ));
        assert_eq!(rig.denials(), [Code::NotGranted]);
        let mut rig = Rig::granting(GRANTED).with_tools(never());
        for (tool, function) in
            [("csv", "drop"), ("other", "to-json"), ("", ""), ("csv", "to-json\0")]
        {
            assert!(call(&mut rig, tool, function, "{}").await.unwrap().is_err());
        }
        assert_eq!(rig.denials().len(), 4);
    }

    #[tokio::test]
    async fn arguments_are_a_json_object() {
        let mut rig = Rig::granting(GRANTED).with_tools(echo(LabelSet::EMPTY));
        for bad in ["", "[]", "1", "{", "{}{}", &"[".repeat(10_000)] {
            let refused = call(&mut rig, "csv", "to-json", bad).await.unwrap();
            assert!(matches!(refused, Err(Error::InvalidArguments(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn each_failure_has_its_own_case() {
        let said = |failure| async {
            let mut rig = Rig::granting(GRANTED).with_tools(fails(failure));
            let error = call(&mut rig, "csv", "to-json", "{}").await.unwrap().unwrap_err();
            format!("{error:?}")
        };
        let text = || "why".to_owned();
        for (failure, case) in [
            (ToolFailure::Denied(text()), "Denied"),
            (ToolFailure::NotFound(text()), "NotFound"),
            (ToolFailure::InvalidArguments(text()), "InvalidArguments"),
            (ToolFailure::Guest(text(), LabelSet::EMPTY), "Guest"),
            (ToolFailure::Trapped(text()), "Trapped"),
            (ToolFailure::Limit(text()), "Limit"),
            (ToolFailure::Budget(text()), "Budget"),
            (ToolFailure::Unavailable(text()), "Unavailable"),
            (ToolFailure::Interrupted(text()), "Interrupted"),
        ] {
            let said = said(failure).await;
            assert!(said.contains(case) && said.contains("why"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_kill_ends_the_wait_for_a_tool() {
        let waits: Box<ToolCaller> = Box::new(|_| std::future::pending().boxed());
        let mut rig = Rig::granting(GRANTED).with_tools(waits);
        let killer = rig.killer();
        let (ended, ()) = tokio::join!(call(&mut rig, "csv", "to-json", "{}"), async { killer() });
        assert!(ended.is_err());
    }
}
