//! Cross-tenant: every function of a tenant's unit, under the scope of another org, finds nothing and
//! changes nothing. A function that is not in the list below fails the last test.

use soma_market::budget::Window;
use soma_policy::{InvitationId, KeyId, Period, Timestamp};

use super::everything::fill;
use super::rows::{a_key, an_account, org, populate, production, scope, user};
use crate::fixture::{START, on_both_databases};
use crate::identity::Role;
use crate::store::{
    AccountState, AuditFilter, CapRow, LedgerFilter, Revocation, RevocationKind, StoreError,
    TenantUnit,
};

/// Functions that the test below tries under another org's scope.
const TRIED: &[&str] = &[
    "secret",
    "secrets",
    "secret_count",
    "secret_spread",
    "insert_secret",
    "insert_secret_value",
    "raise_secret",
    "remove_secret",
    "own_org",
    "update_own_org",
    "lock_own_org",
    "placed_by_org",
    "environment",
    "environments",
    "insert_environment",
    "member",
    "members",
    "members_with",
    "set_member_role",
    "remove_member",
    "insert_invitation",
    "invitations",
    "remove_invitation",
    "service_account",
    "service_accounts",
    "insert_service_account",
    "update_service_account",
    "remove_service_account",
    "insert_api_key",
    "api_keys",
    "revoke_api_key",
    "revoke",
    "is_revoked",
    "audit_page",
    "answer_for",
    "is_answered_for",
    "note_parting",
    "own_installation",
    "own_installations",
    "own_revisions",
    "host_refusals",
    "ledger",
    "accounts",
    "leased",
    "caps",
    "budgets_in",
    "set_cap",
    "remove_cap",
    "payouts",
    "events",
    "earnings",
];

fn refused<T>(done: Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::Refused(_)))
}

/// Whether rows came; a row that does not read came, too.
fn came<T>(rows: Result<Vec<T>, StoreError>) -> bool {
    rows.map_or_else(|error| matches!(error, StoreError::Corrupt { .. }), |rows| !rows.is_empty())
}

/// What each function finds, in its own words.
async fn found(unit: &mut TenantUnit) -> Vec<(&'static str, bool)> {
    let (environment, installation) = (production().environment, "x".parse().unwrap());
    let rows = LedgerFilter { until: Timestamp(u64::MAX), limit: 10, ..LedgerFilter::default() };
    let (day, month) = (Window::day(START), Window::month(START));
    let one = unit.own_installation(&environment, "x").await;
    let entries = AuditFilter { limit: 10, ..AuditFilter::default() };
    vec![
        ("own_installation", came(one.map(|one| one.into_iter().collect()))),
        ("own_installations", came(unit.own_installations(&environment, "", 10).await)),
        ("own_revisions", came(unit.own_revisions(&environment, "x", 10).await)),
        ("host_refusals", came(unit.host_refusals(&environment, &installation).await)),
        ("ledger", came(unit.ledger(&rows).await)),
        ("accounts", came(unit.accounts().await)),
        ("leased", came(unit.leased().await)),
        ("caps", came(unit.caps("", 10).await)),
        ("budgets_in", came(unit.budgets_in(day, month).await)),
        ("payouts", came(unit.payouts("", 10).await)),
        ("events", came(unit.events("", 10).await)),
        ("earnings", came(unit.earnings(10).await)),
        ("secrets", came(unit.secrets(&environment, "", 10).await)),
        ("audit_page", came(unit.audit_page(&entries).await)),
    ]
}

on_both_databases! {
    async fn what_the_market_keeps_of_an_org_is_there_for_itself_alone(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        fill(&database, "acme", 1).await;
        for (who, there) in [("acme", true), ("globex", false)] {
            let mut unit = store.read(&scope(who)).await.unwrap();
            for (what, found) in found(&mut unit).await {
                assert_eq!(found, there, "{what} under {who}");
            }
        }
    }

    async fn another_orgs_secrets_are_not_there(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let (environment, name) = (production().environment, "token".parse().unwrap());
        let mut own = store.tenant(&scope("acme")).await.unwrap();
        own.insert_secret(&environment, &name, START).await.unwrap();
        own.insert_secret_value(&environment, &name, 1, "sealed", START).await.unwrap();
        let row = own.secret(&environment, &name).await.unwrap().unwrap();
        own.commit().await.unwrap();
        let mut unit = store.tenant(&scope("globex")).await.unwrap();
        assert!(unit.secret(&environment, &name).await.unwrap().is_none());
        assert!(unit.secrets(&environment, "", 10).await.unwrap().is_empty());
        assert_eq!(unit.secret_count(&environment).await.unwrap(), 0);
        let spread = unit.secret_spread(&environment, &row).await.unwrap();
        assert_eq!((spread.current, spread.behind), (0, 0));
        assert!(!unit.raise_secret(&environment, &name, 1, START).await.unwrap());
        assert!(!unit.remove_secret(&environment, &name, 1, START).await.unwrap());
        drop(unit);
        let mut unit = store.tenant(&scope("globex")).await.unwrap();
        let done = unit.insert_secret(&environment, &name, START).await;
        assert!(matches!(done, Err(StoreError::Orphan)), "{done:?}");
        drop(unit);
        let mut unit = store.tenant(&scope("globex")).await.unwrap();
        let done = unit.insert_secret_value(&environment, &name, 2, "sealed", START).await;
        assert!(matches!(done, Err(StoreError::Orphan)), "{done:?}");
        drop(unit);
        let mut own = store.read(&scope("acme")).await.unwrap();
        assert_eq!(own.secret(&environment, &name).await.unwrap().unwrap().version, 1);
    }

    async fn another_orgs_scope_finds_nothing_and_changes_nothing(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let builder = "builder".parse().unwrap();
        let mut own = store.tenant(&scope("acme")).await.unwrap();
        own.answer_for(&builder, user(1)).await.unwrap();
        own.commit().await.unwrap();
        let revoked = Revocation {
            org: org("acme"), kind: RevocationKind::Subject, subject: "user:x".to_owned(),
            before: Timestamp(START.0 + 1), expires: Timestamp(START.0 + 1000),
        };
        let mut own = store.tenant(&scope("acme")).await.unwrap();
        own.revoke(&revoked).await.unwrap();
        own.set_cap(&CapRow::of("acme", "money:EUR", Period::Day, 5), START).await.unwrap();
        own.commit().await.unwrap();

        // An org that does not exist, so that not even a row of its own is there.
        let mut unit = store.tenant(&scope("globex")).await.unwrap();
        assert!(unit.own_org().await.unwrap().is_none());
        assert!(!unit.update_own_org(1, "x", None).await.unwrap());
        assert!(!unit.lock_own_org().await.unwrap());
        assert_eq!(unit.placed_by_org().await.unwrap(), 0);
        assert!(unit.environment(&production().environment).await.unwrap().is_none());
        assert!(unit.environments("", 10).await.unwrap().is_empty());
        assert!(unit.member(user(1)).await.unwrap().is_none());
        assert!(unit.members("", 10).await.unwrap().is_empty());
        assert_eq!(unit.members_with(Role::Owner).await.unwrap(), 0);
        assert!(!unit.set_member_role(user(1), 1, Role::Viewer).await.unwrap());
        assert!(!unit.remove_member(user(1)).await.unwrap());
        assert!(unit.invitations("", 10).await.unwrap().is_empty());
        assert!(!unit.remove_invitation(InvitationId::from_u128(1)).await.unwrap());
        assert!(unit.service_account(&builder).await.unwrap().is_none());
        assert!(unit.service_accounts("", 10).await.unwrap().is_empty());
        let mut account = an_account("builder");
        account.state = AccountState::Disabled;
        assert!(!unit.update_service_account(&account, 1).await.unwrap());
        assert!(!unit.remove_service_account(&builder).await.unwrap());
        assert!(unit.api_keys(&builder, "", 10).await.unwrap().is_empty());
        assert!(!unit.revoke_api_key(&builder, KeyId::from_u128(1), START).await.unwrap());
        assert!(!unit.is_revoked("t", "user:x", "c", START).await.unwrap());
        let filter = AuditFilter { limit: 10, ..AuditFilter::default() };
        assert!(unit.audit_page(&filter).await.unwrap().is_empty());
        assert!(unit.caps("", 10).await.unwrap().is_empty());
        assert!(!unit.remove_cap("acme", "money:EUR", Period::Day).await.unwrap());
        assert!(!unit.is_answered_for(&builder).await.unwrap());
        assert!(refused(unit.revoke(&revoked).await));
        let foreign = crate::store::tests::rows::an_invitation(9, "acme");
        assert!(refused(unit.insert_invitation(&foreign, "code", START).await));
        drop(unit);
        // What is inserted lands in the scope's own org, which is not there.
        for n in 0..5 {
            let mut unit = store.tenant(&scope("globex")).await.unwrap();
            let done = match n {
                0 => unit.insert_environment(&production()).await,
                1 => unit.insert_service_account(&an_account("mine")).await,
                2 => unit.answer_for(&"builder".parse().unwrap(), user(1)).await,
                3 => unit.note_parting(user(1), START).await,
                _ => unit.insert_api_key(&a_key(9, "builder"), "h").await,
            };
            assert!(matches!(done, Err(StoreError::Orphan)), "{n}: {done:?}");
        }
        let mut own = store.read(&scope("acme")).await.unwrap();
        assert_eq!(own.own_org().await.unwrap().unwrap().version, 1);
        assert_eq!(own.member(user(1)).await.unwrap().unwrap().role, Role::Owner);
        assert_eq!(own.service_account(&builder).await.unwrap().unwrap().state, AccountState::Active);
        assert!(own.api_keys(&builder, "", 10).await.unwrap()[0].revoked.is_none());
        assert!(own.is_answered_for(&builder).await.unwrap());
        assert_eq!(own.caps("", 10).await.unwrap()[0].cap, 5);
        assert!(own.is_revoked("t", "user:x", "c", START).await.unwrap());
    }
}

#[test]
fn every_function_of_a_tenants_unit_is_tried() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("impl TenantUnit {").skip(1) {
            let block = block.split("\n}\n").next().unwrap();
            let names = block.split("pub(crate) async fn ").skip(1);
            found.extend(names.map(|rest| rest.split('(').next().unwrap().to_owned()));
        }
    }
    assert!(found.len() > 20, "{found:?}");
    for name in &found {
        assert!(TRIED.contains(&name.as_str()), "`{name}` is not tried under another scope");
    }
}
