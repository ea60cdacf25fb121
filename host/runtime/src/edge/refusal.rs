//! The problems that routes answer with, for the document: each set is named once and listed by its routes.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $what:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(problem($status, $what)),*].into()
            }
        }
    )*};
}

refusals! {
    /// Routes that a token opens.
    Token {
        "401": "no token, or one that is not taken",
        "403": "the token does not hold the right",
    }
    /// Routes with parameters in the query.
    Query {
        "400": "the cursor does not parse",
        "422": "a parameter is unknown or does not fit",
    }
    /// Routes that name one thing.
    Named {
        "404": "there is no such thing, or not for this token",
    }
    /// Removing what an installation kept.
    Purge {
        "404": "no such id",
        "409": "it is installed",
        "429": "a call of it has not ended; `Retry-After`",
        "500": "a store failed",
    }
    /// A call.
    Call {
        "400": "the body is not JSON",
        "402": "no money or quota is left",
        "403": "refused before it began, or ended by a denial or a kill order",
        "404": "no such installation or function",
        "406": "neither JSON nor a stream of events is wanted",
        "409": "a call with this key ran, runs, or may have run; `Location` names it",
        "413": "the body is too large",
        "415": "the body is not application/json",
        "422": "the arguments do not fit, the guest failed, or it met a limit",
        "429": "no slot is free; `Retry-After`",
        "503": "interrupted, or the host failed",
    }
    /// Documents of the kill switch.
    Document {
        "403": "no operator signed it",
        "409": "the lift names another document or too low a version",
        "413": "the body is too large",
        "422": "it is not such a document",
        "503": "the host keeps as many orders as it can",
    }
}

fn problem(status: &str, what: &str) -> (String, RefOr<Response>) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
    let response =
        ResponseBuilder::new().description(what).content("application/problem+json", content);
    (status.to_owned(), response.build().into())
}
