//! A server and a host, apart: either dies on the way of a receipt to the ledger, of a lease to the host, of a
//! change of the feed to what runs, and the two come together again: the ledger is what the host's journal says.

use serde_json::{Value, json};
use soma_tests::process::PATIENCE;
use soma_tests::realm::{installation, text};
use soma_tests::tokens::caller;
use soma_tests::{Disk, Plane, Realm, Soma, TestHost};

use super::orders;
use super::server::assert_sound;

/// Calls that are made in each story.
const CALLS: u64 = 3;

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Server,
    Host,
}

const PATHS: &[(Who, &str)] = &[
    (Who::Host, "host.push.due"),
    (Who::Host, "host.push.taken"),
    (Who::Host, "host.lease.given"),
    (Who::Server, "server.push.settled"),
    (Who::Server, "server.push.committed"),
    (Who::Server, "server.lease.given"),
    (Who::Server, "server.lease.committed"),
];

/// The points on the way of an installation to a host that runs it.
const ARRIVING: &[(Who, &str)] = &[
    (Who::Host, "host.feed.replaced"),
    (Who::Host, "host.feed.kept"),
    (Who::Host, "host.feed.applied"),
    (Who::Host, "host.fetch.approved"),
    (Who::Host, "capsule.layout.begun"),
    (Who::Host, "capsule.layout.component"),
    (Who::Server, "server.activation.kept"),
    (Who::Server, "server.activation.committed"),
];

/// A server and a host that run, and tokens of who uses them.
pub(crate) struct Fleet {
    pub(crate) realm: Realm,
    pub(crate) plane: Plane,
    pub(crate) host: TestHost,
    /// Of the tenant, at the server.
    pub(crate) local: String,
    /// Of the platform, at the server.
    pub(crate) operator: String,
    /// At hosts.
    pub(crate) call: String,
}

impl Fleet {
    /// Starts both; who is to die ends at its point, if one is named.
    pub(crate) async fn start(base: &Realm, dies: Option<(Who, &str)>) -> Self {
        Self::start_in(base.copy().unwrap(), dies).await
    }

    async fn start_in(mut realm: Realm, dies: Option<(Who, &str)>) -> Self {
        if dies.is_some_and(|(_, point)| point == "host.feed.replaced") {
            std::fs::remove_dir_all(realm.home().join("state/feed")).unwrap();
        }
        let of = |who: Who| dies.and_then(|(it, point)| (it == who).then_some(point));
        let plane = realm.server(of(Who::Server)).await.unwrap();
        let local = realm.operator.enter(&plane, "local").await.unwrap();
        let operator = realm.operator.enter(&plane, "platform").await.unwrap();
        let call = caller(&plane, &local, &["call:*", "read:calls"]).await.unwrap();
        let host = realm.host(&call, of(Who::Host)).await.unwrap();
        Self { realm, plane, host, local, operator, call }
    }

    /// Starts both, the server on a small disk and the host beside it.
    pub(crate) async fn start_on(base: &Realm, disk: &Disk) -> Self {
        let mut served = base.copy_onto(disk).unwrap();
        let plane = served.server(None).await.unwrap();
        let realm = served.twin().unwrap();
        let local = served.operator.enter(&plane, "local").await.unwrap();
        let operator = served.operator.enter(&plane, "platform").await.unwrap();
        let call = caller(&plane, &local, &["call:*", "read:calls"]).await.unwrap();
        let host = realm.host(&call, None).await.unwrap();
        Self { realm, plane, host, local, operator, call }
    }

    /// Waits for the death of one, and starts it again.
    pub(crate) async fn again(self, who: Who) -> Self {
        let Self { realm, plane, host, local, operator, call } = self;
        let (plane, host) = match who {
            Who::Server => {
                plane.killed().await.unwrap();
                (realm.server(None).await.unwrap(), host)
            }
            Who::Host => {
                host.killed().await.unwrap();
                (plane, realm.host(&call, None).await.unwrap())
            }
        };
        Self { realm, plane, host, local, operator, call }
    }

    /// Installs the notes by name.
    pub(crate) async fn install(&self, digest: &str) {
        self.install_as("notes", &installation(digest)).await;
    }

    /// Installs a file by a name of its own.
    pub(crate) async fn install_as(&self, id: &str, file: &Value) {
        let route = format!("/v1/installations?id={id}");
        let keyed = (self.local.as_str(), "install-1");
        // A server that dies on the way has the request's effect or not: it is asked again.
        let _ = self.plane.once(&route, keyed, file).await;
    }

    /// Waits until the server says that the host runs it.
    pub(crate) async fn active(&self) {
        self.active_as("notes").await;
    }

    pub(crate) async fn active_as(&self, id: &str) -> Value {
        let active = |it: &Value| it["state"] == "active";
        let route = format!("/v1/installations/{id}");
        self.plane.until(&route, &self.local, active).await.unwrap()
    }

    /// Ends both in order; what they leave.
    pub(crate) async fn rest(self) -> Realm {
        let Self { realm, plane, host, .. } = self;
        let (said, code) = host.stop().await.unwrap();
        assert_eq!(code, Some(0), "{said}");
        let (said, code) = plane.stop().await.unwrap();
        assert_eq!(code, Some(0), "{said}");
        realm
    }

    /// Appends a line as soon as the host takes it; false if the server or the host is gone.
    pub(crate) async fn append(&self) -> bool {
        let line = json!({ "name": "todo", "line": "one more" });
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.host.call("notes", "append", &line).await {
                Ok(reply) if reply.status == 200 => return true,
                // No lease yet, or not heard of the server yet.
                Ok(reply) if [403, 404, 429, 503].contains(&reply.status) => {
                    assert!(tokio::time::Instant::now() < deadline, "{reply:?}");
                }
                Ok(reply) => panic!("{reply:?}"),
                Err(_) => return false,
            }
            if self.plane.get("/health", "").await.is_err() {
                return false;
            }
        }
    }

    /// How many receipts the server has taken, once that is as many as the host wrote.
    pub(crate) async fn taken(&self) -> Value {
        let proven = verified(&self.realm).await;
        let receipts = number(&proven["entries"]["receipt"]);
        let all = |page: &Value| number(&page["items"][0]["receipts"]) >= receipts;
        let page = self.plane.until("/v1/billing/journals", &self.operator, all).await.unwrap();
        page["items"][0]["receipts"].clone()
    }

    /// Waits until the server has taken all of the host's journal, and compares the two.
    pub(crate) async fn settled(self, appended: u64) {
        let note = self.host.call("notes", "get", &json!({ "name": "todo" })).await.unwrap();
        assert_eq!(note.body["revision"], appended.to_string(), "{note:?}");
        let Self { realm, plane, host, operator, .. } = self;
        // What a host says last reaches the server with its next start at the latest.
        let (said, code) = host.stop().await.unwrap();
        assert_eq!(code, Some(0), "{said}");
        let proven = verified(&realm).await;
        let host = realm.host("", None).await.unwrap();
        let last: u64 = proven["last"].as_str().unwrap().parse().unwrap();
        let beyond = |page: &Value| {
            let next = page["items"][0]["next"].as_str().map(|next| next.parse::<u64>().unwrap());
            next.is_some_and(|next| next > last)
        };
        let journals = plane.until("/v1/billing/journals", &operator, beyond).await.unwrap();
        let journal = &journals["items"][0];
        assert_eq!(
            (&journal["state"], journals["items"].as_array().unwrap().len()),
            (&json!("good"), 1)
        );
        let receipts = number(&proven["entries"]["receipt"]);
        assert_eq!(number(&journal["receipts"]), receipts, "{journal} {proven}");
        let checked = plane.get("/v1/billing/check", &operator).await.unwrap();
        assert_eq!(number(&checked["receipts"]), receipts, "{checked}");
        assert_sound(&plane, &operator).await;
        host.stop().await.unwrap();
        plane.stop().await.unwrap();
    }
}

/// A count, as a number or as the text of one.
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap_or_default().parse().unwrap())
}

async fn verified(realm: &Realm) -> Value {
    let soma = Soma::new(realm.home()).unwrap().args(["audit", "verify", "--output", "json"]);
    soma.succeed().await.unwrap().json().unwrap()
}

/// A realm in which the notes are published.
pub(crate) async fn published(mut base: Realm) -> (Realm, String) {
    let plane = base.server(None).await.unwrap();
    let digest = base.publish(&plane, "1.0.0").await.unwrap();
    plane.stop().await.unwrap();
    (base, digest)
}

/// A realm in which the host runs them.
pub(crate) async fn installed(base: Realm) -> Realm {
    let (base, digest) = published(base).await;
    installed_of(&base, &digest).await
}

async fn installed_of(base: &Realm, digest: &str) -> Realm {
    let fleet = Fleet::start(base, None).await;
    fleet.install(digest).await;
    fleet.active().await;
    fleet.rest().await
}

async fn found() -> Realm {
    Realm::found().await.unwrap()
}

/// Calls, a death on the way to the ledger, more calls: all of them are settled once.
async fn settling(base: &Realm, paths: &[(Who, &'static str)]) {
    for (who, point) in paths {
        let fleet = Fleet::start(base, Some((*who, point))).await;
        let mut appended = 0;
        // Whoever is to die may do so before the first call: a lease comes ahead of need.
        while appended < CALLS && fleet.append().await {
            appended += 1;
        }
        let fleet = fleet.again(*who).await;
        while appended < CALLS {
            assert!(fleet.append().await);
            appended += 1;
        }
        assert!(fleet.append().await);
        fleet.settled(appended + 1).await;
        println!("{point:<28} {who:?} died, {} calls settled", appended + 1);
    }
}

/// A death while an installation is on its way: it arrives.
async fn arriving(base: &Realm, digest: &str, paths: &[(Who, &'static str)]) {
    for (who, point) in paths {
        let fleet = Fleet::start(base, Some((*who, point))).await;
        fleet.install(digest).await;
        let fleet = fleet.again(*who).await;
        fleet.install(digest).await;
        fleet.active().await;
        assert!(fleet.append().await);
        fleet.settled(1).await;
        println!("{point:<28} {who:?} died, and it runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_between_a_call_and_the_ledger_the_ledger_is_what_was_metered() {
    settling(&installed(found().await).await, PATHS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_while_an_installation_is_on_its_way_it_arrives() {
    let (base, digest) = published(found().await).await;
    arriving(&base, &digest, ARRIVING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_too_a_server_that_dies_on_the_way_settles_and_activates_everything_once() {
    let Some(base) = Realm::found_on_postgres().await.unwrap() else { return };
    let of_server = |paths: &[(Who, &'static str)]| -> Vec<_> {
        paths.iter().copied().filter(|(who, _)| *who == Who::Server).collect()
    };
    let (base, digest) = published(base).await;
    arriving(&base, &digest, &of_server(ARRIVING)).await;
    settling(&installed_of(&base, &digest).await, &of_server(PATHS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_reaches_a_host_that_died_while_it_came() {
    let (base, digest) = published(found().await).await;
    for point in ["host.kill.taken", "host.kill.stored"] {
        let fleet = Fleet::start(&base, Some((Who::Host, point))).await;
        fleet.install(&digest).await;
        assert!(fleet.append().await);
        let order = orders::sign(fleet.realm.home(), "installation:local/production/notes").await;
        let route = "/v1/kill-orders";
        let given = fleet.plane.ask(reqwest::Method::POST, route, &fleet.operator, &order).await;
        let id = text(&given.unwrap().made().unwrap(), "order").unwrap();
        let fleet = fleet.again(Who::Host).await;
        let killed = async || {
            let reply = fleet.host.call("notes", "names", &json!({})).await.unwrap();
            (reply.status, reply.code().to_owned())
        };
        let mut last = killed().await;
        for _ in 0..500 {
            if last.1 == "SOMA-K001" {
                break;
            }
            assert_ne!(last.0, 200, "{point}: it runs though {id} stands");
            last = killed().await;
        }
        println!("{point:<28} {last:?}");
        fleet.plane.stop().await.unwrap();
    }
}
