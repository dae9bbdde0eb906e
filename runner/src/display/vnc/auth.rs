//! VNC authentication: a challenge encrypted with the password as DES key (RFC 6143, section 7.2.2).

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};

/// Random bytes that the client must encrypt.
pub type Challenge = [u8; 16];

/// A password of up to 8 bytes: all that the protocol's DES key has room for.
#[derive(Clone, PartialEq, Eq)]
pub struct Password([u8; 8]);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing in it.
    #[error("the password is empty")]
    Empty,
    /// What lies behind 8 bytes would not be checked.
    #[error(
        "the password has {0} bytes; VNC uses only the first 8, so a longer one would give a false sense of safety"
    )]
    TooLong(usize),
    /// The protocol fills short passwords with zeros.
    #[error("the password contains a zero byte")]
    Zero,
}

impl Password {
    /// Takes 1 to 8 bytes.
    pub fn new(text: &[u8]) -> Result<Self, PasswordError> {
        let mut bytes = [0; 8];
        match text.len() {
            0 => return Err(PasswordError::Empty),
            len @ 9.. => return Err(PasswordError::TooLong(len)),
            _ if text.contains(&0) => return Err(PasswordError::Zero),
            _ => {}
        }
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
        Ok(Password(bytes))
    }

    /// What a client that knows the password answers to `challenge`.
    pub fn response(&self, challenge: &Challenge) -> Challenge {
        // VNC takes the bits of each key byte in the opposite order.
        let cipher = Des::new(&self.0.map(u8::reverse_bits).into());
        let mut response = *challenge;
        let (blocks, _) = response.as_chunks_mut::<8>();
        for block in blocks {
            cipher.encrypt_block(block.into());
        }
        response
    }

    /// Whether `response` is right. Takes the same time for every wrong one.
    pub fn accepts(&self, challenge: &Challenge, response: &Challenge) -> bool {
        let right = self.response(challenge);
        let differences = right.iter().zip(response).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differences) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_bits_are_reversed() {
        // The key 0123456789ABCDEFh of the DES test vector "Now is t", bit-reversed byte by byte: such bytes are
        // no text, but the protocol does not care.
        let key = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF].map(u8::reverse_bits);
        let password = Password::new(&key).unwrap();
        let response = password.response(b"Now is tNow is t");
        assert_eq!(response[..8], [0x3F, 0xA4, 0x0E, 0x8A, 0x98, 0x4D, 0x48, 0x15]);
        assert_eq!(response[8..], response[..8]);
        assert!(password.accepts(b"Now is tNow is t", &response));
        assert!(!password.accepts(b"Now is tNow is T", &response));
    }

    #[test]
    fn passwords_that_would_be_cut_are_refused() {
        assert_eq!(Password::new(b""), Err(PasswordError::Empty));
        assert_eq!(Password::new(b"123456789"), Err(PasswordError::TooLong(9)));
        assert_eq!(Password::new(b"a\0b"), Err(PasswordError::Zero));
    }
}
