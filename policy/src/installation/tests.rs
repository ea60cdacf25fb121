//! Compiling: what is refused, by code, field and remedy; and what comes out.

use crate::capability::CapabilityKind;
use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::fixture::{DECLARED, GRANTED, compile, facts, installation, spec};
use crate::installation::{InstallationSpec, InterfaceState, OfferSpec};
use crate::{Digest, Limits, Millis};

fn refused(change: impl FnOnce(&mut InstallationSpec)) -> Vec<Denial> {
    let mut spec = spec(GRANTED);
    change(&mut spec);
    compile(&facts(DECLARED), spec).unwrap_err()
}

fn only(denials: &[Denial]) -> &Denial {
    assert_eq!(denials.len(), 1, "{denials:?}");
    &denials[0]
}

#[test]
fn a_narrower_grant_compiles() {
    let installation = installation(DECLARED, GRANTED);
    assert_eq!(installation.key().to_string(), "local/production/issues");
    assert_eq!(installation.revision, 1);
    assert_eq!(installation.limits, Limits::DEFAULT);
    assert_eq!(installation.offer, facts(DECLARED).offer());
    let right = &installation.rights().http()[0];
    assert_eq!(right.per_call().unwrap().request.to_string(), "4 KiB");
    assert_eq!(right.per_day().unwrap().response.to_string(), "50 MiB");
    assert_eq!(
        (right.name().as_str(), right.capability().to_string().as_str()),
        ("issues", "http.issues")
    );
    let secret = &installation.rights().secrets()[0];
    assert_eq!(
        (secret.from().as_str(), secret.place().http.as_str()),
        ("github-readonly", "issues")
    );
    let subject = installation.kill_subject();
    assert_eq!(subject.capabilities, [CapabilityKind::Http, CapabilityKind::Secret]);
    assert_eq!(subject.installation, installation.key);
}

#[test]
fn each_interface_is_granted_denying_or_absent() {
    let some = installation(DECLARED, GRANTED);
    assert_eq!(some.rights().interface_state(CapabilityKind::Http), InterfaceState::Granted);
    assert_eq!(some.rights().interface_state(CapabilityKind::Kv), InterfaceState::Denying);
    let none = installation("", "");
    for kind in CapabilityKind::ALL {
        assert_eq!(none.rights().interface_state(*kind), InterfaceState::NotDeclared);
    }
    let all = installation(
        DECLARED,
        &toml::to_string(&crate::Grants::as_declared(&facts(DECLARED).declarations)).unwrap(),
    );
    for kind in CapabilityKind::ALL {
        assert_eq!(all.rights().interface_state(*kind), InterfaceState::Granted);
    }
    let rights = all.rights();
    assert_eq!(rights.granted().count(), CapabilityKind::ALL.len());
    assert_eq!(rights.kv_prefix("cache"), Some("etag/"));
    assert_eq!(rights.kv_prefix("other"), None);
    assert_eq!(rights.config_keys().len(), 2);
    assert!(
        rights.precise_clocks()
            && rights.reads_budget()
            && rights.serves()
            && rights.serves_anonymous()
    );
    assert_eq!(rights.random_per_call().unwrap().0, 1024);
    assert_eq!(rights.logging_per_call().unwrap().0, 65_536);
    assert_eq!((rights.emits()[0].events(), rights.emits()[0].per_call().0), (100, 1 << 20));
    assert_eq!((rights.files()[0].inodes(), rights.files()[0].quota().0), (10, 1 << 20));
    assert_eq!(rights.files()[0].mount().as_str(), "/desk");
    assert_eq!(rights.kv()[0].quota().0, 4 << 20);
    assert_eq!(rights.tool_capsules().count(), 1);
    let rights = some.rights();
    assert!(
        !rights.precise_clocks()
            && !rights.reads_budget()
            && !rights.serves()
            && !rights.serves_anonymous()
    );
    assert_eq!(
        (rights.random_per_call(), rights.logging_per_call(), rights.config_keys().len()),
        (None, None, 0)
    );
}

#[test]
fn what_runs_is_what_the_file_pins() {
    for (change, code) in [
        (
            Box::new(|s: &mut InstallationSpec| s.schema = 2) as Box<dyn FnOnce(&mut _)>,
            Code::InstallationSchema,
        ),
        (
            Box::new(|s: &mut InstallationSpec| s.capsule = "acme/csv".parse().unwrap()),
            Code::InstallationCapsule,
        ),
        (
            Box::new(|s: &mut InstallationSpec| s.digest = Digest::of(b"other")),
            Code::InstallationDigest,
        ),
        (
            Box::new(|s: &mut InstallationSpec| s.version = "^2".parse().unwrap()),
            Code::InstallationVersion,
        ),
    ] {
        assert_eq!(only(&refused(change)).code, code);
    }
}

#[test]
fn a_wider_grant_is_refused_field_by_field() {
    for (from, to, field) in [
        ("[\"GET\"]", "[\"GET\", \"DELETE\"]", "methods"),
        ("https://api.github.com:443", "https://github.com:443", "origin"),
        ("https://api.github.com:443", "http://api.github.com:443", "origin"),
        ("[\"/repos/acme/*/issues\"]", "[\"/repos/**\"]", "paths"),
        ("[\"/repos/acme/*/issues\"]", "[]", "paths"),
        ("4 KiB", "65 KiB", "per_call"),
        ("per_day = { request = \"1 MiB\", response = \"50 MiB\" }", "", "per_day"),
    ] {
        let denials = compile(&facts(DECLARED), spec(&GRANTED.replace(from, to))).unwrap_err();
        let denial = denials.iter().find(|d| d.code == Code::GrantTooWide).unwrap();
        assert_eq!(denial.layer, Layer::Manifest);
        assert!(denial.operation.contains(&format!("grants.http.issues.{field}")), "{denial}");
        assert!(denial.remedy.contains("installations/local/production/issues.toml"), "{denial}");
    }
}

#[test]
fn every_other_kind_is_held_against_its_declaration_too() {
    for (grant, fields) in [
        (
            "[kv.cache]\nprefix = \"e\"\naccess = \"read\"\nquota = \"5 MiB\"",
            vec!["prefix", "quota"],
        ),
        (
            "[files.work]\naccess = \"read\"\nquota = \"2 MiB\"\ninodes = 11",
            vec!["quota", "inodes"],
        ),
        (
            "[tool.csv]\ncapsule = \"acme/tsv\"\nversion = \"*\"\nfunctions = [\"drop\"]",
            vec!["capsule", "version", "functions"],
        ),
        ("[emit.rows]\nper_call = \"2 MiB\"\nevents = 101", vec!["per_call", "events"]),
        ("[config]\nkeys = [\"password\"]", vec!["keys"]),
        ("[random]\nper_call = \"2 KiB\"", vec!["per_call"]),
        ("[logging]\nper_call = \"65 KiB\"", vec!["per_call"]),
    ] {
        let denials = compile(&facts(DECLARED), spec(&format!("{GRANTED}\n{grant}"))).unwrap_err();
        let found: Vec<_> = denials
            .iter()
            .map(|d| d.operation.split(' ').next().unwrap().rsplit('.').next().unwrap())
            .collect();
        assert_eq!(found, fields, "{denials:?}");
    }
    let narrow = DECLARED
        .replace("precise = true", "precise = false")
        .replace("anonymous = true", "anonymous = false")
        .replace("access = \"read-write\"", "access = \"read\"");
    for (grant, field) in [
        ("[clocks]\nprecise = true", "precise"),
        ("[serve]\nanonymous = true", "anonymous"),
        ("[kv.cache]\nprefix = \"etag/\"\naccess = \"read-write\"\nquota = \"1 B\"", "access"),
        ("[files.work]\naccess = \"write\"\nquota = \"1 B\"\ninodes = 1", "access"),
    ] {
        let denials = compile(&facts(&narrow), spec(&format!("{GRANTED}\n{grant}"))).unwrap_err();
        assert!(only(&denials).operation.contains(field), "{denials:?}");
    }
}

#[test]
fn an_undeclared_grant_is_refused_with_the_name_that_was_meant() {
    let grants = GRANTED.replace("[secret.token]", "[secret.tokn]");
    let denials = compile(&facts(DECLARED), spec(&grants)).unwrap_err();
    let unknown = denials.iter().find(|d| d.code == Code::GrantUnknown).unwrap();
    assert!(unknown.remedy.contains("did you mean \"token\""), "{unknown}");
    let missing = denials.iter().find(|d| d.code == Code::GrantMissing).unwrap();
    assert!(missing.remedy.contains("[grants.secret.token]"), "{missing}");
    let denials = compile(&facts(""), spec("[logging]\nper_call = \"1 B\"")).unwrap_err();
    assert_eq!(only(&denials).code, Code::GrantUnknown);
}

#[test]
fn a_required_capability_cannot_be_left_out() {
    let denials = compile(&facts(DECLARED), spec("")).unwrap_err();
    let names: Vec<_> =
        denials.iter().map(|d| d.capability.as_ref().unwrap().to_string()).collect();
    assert_eq!(names, ["http.issues", "secret.token"]);
    assert!(denials.iter().all(|d| d.code == Code::GrantMissing && d.layer == Layer::Grant));
}

#[test]
fn a_secret_goes_to_one_exact_https_origin_that_is_granted() {
    let optional = DECLARED
        .replace("per_day = { request = \"10 MiB\", response = \"200 MiB\" }", "optional = true");
    let denials = compile(&facts(&optional), spec("[secret.token]\nfrom = \"a\"")).unwrap_err();
    assert_eq!(only(&denials).code, Code::SecretHttpMissing);
    for origin in ["https://*.github.com:443", "http://api.github.com:443"] {
        let declared = DECLARED.replace("https://api.github.com:443", origin);
        let grants = GRANTED.replace("https://api.github.com:443", origin);
        let denials = compile(&facts(&declared), spec(&grants)).unwrap_err();
        assert_eq!(only(&denials).code, Code::ManifestSecretPlace);
    }
}

#[test]
fn configuration_needs_its_grant() {
    let with = |spec: &mut InstallationSpec| {
        drop(spec.config.insert("region".parse().unwrap(), "eu".to_owned()))
    };
    assert_eq!(only(&refused(with)).code, Code::ConfigUnknown);
    let mut granted = spec(&format!("{GRANTED}\n[config]\nkeys = [\"region\"]"));
    with(&mut granted);
    let installation = compile(&facts(DECLARED), granted.clone()).unwrap();
    assert_eq!(installation.config.get("region").map(String::as_str), Some("eu"));
    granted.config.insert("region".parse().unwrap(), "x".repeat(20_000));
    assert_eq!(
        only(&compile(&facts(DECLARED), granted).unwrap_err()).code,
        Code::InstallationBadValue
    );
}

#[test]
fn money_fits_together() {
    let budget = |s: &mut InstallationSpec, limit: &str, calls| {
        let budget = s.budget.as_mut().unwrap();
        budget.limit = limit.parse().unwrap();
        budget.concurrent_calls = calls;
    };
    assert_eq!(only(&refused(|s| budget(s, "5 USD", 1))).code, Code::BudgetCurrency);
    assert_eq!(only(&refused(|s| budget(s, "-1 EUR", 1))).code, Code::BudgetBad);
    assert_eq!(only(&refused(|s| budget(s, "1 EUR", 0))).code, Code::BudgetBad);
    assert_eq!(only(&refused(|s| s.budget = None)).code, Code::BudgetBad);
    assert_eq!(
        only(&refused(|s| s.offer = Some(OfferSpec { digest: Digest::ZERO }))).code,
        Code::OfferChanged
    );
    let accepted = OfferSpec { digest: facts(DECLARED).offer() };
    let mut fine = spec(GRANTED);
    fine.offer = Some(accepted);
    assert!(compile(&facts(DECLARED), fine).is_ok());
    let mut free = facts(DECLARED);
    free.price = None;
    let mut unpaid = spec(GRANTED);
    unpaid.budget = None;
    assert!(compile(&free, unpaid).is_ok());
    assert_ne!(free.offer(), facts(DECLARED).offer());
}

#[test]
fn the_ceiling_holds_for_what_an_installation_asks() {
    let denials = refused(|s| s.limits.cpu = Some(Millis(60_000)));
    assert_eq!(only(&denials).code, Code::LimitAboveCeiling);
    assert_eq!(only(&denials).layer, Layer::Operator);
}

#[test]
fn the_documented_file_reads_and_writes_back() {
    let text = format!(
        r#"
        schema = 1
        tenant = "local"
        environment = "production"
        capsule = "acme/github-issues"
        version = "^1.2"
        digest = "{}"
        on_update = "ask"
        [grants.http.issues]
        origin = "https://api.github.com:443"
        methods = ["GET"]
        paths = ["/repos/acme/*/issues"]
        per_call = {{ request = "4 KiB", response = "1 MiB" }}
        per_day = {{ request = "1 MiB", response = "50 MiB" }}
        [grants.secret.token]
        from = "github-readonly"
        [budget]
        limit = "5.00 EUR"
        per = "day"
        concurrent_calls = 16
    "#,
        Digest::of(b"component")
    );
    let read: InstallationSpec = toml::from_str(&text).unwrap();
    assert_eq!(read, spec(GRANTED));
    let written = toml::to_string(&read).unwrap();
    assert_eq!(toml::from_str::<InstallationSpec>(&written).unwrap(), read);
    let said =
        toml::from_str::<InstallationSpec>(&text.replace("on_update", "on_updates")).unwrap_err();
    assert!(crate::explain_serde(said.message()).contains("\"on_update\""), "{said}");
}
