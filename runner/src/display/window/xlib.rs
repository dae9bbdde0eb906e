//! Xlib ends the whole process when its server goes away. A machine must first write its disks out.

#![allow(unsafe_code, reason = "Xlib's own interface is the only one for this")]

use super::Message;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;
use winit::event_loop::EventLoopProxy;
use winit::raw_window_handle::{HasDisplayHandle, RawDisplayHandle};

/// `XIOErrorHandler` of `X11/Xlib.h`: told of the loss.
type Handler = unsafe extern "C" fn(display: *mut c_void) -> c_int;
/// `XSetIOErrorHandler`; the one before is returned.
type SetHandler = unsafe extern "C" fn(handler: Handler) -> *mut c_void;
/// `XIOErrorExitHandler`: called next, in the place of `exit`.
type ExitHandler = unsafe extern "C" fn(display: *mut c_void, user: *mut c_void);
/// `XSetIOErrorExitHandler`, since libX11 1.7.
type SetExitHandler = unsafe extern "C" fn(display: *mut c_void, handler: ExitHandler, user: *mut c_void);

/// The default one prints a message and exits.
unsafe extern "C" fn told(_: *mut c_void) -> c_int {
    0
}

/// When it returns, Xlib goes on with a connection on which everything fails.
unsafe extern "C" fn lost(_: *mut c_void, user: *mut c_void) {
    // SAFETY: `survive` passed a proxy that is never freed, and nothing else.
    let proxy = unsafe { &*user.cast::<EventLoopProxy<Message>>() };
    let _ = proxy.send_event(Message::Lost);
}

/// Makes the loss of the X server a message. Nothing on Wayland, whose libraries never end a process, and with an Xlib
/// that is too old.
pub(super) fn survive(display: &impl HasDisplayHandle, proxy: EventLoopProxy<Message>) {
    let Ok(handle) = display.display_handle() else {
        return;
    };
    let RawDisplayHandle::Xlib(xlib) = handle.as_raw() else {
        return;
    };
    let (Some(display), Some(set_handler), Some(set_exit_handler)) = (
        xlib.display,
        function(c"XSetIOErrorHandler"),
        function(c"XSetIOErrorExitHandler"),
    ) else {
        return;
    };
    // SAFETY: Xlib.h declares the function of this name with this type.
    let set_handler: SetHandler = unsafe { std::mem::transmute::<NonNull<c_void>, SetHandler>(set_handler) };
    // SAFETY: as above.
    let set_exit_handler: SetExitHandler =
        unsafe { std::mem::transmute::<NonNull<c_void>, SetExitHandler>(set_exit_handler) };
    // Never freed: the handler may be called at any time until the process ends.
    let user: *mut EventLoopProxy<Message> = Box::leak(Box::new(proxy));
    // SAFETY: the display is open, as it was taken from the event loop; the handler's data live for ever.
    unsafe { set_exit_handler(display.as_ptr(), lost, user.cast()) };
    // SAFETY: the handler is a function that does nothing.
    unsafe { set_handler(told) };
}

/// A function of the Xlib that the event loop has loaded.
fn function(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the name is a string with its zero byte; only what is loaded already is found, so no code of it runs.
    let library = unsafe { libc::dlopen(c"libX11.so.6".as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    let library = NonNull::new(library)?;
    // SAFETY: the library's handle is one that dlopen gave, and stays open; the name has its zero byte.
    NonNull::new(unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) })
}
