//! An authenticator as people carry it: six digits of the clock (RFC 6238) from the URI that a server shows once.

use anyhow::Context;
use aws_lc_rs::hmac;

const STEP_SECONDS: u64 = 30;
/// A code is on its way for no longer than this.
const SPARE_SECONDS: u64 = 5;

/// One secret, and the last step that a code was shown for: a server takes each code once.
#[derive(Debug)]
pub struct Authenticator {
    secret: Vec<u8>,
    last: u64,
}

impl Authenticator {
    /// Reads `otpauth://totp/…?secret=…`.
    ///
    /// # Errors
    /// If the URI holds no secret in base 32.
    pub fn new(uri: &str) -> anyhow::Result<Self> {
        Self::after(uri, 0)
    }

    /// The same, when codes up to a step were shown before.
    ///
    /// # Errors
    /// If the URI holds no secret in base 32.
    pub fn after(uri: &str, last: u64) -> anyhow::Result<Self> {
        let query = uri.split_once('?').context("no query")?.1;
        let secret = query.split('&').find_map(|pair| pair.strip_prefix("secret="));
        let secret = base32(secret.context("no secret")?).context("the secret is not base 32")?;
        Ok(Self { secret, last })
    }

    /// The next code that a server takes now and in a few seconds: of the step before this one at first, then later
    /// ones, up to the next step. Whoever asks for more than three in half a minute waits for the clock.
    ///
    /// # Errors
    /// If the clock stands before 1970.
    #[expect(clippy::disallowed_methods, reason = "what is waited for is the clock itself")]
    pub fn code(&mut self) -> anyhow::Result<String> {
        loop {
            let now = now()?;
            let step = ((now + SPARE_SECONDS) / STEP_SECONDS - 1).max(self.last + 1);
            if step <= now / STEP_SECONDS + 1 {
                self.last = step;
                return Ok(self.of(step));
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }

    /// The step that the last code was of.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    fn of(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag.last().copied().unwrap_or(0) & 0xf);
        let word = tag.get(offset..offset + 4).unwrap_or(&[0; 4]);
        let number = word.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }
}

#[expect(clippy::disallowed_methods, reason = "an authenticator has a clock of its own")]
fn now() -> anyhow::Result<u64> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs())
}

fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0u32, 0u32);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        held = (held << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret is `12345678901234567890`.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let uri = "otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=6";
        let it = Authenticator::new(uri).unwrap();
        assert_eq!(it.of(59 / 30), "287082");
        assert_eq!(it.of(1_111_111_109 / 30), "081804");
        assert_eq!(it.of(20_000_000_000 / 30), "353130");
    }

    #[test]
    fn no_code_is_shown_twice() {
        let mut it = Authenticator::new("otpauth://totp/a?secret=GEZDGNBV").unwrap();
        let (one, two) = (it.code().unwrap(), it.code().unwrap());
        assert_ne!((one, it.last), (two, 0));
        assert!(Authenticator::new("otpauth://totp/a?secret=1").is_err());
    }
}
