//! Power goes at every point of a journal's life: what was acknowledged is there afterwards.

use super::*;

/// Runs a journal until the power goes or the work is done; returns what was acknowledged.
fn live(disk: &PowerDisk, keys: &Keys, round: u64) -> Vec<String> {
    let small = JournalOptions { segment_bytes: 1500, ..cadence(round) };
    let mut acknowledged = Vec::new();
    let Ok((journal, _)) = open_with(disk, keys, small) else {
        return acknowledged;
    };
    for n in 0..6 {
        let text = format!("{round}.{n}");
        let ticket = journal.append(&note(&text));
        // Two entries share a group now and then.
        let other = (n % 2 == 0).then(|| journal.append(&note(&format!("{text}b"))));
        if ticket.wait().is_ok() {
            acknowledged.push(text.clone());
        }
        if other.is_some_and(|other| other.wait().is_ok()) {
            acknowledged.push(format!("{text}b"));
        }
    }
    acknowledged
}

/// Some rounds sign each group, some sign rarely.
fn cadence(round: u64) -> JournalOptions {
    let sign_every =
        if round.is_multiple_of(2) { Duration::ZERO } else { Duration::from_secs(3600) };
    JournalOptions { sign_every, ..options() }
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_at_every_change() {
    let keys = Keys::new();
    let whole = PowerDisk::default();
    live(&whole, &keys, 0);
    let total = whole.changes();
    assert!(total > 20);
    for lasts in 0..=total {
        for seed in 0..4 {
            let disk = PowerDisk::default();
            disk.power_lasts(lasts);
            let mut acknowledged = live(&disk, &keys, 0);
            disk.crash(seed * 1000 + lasts);
            // And once more, out of the repaired state, with the other cadence.
            disk.power_lasts(lasts / 2 + seed);
            acknowledged.extend(live(&disk, &keys, 1));
            disk.crash(seed * 1000 + lasts + 500);
            let (journal, replayed) = open(&disk, &keys)
                .unwrap_or_else(|error| panic!("power {lasts}, chance {seed}: {error}"));
            let found = texts(&replayed);
            let kept: Vec<_> = found.iter().filter(|text| acknowledged.contains(text)).collect();
            assert_eq!(
                kept,
                acknowledged.iter().collect::<Vec<_>>(),
                "power {lasts}, chance {seed}"
            );
            record(&journal, "afterwards");
            journal.close().unwrap();
            let report = verified(&disk, &keys).unwrap();
            assert_eq!((report.unsigned, report.tail), (0, None));
        }
    }
}
