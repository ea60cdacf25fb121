//! The comparison: entry by entry, field by field.

use std::fmt::Display;

use soma_policy::{
    Access, CapabilityRef, Label, LabelSet, Method, MethodSet, OriginPattern, PathPattern, Transfer,
};

use super::entry::{Entry, Right};
use super::words::{access, list, transfer};
use super::{Change, Class, Diff};

/// Every change from one side to the other.
pub(super) fn all(old: &[Entry<'_>], new: &[Entry<'_>]) -> Diff {
    let mut found = Found::default();
    for entry in new {
        found.capability = Some(entry.capability.clone());
        match old.iter().find(|before| before.capability == entry.capability) {
            None => found.wider(format!("may now {}", entry.right.whole())),
            Some(before) => {
                found.optional(before.optional, entry.optional);
                found.right(&before.right, &entry.right);
            }
        }
    }
    for gone in old {
        if !new.iter().any(|entry| entry.capability == gone.capability) {
            found.capability = Some(gone.capability.clone());
            found.narrower(format!("may no longer {}", gone.right.whole()));
        }
    }
    Diff(found.changes)
}

#[derive(Default)]
struct Found {
    capability: Option<CapabilityRef>,
    changes: Vec<Change>,
}

impl Found {
    fn push(&mut self, class: Class, words: String) {
        self.changes.push(Change { capability: self.capability.clone(), class, words });
    }

    fn wider(&mut self, words: String) {
        self.push(Class::Wider, words);
    }

    fn narrower(&mut self, words: String) {
        self.push(Class::Narrower, words);
    }

    /// What could be left out and cannot any longer asks for more.
    fn optional(&mut self, before: bool, now: bool) {
        match (before, now) {
            (true, false) => self.wider("can no longer be left out".to_owned()),
            (false, true) => self.narrower("may now be left out".to_owned()),
            _ => {}
        }
    }

    /// A number or a switch: more is wider.
    fn more<T: PartialOrd>(&mut self, before: T, now: T, words: impl Fn(&T, &T) -> String) {
        if now > before {
            let words = words(&now, &before);
            self.wider(words);
        } else if now < before {
            let words = words(&now, &before);
            self.narrower(words);
        }
    }

    /// A set of things: what is new is wider, what is gone is narrower. `covers` tells what is in a set already.
    fn set<T: Display>(
        &mut self,
        before: &[T],
        now: &[T],
        covers: impl Fn(&T, &T) -> bool,
        verb: &str,
    ) {
        let beyond = |set: &[T], of: &[T]| -> Vec<String> {
            let in_set = |item: &T| set.iter().any(|known| covers(known, item));
            of.iter().filter(|item| !in_set(item)).map(ToString::to_string).collect()
        };
        let (added, gone) = (beyond(before, now), beyond(now, before));
        if !added.is_empty() {
            self.wider(format!("may now also {verb} {}", list(added)));
        }
        if !gone.is_empty() {
            self.narrower(format!("may no longer {verb} {}", list(gone)));
        }
    }

    /// A pattern: what covers the other is wider; neither covering the other is both.
    fn pattern<T: Display>(
        &mut self,
        before: &T,
        now: &T,
        covers: impl Fn(&T, &T) -> bool,
        verb: &str,
    ) {
        if !covers(before, now) {
            self.wider(format!("may now {verb} {now}, was {before}"));
        }
        if !covers(now, before) {
            self.narrower(format!("may no longer {verb} all of {before}, only {now}"));
        }
    }

    fn access(&mut self, before: Access, now: Access, what: &str) {
        if !before.covers(now) {
            self.wider(format!("may now {} {what}, could {}", access(now), access(before)));
        }
        if !now.covers(before) {
            self.narrower(format!("may no longer {} {what}, only {}", access(before), access(now)));
        }
    }

    fn labels(&mut self, before: LabelSet, now: LabelSet) {
        let (before, now): (Vec<Label>, Vec<Label>) =
            (before.iter().collect(), now.iter().collect());
        self.set(&before, &now, |a, b| a == b, "be sent data that is");
    }

    fn transfers(&mut self, before: Option<Transfer>, now: Option<Transfer>, per: &str) {
        let covers = |outer: Option<Transfer>, inner: Option<Transfer>| match (outer, inner) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(outer), Some(inner)) => outer.covers(&inner),
        };
        if !covers(before, now) {
            self.wider(format!("may now {} per {per}, could {}", transfer(now), transfer(before)));
        }
        if !covers(now, before) {
            let (now, before) = (transfer(now), transfer(before));
            self.narrower(format!("may no longer {before} per {per}, only {now}"));
        }
    }

    /// Something that is one thing or another: another one asks for more.
    fn same<T: PartialEq>(&mut self, before: &T, now: &T, words: impl FnOnce() -> String) {
        if before != now {
            self.wider(words());
        }
    }

    fn right(&mut self, before: &Right<'_>, now: &Right<'_>) {
        use Right::{
            Budget, Clocks, Config, Emit, Files, Http, Kv, Logging, Random, Secret, Serve, Tool,
        };
        match (before, now) {
            (
                Http { clears: c0, methods: m0, origin: o0, paths: p0, per_call: a0, per_day: d0 },
                Http { clears: c1, methods: m1, origin: o1, paths: p1, per_call: a1, per_day: d1 },
            ) => {
                self.http(o0, o1, (*m0, p0), (*m1, p1));
                self.transfers(*a0, *a1, "call");
                self.transfers(*d0, *d1, "day");
                self.labels(*c0, *c1);
            }
            (Secret { place: p0, from: f0 }, Secret { place: p1, from: f1 }) => {
                self.same(p0, p1, || format!("may now {}, in another place", now.whole()));
                self.same(f0, f1, || format!("may now {}", now.whole()));
            }
            (
                Kv { access: a0, clears: c0, prefix: p0, quota: q0 },
                Kv { access: a1, clears: c1, prefix: p1, quota: q1 },
            ) => {
                self.access(*a0, *a1, "the store");
                self.pattern(*p0, *p1, |a, b| a.covers(b), "use keys below");
                self.more(*q0, *q1, |now, was| format!("may now keep {now}, was {was}"));
                self.labels(*c0, *c1);
            }
            (
                Files { access: a0, clears: c0, inodes: i0, mount: m0, quota: q0 },
                Files { access: a1, clears: c1, inodes: i1, mount: m1, quota: q1 },
            ) => {
                self.access(*a0, *a1, "the files");
                self.same(m0, m1, || format!("may now {}, in another place", now.whole()));
                self.more(*q0, *q1, |now, was| format!("may now keep {now}, was {was}"));
                self.more(*i0, *i1, |now, was| format!("may now keep {now} files, was {was}"));
                self.labels(*c0, *c1);
            }
            (
                Tool { capsule: c0, functions: f0, installation: i0, version: v0 },
                Tool { capsule: c1, functions: f1, installation: i1, version: v1 },
            ) => {
                self.same(c0, c1, || format!("may now call {c1} instead of {c0}"));
                self.set(f0, f1, |a, b| a == b, "call");
                self.pattern(*v0, *v1, |a, b| a.covers(b), "call versions");
                self.same(i0, i1, || format!("may now {}, in another installation", now.whole()));
            }
            (Emit { events: e0, per_call: p0 }, Emit { events: e1, per_call: p1 }) => {
                self.more(*e0, *e1, |now, was| {
                    format!("may now emit {now} events per call, was {was}")
                });
                self.more(*p0, *p1, |now, was| format!("may now emit {now} per call, was {was}"));
            }
            (Config { keys: k0 }, Config { keys: k1 }) => {
                self.set(k0, k1, |a, b| a == b, "read the settings");
            }
            (Clocks { precise: p0 }, Clocks { precise: p1 }) => {
                self.more(*p0, *p1, |_, _| format!("may now {}", now.whole()));
            }
            (Random { per_call: p0 }, Random { per_call: p1 })
            | (Logging { per_call: p0 }, Logging { per_call: p1 }) => {
                self.more(*p0, *p1, |_, was| format!("may now {}, was {was}", now.whole()));
            }
            (Serve { anonymous: a0 }, Serve { anonymous: a1 }) => {
                self.more(*a0, *a1, |_, _| format!("may now {}", now.whole()));
            }
            (Budget, Budget) => {}
            // The kind is part of the reference that both were found by.
            _ => self.wider(format!("may now {}", now.whole())),
        }
    }

    /// Origin, methods and paths belong together: where the origin changes, all of it is said anew.
    fn http(
        &mut self,
        before: &OriginPattern,
        now: &OriginPattern,
        (old_methods, old_paths): (MethodSet, &[PathPattern]),
        (methods, paths): (MethodSet, &[PathPattern]),
    ) {
        self.pattern(before, now, |a, b| a.covers(b), "reach");
        let places = |paths: &[PathPattern]| list(paths.iter().map(|path| format!("{now}{path}")));
        let beyond = |set: MethodSet, of: MethodSet| -> Vec<Method> {
            of.iter().filter(|method| !set.allows(*method)).collect()
        };
        let added = beyond(old_methods, methods);
        if !added.is_empty() {
            self.wider(format!("may now also {} to {}", list(added), places(paths)));
        }
        let gone = beyond(methods, old_methods);
        if !gone.is_empty() {
            self.narrower(format!("may no longer {} to {}", list(gone), places(paths)));
        }
        self.set(old_paths, paths, |a, b| a.covers(b), "reach the paths");
    }
}
