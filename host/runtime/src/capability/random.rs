//! Room `random`, part of the base world: random bytes, a bounded number of them per call.
//!
//! The bytes are the operating system's, or, where the host's clock gives a seed (an author's tests), the same ones for
//! each call. The "insecure" functions answer from the same source: there is no weaker one here.

use sha2::{Digest as _, Sha256};
use soma_policy::{Code, Denial, LimitKind};
use soma_wit::standard::random::{insecure, insecure_seed, random};
use wasmtime::Result;
use wasmtime::component::HasData;

use super::{cut, missing};
use crate::gate::Gate;
use crate::state::Ctx;

/// Bytes that a call may draw without a grant of its own.
const BASE_BYTES: u64 = 64 * 1024;

/// Where one call's random bytes come from, and how many came.
#[derive(Debug)]
pub(crate) struct Source {
    seed: Option<u64>,
    blocks: u64,
    drawn: u64,
}

impl Source {
    /// With a seed the bytes repeat; without one they are the operating system's.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { seed, blocks: 0, drawn: 0 }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        let Some(seed) = self.seed else {
            return getrandom::fill(bytes)
                .map_err(|error| wasmtime::format_err!("the host has no randomness: {error}"));
        };
        for chunk in bytes.chunks_mut(32) {
            let mut hasher = Sha256::new();
            hasher.update(seed.to_le_bytes());
            hasher.update(self.blocks.to_le_bytes());
            self.blocks = self.blocks.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(hasher.finalize()) {
                *to = from;
            }
        }
        Ok(())
    }
}

/// Names [`RandomView`] to the linker.
pub(crate) struct Random;

impl HasData for Random {
    type Data<'a> = RandomView<'a>;
}

/// `wasi:random` for one call.
pub(crate) struct RandomView<'a> {
    gate: &'a Gate,
    source: &'a mut Source,
}

impl RandomView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> RandomView<'_> {
        RandomView { gate: &ctx.gate, source: &mut ctx.rooms.random }
    }

    fn draw(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.admit(bytes.len() as u64)?;
        self.source.fill(bytes)
    }

    /// Charges before anything is allocated.
    fn admit(&mut self, len: u64) -> Result<()> {
        let running = self.gate.running();
        running.charge(LimitKind::Hostcall, len)?;
        let granted = self.gate.authorised().rights().random_per_call();
        let most = granted.map_or(BASE_BYTES, |bytes| bytes.0);
        let drawn = self.source.drawn.saturating_add(len);
        if drawn > most {
            self.gate.refuse(too_many(len, most));
            return Err(cut(running, LimitKind::Random));
        }
        self.source.drawn = drawn;
        running.charge(LimitKind::Random, len)?;
        Ok(())
    }

    fn list(&mut self, len: u64) -> Result<Vec<u8>> {
        self.admit(len)?;
        let mut bytes = vec![0; usize::try_from(len)?];
        self.source.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.draw(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

fn too_many(len: u64, most: u64) -> Denial {
    let operation = format!("random {len} bytes");
    missing(Code::RandomPerCall, soma_policy::CapabilityKind::Random, operation)
        .fix(format!("a call may draw {most} bytes; raise per_call of [grants.random]"))
}

impl random::Host for RandomView<'_> {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.list(len)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        self.number()
    }
}

impl insecure::Host for RandomView<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.list(len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        self.number()
    }
}

impl insecure_seed::Host for RandomView<'_> {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        Ok((self.number()?, self.number()?))
    }
}

#[cfg(test)]
mod tests {
    use random::Host as _;

    use super::*;
    use crate::capability::rig::Rig;

    #[test]
    fn bytes_come_as_many_as_asked_and_differ() {
        let mut source = Source::new(None);
        let (mut a, mut b) = ([0; 32], [0; 32]);
        source.fill(&mut a).unwrap();
        source.fill(&mut b).unwrap();
        assert_ne!(a, b);
    }

    #[test]
    fn a_seed_repeats_a_call_and_another_seed_does_not() {
        let bytes = |seed| {
            let mut source = Source::new(Some(seed));
            let mut bytes = [0; 100];
            source.fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
        assert_ne!(bytes(1)[..32], bytes(1)[32..64]);
    }

    #[test]
    fn everyone_has_some_randomness() {
        let mut rig = Rig::granting("");
        assert_eq!(RandomView::of(rig.ctx()).get_random_bytes(1_000).unwrap().len(), 1_000);
        assert!(rig.denials().is_empty());
    }

    #[test]
    fn more_than_the_base_needs_a_grant() {
        let mut rig = Rig::granting("");
        RandomView::of(rig.ctx()).get_random_bytes(BASE_BYTES).unwrap();
        assert!(RandomView::of(rig.ctx()).get_random_u64().is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Random));
        assert_eq!(rig.denials(), [Code::RandomPerCall]);
        let mut rig = Rig::granting("[random]\nper_call = \"128 KiB\"");
        RandomView::of(rig.ctx()).get_random_bytes(BASE_BYTES + 1).unwrap();
        assert_eq!(rig.cut_by(), None);
    }

    #[test]
    fn a_narrow_grant_holds() {
        let mut rig = Rig::granting("[random]\nper_call = \"10 B\"");
        RandomView::of(rig.ctx()).get_random_u64().unwrap();
        assert!(RandomView::of(rig.ctx()).get_random_u64().is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Random));
    }

    #[test]
    fn an_absurd_length_allocates_nothing() {
        let mut rig = Rig::granting("");
        assert!(RandomView::of(rig.ctx()).get_random_bytes(u64::MAX).is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Hostcall));
    }

    #[test]
    fn a_killed_call_gets_none() {
        let mut rig = Rig::granting("");
        rig.kill();
        assert!(RandomView::of(rig.ctx()).get_random_u64().is_err());
    }
}
