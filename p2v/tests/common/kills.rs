//! Processes killed (SIGKILL) just before a system call, by strace: no sleep, no luck.

use super::*;
use std::os::unix::process::ExitStatusExt;

/// System calls that change files, or come between changes.
const STEPS: [&str; 15] = [
    "write",
    "pwrite64",
    "ioctl",
    "ftruncate",
    "fsync",
    "fdatasync",
    "renameat2",
    "rename",
    "unlink",
    "unlinkat",
    "rmdir",
    "chmod",
    "fchmod",
    "flock",
    "lseek",
];

/// Runs `attempt` with a command that is killed before its first `write`, its second, and so on, then before each
/// other of [`STEPS`]. `attempt(p2v, step)` adds arguments and gives the finished command to `check`, which must say
/// whether it was killed. Returns how often it was.
pub(crate) fn at_every_step(attempt: impl FnMut(&mut Command, &str) -> bool) -> usize {
    at_steps(&STEPS, attempt)
}

/// The same for some system calls.
pub(crate) fn at_steps(calls: &[&str], mut attempt: impl FnMut(&mut Command, &str) -> bool) -> usize {
    let mut kills = 0;
    for call in calls {
        // strace counts each system call by itself.
        for number in 1.. {
            assert!(number < 500, "{call} never ends");
            let mut strace = Command::new("strace");
            strace
                .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"])
                .arg(format!("inject={call}:signal=KILL:when={number}"))
                .arg(env!("CARGO_BIN_EXE_p2v"));
            if !attempt(&mut strace, &format!("{call}-{number}")) {
                break;
            }
            kills += 1;
        }
    }
    kills
}

/// Whether the command was killed; else it must have come through.
pub(crate) fn was_killed(command: &mut Command) -> bool {
    let output = start(command);
    let killed = output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "{}", errors(&output));
    killed
}
