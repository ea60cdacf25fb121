//! Who may do what, how much, and the record of it.
//!
//! Everything here is a pure rule over values: patterns, grants, limits, decisions, receipts and kill
//! orders. The crate does no I/O, reads no clock, draws no randomness and starts no task: time, ids and
//! file contents come in as values, so that each rule can be tested in microseconds and replayed.
//!
//! The one-way flow is `InstallationSpec` → [`Installation::compile`] → [`authorise()`] → [`Authorised`],
//! and a host call is a canonical request that an [`Authorised`] permits or denies with a [`Denial`].
#![forbid(unsafe_code)]

mod amount;
mod audit;
mod authorise;
pub mod canonical;
mod capability;
mod cedar;
mod code;
mod decide;
mod denial;
pub mod feed;
#[cfg(test)]
mod fixture;
mod grant;
mod id;
mod installation;
mod kill;
mod limits;
mod outcome;
mod pattern;
pub mod price;
mod problem;
mod receipt;
mod request;
mod suggest;
mod text;

pub use amount::{AmountError, Bytes, Currency, Millis, Money, Period, Rate};
pub use audit::{AuditEvent, AuditKind};
pub use authorise::{Authorised, CallScope, Caller, TOOL_DEPTH_MAX, authorise};
pub use canonical::CanonicalError;
pub use capability::{
    Access, BudgetDeclaration, CapabilityKind, CapabilityRef, ClocksDeclaration, ConfigDeclaration,
    ConfigKey, Declarations, EmitDeclaration, FilesDeclaration, GuestPath, HttpDeclaration,
    KvDeclaration, Label, LabelSet, LoggingDeclaration, RandomDeclaration, SecretDeclaration,
    SecretPlace, SecretSlot, ServeDeclaration, ToolDeclaration, Transfer,
};
pub use cedar::{
    OperatorPolicy, POLICY_SCHEMA, Peer, PeerMap, PolicyError, PolicySources, PolicyText,
    STARTER_LIMITS, STARTER_POLICY,
};
pub use code::{Code, CodeEntry};
pub use denial::{Denial, Layer};
pub use grant::{
    BudgetGrant, ClocksGrant, ConfigGrant, EmitGrant, FilesGrant, Grants, HttpGrant, KvGrant,
    LoggingGrant, RandomGrant, SecretGrant, ServeGrant, ToolGrant,
};
pub use id::{
    AccountId, BootId, CallId, CapabilityName, CapsuleName, Digest, EntryId, EnvironmentId,
    Fingerprint, FunctionName, HostId, IdError, InstallationId, InstallationKey, InvitationId,
    JournalId, KeyId, LeaseId, OrderId, OrgId, PayoutId, PublisherName, RegionId, SecretName,
    ServiceId, SessionId, SubmissionId, TaxName, Timestamp, TokenId, TransferId, Uptime, UserId,
};
pub use installation::{
    Budget, BudgetRight, CapsuleFacts, ClocksRight, ConfigRight, EmitRight, FilesRight, HttpRight,
    Installation, InstallationSpec, InterfaceState, KvRight, LoggingRight, OfferSpec, OnUpdate,
    RandomRight, Right, Rights, SecretRight, ServeRight, ToolRight,
};
pub use kill::{
    DocumentKey, KillError, KillOrder, KillScope, KillSet, KillState, KillSubject, Lift,
    LiftReason, Operator, Operators, OperatorsError, OrderStatus, Reason, SUSPENSION, ScopeError,
    Severity, Signed, Standing,
};
pub use limits::{Limits, LimitsAsk};
pub use outcome::{LimitKind, Outcome};
pub use pattern::{
    HostPattern, IpRule, KeyPrefix, Method, MethodSet, Origin, OriginPattern, PathPattern,
    PatternError, Scheme, VersionRange, peer_is_public,
};
pub use problem::ProblemBody;
pub use receipt::{
    BootRecord, CallFacts, DenialSummary, FeedPosition, JournalEntry, KillRecord, LeaseEvent,
    LeaseGiven, LeaseRecord, Receipt, StartRecord, UptimeMark, Usage, UsageMark,
};
pub use request::{
    ConfigRequest, EmitRequest, FileOp, FileRequest, HostAction, HostCall, HttpRequest,
    KvOperation, KvRequest, SecretRequest, ToolRequest,
};
pub use suggest::{did_you_mean, explain_serde, suggest};
pub use text::decimal;
