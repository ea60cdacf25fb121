//! The published numbers of docs/reference/risk-score.md, and that the score only ever rises with what is bad.

use proptest::prelude::*;
use soma_policy::{Code, Declarations, Millis, Timestamp};

use super::*;
use crate::diff::Class;

const DAY: u64 = 86_400_000;
const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn declared(text: &str) -> Declarations {
    toml::from_str(text).unwrap()
}

fn points_of(text: &str) -> u16 {
    width(&declared(text)).points()
}

fn new_publisher() -> Standing {
    Standing { now: NOW, ..Standing::default() }
}

fn known_publisher() -> Standing {
    Standing { identity_checked: true, now: NOW, published: 12, ..Standing::default() }
}

const READS_ONE_ORIGIN: &str = r#"
    [http.api]
    origin = "https://api.example.org"
    methods = ["GET"]
    paths = ["/v1/*"]
"#;

const REACHES_EVERYTHING: &str = r#"
    [http.any]
    origin = "https://**"
    methods = ["GET", "POST"]
    paths = ["/**"]
    [secret.token]
    place = { http = "any", header = "authorization" }
"#;

#[test]
fn the_published_examples_hold() {
    let risk = |findings: &[Finding], text: &str, standing: &Standing, since| {
        Risk::of(findings, &width(&declared(text)), standing, since).score().to_string()
    };
    let same = Diff::default();
    let last = Since::Last { rights: &same, weaker: &[] };
    // A text task of a new publisher, of whom nobody knows who they are.
    assert_eq!(
        risk(&[], "[logging]\nper_call = \"1 KiB\"", &new_publisher(), Since::First),
        "0.200"
    );
    // A reader of one origin by a known publisher, next version with the same rights.
    assert_eq!(risk(&[], READS_ONE_ORIGIN, &known_publisher(), last), "0.040");
    // The same as a new publisher's first capsule.
    assert_eq!(risk(&[], READS_ONE_ORIGIN, &new_publisher(), Since::First), "0.240");
    // Everywhere with a secret.
    assert_eq!(risk(&[], REACHES_EVERYTHING, &known_publisher(), Since::First), "0.380");
    // A known vulnerability.
    let hole = [Finding::usual(Code::VulnerabilityKnown, "RUSTSEC-2026-0001")];
    assert_eq!(risk(&hole, READS_ONE_ORIGIN, &known_publisher(), last), "0.340");
    // The signing key changed, and the component now writes.
    let writes = READS_ONE_ORIGIN.replace("\"GET\"", "\"GET\", \"POST\"");
    let wider = Diff::declared(&declared(READS_ONE_ORIGIN), &declared(&writes));
    let since = Since::Last { rights: &wider, weaker: &[Weakness::Signer] };
    assert_eq!(risk(&[], &writes, &known_publisher(), since), "0.225");
}

#[test]
fn each_capability_has_its_points() {
    for (text, points) in [
        ("", 0),
        (READS_ONE_ORIGIN, 40),
        (REACHES_EVERYTHING, 40 + 200 + 30 + 20 + 30),
        ("[kv.a]\nprefix = \"a/\"\naccess = \"read\"\nquota = \"1 B\"", 10),
        ("[files.a]\nmount = \"/a\"\naccess = \"read\"\nquota = \"1 B\"\ninodes = 1", 10),
        ("[files.a]\nmount = \"/a\"\naccess = \"read-write\"\nquota = \"1 B\"\ninodes = 1", 20),
        ("[tool.a]\ncapsule = \"a/b\"\nversion = \"*\"\nfunctions = [\"f\"]", 40),
        ("[emit.a]\nper_call = \"1 B\"\nevents = 1", 5),
        ("[config]\nkeys = [\"k\"]\n[clocks]\nprecise = true", 15),
        ("[random]\nper_call = \"1 B\"\n[logging]\nper_call = \"1 B\"\n[budget]", 0),
        ("[serve]\nanonymous = false", 30),
        ("[serve]\nanonymous = true", 90),
    ] {
        assert_eq!(points_of(text), points, "{text}");
    }
    for (host, points) in [("*.a.example", 100), ("**.a.example", 120), ("**", 240)] {
        assert_eq!(points_of(&READS_ONE_ORIGIN.replace("api.example.org", host)), points, "{host}");
    }
    assert_eq!(points_of(&READS_ONE_ORIGIN.replace("https", "http")), 80);
    let two = format!("{REACHES_EVERYTHING}\n{READS_ONE_ORIGIN}");
    assert_eq!(points_of(&two), WIDTH_MAX);
    assert_eq!(width(&declared(&two)).lines().len(), 3);
}

#[test]
fn standing_is_earned_and_incidents_fade() {
    let points = |standing: &Standing| standing.part().points;
    assert_eq!(points(&new_publisher()), 140);
    assert_eq!(points(&Standing { published: 4, ..new_publisher() }), 100);
    assert_eq!(points(&known_publisher()), 0);
    let ago = |days: u64| Timestamp(NOW.0 - days * DAY);
    let fallen = |days: &[u64]| Standing {
        incidents: days.iter().map(|days| ago(*days)).collect(),
        ..known_publisher()
    };
    assert_eq!(points(&fallen(&[10])), 150);
    assert_eq!(points(&fallen(&[364, 365])), 150);
    assert_eq!(points(&fallen(&[1, 2, 3, 4])), 400);
    assert_eq!(fallen(&[1]).part().why.len(), 1);
}

#[test]
fn one_code_counts_three_times_at_most() {
    let of = |count: usize| {
        let found = |n| Finding::of(Code::SbomMissing, Severity::Medium, &format!("{n}"));
        let findings: Vec<Finding> = (0..count).map(found).collect();
        Risk::of(&findings, &width(&Declarations::default()), &known_publisher(), Since::First)
    };
    assert_eq!(of(1).parts[0].points, 80);
    assert_eq!(of(9).parts[0].points, 240);
    assert_eq!(of(9).parts[0].why.len(), 1);
    let worst =
        [Finding::usual(Code::NamespaceNotOwned, "x"), Finding::usual(Code::MalwarePattern, "y")];
    let risk = Risk::of(&worst, &width(&Declarations::default()), &known_publisher(), Since::First);
    assert_eq!(risk.parts[0].points, FINDINGS_MAX);
}

#[test]
fn a_score_is_thousandths_and_nothing_else() {
    assert_eq!(Score::thousandths(2000), Score::MAX);
    assert_eq!(
        (Score::QUEUE.to_string(), Score::MAX.to_string()),
        ("0.300".into(), "1.000".into())
    );
    assert!(serde_json::from_str::<Score>("1001").is_err());
    assert_eq!(serde_json::from_str::<Score>("300").unwrap(), Score::QUEUE);
    assert_eq!(u16::from(Score::QUEUE), Score::QUEUE.value());
    let risk = Risk::of(&[], &width(&declared(READS_ONE_ORIGIN)), &new_publisher(), Since::First);
    let json = serde_json::to_string(&risk).unwrap();
    assert_eq!(serde_json::from_str::<Risk>(&json).unwrap(), risk);
    let sum: u16 = risk.parts.iter().map(|part| part.points).sum();
    assert_eq!(sum, risk.score().value());
}

fn finding() -> impl Strategy<Value = Finding> {
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(|code| code.family() == 'F').collect();
    let severity = prop::sample::select(Severity::ALL.to_vec());
    (prop::sample::select(codes), severity, "[a-c]")
        .prop_map(|(code, severity, evidence)| Finding::of(code, severity, &evidence))
}

fn standing() -> impl Strategy<Value = Standing> {
    (any::<bool>(), prop::collection::vec(0u64..800, 0..4), 0u32..20).prop_map(
        |(identity_checked, days, published)| Standing {
            identity_checked,
            incidents: days.iter().map(|days| Timestamp(NOW.0 - days * DAY)).collect(),
            now: NOW,
            published,
        },
    )
}

proptest! {
    #[test]
    fn one_more_finding_or_incident_never_lowers_the_score(
        findings in prop::collection::vec(finding(), 0..12), more in finding(), standing in standing(),
    ) {
        let none = width(&Declarations::default());
        let score = |findings: &[Finding], standing: &Standing| {
            Risk::of(findings, &none, standing, Since::First).score()
        };
        let before = score(&findings, &standing);
        let mut worse = findings.clone();
        worse.push(more);
        prop_assert!(score(&worse, &standing) >= before);
        let mut fallen = standing.clone();
        fallen.incidents.push(NOW);
        prop_assert!(score(&findings, &fallen) >= before);
        prop_assert!(before <= Score::MAX);
        // The order in which things were found is nothing.
        worse.reverse();
        let forwards: Vec<Finding> = worse.iter().rev().cloned().collect();
        prop_assert_eq!(score(&worse, &standing), score(&forwards, &standing));
    }

    #[test]
    fn what_covers_more_is_at_least_as_wide(
        old in crate::diff::tests::declarations(), new in crate::diff::tests::declarations(),
    ) {
        let class = Diff::declared(&old, &new).class();
        let (before, after) = (width(&old).points(), width(&new).points());
        if class != Class::Wider {
            prop_assert!(after <= before, "{} to {} though {}", before, after, class);
        }
    }

    #[test]
    fn a_year_later_nothing_of_an_incident_is_left(standing in standing()) {
        let clean = Standing { incidents: Vec::new(), ..standing.clone() };
        let later = Standing { now: NOW.plus(Millis(365 * DAY)), ..standing };
        prop_assert_eq!(later.part().points, clean.part().points);
    }
}
