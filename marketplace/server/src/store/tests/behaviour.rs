//! What statements do, beyond finding rows: who is first wins, versions count, hashes are good once,
//! fences shut out, order is by bytes.

use soma_policy::{SessionId, Timestamp};

use super::rows::{WORKER, a_session, an_org, org, populate, production, scope, user};
use crate::fixture::{START, on_both_databases};
use crate::identity::{Assurance, Role};
use crate::store::{
    IdempotencyScope, Membership, NewAudit, NewChange, SenderRow, StoreError, StoredAnswer, Stream,
    UserState, sweep,
};

fn later(ms: u64) -> Timestamp {
    Timestamp(START.0 + ms)
}

on_both_databases! {
    async fn rows_read_as_they_were_written(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.survey(WORKER).await.unwrap();
        assert_eq!(unit.org(&org("acme")).await.unwrap().unwrap(), an_org("acme"));
        let person = unit.user_by_login("acme-person").await.unwrap().unwrap();
        assert_eq!((person.user, person.state), (user(1), UserState::Active));
        assert_eq!(person.email.as_deref(), Some("a@example.org"));
        assert_eq!(unit.password(user(1)).await.unwrap().unwrap().hash, "hash");
        assert_eq!(unit.memberships_of(user(1)).await.unwrap()[0].role, Role::Owner);
        let session = unit.live_session(SessionId::from_u128(1), START).await.unwrap().unwrap();
        assert_eq!(session, a_session(1, user(1), "acme"));
        assert!(unit.live_session(SessionId::from_u128(1), later(1000)).await.unwrap().is_none());
        drop(unit);
        let mut unit = store.read(&scope("acme")).await.unwrap();
        assert_eq!(unit.environments("", 10).await.unwrap(), [production()]);
        assert_eq!(unit.members("", 10).await.unwrap()[0].login.as_deref(), Some("acme-person"));
    }

    async fn what_is_not_committed_is_undone(database: TestDatabase) {
        let store = database.store().await;
        let mut unit = store.platform(WORKER).await.unwrap();
        unit.insert_org(&an_org("acme")).await.unwrap();
        drop(unit);
        assert!(store.survey(WORKER).await.unwrap().org(&org("acme")).await.unwrap().is_none());
    }

    async fn the_same_twice_and_what_refers_to_nothing_are_errors_of_their_own(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.platform(WORKER).await.unwrap();
        assert!(matches!(unit.insert_org(&an_org("acme")).await, Err(StoreError::Exists)));
        let mut unit = { drop(unit); store.platform(WORKER).await.unwrap() };
        let nowhere = Membership { org: org("nowhere"), user: user(1), role: Role::Owner, version: 1, created: START };
        assert!(matches!(unit.insert_membership(&nowhere).await, Err(StoreError::Orphan)));
        let mut unit = { drop(unit); store.platform(WORKER).await.unwrap() };
        let twice = unit.insert_user(user(2), ("acme-person", "B", None), START).await;
        assert!(matches!(twice, Err(StoreError::Exists)));
    }

    async fn text_is_ordered_by_its_bytes(database: TestDatabase) {
        let store = database.store().await;
        let mut unit = store.platform(WORKER).await.unwrap();
        // A linguistic order would ignore the hyphen and put `a-z` behind `aa`.
        for id in ["aa", "a-z", "ab", "a0"] {
            unit.insert_org(&an_org(id)).await.unwrap();
        }
        let orgs = unit.orgs("", 10).await.unwrap();
        let ids: Vec<String> = orgs.iter().map(|it| it.org.to_string()).collect();
        assert_eq!(ids, ["a-z", "a0", "aa", "ab"]);
        assert_eq!(unit.orgs("a0", 1).await.unwrap()[0].org.as_str(), "aa");
    }

    async fn an_update_of_an_old_version_changes_nothing(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.tenant(&scope("acme")).await.unwrap();
        assert!(unit.update_own_org(1, "First", None).await.unwrap());
        assert!(!unit.update_own_org(1, "Second", None).await.unwrap());
        let now = unit.own_org().await.unwrap().unwrap();
        assert_eq!((now.name.as_str(), now.version), ("First", 2));
    }

    async fn of_two_who_come_at_once_one_is_the_first_operator(database: TestDatabase) {
        let store = database.store().await;
        let mut unit = store.platform(WORKER).await.unwrap();
        assert!(unit.found("deployment", "h", START).await.unwrap());
        assert!(!unit.found("another", "h", START).await.unwrap());
        unit.commit().await.unwrap();
        let claim = || async {
            let mut unit = store.platform(WORKER).await.unwrap();
            let mine = unit.bootstrap("h", START).await.unwrap();
            unit.commit().await.unwrap();
            mine
        };
        let (a, b, c) = tokio::join!(claim(), claim(), claim());
        assert_eq!([a, b, c].iter().filter(|mine| **mine).count(), 1);
        let mut unit = store.platform(WORKER).await.unwrap();
        assert!(!unit.bootstrap("other", START).await.unwrap());
    }

    async fn codes_steps_and_invitations_are_good_once(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.platform(WORKER).await.unwrap();
        unit.set_recovery_codes(user(1), &["a".to_owned(), "b".to_owned()]).await.unwrap();
        assert!(unit.use_recovery_code(user(1), "a", START).await.unwrap());
        assert!(!unit.use_recovery_code(user(1), "a", START).await.unwrap());
        assert!(!unit.use_recovery_code(user(2), "b", START).await.unwrap());
        assert!(unit.begin_totp(user(1), "sealed").await.unwrap());
        assert!(unit.use_totp_step(user(1), 7).await.unwrap());
        assert!(!unit.use_totp_step(user(1), 7).await.unwrap());
        assert!(!unit.use_totp_step(user(1), 6).await.unwrap());
        assert!(unit.confirm_totp(user(1), START).await.unwrap());
        assert!(!unit.begin_totp(user(1), "other").await.unwrap());
        assert!(unit.take_invitation("code-1", later(1000)).await.unwrap().is_none(), "too late");
        assert!(unit.take_invitation("code-1", START).await.unwrap().is_some());
        assert!(unit.take_invitation("code-1", START).await.unwrap().is_none());
    }

    async fn a_refresh_code_rotates_once(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let rotate = |to: &'static str| {
            let store = store.clone();
            async move {
                let mut unit = store.platform(WORKER).await.unwrap();
                let id = SessionId::from_u128(1);
                let mine = unit.rotate_session(id, "refresh-1", to).await.unwrap();
                unit.commit().await.unwrap();
                mine
            }
        };
        let (a, b) = tokio::join!(rotate("x"), rotate("y"));
        assert!(a != b, "one of two wins");
        let mut unit = store.platform(WORKER).await.unwrap();
        let spent = unit.session_by_code("refresh-1").await.unwrap().unwrap();
        assert!(spent.spent && !spent.ended);
        assert!(unit.step_up_session(SessionId::from_u128(1), Assurance::Aal2, START).await.unwrap());
        assert!(unit.end_session(SessionId::from_u128(1), START).await.unwrap());
        assert!(!unit.end_session(SessionId::from_u128(1), START).await.unwrap());
    }

    async fn failures_block_from_the_fifth_on(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.platform(WORKER).await.unwrap();
        for _ in 0..4 {
            unit.count_failure((user(1), "here"), later(500), START).await.unwrap();
        }
        assert_eq!(unit.login_sender(user(1), "here").await.unwrap(), SenderRow::default());
        unit.count_failure((user(1), "here"), later(500), START).await.unwrap();
        let blocked = SenderRow { blocked_until: later(500), known: false };
        assert_eq!(unit.login_sender(user(1), "here").await.unwrap(), blocked);
        assert_eq!(unit.login_sender(user(1), "there").await.unwrap(), SenderRow::default());
        unit.note_entered(user(1), "here", START).await.unwrap();
        let known = SenderRow { blocked_until: Timestamp(0), known: true };
        assert_eq!(unit.login_sender(user(1), "here").await.unwrap(), known);
    }

    async fn a_hundred_failures_of_all_block_who_the_account_does_not_know(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.platform(WORKER).await.unwrap();
        for n in 0..99 {
            unit.count_failure((user(1), &format!("sender {}", n % 33)), later(500), START).await.unwrap();
        }
        assert_eq!(unit.password(user(1)).await.unwrap().unwrap().blocked_until, Timestamp(0));
        unit.count_failure((user(1), "one more"), later(500), START).await.unwrap();
        assert_eq!(unit.password(user(1)).await.unwrap().unwrap().blocked_until, later(500));
        unit.unblock(user(1)).await.unwrap();
        assert_eq!(unit.password(user(1)).await.unwrap().unwrap().blocked_until, Timestamp(0));
    }

    async fn a_code_for_a_new_password_is_good_once_and_in_time(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.platform(WORKER).await.unwrap();
        unit.offer_reset(user(1), ("first", "user:x"), later(500), START).await.unwrap();
        unit.offer_reset(user(1), ("second", "user:x"), later(500), START).await.unwrap();
        assert_eq!(unit.reset_of("first", START).await.unwrap(), None);
        assert_eq!(unit.reset_of("second", later(500)).await.unwrap(), None);
        assert!(!unit.take_reset("second", later(500)).await.unwrap());
        assert_eq!(unit.reset_of("second", START).await.unwrap(), Some(user(1)));
        assert!(unit.take_reset("second", START).await.unwrap());
        assert!(!unit.take_reset("second", START).await.unwrap());
    }

    async fn erasing_a_person_leaves_the_pseudonym_alone(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.platform(WORKER).await.unwrap();
        assert!(unit.erase_user(user(1)).await.unwrap());
        assert!(!unit.erase_user(user(1)).await.unwrap());
        let left = unit.user(user(1)).await.unwrap().unwrap();
        assert_eq!((left.state, left.login, left.name, left.email), (UserState::Erased, None, None, None));
        assert!(unit.user_by_login("acme-person").await.unwrap().is_none());
        assert!(unit.password(user(1)).await.unwrap().is_none());
        assert!(unit.memberships_of(user(1)).await.unwrap().is_empty());
        assert!(!unit.set_user_state(user(1), left.version, UserState::Active).await.unwrap());
    }

    async fn an_answer_is_stored_once_and_gives_way_when_it_is_old(database: TestDatabase) {
        let store = database.store().await;
        let key = IdempotencyScope {
            org: "acme".into(), principal: "user:x".into(), method: "POST".into(),
            route: "/v1/x".into(), key: "k".into(),
        };
        let answer = StoredAnswer {
            fingerprint: "f".into(), status: 201, location: Some("/v1/x/1".into()), etag: None,
            body: Some("{}".into()),
        };
        let mut unit = store.tenant(&scope("acme")).await.unwrap();
        assert!(unit.claim(&key).await.unwrap());
        unit.store_answer(&key, &answer, START, later(10)).await.unwrap();
        unit.commit().await.unwrap();
        let mut unit = store.tenant(&scope("acme")).await.unwrap();
        assert_eq!(unit.answer(&key, START).await.unwrap(), Some(answer.clone()));
        assert_eq!(unit.answer(&key, later(10)).await.unwrap(), None);
        unit.store_answer(&key, &answer, later(10), later(20)).await.unwrap();
        let again = unit.store_answer(&key, &answer, later(11), later(20)).await;
        assert!(matches!(again, Err(StoreError::Exists)));
    }

    async fn the_audit_is_append_only_and_chained_once(database: TestDatabase) {
        let store = database.store().await;
        let entry = NewAudit {
            org: org("acme"), id: "a".into(), at: START, actor: "user:x".into(), kind: "logged-in",
            subject: "s".into(), detail: "{}".into(), trace: String::new(),
        };
        let mut unit = store.tenant(&scope("acme")).await.unwrap();
        unit.audit(&entry).await.unwrap();
        let foreign = NewAudit { org: org("globex"), ..entry.clone() };
        assert!(matches!(unit.audit(&foreign).await, Err(StoreError::Refused(_))));
        unit.commit().await.unwrap();
        let mut unit = store.platform(WORKER).await.unwrap();
        let row = unit.unchained(10).await.unwrap().remove(0);
        let link = crate::store::AuditLink { seq: 1, prev: "p".into(), hash: "h".into() };
        assert!(unit.chain(&row, &link).await.unwrap());
        assert!(!unit.chain(&row, &link).await.unwrap());
        unit.commit().await.unwrap();
        let mut unit = store.platform(WORKER).await.unwrap();
        assert!(unit.unchained(10).await.unwrap().is_empty());
        assert_eq!(unit.chained(0, 10).await.unwrap()[0].link, Some(link));
    }

    async fn whoever_takes_the_fence_shuts_out_the_holder_before(database: TestDatabase) {
        let store = database.store().await;
        let mut unit = store.platform(WORKER).await.unwrap();
        let old = unit.take_fence(Stream::Feed).await.unwrap();
        let new = unit.take_fence(Stream::Feed).await.unwrap();
        assert!(new > old);
        assert!(unit.hold(Stream::Feed, old).await.unwrap().is_none());
        assert!(!unit.move_head(Stream::Feed, old, 5, "h").await.unwrap());
        assert_eq!(unit.hold(Stream::Feed, new).await.unwrap().unwrap().seq, 0);
        assert!(unit.move_head(Stream::Feed, new, 5, "h").await.unwrap());
        assert!(!unit.move_head(Stream::Feed, new, 4, "h").await.unwrap(), "never back");
    }

    async fn changes_are_numbered_per_stream(database: TestDatabase) {
        let store = database.store().await;
        let change = NewChange {
            org: org("acme"), id: "a".into(), stream: Stream::Feed, topic: "t", subject: "s".into(),
            payload: "{}".into(), at: START,
        };
        let mut unit = store.tenant(&scope("acme")).await.unwrap();
        unit.change(&change).await.unwrap();
        unit.change(&NewChange { id: "b".into(), stream: Stream::Outbox, ..change.clone() }).await.unwrap();
        unit.commit().await.unwrap();
        let mut unit = store.platform(WORKER).await.unwrap();
        let rows = unit.unnumbered(Stream::Feed, 10).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert!(unit.number(&rows[0], 1, "p", "h").await.unwrap());
        assert!(!unit.number(&rows[0], 2, "p", "h").await.unwrap());
        assert_eq!(unit.numbered(Stream::Feed, 0, 10).await.unwrap()[0].link, Some((1, "p".into(), "h".into())));
        assert!(unit.numbered(Stream::Outbox, 0, 10).await.unwrap().is_empty());
    }

    async fn what_has_ended_is_swept_and_nothing_else(database: TestDatabase) {
        let store = database.store().await;
        populate(&store, "acme", 1).await;
        let mut unit = store.platform(WORKER).await.unwrap();
        assert_eq!(sweep(&mut unit, later(999)).await.unwrap(), 0);
        assert_eq!(sweep(&mut unit, later(1000)).await.unwrap(), 2, "the session and the invitation");
        assert!(unit.org(&org("acme")).await.unwrap().is_some());
    }
}
