//! The life of a machine: threads start, requests are served, everything is flushed at the end.

use super::board::Board;
use super::control::{Front, Remote};
use super::fence::{self, SocketFolder};
use super::gate::{Gate, Pass};
use super::requests::{Request, Requests};
use super::serial_io::RawTerminal;
use super::window::Desktop;
use crate::bus::lock;
use crate::config::{MachineConfig, Outcome, RunError};
use crate::control::{Control, Event, RunState, Server};
use crate::display::{self, Handle, Hub, Place};
use crate::kvm::vcpu::Exit;
use crate::kvm::{KvmStatus, Vcpu, Vm, cpuid, kick, probe};
use crossbeam_channel::{Receiver, unbounded};
use kvm_ioctls::Kvm;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// For a mistake of this program's own; the panic's message has gone to standard error.
const INTERNAL: &str = "internal error in a device (a bug in p2v; please report the message above)";

/// Builds the machine and runs it until it ends. Blocks the calling thread, which must be the program's main thread if
/// there is a window.
///
/// # Errors
/// No usable KVM, a configuration that cannot be carried out, or a processor that stopped: nothing the guest has
/// flushed is lost in any of these cases.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the machine owns its disks: they are closed when it returns"
)]
pub fn run(config: MachineConfig) -> Result<Outcome, RunError> {
    match probe() {
        KvmStatus::Absent { problem, advice } => return Err(RunError::NoKvm { problem, advice }),
        KvmStatus::Software => eprintln!(
            "warning: this computer's KVM works in software, without processor virtualization: firmware, boot loaders \
             and DOS run, Windows and Linux do not"
        ),
        KvmStatus::Hardware => {}
    }
    if !(1..=8).contains(&config.cpus) {
        return Err(RunError::Config(format!(
            "{} processors cannot be had: 1 to 8 can",
            config.cpus
        )));
    }
    let desktop = Desktop::connect(config.window.clone())?;
    let kvm = Kvm::new().map_err(crate::kvm::vm::failed("open /dev/kvm"))?;
    let places = config
        .displays
        .iter()
        .map(Place::take)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| RunError::Config(error.to_string()))?;
    let sockets = config.sockets.as_deref().map(SocketFolder::make).transpose()?;
    fence::close_paths(&config)?;
    let vm = Vm::new(&kvm)?;
    let gate = Gate::new(config.cpus);
    let (sender, receiver) = unbounded();
    let requests = Requests::new(gate.clone(), sender);
    let features = cpuid::supported(&kvm)?;
    let processor = cpuid::signature(&features, config.cpus);
    let board = Board::new(&config, &vm, gate.clone(), requests.clone(), processor)?;
    let vcpus = (0..config.cpus)
        .map(|id| Vcpu::new(&vm, &features, id, config.cpus))
        .collect::<Result<Vec<_>, _>>()?;

    kick::install()?;
    let _terminal = RawTerminal::enter(&config.serial);
    let signals = catch_signals(requests.clone())?;
    let hub = Hub::new(Arc::new(Front(board.clone())), config.keyboard.clone());
    let displays = start_displays(places, &config.name, &hub)?;
    let handles = displays.iter().map(display::Server::handle).collect();
    let server = start_server(&config, &board, handles)?;
    let timers = board.timers.clone();
    let failed = requests.clone();
    let mut threads = vec![spawn("timers", move || {
        if catch_unwind(AssertUnwindSafe(|| timers.run())).is_err() {
            failed.ask(Request::Failed(RunError::Vcpu(INTERNAL.into())));
        }
    })?];
    let drawing = hub.clone();
    threads.push(spawn("display", move || {
        if catch_unwind(AssertUnwindSafe(|| drawing.run())).is_err() {
            eprintln!("warning: the screen is no longer shown; the machine goes on ({INTERNAL})");
        }
    })?);
    for (id, vcpu) in vcpus.into_iter().enumerate() {
        let (board, requests) = (board.clone(), requests.clone());
        threads.push(spawn(&format!("cpu{id}"), move || {
            let body = AssertUnwindSafe(|| run_vcpu(vcpu, id, &board));
            // A mistake in a device must not end in a frozen machine: the disks are still flushed.
            let result = catch_unwind(body).unwrap_or_else(|_| Err(RunError::Vcpu(INTERNAL.into())));
            if let Err(error) = result {
                board.gate.retire(id);
                requests.ask(Request::Failed(error));
            }
        })?);
    }
    fence::close_calls(&config)?;
    gate.release();

    let result = match desktop {
        None => serve(&board, &receiver),
        Some(desktop) => {
            let control: Arc<dyn Control> = Arc::new(Remote(board.clone(), Vec::new()));
            desktop.show(config.name.clone(), &hub, &control, || serve(&board, &receiver))
        }
    };
    gate.end();
    board.timers.end();
    signals.close();
    drop(displays);
    hub.end();
    for thread in threads {
        let _ = thread.join();
    }
    let flushed = board.drain();
    // After the flush, so that whoever waits for the socket to close finds the disks complete.
    drop(server);
    drop(sockets);
    result.and_then(|outcome| flushed.map(|()| outcome))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, RunError> {
    Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|source| RunError::System {
            what: format!("start thread {name}"),
            source,
        })
}

/// Offers the screen, and says where.
fn start_displays(places: Vec<Place>, name: &str, hub: &Hub) -> Result<Vec<display::Server>, RunError> {
    let mut displays = Vec::new();
    for place in places {
        let server =
            display::Server::start(place, name, hub.clone()).map_err(|error| RunError::Config(error.to_string()))?;
        eprintln!("{}", server.handle().status());
        displays.push(server);
    }
    Ok(displays)
}

fn start_server(config: &MachineConfig, board: &Arc<Board>, displays: Vec<Handle>) -> Result<Option<Server>, RunError> {
    let Some(path) = &config.control_socket else {
        return Ok(None);
    };
    let control = Arc::new(Remote(board.clone(), displays));
    match Server::start(path, control, board.events.clone()) {
        Ok(server) => Ok(Some(server)),
        Err(error) => Err(RunError::Config(error.to_string())),
    }
}

fn catch_signals(requests: Requests) -> Result<signal_hook::iterator::Handle, RunError> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|source| RunError::System {
        what: "catch termination signals".into(),
        source,
    })?;
    let handle = signals.handle();
    spawn("signals", move || {
        for _ in signals.forever() {
            requests.ask(Request::Quit);
        }
    })?;
    Ok(handle)
}

/// Serves requests until one of them ends the machine. The processors are held when it returns.
fn serve(board: &Board, requests: &Receiver<Request>) -> Result<Outcome, RunError> {
    loop {
        // The board keeps a sender, so the channel cannot be closed.
        let Ok(request) = requests.recv() else {
            return Ok(Outcome::Quit);
        };
        board.gate.wait_parked();
        match request {
            Request::Reset { guest } => board.serve_reset(guest)?,
            Request::Init => board.serve_init()?,
            Request::PowerOff => return Ok(end(board, Outcome::PoweredOff)),
            Request::Quit => return Ok(end(board, Outcome::Quit)),
            Request::Failed(error) => return Err(error),
        }
    }
}

/// Says to everybody who listens that the machine ends.
fn end(board: &Board, outcome: Outcome) -> Outcome {
    *lock(&board.phase) = RunState::Shutdown;
    board.events.emit(Event::Shutdown {
        guest: outcome == Outcome::PoweredOff,
    });
    outcome
}

fn run_vcpu(mut vcpu: Vcpu, id: usize, board: &Arc<Board>) -> Result<(), RunError> {
    let _kickable = vcpu.kickable();
    loop {
        vcpu.forget_kicks();
        match board.gate.enter(id) {
            Pass::Enter => {}
            Pass::Reset(kind) => {
                vcpu.reset(kind)?;
                continue;
            }
            Pass::End => return Ok(()),
        }
        match vcpu.run(&board.bus, &board.memory, || board.gate.leave(id))? {
            Exit::Served | Exit::Interrupted => {}
            Exit::Shutdown => board.requests.ask(Request::Init),
        }
    }
}
