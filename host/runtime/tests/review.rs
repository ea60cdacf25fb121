//! Behaviour review with real guests: the library's and hostile ones.

#[cfg(test)]
mod review {
    use std::sync::Arc;

    use soma_capsule::{KeyPair, TrustStore, UnverifiedPackage};
    use soma_host::clock::SystemClock;
    use soma_host::review::{Probe, Reviewer};
    use soma_policy::feed::{Passport, Scenario};
    use soma_policy::{Code, Digest, HostId};
    use soma_tests::package::Package;
    use soma_tests::{binary, guests};

    fn probe(component: &[u8], manifest: &str) -> Probe {
        let key = KeyPair::generate().unwrap();
        let Package { component, bundle } = Package::new(component, manifest, &key).unwrap();
        let mut trust = TrustStore::new();
        trust.pin("acme".parse().unwrap(), key.public().clone()).unwrap();
        let digest = Digest::of(&component);
        Probe::verify(UnverifiedPackage { component, bundle }, trust, &digest).unwrap()
    }

    fn library(name: &str) -> Probe {
        let component = std::fs::read(guests::library(name).unwrap()).unwrap();
        let manifest = guests::library_folder(name).join("capsule.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let named = manifest.lines().find(|line| line.starts_with("name = ")).unwrap();
        let (_, capsule) = named.trim_end_matches('"').split_once('/').unwrap();
        probe(&component, &manifest.replace(named, &format!("name = \"acme/{capsule}\"")))
    }

    fn review(probe: Probe) -> (Passport, usize) {
        let scratch = tempfile::tempdir().unwrap();
        let reviewer = Reviewer {
            clock: Arc::new(SystemClock::new()),
            compiler: (binary::path().unwrap(), "compile-child".to_owned()),
            scratch: scratch.path().to_owned(),
            host: HostId::from_u128(7),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let passport = runtime.block_on(reviewer.review(probe)).unwrap();
        (passport, std::fs::read_dir(scratch.path()).unwrap().count())
    }

    fn scenarios(passport: &Passport) -> Vec<Scenario> {
        let mut all: Vec<Scenario> = passport.runs.iter().map(|run| run.scenario).collect();
        all.dedup();
        all
    }

    #[test]
    fn an_honest_adapter_is_watched_in_every_scenario_and_leaves_nothing_behind() {
        let (passport, left) = review(library("github"));
        assert_eq!(left, 0);
        assert!(!passport.reached.is_empty(), "{passport:#?}");
        assert!(scenarios(&passport).len() >= 8, "{passport:#?}");
        assert!(
            passport.reached.iter().all(|it| it.origin == "https://api.github.com"),
            "{:?}",
            passport.reached
        );
        let undeclared = passport.noticed.iter().filter(|it| it.code == Code::BehaviourUndeclared);
        assert_eq!(undeclared.count(), 0, "{:?}", passport.noticed);
        assert!(passport.runs.iter().all(|run| run.outcome != "host-failure"), "{passport:#?}");
    }

    #[test]
    fn a_capsule_without_peers_is_watched_plainly_and_killed() {
        let (passport, _) = review(library("csv"));
        assert_eq!(scenarios(&passport), [Scenario::Usual, Scenario::Killed]);
        assert!(passport.reached.is_empty() && passport.noticed.is_empty(), "{passport:#?}");
        assert_eq!(passport.digest.to_string().len(), 71);
    }

    #[test]
    fn what_asks_for_more_than_it_declares_is_told() {
        let folder = guests::library_folder("github");
        let manifest = std::fs::read_to_string(folder.join("capsule.toml")).unwrap();
        let manifest = manifest.replace("api.github.com", "honest.example");
        let named = manifest.lines().find(|line| line.starts_with("name = ")).unwrap().to_owned();
        let manifest = manifest.replace(&named, "name = \"acme/web\"");
        let component = std::fs::read(guests::library("github").unwrap()).unwrap();
        let (passport, _) = review(probe(&component, &manifest));
        let undeclared: Vec<_> =
            passport.noticed.iter().filter(|it| it.code == Code::BehaviourUndeclared).collect();
        assert!(!undeclared.is_empty(), "{passport:#?}");
        assert!(undeclared[0].evidence.contains("api.github.com"), "{undeclared:?}");
        assert!(passport.reached.is_empty(), "{:?}", passport.reached);
    }
}
