//! `soma db status|migrate|move`: the server's database, from outside of the server.
//!
//! Addresses of PostgreSQL hold passwords: one with a password comes from the environment and never from the
//! command line.

use serde_json::{Value, json};
use soma_policy::Code;
use soma_server::continuity::{
    DatabaseStatus, MoveReport, TableMoved, back_out, database_status, migrate_database,
    move_to_postgres,
};
use soma_server::{ServerConfig, SystemClock};

use crate::asking::given;
use crate::confirm::Consent;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, Table};
use crate::roles::server::configuration;
use crate::run::block_on;

pub(crate) const HELP: &str = "Example:\n  soma db status\n  soma db migrate\n  soma db move --to postgres://soma_owner@db.internal/soma";

/// The variable that names the owner of a PostgreSQL database.
const OWNER: &str = "SOMA_DATABASE_OWNER_URL";

/// See, update and move the server's database
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Db {
    Status(Status),
    Migrate(Migrate),
    Move(Move),
}

/// Show which database the server uses, its schema, and how much is in it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma db status\n  soma db status --output json")]
pub(crate) struct Status {}

/// Bring the database's schema to this version
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma db migrate\n\nOn PostgreSQL the owner changes the schema: set SOMA_DATABASE_OWNER_URL."
)]
pub(crate) struct Migrate {}

/// Move everything from SQLite into an empty PostgreSQL database
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma db move --to postgres://soma_owner@db.internal/soma\n  SOMA_DATABASE_OWNER_URL=postgres://… soma db move\n  soma db move --back-out --yes\n\nThe server waits with writes meanwhile, and the file is closed afterwards. All of it arrives, proven, or nothing does."
)]
pub(crate) struct Move {
    /// The owner's address, without a password; unset: SOMA_DATABASE_OWNER_URL
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Let the SQLite file count again, after a move that is not to be finished
    #[arg(long, conflicts_with = "to")]
    back_out: bool,
    #[command(flatten)]
    consent: Consent,
}

impl Db {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let config = configuration(context.home_path())?;
        match self {
            Self::Status(_) => {
                let status = block_on(async { Ok(database_status(&config).await?) })?;
                Ok(context.out.report(&told(&status))?)
            }
            Self::Migrate(_) => migrate(context, &config),
            Self::Move(it) if it.back_out => it.back_out(context, &config),
            Self::Move(it) => it.run(context, &config),
        }
    }
}

fn told(status: &DatabaseStatus) -> Report {
    let DatabaseStatus { kind, step, known, closed, tables, streams } = status;
    let mut text = format!("{kind} · schema step {step} of {known}");
    if *closed {
        text.push_str(" · closed: its data was moved to PostgreSQL");
    } else if step < known {
        text.push_str(" · next: soma db migrate");
    }
    text.push('\n');
    for stream in streams {
        text.push_str(&format!("{} {} of epoch {}\n", stream.stream, stream.seq, stream.epoch));
    }
    let mut table = Table::new(&["TABLE", "ROWS"]);
    for (name, rows) in tables {
        table.row([name.clone(), rows.to_string()]);
    }
    text.push_str(&table.text(""));
    let streams: Vec<Value> = streams
        .iter()
        .map(|it| {
            json!({ "stream": it.stream, "epoch": it.epoch.to_string(), "seq": it.seq.to_string() })
        })
        .collect();
    let rows: serde_json::Map<String, Value> =
        tables.iter().map(|(name, rows)| (name.clone(), json!(rows.to_string()))).collect();
    let value = json!({
        "kind": kind, "step": step, "known": known, "closed": closed, "tables": rows, "streams": streams,
    });
    Report::new("soma.db.status.v1", value, text)
}

fn migrate(context: &Context, config: &ServerConfig) -> Result<(), Failure> {
    let progress = context.out.progress("bringing the schema up to date");
    let steps = block_on(async { Ok(migrate_database(config, &SystemClock).await?) });
    drop(progress);
    let (before, now) = steps?;
    let text = if before == now {
        format!("the schema is at step {now} already")
    } else {
        format!("the schema went from step {before} to step {now}")
    };
    let value = json!({ "from": before, "to": now });
    Ok(context.out.report(&Report::new("soma.db.migrate.v1", value, text))?)
}

impl Move {
    fn run(self, context: &Context, config: &ServerConfig) -> Result<(), Failure> {
        let owner = owner(self.to)?;
        let told = |table: &TableMoved| {
            context.out.note(format!("moved {} · {} rows", table.table, table.rows));
        };
        let report = block_on(async {
            let mut told = told;
            Ok(move_to_postgres(config, &owner, &SystemClock, &mut told).await?)
        })?;
        Ok(context.out.report(&moved(&report))?)
    }

    fn back_out(self, context: &Context, config: &ServerConfig) -> Result<(), Failure> {
        self.consent.require(
            "If the data is in PostgreSQL already, two databases would both count. Let the SQLite file count again?",
        )?;
        block_on(async { Ok(back_out(config).await?) })?;
        let text = "the SQLite file counts again · do not use the PostgreSQL database";
        Ok(context.out.report(&Report::new("soma.db.back-out.v1", json!({}), text))?)
    }
}

fn owner(to: Option<String>) -> Result<String, Failure> {
    let Some(url) = to else {
        return given(OWNER).ok_or_else(|| {
            Failure::new(Code::Usage, "where to is not said")
                .fix(format!("--to postgres://OWNER@HOST/DATABASE, or set {OWNER}"))
        });
    };
    let parsed = url::Url::parse(&url).ok();
    let fits = parsed.as_ref().filter(|it| matches!(it.scheme(), "postgres" | "postgresql"));
    let Some(parsed) = fits else {
        return Err(Failure::new(Code::Usage, "`--to` is not an address of PostgreSQL")
            .fix("--to postgres://OWNER@HOST/DATABASE"));
    };
    if parsed.password().is_some() || parsed.query_pairs().any(|(name, _)| name == "password") {
        let what = "a password on the command line is seen by every process of this machine";
        return Err(Failure::new(Code::Usage, what)
            .fix(format!("set {OWNER}, or PGPASSWORD beside an address without it")));
    }
    Ok(url)
}

fn moved(report: &MoveReport) -> Report {
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    let mut text = format!("moved {rows} rows in {} tables, each compared\n", report.tables.len());
    for chain in &report.chains {
        text.push_str(&format!("{} chain sound · {} links\n", chain.chain, chain.entries));
    }
    text.push_str(
        "the SQLite file is closed · next: set SOMA_DATABASE_URL and SOMA_DATABASE_WORKER_URL and start the server",
    );
    let value = json!({ "tables": report.tables, "chains": report.chains });
    Report::new("soma.db.move.v1", value, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused_on_the_command_line() {
        let ask = |url: &str| owner(Some(url.to_owned()));
        assert_eq!(ask("postgres://soma@db/soma").unwrap(), "postgres://soma@db/soma");
        for bad in ["postgres://soma:geheim@db/x", "postgres://db/x?password=geheim"] {
            let refused = ask(bad).unwrap_err();
            assert_eq!(refused.exit(), 2);
            assert!(!refused.to_string().contains("geheim"), "{refused}");
        }
        for bad in ["", "mysql://db/x", "/tmp/x.db"] {
            assert!(ask(bad).is_err(), "{bad}");
        }
    }
}
