//! Whether a session is kept in hiberfil.sys.

use crate::volumes::MountedVolume;

/// The first four bytes of hiberfil.sys, unless they are zero: `hibr` or `HIBR` is a session that will be resumed.
/// Fast Startup (Windows 8 and later) leaves the same signature.
pub(crate) type Signature = [u8; 4];

/// The signature of the hibernation file on this volume; `None` if there is no file or no session in it.
pub(crate) fn signature(volume: &mut MountedVolume) -> Option<Signature> {
    let start = volume.fs.read_start("hiberfil.sys", 4).ok()?;
    start.try_into().ok().filter(|signature| *signature != [0; 4])
}

/// The sentence that a person should read.
pub(crate) fn note(signature: Signature, fast_startup: bool) -> String {
    match &signature {
        b"hibr" | b"HIBR" if fast_startup => "hibernated, or shut down with Fast Startup: a saved session is in \
            hiberfil.sys; better start it once more and shut it down with Shift held down, or with \"shutdown /s /t 0\""
            .to_owned(),
        b"hibr" | b"HIBR" => "hibernated: a saved session is in hiberfil.sys; better start it once more and shut it \
            down"
            .to_owned(),
        b"wake" | b"WAKE" => "was resumed from hibernation when it last started; hiberfil.sys still holds the old \
            session"
            .to_owned(),
        other => format!(
            "hiberfil.sys starts with \"{}\", which is not understood: a session may be saved in it",
            other.escape_ascii()
        ),
    }
}
