//! From publish to payout, over the real `soma up` and over every role as a process of its own, on both databases:
//! everything is done by the commands that people use.

mod steps;

use serde_json::json;
use soma_tests::Database;
use soma_tests::bazaar::Bazaar;

/// Hosts of the stories whose parts are apart.
const HOSTS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn an_author_publishes_a_tenant_installs_and_calls_and_the_billing_event_is_recorded() {
    steps::paid(&Bazaar::open().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wider_version_asks_fails_its_gate_and_is_backed_out() {
    steps::backed_out(&Bazaar::open().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_ends_what_runs_freezes_the_name_and_the_tenant_pays_nothing() {
    steps::killed(&Bazaar::open().await.unwrap(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_story_runs_on_postgresql_with_every_role_a_process_of_its_own() {
    let Some(database) = Database::postgres().await.unwrap() else { return };
    let bazaar = Bazaar::open_apart(&database, HOSTS).await.unwrap();
    steps::paid(&bazaar).await;
    steps::backed_out(&bazaar).await;
    // The last: whose capsule was killed is looked at by a person from then on.
    steps::killed(&bazaar, HOSTS).await;
    bazaar.platform.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_story_runs_on_sqlite_with_every_role_a_process_of_its_own() {
    let bazaar = Bazaar::open_apart(&Database::File, HOSTS).await.unwrap();
    steps::paid(&bazaar).await;
    bazaar.platform.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_story_runs_on_postgresql_in_one_process() {
    let Some(database) = Database::postgres().await.unwrap() else { return };
    let bazaar = Bazaar::open_on(&database).await.unwrap();
    steps::paid(&bazaar).await;
    let (said, code) = bazaar.platform.stop().await.unwrap();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_joins_late_runs_what_is_installed_and_stops_what_is_stopped() {
    let bazaar = Bazaar::open().await.unwrap();
    let operator = &bazaar.operator;
    bazaar.publish("text", &[]).await.unwrap();
    operator.does(&["install", "acme/text"]).await.unwrap();
    let late = bazaar.join("late").await.unwrap();
    let token = operator.does(&["token", "new", "--can", "call:*"]).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = || async {
        let url = format!("{}/v1/installations/text/calls/slugify", late.process.url());
        let call = client.post(url).bearer_auth(token.stdout.trim());
        let answer = call.json(&json!({ "text": "A b" })).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (_, said) = until(call, 200).await;
    assert_eq!(said, "\"a-b\"");
    let kill = ["kill", "capsule:acme/text", "--reason", "drill", "--yes"];
    let killed = operator.soma(&kill).unwrap().within(bazaar.home.path());
    let killed = killed.succeed().await.unwrap().stdout;
    assert!(killed.contains("2 of 2 hosts reported"), "{killed}");
    let (status, said) = call().await;
    assert!(status != 200 && said.contains("SOMA-K0"), "{status} {said}");
}

/// Asks again until the status is as wanted.
async fn until<F: Future<Output = (u16, String)>>(
    ask: impl Fn() -> F,
    wanted: u16,
) -> (u16, String) {
    let deadline = tokio::time::Instant::now() + soma_tests::process::PATIENCE;
    loop {
        let said = ask().await;
        if said.0 == wanted {
            return said;
        }
        assert!(tokio::time::Instant::now() < deadline, "{said:?}");
    }
}
