//! The command line: global flags and the list of commands. What each takes stands in its own file.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::command::{
    audit, backup, call, capsule, compile_child, completions, constitution, db, doctor, explain,
    host, install, installation, key, kill, ledger, list, login, logs, org, policy, ps, restore,
    review, search, secret, serve, service, show, token, trust, uninstall, unkill, up, upgrade,
    user, version, whoami,
};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Colour, Format};

/// Runs other people's code safely: signed capsules behind a gate that cannot be skipped.
#[derive(Debug, Parser)]
#[command(
    name = "soma",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "Example:\n  soma up\n  soma call csv to-json -a text=@data.csv\n\nEvery command has --help with an example; every error has a code: soma explain SOMA-D012"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The home of this host
    #[arg(long, global = true, env = "SOMA_HOME", value_name = "DIR", default_value = ".soma")]
    pub(crate) home: PathBuf,
    /// The host to talk to; unset: the one that runs from the home
    #[arg(long, global = true, env = "SOMA_HOST", value_name = "URL")]
    pub(crate) host: Option<String>,
    /// How results are printed
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
    /// Say less
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::Up),
    Serve(serve::Serve),
    Login(login::Login),
    Logout(login::Logout),
    Whoami(whoami::Whoami),
    #[command(subcommand, after_help = org::HELP)]
    Org(org::Org),
    #[command(subcommand, after_help = user::HELP)]
    User(user::User),
    #[command(subcommand, after_help = service::HELP)]
    Service(service::Service),
    #[command(subcommand, after_help = host::HELP)]
    Host(host::Host),
    #[command(subcommand, after_help = capsule::HELP)]
    Capsule(capsule::Capsule),
    #[command(subcommand, after_help = key::HELP)]
    Key(key::Key),
    #[command(subcommand, after_help = trust::HELP)]
    Trust(trust::Trust),
    Install(Box<install::Install>),
    Upgrade(upgrade::Upgrade),
    Rollback(upgrade::Rollback),
    Uninstall(uninstall::Uninstall),
    #[command(subcommand, after_help = installation::HELP)]
    Installation(installation::Installation),
    Search(search::Search),
    Ledger(ledger::Ledger),
    #[command(subcommand, after_help = ledger::account::HELP)]
    Account(ledger::account::Account),
    #[command(subcommand, after_help = ledger::budget::HELP)]
    Budget(ledger::budget::Budget),
    #[command(subcommand, after_help = review::HELP)]
    Review(review::Review),
    List(list::List),
    #[command(subcommand, after_help = secret::HELP)]
    Secret(secret::Secret),
    #[command(subcommand, after_help = token::HELP)]
    Token(token::Token),
    Call(call::Call),
    Ps(ps::Ps),
    Logs(logs::Logs),
    Show(show::Show),
    Kill(kill::Kill),
    Unkill(unkill::Unkill),
    #[command(subcommand, after_help = audit::HELP)]
    Audit(audit::Audit),
    #[command(subcommand, after_help = policy::HELP)]
    Policy(policy::Policy),
    #[command(subcommand, after_help = constitution::HELP)]
    Constitution(constitution::Law),
    #[command(subcommand, after_help = db::HELP)]
    Db(db::Db),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Doctor(doctor::Doctor),
    Explain(explain::Explain),
    Completions(completions::Completions),
    Version(version::Version),
    #[command(hide = true)]
    CompileChild(compile_child::CompileChild),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Up(command) => command.run(context),
            Self::Serve(command) => command.run(context),
            Self::Login(command) => command.run(context),
            Self::Logout(command) => command.run(context),
            Self::Whoami(command) => command.run(context),
            Self::Org(command) => command.run(context),
            Self::User(command) => command.run(context),
            Self::Service(command) => command.run(context),
            Self::Host(command) => command.run(context),
            Self::Capsule(command) => command.run(context),
            Self::Key(command) => command.run(context),
            Self::Trust(command) => command.run(context),
            Self::Install(command) => command.run(context),
            Self::Upgrade(command) => command.run(context),
            Self::Rollback(command) => command.run(context),
            Self::Uninstall(command) => command.run(context),
            Self::Installation(command) => command.run(context),
            Self::Search(command) => command.run(context),
            Self::Ledger(command) => command.run(context),
            Self::Account(command) => command.run(context),
            Self::Budget(command) => command.run(context),
            Self::Review(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Secret(command) => command.run(context),
            Self::Token(command) => command.run(context),
            Self::Call(command) => command.run(context),
            Self::Ps(command) => command.run(context),
            Self::Logs(command) => command.run(context),
            Self::Show(command) => command.run(context),
            Self::Kill(command) => command.run(context),
            Self::Unkill(command) => command.run(context),
            Self::Audit(command) => command.run(context),
            Self::Policy(command) => command.run(context),
            Self::Constitution(command) => command.run(context),
            Self::Db(command) => command.run(context),
            Self::Backup(command) => command.run(context),
            Self::Restore(command) => command.run(context),
            Self::Doctor(command) => command.run(context),
            Self::Explain(command) => command.run(context),
            Self::Completions(command) => command.run(context),
            Self::Version(command) => command.run(context),
            // `run::command` has run it: it needs no context.
            Self::CompileChild(_) => Ok(()),
        }
    }
}
