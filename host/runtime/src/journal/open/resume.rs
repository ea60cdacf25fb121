//! Going on from a checkpoint: whether it fits what lies there, and what it stands for if it does.

use soma_policy::Digest;

use super::{Place, Rebuild};
use crate::journal::checkpoint::{Checkpoint, Closed};
use crate::journal::disk::Open;
use crate::journal::frame::{FrameReader, Next};
use crate::journal::head::Head;
use crate::journal::segment::{self, Header};

/// The part of a journal that a checkpoint stands for.
pub(super) struct Resumed {
    pub(super) seq: u64,
    pub(super) hash: Digest,
    pub(super) closed: Vec<Closed>,
}

impl Place<'_> {
    /// Goes on from a checkpoint, if it is of this journal and what it stands for still lies there. `None`
    /// means that everything is read; the replay is then as new.
    pub(super) fn resume(
        &self,
        head: &Head,
        checkpoint: Checkpoint,
        rebuild: &mut Rebuild<'_>,
    ) -> Option<Resumed> {
        let fits = self.fits(head, &checkpoint).and_then(|()| {
            let Checkpoint { seq, hash, mut closed, starts, state, .. } = checkpoint;
            closed.retain(|closed| closed.first >= head.first);
            rebuild.replay.resume(state)?;
            rebuild.starts = starts;
            Ok(Resumed { seq, hash, closed })
        });
        fits.inspect_err(|why| tracing::warn!(why, "the whole journal is read, not its tail")).ok()
    }

    /// Whether a checkpoint is one of this journal below its head, the segments that it stands for are there
    /// with their lengths, and the next one hangs on the record that it ends with.
    fn fits(&self, head: &Head, checkpoint: &Checkpoint) -> Result<(), String> {
        let Checkpoint { journal, host, seq, hash, closed, .. } = checkpoint;
        if (journal, host) != (&head.journal, &head.host) {
            return Err("the checkpoint is of another journal".to_owned());
        }
        if *seq > head.seq || (*seq == head.seq && *hash != head.hash) {
            return Err("the checkpoint is not below the head".to_owned());
        }
        // What was pruned since it was made is not looked for.
        let kept = || closed.iter().filter(|closed| closed.first >= head.first);
        let begins = kept().next().map_or(seq.saturating_add(1), |closed| closed.first);
        if begins != head.first {
            return Err("the checkpoint begins elsewhere".to_owned());
        }
        for Closed { first, length, .. } in kept() {
            let path = segment::path(self.dir, *first);
            let file = self.disk.open(&path, Open::Read).map_err(|e| e.to_string())?;
            if file.len().map_err(|e| e.to_string())? != *length {
                return Err(format!("`{}` has another length", path.display()));
            }
        }
        match self.header_of(seq.saturating_add(1)) {
            Some(next) if next.prev == *hash => Ok(()),
            _ => Err("no segment goes on where the checkpoint ends".to_owned()),
        }
    }

    fn header_of(&self, first: u64) -> Option<Header> {
        let file = self.disk.open(&segment::path(self.dir, first), Open::Read).ok()?;
        let length = file.len().ok()?;
        let mut frames = FrameReader::new(&*file, 0, length);
        let Ok(Next::Frame { payload, .. }) = frames.next() else { return None };
        Header::read(payload).filter(|header| header.first == first)
    }
}
