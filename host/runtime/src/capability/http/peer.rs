//! At which socket addresses a permitted origin may be reached.
//!
//! A name is resolved only after it was permitted, and every address of the answer must be a global unicast address that
//! is not this host's own: one private address among public ones refuses the whole answer, because that is what a
//! rebinding name looks like. The connection then goes to the checked addresses and nowhere else. This room opens no
//! connection and keeps no answer: each request resolves anew.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use soma_policy::peer_is_public;
use tokio::sync::Semaphore;

/// Lookups that may block a thread of the pool at the same time.
const LOOKUPS_MAX: usize = 32;
/// Addresses of one answer that are looked at; more are an error, not a silent cut.
const ADDRESSES_MAX: usize = 64;

/// Where addresses of a name come from. A second implementation answers from a set in a test.
pub(crate) trait Resolve: Send + Sync + 'static {
    /// The addresses of `host`, which is a DNS name in canonical form.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system, with a bound on how many lookups are under way.
pub(crate) struct SystemResolver {
    slots: Arc<Semaphore>,
}

impl SystemResolver {
    /// A resolver with all of its slots free.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
            // The final dot keeps the search list of resolv.conf out of it: what was permitted is this name alone.
            let absolute = format!("{host}.");
            let lookup = move || {
                // A lookup that nobody waits for any more still blocks its thread, so it keeps its slot.
                let _slot = slot;
                (absolute.as_str(), 0).to_socket_addrs().map(Vec::from_iter)
            };
            let found = tokio::task::spawn_blocking(lookup).await.map_err(io::Error::other)??;
            Ok(found.into_iter().map(|address: SocketAddr| address.ip()).collect())
        })
    }
}

/// The addresses of this host, which no guest may reach through it.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnAddresses {
    named: Vec<IpAddr>,
}

impl OwnAddresses {
    /// Interface addresses are found at the time of asking; `named` are those that no interface shows: public
    /// addresses in front of a translation, and the host's listeners.
    #[must_use]
    pub(crate) fn new(named: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { named: named.into_iter().map(|ip| ip.to_canonical()).collect() }
    }

    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.named.contains(&ip.to_canonical()) || is_bindable(ip)
    }
}

/// Only an address of this machine can be bound, so the question is always answered by the present state of its
/// interfaces. What cannot be told counts as own.
fn is_bindable(ip: IpAddr) -> bool {
    match UdpSocket::bind((ip, 0)) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => false,
        Err(error) => error.raw_os_error() != Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()),
    }
}

/// Why an origin has no address that may be connected to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// The lookup failed.
    #[error("cannot resolve `{host}`")]
    Lookup {
        /// The permitted name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// This host reaches mapped origins alone.
    #[error("`{host}` is not in the operator's map of peers, and this host reaches nothing else")]
    Unmapped {
        /// The permitted name.
        host: String,
    },
    /// The lookup took too long.
    #[error("`{host}` was not resolved in time")]
    Timeout {
        /// The permitted name.
        host: String,
    },
    /// The answer holds no address, or far too many.
    #[error("`{host}` resolves to {count} addresses")]
    Count {
        /// The permitted name.
        host: String,
        /// How many there were.
        count: usize,
    },
    /// An address is not global unicast.
    #[error("`{host}` is at `{ip}`, which is not a public address but {kind}")]
    NotPublic {
        /// The permitted name.
        host: String,
        /// The address that refused the answer.
        ip: IpAddr,
        /// What it is instead.
        kind: &'static str,
    },
    /// An address is one of this host's own.
    #[error("`{host}` is at `{ip}`, which is this host")]
    Own {
        /// The permitted name.
        host: String,
        /// The address that refused the answer.
        ip: IpAddr,
    },
}

/// The addresses of `host`, each one checked, in the order of the answer.
pub(crate) async fn checked(
    resolver: &dyn Resolve,
    own: &OwnAddresses,
    host: &str,
    port: u16,
    within: Duration,
) -> Result<Vec<SocketAddr>, PeerError> {
    let ips = look_up(resolver, host, within).await?;
    if ips.is_empty() || ips.len() > ADDRESSES_MAX {
        return Err(PeerError::Count { host: host.to_owned(), count: ips.len() });
    }
    for ip in &ips {
        check(own, host, *ip)?;
    }
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

async fn look_up(
    resolver: &dyn Resolve,
    host: &str,
    within: Duration,
) -> Result<Vec<IpAddr>, PeerError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![ip]);
    }
    match tokio::time::timeout(within, resolver.resolve(host)).await {
        Ok(Ok(ips)) => Ok(ips),
        Ok(Err(source)) => Err(PeerError::Lookup { host: host.to_owned(), source }),
        Err(_) => Err(PeerError::Timeout { host: host.to_owned() }),
    }
}

fn check(own: &OwnAddresses, host: &str, ip: IpAddr) -> Result<(), PeerError> {
    let host = || host.to_owned();
    peer_is_public(ip).map_err(|kind| PeerError::NotPublic { host: host(), ip, kind })?;
    if own.contains(ip) {
        return Err(PeerError::Own { host: host(), ip });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives one answer after the other, as a rebinding name server does.
    struct Answers {
        sets: Vec<Vec<IpAddr>>,
        asked: AtomicUsize,
    }

    impl Answers {
        fn of(sets: &[&[&str]]) -> Self {
            let parse = |set: &&[&str]| set.iter().map(|ip| ip.parse().unwrap()).collect();
            Self { sets: sets.iter().map(parse).collect(), asked: AtomicUsize::new(0) }
        }
    }

    impl Resolve for Answers {
        fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed).min(self.sets.len() - 1);
            let answer = self.sets[turn].clone();
            Box::pin(async move { Ok(answer) })
        }
    }

    async fn ask(answers: &Answers, host: &str) -> Result<Vec<SocketAddr>, PeerError> {
        checked(answers, &OwnAddresses::default(), host, 443, Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn public_addresses_pass_in_their_order() {
        let answers = Answers::of(&[&["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]]);
        let peers = ask(&answers, "example.com").await.unwrap();
        assert_eq!(peers[0], "93.184.216.34:443".parse().unwrap());
        assert_eq!(peers.len(), 2);
    }

    #[tokio::test]
    async fn addresses_that_are_not_public_are_refused_by_name_and_by_literal() {
        for ip in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:93.184.216.34",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:a00:1::1",
            "2001:0:53aa:64c:0:0:f5ff:fffe",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "fd00:ec2::254",
        ] {
            let answers = Answers::of(&[&[ip]]);
            let by_name = ask(&answers, "innocent.example").await;
            assert!(
                matches!(by_name, Err(PeerError::NotPublic { .. })),
                "{ip} by name: {by_name:?}"
            );
            let by_literal = ask(&answers, ip).await;
            assert!(
                matches!(by_literal, Err(PeerError::NotPublic { .. })),
                "{ip} by literal: {by_literal:?}"
            );
            assert_eq!(answers.asked.load(Ordering::Relaxed), 1, "a literal is not looked up");
        }
    }

    #[tokio::test]
    async fn one_private_address_among_public_ones_refuses_the_answer() {
        let answers = Answers::of(&[&["93.184.216.34", "10.0.0.1"]]);
        assert!(matches!(ask(&answers, "mixed.example").await, Err(PeerError::NotPublic { .. })));
    }

    #[tokio::test]
    async fn a_name_that_rebinds_is_judged_at_each_lookup() {
        let answers = Answers::of(&[&["93.184.216.34"], &["169.254.169.254"]]);
        assert!(ask(&answers, "rebind.example").await.is_ok());
        assert!(matches!(ask(&answers, "rebind.example").await, Err(PeerError::NotPublic { .. })));
    }

    #[tokio::test]
    async fn own_addresses_are_refused_even_when_public() {
        let own = OwnAddresses::new(["93.184.216.34".parse().unwrap()]);
        let answers = Answers::of(&[&["93.184.216.34"]]);
        let verdict = checked(&answers, &own, "self.example", 443, Duration::from_secs(5)).await;
        assert!(matches!(verdict, Err(PeerError::Own { .. })));
    }

    #[test]
    fn addresses_of_this_machine_are_known_without_being_named() {
        let own = OwnAddresses::default();
        assert!(own.contains("127.0.0.1".parse().unwrap()));
        assert!(own.contains("0.0.0.0".parse().unwrap()));
        assert!(!own.contains("93.184.216.34".parse().unwrap()));
    }

    #[tokio::test]
    async fn an_empty_answer_and_a_flood_of_addresses_are_errors() {
        assert!(matches!(
            ask(&Answers::of(&[&[]]), "a.example").await,
            Err(PeerError::Count { count: 0, .. })
        ));
        let flood = vec!["93.184.216.34"; ADDRESSES_MAX + 1];
        assert!(matches!(
            ask(&Answers::of(&[&flood]), "a.example").await,
            Err(PeerError::Count { .. })
        ));
    }

    #[tokio::test]
    async fn a_lookup_that_never_ends_is_given_up() {
        struct Silent;
        impl Resolve for Silent {
            fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
                Box::pin(std::future::pending())
            }
        }
        let own = OwnAddresses::default();
        let verdict = checked(&Silent, &own, "slow.example", 443, Duration::from_millis(10)).await;
        assert!(matches!(verdict, Err(PeerError::Timeout { .. })));
    }
}
