//! What a right means, for people who have to agree to it.

use soma_policy::{Access, Transfer};

use super::entry::Right;

pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

pub(super) fn access(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::ReadWrite => "read and write",
    }
}

pub(super) fn transfer(transfer: Option<Transfer>) -> String {
    match transfer {
        Some(Transfer { request, response }) => format!("send {request} and receive {response}"),
        None => "send and receive without a bound of its own".to_owned(),
    }
}

impl Right<'_> {
    /// The whole right, as what follows "may".
    pub(super) fn whole(&self) -> String {
        match self {
            Self::Http { methods, origin, paths, .. } => {
                let places = list(paths.iter().map(|path| format!("{origin}{path}")));
                format!("{methods} {places}")
            }
            Self::Secret { place: Some(place), .. } => {
                format!("have a secret placed into requests of http.{}", place.http)
            }
            Self::Secret { from: Some(from), .. } => format!("have the secret `{from}` placed"),
            Self::Secret { .. } => "have a secret placed".to_owned(),
            Self::Kv { access: how, prefix, quota, .. } => {
                format!("{} keys below `{prefix}`, up to {quota}", access(*how))
            }
            Self::Files { access: how, inodes, mount, quota, .. } => {
                let place = mount.map(|mount| format!(" at {mount}")).unwrap_or_default();
                format!("{} files{place}, up to {quota} in {inodes} files", access(*how))
            }
            Self::Tool { capsule, functions, version, .. } => {
                format!("call {} of {capsule} {version}", list(*functions))
            }
            Self::Emit { events, per_call } => {
                format!("emit {events} events of {per_call} together per call")
            }
            Self::Config { keys } => format!("read the settings {}", list(*keys)),
            Self::Clocks { precise: true } => "read precise clocks".to_owned(),
            Self::Clocks { precise: false } => "read coarse clocks".to_owned(),
            Self::Random { per_call } => format!("draw {per_call} of random bytes per call"),
            Self::Logging { per_call } => format!("write {per_call} of log per call"),
            Self::Budget => "read what the call may still spend".to_owned(),
            Self::Serve { anonymous: true } => {
                "answer strangers on a host name of its own".to_owned()
            }
            Self::Serve { anonymous: false } => {
                "answer requests with a token on a host name of its own".to_owned()
            }
        }
    }
}
