//! Ratings: by tenants who ran a capsule, one each, and never by its own people.

use serde::{Deserialize, Serialize};
use soma_policy::{CapsuleName, Code, OrgId, Timestamp, UserId};

use crate::org::{Actor, Org, Permission};
use crate::refusal::Refusal;
use crate::words::Words;
use semver::Version;

/// One to five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Stars(u8);

impl TryFrom<u8> for Stars {
    type Error = Refusal;
    fn try_from(value: u8) -> Result<Self, Refusal> {
        if (1..=5).contains(&value) {
            return Ok(Self(value));
        }
        Err(Refusal::new(Code::RatingStars, "rate", format!("`{value}` is not 1 to 5 stars")))
    }
}

impl From<Stars> for u8 {
    fn from(stars: Stars) -> Self {
        stars.0
    }
}

/// What one tenant says of one capsule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// When.
    pub at: Timestamp,
    /// Which natural person wrote it.
    pub by: UserId,
    /// Of which capsule.
    pub capsule: CapsuleName,
    /// In words.
    pub comment: Option<Words>,
    /// One to five.
    pub stars: Stars,
    /// For which tenant.
    pub tenant: OrgId,
    /// The version that they ran last.
    pub version: Version,
}

/// What is known of a tenant's use of a capsule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Settled calls.
    pub calls: u64,
    /// The version of the last one.
    pub version: Version,
}

impl Rating {
    /// A rating; it replaces the tenant's earlier one of the same capsule.
    ///
    /// # Errors
    /// When the tenant never had a settled call of it, or the person belongs to the publisher.
    pub fn give(
        capsule: CapsuleName,
        (stars, comment): (Stars, Option<Words>),
        by: &Actor,
        publisher: &Org,
        ran: Option<&Ran>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        by.may(Permission::RatingWrite)?;
        let own = *by.org() == publisher.head.id || publisher.persons(now).contains(&by.person());
        if own {
            let reason =
                format!("you belong to `{}`, which publishes {capsule}", publisher.head.id);
            return Err(Refusal::new(Code::RatingSelf, "rate", reason));
        }
        let Some(ran) = ran.filter(|ran| ran.calls > 0) else {
            let reason = format!("`{}` has no settled call of {capsule}", by.org());
            return Err(Refusal::new(Code::RatingNotRun, "rate", reason));
        };
        let (by, tenant) = (by.person(), by.org().clone());
        Ok(Self { at: now, by, capsule, comment, stars, tenant, version: ran.version.clone() })
    }
}

/// What all ratings of a capsule come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// How many tenants rated it.
    pub count: u64,
    /// Thousandths of a star on average; none without ratings.
    pub mean: Option<u16>,
}

impl Summary {
    /// Of these ratings, of which one tenant has one.
    #[must_use]
    pub fn of(ratings: impl IntoIterator<Item = Stars>) -> Self {
        let (count, sum) = ratings
            .into_iter()
            .fold((0u64, 0u64), |(count, sum), stars| (count + 1, sum + u64::from(stars.0)));
        // At most 5000, so the conversion loses nothing.
        let mean = (sum * 1000).checked_div(count).and_then(|mean| u16::try_from(mean).ok());
        Self { count, mean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::{OrgKind, Principal};

    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    fn org(name: &str, kind: OrgKind, owner: u128) -> Org {
        Org::found(name.parse().unwrap(), [kind], UserId::from_u128(owner)).unwrap()
    }

    fn owner(org: &Org) -> Actor {
        let user = *org.members.keys().next().unwrap();
        org.actor(Principal::User(user)).unwrap()
    }

    fn rate(by: &Actor, publisher: &Org, ran: Option<&Ran>) -> Result<Rating, Refusal> {
        let words = Some("does what it says".parse().unwrap());
        let said = (Stars::try_from(4).unwrap(), words);
        Rating::give("acme/csv".parse().unwrap(), said, by, publisher, ran, NOW)
    }

    #[test]
    fn a_tenant_who_ran_it_may_rate_it() {
        let (acme, tenant) = (org("acme", OrgKind::Publisher, 1), org("t", OrgKind::Tenant, 2));
        let ran = Ran { calls: 3, version: "1.2.0".parse().unwrap() };
        let rating = rate(&owner(&tenant), &acme, Some(&ran)).unwrap();
        assert_eq!((rating.tenant, rating.version), (tenant.head.id.clone(), ran.version.clone()));
        let none = Ran { calls: 0, ..ran };
        for ran in [None, Some(&none)] {
            let refused = rate(&owner(&tenant), &acme, ran).unwrap_err();
            assert_eq!(refused.code, Code::RatingNotRun);
        }
    }

    #[test]
    fn nobody_rates_what_they_publish_not_even_through_another_organisation() {
        let (acme, tenant) = (org("acme", OrgKind::Publisher, 1), org("t", OrgKind::Tenant, 1));
        let ran = Ran { calls: 3, version: "1.2.0".parse().unwrap() };
        let refused = rate(&owner(&tenant), &acme, Some(&ran)).unwrap_err();
        assert_eq!(refused.code, Code::RatingSelf);
        let both = Org::found(
            "acme".parse().unwrap(),
            [OrgKind::Publisher, OrgKind::Tenant],
            UserId::from_u128(7),
        )
        .unwrap();
        assert_eq!(rate(&owner(&both), &both, Some(&ran)).unwrap_err().code, Code::RatingSelf);
        assert_eq!(rate(&owner(&acme), &acme, Some(&ran)).unwrap_err().code, Code::RoleLacks);
    }

    #[test]
    fn the_mean_is_in_thousandths_of_a_star() {
        let stars =
            |values: &[u8]| Summary::of(values.iter().map(|v| Stars::try_from(*v).unwrap()));
        assert_eq!(stars(&[5, 4, 4]), Summary { count: 3, mean: Some(4333) });
        assert_eq!(stars(&[]), Summary::default());
        for bad in [0, 6, 255] {
            assert_eq!(Stars::try_from(bad).unwrap_err().code, Code::RatingStars);
        }
        assert!(serde_json::from_str::<Stars>("6").is_err());
        assert_eq!(serde_json::to_string(&Stars::try_from(5).unwrap()).unwrap(), "5");
    }
}
