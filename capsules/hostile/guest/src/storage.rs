//! Reaching beyond the prefix, the access and the quota of a key-value grant.

use soma_sdk::bindings::wasi::keyvalue::{atomics, batch};
use soma_sdk::kv;

use crate::{Outcome, stopped};

pub(crate) fn run(name: &str, argument: &str) -> Outcome {
    match name {
        "other-store" => kv::open(argument).map(|_| "opened".to_owned()).map_err(stopped),
        "outside-read" => {
            let found = kv::open("box").map_err(stopped)?.get(argument).map_err(stopped)?;
            Ok(format!("{found:?}"))
        }
        "outside-write" => written(kv::open("box").map_err(stopped)?.set(argument, b"x")),
        "outside-increment" => {
            let bucket = kv::open("box").map_err(stopped)?;
            atomics::increment(&bucket, argument, 1).map(|n| n.to_string()).map_err(stopped)
        }
        // One good key, one bad: neither may be written.
        "outside-batch" => {
            let bucket = kv::open("box").map_err(stopped)?;
            let pairs = [("box/good".to_owned(), vec![1]), (argument.to_owned(), vec![1])];
            let refused = batch::set_many(&bucket, &pairs);
            match bucket.exists("box/good").map_err(stopped)? {
                true => Ok("half a batch was written".to_owned()),
                false => written(refused),
            }
        }
        "read-only" => written(kv::open("mirror").map_err(stopped)?.set("mirror/a", b"x")),
        "quota" => {
            let bucket = kv::open("box").map_err(stopped)?;
            for n in 0..100_000 {
                bucket.set(&format!("box/{n}"), &[0; 1024]).map_err(stopped)?;
            }
            Ok("100 MB written".to_owned())
        }
        "long-key" => written(
            kv::open("box").map_err(stopped)?.set(&format!("box/{}", "k".repeat(100_000)), b"x"),
        ),
        // Said by one tenant and asked by another: what is there must not be seen.
        "say" => written(kv::open("box").map_err(stopped)?.set("box/said", argument.as_bytes())),
        "hear" => match kv::open("box").map_err(stopped)?.get("box/said").map_err(stopped)? {
            Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            None => Err("nothing was heard".to_owned()),
        },
        other => panic!("no attack is called storage.{other}"),
    }
}

fn written(result: Result<(), kv::Error>) -> Outcome {
    result.map(|()| "written".to_owned()).map_err(stopped)
}
