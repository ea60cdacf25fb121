//! Where records lie: enough to start reading at a cursor without walking a whole segment.
//!
//! Kept in memory, rebuilt by the walk at start, extended by the writer for what is durable and by
//! nothing else: a reader that asks the index can see the durable prefix only.

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
    /// A new segment whose records begin at `body`.
    pub(crate) fn open(&mut self, first: u64, body: u64) {
        self.segments.push(Segment { first, next: first, end: body, marks: vec![(first, body)] });
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

    /// Forgets records from `next` on; `end` is where the latest segment left now ends.
    pub(crate) fn cut(&mut self, next: u64, end: u64) {
        while self.segments.len() > 1 && self.segments.last().is_some_and(|s| s.first >= next) {
            self.segments.pop();
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.marks.retain(|(seq, _)| *seq < next || *seq == segment.first);
            segment.next = next;
            segment.end = end;
        }
    }

    /// Forgets whole segments before the one that starts with `first`.
    pub(crate) fn prune(&mut self, first: u64) {
        self.segments.retain(|segment| segment.first >= first);
    }

    /// The first record that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.segments.first().map_or(1, |segment| segment.first)
    }

    /// The last record; the one before the first if there is none yet.
    pub(crate) fn last(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.next.saturating_sub(1))
    }

    /// First records of the segments, in order.
    pub(crate) fn firsts(&self) -> Vec<u64> {
        self.segments.iter().map(|segment| segment.first).collect()
    }

    /// The latest segment that can start the journal if only records at or above `keep` must stay.
    pub(crate) fn prunable(&self, keep: u64) -> u64 {
        let starts = self.segments.iter().map(|segment| segment.first);
        starts.take_while(|first| *first <= keep).last().unwrap_or_else(|| self.first())
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
        index.open(1, 100);
        for seq in 1..=10 {
            index.add(seq, 100 + (seq - 1) * 30_000, 100 + seq * 30_000);
        }
        index.open(11, 100);
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
    fn a_cut_forgets_later_records_and_segments() {
        let mut index = index();
        index.cut(6, 150_100);
        assert_eq!(index.find(6), None);
        assert_eq!(index.find(5).unwrap().end, 150_100);
        index.add(6, 150_100, 150_200);
        assert_eq!(index.find(6).unwrap().next, 7);
    }

    #[test]
    fn only_whole_segments_below_what_must_stay_are_prunable() {
        let index = index();
        assert_eq!(index.prunable(10), 1);
        assert_eq!(index.prunable(11), 11);
        assert_eq!(index.prunable(500), 11);
        assert_eq!(index.prunable(0), 1);
    }
}
