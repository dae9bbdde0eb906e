//! System calls: those that a running machine makes (seccomp). All others fail as if the kernel did not know them
//! (ENOSYS), which libraries take for an older kernel: nothing is killed, and the disks can still be flushed.
//! Source: seccomp(2); the kernel's Documentation/userspace-api/seccomp_filter.rst.

use super::SandboxError;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// Reading and writing what is open; opening what Landlock allows.
const FILES: &[i64] = &[
    libc::SYS_access,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_lstat,
    libc::SYS_newfstatat,
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pipe,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_rmdir,
    libc::SYS_sendfile,
    libc::SYS_stat,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_sync_file_range,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
];

const MEMORY: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_memfd_create,
    libc::SYS_mincore,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munmap,
];

/// Threads, signals among them, time, and questions about this process.
const THREADS: &[i64] = &[
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpgrp,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_membarrier,
    libc::SYS_nanosleep,
    libc::SYS_prctl,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_time,
    libc::SYS_times,
    libc::SYS_uname,
];

/// Waiting for something, and connections that are open or come in.
const EVENTS: &[i64] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd2,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_select,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
];

/// What a window needs besides: shared pictures, watched settings, the clipboard's connection.
const WINDOW: &[i64] = &[
    libc::SYS_connect,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_shmget,
];

/// From now on all threads of this process make no other system calls; `window` if the machine has one.
pub fn forbid_calls(window: bool) -> Result<(), SandboxError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let lists = [FILES, MEMORY, THREADS, EVENTS, if window { WINDOW } else { &[] }];
    rules.extend(lists.into_iter().flatten().map(|call| (*call, Vec::new())));
    let mut only = |call, conditions: Vec<SeccompCondition>| -> Result<(), SandboxError> {
        rules.insert(call, vec![SeccompRule::new(conditions)?]);
        Ok(())
    };
    // Threads, no processes. (clone3 hides its flags behind a pointer; without it, libraries use clone.)
    only(libc::SYS_clone, vec![has(0, libc::CLONE_THREAD)?])?;
    // Signals among the own threads.
    only(libc::SYS_tgkill, vec![is(0, i64::from(std::process::id()))?])?;
    // A thread's own priority, nobody else's.
    only(libc::SYS_setpriority, vec![is(0, 0)?, is(1, 0)?])?;
    // Limits are read, not set.
    only(libc::SYS_prlimit64, vec![is(2, 0)?])?;
    // A terminal takes no input from us as if a person had typed it.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX];
    only(
        libc::SYS_ioctl,
        typing
            .into_iter()
            .map(|request| condition(1, SeccompCmpOp::Ne, request))
            .collect::<Result<_, _>>()?,
    )?;
    if window {
        only(libc::SYS_socket, vec![is(0, i64::from(libc::AF_UNIX))?])?;
        only(libc::SYS_socketpair, vec![is(0, i64::from(libc::AF_UNIX))?])?;
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        SeccompAction::Allow,
        TargetArch::x86_64,
    )?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter_all_threads(&program)?)
}

/// The lower half of argument `argument` (0–5) compares so with `value`.
fn condition(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, SandboxError> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)?)
}

fn is(argument: u8, value: i64) -> Result<SeccompCondition, SandboxError> {
    condition(argument, SeccompCmpOp::Eq, value.unsigned_abs())
}

fn has(argument: u8, bit: i32) -> Result<SeccompCondition, SandboxError> {
    let bit = u64::from(bit.unsigned_abs());
    condition(argument, SeccompCmpOp::MaskedEq(bit), bit)
}
