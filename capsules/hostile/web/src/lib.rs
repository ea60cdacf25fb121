//! A web capsule that attacks its clients and the host that serves it; the path names the attack.

use soma_sdk::bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use soma_sdk::bindings::wasi::io::streams::OutputStream;
use soma_sdk::clock;

wit_bindgen::generate!({
    path: [
        "../../../wit/deps/wasi-io@0.2.12",
        "../../../wit/deps/wasi-clocks@0.2.12",
        "../../../wit/deps/wasi-random@0.2.12",
        "../../../wit/deps/wasi-filesystem@0.2.12",
        "../../../wit/deps/wasi-sockets@0.2.12",
        "../../../wit/deps/wasi-cli@0.2.12",
        "../../../wit/deps/wasi-http@0.2.12",
    ],
    inline: "
        package soma-hostile:web@0.1.0;
        world web {
            export wasi:http/incoming-handler@0.2.12;
        }
    ",
    world: "soma-hostile:web/web",
    with: {
        "wasi:io/error@0.2.12": soma_sdk::bindings::wasi::io::error,
        "wasi:io/poll@0.2.12": soma_sdk::bindings::wasi::io::poll,
        "wasi:io/streams@0.2.12": soma_sdk::bindings::wasi::io::streams,
        "wasi:clocks/monotonic-clock@0.2.12": soma_sdk::bindings::wasi::clocks::monotonic_clock,
        "wasi:http/types@0.2.12": soma_sdk::bindings::wasi::http::types,
    },
});

struct Web;

impl exports::wasi::http::incoming_handler::Guest for Web {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        match path.split('?').next().unwrap_or_default() {
            "/ok" => whole(out, &[], b"ok"),
            "/never-set" => drop(out),
            "/never-set-loop" => loop {
                std::hint::black_box(&out);
            },
            "/read" => whole(out, &[], &read(&request)),
            "/trap" => panic!("the guest gives up"),
            "/steal" => whole(out, &[], seen(&request).as_bytes()),
            "/set-headers" => whole(out, STOLEN_POLICY, b"ok"),
            "/header-flood" => flood(out),
            "/split" => whole(out, &[("x-split", "a\r\nset-cookie: stolen=1")], b"ok"),
            "/unfinished" => partial(out, &[], true),
            "/lie" => partial(out, &[("content-length", "100")], false),
            "/lie-long" => whole(out, &[("content-length", "3")], b"more than three"),
            "/lie-empty" => headed(out, "100"),
            "/endless" => endless(out, 0),
            "/slow" => endless(out, 50),
            "/trap-in-body" => {
                partial(out, &[], false);
                panic!("the guest gives up in the middle")
            }
            other => panic!("no attack is called {other}"),
        }
    }
}

/// Headers that would let a guest rule over other origins or over the client's later visits.
const STOLEN_POLICY: &[(&str, &str)] = &[
    ("set-cookie", "session=mallory; Domain=localhost; Path=/"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("content-security-policy", "default-src *"),
    ("alt-svc", "h3=\"evil.test:443\""),
    ("service-worker-allowed", "/"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("x-kept", "yes"),
];

/// The client's body, to an end that it may never have.
fn read(request: &IncomingRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(body) = request.consume() else { return bytes };
    let Ok(stream) = body.stream() else { return bytes };
    while let Ok(piece) = stream.blocking_read(4096) {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

fn seen(request: &IncomingRequest) -> String {
    let lines = request.headers().entries().into_iter();
    lines.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(&value))).collect()
}

/// A body that is being sent; the stream goes before what it belongs to.
struct Sending {
    stream: OutputStream,
    body: OutgoingBody,
}

fn respond(out: ResponseOutparam, headers: &[(&str, &str)]) -> Option<Sending> {
    let fields = Fields::new();
    for (name, value) in headers {
        // A header that the host refuses is left out: the others are the attack.
        let _ = fields.append(name, value.as_bytes());
    }
    let response = OutgoingResponse::new(fields);
    let body = response.body().ok();
    ResponseOutparam::set(out, Ok(response));
    let body = body?;
    Some(Sending { stream: body.write().ok()?, body })
}

fn write(sending: &Sending, bytes: &[u8]) -> bool {
    sending.stream.blocking_write_and_flush(bytes).is_ok()
}

fn whole(out: ResponseOutparam, headers: &[(&str, &str)], bytes: &[u8]) {
    if let Some(body) = respond(out, headers)
        && bytes.chunks(4096).all(|chunk| write(&body, chunk))
    {
        drop(body.stream);
        let _ = OutgoingBody::finish(body.body, None);
    }
}

/// Sends some bytes and never says that they were all.
fn partial(out: ResponseOutparam, headers: &[(&str, &str)], forget: bool) {
    if let Some(body) = respond(out, headers) {
        write(&body, b"partial");
        match forget {
            true => std::mem::forget(body),
            false => drop(body),
        }
    }
}

/// States a length and never opens the body.
fn headed(out: ResponseOutparam, length: &str) {
    let fields = Fields::new();
    let _ = fields.append("content-length", length.as_bytes());
    ResponseOutparam::set(out, Ok(OutgoingResponse::new(fields)));
}

fn endless(out: ResponseOutparam, pause_ms: u64) {
    let Some(body) = respond(out, &[]) else { return };
    while write(&body, &[b'x'; 1024]) {
        if pause_ms > 0 {
            clock::wait_ms(pause_ms);
        }
    }
}

fn flood(out: ResponseOutparam) {
    let headers: Vec<(String, String)> =
        (0..20_000).map(|n| (format!("x-{n}"), "y".repeat(100))).collect();
    let borrowed: Vec<(&str, &str)> =
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    whole(out, &borrowed, b"ok");
}

export!(Web);
