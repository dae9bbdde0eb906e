//! Between the machine's screen and everybody who looks at it.
//!
//! One thread draws, and only while there are viewers. It asks first which pages the guest has written to, then for
//! the registers, and reads the memory last, without any lock: what changes meanwhile is seen the next time.

use super::damage::Damage;
use super::input::{Hands, Pointer};
use super::renderer::Renderer;
use crate::bus::lock;
use crate::input::{InputEvent, KeySink, Layout, Typing, TypingError};
use crate::kvm::Pages;
use crate::video::{Frame, Scene};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the screen is looked at while it changes.
const LIVELY: Duration = Duration::from_millis(16);
/// … and after it has not changed for [`PATIENCE`].
const IDLE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_millis(500);
/// Drawing takes at most one part in so many of a host processor's time.
const SHARE: u32 = 3;

/// The machine as its screen and keyboard show it. The machine implements it; no method blocks.
pub trait Console: Send + Sync {
    /// The display adapter.
    fn scene(&self) -> Scene;
    /// Pages of video memory that changed since the last call, by the guest's writes or by the adapter.
    fn written(&self) -> Pages;
    /// Keys, buttons and movements, in order.
    fn input(&self, events: &[InputEvent]);
    /// The keyboard's lamps as the guest has set them: bit 0 scroll lock, 1 num lock, 2 caps lock.
    fn leds(&self) -> u8 {
        0
    }
    /// Whether the speaker sounds.
    fn is_beeping(&self) -> bool {
        false
    }
    /// Whether the guest has yet to read keys that went to [`input`](Self::input).
    fn is_behind(&self) -> bool {
        false
    }
    /// Whether the guest has a device that tells where the pointer is: else movements are all it understands.
    fn has_absolute_pointer(&self) -> bool {
        false
    }
    /// A viewer would like the screen to have this size; false if that is not possible.
    fn resize(&self, width: u32, height: u32) -> bool {
        let _ = (width, height);
        false
    }
}

/// Called when a viewer has something to fetch. It must not block, and may be called by any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// What a viewer has not seen yet.
#[derive(Clone, Debug)]
pub struct Update {
    /// The picture now, shared by all viewers: whoever keeps it long makes the next change copy it.
    pub frame: Arc<Frame>,
    /// What has changed in it since the last update; its size is the picture's.
    pub damage: Damage,
}

/// The hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    console: Arc<dyn Console>,
    state: Mutex<State>,
    changed: Condvar,
    /// Where viewers that tell places last had the guest's pointer.
    pointer: Mutex<Pointer>,
    /// The guest's keyboard, on which texts are typed.
    layout: Layout,
    /// The text that is being typed, and the seat of the viewer who asked for it.
    typing: Mutex<Option<(u64, Typing)>>,
}

struct State {
    frame: Arc<Frame>,
    viewers: Vec<Seat>,
    /// What the viewers were last called for.
    signs: Signs,
    /// How often the speaker has begun to sound.
    beeps: u64,
    next_id: u64,
    /// Somebody came, or a key was pressed: look now.
    hurry: bool,
    ended: bool,
}

/// What there is beside the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Signs {
    leds: u8,
    absolute: bool,
    beeping: bool,
}

struct Seat {
    id: u64,
    /// `None` until the first picture since it came is there.
    damage: Option<Damage>,
    waker: Waker,
}

impl Hub {
    /// A hub without viewers; texts are typed as on a keyboard with this `layout`.
    pub fn new(console: Arc<dyn Console>, layout: Layout) -> Self {
        Hub(Arc::new(Shared {
            console,
            state: Mutex::new(State {
                frame: Arc::new(Frame::black(0, 0)),
                viewers: Vec::new(),
                signs: Signs::default(),
                beeps: 0,
                next_id: 0,
                hurry: false,
                ended: false,
            }),
            changed: Condvar::new(),
            pointer: Mutex::default(),
            layout,
            typing: Mutex::default(),
        }))
    }

    /// Takes a seat. `waker` is called when there is a first picture, and then whenever something has changed.
    pub fn subscribe(&self, waker: Waker) -> Viewer {
        let mut state = lock(&self.0.state);
        let id = state.next_id;
        state.next_id += 1;
        state.viewers.push(Seat {
            id,
            damage: None,
            waker,
        });
        state.hurry = true;
        drop(state);
        self.0.changed.notify_all();
        Viewer {
            hub: self.clone(),
            id,
            hands: Hands::default(),
        }
    }

    /// Draws once, on the calling thread: for tests, where no thread draws.
    pub fn refresh(&self) {
        let mut renderer = Renderer::new();
        let damage = renderer.draw(&self.0.console.scene(), &self.0.console.written());
        self.publish(renderer.picture(), &damage);
    }

    /// Ends [`run`](Self::run).
    pub fn end(&self) {
        lock(&self.0.state).ended = true;
        self.0.changed.notify_all();
        self.stop_typing();
    }

    fn stop_typing(&self) {
        *lock(&self.0.typing) = None;
    }

    /// The body of the thread that draws.
    pub fn run(&self) {
        let mut renderer = Renderer::new();
        let mut last_change = Instant::now();
        let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
        while let Some(hurried) = self.wait(least, most, &mut renderer) {
            let begun = Instant::now();
            let written = self.0.console.written();
            let scene = self.0.console.scene();
            let damage = renderer.draw(&scene, &written);
            if hurried || !damage.is_empty() {
                last_change = Instant::now();
            }
            self.publish(renderer.picture(), &damage);
            least = LIVELY.max(begun.elapsed() * (SHARE - 1));
            most = if last_change.elapsed() < PATIENCE {
                least
            } else {
                least.max(IDLE)
            };
        }
    }

    /// Waits for the time to look again: `most`, or `least` if somebody is in a hurry, which it returns. It waits
    /// longer if there are no viewers, and gives `None` at the end.
    fn wait(&self, least: Duration, most: Duration, renderer: &mut Renderer) -> Option<bool> {
        let begun = Instant::now();
        let mut state = lock(&self.0.state);
        loop {
            if state.ended {
                return None;
            }
            if state.viewers.is_empty() {
                // What happens meanwhile is not followed.
                renderer.forget();
                state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let time = if state.hurry { least } else { most };
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Some(std::mem::take(&mut state.hurry));
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn publish(&self, picture: &Frame, damage: &Damage) {
        let mut state = lock(&self.0.state);
        let newcomers = state.viewers.iter().any(|seat| seat.damage.is_none());
        let signs = Signs {
            leds: self.0.console.leds(),
            absolute: self.0.console.has_absolute_pointer(),
            beeping: self.0.console.is_beeping(),
        };
        let before = std::mem::replace(&mut state.signs, signs);
        state.beeps += u64::from(signs.beeping && !before.beeping);
        let told = before != signs;
        if damage.is_empty() && !newcomers && !told {
            return;
        }
        if (state.frame.width, state.frame.height) != (picture.width, picture.height) {
            state.frame = Arc::new(picture.clone());
        } else if !damage.is_empty() {
            // Copied whole only if a viewer still holds the one before.
            let frame = Arc::make_mut(&mut state.frame);
            let width = picture.width as usize;
            for rect in damage.rects() {
                for y in rect.y..rect.y + rect.height {
                    let start = y as usize * width + rect.x as usize;
                    let row = start..start + rect.width as usize;
                    frame.pixels[row.clone()].copy_from_slice(&picture.pixels[row]);
                }
            }
        }
        let mut wakers = Vec::new();
        for seat in &mut state.viewers {
            match &mut seat.damage {
                None => seat.damage = Some(Damage::all(picture.width, picture.height)),
                Some(_) if damage.is_empty() && !told => continue,
                Some(before) => before.merge(damage),
            }
            wakers.push(seat.waker.clone());
        }
        drop(state);
        for waker in wakers {
            waker();
        }
    }
}

/// The guest's keyboard for texts.
struct Sink(Arc<dyn Console>);

impl KeySink for Sink {
    fn input(&self, events: &[InputEvent]) {
        self.0.input(events);
    }
    fn is_behind(&self) -> bool {
        self.0.is_behind()
    }
}

/// One who looks at the screen and has hands on keyboard and mouse. Dropping it releases what it holds pressed.
pub struct Viewer {
    hub: Hub,
    id: u64,
    hands: Hands,
}

impl Viewer {
    /// What has changed since the last call; `None` if nothing has.
    pub fn take(&self) -> Option<Update> {
        let mut state = lock(&self.hub.0.state);
        let frame = state.frame.clone();
        let seat = state.viewers.iter_mut().find(|seat| seat.id == self.id)?;
        let damage = seat.damage.as_mut().filter(|damage| !damage.is_empty())?;
        let (width, height) = damage.size();
        let damage = std::mem::replace(damage, Damage::none(width, height));
        Some(Update { frame, damage })
    }

    /// The picture as it was last drawn.
    pub fn picture(&self) -> Arc<Frame> {
        lock(&self.hub.0.state).frame.clone()
    }

    /// A key, by its QKeyCode name, was pressed or released. A press stops what is being typed.
    pub fn key(&mut self, code: &'static str, down: bool) {
        if down {
            self.hub.stop_typing();
        }
        let events = self.hands.key(code, down);
        self.send(&events);
    }

    /// Whether a key is held by this viewer.
    pub fn holds(&self, code: &str) -> bool {
        self.hands.holds(code)
    }

    /// Releases everything that this viewer holds.
    pub fn release_all(&mut self) {
        let events = self.hands.release_all();
        self.send(&events);
    }

    /// Begins to type a text, until that is done, somebody presses a key, or this viewer goes. What it holds pressed
    /// is released first.
    ///
    /// # Errors
    /// Nothing is typed unless all of it can be.
    pub fn type_text(&mut self, text: &str) -> Result<(), TypingError> {
        self.release_all();
        let mut typing = lock(&self.hub.0.typing);
        *typing = None;
        let sink = Sink(self.hub.0.console.clone());
        *typing = Some((self.id, Typing::start(text, &self.hub.0.layout, sink)?));
        Ok(())
    }

    /// A button, by QMP's name, was pressed or released; a press of `wheel-up` or `wheel-down` is one notch.
    pub fn button(&mut self, name: &'static str, down: bool) {
        let events = self.hands.button(name, down);
        self.send(&events);
    }

    /// The pointer is at a place of the screen: 0 is left and top, 65535 right and bottom.
    pub fn point(&self, x: u16, y: u16) {
        let event = if self.hub.0.console.has_absolute_pointer() {
            Some(InputEvent::Point { x: Some(x), y: Some(y) })
        } else {
            let (width, height) = {
                let state = lock(&self.hub.0.state);
                (state.frame.width, state.frame.height)
            };
            lock(&self.hub.0.pointer).move_to(x, y, width, height)
        };
        self.send(event.as_slice());
    }

    /// The pointer was moved; positive is right and down.
    pub fn shift(&self, dx: i32, dy: i32) {
        if (dx, dy) != (0, 0) {
            self.send(&[InputEvent::Move { dx, dy }]);
        }
    }

    /// The keyboard's lamps as the guest has set them: bit 0 scroll lock, 1 num lock, 2 caps lock. The waker is called
    /// when they change.
    pub fn leds(&self) -> u8 {
        self.hub.0.console.leds()
    }

    /// How often the speaker has begun to sound. The waker is called when it does.
    pub fn beeps(&self) -> u64 {
        lock(&self.hub.0.state).beeps
    }

    /// Whether places reach the guest as such: else a viewer does better to grab the pointer and send movements.
    /// The waker is called when it changes.
    pub fn has_absolute_pointer(&self) -> bool {
        self.hub.0.console.has_absolute_pointer()
    }

    /// Asks for another size of the screen; false if it cannot be had.
    pub fn resize(&self, width: u32, height: u32) -> bool {
        self.hub.0.console.resize(width, height)
    }

    fn send(&self, events: &[InputEvent]) {
        if events.is_empty() {
            return;
        }
        self.hub.0.console.input(events);
        // What the guest answers is to be seen soon.
        let before = std::mem::replace(&mut lock(&self.hub.0.state).hurry, true);
        if !before {
            self.hub.0.changed.notify_all();
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        lock(&self.hub.0.typing).take_if(|(id, _)| *id == self.id);
        let events = self.hands.release_all();
        self.send(&events);
        lock(&self.hub.0.state).viewers.retain(|seat| seat.id != self.id);
    }
}
