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

/// Kills captures of `disk` into `machine` at random moments, as often as `P2V_KILLS` says, else `usual` times.
/// `attempt` starts one, kills it when and how two random bytes say, and says whether that came in time. What came through
/// all the same is judged and begun anew; `finish` lets the last one come through.
pub(crate) fn at_random_moments(
    usual: u64,
    disk: &Path,
    machine: &Path,
    mut attempt: impl FnMut([u8; 2]) -> bool,
    finish: impl FnOnce(),
) {
    let kills: u64 = std::env::var("P2V_KILLS").map_or(usual, |number| number.parse().unwrap());
    let (mut killed, mut finished) = (0, 0);
    // Another moment each time: one that is too early or too late must not come again and again.
    for number in 0.. {
        if killed == kills {
            break;
        }
        let random = noise(number + 1000, 2);
        if attempt([random[0], random[1]]) {
            killed += 1;
            continue;
        }
        judge(disk, machine);
        fs::remove_dir_all(machine).unwrap();
        finished += 1;
    }
    if !machine.join("machine.toml").exists() {
        finish();
    }
    judge(disk, machine);
    println!("{killed} kills, {} captures", finished + 1);
}
