//! Guests written as component text: some are refused before they are installed, the others called.

use soma_tests::{Finished, TestHost};

use super::judge::Got;
use super::place::Place;
use super::table::Row;

/// Tries to install a package that must be refused.
pub(crate) async fn refused(row: &Row, place: &Place) -> Got {
    let package = place.forge.wat(row);
    let path = package.write(&place.range.home.beside("refused"), &row.name).unwrap();
    let install = place.range.home.soma().unwrap().args(["install"]).args([path]);
    of_install(&install.args(["--as", &row.name]).finish().await.unwrap())
}

pub(crate) async fn called(row: &Row, host: &TestHost) -> Got {
    let arguments = serde_json::Value::Object(row.args.clone());
    match host.call(&row.name, "run", &arguments).await {
        Ok(reply) => Got::of_call(host, &reply).await,
        Err(error) => Got::nothing(&error.to_string()),
    }
}

/// The refusal of a command, with the code that it named.
pub(crate) fn of_install(finished: &Finished) -> Got {
    let said = finished.said();
    let code = said
        .split(|c: char| c != '-' && !c.is_ascii_alphanumeric())
        .find(|w| w.starts_with("SOMA-"));
    let mut got = Got::refused(code.unwrap_or_default(), said.clone());
    if finished.code == 0 {
        got.kind = "installed".to_owned();
    }
    got
}
