//! Attacks on the host from inside a capsule that was installed in good faith: its signature is
//! good, its manifest asks for much, and the grants are real. `expected.toml` says how each ends.
//!
//! An attack returns `Ok` with what it got hold of, or `Err` with what stopped it. A name that is
//! not known traps, so that a misspelt row of the table cannot pass.

mod ambient;
mod cpu;
mod exhaust;
mod files;
mod flood;
mod inject;
mod net;
mod secrets;
mod storage;
mod tools;
mod wait;

wit_bindgen::generate!({ path: "wit", world: "guest" });

/// How an attack ended, in its own words.
type Outcome = Result<String, String>;

struct Attacks;

impl Guest for Attacks {
    fn run(attack: String, argument: String) -> Outcome {
        let (family, name) = attack.split_once('.').unwrap_or((&attack, ""));
        match family {
            "ambient" => ambient::run(name),
            "cpu" => cpu::run(name),
            "exhaust" => exhaust::run(name),
            "files" => files::run(name, &argument),
            "flood" => flood::run(name),
            "inject" => inject::run(name),
            "net" => net::run(name, &argument),
            "secrets" => secrets::run(name, &argument),
            "storage" => storage::run(name, &argument),
            "tools" => tools::run(name, &argument),
            "wait" => wait::run(name, &argument),
            other => panic!("no family of attacks is called {other}"),
        }
    }
}

/// The debug form of what stopped an attack.
fn stopped(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

export!(Attacks);
