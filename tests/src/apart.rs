//! A platform whose parts are processes of their own, as on many machines: a server on any database, a review host,
//! hosts that were enrolled, a gateway in front. Everything is done by the commands that people use.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Context;
use serde_json::json;

use crate::bazaar::{items, text};
use crate::fleet::{Joined, Seat, trust};
use crate::plane::port;
use crate::running::until;
use crate::{Database, Person, Plane, Running, Soma, TestHome};

/// The running parts; all end with the value.
pub struct Apart {
    /// The control plane.
    pub server: Plane,
    /// The hosts, in the order of the gateway.
    pub hosts: Vec<Joined>,
    /// What watches submissions.
    pub review: Joined,
    /// What people speak to.
    pub gateway: Running<()>,
}

impl Apart {
    /// Founds a server with these settings, lets so many hosts join, and stands a gateway in front. Gives its first
    /// operator too, who acts for the tenant `local` and whose home is the only one with operators' keys.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn start(
        own: &TestHome,
        database: &Database,
        (settings, hosts): (&str, usize),
    ) -> anyhow::Result<(Self, Person)> {
        let server = server(own, database, settings).await?;
        let ports = (0..hosts).map(|_| port()).collect::<anyhow::Result<Vec<_>>>()?;
        let gateway = gateway(own, server.url(), &ports).await?;
        let operator = founder(own, &server, gateway.url()).await?;
        let mut joined = Vec::new();
        for port in ports {
            let home = own.beside(&format!("host-{port}"));
            let seat = Seat { home: &home, role: "host", port };
            joined.push(Joined::invite(&operator, server.url(), seat).await?);
        }
        let home = own.beside("review");
        let seat = Seat { home: &home, role: "review", port: 0 };
        let review = Joined::invite(&operator, server.url(), seat).await?;
        let live = |list: &serde_json::Value| {
            let live = items(list).iter().filter(|it| text(it, "/state") == "live");
            live.filter(|it| text(it, "/role") == "host").count() == hosts
        };
        operator.until(&["host", "list"], live).await?;
        Ok((Self { server, hosts: joined, review, gateway }, operator))
    }

    /// Where people turn to: the gateway.
    #[must_use]
    pub fn url(&self) -> &str {
        self.gateway.url()
    }

    /// Asks every part to end, those in front first, and insists that each ended in order.
    ///
    /// # Errors
    /// If one does not end, or not in order.
    pub async fn end(self) -> anyhow::Result<()> {
        let Self { server, hosts, review, gateway } = self;
        in_order(gateway.stop().await?)?;
        for joined in hosts.into_iter().chain([review]) {
            in_order(joined.process.stop().await?)?;
        }
        in_order(server.stop().await?)
    }
}

fn in_order((said, code): (String, Option<i32>)) -> anyhow::Result<()> {
    anyhow::ensure!(code == Some(0), "ended with {code:?}:\n{said}");
    Ok(())
}

/// A new server in a home of its own, which trusts the operators of another home.
async fn server(own: &TestHome, database: &Database, settings: &str) -> anyhow::Result<Plane> {
    let home = own.beside("server");
    trust(own.path(), &home)?;
    std::fs::set_permissions(&home, Permissions::from_mode(0o700))?;
    // The gateway says who its clients are.
    std::fs::write(home.join("server.toml"), format!("proxies = [\"127.0.0.1\"]\n{settings}"))?;
    database.prepare(&home).await?;
    Plane::start_by(database.tell(Soma::new(&home)?)?, &home, port()?).await
}

async fn gateway(own: &TestHome, server: &str, ports: &[u16]) -> anyhow::Result<Running<()>> {
    let serve = ["serve", "--role", "gateway", "--listen", "127.0.0.1:0", "--to-server", server];
    let mut soma = Soma::new(&own.beside("gateway"))?.args(serve);
    for port in ports {
        soma = soma.args(["--to-host", &format!("http://127.0.0.1:{port}")]);
    }
    Running::begin(soma, ()).await
}

/// The first operator: by the code that the server said, with two factors, and the owner of the tenant `local`.
async fn founder(own: &TestHome, server: &Plane, url: &str) -> anyhow::Result<Person> {
    let ask = async || {
        tokio::task::yield_now().await;
        Ok(server.said())
    };
    let said = until("what the server says", ask, |said| code(said).is_some()).await?;
    let code = code(&said).context("no founding code")?;
    let mut operator = Person::first(url, &own.beside("operator"), own.path(), code).await?;
    operator.prove("platform").await?;
    let new = ["org", "new", "local", "--tenant-role", "--publisher-role"];
    let made = operator.reads(&new).await?;
    let join = operator.soma(&["org", "join", "--tenant", "platform"])?;
    join.env("SOMA_CODE", text(&made, "/head/code")).succeed().await?;
    operator.prove("local").await?;
    let me = operator.reads(&["whoami"]).await?;
    anyhow::ensure!(me.get("org") == Some(&json!("local")), "{me}");
    Ok(operator)
}

fn code(said: &str) -> Option<&str> {
    said.split("founding code ").nth(1)?.split_whitespace().next()
}
