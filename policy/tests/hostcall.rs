//! The promise of a host-call decision: with 64 grants it allocates nothing when it permits.
#![expect(clippy::unwrap_used, reason = "in a test, what is missing fails the test")]

use soma_policy::{
    ConfigRequest, EmitRequest, FileOp, FileRequest, HostCall, HttpRequest, KvOperation, KvRequest,
    LabelSet, SecretRequest, ToolRequest,
};

#[path = "hostcall/wide.rs"]
mod wide;
use wide::{call, decide};

#[test]
fn a_permit_with_64_grants_allocates_nothing() {
    let (policy, call) = call();
    // The last of 64, so that every entry is looked at.
    let http = HttpRequest::canonical("https", "h63.example.org", "/repos/acme/web/issues", "GET")
        .unwrap();
    let kv = KvRequest::new("k63", KvOperation::Set, "p63/key");
    let files = FileRequest::canonical(FileOp::Write, "/m63/a/b").unwrap();
    let tool = ToolRequest::new("t63", "run", LabelSet::EMPTY);
    let (secret, emit, config) =
        (SecretRequest::new("s63"), EmitRequest::new("e63"), ConfigRequest::new("b"));
    let counted = allocation_counter::measure(|| {
        decide(&policy, &call, &HostCall::Http(&http), call.http(&http).ok());
        decide(&policy, &call, &HostCall::Kv(&kv), call.kv(&kv).ok());
        decide(&policy, &call, &HostCall::Files(&files), call.files(&files).ok());
        decide(&policy, &call, &HostCall::Tool(&tool), call.tool(&tool).ok());
        decide(&policy, &call, &HostCall::Secret(&secret), call.secret(&secret).ok());
        decide(&policy, &call, &HostCall::Emit(&emit), call.emit(&emit).ok());
        decide(&policy, &call, &HostCall::Config(&config), call.config(&config).ok());
    });
    assert_eq!(counted.count_total, 0);
    // The counter counts: a denial is made of text.
    let refused = HttpRequest::canonical("https", "other.example", "/", "GET").unwrap();
    assert!(allocation_counter::measure(|| drop(call.http(&refused).unwrap_err())).count_total > 0);
}
