//! The `soma/hello-http` capsule: a small web application behind `wasi:http/incoming-handler`.
//! `/` is a page, `/echo` says as JSON what reached the capsule, `/upper` streams a body back in
//! capitals as it arrives. It keeps nothing and calls nobody.

mod echo;
mod page;
mod reply;

use soma_sdk::bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};

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
        package soma-library:hello-http@0.1.0;
        world hello-http {
            export wasi:http/incoming-handler@0.2.12;
        }
    ",
    world: "soma-library:hello-http/hello-http",
    with: {
        "wasi:io/error@0.2.12": soma_sdk::bindings::wasi::io::error,
        "wasi:io/poll@0.2.12": soma_sdk::bindings::wasi::io::poll,
        "wasi:io/streams@0.2.12": soma_sdk::bindings::wasi::io::streams,
        "wasi:clocks/monotonic-clock@0.2.12": soma_sdk::bindings::wasi::clocks::monotonic_clock,
        "wasi:http/types@0.2.12": soma_sdk::bindings::wasi::http::types,
    },
});

struct Hello;

impl exports::wasi::http::incoming_handler::Guest for Hello {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_else(|| "/".to_owned());
        let path = target.split('?').next().unwrap_or("/");
        match (request.method(), path) {
            (Method::Get | Method::Head, "/") => {
                reply::whole(out, 200, "text/html; charset=utf-8", page::HTML)
            }
            (Method::Get | Method::Post | Method::Put, "/echo") => {
                echo::describe(&request, &target, out)
            }
            (Method::Post, "/upper") => echo::upper(&request, out),
            (_, "/" | "/echo" | "/upper") => {
                reply::problem(out, 405, "this path takes another method")
            }
            _ => reply::problem(out, 404, "there is nothing here"),
        }
    }
}

export!(Hello);
