//! Granted ⊆ declared, field by field, so that a refusal names the field and the value.

use std::fmt::Display;

use crate::capability::{
    BudgetDeclaration, ClocksDeclaration, ConfigDeclaration, EmitDeclaration, FilesDeclaration,
    HttpDeclaration, KvDeclaration, LoggingDeclaration, RandomDeclaration, SecretDeclaration,
    ServeDeclaration, ToolDeclaration, Transfer,
};
use crate::grant::{
    BudgetGrant, ClocksGrant, ConfigGrant, EmitGrant, FilesGrant, HttpGrant, KvGrant, LoggingGrant,
    RandomGrant, SecretGrant, ServeGrant, ToolGrant,
};

/// A field that is wider than declared: `methods = POST`, and what was declared.
pub(super) struct Wider {
    pub(super) field: &'static str,
    pub(super) granted: String,
    pub(super) declared: String,
}

#[derive(Default)]
pub(super) struct Found(Vec<Wider>);

impl Found {
    fn check(
        &mut self,
        fits: bool,
        field: &'static str,
        granted: impl Display,
        declared: impl Display,
    ) {
        if !fits {
            self.0.push(Wider {
                field,
                granted: granted.to_string(),
                declared: declared.to_string(),
            });
        }
    }

    fn at_most<T: PartialOrd + Display>(&mut self, field: &'static str, granted: T, declared: T) {
        self.check(granted <= declared, field, granted, declared);
    }

    fn transfer(
        &mut self,
        field: &'static str,
        granted: Option<Transfer>,
        declared: Option<Transfer>,
    ) {
        let Some(declared) = declared else { return };
        let fits = granted.is_some_and(|granted| declared.covers(&granted));
        let show = |t: Transfer| format!("request {}, response {}", t.request, t.response);
        self.check(
            fits,
            field,
            granted.map_or_else(|| "no bound".to_owned(), show),
            show(declared),
        );
    }

    fn each<T: Display>(
        &mut self,
        field: &'static str,
        granted: &[T],
        declared: &[T],
        covers: impl Fn(&T, &T) -> bool,
    ) {
        for item in granted {
            let fits = declared.iter().any(|known| covers(known, item));
            self.check(fits, field, item, list(declared));
        }
        self.check(
            !granted.is_empty(),
            field,
            "nothing",
            "at least one; leave the table out instead",
        );
    }
}

fn list<T: Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A grant that can be held against its declaration.
pub(super) trait Narrow<D> {
    fn check(&self, declared: &D, found: &mut Found);

    /// Every field that is wider than declared.
    fn wider(&self, declared: &D) -> Vec<Wider> {
        let mut found = Found::default();
        self.check(declared, &mut found);
        found.0
    }
}

impl Narrow<HttpDeclaration> for HttpGrant {
    fn check(&self, declared: &HttpDeclaration, found: &mut Found) {
        found.check(declared.origin.covers(&self.origin), "origin", &self.origin, &declared.origin);
        found.check(
            declared.methods.covers(self.methods),
            "methods",
            self.methods,
            declared.methods,
        );
        found.each("paths", &self.paths, &declared.paths, |known, path| known.covers(path));
        found.transfer("per_call", self.per_call, declared.per_call);
        found.transfer("per_day", self.per_day, declared.per_day);
    }
}

impl Narrow<SecretDeclaration> for SecretGrant {
    fn check(&self, _: &SecretDeclaration, _: &mut Found) {}
}

impl Narrow<KvDeclaration> for KvGrant {
    fn check(&self, declared: &KvDeclaration, found: &mut Found) {
        found.check(declared.prefix.covers(&self.prefix), "prefix", &self.prefix, &declared.prefix);
        found.check(declared.access.covers(self.access), "access", self.access, declared.access);
        found.at_most("quota", self.quota, declared.quota);
    }
}

impl Narrow<FilesDeclaration> for FilesGrant {
    fn check(&self, declared: &FilesDeclaration, found: &mut Found) {
        found.check(declared.access.covers(self.access), "access", self.access, declared.access);
        found.at_most("quota", self.quota, declared.quota);
        found.at_most("inodes", self.inodes, declared.inodes);
    }
}

impl Narrow<ToolDeclaration> for ToolGrant {
    fn check(&self, declared: &ToolDeclaration, found: &mut Found) {
        found.check(self.capsule == declared.capsule, "capsule", &self.capsule, &declared.capsule);
        found.check(
            declared.version.covers(&self.version),
            "version",
            &self.version,
            &declared.version,
        );
        found.each("functions", &self.functions, &declared.functions, |known, function| {
            known == function
        });
    }
}

impl Narrow<EmitDeclaration> for EmitGrant {
    fn check(&self, declared: &EmitDeclaration, found: &mut Found) {
        found.at_most("per_call", self.per_call, declared.per_call);
        found.at_most("events", self.events, declared.events);
    }
}

impl Narrow<ConfigDeclaration> for ConfigGrant {
    fn check(&self, declared: &ConfigDeclaration, found: &mut Found) {
        found.each("keys", &self.keys, &declared.keys, |known, key| known == key);
    }
}

impl Narrow<ClocksDeclaration> for ClocksGrant {
    fn check(&self, declared: &ClocksDeclaration, found: &mut Found) {
        found.at_most("precise", self.precise, declared.precise);
    }
}

impl Narrow<RandomDeclaration> for RandomGrant {
    fn check(&self, declared: &RandomDeclaration, found: &mut Found) {
        found.at_most("per_call", self.per_call, declared.per_call);
    }
}

impl Narrow<LoggingDeclaration> for LoggingGrant {
    fn check(&self, declared: &LoggingDeclaration, found: &mut Found) {
        found.at_most("per_call", self.per_call, declared.per_call);
    }
}

impl Narrow<BudgetDeclaration> for BudgetGrant {
    fn check(&self, _: &BudgetDeclaration, _: &mut Found) {}
}

impl Narrow<ServeDeclaration> for ServeGrant {
    fn check(&self, declared: &ServeDeclaration, found: &mut Found) {
        found.at_most("anonymous", self.anonymous, declared.anonymous);
    }
}
