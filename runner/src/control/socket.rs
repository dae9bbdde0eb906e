//! Unix sockets at any path, private from the moment they exist.
//!
//! A socket's address holds 107 bytes, but machine folders may lie deeper: a long path is reached through
//! `/proc/self/fd/N/NAME`, where N is the opened folder.

use super::error::ServerError;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

const BACKLOG: i32 = 16;

/// The socket's address, and the folder that must stay open while the address is used.
fn address(path: &Path) -> io::Result<(SocketAddrUnix, Option<OwnedFd>)> {
    if let Ok(address) = SocketAddrUnix::new(path) {
        return Ok((address, None));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL.into());
    };
    let folder = rustix::fs::open(
        folder,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((SocketAddrUnix::new(&short)?, Some(folder)))
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// Connects to the socket at `path`.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let (address, _folder) = address(path)?;
    let socket = socket()?;
    rustix::net::connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

/// Listens at `path`, readable and writable by this user only. The left-over socket of a machine that ended is
/// replaced; one that answers is not.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, ServerError> {
    let system = |source: io::Error| ServerError::System {
        path: path.to_owned(),
        source,
    };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(system(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(ServerError::NotASocket(path.to_owned())),
        Ok(_) => match connect(path) {
            Ok(_) => return Err(ServerError::InUse(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(system)?;
            }
            Err(error) => return Err(system(error)),
        },
    }
    let (address, _folder) = address(path).map_err(|error| {
        if matches!(Errno::from_io_error(&error), Some(Errno::INVAL | Errno::NAMETOOLONG)) {
            ServerError::BadPath(path.to_owned())
        } else {
            system(error)
        }
    })?;
    let socket = socket().map_err(system)?;
    // Linux gives the file made by bind() the mode of the socket, so nobody can connect before it is private.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(|error| system(error.into()))?;
    rustix::net::bind(&socket, &address).map_err(|error| system(error.into()))?;
    rustix::net::listen(&socket, BACKLOG).map_err(|error| system(error.into()))?;
    Ok(UnixListener::from(socket))
}
