//! Power management 00:01.3: the ACPI registers of the PIIX4.
//!
//! Source: Intel 82371AB (PIIX4) datasheet, chapter 7; ACPI specification 1.0b, 4.7. The general-purpose events are
//! at AFE0h, where SeaBIOS's tables look for them.

use crate::bus::Window;
use crate::device::{Clock, IrqLine, PortDevice, Power, Timed};
use crate::pci::{ConfigSpace, Identity, PciFunction};
use std::sync::Arc;

/// Port of the software interrupt command, by which a system takes and returns ACPI mode.
pub const SMI_COMMAND: u16 = 0xb2;
/// Ports of the general-purpose events: two bytes of status, two of enable.
pub const GPE0: u16 = 0xafe0;
const ACPI_ENABLE: u8 = 0xf1;
const ACPI_DISABLE: u8 = 0xf0;

/// The number under which the register block appears among the BARs.
const BLOCK: usize = 7;
const PMBA: u8 = 0x40;
const DEVACTB: u8 = 0x58;
const PMREGMISC: u8 = 0x80;

const TMR_STS: u16 = 0x0001;
const PWRBTN_STS: u16 = 0x0100;
const PM1_EVENTS: u16 = 0x0521;
const SCI_EN: u16 = 0x0001;
const SLP_EN: u16 = 0x2000;

const TIMER_HZ: u128 = 3_579_545;

/// The power management function.
pub struct Pm {
    config: ConfigSpace,
    clock: Arc<dyn Clock>,
    sci: Arc<dyn IrqLine>,
    power: Arc<dyn Power>,
    /// Called when the time of the next [`deadline`](Timed::deadline) may have changed.
    rescheduled: Box<dyn Fn() + Send>,
    status: u16,
    enable: u16,
    control: u16,
    /// Half periods of the timer (2^23 ticks) that were noticed.
    halves: u64,
    gpe: [u8; 4],
    smi: [u8; 2],
}

impl Pm {
    /// A function that interrupts on `sci` (interrupt 9).
    /// `rescheduled` is called, with this device locked, when its deadline has moved.
    pub fn new(
        clock: Arc<dyn Clock>,
        sci: Arc<dyn IrqLine>,
        power: Arc<dyn Power>,
        rescheduled: Box<dyn Fn() + Send>,
    ) -> Self {
        let mut config = ConfigSpace::new(Identity {
            vendor: 0x8086,
            device: 0x7113,
            revision: 3,
            class: 0x06_8000,
            multifunction: false,
        });
        config.interrupt_pin(1);
        config.preset(0x06, 2, 0x0280);
        config.preset(PMBA, 4, 1);
        config.allow(PMBA, 4, 0xffc0);
        // "A software interrupt on APM writes is set up already": without it the firmware would try to enter system
        // management mode, which is not there, and wait for ever.
        config.preset(DEVACTB, 4, 1 << 25);
        config.allow(PMREGMISC, 1, 1);
        config.allow(0x90, 4, 0xfff0);
        Pm {
            config,
            clock,
            sci,
            power,
            rescheduled,
            status: 0,
            enable: 0,
            control: 0,
            halves: 0,
            gpe: [0; 4],
            smi: [0; 2],
        }
    }

    /// The power button was pressed: the guest decides what that means.
    pub fn power_button(&mut self) {
        self.status |= PWRBTN_STS;
        self.update();
    }

    fn ticks(&self, now: u64) -> u64 {
        u64::try_from(u128::from(now) * TIMER_HZ / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// The timer's highest bit changes every 2^23 ticks, and says so.
    fn catch_up(&mut self, now: u64) {
        let halves = self.ticks(now) >> 23;
        if halves != self.halves {
            self.halves = halves;
            self.status |= TMR_STS;
        }
    }

    fn update(&self) {
        let pm1 = self.status & self.enable & PM1_EVENTS != 0;
        let [s0, s1, e0, e1] = self.gpe;
        self.sci.set(pm1 || s0 & e0 != 0 || s1 & e1 != 0);
    }

    fn write_control(&mut self, value: u16) {
        self.control = value & 0x1c07;
        if value & SLP_EN != 0 && matches!(value >> 10 & 7, 0 | 2) {
            self.power.power_off();
        }
    }

    fn register(&mut self, offset: u16) -> u8 {
        let now = self.clock.now();
        self.catch_up(now);
        let byte = |word: u16| word.to_le_bytes()[usize::from(offset & 1)];
        match offset {
            0 | 1 => byte(self.status),
            2 | 3 => byte(self.enable),
            4 | 5 => byte(self.control),
            8..=11 => (self.ticks(now) & 0xff_ffff).to_le_bytes()[usize::from(offset & 3)],
            _ => 0,
        }
    }

    fn set_register(&mut self, offset: u16, value: u8) {
        let before = self.deadline();
        self.catch_up(self.clock.now());
        let patch = |word: u16| {
            let mut bytes = word.to_le_bytes();
            bytes[usize::from(offset & 1)] = value;
            u16::from_le_bytes(bytes)
        };
        match offset {
            0 | 1 => self.status &= !(u16::from(value) << (8 * (offset & 1))),
            2 | 3 => self.enable = patch(self.enable) & PM1_EVENTS,
            4 | 5 => self.write_control(patch(self.control)),
            _ => {}
        }
        self.update();
        if self.deadline() != before {
            (self.rescheduled)();
        }
    }
}

impl PciFunction for Pm {
    fn config(&self) -> &ConfigSpace {
        &self.config
    }
    fn config_mut(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
    fn windows(&self) -> Vec<Window> {
        let base = u64::from(self.config.read(PMBA, 4) & 0xffc0);
        let on = self.config.read(PMREGMISC, 1) & 1 != 0 && base != 0;
        on.then_some(Window {
            bar: BLOCK,
            io: true,
            range: base..base + 64,
        })
        .into_iter()
        .collect()
    }
    fn read_port(&mut self, _: usize, offset: u16, size: u8) -> u32 {
        (0..u16::from(size.min(4))).fold(0, |value, at| {
            value | u32::from(self.register(offset.wrapping_add(at))) << (8 * at)
        })
    }
    fn write_port(&mut self, _: usize, offset: u16, size: u8, value: u32) {
        if size >= 2 && offset == 4 {
            // In one piece: the sleep type must not be seen without the enable bit, or the other way round.
            let [b0, b1, ..] = value.to_le_bytes();
            self.write_control(u16::from_le_bytes([b0, b1]));
            return;
        }
        for (at, byte) in (0u16..).zip(value.to_le_bytes()).take(usize::from(size)) {
            self.set_register(offset.wrapping_add(at), byte);
        }
    }
    fn reset(&mut self) {
        self.config.reset();
        (self.status, self.enable, self.control) = (0, 0, 0);
        self.gpe = [0; 4];
        self.smi = [0; 2];
        self.update();
    }
}

/// The ports at fixed addresses: software interrupt command and general-purpose events.
impl PortDevice for Pm {
    fn read(&mut self, port: u16, _: u8) -> u32 {
        match port {
            SMI_COMMAND | 0xb3 => self.smi[usize::from(port & 1)].into(),
            _ => self.gpe[usize::from(port & 3)].into(),
        }
    }
    fn write(&mut self, port: u16, _: u8, value: u32) {
        let [value, ..] = value.to_le_bytes();
        match port {
            SMI_COMMAND | 0xb3 => {
                self.smi[usize::from(port & 1)] = value;
                match (port, value) {
                    (SMI_COMMAND, ACPI_ENABLE) => self.control |= SCI_EN,
                    (SMI_COMMAND, ACPI_DISABLE) => self.control &= !SCI_EN,
                    _ => {}
                }
            }
            _ if port & 2 == 0 => self.gpe[usize::from(port & 1)] &= !value,
            _ => self.gpe[usize::from(port & 3)] = value,
        }
        self.update();
    }
}

impl Timed for Pm {
    fn deadline(&self) -> Option<u64> {
        let wanted = self.enable & TMR_STS != 0 && self.status & TMR_STS == 0;
        let ticks = u128::from(self.halves.saturating_add(1)) << 23;
        let at = (ticks * 1_000_000_000).div_ceil(TIMER_HZ);
        wanted.then(|| u64::try_from(at).unwrap_or(u64::MAX))
    }
    fn expire(&mut self, now: u64) {
        self.catch_up(now);
        self.update();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{TestClock, TestIrq};
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Default)]
    struct Calls(AtomicU32);
    impl Power for Calls {
        fn reset(&self) {}
        fn power_off(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn pm() -> (Pm, Arc<TestClock>, Arc<TestIrq>, Arc<Calls>) {
        let (clock, irq, calls) = (
            Arc::new(TestClock::default()),
            TestIrq::new(),
            Arc::new(Calls::default()),
        );
        (
            Pm::new(clock.clone(), irq.clone(), calls.clone(), Box::new(|| {})),
            clock,
            irq,
            calls,
        )
    }

    #[test]
    fn the_block_lies_where_the_firmware_puts_it() {
        let (mut pm, ..) = pm();
        pm.write_config(PMBA, 4, 0xb001);
        assert!(pm.windows().is_empty());
        pm.write_config(PMREGMISC, 1, 1);
        assert_eq!(pm.windows()[0].range, 0xb000..0xb040);
    }

    #[test]
    fn s5_powers_off_and_the_button_interrupts() {
        let (mut pm, _, irq, calls) = pm();
        pm.write_port(BLOCK, 2, 2, PWRBTN_STS.into());
        pm.power_button();
        assert!(irq.level());
        pm.write_port(BLOCK, 0, 2, PWRBTN_STS.into());
        assert!(!irq.level());
        pm.write(SMI_COMMAND, 1, ACPI_ENABLE.into());
        assert_eq!(pm.read_port(BLOCK, 4, 2), u32::from(SCI_EN));
        pm.write_port(BLOCK, 4, 2, 0x2400);
        assert_eq!(calls.0.load(Ordering::SeqCst), 0, "S3 is no power-off");
        pm.write_port(BLOCK, 4, 2, SLP_EN.into());
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_timer_counts_and_overflows() {
        let (mut pm, clock, irq, _) = pm();
        clock.advance(1_000_000_000);
        assert_eq!(pm.read_port(BLOCK, 8, 4), 3_579_545);
        pm.write_port(BLOCK, 2, 2, 1);
        let at = pm.deadline().unwrap();
        pm.expire(at - 1);
        assert!(!irq.level());
        pm.expire(at);
        assert!(irq.level());
    }

    proptest! {
        #[test]
        fn any_traffic_is_survived(
            accesses in prop::collection::vec((any::<u16>(), prop::sample::select(vec![1u8, 2, 4]), any::<u32>()), 0..64),
        ) {
            let (mut pm, clock, ..) = pm();
            for (port, size, value) in accesses {
                pm.write_port(BLOCK, port & 0x3f, size, value);
                pm.read_port(BLOCK, port, size);
                PortDevice::write(&mut pm, port, 1, value);
                PortDevice::read(&mut pm, port, 1);
                pm.write_config((port & 0xff) as u8, size, value);
                pm.windows();
                clock.advance(u64::from(value) << 20);
                pm.expire(clock.now());
                pm.deadline();
            }
        }
    }
}
