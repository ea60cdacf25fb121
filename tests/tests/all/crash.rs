//! `kill -9` of real processes at every named point of the flow (docs/decisions/0015-crash-points.md), and what is
//! found when they start again: nothing lost, nothing doubled, the ledger what the meters say.

mod changes;
mod databases;
mod disk;
mod fleet;
mod host;
mod journal;
mod orders;
mod payouts;
mod points;
mod restores;
mod secrets;
mod segments;
mod server;

use soma_tests::Realm;

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_too_changes_payouts_and_secrets_of_a_server_that_died_are_there_once() {
    let Some(base) = Realm::found_on_postgres().await.unwrap() else { return };
    changes::of_server(base.copy().unwrap()).await;
    payouts::of_server(base.copy().unwrap()).await;
    secrets::of_server(base).await;
}
