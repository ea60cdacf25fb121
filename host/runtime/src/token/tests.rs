//! Every way in which a token can be wrong, and the one in which it is right.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use soma_policy::{HostId, Timestamp, TokenId};

use super::*;
use crate::home::{Identity, SigningKey};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

struct Desk {
    issuer: Issuer,
    key: SigningKey,
    verifier: TokenVerifier,
    _folder: tempfile::TempDir,
}

fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.pem");
    SigningKey::ensure(&path).unwrap();
    let key = SigningKey::load(&path).unwrap();
    let host = HostId::from_u128(7);
    let identity = Identity { schema: 1, host, created: NOW };
    let issuer = Issuer::new(&identity, &key).unwrap();
    let set = serde_json::to_vec(&json!({ "keys": [issuer.public()] })).unwrap();
    let file = folder.path().join("issuers.jwks");
    std::fs::write(&file, &set).unwrap();
    let issuers = Issuers::parse(&file, &set).unwrap();
    Desk { issuer, key, verifier: TokenVerifier::new(file, &host, issuers), _folder: folder }
}

fn ask(life_seconds: u64) -> TokenAsk {
    TokenAsk {
        subject: "ada".to_owned(),
        org: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        scopes: vec![Scope::Call("issues".parse().unwrap()), Scope::ReadCalls],
        life_seconds,
        constitution: None,
    }
}

fn later(seconds: u64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1000)
}

impl Desk {
    fn mint(&self) -> String {
        self.issuer.mint(ask(300), TokenId::from_u128(1), NOW).unwrap().token
    }

    /// Signs claims and header that are edited first.
    fn forge(&self, edit: impl Fn(&mut Value), header: impl Fn(&mut Header)) -> String {
        let token = self.mint();
        let claims = token.split('.').nth(1).unwrap();
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        edit(&mut claims);
        let mut head = Header::new(Algorithm::ES256);
        head.kid = Some(self.issuer.public().kid.clone());
        header(&mut head);
        jsonwebtoken::encode(&head, &claims, &EncodingKey::from_ec_der(self.key.pkcs8())).unwrap()
    }

    fn refused(&self, token: &str) -> TokenError {
        self.verifier.verify(token, NOW).unwrap_err()
    }
}

#[test]
fn a_minted_token_is_taken_and_says_what_it_may() {
    let desk = desk();
    let verified = desk.verifier.verify(&desk.mint(), NOW).unwrap();
    assert!(verified.may(&Scope::Call("issues".parse().unwrap())));
    assert!(verified.may(&Scope::ReadCalls));
    assert!(!verified.may(&Scope::Call("other".parse().unwrap())));
    assert!(!verified.may(&Scope::CallAny) && !verified.may(&Scope::Operate));
    assert_eq!(verified.claims().sub, "ada");
}

#[test]
fn a_token_ends_also_when_it_is_remembered() {
    let desk = desk();
    let token = desk.mint();
    desk.verifier.verify(&token, NOW).unwrap();
    desk.verifier.verify(&token, later(300 + 29)).unwrap();
    let late = desk.verifier.verify(&token, later(300 + 30)).unwrap_err();
    assert_eq!(late, TokenError::Expired { seconds: 30 });
}

#[test]
fn a_token_of_the_future_is_not_taken_yet() {
    let desk = desk();
    let token = desk.mint();
    let early = Timestamp(NOW.0 - 31_000);
    assert_eq!(desk.verifier.verify(&token, early).unwrap_err(), TokenError::NotYet);
    desk.verifier.verify(&token, Timestamp(NOW.0 - 30_000)).unwrap();
}

#[test]
fn a_token_lives_an_hour_at_most() {
    let desk = desk();
    for life in [0, 3601] {
        assert!(desk.issuer.mint(ask(life), TokenId::from_u128(1), NOW).is_err(), "{life}");
    }
    let exp = NOW.0 / 1000 + 3601;
    let long = desk.forge(|c| c["exp"] = exp.into(), |_| ());
    assert_eq!(desk.refused(&long), TokenError::TooLong { seconds: 3601 });
    let early_nbf = desk.forge(|c| c["nbf"] = (NOW.0 / 1000 - 3400).into(), |_| ());
    assert!(matches!(desk.refused(&early_nbf), TokenError::TooLong { .. }));
}

#[test]
fn claims_that_are_missing_or_wrong_are_refused() {
    let desk = desk();
    for name in ["iss", "aud", "sub", "org", "env", "caps", "jti", "iat", "nbf", "exp"] {
        let token = desk.forge(|c| drop(c.as_object_mut().unwrap().remove(name)), |_| ());
        assert!(matches!(desk.refused(&token), TokenError::Claims { .. }), "{name}");
    }
    for (name, bad, says) in [
        ("iss", json!("soma:other"), TokenError::WrongIssuer.to_string()),
        ("aud", json!("other"), TokenError::WrongAudience.to_string()),
        ("aud", json!(["other", "x"]), "claims".to_owned()),
        ("caps", json!(["everything"]), "claims".to_owned()),
        ("caps", json!([]), "`caps`".to_owned()),
        ("sub", json!(""), "`sub`".to_owned()),
        ("exp", json!("soon"), "claims".to_owned()),
        ("org", json!("../x"), "claims".to_owned()),
    ] {
        let token = desk.forge(|c| c[name] = bad.clone(), |_| ());
        let refused = desk.refused(&token).to_string();
        assert!(refused.contains(&says), "{name} {bad}: {refused}");
    }
}

#[test]
fn headers_do_not_choose_how_they_are_judged() {
    let desk = desk();
    let unknown = desk.forge(|_| (), |h| h.kid = Some("other".to_owned()));
    assert!(matches!(desk.refused(&unknown), TokenError::UnknownKey { .. }));
    let nameless = desk.forge(|_| (), |h| h.kid = None);
    assert!(matches!(desk.refused(&nameless), TokenError::Malformed { .. }));
    let odd = desk.forge(|_| (), |h| h.typ = Some("dpop+jwt".to_owned()));
    assert!(matches!(desk.refused(&odd), TokenError::Malformed { .. }));
    let critical = desk.forge(|_| (), |h| h.crit = Some(vec!["b64".to_owned()]));
    assert!(matches!(desk.refused(&critical), TokenError::Malformed { .. }));
}

#[test]
fn other_algorithms_are_refused_even_with_the_public_key_as_a_secret() {
    let desk = desk();
    let token = desk.mint();
    let claims = token.split('.').nth(1).unwrap();
    for alg in ["none", "HS256", "ES384", "RS256"] {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": desk.issuer.public().kid });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let signature = token.split('.').nth(2).unwrap();
        for signature in [signature, ""] {
            let forged = format!("{header}.{claims}.{signature}");
            let refused = desk.refused(&forged);
            let fits =
                matches!(refused, TokenError::Algorithm { .. } | TokenError::Malformed { .. });
            assert!(fits, "{alg}: {refused}");
        }
    }
}

#[test]
fn a_changed_token_is_refused_wherever_it_is_changed() {
    let desk = desk();
    let token = desk.mint();
    desk.verifier.verify(&token, NOW).unwrap();
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        if changed != token {
            // The last letter of a base64 text may hold bits that mean nothing.
            let same = changed.get(..token.len() - 1) == token.get(..token.len() - 1);
            assert!(same || desk.verifier.verify(&changed, NOW).is_err(), "byte {at}");
        }
    }
    for bad in ["", ".", "..", "a.b", "a.b.c.d", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
        assert!(matches!(desk.refused(bad), TokenError::Malformed { .. }));
    }
}

#[test]
fn a_withdrawn_key_takes_its_tokens_along() {
    let desk = desk();
    let token = desk.mint();
    desk.verifier.verify(&token, NOW).unwrap();
    let file: PathBuf = desk._folder.path().join("issuers.jwks");
    std::fs::write(&file, b"{\"keys\": 1}").unwrap();
    assert!(desk.verifier.reload().is_err());
    desk.verifier.verify(&token, NOW).unwrap();
    std::fs::write(&file, b"{\"keys\": []}").unwrap();
    desk.verifier.reload().unwrap();
    assert!(matches!(desk.refused(&token), TokenError::UnknownKey { .. }));
}

#[test]
fn neither_issuer_nor_minted_token_prints_a_secret() {
    let desk = desk();
    let minted = desk.issuer.mint(ask(300), TokenId::from_u128(1), NOW).unwrap();
    let shown = format!("{:?} {:?}", desk.issuer, minted);
    assert!(!shown.contains(&minted.token), "{shown}");
}

#[test]
fn a_revoked_token_is_refused_though_it_was_remembered_and_no_other_is() {
    let desk = desk();
    let (token, other) = (desk.mint(), desk.issuer.mint(ask(300), TokenId::from_u128(2), NOW));
    let other = other.unwrap().token;
    desk.verifier.verify(&token, NOW).unwrap();
    desk.verifier.verify(&other, NOW).unwrap();
    let mut list = Revoked::default();
    list.add(TokenId::from_u128(1), NOW).unwrap();
    assert_eq!(desk.verifier.revoke(list.clone()), [TokenId::from_u128(1)]);
    assert_eq!(desk.refused(&token), TokenError::Revoked);
    desk.verifier.verify(&other, NOW).unwrap();
    // One that was never seen before is refused too, and other keys forget nothing.
    desk.verifier.reload().unwrap();
    assert_eq!(desk.refused(&token), TokenError::Revoked);
    assert!(desk.verifier.revoke(list).is_empty());
}
