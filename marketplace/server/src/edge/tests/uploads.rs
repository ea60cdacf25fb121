//! What publishers send is large: the right and a place are there before a byte of it is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use axum::body::{Body, Bytes};
use http::{Request, Response};
use serde_json::json;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::stage::{Someone, Stage};
use crate::fixture::on_both_databases;

const ROUTES: [&str; 2] = ["/v1/submissions", "/v1/marketplace/publish"];

/// A body that has more and more to say, and how often it was asked.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let bytes = Bytes::from(vec![b' '; 64 * 1024]);
    let stream = futures::stream::poll_fn(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok::<_, std::io::Error>(bytes.clone())))
    });
    (Body::from_stream(stream), asked)
}

/// A body that says that it is being read, and then nothing.
fn stuck(reading: mpsc::UnboundedSender<()>) -> Body {
    let stream = futures::stream::poll_fn(move |_| {
        let _ = reading.send(());
        Poll::<Option<std::io::Result<Bytes>>>::Pending
    });
    Body::from_stream(stream)
}

async fn submit(stage: &Stage, who: &Someone, path: &str, body: Body) -> Response<Body> {
    let request = Request::post(path).header("authorization", format!("Bearer {}", who.token));
    let request = request.header("content-type", "application/json").body(body).unwrap();
    stage.router.clone().oneshot(request).await.unwrap()
}

on_both_databases! {
    async fn who_may_not_publish_is_refused_before_anything_is_read(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        for path in ROUTES {
            let (body, asked) = endless();
            assert_eq!(submit(&stage, &viewer, path, body).await.status(), 403, "{path}");
            assert_eq!(asked.load(Ordering::SeqCst), 0, "{path}");
            // Of who may, it is read: up to its bound.
            let (body, asked) = endless();
            assert_eq!(submit(&stage, &owner, path, body).await.status(), 413, "{path}");
            assert!(asked.load(Ordering::SeqCst) > 800, "{path}");
        }
    }

    async fn one_org_has_only_some_of_the_places_and_gets_them_back(database: TestDatabase) {
        let stage = Arc::new(Stage::empty(database).await);
        let (operator, _) = stage.operator().await;
        let (acme, globex) = (stage.org(&operator, "acme").await, stage.org(&operator, "globex").await);
        let (reading, mut read) = mpsc::unbounded_channel();
        let mut sending = Vec::new();
        for path in ROUTES {
            let (stage, acme, body) = (stage.clone(), acme.clone(), stuck(reading.clone()));
            sending.push(tokio::spawn(async move { submit(&stage, &acme, path, body).await }));
            // It is being read, so its place is taken.
            read.recv().await.unwrap();
        }
        let third = stage.post(ROUTES[0], &acme.token, &json!({})).await;
        assert_eq!(third.header("retry-after"), "1");
        third.refused(429, "SOMA-R001");
        stage.post(ROUTES[0], &globex.token, &json!({})).await.refused(422, "SOMA-H016");
        for task in sending {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        stage.post(ROUTES[0], &acme.token, &json!({})).await.refused(422, "SOMA-H016");
    }
}
