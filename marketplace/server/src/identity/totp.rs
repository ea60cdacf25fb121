//! One-time codes of the clock (RFC 6238): HMAC-SHA-1, 30 seconds, six digits, as every
//! authenticator speaks them. Whether a step was used before is the store's to say.

use aws_lc_rs::{hmac, rand};
use soma_policy::Timestamp;
use zeroize::Zeroizing;

const STEP_MS: u64 = 30_000;
const DIGITS: u32 = 6;
const SECRET_BYTES: usize = 20;

/// The shared secret.
pub(crate) struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    /// A new one. None if the system has no randomness to give.
    pub(crate) fn draw() -> Option<Self> {
        let mut bytes = Zeroizing::new(vec![0u8; SECRET_BYTES]);
        rand::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The step that this code is right for, of those around `now`: one earlier, now, one later.
    pub(crate) fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        let step = now.0 / STEP_MS;
        let near = [step.saturating_sub(1), step, step + 1];
        near.into_iter().find(|step| super::same_secret(&self.code(*step), code))
    }

    /// The code at `now`, as an authenticator shows it.
    #[cfg(test)]
    pub(crate) fn code_at(&self, now: Timestamp) -> String {
        self.code(now.0 / STEP_MS)
    }

    fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag.last().copied().unwrap_or(0) & 0xf);
        let word = tag.get(offset..offset + 4).unwrap_or(&[0; 4]);
        let number = word.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        format!("{:06}", (number & 0x7fff_ffff) % 10u32.pow(DIGITS))
    }

    /// What an authenticator reads: `otpauth://totp/…`.
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let plain = |text: &str| -> String {
            text.bytes()
                .map(|b| match b {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                        char::from(b).to_string()
                    }
                    other => format!("%{other:02X}"),
                })
                .collect()
        };
        let (issuer, account) = (plain(issuer), plain(account));
        let secret = self.base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period=30",
            *secret
        ))
    }

    fn base32(&self) -> Zeroizing<String> {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let (mut text, mut bits, mut held) = (Zeroizing::new(String::new()), 0u32, 0u32);
        for byte in self.0.iter() {
            held = (held << 8) | u32::from(*byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                let digit = (held >> bits) & 31;
                text.push(char::from(ALPHABET.get(digit as usize).copied().unwrap_or(b'A')));
            }
            held &= (1 << bits) - 1;
        }
        if bits > 0 {
            let digit = (held << (5 - bits)) & 31;
            text.push(char::from(ALPHABET.get(digit as usize).copied().unwrap_or(b'A')));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard() -> TotpSecret {
        TotpSecret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, SHA-1; its last six digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(standard().code_at(Timestamp(seconds * 1000)), code);
        }
    }

    #[test]
    fn a_code_is_good_for_its_own_step_and_its_neighbours_only() {
        let now = Timestamp(59_000);
        assert_eq!(standard().step_of("287082", now), Some(1));
        assert_eq!(standard().step_of("287082", Timestamp(89_000)), Some(1));
        assert_eq!(standard().step_of("287082", Timestamp(91_000)), None);
        for bad in ["", "287083", "2870820", "28708", "abcdef"] {
            assert_eq!(standard().step_of(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn the_address_holds_the_secret_in_base32() {
        let uri = standard().uri("soma prod", "a/b");
        assert!(uri.starts_with("otpauth://totp/soma%20prod:a%2Fb?"), "{}", *uri);
        assert!(uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"), "{}", *uri);
    }
}
