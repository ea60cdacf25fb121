//! Journals on their way in, on both databases.

use soma_market::Refusal;
use soma_market::ledger::Account;
use soma_market::settle::JournalState;
use soma_policy::{Code, JournalEntry, Outcome};

use super::world::{CALL, Host, SHARE, World, org, per_call};
use crate::fixture::on_both_databases;
use crate::money::MoneyError;
use crate::store::{AuditFilter, JournalRow};

fn refusal<T: std::fmt::Debug>(done: Result<T, MoneyError>) -> Refusal {
    match done {
        Err(MoneyError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn journal(world: &World, host: &Host) -> JournalRow {
    world.unit().await.journal(host.journal).await.unwrap().unwrap()
}

async fn alarms(world: &World, kind: &str) -> usize {
    let filter = AuditFilter { kind: Some(kind.to_owned()), limit: 50, ..AuditFilter::default() };
    world.unit().await.audit_everywhere(&filter).await.unwrap().len()
}

on_both_databases! {
    async fn a_receipt_becomes_rows_that_name_tenant_author_and_capsule(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        host.send(&world, 1).await.unwrap();
        assert_eq!(world.balance(&Account::Lease(lease.id)).await, lease.money.micros - CALL);
        assert_eq!(world.balance(&Account::Pending(org("acme"))).await, SHARE);
        assert_eq!(world.balance(&Account::Revenue).await, 33);
        assert_eq!(world.balance(&Account::Tax("vat-de".parse().unwrap())).await, 20);
        let key = soma_market::ledger::ReceiptKey { journal: host.journal, seq: 1 };
        let cause = soma_market::ledger::Cause::Receipt(key);
        let posting = world.unit().await.posting(&cause, soma_policy::Currency::EUR).await.unwrap().unwrap();
        let about = posting.about;
        assert_eq!((about.org, about.author), (Some(org("shop")), Some(org("acme"))));
        assert_eq!(about.capsule.unwrap().to_string(), "acme/csv");
        assert_eq!(world.books().await, 1);
    }

    async fn the_same_push_twice_settles_once(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        host.call(&lease);
        host.sign();
        assert_eq!(host.send(&world, 1).await.unwrap(), 4);
        assert_eq!(host.send(&world, 1).await.unwrap(), 4);
        assert_eq!(host.send(&world, 2).await.unwrap(), 4);
        host.call(&lease);
        assert_eq!(host.send(&world, 1).await.unwrap(), 5, "what is known before it is passed over");
        assert_eq!(world.balance(&Account::Lease(lease.id)).await, lease.money.micros - 3 * CALL);
        assert_eq!(world.books().await, 3);
    }

    async fn two_pushes_of_the_same_at_once_settle_once(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        for _ in 0..10 {
            host.call(&lease);
        }
        let all = futures::future::join_all((0..4).map(|_| host.send(&world, 1))).await;
        assert!(all.into_iter().all(|done| done.unwrap() == 11));
        assert_eq!(world.balance(&Account::Lease(lease.id)).await, lease.money.micros - 10 * CALL);
        assert_eq!(world.books().await, 10);
    }

    async fn a_gap_is_not_taken_and_the_answer_says_where_to_go_on(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        for _ in 0..4 {
            host.call(&lease);
        }
        assert_eq!(host.send(&world, 3).await.unwrap(), 1);
        let mut two = host.push(1);
        two.records.truncate(2);
        assert_eq!(world.server.take_journal(&host.pusher(), &two).await.unwrap().next, 3);
        assert_eq!(host.send(&world, 4).await.unwrap(), 3);
        assert_eq!(host.send(&world, 3).await.unwrap(), 5);
        assert_eq!(world.books().await, 4);
    }

    async fn a_fork_is_settled_in_neither_form_and_quarantines_the_journal(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        host.send(&world, 1).await.unwrap();
        let mut twin = Host { keys: soma_capsule::KeyPair::generate().unwrap(), ..Host::new(1) };
        twin.receipt(&lease, &per_call(100), Outcome::Ok);
        twin.call(&lease);
        let refused = refusal(twin.send(&world, 1).await);
        assert_eq!(refused.code, Code::JournalForked);
        let row = journal(&world, &host).await;
        assert_eq!((row.position.state, row.position.next), (JournalState::Quarantined, 2));
        assert_eq!(alarms(&world, "journal-quarantined").await, 1);
        // Nothing more of it is taken, not even what would follow.
        host.call(&lease);
        assert_eq!(refusal(host.send(&world, 2).await).code, Code::JournalQuarantined);
        assert_eq!(alarms(&world, "journal-quarantined").await, 1, "it is told once");
        assert_eq!(world.books().await, 1);
        let mut unit = world.unit().await;
        world.server.lift_journal(&mut unit, host.journal, None, "user:x").await.unwrap();
        unit.commit().await.unwrap();
        assert_eq!(host.send(&world, 2).await.unwrap(), 3);
        assert_eq!(world.books().await, 2);
    }

    async fn a_record_that_follows_another_one_than_the_last_taken_is_a_fork(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        host.send(&world, 1).await.unwrap();
        let mut twin = Host::new(1);
        twin.receipt(&lease, &per_call(100), Outcome::Ok);
        twin.call(&lease);
        twin.call(&lease);
        assert_eq!(refusal(twin.send(&world, 2).await).code, Code::JournalForked);
        assert_eq!(world.books().await, 1);
    }

    async fn another_hosts_lease_is_not_spent(database: TestDatabase) {
        let world = World::new(database).await;
        let lease = Host::new(1).lease(&world, 500).await;
        let mut thief = Host::new(2);
        thief.call(&lease);
        assert_eq!(refusal(thief.send(&world, 1).await).code, Code::LeaseForeign);
        assert_eq!(journal(&world, &thief).await.position.state, JournalState::Quarantined);
        assert_eq!(world.balance(&Account::Lease(lease.id)).await, lease.money.micros);
        assert_eq!(world.books().await, 0);
    }

    async fn nobody_pushes_another_hosts_journal(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        host.send(&world, 1).await.unwrap();
        let thief = Host { host: soma_policy::HostId::from_u128(66), ..Host::new(1) };
        let mut push = thief.push(1);
        push.records = host.records.clone();
        assert_eq!(refusal(world.server.take_journal(&thief.pusher(), &push).await).code, Code::LeaseForeign);
        assert_eq!(journal(&world, &host).await.position.state, JournalState::Good, "its owner is not to blame");
    }

    async fn a_receipt_beyond_its_lease_is_refused_and_can_be_written_off(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        let within = lease.money.micros / CALL;
        for _ in 0..within + 1 {
            host.call(&lease);
        }
        let refused = refusal(host.send(&world, 1).await);
        assert_eq!(refused.code, Code::LeaseExceeded);
        let row = journal(&world, &host).await;
        let next = within as u64 + 1;
        assert_eq!((row.position.next, row.position.state), (next, JournalState::Quarantined));
        assert_eq!(world.books().await, within as u64);
        let mut unit = world.unit().await;
        world.server.lift_journal(&mut unit, host.journal, Some(next), "user:x").await.unwrap();
        unit.commit().await.unwrap();
        assert_eq!(host.send(&world, next).await.unwrap(), next + 1);
        let pending = world.balance(&Account::Pending(org("acme"))).await;
        assert_eq!(pending, within * SHARE, "nobody earns by what is written off");
        assert_eq!(world.balance(&Account::Loss).await, -3);
        assert_eq!(world.books().await, next);
    }

    async fn what_is_late_is_the_platforms_loss_and_never_the_tenants(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.close(&world, lease.id).await;
        let shop = Account::Tenant(org("shop"));
        let before = world.balance(&shop).await;
        host.call(&lease);
        host.send(&world, 1).await.unwrap();
        assert_eq!(world.balance(&shop).await - before + world.balance(&Account::Lease(lease.id)).await, lease.money.micros);
        assert_eq!(world.balance(&Account::Loss).await, -103);
        world.books().await;
    }

    async fn who_dies_before_the_end_has_settled_nothing(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        host.call(&lease);
        // The last statement of the transaction fails, as if the machine had died before it.
        let sqlite = world.database.owner.is_none();
        let stop = "CREATE TRIGGER dies BEFORE UPDATE ON ledger_head WHEN NEW.n > OLD.n BEGIN SELECT RAISE(ABORT, 'dead'); END";
        let stop_there = "CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n > OLD.n THEN RAISE EXCEPTION 'dead'; END IF; RETURN NEW; END $$; \
                          CREATE TRIGGER dies BEFORE UPDATE ON ledger_head FOR EACH ROW EXECUTE FUNCTION dies()";
        world.database.tamper(if sqlite { stop } else { stop_there }).await;
        assert!(matches!(host.send(&world, 1).await, Err(MoneyError::Store(_))));
        assert!(world.unit().await.journal(host.journal).await.unwrap().is_none());
        assert_eq!(world.balance(&Account::Pending(org("acme"))).await, 0);
        world.database.tamper(if sqlite { "DROP TRIGGER dies" } else { "DROP TRIGGER dies ON ledger_head" }).await;
        assert_eq!(world.books().await, 0);
        assert_eq!(host.send(&world, 1).await.unwrap(), 3);
        assert_eq!(world.books().await, 2);
    }

    async fn other_entries_are_counted_and_heads_move_the_position(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        let receipt = host.receipt(&lease, &per_call(100), Outcome::Ok);
        let start = soma_policy::StartRecord { boot: host.boot, facts: receipt.facts.clone(), reserved: None };
        host.write(&JournalEntry::Start(start));
        host.write(&JournalEntry::Receipt(Box::new(receipt)));
        host.sign();
        assert_eq!(host.send(&world, 1).await.unwrap(), 4);
        let row = journal(&world, &host).await;
        assert_eq!((row.counts.starts, row.counts.receipts), (1, 1));
        let nothing = soma_policy::feed::JournalPush { records: Vec::new(), ..host.push(1) };
        let ack = world.server.take_journal(&host.pusher(), &nothing).await.unwrap();
        assert_eq!((ack.next, ack.hash), (4, row.position.head));
    }

    async fn what_a_host_leased_to_itself_before_it_joined_costs_nobody_anything(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let mut lease = host.lease(&world, 500).await;
        lease.id = soma_policy::LeaseId::from_u128(77);
        let own = serde_json::json!({
            "kind": "lease",
            "body": { "at": "5", "currency": "EUR", "day": "1", "installation": lease.installation, "lease": lease.id, "limit_micros": "5" },
        });
        host.write(&serde_json::from_value(own).unwrap());
        host.call(&lease);
        assert_eq!(host.send(&world, 1).await.unwrap(), 3);
        assert_eq!(world.books().await, 0);
    }
}
