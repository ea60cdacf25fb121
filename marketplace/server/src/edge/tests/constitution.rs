//! The constitution as operators, tenants and strangers bring and read it.

use serde_json::{Value, json};
use soma_capsule::KeyPair;
use soma_capsule::constitution::{Constitution, KIND};
use soma_capsule::dsse;
use soma_capsule::operators::{OperatorEntry, OperatorFile, encoded};
use soma_policy::feed::{ConstitutionNotice, Topic};
use soma_policy::{Digest, PolicySources};

use super::stage::{Answer, Someone, Stage};
use crate::fixture::{START, on_both_databases};
use crate::store::PlatformScope;

const HERE: &str = "/v1/constitution";
const PROPOSALS: &str = "/v1/constitution/proposals";

/// Two operators of whom both must sign.
struct Bench {
    ada: KeyPair,
    bob: KeyPair,
}

impl Bench {
    fn of(stage: &Stage) -> Self {
        let [root, ada, bob] = std::array::from_fn(|_| KeyPair::generate().unwrap());
        let entry = |name: &str, key: &KeyPair| OperatorEntry {
            name: name.to_owned(),
            person: name.to_owned(),
            key: encoded(key.public()),
        };
        let operators = vec![entry("ada", &ada), entry("bob", &bob)];
        let (text, bundle) = OperatorFile { schema: 1, quorum: 2, operators }.sign(&root).unwrap();
        let folder = &stage.server.trust;
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("root.pub"), root.public().to_pem()).unwrap();
        std::fs::write(folder.join("operators.toml"), text).unwrap();
        std::fs::write(folder.join("operators.toml.sigstore.json"), bundle).unwrap();
        Self { ada, bob }
    }
}

/// The starter policy as the constitution that follows `here`.
fn written(stage: &Stage, here: Option<(u64, Digest)>, words: &str) -> Constitution {
    let sources =
        PolicySources { limits: Some("cpu = \"3 s\"\n".to_owned()), ..PolicySources::starter() };
    Constitution::of(&sources, words.to_owned(), &stage.server.deployment, here, START)
}

fn signed(document: &Constitution, keys: &[&KeyPair]) -> Vec<u8> {
    dsse::sign_document(KIND, document, keys).unwrap().to_json()
}

async fn send(stage: &Stage, method: &str, path: &str, who: &Someone, body: &[u8]) -> Answer {
    stage.ask(method, path).token(&who.token).raw(body).send().await
}

/// What hosts are told.
async fn told(stage: &Stage) -> Vec<(String, ConstitutionNotice)> {
    crate::audit::Sequencer::default().run(&stage.server).await.unwrap();
    let mut unit = stage.server.store.survey(PlatformScope::of("test")).await.unwrap();
    let rows = unit.states_of(Topic::Constitution.as_str(), "", 10).await.unwrap();
    let read = |text: &str| serde_json::from_str(text).unwrap();
    rows.into_iter().map(|row| (row.subject, read(&row.payload))).collect()
}

async fn kinds(stage: &Stage, who: &Someone) -> Vec<String> {
    let page = stage.get("/v1/audit?limit=100", &who.token).await.expect(200);
    let kind = |item: &Value| item["kind"].as_str().unwrap_or_default().to_owned();
    // The newest stands first.
    let all = page["items"].as_array().unwrap().iter().rev().map(kind);
    all.filter(|kind| kind.starts_with("constitution-")).collect()
}

on_both_databases! {
    async fn it_is_proposed_by_one_signed_by_two_and_holds_from_then_on(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, totp) = stage.operator().await;
        let bench = Bench::of(&stage);
        let before = stage.get(HERE, &operator.token).await.expect(200);
        assert_eq!((&before["constitution"], &before["needed"]), (&Value::Null, &json!(2)));
        assert_eq!(before["deployment"], stage.server.deployment);
        let first = written(&stage, None, "We do no harm.\n");
        let digest = first.digest().to_string();
        let path = format!("{PROPOSALS}/{digest}");
        let made = send(&stage, "POST", PROPOSALS, &operator, &signed(&first, &[&bench.ada])).await;
        assert_eq!(made.header("location"), path);
        let made = made.expect(201);
        assert_eq!((&made["signed"], &made["needed"], &made["activated"]), (&json!(1), &json!(2), &Value::Null));
        // One operator is not enough, here or for hosts.
        let activate = format!("{path}/activate");
        send(&stage, "POST", &activate, &operator, b"").await.refused(403, "SOMA-P012");
        assert_eq!(told(&stage).await, []);
        let other = format!("{PROPOSALS}/{}/sign", Digest::of(b"other"));
        let both = signed(&first, &[&bench.bob]);
        send(&stage, "POST", &other, &operator, &both).await.refused(422, "SOMA-P011");
        let done = send(&stage, "POST", &format!("{path}/sign"), &operator, &both).await.expect(200);
        assert_eq!(done["signed"], 2);
        let held = send(&stage, "POST", &activate, &operator, b"").await.expect(200);
        assert!(held["activated"].is_string(), "{held}");
        // Doing it again changes nothing.
        send(&stage, "POST", &activate, &operator, b"").await.expect(200);
        let now = stage.get(HERE, &operator.token).await.expect(200);
        assert_eq!((&now["constitution"]["digest"], &now["constitution"]["version"]), (&json!(digest), &json!("1")));
        assert_ne!(now["policy"], before["policy"]);
        let told = told(&stage).await;
        let [(subject, notice)] = told.as_slice() else { panic!("{told:?}") };
        let envelope = dsse::Envelope::from_json(notice.envelope.as_bytes()).unwrap();
        assert_eq!((subject.as_str(), envelope.key_ids().count()), ("active", 2));
        assert_eq!(Constitution::vouched(&envelope), Some(first));
        assert_eq!(kinds(&stage, &operator).await, ["constitution-proposed", "constitution-signed", "constitution-activated"]);
        // Tokens name it from now on.
        let token = stage.step_up(&operator.token, &totp).await;
        let claims = stage.server.keyring.judge(&token, stage.server.now()).unwrap();
        assert_eq!(claims.con.unwrap().to_string(), digest);
        let claims = stage.server.keyring.judge(&operator.token, stage.server.now()).unwrap();
        assert_eq!(claims.con, None);
    }

    async fn a_version_follows_the_one_that_holds_and_no_other(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let Bench { ada, bob } = Bench::of(&stage);
        let all = [&ada, &bob];
        let first = written(&stage, None, "One.\n");
        let rival = written(&stage, None, "Another one.\n");
        let put = async |document: &Constitution| send(&stage, "PUT", HERE, &operator, &signed(document, &all)).await;
        send(&stage, "POST", PROPOSALS, &operator, &signed(&rival, &all)).await.expect(201);
        put(&first).await.expect(200);
        put(&first).await.expect(200);
        // The rival was signed by both, and came too late.
        let path = format!("{PROPOSALS}/{}/activate", rival.digest());
        send(&stage, "POST", &path, &operator, b"").await.refused(409, "SOMA-P013");
        put(&rival).await.refused(409, "SOMA-P013");
        let here = Some((1, first.digest()));
        let second = written(&stage, here, "Two.\n");
        put(&Constitution { version: 3, ..second.clone() }).await.refused(409, "SOMA-P013");
        put(&Constitution { follows: Some(rival.digest()), ..second.clone() }).await.refused(409, "SOMA-P013");
        // One signature fewer than must be, and nothing of it is kept.
        send(&stage, "PUT", HERE, &operator, &signed(&second, &[&ada, &ada])).await.refused(403, "SOMA-P012");
        let waiting = stage.get(PROPOSALS, &operator.token).await.expect(200);
        assert_eq!(waiting["items"], json!([]));
        put(&second).await.expect(200);
        let third = written(&stage, Some((2, second.digest())), "One.\n");
        put(&third).await.expect(200);
        let page = stage.get("/v1/constitution/history?limit=2", &operator.token).await.expect(200);
        let versions: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|it| &it["version"]).collect();
        assert_eq!(versions, ["3", "2"]);
        let next = page["next"].as_str().unwrap();
        let page = stage.get(&format!("/v1/constitution/history?limit=2&cursor={next}"), &operator.token).await.expect(200);
        assert_eq!((&page["items"][0]["digest"], &page["next"]), (&json!(first.digest()), &Value::Null));
        let changes = stage.get("/v1/constitution/diff?to=2", &operator.token).await.expect(200);
        assert_eq!(changes["files"][0]["lines"], json!(["- One.", "+ Two."]));
        let changes = stage.get("/v1/constitution/diff?from=1&to=3", &operator.token).await.expect(200);
        assert_eq!(changes["files"], json!([]));
        stage.get("/v1/constitution/diff?from=1&to=9", &operator.token).await.refused(404, "SOMA-P014");
        stage.get("/v1/constitution/diff?to=x", &operator.token).await.refused(422, "SOMA-H016");
        let old = stage.get("/v1/constitution/versions/1", &operator.token).await.expect(200);
        assert_eq!(old["document"]["principles"], "One.\n");
        assert_eq!(told(&stage).await.len(), 1);
    }

    async fn only_operators_with_two_fresh_factors_bring_one(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, totp) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let bench = Bench::of(&stage);
        let body = signed(&written(&stage, None, ""), &[&bench.ada, &bench.bob]);
        let path = format!("{PROPOSALS}/{}", written(&stage, None, "").digest());
        let routes = [("PUT", HERE.to_owned()), ("POST", PROPOSALS.to_owned()), ("POST", format!("{path}/sign")), ("POST", format!("{path}/activate"))];
        for (method, route) in &routes {
            stage.ask(method, route).raw(&body).send().await.refused(401, "SOMA-T001");
            send(&stage, method, route, &owner, &body).await.refused(403, "SOMA-T009");
        }
        for route in [PROPOSALS, path.as_str()] {
            stage.get(route, &owner.token).await.refused(403, "SOMA-T009");
        }
        stage.post("/v1/constitution/validate", &owner.token, &json!(written(&stage, None, ""))).await.refused(403, "SOMA-T009");
        // A member of the platform who may not, for all that the token could say.
        let reviewer = stage.member(&operator, "platform", "reviewer").await;
        for (method, route) in &routes {
            send(&stage, method, route, &reviewer, &body).await.refused(403, "SOMA-T009");
        }
        stage.pass_seconds(301);
        for (method, route) in &routes {
            let refused = send(&stage, method, route, &operator, &body).await;
            assert!(refused.header("www-authenticate").contains("aal2"), "{route}");
            refused.refused(401, "SOMA-T010");
        }
        let operator = Someone { token: stage.step_up(&operator.token, &totp).await, ..operator };
        send(&stage, "PUT", HERE, &operator, &body).await.expect(200);
        // Who is held to it may read it.
        let seen = stage.get(HERE, &owner.token).await.expect(200);
        assert_eq!(seen["constitution"]["version"], "1");
        stage.get("/v1/constitution/history", &owner.token).await.expect(200);
        stage.ask("GET", HERE).send().await.refused(401, "SOMA-T001");
    }

    async fn forged_foreign_broken_and_oversize_ones_are_refused_and_change_nothing(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let Bench { ada, bob } = Bench::of(&stage);
        let all = [&ada, &bob];
        let mallory = KeyPair::generate().unwrap();
        let good = written(&stage, None, "");
        let mut swapped: Value = serde_json::from_slice(&signed(&good, &all)).unwrap();
        let evil: Value = serde_json::from_slice(&signed(&written(&stage, None, "evil"), &[&mallory])).unwrap();
        swapped["payload"] = evil["payload"].clone();
        let mut no_permit = good.clone();
        no_permit.policies.clear();
        let mut syntax = good.clone();
        syntax.policies.insert("z.cedar".to_owned(), "permit (".to_owned());
        let foreign = Constitution { deployment: "01E".to_owned(), ..good.clone() };
        for (what, body, status, code) in [
            ("a stranger's", signed(&good, &[&mallory]), 403, "SOMA-P012"),
            ("another payload", swapped.to_string().into_bytes(), 403, "SOMA-P012"),
            ("no signature", signed(&good, &[]), 403, "SOMA-P012"),
            ("nothing", b"{}".to_vec(), 422, "SOMA-P011"),
            ("another deployment's", signed(&foreign, &all), 422, "SOMA-P015"),
            ("no permit", signed(&no_permit, &all), 422, "SOMA-P010"),
            ("no Cedar", signed(&syntax, &all), 422, "SOMA-P001"),
            ("another kind", dsse::sign_document("kill-order", &good, &all).unwrap().to_json(), 422, "SOMA-P011"),
            ("too much", vec![b' '; (1 << 20) + 1], 413, "SOMA-H003"),
        ] {
            for (method, path) in [("PUT", HERE), ("POST", PROPOSALS)] {
                let answer = send(&stage, method, path, &operator, &body).await;
                assert_eq!(answer.status, status, "{what}: {}", answer.body);
                answer.refused(status, code);
            }
        }
        assert_eq!(stage.get(HERE, &operator.token).await.expect(200)["constitution"], Value::Null);
        assert_eq!(told(&stage).await, []);
        assert_eq!(kinds(&stage, &operator).await, [""; 0]);
        let path = format!("{PROPOSALS}/{}", good.digest());
        send(&stage, "POST", &format!("{path}/sign"), &operator, &signed(&good, &all)).await.refused(404, "SOMA-P014");
        send(&stage, "POST", &format!("{path}/activate"), &operator, b"").await.refused(404, "SOMA-P014");
        stage.get(&path, &operator.token).await.refused(404, "SOMA-P014");
        let said = stage.post("/v1/constitution/validate", &operator.token, &json!(syntax)).await.expect(200);
        assert_eq!((&said["ok"], &said["faults"][0]["code"], &said["faults"][0]["file"]), (&json!(false), &json!("SOMA-P001"), &json!("z.cedar")));
        let said = stage.post("/v1/constitution/validate", &operator.token, &json!(good)).await.expect(200);
        assert_eq!((&said["ok"], &said["digest"]), (&json!(true), &json!(good.digest())));
        stage.post("/v1/constitution/validate", &operator.token, &json!({ "v": 1 })).await.refused(422, "SOMA-H016");
    }

    async fn what_only_operators_of_before_signed_holds_on_and_lets_no_other_hold(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let before = Bench::of(&stage);
        let first = written(&stage, None, "");
        let body = signed(&first, &[&before.ada, &before.bob]);
        send(&stage, "PUT", HERE, &operator, &body).await.expect(200);
        let second = written(&stage, Some((1, first.digest())), "Two.");
        send(&stage, "POST", PROPOSALS, &operator, &signed(&second, &[&before.ada, &before.bob])).await.expect(201);
        let now = Bench::of(&stage);
        let held = stage.get(HERE, &operator.token).await.expect(200);
        assert_eq!((&held["constitution"]["version"], &held["constitution"]["signed"]), (&json!("1"), &json!(0)));
        let path = format!("{PROPOSALS}/{}", second.digest());
        send(&stage, "POST", &format!("{path}/activate"), &operator, b"").await.refused(403, "SOMA-P012");
        let body = signed(&second, &[&now.ada, &now.bob]);
        send(&stage, "POST", &format!("{path}/sign"), &operator, &body).await.expect(200);
        send(&stage, "POST", &format!("{path}/activate"), &operator, b"").await.expect(200);
    }

    async fn another_server_process_follows_what_the_database_says(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let bench = Bench::of(&stage);
        let (other, _, _) = stage.database.server().await;
        let first = written(&stage, None, "");
        assert_eq!(other.market.policy.constitution(), None);
        send(&stage, "PUT", HERE, &operator, &signed(&first, &[&bench.ada, &bench.bob])).await.expect(200);
        let policy = other.grounds().await.unwrap();
        assert_eq!(policy.ground().policy.hash(), stage.server.market.policy.last().hash());
        assert_eq!(other.market.policy.constitution(), Some(first.digest()));
        let (started, _, _) = stage.database.server().await;
        assert_eq!(started.market.policy.constitution(), Some(first.digest()));
    }
}
