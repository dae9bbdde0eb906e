//! Getting a processor thread out of the guest: a signal whose handler tells KVM not to enter again.

use crate::config::RunError;
use kvm_bindings::kvm_run;
use std::cell::Cell;
use std::ptr;
use vmm_sys_util::signal::{SIGRTMIN, register_signal_handler};

thread_local! {
    /// The page this thread's processor shares with KVM; null on other threads.
    static RUN: Cell<*mut kvm_run> = const { Cell::new(ptr::null_mut()) };
}

/// Runs in the kicked thread. If the signal comes before `KVM_RUN`, the flag makes it return at once; if it comes
/// during it, the signal itself does.
extern "C" fn on_kick(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let run = RUN.get();
    if !run.is_null() {
        // SAFETY: the pointer is set only while the thread owns the processor whose page it is (`Kickable`), and the
        // handler runs in that thread, so nothing else writes the field at the same time.
        let flag = unsafe { &raw mut (*run).immediate_exit };
        // SAFETY: as above; the byte is inside the page.
        unsafe { ptr::write_volatile(flag, 1) };
    }
}

/// Installs the handler; do it before any processor thread starts.
pub fn install() -> Result<(), RunError> {
    register_signal_handler(SIGRTMIN(), on_kick).map_err(|error| RunError::System {
        what: "install the handler that interrupts processors".to_owned(),
        source: error.into(),
    })
}

/// Marks this thread as one that can be kicked, as long as it lives.
pub struct Kickable(());

impl Kickable {
    /// `run` must stay mapped until the value is dropped: keep it beside the processor's descriptor.
    pub(super) fn new(run: *mut kvm_run) -> Self {
        RUN.set(run);
        Kickable(())
    }
}

impl Drop for Kickable {
    fn drop(&mut self) {
        RUN.set(ptr::null_mut());
    }
}

/// A thread that may be kicked.
#[derive(Clone, Copy, Debug)]
pub struct Thread(libc::pthread_t);

impl Thread {
    /// The calling thread.
    pub fn current() -> Self {
        // SAFETY: pthread_self has no preconditions.
        Thread(unsafe { libc::pthread_self() })
    }

    /// Whether it is the calling thread.
    pub fn is_current(self) -> bool {
        self.0 == Thread::current().0
    }

    /// Gets it out of the guest.
    ///
    /// # Safety
    /// The thread must not have ended.
    pub unsafe fn kick(self) {
        // SAFETY: the caller promises that the thread lives; the signal has a handler ([`install`]).
        unsafe { libc::pthread_kill(self.0, SIGRTMIN()) };
    }
}
