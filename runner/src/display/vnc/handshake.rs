//! From the first byte to the choice of the session (RFC 6143, sections 7.1–7.3), versions 3.3, 3.7 and 3.8.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use super::ProtocolError;
use super::auth::{Challenge, Password};

const NONE: u8 = 1;
const VNC_AUTHENTICATION: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Version,
    Security,
    Response,
    Init,
}

/// What has been said so far.
pub(super) struct Handshake {
    stage: Stage,
    /// 3, 7 or 8.
    minor: u8,
    password: Option<Password>,
    challenge: Challenge,
}

impl Handshake {
    /// A handshake, and its first words.
    pub(super) fn new(password: Option<Password>, challenge: Challenge, out: &mut Vec<u8>) -> Self {
        out.extend(b"RFB 003.008\n");
        Handshake {
            stage: Stage::Version,
            minor: 8,
            password,
            challenge,
        }
    }

    /// Whether the client is to send its password now: a person may be typing it.
    pub(super) fn waits_for_password(&self) -> bool {
        self.stage == Stage::Response
    }

    /// Takes the next message from the front of `input`. Gives its length in bytes, and whether the handshake is over;
    /// `None` if it is not there yet.
    pub(super) fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Option<(usize, bool)>, ProtocolError> {
        match self.stage {
            Stage::Version => {
                let Some((version, _)) = input.split_first_chunk::<12>() else {
                    return Ok(None);
                };
                self.choose_version(version, out)?;
                Ok(Some((version.len(), false)))
            }
            Stage::Security => {
                let Some(choice) = input.first() else { return Ok(None) };
                if *choice != self.security() {
                    self.refuse("there is no such security type", out);
                    return Err(ProtocolError::Security(*choice));
                }
                self.begin_security(out);
                Ok(Some((1, false)))
            }
            Stage::Response => {
                let Some((response, _)) = input.split_first_chunk::<16>() else {
                    return Ok(None);
                };
                let right = |password: &Password| password.accepts(&self.challenge, response);
                if !self.password.as_ref().is_some_and(right) {
                    self.refuse("the password is wrong", out);
                    return Err(ProtocolError::Password);
                }
                out.extend(0u32.to_be_bytes());
                self.stage = Stage::Init;
                Ok(Some((response.len(), false)))
            }
            // Whether others may stay: they may, whatever the client says.
            Stage::Init => Ok(input.first().map(|_| (1, true))),
        }
    }

    fn security(&self) -> u8 {
        if self.password.is_some() {
            VNC_AUTHENTICATION
        } else {
            NONE
        }
    }

    fn choose_version(&mut self, version: &[u8; 12], out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        let [
            b'R',
            b'F',
            b'B',
            b' ',
            b'0',
            b'0',
            major,
            b'.',
            b'0',
            b'0',
            minor,
            b'\n',
        ] = version
        else {
            return Err(ProtocolError::Version);
        };
        // What claims to be newer speaks 3.8 as well; anything odd (Apple's 3.889 aside) is 3.3.
        self.minor = match (major, minor) {
            (b'3', b'7') => 7,
            (b'3', b'8'..) | (b'4'.., _) => 8,
            (b'3', _) => 3,
            _ => return Err(ProtocolError::Version),
        };
        if self.minor == 3 {
            out.extend(u32::from(self.security()).to_be_bytes());
            self.begin_security(out);
        } else {
            out.extend([1, self.security()]);
            self.stage = Stage::Security;
        }
        Ok(())
    }

    fn begin_security(&mut self, out: &mut Vec<u8>) {
        if self.password.is_some() {
            out.extend(self.challenge);
            self.stage = Stage::Response;
            return;
        }
        if self.minor == 8 {
            out.extend(0u32.to_be_bytes());
        }
        self.stage = Stage::Init;
    }

    fn refuse(&self, reason: &str, out: &mut Vec<u8>) {
        out.extend(1u32.to_be_bytes());
        if self.minor == 8 {
            out.extend(u32::try_from(reason.len()).unwrap_or(0).to_be_bytes());
            out.extend(reason.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` byte by byte; gives what was answered, and whether it came to an end.
    fn talk(password: Option<&[u8]>, input: &[u8]) -> (Vec<u8>, Result<bool, ProtocolError>) {
        let mut out = Vec::new();
        let password = password.map(|text| Password::new(text).unwrap());
        let mut handshake = Handshake::new(password, [7; 16], &mut out);
        let (mut waiting, mut done) = (Vec::new(), false);
        for byte in input {
            assert!(!done, "more bytes than needed");
            waiting.push(*byte);
            match handshake.advance(&waiting, &mut out) {
                Ok(None) => {}
                Ok(Some((taken, end))) => {
                    waiting.drain(..taken);
                    done = end;
                }
                Err(error) => return (out.split_off(12), Err(error)),
            }
        }
        (out.split_off(12), Ok(done))
    }

    #[test]
    fn without_a_password() {
        assert_eq!(talk(None, b"RFB 003.003\n\x01"), (vec![0, 0, 0, 1], Ok(true)));
        assert_eq!(talk(None, b"RFB 003.007\n\x01\x01"), (vec![1, 1], Ok(true)));
        assert_eq!(talk(None, b"RFB 003.008\n\x01\x01"), (vec![1, 1, 0, 0, 0, 0], Ok(true)));
        assert_eq!(talk(None, b"RFB 003.008\n\x02").1, Err(ProtocolError::Security(2)));
        assert_eq!(talk(None, b"GET / HTTP/1").1, Err(ProtocolError::Version));
    }

    #[test]
    fn with_a_password() {
        let right = Password::new(b"secret").unwrap().response(&[7; 16]);
        let mut talk_8 = b"RFB 003.008\n\x02".to_vec();
        talk_8.extend(right);
        talk_8.push(0);
        let mut expected = vec![1, 2];
        expected.extend([7; 16]);
        expected.extend([0, 0, 0, 0]);
        assert_eq!(talk(Some(b"secret"), &talk_8), (expected, Ok(true)));
        let (out, result) = talk(Some(b"Secret"), &talk_8);
        assert_eq!(result, Err(ProtocolError::Password));
        assert!(out.ends_with(b"the password is wrong"));
        assert_eq!(
            talk(Some(b"secret"), b"RFB 003.008\n\x01").1,
            Err(ProtocolError::Security(1))
        );
    }
}
