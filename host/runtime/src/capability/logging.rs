//! Room `logging`: what a guest writes down, as bounded lines kept with its call.
//!
//! Text is kept as the guest sent it; whoever shows it neutralises control characters. A line is cut at a length, and a call
//! that has written all that its limit or grant allows ends, so that nothing is ever silently missing. Standard output and
//! error come here too, without a grant. Deliberately absent: the program's own log; a guest's words never enter it.

use std::sync::Arc;

use soma_policy::{CapabilityKind, Code, LimitKind};
use soma_wit::logging::{draft, unversioned};
use wasmtime::Result;
use wasmtime::component::HasData;

use super::{cut, missing};
use crate::clock::Clock;
use crate::gate::Gate;
use crate::output::{LogLine, Output};
use crate::running::{Cut, Running};
use crate::state::Ctx;

/// The longest line that is kept.
pub(crate) const MESSAGE_MAX: usize = 16 * 1024;
/// The longest context that is kept.
const CONTEXT_MAX: usize = 256;
/// What a line counts beside its text, so that empty lines are not free.
const LINE_OVERHEAD: u64 = 64;
/// Stands at the end of a line that was cut.
const CUT_SHORT: char = '…';

/// The way into one call's log.
#[derive(Clone)]
pub(crate) struct GuestLog {
    running: Arc<Running>,
    output: Output,
    clock: Arc<dyn Clock>,
}

impl GuestLog {
    pub(crate) fn of(ctx: &Ctx) -> Self {
        Self {
            running: ctx.gate.running().clone(),
            output: ctx.output.clone(),
            clock: ctx.backends.clock.clone(),
        }
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Keeps one line, or ends the call at its log limit.
    pub(crate) fn write(
        &self,
        level: &'static str,
        context: &str,
        message: &str,
    ) -> std::result::Result<(), Cut> {
        let context = shorten(context, CONTEXT_MAX);
        let message = shorten(message, MESSAGE_MAX);
        self.running.charge(LimitKind::Log, cost(&context, &message))?;
        self.output.log(LogLine { at: self.clock.now(), level, context, message });
        Ok(())
    }
}

fn cost(context: &str, message: &str) -> u64 {
    LINE_OVERHEAD.saturating_add(context.len() as u64).saturating_add(message.len() as u64)
}

/// At most `max` bytes of a text, whole characters, marked where it was cut.
fn shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let most = max.saturating_sub(CUT_SHORT.len_utf8());
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let mut short = text.get(..end).unwrap_or_default().to_owned();
    short.push(CUT_SHORT);
    short
}

/// Names [`LoggingView`] to the linker.
pub(crate) struct Logging;

impl HasData for Logging {
    type Data<'a> = LoggingView<'a>;
}

/// `wasi:logging` for one call.
pub(crate) struct LoggingView<'a> {
    gate: &'a Gate,
    log: GuestLog,
    /// Bytes written under the grant.
    used: &'a mut u64,
}

impl LoggingView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> LoggingView<'_> {
        let log = GuestLog::of(ctx);
        LoggingView { gate: &ctx.gate, log, used: &mut ctx.rooms.logged }
    }

    fn write(&mut self, level: &'static str, context: &str, message: &str) -> Result<()> {
        let running = self.gate.running();
        running.charge_bytes(context.len().saturating_add(message.len()))?;
        let operation = || format!("log {level}");
        let Some(per_call) = self.gate.authorised().rights().logging_per_call() else {
            // The interface has no error: the line is dropped, the denial says so.
            self.gate.refuse(missing(Code::NotGranted, CapabilityKind::Logging, operation()));
            return Ok(());
        };
        let more = cost(&shorten(context, CONTEXT_MAX), &shorten(message, MESSAGE_MAX));
        let used = self.used.saturating_add(more);
        if used > per_call.0 {
            let denial = missing(Code::LoggingPerCall, CapabilityKind::Logging, operation());
            self.gate.refuse(denial);
            return Err(cut(running, LimitKind::Log));
        }
        *self.used = used;
        Ok(self.log.write(level, context, message)?)
    }
}

impl unversioned::Host for LoggingView<'_> {
    fn log(&mut self, level: unversioned::Level, context: String, message: String) -> Result<()> {
        use unversioned::Level;
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Critical => "critical",
        };
        self.write(level, &context, &message)
    }
}

impl draft::Host for LoggingView<'_> {
    fn log(&mut self, level: draft::Level, context: String, message: String) -> Result<()> {
        use draft::Level;
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Critical => "critical",
        };
        self.write(level, &context, &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::rig::Rig;

    const GRANTED: &str = "[logging]\nper_call = \"4 KiB\"";

    fn log(rig: &mut Rig, message: &str) -> Result<()> {
        let mut view = LoggingView::of(rig.ctx());
        unversioned::Host::log(&mut view, unversioned::Level::Warn, "here".into(), message.into())
    }

    #[test]
    fn a_line_is_kept_as_it_was_sent() {
        let mut rig = Rig::granting(GRANTED);
        log(&mut rig, "\u{1b}[31mred\r\n").unwrap();
        let mut view = LoggingView::of(rig.ctx());
        draft::Host::log(&mut view, draft::Level::Critical, String::new(), "bad".into()).unwrap();
        let lines = rig.lines();
        assert_eq!(
            (lines[0].level, lines[0].context.as_str(), lines[0].message.as_str()),
            ("warn", "here", "\u{1b}[31mred\r\n")
        );
        assert_eq!((lines[1].level, lines[1].message.as_str()), ("critical", "bad"));
    }

    #[test]
    fn without_a_grant_a_line_is_dropped_and_denied() {
        let mut rig = Rig::declaring(GRANTED);
        log(&mut rig, "x").unwrap();
        assert!(rig.lines().is_empty());
        assert_eq!(rig.denials(), [Code::NotGranted]);
    }

    #[test]
    fn more_than_granted_ends_the_call() {
        let mut rig = Rig::granting(GRANTED);
        log(&mut rig, &"x".repeat(3_000)).unwrap();
        assert!(log(&mut rig, &"x".repeat(3_000)).is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Log));
        assert_eq!(rig.denials(), [Code::LoggingPerCall]);
        assert_eq!(rig.lines().len(), 1);
    }

    #[test]
    fn empty_lines_are_not_free() {
        let mut rig = Rig::granting(GRANTED);
        let written = (0..1_000).take_while(|_| log(&mut rig, "").is_ok()).count();
        assert!(written <= 64, "{written}");
    }

    #[test]
    fn a_killed_call_writes_nothing() {
        let mut rig = Rig::granting(GRANTED);
        rig.kill();
        assert!(log(&mut rig, "x").is_err());
        assert!(rig.lines().is_empty());
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("aäää", 6), "aä…");
        assert_eq!(shorten("ääääää", 7), "ää…");
        assert!(shorten(&"ä".repeat(MESSAGE_MAX), MESSAGE_MAX).len() <= MESSAGE_MAX);
    }
}
