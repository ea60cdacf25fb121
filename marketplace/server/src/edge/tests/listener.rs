//! Who opens connections and says nothing takes nobody's place: real sockets, from two addresses of this machine.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::Network;
use crate::edge::serve::Bounds;
use crate::fixture::on_both_databases;
use crate::server::Server;

const HERE: &str = "127.0.0.1:0";
const THERE: &str = "127.0.0.2:0";
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n";

/// A server on a port of its own.
struct Serving {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Serving {
    async fn begin(server: Server, bounds: Bounds) -> Self {
        let listener = TcpListener::bind(HERE).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let until = async { drop(stopped.await) };
        let task = tokio::spawn(server.serve_within(listener, bounds, until));
        Self { address, stop, task }
    }

    async fn connect(&self, from: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from.parse().unwrap()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// What a server says to somebody who comes from there and asks properly.
    async fn answers(&self, from: &str) -> String {
        let mut stream = self.connect(from).await;
        let _ =
            stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        ended(&mut stream).await
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(LONG, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// Everything that comes until the server ends the connection; it must.
async fn ended(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is cut may end in an error: it ends.
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut text)).await.expect("it ends");
    String::from_utf8_lossy(&text).into_owned()
}

on_both_databases! {
    async fn one_sender_has_only_some_of_the_places(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let bounds = Bounds { connections: 16, each: 6, quiet: LONG };
        let serving = Serving::begin(server, bounds).await;
        let mut silent = Vec::new();
        for _ in 0..6 {
            silent.push(serving.connect(HERE).await);
        }
        assert_eq!(serving.answers(HERE).await, "", "the seventh of six is closed");
        assert!(serving.answers(THERE).await.starts_with("HTTP/1.1 200 "), "others are answered");
        // Whoever ends makes room for the next.
        drop(silent);
        loop {
            if serving.answers(HERE).await.starts_with("HTTP/1.1 200 ") {
                break;
            }
        }
        serving.end().await;
    }

    async fn a_connection_on_which_nothing_is_under_way_ends_by_itself(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let bounds = Bounds { connections: 5, each: 5, quiet: Duration::from_millis(300) };
        let serving = Serving::begin(server, bounds).await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        // Nothing, a first byte, half a head, HTTP/2 without a request, and an answered request.
        let beginnings: [&[u8]; 5] = [b"", b"P", b"GET /health HTTP/1.1\r\nho", preface, HEALTH];
        let mut streams = Vec::new();
        for beginning in beginnings {
            let mut stream = serving.connect(HERE).await;
            stream.write_all(beginning).await.unwrap();
            streams.push(stream);
        }
        // All places are taken, so this waits in the system's queue until one of them has ended.
        assert!(serving.answers(THERE).await.starts_with("HTTP/1.1 200 "));
        for (stream, beginning) in streams.iter_mut().zip(beginnings) {
            let said = ended(stream).await;
            assert_eq!(said.starts_with("HTTP/1.1 200 "), beginning == HEALTH, "{beginning:?}: {said}");
        }
        serving.end().await;
    }

    async fn a_proxy_of_the_operators_stands_for_many(database: TestDatabase) {
        let mut config = database.config();
        config.proxies = vec![Network::loopback()];
        let clock = std::sync::Arc::new(crate::clock::FixedClock::new(crate::fixture::START));
        let (server, _) = Server::open(&config, clock).await.unwrap();
        let serving = Serving::begin(server, Bounds { connections: 16, each: 2, quiet: LONG }).await;
        let mut silent = Vec::new();
        for _ in 0..4 {
            silent.push(serving.connect(HERE).await);
        }
        assert!(serving.answers(HERE).await.starts_with("HTTP/1.1 200 "));
        drop(silent);
        serving.end().await;
    }
}
