//! The files of a folder, and nothing outside of it.

use super::http::Response;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Larger files are not handed out; noVNC's are far smaller.
const MAX_SIZE: u64 = 8 << 20;

/// A folder that was opened once.
pub(super) struct Files(OwnedFd);

impl Files {
    /// The folder, if it has noVNC's page.
    pub(super) fn open(folder: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let files = Files(openat(CWD, folder, flags, Mode::empty()).ok()?);
        files.read("vnc.html").map(|_| files)
    }

    /// The file at `path`, relative to the folder, as the answer to a request.
    pub(super) fn get(&self, path: &str) -> Response {
        let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("json") => "application/json",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("ico") => "image/x-icon",
            Some("woff") => "font/woff",
            Some("ttf") => "font/ttf",
            Some("mp3") => "audio/mpeg",
            Some("oga") => "audio/ogg",
            _ => return Response::error(404),
        };
        match self.read(path) {
            Some(body) => Response::file(kind, body),
            None => Response::error(404),
        }
    }

    /// Only plain names, and the kernel makes sure that neither `..` nor a symbolic link leads out of the folder.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let plain = |name: &str| {
            !name.is_empty()
                && !name.starts_with('.')
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if !path.split('/').all(plain) {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let file = openat2(&self.0, path, flags, Mode::empty(), inside).ok()?;
        let status = fstat(&file).ok()?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return None;
        }
        let mut body = Vec::new();
        File::from(file).take(MAX_SIZE + 1).read_to_end(&mut body).ok()?;
        (body.len() as u64 <= MAX_SIZE).then_some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        std::fs::create_dir_all(site.join("app")).unwrap();
        std::fs::write(site.join("vnc.html"), "page").unwrap();
        std::fs::write(site.join("app/a.js"), "script").unwrap();
        std::fs::write(folder.path().join("secret.html"), "secret").unwrap();
        symlink("vnc.html", site.join("inside.html")).unwrap();
        symlink("../secret.html", site.join("outside.html")).unwrap();
        symlink(folder.path(), site.join("up")).unwrap();
        let files = Files::open(&site).unwrap();
        assert_eq!(files.read("app/a.js").unwrap(), b"script");
        assert_eq!(files.read("inside.html").unwrap(), b"page");
        for path in [
            "",
            "app",
            "app/",
            "/vnc.html",
            "../secret.html",
            "app/../vnc.html",
            "outside.html",
            "up/secret.html",
            "%2e%2e/secret.html",
            "vnc.html\0",
        ] {
            assert_eq!(files.read(path), None, "{path}");
        }
        assert!(Files::open(folder.path()).is_none());
    }
}
