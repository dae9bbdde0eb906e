//! One virtual processor: how it looks to the guest, its reset state, and running it to the next exit.

use super::cpuid;
use super::kick::Kickable;
use super::vm::{Vm, failed};
use crate::bus::{Bus, Shared, lock};
use crate::config::RunError;
use crate::device::{GuestMemory, RegisterDevice, Registers};
use kvm_bindings::{
    CpuId, KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION, Msrs, kvm_debugregs, kvm_fpu, kvm_lapic_state,
    kvm_mp_state, kvm_msr_entry, kvm_regs, kvm_run, kvm_sregs, kvm_vcpu_events, kvm_xcrs,
};
use kvm_ioctls::{VcpuExit, VcpuFd};
use std::fmt::Write as _;

/// Registers that a reset must put back and that have no place in the other structures: MTRRs, PAT, system call
/// entry points, kvmclock. The time-stamp counter goes on, as on a PC.
const RESET_MSRS: [u32; 38] = [
    0x174,
    0x175,
    0x176,
    0x277,
    0x2ff,
    0x250,
    0x258,
    0x259,
    0x268,
    0x269,
    0x26a,
    0x26b,
    0x26c,
    0x26d,
    0x26e,
    0x26f,
    0x200,
    0x201,
    0x202,
    0x203,
    0x204,
    0x205,
    0x206,
    0x207,
    0x208,
    0x209,
    0x20a,
    0x20b,
    0x20c,
    0x20d,
    0x20e,
    0x20f,
    0xc000_0081,
    0xc000_0082,
    0xc000_0083,
    0xc000_0084,
    0x4b56_4d00,
    0x4b56_4d01,
];

/// What the guest's exit asks for beyond what was served already.
#[derive(Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing: go on.
    Served,
    /// The thread was kicked: look what is wanted.
    Interrupted,
    /// A triple fault: the processor asks for a reset.
    Shutdown,
}

/// How much of a processor a reset reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetKind {
    /// Everything, as at power-on.
    PowerOn,
    /// The INIT line: memory type ranges and other model-specific registers stay.
    Init,
}

/// What a processor is after power-on.
struct PowerOn {
    regs: kvm_regs,
    sregs: kvm_sregs,
    fpu: kvm_fpu,
    lapic: kvm_lapic_state,
    mp_state: kvm_mp_state,
    debug: kvm_debugregs,
    events: kvm_vcpu_events,
    xcrs: Option<kvm_xcrs>,
    msrs: Vec<kvm_msr_entry>,
}

/// A virtual processor.
pub struct Vcpu {
    fd: VcpuFd,
    run: *mut kvm_run,
    power_on: PowerOn,
}

// SAFETY: `run` points into the mapping that `fd` owns; both move together and only one thread uses them at a time.
unsafe impl Send for Vcpu {}

impl Vcpu {
    /// Makes processor `id` of `cpus`. Number 0 starts at the reset vector, the others wait for INIT.
    pub fn new(vm: &Vm, template: &CpuId, id: u8, cpus: u8) -> Result<Vcpu, RunError> {
        let mut fd = vm
            .fd()
            .create_vcpu(u64::from(id))
            .map_err(failed("make a virtual processor (KVM_CREATE_VCPU)"))?;
        fd.set_cpuid2(&cpuid::of(template, id, cpus))
            .map_err(failed("set the processor's features (KVM_SET_CPUID2)"))?;
        let run: *mut kvm_run = fd.get_kvm_run();
        let read = |what| failed(what);
        let mut lapic = fd.get_lapic().map_err(read("read the local APIC"))?;
        // LINT0 passes the PIC's interrupts on to the first processor, LINT1 is the NMI: "virtual wire mode", in
        // which a PC's firmware and a system without APIC driver expect the processor to be.
        if id == 0 {
            set_lapic_register(&mut lapic, 0x350, 0x700);
            set_lapic_register(&mut lapic, 0x360, 0x400);
            fd.set_lapic(&lapic).map_err(read("set the local APIC"))?;
        }
        let power_on = PowerOn {
            regs: fd.get_regs().map_err(read("read the registers"))?,
            sregs: fd.get_sregs().map_err(read("read the segment registers"))?,
            fpu: fd.get_fpu().map_err(read("read the FPU"))?,
            lapic,
            mp_state: fd.get_mp_state().map_err(read("read the processor's state"))?,
            debug: fd.get_debug_regs().map_err(read("read the debug registers"))?,
            events: fd.get_vcpu_events().map_err(read("read pending events"))?,
            xcrs: fd.get_xcrs().ok(),
            msrs: readable_msrs(&fd),
        };
        Ok(Vcpu { fd, run, power_on })
    }

    /// Lets other threads get this one, which must be the thread that runs the processor, out of the guest.
    pub fn kickable(&self) -> Kickable {
        Kickable::new(self.run)
    }

    /// Forgets kicks that came until now. Look at what is wanted afterwards, then run.
    pub fn forget_kicks(&mut self) {
        self.fd.set_kvm_immediate_exit(0);
    }

    /// Back to the state after power-on, or after INIT.
    pub fn reset(&mut self, kind: ResetKind) -> Result<(), RunError> {
        // Whatever the last exit was, let KVM finish it, or it would complete it into the new state.
        self.fd.set_kvm_immediate_exit(1);
        let _ = self.fd.run();
        self.fd.set_kvm_immediate_exit(0);
        let state = &self.power_on;
        let failed = |_| failed("reset a processor");
        self.fd.set_mp_state(state.mp_state).map_err(failed(()))?;
        self.fd.set_sregs(&state.sregs).map_err(failed(()))?;
        self.fd.set_regs(&state.regs).map_err(failed(()))?;
        self.fd.set_fpu(&state.fpu).map_err(failed(()))?;
        self.fd.set_debug_regs(&state.debug).map_err(failed(()))?;
        self.fd.set_vcpu_events(&state.events).map_err(failed(()))?;
        self.fd.set_lapic(&state.lapic).map_err(failed(()))?;
        if let Some(xcrs) = &state.xcrs {
            let _ = self.fd.set_xcrs(xcrs);
        }
        let msrs = if kind == ResetKind::PowerOn {
            &state.msrs[..]
        } else {
            &[]
        };
        for msr in msrs {
            // One at a time: KVM stops at the first it refuses, and some KVMs list what they refuse.
            if let Ok(one) = Msrs::from_entries(&[*msr]) {
                let _ = self.fd.set_msrs(&one);
            }
        }
        Ok(())
    }

    /// Enters the guest and serves the exit it comes back with. `left` is called as soon as it is out of the guest,
    /// `memory` is asked for the instruction if it cannot go on.
    ///
    /// # Errors
    /// The processor cannot go on; the message has its registers.
    pub fn run(&mut self, bus: &Bus, memory: &dyn GuestMemory, left: impl FnOnce()) -> Result<Exit, RunError> {
        let run = self.run;
        let result = self.fd.run();
        left();
        match result {
            Ok(VcpuExit::IoIn(port, data)) => {
                let size = io_size(run);
                match bus.registers(port, size) {
                    Some(device) if data.len() == 4 => {
                        let answer = data.as_mut_ptr().cast::<[u8; 4]>();
                        let eax = self.call(device)?;
                        // SAFETY: the four bytes are part of the mapping, which is alive because the processor is; KVM
                        // reads them, as EAX, when it enters the guest again.
                        unsafe { answer.write(eax.to_le_bytes()) };
                    }
                    _ => bus.read_ports(port, size, data),
                }
                Ok(Exit::Served)
            }
            Ok(VcpuExit::IoOut(port, data)) => {
                bus.write_ports(port, io_size(run), data);
                Ok(Exit::Served)
            }
            Ok(VcpuExit::MmioRead(address, data)) => {
                bus.read_memory(address, data);
                Ok(Exit::Served)
            }
            Ok(VcpuExit::MmioWrite(address, data)) => {
                bus.write_memory(address, data);
                Ok(Exit::Served)
            }
            Ok(VcpuExit::Intr | VcpuExit::IrqWindowOpen | VcpuExit::IoapicEoi(_)) => Ok(Exit::Interrupted),
            Ok(VcpuExit::Shutdown) => Ok(Exit::Shutdown),
            Ok(VcpuExit::SystemEvent(..)) => Ok(Exit::Shutdown),
            Ok(other) => {
                let what = format!("{other:?}");
                Err(RunError::Vcpu(self.describe(&what, memory)))
            }
            Err(error) if error.errno() == libc::EINTR || error.errno() == libc::EAGAIN => Ok(Exit::Interrupted),
            Err(error) => {
                let source = std::io::Error::from_raw_os_error(error.errno());
                Err(RunError::Vcpu(self.describe(&format!("KVM_RUN: {source}"), memory)))
            }
        }
    }

    /// Shows a device the registers, and changes them as it answers. EAX is returned, too: Linux' KVM sets it when it
    /// finishes the read, others have finished it already.
    fn call(&self, device: &Shared<dyn RegisterDevice>) -> Result<u32, RunError> {
        let mut all = self.fd.get_regs().map_err(failed("read the registers"))?;
        let low = |register: u64| (register & 0xFFFF_FFFF) as u32;
        let before = Registers {
            eax: low(all.rax),
            ebx: low(all.rbx),
            ecx: low(all.rcx),
            edx: low(all.rdx),
            esi: low(all.rsi),
            edi: low(all.rdi),
        };
        let mut after = before;
        lock(device).call(&mut after);
        for (register, before, after) in [
            (&mut all.rax, before.eax, after.eax),
            (&mut all.rbx, before.ebx, after.ebx),
            (&mut all.rcx, before.ecx, after.ecx),
            (&mut all.rdx, before.edx, after.edx),
            (&mut all.rsi, before.esi, after.esi),
            (&mut all.rdi, before.edi, after.edi),
        ] {
            if before != after {
                *register = after.into();
            }
        }
        self.fd.set_regs(&all).map_err(failed("set the registers"))?;
        Ok(after.eax)
    }

    /// For the error message: why it stopped, where, and on which instruction.
    fn describe(&mut self, what: &str, memory: &dyn GuestMemory) -> String {
        let mut text = what.to_owned();
        let run = self.fd.get_kvm_run();
        if run.exit_reason == KVM_EXIT_INTERNAL_ERROR {
            // SAFETY: the exit reason says that this member of the union is the valid one.
            let internal = unsafe { run.__bindgen_anon_1.internal };
            let _ = write!(text, ", suberror {}", internal.suberror);
            if internal.suberror == KVM_INTERNAL_ERROR_EMULATION {
                text.push_str(" (an instruction that this KVM cannot emulate)");
            }
            for value in internal.data.iter().take(internal.ndata.min(16) as usize) {
                let _ = write!(text, " {value:#x}");
            }
        }
        if let (Ok(regs), Ok(sregs)) = (self.fd.get_regs(), self.fd.get_sregs()) {
            let _ = write!(
                text,
                "\nrip {:#x} (cs {:#x} base {:#x}) rflags {:#x} cr0 {:#x} cr3 {:#x} cr4 {:#x} efer {:#x}",
                regs.rip, sregs.cs.selector, sregs.cs.base, regs.rflags, sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer
            );
            let _ = write!(
                text,
                "\nrax {:#x} rbx {:#x} rcx {:#x} rdx {:#x} rsi {:#x} rdi {:#x} rbp {:#x} rsp {:#x} (ss base {:#x})",
                regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, sregs.ss.base
            );
        }
        let mut instruction = [0; 15];
        if let Some(address) = self.instruction_address()
            && memory.read(address, &mut instruction).is_ok()
        {
            let _ = write!(
                text,
                "\ninstruction bytes at {address:#x} in memory: {instruction:02x?}"
            );
        }
        text
    }

    /// The physical address of the next instruction, if it can be told.
    fn instruction_address(&self) -> Option<u64> {
        let rip = self.fd.get_regs().ok()?.rip;
        let base = self.fd.get_sregs().ok()?.cs.base;
        let translation = self.fd.translate_gva(base.wrapping_add(rip)).ok()?;
        (translation.valid != 0).then_some(translation.physical_address)
    }
}

/// The width of one access of the port exit that KVM has just reported; the slice holds `count` of them.
fn io_size(run: *const kvm_run) -> u8 {
    // SAFETY: the mapping is alive because the processor is, and KVM writes to it only in `KVM_RUN`.
    let size = unsafe { &raw const (*run).__bindgen_anon_1.io.size };
    // SAFETY: as above; called only after a port exit, when this member of the union is the valid one.
    let size = unsafe { size.read() };
    if matches!(size, 1 | 2 | 4) { size } else { 1 }
}

fn set_lapic_register(lapic: &mut kvm_lapic_state, offset: usize, value: u32) {
    for (at, byte) in (offset..).zip(value.to_le_bytes()) {
        lapic.regs[at] = byte as _;
    }
}

fn readable_msrs(fd: &VcpuFd) -> Vec<kvm_msr_entry> {
    let read = |index| {
        let entry = kvm_msr_entry {
            index,
            ..Default::default()
        };
        let mut one = Msrs::from_entries(&[entry]).ok()?;
        (fd.get_msrs(&mut one).ok()? == 1).then(|| one.as_slice().first().copied())?
    };
    RESET_MSRS.into_iter().filter_map(read).collect()
}
