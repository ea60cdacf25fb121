//! Where records lie: enough to start reading at a cursor without walking a whole segment.
//!
//! Kept in memory, rebuilt by the walk at start (for closed segments that a checkpoint stands for, without
//! their marks: a reader begins at the segment's first record), extended by the writer for what is durable and by
//! nothing else: a reader that asks the index can see the durable prefix only.

use soma_policy::Digest;

use super::checkpoint::Closed;

/// A mark at least this many bytes apart.
const STRIDE: u64 = 64 * 1024;

/// The durable part of all segments.
#[derive(Debug, Default)]
pub(crate) struct Index {
    segments: Vec<Segment>,
}

/// The durable part of one segment.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    /// The hash that its first record hangs on; none where a checkpoint stands for it.
    prev: Option<Digest>,
    /// The record after its last.
    pub(crate) next: u64,
    /// Where its last durable frame ends.
    pub(crate) end: u64,
    /// (record, where its frame starts), ascending; the first is where the records begin.
    marks: Vec<(u64, u64)>,
}

/// Where to read from, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The segment, by its first record.
    pub(crate) segment: u64,
    /// Start reading here: at the wanted record or before it.
    pub(crate) offset: u64,
    /// Nothing at or beyond this is durable.
    pub(crate) end: u64,
    /// The record after the segment's last.
    pub(crate) next: u64,
}

impl Index {
    /// The closed segments that a checkpoint stands for, which ends with record `seq`.
    pub(crate) fn of(closed: &[Closed], seq: u64) -> Self {
        let nexts = closed.iter().skip(1).map(|closed| closed.first).chain([seq.saturating_add(1)]);
        let segment = |(closed, next): (&Closed, u64)| {
            let Closed { first, body, length } = *closed;
            Segment { first, prev: None, next, end: length, marks: vec![(first, body)] }
        };
        Self { segments: closed.iter().zip(nexts).map(segment).collect() }
    }

    /// A new segment whose records begin at `body` and hang on `prev`.
    pub(crate) fn open(&mut self, first: u64, body: u64, prev: Digest) {
        let (prev, marks) = (Some(prev), vec![(first, body)]);
        self.segments.push(Segment { first, prev, next: first, end: body, marks });
    }

    /// The segment that is being written: its first record, and the hash that this hangs on.
    pub(crate) fn active(&self) -> Option<(u64, Digest)> {
        self.segments.last().and_then(|segment| Some((segment.first, segment.prev?)))
    }

    /// A record in the latest segment.
    pub(crate) fn add(&mut self, seq: u64, at: u64, end: u64) {
        if let Some(segment) = self.segments.last_mut() {
            let marked = segment.marks.last().map_or(0, |(_, offset)| *offset);
            if at.saturating_sub(marked) >= STRIDE {
                segment.marks.push((seq, at));
            }
            segment.next = seq.saturating_add(1);
            segment.end = end;
        }
    }

    /// Forgets records from `next` on, and the segments after `segment`, which now ends at `end`. It may hold no
    /// record yet.
    pub(crate) fn cut(&mut self, segment: u64, next: u64, end: u64) {
        while self.segments.len() > 1 && self.segments.last().is_some_and(|s| s.first > segment) {
            self.segments.pop();
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.marks.retain(|(seq, _)| *seq < next || *seq == segment.first);
            segment.next = next;
            segment.end = end;
        }
    }

    /// The first records of the segments before the one that the journal can begin with, if `keep` and what
    /// follows stays, and so many segments before it; forgets them.
    pub(crate) fn forget_below(&mut self, keep: u64, spare: usize) -> Vec<u64> {
        let starts = self.segments.iter().map(|segment| segment.first);
        let below = starts.take_while(|first| *first <= keep).count();
        // The last of them holds `keep`, or begins with it.
        let gone = below.saturating_sub(1).saturating_sub(spare);
        self.segments.drain(..gone.min(self.segments.len())).map(|segment| segment.first).collect()
    }

    /// Whether there is anything to forget.
    pub(crate) fn has_below(&self, keep: u64, spare: usize) -> bool {
        let starts = self.segments.iter().map(|segment| segment.first);
        starts.take_while(|first| *first <= keep).count() > spare.saturating_add(1)
    }

    /// The first record that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.segments.first().map_or(1, |segment| segment.first)
    }

    /// The last record; the one before the first if there is none yet.
    pub(crate) fn last(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.next.saturating_sub(1))
    }

    /// Where `seq` is to be looked for; `None` if it is not there.
    pub(crate) fn find(&self, seq: u64) -> Option<Place> {
        let segment = self.segments.iter().rev().find(|segment| segment.first <= seq)?;
        let (_, offset) = segment.marks.iter().rev().find(|(marked, _)| *marked <= seq)?;
        (seq < segment.next).then_some(Place {
            segment: segment.first,
            offset: *offset,
            end: segment.end,
            next: segment.next,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::default();
        index.open(1, 100, Digest::ZERO);
        for seq in 1..=10 {
            index.add(seq, 100 + (seq - 1) * 30_000, 100 + seq * 30_000);
        }
        index.open(11, 100, Digest::ZERO);
        index.add(11, 100, 200);
        index
    }

    #[test]
    fn a_record_is_found_from_the_nearest_mark_before_it() {
        let index = index();
        assert_eq!(index.find(1).unwrap().offset, 100);
        assert_eq!(index.find(4).unwrap().offset, 100 + 3 * 30_000);
        assert_eq!(index.find(5).unwrap().offset, 100 + 3 * 30_000);
        assert_eq!(index.find(11).unwrap(), Place { segment: 11, offset: 100, end: 200, next: 12 });
        assert_eq!(index.find(12), None);
    }

    #[test]
    fn only_whole_segments_below_what_must_stay_are_forgotten() {
        let forgotten = |keep, spare| index().forget_below(keep, spare);
        assert_eq!((forgotten(10, 0), forgotten(0, 0)), (vec![], vec![]));
        assert_eq!((forgotten(11, 0), forgotten(500, 0)), (vec![1], vec![1]));
        assert_eq!(forgotten(500, 1), [0_u64; 0]);
        let mut index = index();
        index.forget_below(500, 0);
        assert_eq!((index.first(), index.last(), index.find(10)), (11, 11, None));
    }

    #[test]
    fn a_cut_forgets_later_records_and_segments() {
        let mut index = index();
        index.cut(1, 6, 150_100);
        assert_eq!(index.find(6), None);
        assert_eq!(index.find(5).unwrap().end, 150_100);
        index.add(6, 150_100, 150_200);
        assert_eq!(index.find(6).unwrap().next, 7);
    }

    #[test]
    fn a_segment_without_a_record_is_the_one_that_is_gone_on_with() {
        let mut index = index();
        index.cut(11, 11, 100);
        assert_eq!((index.last(), index.active()), (10, Some((11, Digest::ZERO))));
        index.add(11, 100, 150);
        assert_eq!(index.find(11).unwrap(), Place { segment: 11, offset: 100, end: 150, next: 12 });
        assert_eq!(index.find(10).unwrap().end, 100 + 10 * 30_000);
    }

    #[test]
    fn closed_segments_of_a_checkpoint_are_read_from_their_first_record() {
        let closed = |first, length| Closed { first, body: 100, length };
        let mut index = Index::of(&[closed(1, 900), closed(7, 800)], 9);
        assert_eq!(index.find(6).unwrap(), Place { segment: 1, offset: 100, end: 900, next: 7 });
        assert_eq!(index.find(9).unwrap(), Place { segment: 7, offset: 100, end: 800, next: 10 });
        assert_eq!((index.first(), index.last(), index.active()), (1, 9, None));
        index.open(10, 100, Digest::ZERO);
        assert_eq!((index.last(), index.active()), (9, Some((10, Digest::ZERO))));
    }
}
