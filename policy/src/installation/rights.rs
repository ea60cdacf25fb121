//! What an installation may do: each granted entry beside its declaration, so that a denial can name the layer.

use super::right::{
    BudgetRight, ClocksRight, ConfigRight, EmitRight, FilesRight, HttpRight, KvRight, LoggingRight,
    RandomRight, Right, SecretRight, ServeRight, ToolRight,
};
use crate::amount::Bytes;
use crate::capability::{CapabilityKind, CapabilityRef, ConfigKey, Declarations};
use crate::grant::Grants;
use crate::id::CapsuleName;

/// How an interface is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InterfaceState {
    /// At least one capability of the kind is granted: the view decides by parameters.
    Granted,
    /// All declared ones are optional and left out: a view that only denies.
    Denying,
    /// Nothing is declared: not linked.
    NotDeclared,
}

/// All rights of an installation.
#[derive(Debug)]
pub struct Rights {
    pub(crate) declared: Declarations,
    http: Vec<HttpRight>,
    /// For each http entry the hash of its one origin, or none where it has several: found in one cache line
    /// of eight, instead of by eight entries.
    http_origins: Vec<Option<u64>>,
    secret: Vec<SecretRight>,
    kv: Vec<KvRight>,
    files: Vec<FilesRight>,
    tool: Vec<ToolRight>,
    emit: Vec<EmitRight>,
    config: Option<ConfigRight>,
    clocks: Option<ClocksRight>,
    random: Option<RandomRight>,
    logging: Option<LoggingRight>,
    budget: Option<BudgetRight>,
    serve: Option<ServeRight>,
}

impl Rights {
    /// Pairs each grant with its declaration. A grant without one is left out: `compile` has refused it before.
    pub(super) fn pair(declared: &Declarations, grants: &Grants) -> Self {
        macro_rules! named {
            ($field:ident $kind:ident) => {
                grants
                    .$field
                    .iter()
                    .filter_map(|(name, granted)| {
                        Some(Right {
                            capability: CapabilityRef::named(CapabilityKind::$kind, name.clone()),
                            name: name.clone(),
                            declared: declared.$field.get(name)?.clone(),
                            granted: granted.clone(),
                        })
                    })
                    .collect()
            };
        }
        macro_rules! single {
            ($field:ident $kind:ident) => {
                grants.$field.as_ref().and_then(|granted| {
                    Some(Right {
                        capability: CapabilityRef::of(CapabilityKind::$kind),
                        // INVARIANT: the name of a kind is a slug.
                        name: CapabilityKind::$kind.as_str().parse().ok()?,
                        declared: declared.$field.as_ref()?.clone(),
                        granted: granted.clone(),
                    })
                })
            };
        }
        let http: Vec<HttpRight> = named!(http Http);
        Self {
            http_origins: http.iter().map(|right| right.granted.origin.exact_hash()).collect(),
            http,
            secret: named!(secret Secret),
            kv: named!(kv Kv),
            files: named!(files Files),
            tool: named!(tool Tool),
            emit: named!(emit Emit),
            config: single!(config Config),
            clocks: single!(clocks Clocks),
            random: single!(random Random),
            logging: single!(logging Logging),
            budget: single!(budget Budget),
            serve: single!(serve Serve),
            declared: declared.clone(),
        }
    }

    /// How the interface of a kind is linked.
    #[must_use]
    pub fn interface_state(&self, kind: CapabilityKind) -> InterfaceState {
        if self.is_granted(kind) {
            InterfaceState::Granted
        } else if self.declared.has(kind) {
            InterfaceState::Denying
        } else {
            InterfaceState::NotDeclared
        }
    }

    fn is_granted(&self, kind: CapabilityKind) -> bool {
        match kind {
            CapabilityKind::Http => !self.http.is_empty(),
            CapabilityKind::Secret => !self.secret.is_empty(),
            CapabilityKind::Kv => !self.kv.is_empty(),
            CapabilityKind::Files => !self.files.is_empty(),
            CapabilityKind::Tool => !self.tool.is_empty(),
            CapabilityKind::Emit => !self.emit.is_empty(),
            CapabilityKind::Config => self.config.is_some(),
            CapabilityKind::Clocks => self.clocks.is_some(),
            CapabilityKind::Random => self.random.is_some(),
            CapabilityKind::Logging => self.logging.is_some(),
            CapabilityKind::Budget => self.budget.is_some(),
            CapabilityKind::Serve => self.serve.is_some(),
        }
    }

    /// Each granted capability.
    pub fn granted(&self) -> impl Iterator<Item = &CapabilityRef> {
        fn refs<D, G>(rights: &[Right<D, G>]) -> impl Iterator<Item = &CapabilityRef> {
            rights.iter().map(Right::capability)
        }
        fn of<D, G>(right: &Option<Right<D, G>>) -> impl Iterator<Item = &CapabilityRef> {
            right.iter().map(Right::capability)
        }
        refs(&self.http)
            .chain(refs(&self.secret))
            .chain(refs(&self.kv))
            .chain(refs(&self.files))
            .chain(refs(&self.tool))
            .chain(refs(&self.emit))
            .chain(of(&self.config))
            .chain(of(&self.clocks))
            .chain(of(&self.random))
            .chain(of(&self.logging))
            .chain(of(&self.budget))
            .chain(of(&self.serve))
    }

    /// The http entries that may be about an origin of this hash.
    pub(crate) fn http_about(&self, hash: u64) -> impl Iterator<Item = &HttpRight> {
        let about = move |origin: &Option<u64>| origin.is_none_or(|origin| origin == hash);
        self.http_origins
            .iter()
            .zip(&self.http)
            .filter(move |(origin, _)| about(origin))
            .map(|(_, right)| right)
    }

    /// The http entries.
    #[must_use]
    pub fn http(&self) -> &[HttpRight] {
        &self.http
    }

    /// The secret entries.
    #[must_use]
    pub fn secrets(&self) -> &[SecretRight] {
        &self.secret
    }

    /// The kv entries.
    #[must_use]
    pub fn kv(&self) -> &[KvRight] {
        &self.kv
    }

    /// The files entries.
    #[must_use]
    pub fn files(&self) -> &[FilesRight] {
        &self.files
    }

    /// The tool entries.
    #[must_use]
    pub fn tools(&self) -> &[ToolRight] {
        &self.tool
    }

    /// The emit entries.
    #[must_use]
    pub fn emits(&self) -> &[EmitRight] {
        &self.emit
    }

    /// The config entry.
    #[must_use]
    pub const fn config(&self) -> Option<&ConfigRight> {
        self.config.as_ref()
    }

    /// The keys that may be read.
    #[must_use]
    pub fn config_keys(&self) -> &[ConfigKey] {
        self.config.as_ref().map_or(&[], |right| &right.granted.keys)
    }

    /// The prefix of a kv entry.
    #[must_use]
    pub fn kv_prefix(&self, name: &str) -> Option<&str> {
        self.kv
            .iter()
            .find(|right| right.name.as_str() == name)
            .map(|right| right.granted.prefix.as_str())
    }

    /// Whether clocks are precise.
    #[must_use]
    pub fn precise_clocks(&self) -> bool {
        self.clocks.as_ref().is_some_and(|right| right.declared.precise && right.granted.precise)
    }

    /// Random bytes per call; none where the base amount holds.
    #[must_use]
    pub fn random_per_call(&self) -> Option<Bytes> {
        self.random.as_ref().map(|right| right.declared.per_call.min(right.granted.per_call))
    }

    /// Log bytes per call; none where logging is not granted.
    #[must_use]
    pub fn logging_per_call(&self) -> Option<Bytes> {
        self.logging.as_ref().map(|right| right.declared.per_call.min(right.granted.per_call))
    }

    /// Whether the guest may read its own budget.
    #[must_use]
    pub const fn reads_budget(&self) -> bool {
        self.budget.is_some()
    }

    /// Whether it answers HTTP.
    #[must_use]
    pub const fn serves(&self) -> bool {
        self.serve.is_some()
    }

    /// Whether it answers strangers.
    #[must_use]
    pub fn serves_anonymous(&self) -> bool {
        self.serve.as_ref().is_some_and(|right| right.declared.anonymous && right.granted.anonymous)
    }

    /// The capsules that it may call.
    pub fn tool_capsules(&self) -> impl Iterator<Item = &CapsuleName> {
        self.tool.iter().map(|right| &right.granted.capsule)
    }
}
