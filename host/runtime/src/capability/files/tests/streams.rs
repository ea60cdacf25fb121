//! Streams over files, and what becomes of them.

use super::guest::Guest;
use super::used;
use crate::running::Cut;
use soma_policy::Code;
use soma_wit::standard::filesystem::types::{ErrorCode, Host as _};
use wasmtime_wasi_io::streams::StreamError;

#[tokio::test]
async fn streams_write_and_read_what_they_are_given() {
    let mut guest = Guest::new("read-write", 1 << 20);
    let file = guest.make("a").await.unwrap();
    let mut out = guest.output(&file);
    let chunk = bytes::Bytes::from(vec![7u8; 50_000]);
    for _ in 0..3 {
        out.blocking_write_and_flush(chunk.clone()).await.unwrap();
    }
    assert_eq!(guest.bench.used(), used(150_000, 1));
    let mut input = guest.input(&file);
    let mut total = 0;
    loop {
        match input.blocking_read(usize::MAX).await {
            Ok(bytes) => {
                assert!(bytes.iter().all(|byte| *byte == 7));
                total += bytes.len();
            }
            Err(StreamError::Closed) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(total, 150_000);
}

#[tokio::test]
async fn a_stream_over_the_quota_fails_once_with_its_code_and_is_closed() {
    let mut guest = Guest::new("read-write", 10);
    let file = guest.make("a").await.unwrap();
    let mut out = guest.output(&file);
    let error = out.blocking_write_and_flush(vec![1; 11].into()).await;
    let Err(StreamError::LastOperationFailed(error)) = error else {
        panic!("a failed operation, not {error:?}");
    };
    let error = guest.table.push(error).unwrap();
    let told = guest.view().filesystem_error_code(error).unwrap();
    assert_eq!(told, Some(ErrorCode::Quota));
    assert!(matches!(out.check_write(), Err(StreamError::Closed)));
    assert_eq!(guest.denials(), [Code::FilesQuota]);
    assert_eq!(guest.bench.used(), used(0, 1));
}

#[tokio::test]
async fn a_dropped_stream_finishes_what_it_took() {
    let mut guest = Guest::new("read-write", 100);
    let file = guest.make("a").await.unwrap();
    let mut out = guest.output(&file);
    assert!(out.check_write().unwrap() > 5);
    out.write(b"taken".to_vec().into()).unwrap();
    out.cancel().await;
    assert_eq!(guest.bench.host.read("a").unwrap(), b"taken");
}

#[tokio::test]
async fn a_stream_of_a_cut_call_writes_nothing_more() {
    let mut guest = Guest::new("read-write", 100);
    let file = guest.make("a").await.unwrap();
    let mut out = guest.output(&file);
    guest.call.gate.running().cut(Cut::Withdrawn);
    let error = out.blocking_write_and_flush(b"late".to_vec().into()).await;
    assert!(matches!(error, Err(StreamError::Trap(_))));
    assert_eq!(guest.bench.host.read("a").unwrap(), b"");
}
