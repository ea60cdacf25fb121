//! What comes by itself, what asks, and that carried grants are within both sides.

use super::*;

fn with(installed: &Installed, change: impl FnOnce(&mut InstallationSpec)) -> Installed {
    let mut record = installed.record().clone();
    change(&mut record.active.spec);
    Installed::from_record(record).unwrap()
}

fn considered(installed: &Installed, running: &CapsuleFacts, new: &CapsuleFacts) -> Update {
    consider(installed, running, &approved(new), ground(&none()), NOW)
}

#[test]
fn only_what_asks_for_no_more_comes_by_itself_and_only_where_the_tenant_says_so() {
    let asking = first(&v1(), GRANTED);
    let rolling = with(&asking, |spec| spec.on_update = OnUpdate::NarrowerOrEqual);
    assert!(matches!(considered(&asking, &v1(), &v2()), Update::Ask { plan: Ok(_), .. }));
    let Update::Roll(plan) = considered(&rolling, &v1(), &v2()) else { panic!("not rolled") };
    assert_eq!((plan.spec().digest, plan.diff().is_empty()), (v2().digest, true));
    // An author who asks for more is seen by the tenant, even if the present grants would do.
    let more =
        facts("2.0.0", &format!("{DECLARED}[config]\nkeys = [\"k\"]\noptional = true\n"), None);
    let Update::Ask { declared, plan } = considered(&rolling, &v1(), &more) else {
        panic!("not asked")
    };
    assert_eq!(declared.class(), Class::Wider);
    assert!(plan.unwrap().asks().is_empty());
    // What is required and not granted cannot be planned without the tenant.
    let required = facts("2.0.0", &format!("{DECLARED}[config]\nkeys = [\"k\"]\n"), None);
    let Update::Ask { plan: Err(refusal), .. } = considered(&rolling, &v1(), &required) else {
        panic!("planned")
    };
    assert_eq!(refusal.code, Code::GrantMissing);
    // A price rise asks.
    let dearer = facts("2.0.0", DECLARED, Some("0.01 EUR"));
    let Update::Ask { plan: Ok(plan), .. } = considered(&rolling, &v1(), &dearer) else {
        panic!("not asked")
    };
    assert!(matches!(plan.asks(), [Ask::HigherPrice { .. }]));
    // So does a change of owner that is still open.
    let asked =
        rolling.apply(InstallCommand::OwnerChanged("zeta-inc".parse().unwrap()), NOW).unwrap().next;
    assert!(matches!(considered(&asked, &v1(), &v2()), Update::Ask { .. }));
}

#[test]
fn a_narrower_version_narrows_the_grants_by_itself() {
    let declared = GRANTED.replace("/repos/acme/*/issues", "/repos/acme/web/issues");
    let narrower = facts("2.0.0", &declared, None);
    let wide = first(
        &v1(),
        &format!("{WIDER}[kv.cache]\nprefix = \"etag/\"\naccess = \"read\"\nquota = \"1 MiB\"\n"),
    );
    let rolling = with(&wide, |spec| spec.on_update = OnUpdate::NarrowerOrEqual);
    let Update::Roll(plan) = considered(&rolling, &v1(), &narrower) else { panic!("not rolled") };
    assert_eq!(plan.spec().grants, Grants::as_declared(&narrower.declarations));
    assert_eq!(plan.diff().class(), Class::Narrower);
}

#[test]
fn what_is_none_of_an_installations_business_is_ignored() {
    let running = first(&v1(), GRANTED);
    let ignored = |installed: &Installed, running: &CapsuleFacts, new: &CapsuleFacts, why: &str| {
        match considered(installed, running, new) {
            Update::Ignore(said) => assert!(said.contains(why), "{said}"),
            other => panic!("{other:?}"),
        }
    };
    ignored(&running, &v1(), &v1(), "not newer");
    ignored(&running, &v2(), &v2(), "another capsule");
    let pinned = with(&running, |spec| spec.version = "^1".parse().unwrap());
    ignored(&pinned, &v1(), &v2(), "outside");
    let by = owner();
    let gating = running
        .apply(change(plan(&running, &v2(), GRANTED).unwrap(), &by, Gate::Check), NOW)
        .unwrap()
        .next;
    ignored(&gating, &v1(), &v2(), "under way");
    let release = published(&v2(), proof(&v2()), NOW);
    let owner = acting(&acme(), 1);
    let yank = ReleaseCommand::Yank { by: &owner, reason: "a hole".parse().unwrap() };
    let yanked = Approved::of(&release.apply(yank, NOW).unwrap().next, Arc::new(v2())).unwrap();
    assert!(matches!(
        consider(&running, &v1(), &yanked, ground(&none()), NOW),
        Update::Ignore("it cannot be installed")
    ));
}

proptest! {
    #[test]
    fn carried_grants_are_within_both_sides(
        old in crate::diff::tests::declarations(), new in crate::diff::tests::declarations(),
    ) {
        let grants = Grants::as_declared(&old);
        let carried = meet(&grants, &new);
        prop_assert_ne!(Diff::granted(&grants, &carried).class(), Class::Wider);
        // What policy says of them is at most that something required is missing.
        let mut of = facts("2.0.0", "", None);
        of.declarations = new;
        let mut file = spec(&of, "");
        file.grants = carried;
        let compiled = soma_policy::Installation::compile("issues".parse().unwrap(), file, &of, policy(), 1);
        if let Err(denials) = compiled {
            prop_assert!(denials.iter().all(|denial| denial.code == Code::GrantMissing), "{:?}", denials);
        }
    }

    #[test]
    fn carrying_over_to_the_same_declaration_changes_nothing(side in crate::diff::tests::declarations()) {
        let grants = Grants::as_declared(&side);
        prop_assert!(Diff::granted(&grants, &meet(&grants, &side)).is_empty());
        prop_assert_eq!(meet(&grants, &Declarations::default()), Grants::default());
    }
}
