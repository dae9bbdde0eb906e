//! What can go wrong with the control socket, in words for the person at the terminal.

use crate::input::UntypableChar;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why the control socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Somebody answers on the socket.
    #[error("{}: a machine already runs on this control socket; end it first (p2v shutdown) or use another folder", .0.display())]
    InUse(PathBuf),
    /// Something that is not a socket is in the way.
    #[error("{}: this is not a socket; move it away, the control socket is made there", .0.display())]
    NotASocket(PathBuf),
    /// The path has no folder and file name that a socket could have.
    #[error("{}: not a path that a control socket can have; it must name a file in a folder, at most 80 bytes long", .0.display())]
    BadPath(PathBuf),
    /// A system call failed.
    #[error("cannot make the control socket {}: {source}", path.display())]
    System {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// Why a machine could not be controlled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no socket, or nobody listens on it.
    #[error("the machine is not running ({} {}); start it with p2v launch", path.display(), if *stale { "is left over from a machine that ended" } else { "is not there" })]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// The socket file exists although nobody listens.
        stale: bool,
    },
    /// A system call failed.
    #[error("cannot talk to the machine on {}: {source}", path.display())]
    System {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A picture could not be saved.
    #[error("cannot write {}: {source}", path.display())]
    Save {
        /// Where it was to be.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The other end closed the connection, as a machine does when it ends.
    #[error("the machine on {} ended the connection", .0.display())]
    Closed(PathBuf),
    /// No answer in time.
    #[error("no {what} from the machine on {} within {} s; it may be overloaded or stuck", path.display(), after.as_secs())]
    Timeout {
        /// The socket.
        path: PathBuf,
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
    },
    /// The other end does not speak QMP.
    #[error("{} does not speak QMP: {detail}", path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What was wrong.
        detail: String,
    },
    /// The machine refused a command.
    #[error("the machine refused `{command}`: {description} ({class})")]
    Refused {
        /// The QMP command.
        command: String,
        /// QMP error class.
        class: String,
        /// QMP error description.
        description: String,
    },
    /// A text holds a character that no key of the US layout makes.
    #[error(transparent)]
    Untypable(#[from] UntypableChar),
}
