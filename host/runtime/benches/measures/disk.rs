//! What a sync costs where a journal lies: everything durable waits for it.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Instant;

use crate::measure::percentile;

const WRITES: usize = 300;

/// p50 and p99 of writing 4 KiB and `fdatasync`, in words.
pub(crate) fn probe(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("sync-probe");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
    file.set_len(1 << 20)?;
    file.sync_all()?;
    let mut took = Vec::with_capacity(WRITES);
    for nth in 0..WRITES {
        file.seek(SeekFrom::Start((nth as u64 % 256) * 4096))?;
        let from = Instant::now();
        file.write_all(&[nth as u8; 4096])?;
        file.sync_data()?;
        took.push(u64::try_from(from.elapsed().as_nanos())?);
    }
    drop(file);
    std::fs::remove_file(path)?;
    let at = |percent| percentile(&took, percent) / 1e3;
    Ok(format!("write 4 KiB + fdatasync: p50 {:.1} µs, p99 {:.1} µs", at(50.0), at(99.0)))
}
