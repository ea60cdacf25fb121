//! Leases on both databases.

use soma_market::lease::LeaseState;
use soma_market::ledger::Account;
use soma_policy::feed::LeaseWishes;
use soma_policy::{BootId, Code, Period};

use super::world::{CALL, DAY_MS, Host, SHARE, World, org, per_call};
use crate::fixture::on_both_databases;
use crate::money::MoneyError;
use crate::store::{CapRow, TenantScope};

async fn cap(world: &World, scope: &str, period: Period, cap: i64) {
    let mut unit = world.server.store.tenant(&TenantScope::of(org("shop"))).await.unwrap();
    unit.set_cap(&CapRow::of(scope, "money:EUR", period, cap), world.server.now()).await.unwrap();
    unit.commit().await.unwrap();
}

on_both_databases! {
    async fn a_lease_is_given_spent_closed_and_its_rest_comes_back(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        assert_eq!(lease.money.micros, 2_500, "a quarter of the budget of 10,000");
        let shop = Account::Tenant(org("shop"));
        assert_eq!(world.balance(&shop).await, 17_500);
        host.call(&lease);
        host.call(&lease);
        host.sign();
        assert_eq!(host.send(&world, 1).await.unwrap(), 4);
        host.close(&world, lease.id).await;
        assert_eq!(world.lease_of(lease.id).await.lease.state, LeaseState::Closed);
        assert_eq!(world.balance(&shop).await, 20_000 - 2 * CALL);
        assert_eq!(world.books().await, 2);
        // What came back may be leased again.
        assert_eq!(host.lease(&world, 500).await.money.micros, (10_000 - 2 * CALL) / 4);
    }

    async fn bytes_are_a_slice_of_the_days_none_when_they_are_used_up_and_left_out_where_nothing_moves_any(database: TestDatabase) {
        let world = World::new(database).await;
        let mut unit = world.server.store.tenant(&TenantScope::of(org("shop"))).await.unwrap();
        unit.set_cap(&CapRow::of("shop", "bytes", Period::Day, 100 << 10), world.server.now()).await.unwrap();
        unit.commit().await.unwrap();
        assert_eq!(Host::new(1).lease(&world, 500).await.bytes, None, "a cap of the org grants nothing");
        let api = serde_json::json!({
            "origin": "https://api.example.org", "methods": ["GET"], "paths": ["/v1/*"],
            "per_call": { "request": "1 KiB", "response": "3 KiB" }, "per_day": { "request": "8 KiB", "response": "16 KiB" },
        });
        world.grant("shop/production/csv", &serde_json::json!({ "http": { "api": api } })).await;
        let mut given = Vec::new();
        for n in 2..8 {
            given.push(Host::new(n).lease(&world, 100).await.bytes.unwrap());
        }
        // A quarter of what is left, at least what one call may move, at most all.
        assert_eq!(given, [6 << 10, 4608, 4 << 10, 4 << 10, 4 << 10, 1536]);
        assert_eq!(Host::new(8).lease(&world, 100).await.bytes, Some(0), "the day's are used up");
    }

    async fn a_close_waits_for_the_journal_that_it_names(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        host.close(&world, lease.id).await;
        assert_eq!(world.lease_of(lease.id).await.lease.state, LeaseState::Closing);
        host.send(&world, 1).await.unwrap();
        assert_eq!(world.lease_of(lease.id).await.lease.state, LeaseState::Closed);
        host.close(&world, lease.id).await;
        assert_eq!(world.balance(&Account::Tenant(org("shop"))).await, 20_000 - CALL);
        world.books().await;
    }

    async fn who_asks_again_gets_the_same_lease_until_its_journal_shows_that_it_has_it(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let first = host.lease(&world, 500).await;
        let again = host.ask(&world, 500).await;
        assert_eq!(again.leases, std::slice::from_ref(&first), "word for word");
        host.call(&first);
        host.send(&world, 1).await.unwrap();
        let more = host.ask(&world, 500).await;
        assert_eq!(more.leases.len(), 2);
        assert!(more.leases.contains(&first));
        // Another run of the host cannot use what an earlier one was given.
        let boot = BootId::from_u128(999);
        let asked = LeaseWishes { boot, ..host.wishes("shop/production/csv", 500) };
        let answer = world.server.lease(host.host, &asked).await.unwrap();
        assert!(answer.leases.iter().all(|lease| lease.boot == boot && lease.id != first.id));
        assert_eq!(answer.recalls.len(), 2, "those of the earlier run are asked back");
        world.books().await;
    }

    async fn hosts_that_ask_at_once_never_get_more_than_there_is(database: TestDatabase) {
        let world = World::new(database).await;
        let hosts: Vec<Host> = (1..=8).map(Host::new).collect();
        let answers = futures::future::join_all(hosts.iter().map(|host| host.ask(&world, 3_000))).await;
        let given: i64 = answers.iter().flat_map(|it| &it.leases).map(|it| it.money.micros).sum();
        let refused: Vec<_> = answers.iter().flat_map(|it| &it.refused).collect();
        assert_eq!((given, refused.len()), (9_000, 5));
        let words = &refused[0].1;
        assert!(words.contains("of 0.01 EUR") && words.contains("spent or leased") && words.contains("0.003 EUR are asked for"), "{words}");
        world.books().await;
    }

    async fn an_account_that_is_leased_out_says_what_is_reserved(database: TestDatabase) {
        let world = World::new(database).await;
        world.install("shop/production/big", per_call(100), Some(1_000_000)).await;
        let host = Host::new(1);
        host.lease(&world, 8_000).await;
        let asked = host.wishes("shop/production/big", 15_000);
        let answer = world.server.lease(host.host, &asked).await.unwrap();
        let words = &answer.refused[0].1;
        assert!(words.contains("0.012 EUR left") && words.contains("0.008 EUR are reserved in 1 leases"), "{words}");
        world.books().await;
    }

    async fn budgets_of_org_and_environment_cap_it_further(database: TestDatabase) {
        let world = World::new(database).await;
        cap(&world, "shop/production", Period::Month, 3_000).await;
        let host = Host::new(1);
        assert_eq!(host.lease(&world, 500).await.money.micros, 750, "a quarter of the smallest");
        let refused = host.ask(&world, 2_500).await.refused;
        assert!(refused[0].1.contains("`shop/production`"), "{refused:?}");
        cap(&world, "shop", Period::Day, 100).await;
        let refused = Host::new(2).ask(&world, 500).await.refused;
        assert!(refused[0].1.contains("of `shop` in"), "{refused:?}");
        world.books().await;
    }

    async fn without_a_budget_of_its_own_an_installation_gets_no_money(database: TestDatabase) {
        let world = World::new(database).await;
        world.install("shop/production/free", soma_market::offer::Offer::free(), None).await;
        let host = Host::new(1);
        let asked = host.wishes("shop/production/free", 500);
        let answer = world.server.lease(host.host, &asked).await.unwrap();
        assert!(answer.refused[0].1.contains("has no budget"), "{:?}", answer.refused);
        let asked = host.wishes("shop/production/free", 0);
        let answer = world.server.lease(host.host, &asked).await.unwrap();
        assert_eq!(answer.leases[0].money.micros, 0);
        let asked = host.wishes("shop/production/none", 0);
        let answer = world.server.lease(host.host, &asked).await.unwrap();
        assert!(answer.refused[0].1.contains("not installed"), "{:?}", answer.refused);
    }

    async fn a_lease_that_nobody_closes_is_lost_and_given_back(database: TestDatabase) {
        let world = World::new(database).await;
        let mut host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        host.call(&lease);
        assert_eq!(world.server.lose_leases().await.unwrap(), 0);
        world.pass_ms(DAY_MS);
        assert_eq!(world.server.lose_leases().await.unwrap(), 1);
        assert_eq!(world.server.lose_leases().await.unwrap(), 0);
        let shop = Account::Tenant(org("shop"));
        assert_eq!(world.balance(&shop).await, 20_000);
        // What comes after that is the platform's loss, and the author is paid.
        host.send(&world, 1).await.unwrap();
        assert_eq!(world.balance(&shop).await, 20_000);
        assert_eq!(world.balance(&Account::Loss).await, -103);
        assert_eq!(world.balance(&Account::Pending(org("acme"))).await, SHARE);
        world.books().await;
    }

    async fn idle_leases_are_asked_back(database: TestDatabase) {
        let world = World::new(database).await;
        let host = Host::new(1);
        let lease = host.lease(&world, 500).await;
        let quiet = LeaseWishes { boot: host.boot, closes: Vec::new(), wishes: Vec::new() };
        assert_eq!(world.server.lease(host.host, &quiet).await.unwrap().recalls, []);
        world.pass_ms(11 * 60_000);
        assert_eq!(world.server.lease(host.host, &quiet).await.unwrap().recalls, [lease.id]);
        assert_eq!(world.server.lease(host.host, &quiet).await.unwrap().recalls, [lease.id]);
        host.close(&world, lease.id).await;
        assert_eq!(world.server.lease(host.host, &quiet).await.unwrap().recalls, []);
    }

    async fn nobody_closes_another_hosts_lease(database: TestDatabase) {
        let world = World::new(database).await;
        let lease = Host::new(1).lease(&world, 500).await;
        let thief = Host::new(2);
        let close = soma_policy::feed::LeaseClose { journal: thief.journal, lease: lease.id, seq: 0 };
        let asked = LeaseWishes { boot: thief.boot, closes: vec![close], wishes: Vec::new() };
        let refused = world.server.lease(thief.host, &asked).await.unwrap_err();
        assert!(matches!(refused, MoneyError::Refused(it) if it.code == Code::LeaseForeign));
        assert_eq!(world.lease_of(lease.id).await.lease.state, LeaseState::Open);
    }
}
