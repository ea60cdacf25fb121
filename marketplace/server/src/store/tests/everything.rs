//! One row of an org in every table that has rows of orgs: what is missing here fails the test that asks the schema which
//! tables there are. The rows need not make sense together; they only have to be somebody's.

use soma_market::budget::Window;
use soma_policy::UserId;

use crate::fixture::{START, TestDatabase};

/// Tables with rows of orgs that `populate` fills already.
pub(super) const POPULATED: &[&str] = &[
    "orgs",
    "environments",
    "memberships",
    "invitations",
    "service_accounts",
    "api_keys",
    "sessions",
];

/// table, columns, values: `{o}` the org, `{n}` a number of its own, `{u}` its person, `{h}` its host, `{d}` the day.
const ROWS: &[(&str, &str, &str)] = &[
    (
        "hosts",
        "host, role, address, signing_key, sealing_key, program, enrolled_ms, epoch, n, head, journal_seq, journal_head, running",
        "'{h}', 'host', 'http://127.0.0.1:1', 'key {n}', 'k', '0', 1, 0, 0, 'h', 0, 'h', 0",
    ),
    (
        "revocations",
        "org, kind, subject, before_ms, expires_ms",
        "'{o}', 'subject', 'user:{u}', 1, 2",
    ),
    (
        "idempotency",
        "org, principal, method, route, key, fingerprint, status, created_ms, expires_ms",
        "'{o}', 'user:{u}', 'POST', '/v1/x', 'k', 'f', 201, 1, 2",
    ),
    (
        "audit_entries",
        "org, audit_id, at_ms, actor, kind, subject, detail, trace_id",
        "'{o}', 'a{n}', 1, 'user:{u}', 'logged-in', 's', '{}', 't'",
    ),
    (
        "changes",
        "org, change_id, stream, topic, subject, payload, at_ms",
        "'{o}', 'c{n}', 'feed', 't', 's', '{}', 1",
    ),
    ("account_keepers", "org, account, user_id", "'{o}', 'builder', '{u}'"),
    ("former_members", "org, user_id, left_ms", "'{o}', '{u}', 1"),
    (
        "namespaces",
        "namespace, org, checked, sequence, record, created_ms",
        "'ns{n}', '{o}', TRUE, 1, '{}', 1",
    ),
    (
        "signing_keys",
        "namespace, key_id, org, spki, fingerprint, added_by, added_ms",
        "'ns{n}', 'k', '{o}', 's', 'f', 'user:{u}', 1",
    ),
    (
        "capsules",
        "capsule, namespace, org, sequence, record, kind, summary, licence, price_micros, stars, ratings, installs",
        "'ns{n}/x', 'ns{n}', '{o}', 1, '{}', 'task', 's', 'MIT', 0, 0, 0, 0",
    ),
    (
        "releases",
        "capsule, version, namespace, org, state, sequence, record",
        "'ns{n}/x', '1.0.0', 'ns{n}', '{o}', 'draft', 1, '{}'",
    ),
    (
        "submissions",
        "submission_id, org, capsule, version, attempt, state, digest, signer, manifest, imports, bytes, submitted_ms",
        "'sub{n}', '{o}', 'ns{n}/x', '1.0.0', 1, 'in_review', 'd', 's', '', '[]', 1, 1",
    ),
    ("offers", "capsule, offer, org, record, made_ms", "'ns{n}/x', 'free', '{o}', '{}', 1"),
    (
        "installations",
        "org, environment, installation, capsule, state, sequence, record, digest, change_id, created_ms",
        "'{o}', 'production', 'x', 'ns{n}/x', 'active', 1, '{}', 'd', 'c{n}', 1",
    ),
    (
        "revisions",
        "org, environment, installation, revision, capsule, version, digest, offer, record, made_ms",
        "'{o}', 'production', 'x', 1, 'ns{n}/x', '1.0.0', 'd', 'free', '{}', 1",
    ),
    (
        "gate_tallies",
        "org, environment, installation, candidate, revision, ok, failed",
        "'{o}', 'production', 'x', 2, 1, 1, 0",
    ),
    ("capsule_runs", "org, capsule, version, calls, last_ms", "'{o}', 'ns{n}/x', '1.0.0', 1, 1"),
    ("ratings", "org, capsule, stars, record, rated_ms", "'{o}', 'ns{n}/x', 5, '{}', 1"),
    (
        "host_checks",
        "org, environment, installation, revision, host, passed, words, at_ms",
        "'{o}', 'production', 'x', 1, '{h}', TRUE, '', 1",
    ),
    (
        "host_refusals",
        "org, environment, installation, revision, host, code, words, at_ms",
        "'{o}', 'production', 'x', 1, '{h}', 'SOMA-C001', '', 1",
    ),
    ("accounts", "org, account, currency, balance, updated_ms", "'{o}', 'org:{o}', 'EUR', 5, 1"),
    (
        "postings",
        "n, org, cause, currency, at_ms, tenant, forced, hash",
        "{n}, '{o}', 'top-up:{n}', 'EUR', 1, '{o}', FALSE, 'h'",
    ),
    (
        "transfers",
        "n, place, org, transfer_id, kind, debit, credit, amount",
        "{n}, 0, '{o}', 't{n}', 'top-up', 'cash', 'org:{o}', 5",
    ),
    (
        "budget_caps",
        "org, scope, measure, period, cap, version, updated_ms",
        "'{o}', '{o}', 'money:EUR', 'month', 5, 1, 1",
    ),
    (
        "budgets",
        "org, scope, measure, span, cap, committed",
        "'{o}', '{o}', 'money:EUR', '{d}', 5, 1",
    ),
    (
        "leases",
        "lease_id, org, environment, installation, host, boot, state, currency, held, record, drawn, given, seen, touched_ms, start_by_ms, lost_after_ms, version",
        "'l{n}', '{o}', 'production', 'x', '{h}', 'b', 'open', 'EUR', 5, '{}', '{}', '{}', TRUE, 1, 2, 3, 1",
    ),
    (
        "settled",
        "journal, seq, hash, org, lease_id, terms, notes, asked, receipt, at_ms",
        "'j{n}', 1, 'h', '{o}', 'l{n}', 't', '{}', '{}', '{}', 1",
    ),
    (
        "priced_revisions",
        "org, environment, installation, revision, capsule, author, offer_digest, offer, accepted_ms",
        "'{o}', 'production', 'x', 1, 'ns{n}/x', '{o}', 'd', '{}', 1",
    ),
    (
        "offer_uses",
        "org, environment, installation, offer_digest, span, used",
        "'{o}', 'production', 'x', 'd', '{d}', 1",
    ),
    (
        "earnings",
        "org, currency, span, earned, reversed, state, ends_ms",
        "'{o}', 'EUR', '{d}', 5, 0, 'pending', 1",
    ),
    (
        "payouts",
        "payout_id, org, amount, currency, state, requested_by, version, created_ms, updated_ms",
        "'p{n}', '{o}', 5, 'EUR', 'requested', 'user:{u}', 1, 1, 1",
    ),
    (
        "billing_events",
        "entry_id, org, kind, amount, currency, reason, entered_by, at_ms",
        "'e{n}', '{o}', 'top-up', 5, 'EUR', 'r', 'user:{u}', 1",
    ),
    ("secret_keys", "org, sealed, created_ms", "'{o}', 's', 1"),
    (
        "secrets",
        "org, environment, name, version, created_ms, changed_ms",
        "'{o}', 'production', 'token', 1, 1, 1",
    ),
    (
        "secret_values",
        "org, environment, name, version, sealed, created_ms",
        "'{o}', 'production', 'token', 1, 's', 1",
    ),
    (
        "secret_hosts",
        "org, environment, name, host, version, sent_ms",
        "'{o}', 'production', 'token', '{h}', 1, 1",
    ),
    (
        "review_jobs",
        "submission_id, org, findings, queued_ms, taken_until_ms, tries",
        "'sub{n}', '{o}', '[]', 1, 0, 0",
    ),
    (
        "passports",
        "submission_id, org, digest, hash, envelope, made_ms",
        "'sub{n}', '{o}', 'd', 'h', 'e', 1",
    ),
];

/// Whether a table has a row of each org that was filled.
pub(super) fn is_filled(table: &str) -> bool {
    POPULATED.contains(&table) || ROWS.iter().any(|(name, ..)| *name == table)
}

/// Fills every table for an org that was populated.
pub(super) async fn fill(database: &TestDatabase, org: &str, n: u32) {
    let user = UserId::from_u128(u128::from(n)).to_string();
    let (host, day) = (format!("host {n}"), Window::day(START).to_string());
    let number = n.to_string();
    let marks = [
        ("{o}", org),
        ("{n}", number.as_str()),
        ("{u}", user.as_str()),
        ("{h}", host.as_str()),
        ("{d}", day.as_str()),
    ];
    let filled = |text: String, (mark, value): (&str, &str)| text.replace(mark, value);
    let rows = ROWS.iter().map(|(table, columns, values)| {
        let values = marks.into_iter().fold((*values).to_owned(), filled);
        format!("INSERT INTO {table} ({columns}) VALUES ({values});\n")
    });
    database.tamper(&rows.collect::<String>()).await;
}
