//! Room `emit`: output before the result, in order, to whoever streams the call.
//!
//! Each piece counts as output and against its grant. A slow reader holds the guest up, never the host: the queue is short,
//! and the wait ends with the call. What is emitted is data: the edge encodes it, so that no piece can end a frame or name
//! another event. Deliberately absent: keeping anything for a reader that comes later.

use std::collections::BTreeMap;

use soma_policy::{CapabilityKind, CapabilityRef, Code, Denial, EmitRequest, HostCall, LimitKind};
use soma_wit::soma::emit::{Error, Host};
use wasmtime::Result;
use wasmtime::component::HasData;

use super::{missing, words};
use crate::gate::Gate;
use crate::output::{CallEvent, Output};
use crate::running::Cut;
use crate::state::Ctx;

/// The largest piece.
const PIECE_MAX: usize = 256 * 1024;
/// The longest name of an event.
const NAME_MAX: usize = 64;
/// What a piece counts beside its bytes, so that empty pieces are not free.
const PIECE_OVERHEAD: u64 = 32;

/// What was emitted under each grant of a call.
#[derive(Debug, Default)]
pub(crate) struct Emitted(BTreeMap<String, Used>);

#[derive(Debug, Default, Clone, Copy)]
struct Used {
    bytes: u64,
    events: u32,
}

/// Names [`EmitView`] to the linker.
pub(crate) struct Emit;

impl HasData for Emit {
    type Data<'a> = EmitView<'a>;
}

/// `soma:emit` for one call.
pub(crate) struct EmitView<'a> {
    gate: &'a Gate,
    output: &'a Output,
    emitted: &'a mut Emitted,
}

impl EmitView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> EmitView<'_> {
        EmitView { gate: &ctx.gate, output: &ctx.output, emitted: &mut ctx.rooms.emitted }
    }

    /// Decides, counts, waits for the start record, sends.
    async fn emit(
        &mut self,
        emitter: &str,
        bytes: usize,
        event: CallEvent,
    ) -> Result<std::result::Result<(), Error>> {
        let running = self.gate.running().clone();
        // A piece that is refused for its size counts as the largest that is taken.
        running.charge_bytes(emitter.len().saturating_add(bytes.min(PIECE_MAX)))?;
        if bytes > PIECE_MAX {
            return Ok(Err(Error::TooLarge));
        }
        let more = PIECE_OVERHEAD.saturating_add(bytes as u64);
        let named = u32::from(matches!(event, CallEvent::Event { .. }));
        let most = match self.admit(emitter) {
            Ok(most) => most,
            Err(refused) => return Ok(Err(Error::Denied(words(refused)?))),
        };
        let used = self.emitted.0.entry(emitter.to_owned()).or_default();
        let after = Used {
            bytes: used.bytes.saturating_add(more),
            events: used.events.saturating_add(named),
        };
        if after.bytes > most.bytes || after.events > most.events {
            let code = if after.bytes > most.bytes { Code::EmitSize } else { Code::EmitEvents };
            let refused = self.gate.refuse(over(code, emitter));
            return Ok(Err(Error::Denied(words(refused)?)));
        }
        *used = after;
        running.charge(LimitKind::Output, more)?;
        running.before_effect().await?;
        tokio::select! {
            biased;
            () = running.token().cancelled() => Err(running.cut_reason().into()),
            sent = self.output.send(event) => match sent {
                Ok(()) => Ok(Ok(())),
                Err(_) => {
                    running.cut(Cut::Abandoned);
                    Err(running.cut_reason().into())
                }
            }
        }
    }

    fn admit(&self, emitter: &str) -> std::result::Result<Used, crate::gate::Refused> {
        let (_permit, most) = self.gate.decide(
            EmitRequest::new(emitter),
            |authorised, request| {
                let right = authorised.emit(request)?;
                Ok(Used { bytes: right.per_call().0, events: right.events() })
            },
            |request| HostCall::Emit(request),
        )?;
        Ok(most)
    }
}

fn over(code: Code, emitter: &str) -> Denial {
    let denial = missing(code, CapabilityKind::Emit, format!("emit {emitter}"));
    match emitter.parse() {
        Ok(name) => denial.on(CapabilityRef::named(CapabilityKind::Emit, name)),
        Err(_) => denial,
    }
}

impl Host for EmitView<'_> {
    async fn text(
        &mut self,
        emitter: String,
        data: String,
    ) -> Result<std::result::Result<(), Error>> {
        let bytes = data.into_bytes();
        self.emit(&emitter, bytes.len(), CallEvent::Chunk(bytes)).await
    }

    async fn bytes(
        &mut self,
        emitter: String,
        data: Vec<u8>,
    ) -> Result<std::result::Result<(), Error>> {
        self.emit(&emitter, data.len(), CallEvent::Chunk(data)).await
    }

    async fn event(
        &mut self,
        emitter: String,
        name: String,
        payload: String,
    ) -> Result<std::result::Result<(), Error>> {
        if !is_name(&name) {
            self.gate.running().charge_bytes(name.len())?;
            return Ok(Err(Error::InvalidName));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(&payload).is_err() {
            self.gate.running().charge_bytes(payload.len())?;
            return Ok(Err(Error::InvalidPayload));
        }
        let bytes = name.len().saturating_add(payload.len());
        self.emit(&emitter, bytes, CallEvent::Event { name, payload }).await
    }
}

/// A lower-case kebab name.
fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::rig::Rig;

    const GRANTED: &str = "[emit.out]\nper_call = \"1 KiB\"\nevents = 2";

    async fn text(
        rig: &mut Rig,
        emitter: &str,
        data: &str,
    ) -> Result<std::result::Result<(), Error>> {
        EmitView::of(rig.ctx()).text(emitter.to_owned(), data.to_owned()).await
    }

    async fn event(
        rig: &mut Rig,
        name: &str,
        payload: &str,
    ) -> Result<std::result::Result<(), Error>> {
        EmitView::of(rig.ctx()).event("out".to_owned(), name.to_owned(), payload.to_owned()).await
    }

    #[tokio::test]
    async fn pieces_and_events_come_out_in_order() {
        let mut rig = Rig::granting(GRANTED);
        text(&mut rig, "out", "one").await.unwrap().unwrap();
        event(&mut rig, "step-2", r#"{"done":1}"#).await.unwrap().unwrap();
        EmitView::of(rig.ctx()).bytes("out".into(), vec![0, 255]).await.unwrap().unwrap();
        let expected = [
            CallEvent::Chunk(b"one".to_vec()),
            CallEvent::Event { name: "step-2".into(), payload: r#"{"done":1}"#.into() },
            CallEvent::Chunk(vec![0, 255]),
        ];
        assert_eq!(rig.emitted(), expected);
    }

    #[tokio::test]
    async fn without_a_grant_nothing_comes_out() {
        let mut rig = Rig::declaring(GRANTED);
        let refused = text(&mut rig, "out", "x").await.unwrap().unwrap_err();
        assert!(matches!(refused, Error::Denied(why) if why.contains("emit.out")));
        assert_eq!(rig.denials(), [Code::NotGranted]);
        let mut rig = Rig::granting(GRANTED);
        assert!(text(&mut rig, "other", "x").await.unwrap().is_err());
        assert_eq!(rig.denials().len(), 1);
        assert!(rig.emitted().is_empty());
    }

    #[tokio::test]
    async fn more_bytes_or_events_than_granted_are_denied() {
        let mut rig = Rig::granting(GRANTED);
        text(&mut rig, "out", &"x".repeat(900)).await.unwrap().unwrap();
        let over = text(&mut rig, "out", &"x".repeat(200)).await.unwrap();
        assert!(matches!(over, Err(Error::Denied(why)) if why.contains("SOMA-D038")));
        text(&mut rig, "out", "x").await.unwrap().unwrap();
        assert_eq!(rig.denials(), [Code::EmitSize]);
        let mut rig = Rig::granting(GRANTED);
        for _ in 0..2 {
            event(&mut rig, "a", "1").await.unwrap().unwrap();
        }
        assert!(event(&mut rig, "a", "1").await.unwrap().is_err());
        assert_eq!(rig.denials(), [Code::EmitEvents]);
        assert_eq!(rig.emitted().len(), 2);
    }

    #[tokio::test]
    async fn what_is_emitted_is_output() {
        let mut rig = Rig::granting("[emit.out]\nper_call = \"1 GiB\"\nevents = 2");
        let piece = "x".repeat(PIECE_MAX);
        let mut ended = Ok(Ok(()));
        for _ in 0..=rig.limits().output.0 / PIECE_MAX as u64 {
            ended = text(&mut rig, "out", &piece).await;
        }
        assert!(ended.is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Output));
    }

    #[tokio::test]
    async fn empty_pieces_are_not_free() {
        let mut rig = Rig::granting(GRANTED);
        for _ in 0..1_024 / PIECE_OVERHEAD {
            text(&mut rig, "out", "").await.unwrap().unwrap();
        }
        assert!(text(&mut rig, "out", "").await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_piece_that_is_too_large_is_refused_and_nothing_else() {
        let mut rig = Rig::granting("[emit.out]\nper_call = \"4 MiB\"\nevents = 2");
        for size in [PIECE_MAX + 1, 16 << 20] {
            let large = "x".repeat(size);
            assert!(matches!(text(&mut rig, "out", &large).await.unwrap(), Err(Error::TooLarge)));
        }
        text(&mut rig, "out", "small").await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn names_and_payloads_cannot_end_a_frame() {
        let mut rig = Rig::granting(GRANTED);
        for name in
            ["finished\r\ndata: x", "", "A", "a b", "-a", "a-", "a--b", "ä", "1a", &"a".repeat(65)]
        {
            let refused = event(&mut rig, name, "{}").await.unwrap();
            assert!(matches!(refused, Err(Error::InvalidName)), "{name}");
        }
        for payload in ["", "{}\n\nevent: finished\ndata: {}", "{", "{} {}", "undefined"] {
            let refused = event(&mut rig, "note", payload).await.unwrap();
            assert!(matches!(refused, Err(Error::InvalidPayload)), "{payload}");
        }
        assert!(rig.emitted().is_empty());
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_holds_the_guest_until_it_is_killed() {
        let (mut rig, reader) = Rig::streamed("[emit.out]\nper_call = \"1 MiB\"\nevents = 2");
        let killer = rig.killer();
        let (sent, ()) = tokio::join!(
            async {
                for _ in 0..10_000 {
                    text(&mut rig, "out", "x").await?.unwrap();
                }
                Ok::<_, wasmtime::Error>(())
            },
            async {
                // Runs once the guest waits.
                tokio::task::yield_now().await;
                killer();
            }
        );
        assert!(sent.is_err());
        drop(reader);
    }

    #[tokio::test]
    async fn a_reader_that_went_away_ends_the_call() {
        let (mut rig, reader) = Rig::streamed(GRANTED);
        drop(reader);
        assert!(text(&mut rig, "out", "x").await.is_err());
        assert!(rig.is_cut());
    }

    #[tokio::test]
    async fn nothing_comes_out_before_the_start_record_is_durable() {
        let mut rig = Rig::without_journal(GRANTED);
        assert!(text(&mut rig, "out", "x").await.is_err());
        assert!(rig.emitted().is_empty());
    }
}
