//! ssh's questions while p2v has the terminal. ssh starts p2v again, by the name [`NAME`], for each of them (ssh(1),
//! `SSH_ASKPASS`); that one hands the question to the p2v that has the terminal, and prints its answer.
//!
//! ```text
//! p2v ──> ssh ──> p2v-askpass "me@newpc's password: "
//!  └────── private folder: socket ──────┘
//! ```
//!
//! The socket is in a folder that only this user can enter. The question: one byte for its [`Kind`], then its text, to the
//! end. The answer: `+`, then the text, to the end; nothing for a refusal.

use crate::error::{Failure, Result};
use std::fmt;
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// What p2v is called when ssh starts it to ask.
const NAME: &str = "p2v-askpass";
/// The socket, beside that name.
const SOCKET: &str = "questions";
/// The longest question in bytes.
const LONGEST_QUESTION: u64 = 16 << 10;
/// The longest answer in bytes; a secret never has to move to another place in memory.
const LONGEST_ANSWER: usize = 1000;
/// A helper says its question at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// A text that is shown to nobody, and wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Default for Secret {
    fn default() -> Self {
        Secret(Zeroizing::new(String::with_capacity(LONGEST_ANSWER)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// One that is no secret at all, such as `yes`.
    pub(crate) fn of(text: &str) -> Self {
        Secret(Zeroizing::new(text.to_owned()))
    }

    /// A key for a character. What would not fit is not taken: a longer text would leave its old place unwiped.
    pub(crate) fn push(&mut self, c: char) {
        if !c.is_control() && self.0.len() + c.len_utf8() <= self.0.capacity() {
            self.0.push(c);
        }
    }

    /// The backspace key.
    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// How many characters it has.
    pub(crate) fn count(&self) -> usize {
        self.0.chars().count()
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A password, a passphrase, or another text.
    Secret,
    /// `yes` or `no`: is this the right computer?
    YesNo,
    /// Nothing: something is to be done, such as touching a key. The helper is ended when that was done.
    Notice,
}

/// What ssh asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) kind: Kind,
    /// In ssh's words; the only control characters in it end lines.
    pub(crate) text: String,
}

impl Question {
    /// `hint` is what ssh says in `SSH_ASKPASS_PROMPT`.
    fn new(hint: u8, text: &str) -> Self {
        let text = text.replace(|c: char| c.is_control() && c != '\n', "");
        // The question about an unknown computer comes without a hint.
        let kind = match hint {
            b'n' => Kind::Notice,
            b'c' => Kind::YesNo,
            _ if text.contains("(yes/no") => Kind::YesNo,
            _ => Kind::Secret,
        };
        Question { kind, text }
    }
}

/// Where an answer goes. Dropping it refuses.
pub(crate) struct Reply(UnixStream);

impl Reply {
    /// Answers.
    pub(crate) fn answer(mut self, answer: &Secret) {
        // A helper that is gone needs none.
        let _ = self
            .0
            .write_all(b"+")
            .and_then(|()| self.0.write_all(answer.0.as_bytes()));
    }
}

/// Takes questions, as long as it lives.
pub(crate) struct Server {
    folder: TempDir,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Opens the private folder. Each question goes to `asked`, on another thread.
    pub(crate) fn open(asked: impl Fn(Question, Reply) + Send + 'static) -> Result<Self> {
        let failed = |error: io::Error| {
            Failure::failed(format!("cannot make a place for ssh's questions: {error}"))
                .advice("Is there room in the folder for temporary files?")
        };
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("p2v-").permissions(Permissions::from_mode(0o700));
        let folder = builder.tempdir().map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        symlink(program, folder.path().join(NAME)).map_err(failed)?;
        let listener = UnixListener::bind(folder.path().join(SOCKET)).map_err(failed)?;
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                if let Some((question, reply)) = stream.ok().and_then(|stream| take(stream).ok()) {
                    asked(question, reply);
                }
            }
        });
        Ok(Server { folder, over })
    }

    /// The program that ssh starts for each question.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It waits for a question.
        let _ = UnixStream::connect(self.folder.path().join(SOCKET));
    }
}

/// The question of a helper.
fn take(stream: UnixStream) -> io::Result<(Question, Reply)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = Vec::new();
    (&stream).take(LONGEST_QUESTION).read_to_end(&mut bytes)?;
    let (hint, text) = bytes.split_first().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((Question::new(*hint, &String::from_utf8_lossy(text)), Reply(stream)))
}

/// Whether ssh has started this process, to ask something: the socket to ask through.
pub(crate) fn is_meant() -> Option<PathBuf> {
    let called = PathBuf::from(std::env::args_os().next()?);
    (called.file_name()? == NAME).then(|| called.with_file_name(SOCKET))
}

/// Asks what ssh wants to know, and prints the answer.
pub(crate) fn run(socket: &Path) -> ExitCode {
    let text = std::env::args_os().nth(1).unwrap_or_default();
    let hint = match std::env::var("SSH_ASKPASS_PROMPT").as_deref() {
        Ok("confirm") => b'c',
        Ok("none") => b'n',
        _ => b'q',
    };
    let Ok(answer) = ask(socket, hint, &text.to_string_lossy()) else {
        return ExitCode::FAILURE;
    };
    let Some((b'+', answer)) = answer.split_first() else {
        return ExitCode::FAILURE;
    };
    let mut out = io::stdout().lock();
    let printed = out
        .write_all(answer)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    printed.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// The answer as it came.
fn ask(socket: &Path, hint: u8, text: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&[hint])?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = Zeroizing::new(Vec::with_capacity(4 * LONGEST_ANSWER));
    stream.take(2 * LONGEST_ANSWER as u64).read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn questions_are_answered_or_refused() {
        let (sender, asked) = unbounded();
        let server = Server::open(move |question, reply| drop(sender.send((question, reply)))).unwrap();
        let folder = server.folder.path().to_owned();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let socket = server.program().with_file_name(SOCKET);
        let asks = |hint: u8, text: &'static str| {
            let socket = socket.clone();
            thread::spawn(move || ask(&socket, hint, text).unwrap().to_vec())
        };
        let helper = asks(b'q', "me@newpc's \u{1b}[31mpassword: ");
        let (question, reply) = asked.recv().unwrap();
        assert_eq!(question.kind, Kind::Secret);
        assert_eq!(question.text, "me@newpc's [31mpassword: ");
        reply.answer(&Secret::of("correct horse"));
        assert_eq!(helper.join().unwrap(), b"+correct horse");
        let helper = asks(
            b'q',
            "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
        );
        let (question, reply) = asked.recv().unwrap();
        assert_eq!(question.kind, Kind::YesNo);
        drop(reply);
        assert_eq!(helper.join().unwrap(), b"");
        let helper = asks(b'n', "Touch the key");
        let (question, reply) = asked.recv().unwrap();
        assert_eq!(question.kind, Kind::Notice);
        drop(reply);
        helper.join().unwrap();
        drop(server);
        assert!(!folder.exists());
        // The thread is over.
        assert!(asked.recv().is_err());
    }

    #[test]
    fn a_secret_stays_where_it_is_and_is_not_shown() {
        let mut secret = Secret::default();
        let place = secret.text().as_ptr();
        (0..2 * LONGEST_ANSWER).for_each(|_| secret.push('\u{e4}'));
        secret.push('\n');
        assert_eq!((secret.count(), secret.text().as_ptr()), (LONGEST_ANSWER / 2, place));
        secret.pop();
        assert_eq!(secret.count(), LONGEST_ANSWER / 2 - 1);
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    proptest! {
        #[test]
        fn any_question_is_taken(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut helper, stream) = UnixStream::pair().unwrap();
            helper.write_all(&bytes).unwrap();
            helper.shutdown(std::net::Shutdown::Write).unwrap();
            match take(stream) {
                Ok((question, _)) => prop_assert!(!question.text.contains(|c: char| c.is_control() && c != '\n')),
                Err(_) => prop_assert!(bytes.is_empty()),
            }
        }
    }
}
