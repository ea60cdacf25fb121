//! Recorded HTTP: a real TLS server on this machine that answers as it was written down.
//!
//! It has a certificate authority of its own, made for one run. The host reaches it through the same
//! operator's mapping (`policy/peers.toml`) that production has: only the socket address and the trust
//! anchor differ, every decision stays.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use soma_policy::Code;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::failure::Failure;

/// One exchange as it is replayed.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) wants: BTreeMap<String, String>,
}

/// Servers for all origins of a recording; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    origins: Vec<(String, SocketAddr)>,
    anchor: String,
    log: Arc<Mutex<Log>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// What is left to replay, and what was asked for in vain.
#[derive(Debug, Default)]
struct Log {
    left: Vec<Exchange>,
    surprises: Vec<String>,
}

impl Recording {
    /// Starts a server for each origin.
    pub(crate) async fn start(exchanges: Vec<Exchange>) -> Result<Self, Failure> {
        let authority = Authority::new()?;
        let mut urls: BTreeMap<String, String> = BTreeMap::new();
        for exchange in &exchanges {
            let (origin, host) = origin_of(&exchange.url)?;
            urls.insert(origin, host);
        }
        let log = Arc::new(Mutex::new(Log { left: exchanges, surprises: Vec::new() }));
        let (mut origins, mut tasks) = (Vec::new(), Vec::new());
        for (origin, host) in urls {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| failed(&e))?;
            origins.push((origin.clone(), listener.local_addr().map_err(|e| failed(&e))?));
            let acceptor = authority.acceptor(&host)?;
            tasks.push(tokio::spawn(serve(listener, acceptor, origin, Arc::clone(&log))));
        }
        Ok(Self { origins, anchor: authority.pem, log, tasks })
    }

    /// Writes the mapping that leads a host here.
    pub(crate) fn write_peers(&self, policy_folder: &Path) -> Result<(), Failure> {
        let mut text = String::from("# The recorded servers of this run.\n");
        for (origin, address) in &self.origins {
            let _ = write!(
                text,
                "\n[[peer]]\norigin = \"{origin}\"\naddress = \"{address}\"\nanchor = \"recorded-ca.pem\"\n"
            );
        }
        soma_host::home::write_private(&policy_folder.join("peers.toml"), text.as_bytes())?;
        soma_host::home::write_private(
            &policy_folder.join("recorded-ca.pem"),
            self.anchor.as_bytes(),
        )?;
        Ok(())
    }

    /// What was asked for and not recorded, and what was recorded and not asked for.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let Ok(log) = self.log.lock() else { return vec!["the recording broke".to_owned()] };
        let unused = log
            .left
            .iter()
            .map(|e| format!("recorded and never asked for: {} {}", e.method, e.url));
        log.surprises.iter().cloned().chain(unused).collect()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::new(Code::HostFailure, format!("the recorded server cannot be started: {error}"))
}

/// `https://api.github.com:443` and its host name.
fn origin_of(url: &Url) -> Result<(String, String), Failure> {
    let refused =
        || Failure::new(Code::ConfigurationBad, format!("`{url}` is not an https address"));
    let host = url.host_str().ok_or_else(refused)?;
    let port = url.port_or_known_default().ok_or_else(refused)?;
    if url.scheme() != "https" {
        return Err(refused());
    }
    Ok((format!("https://{host}:{port}"), host.to_owned()))
}

/// A certificate authority for one run.
struct Authority {
    pem: String,
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Result<Self, Failure> {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).map_err(|e| failed(&e))?;
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "soma recorded servers");
        let key = rcgen::KeyPair::generate().map_err(|e| failed(&e))?;
        let certificate = parameters.self_signed(&key).map_err(|e| failed(&e))?;
        Ok(Self {
            pem: certificate.pem(),
            certificate,
            issuer: rcgen::Issuer::new(parameters, key),
        })
    }

    fn acceptor(&self, host: &str) -> Result<TlsAcceptor, Failure> {
        let parameters =
            rcgen::CertificateParams::new(vec![host.to_owned()]).map_err(|e| failed(&e))?;
        let key = rcgen::KeyPair::generate().map_err(|e| failed(&e))?;
        let leaf = parameters.signed_by(&key, &self.issuer).map_err(|e| failed(&e))?;
        let chain = vec![leaf.der().clone(), self.certificate.der().clone()];
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| failed(&e))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, origin: String, log: Arc<Mutex<Log>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, origin, log) = (acceptor.clone(), origin.clone(), Arc::clone(&log));
        tokio::spawn(async move {
            let Ok(socket) = acceptor.accept(socket).await else { return };
            let service = service_fn(move |request| {
                let answer = answer(&request, &origin, &log);
                async move { Ok::<_, Infallible>(answer) }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A client that breaks off is part of what is tested.
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

fn answer(request: &Request<Incoming>, origin: &str, log: &Mutex<Log>) -> Response<Full<Bytes>> {
    let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
    let Ok(mut log) = log.lock() else { return Response::new(Full::default()) };
    let fits = |e: &Exchange| {
        let target_of = e.url.as_str().splitn(4, '/').nth(3).unwrap_or_default();
        origin_of(&e.url).is_ok_and(|(o, _)| o == origin)
            && e.method.eq_ignore_ascii_case(request.method().as_str())
            && target.trim_start_matches('/') == target_of
    };
    let Some(at) = log.left.iter().position(fits) else {
        log.surprises
            .push(format!("asked for and not recorded: {} {origin}{target}", request.method()));
        let mut refused = Response::new(Full::from("this exchange is not recorded"));
        *refused.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
        return refused;
    };
    let exchange = log.left.remove(at);
    for (name, value) in &exchange.wants {
        if request.headers().get(name).and_then(|v| v.to_str().ok()) != Some(value) {
            log.surprises.push(format!(
                "{} {origin}{target} came without `{name}: {value}`",
                request.method()
            ));
        }
    }
    replay(&exchange)
}

fn replay(exchange: &Exchange) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(exchange.status);
    for (name, value) in &exchange.headers {
        builder = builder.header(name, value);
    }
    let body = Full::from(exchange.body.clone());
    builder
        .body(body)
        .unwrap_or_else(|_| Response::new(Full::from("the recording is not valid HTTP")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(path: &str) -> Exchange {
        Exchange {
            method: "GET".to_owned(),
            url: Url::parse(&format!("https://api.example.com{path}")).unwrap(),
            status: 200,
            headers: BTreeMap::from([("x-a".to_owned(), "b".to_owned())]),
            body: b"hello".to_vec(),
            wants: BTreeMap::from([("authorization".to_owned(), "Bearer x".to_owned())]),
        }
    }

    #[tokio::test]
    async fn what_is_recorded_is_replayed_over_tls_and_the_rest_is_told() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let recording = Recording::start(vec![exchange("/a?b=1"), exchange("/c")]).await.unwrap();
        let (origin, address) = recording.origins[0].clone();
        assert_eq!(origin, "https://api.example.com:443");
        let anchor = reqwest::Certificate::from_pem(recording.anchor.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([anchor])
            .resolve("api.example.com", address)
            .no_proxy()
            .build()
            .unwrap();
        let base = format!("https://api.example.com:{}", address.port());
        let answer = client.get(format!("{base}/a?b=1")).bearer_auth("x").send().await.unwrap();
        assert_eq!(answer.headers()["x-a"], "b");
        assert_eq!(answer.text().await.unwrap(), "hello");
        let other = client.get(format!("{base}/nothing")).send().await.unwrap();
        assert_eq!(other.status(), 501);
        let complaints = recording.complaints();
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(
            complaints[0].contains("/nothing") && complaints[1].contains("/c"),
            "{complaints:?}"
        );
    }
}
