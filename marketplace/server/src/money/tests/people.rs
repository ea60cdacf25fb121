//! What people enter, what is given back, what is paid out, and what a check finds.

use soma_market::earnings::EarningState;
use soma_market::ledger::{Account, Cause, EventKind, ReceiptKey, ReversalKind};
use soma_market::payout::{PayoutCommand, PayoutState};
use soma_policy::{Code, Currency};

use super::world::{CALL, DAY_MS, Host, SHARE, TESTS, World, eur, org, terms};
use crate::fixture::on_both_databases;
use crate::money::{MoneyError, NewRefund, PayoutMove};

fn code<T: std::fmt::Debug>(done: Result<T, MoneyError>) -> Code {
    match done {
        Err(MoneyError::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

fn words(text: &str) -> soma_market::Words {
    text.parse().unwrap()
}

async fn refund(world: &World, seq: u64, host: &Host, micros: i64) -> Result<i64, MoneyError> {
    let original = Cause::Receipt(ReceiptKey { journal: host.journal, seq });
    let new = NewRefund {
        kind: ReversalKind::Refund,
        original,
        amount: eur(micros),
        reason: words("it was wrong"),
    };
    let mut unit = world.unit().await;
    let done = world.server.refund(&mut unit, new, "user:x").await?;
    unit.commit().await?;
    Ok(done.row.amount.micros)
}

async fn one_call(world: &World) -> Host {
    let mut host = Host::new(1);
    let lease = host.lease(world, 500).await;
    host.call(&lease);
    host.send(world, 1).await.unwrap();
    host.close(world, lease.id).await;
    host
}

on_both_databases! {
    async fn an_account_is_filled_and_never_emptied_below_its_limit(database: TestDatabase) {
        let world = World::new(database).await;
        let shop = Account::Tenant(org("shop"));
        assert_eq!(code(world.enter(EventKind::Withdrawal, 20_001).await), Code::AccountFloor);
        assert_eq!(world.balance(&shop).await, 20_000);
        let mut unit = world.unit().await;
        world.server.set_credit(&mut unit, (&org("shop"), eur(500)), "user:x").await.unwrap();
        unit.commit().await.unwrap();
        world.enter(EventKind::Withdrawal, 20_500).await.unwrap();
        assert_eq!(code(world.enter(EventKind::AdjustDown, 1).await), Code::AccountFloor);
        world.enter(EventKind::Credit, 700).await.unwrap();
        assert_eq!(world.balance(&shop).await, 200);
        assert_eq!(code(world.enter(EventKind::TopUp, 0).await), Code::AmountBad);
        world.books().await;
    }

    async fn refunds_add_up_to_what_was_paid_and_no_more(database: TestDatabase) {
        let world = World::new(database).await;
        let host = one_call(&world).await;
        assert_eq!(refund(&world, 1, &host, 100).await.unwrap(), 100);
        assert_eq!(code(refund(&world, 1, &host, CALL - 99).await), Code::RefundTooLarge);
        assert_eq!(refund(&world, 1, &host, CALL - 100).await.unwrap(), CALL - 100);
        assert_eq!(code(refund(&world, 1, &host, 1).await), Code::RefundTooLarge);
        assert_eq!(code(refund(&world, 9, &host, 1).await), Code::ReceiptUnknown);
        assert_eq!(world.balance(&Account::Tenant(org("shop"))).await, 20_000);
        assert_eq!(world.balance(&Account::Pending(org("acme"))).await, 0);
        world.books().await;
    }

    async fn two_refunds_at_once_give_back_at_most_what_was_paid(database: TestDatabase) {
        let world = World::new(database).await;
        let host = one_call(&world).await;
        let both = futures::future::join_all((0..2).map(|_| refund(&world, 1, &host, 80))).await;
        assert_eq!(both.iter().filter(|done| done.is_ok()).count(), 1);
        world.books().await;
    }

    async fn earnings_wait_and_are_then_paid_out_once(database: TestDatabase) {
        let world = World::new(database).await;
        one_call(&world).await;
        assert_eq!(world.server.mature_earnings().await.unwrap(), 0);
        world.pass_ms(16 * DAY_MS);
        assert_eq!(world.server.mature_earnings().await.unwrap(), 1);
        assert_eq!(world.server.mature_earnings().await.unwrap(), 0);
        let world = &world;
        let ask = |micros| async move {
            let mut unit = world.server.store.platform(TESTS).await?;
            let row = world.server.request_payout(&mut unit, &org("acme"), eur(micros), "user:a").await?;
            unit.commit().await?;
            Ok(row.payout.id)
        };
        assert_eq!(code(ask(SHARE + 1).await), Code::PayoutTooLarge);
        let (a, b) = tokio::join!(ask(50), ask(50));
        let id = match (a, b) { (Ok(id), Err(_)) | (Err(_), Ok(id)) => id, other => panic!("{other:?}") };
        let step = |command: PayoutCommand, actor: &'static str| {
            async move {
                let mut unit = world.unit().await;
                let row = world.server.move_payout(&mut unit, PayoutMove { id, command }, actor).await?;
                unit.commit().await?;
                Ok::<_, MoneyError>(row.payout.state)
            }
        };
        assert_eq!(code(step(PayoutCommand::Approve, "user:a").await), Code::PayoutMove);
        assert_eq!(code(step(PayoutCommand::Settle(words("x")), "user:o").await), Code::PayoutMove);
        assert_eq!(step(PayoutCommand::Approve, "user:o").await.unwrap(), PayoutState::Approved);
        let mut unit = world.unit().await;
        let exported = world.server.export_payouts(&mut unit, &words("file 1"), "user:o").await.unwrap();
        unit.commit().await.unwrap();
        assert_eq!(exported.len(), 1);
        assert_eq!(step(PayoutCommand::Settle(words("bank 7")), "user:o").await.unwrap(), PayoutState::Settled);
        assert_eq!(world.balance(&Account::Paid(org("acme"))).await, 50);
        assert_eq!(world.balance(&Account::Available(org("acme"))).await, SHARE - 50);
        world.books().await;
    }

    async fn a_refund_after_maturity_takes_from_what_is_available(database: TestDatabase) {
        let world = World::new(database).await;
        let host = one_call(&world).await;
        world.pass_ms(16 * DAY_MS);
        world.server.mature_earnings().await.unwrap();
        refund(&world, 1, &host, CALL).await.unwrap();
        assert_eq!(world.balance(&Account::Available(org("acme"))).await, 0);
        let window = soma_market::budget::Window::day(crate::fixture::START);
        let earning = world.unit().await.earning(&org("acme"), Currency::EUR, window).await.unwrap().unwrap();
        assert_eq!((earning.state, earning.reversed), (EarningState::Available, SHARE));
        world.books().await;
    }

    async fn the_check_finds_what_was_changed_behind_the_ledgers_back(database: TestDatabase) {
        let world = World::new(database).await;
        one_call(&world).await;
        world.books().await;
        world.database.tamper("UPDATE accounts SET balance = balance + 1 WHERE account = 'tenant:shop'").await;
        let found = world.server.check_ledger().await.unwrap();
        let said: Vec<&str> = found.differences.iter().map(|it| it.subject.as_str()).collect();
        assert_eq!(said, ["EUR", "tenant:shop"]);
        world.database.tamper("UPDATE accounts SET balance = balance - 1 WHERE account = 'tenant:shop'").await;
        let drop = if world.database.owner.is_none() { "DROP TRIGGER transfers_freeze" } else { "DROP TRIGGER transfers_keep ON transfers" };
        world.database.tamper(drop).await;
        world.database.tamper("UPDATE transfers SET amount = amount + 1 WHERE kind = 'cpu'").await;
        let found = world.server.check_ledger().await.unwrap();
        assert!(found.differences.iter().any(|it| it.words.contains("posted for cpu")), "{found:?}");
        assert!(found.differences.iter().any(|it| it.words.contains("its hash")), "{found:?}");
        let checks = crate::money::Checks::default();
        for _ in 0..4 {
            world.server.check_on(&checks).await.unwrap();
        }
        let filter = crate::store::AuditFilter { kind: Some("ledger-differed".to_owned()), limit: 5, ..Default::default() };
        assert!(!world.unit().await.audit_everywhere(&filter).await.unwrap().is_empty());
    }

    async fn an_edition_of_terms_is_never_put_twice(database: TestDatabase) {
        let world = World::new(database).await;
        let mut unit = world.unit().await;
        let again = world.server.put_terms(&mut unit, terms(2), "user:x").await;
        assert_eq!(code(again.map(|row| row.digest)), Code::TermsBad);
        drop(unit);
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        let mut unit = world.unit().await;
        let next = world.server.put_terms(&mut unit, terms(3), "user:x").await.unwrap();
        unit.commit().await.unwrap();
        // A lease is settled by the terms that it names.
        host.call(&lease);
        host.send(&world, 1).await.unwrap();
        assert_ne!(lease.terms, next.digest);
        assert_eq!(world.books().await, 1);
    }
}
