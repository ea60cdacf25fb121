//! The time that the body of a request has in all, however steadily it drips: a bound on each pause alone lets one byte
//! a time hold a place and its memory for hours.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::Sleep;

/// Bodies of every route that says nothing else.
const WHOLE: Duration = Duration::from_secs(120);
/// Bodies with a component: 52 MiB over a slow line.
const WHOLE_LARGE: Duration = Duration::from_secs(600);
/// Routes that take components.
const LARGE: [&str; 2] = ["/v1/submissions", "/v1/marketplace/publish"];

/// A body that must be there in time.
struct Hurried {
    body: Body,
    end: Pin<Box<Sleep>>,
}

/// It was not.
#[derive(Debug, thiserror::Error)]
#[error("the body took too long")]
struct TooSlow;

/// The request with a body that ends in time, or in an error.
pub(super) fn hurried(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let whole = time_for(request.uri().path());
    within(request, whole)
}

fn time_for(path: &str) -> Duration {
    if LARGE.contains(&path) { WHOLE_LARGE } else { WHOLE }
}

fn within(request: Request, whole: Duration) -> Request {
    request.map(|body| Body::new(Hurried { body, end: Box::pin(tokio::time::sleep(whole)) }))
}

impl http_body::Body for Hurried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Asked first: what always has another byte must end as well.
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(TooSlow))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_that_drips_for_ever_ends_in_time() {
        let drops = futures::stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b" "))
        });
        let request = Request::new(Body::from_stream(drops));
        let collected = within(request, Duration::from_millis(50)).into_body().collect();
        let collected = tokio::time::timeout(Duration::from_secs(30), collected).await.unwrap();
        let refused = collected.err().unwrap();
        assert!(refused.to_string().contains("too long"), "{refused}");
    }

    #[test]
    fn components_have_more_time_than_anything_else() {
        assert!(time_for("/v1/submissions") > time_for("/v1/auth/login"));
        assert_eq!(time_for("/v1/marketplace/publish"), time_for("/v1/submissions"));
    }

    #[tokio::test]
    async fn a_body_that_comes_in_time_is_the_same() {
        let request = Request::builder().uri("/v1/auth/login").body(Body::from("{}")).unwrap();
        let whole = hurried(request).into_body();
        assert_eq!(whole.size_hint().exact(), Some(2));
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "{}");
    }
}
