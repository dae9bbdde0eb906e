//! A machine with a window: the window has the program's main thread, as desktops want it; requests are served beside.

use crate::config::{RunError, WindowConfig};
use crate::control::Control;
use crate::display::Hub;
use std::sync::Arc;

/// A connection to the desktop, made before the machine is.
pub(super) struct Desktop {
    #[cfg(feature = "window")]
    window: crate::display::window::Window,
    #[cfg(feature = "window")]
    config: WindowConfig,
}

impl Desktop {
    /// Connects to the desktop, if there is to be a window.
    #[cfg(feature = "window")]
    pub(super) fn connect(config: Option<WindowConfig>) -> Result<Option<Self>, RunError> {
        let Some(config) = config else {
            return Ok(None);
        };
        let window = crate::display::window::Window::connect().map_err(no_window)?;
        Ok(Some(Desktop { window, config }))
    }

    /// Says that there are no windows.
    #[cfg(not(feature = "window"))]
    pub(super) fn connect(config: Option<WindowConfig>) -> Result<Option<Self>, RunError> {
        match config {
            None => Ok(None),
            Some(_) => Err(no_window("this program was built without windows")),
        }
    }

    /// Shows the machine while `serve` runs, which gets a thread of its own. If the window goes, so does the machine.
    #[cfg(feature = "window")]
    pub(super) fn show<R: Send>(
        self,
        name: String,
        hub: &Hub,
        control: &Arc<dyn Control>,
        serve: impl FnOnce() -> Result<R, RunError> + Send,
    ) -> Result<R, RunError> {
        use crate::display::window::Closer;
        use std::panic::{AssertUnwindSafe, catch_unwind};

        /// However the thread ends, the window closes.
        struct Close(Closer);
        impl Drop for Close {
            fn drop(&mut self) {
                self.0.close();
            }
        }

        let close = Close(self.window.closer());
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let _close = close;
                serve()
            });
            let window = self.window;
            let config = self.config;
            // The library panics if the desktop goes away under it.
            let body = AssertUnwindSafe(|| window.run(name, config, hub, control.clone()).map_err(no_window));
            let shown =
                catch_unwind(body).unwrap_or_else(|_| Err(no_window("the window was lost: the desktop went away")));
            if shown.is_err() {
                control.quit();
            }
            let result = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            shown.and(result)
        })
    }

    #[cfg(not(feature = "window"))]
    pub(super) fn show<R: Send>(
        self,
        _: String,
        _: &Hub,
        _: &Arc<dyn Control>,
        serve: impl FnOnce() -> Result<R, RunError> + Send,
    ) -> Result<R, RunError> {
        serve()
    }
}

fn no_window(problem: impl std::fmt::Display) -> RunError {
    RunError::NoWindow {
        problem: problem.to_string(),
    }
}
