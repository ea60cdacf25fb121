//! How calls end among their files: killed, never recorded, at a limit, waiting for a turn.

use super::call::{call, never_recorded};
use super::guest::{Guest, cut, lend};
use super::{Bench, used};
use crate::capability::tenant::AT_ONCE;
use crate::running::Cut;
use soma_policy::LimitKind;
use soma_wit::standard::filesystem::types::{
    DescriptorFlags, HostDescriptor, OpenFlags, PathFlags,
};
use std::sync::Arc;

#[tokio::test]
async fn a_cut_call_gets_no_answer_at_all() {
    let mut guest = Guest::new("read-write", 1000);
    let file = guest.make("a").await.unwrap();
    let root = guest.root();
    guest.call.gate.running().cut(Cut::Withdrawn);
    let view = &mut guest.view();
    let text = |text: &str| text.to_owned();
    let said = [
        view.write(lend(&file), b"x".to_vec(), 0).await.map(drop),
        view.read(lend(&file), 1, 0).await.map(drop),
        view.set_size(lend(&file), 0).await,
        view.stat(lend(&root)).await.map(drop),
        view.create_directory_at(lend(&root), text("d")).await,
        view.unlink_file_at(lend(&root), text("a")).await,
        view.read_directory(lend(&root)).await.map(drop),
        view.sync(lend(&file)).await,
        view.append_via_stream(lend(&file)).map(drop),
        view.read_via_stream(lend(&file), 0).map(drop),
    ];
    for said in said {
        assert_eq!(cut(said.unwrap_err()), Cut::Withdrawn);
    }
    assert_eq!(guest.bench.used(), used(0, 1));
}

#[tokio::test]
async fn no_change_happens_before_the_start_record_is_durable() {
    let call = never_recorded("read-write", 1000);
    let mut guest = Guest::of(Bench::new(), "read-write", 1000, call);
    let error = guest.make("a").await.unwrap_err();
    assert_eq!(cut(error), Cut::Interrupted);
    assert_eq!(guest.bench.used(), used(0, 0));
}

#[tokio::test]
async fn reading_does_not_wait_for_the_start_record() {
    let bench = Bench::prepared(|host| host.write("f", "content").unwrap());
    let mut guest = Guest::of(bench, "read", 1000, never_recorded("read", 1000));
    let file = guest.look("f").await.unwrap();
    assert_eq!(guest.view().read(file, 100, 0).await.unwrap().0, b"content");
}

#[tokio::test]
async fn a_killed_call_lets_go_of_a_blocked_operation_which_is_listed_until_it_is_done() {
    let guest = Guest::new("read-write", 1000);
    let running = Arc::clone(guest.call.gate.running());
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (go_on, gate) = std::sync::mpsc::channel::<()>();
    let (of, tenant) = (Arc::clone(&running), Arc::clone(&guest.tenant));
    let task = tokio::spawn(async move {
        tenant
            .block(&of, move || {
                begun.send(()).unwrap();
                gate.recv().unwrap();
            })
            .await
    });
    has_begun.await.unwrap();
    running.cut(Cut::Withdrawn);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled(), "the guest does not wait");
    assert_eq!(running.still_draining(), 1);
    go_on.send(()).unwrap();
    while running.still_draining() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_tenant_has_only_so_many_operations_at_once_and_waiting_ends_with_the_call() {
    let guest = Guest::new("read-write", 1000);
    let (first, second) = (call("read", 1), call("read", 1));
    let (go_on, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(parking_lot::Mutex::new(gate));
    let mut holding = Vec::new();
    for _ in 0..AT_ONCE {
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (tenant, gate) = (Arc::clone(&guest.tenant), Arc::clone(&gate));
        let of = Arc::clone(first.gate.running());
        holding.push(tokio::spawn(async move {
            let work = move || {
                begun.send(()).unwrap();
                gate.lock().recv().unwrap();
            };
            tenant.block(&of, work).await
        }));
        has_begun.await.unwrap();
    }
    let of = Arc::clone(second.gate.running());
    let tenant = Arc::clone(&guest.tenant);
    let waiting = tokio::spawn(async move { tenant.block(&of, || panic!("no turn left")).await });
    tokio::task::yield_now().await;
    second.gate.running().cut(Cut::Withdrawn);
    assert!(waiting.await.unwrap().is_err());
    assert_eq!(second.gate.running().still_draining(), 0);
    for _ in &holding {
        go_on.send(()).unwrap();
    }
    for task in holding {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn handles_are_limited_and_closing_gives_them_back() {
    let mut guest = Guest::new("read-write", 100);
    guest.make("a").await.unwrap();
    let root = guest.root();
    let running = Arc::clone(guest.call.gate.running());
    let handles = u64::from(guest.call.rig.limits().handles);
    let before = running.meter.used(LimitKind::Handles);
    let mut opened = 0;
    let ended = loop {
        let (path, none) = (PathFlags::empty(), OpenFlags::empty());
        let view = &mut guest.view();
        let fd = view.open_at(lend(&root), path, "a".to_owned(), none, DescriptorFlags::READ).await;
        match fd {
            Ok(fd) if opened < 100 => {
                // Closed at once: as often as one likes.
                HostDescriptor::drop(view, fd).unwrap();
                assert_eq!(running.meter.used(LimitKind::Handles), before);
            }
            Ok(_) => {}
            Err(error) => break cut(error),
        }
        opened += 1;
    };
    assert_eq!(ended, Cut::Limit(LimitKind::Handles));
    assert_eq!(opened, 100 + handles - before);
}
