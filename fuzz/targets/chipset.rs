//! Any traffic at the ports and configuration spaces of the small devices: clock and CMOS, firmware configuration with
//! its DMA, power management, serial port, bridges.
#![no_main]
use runner::chipset::cmos::Cmos;
use runner::chipset::fw_cfg::FwCfg;
use runner::chipset::i440fx::{I440fx, shadow};
use runner::chipset::piix3::{Piix3, ResetControl};
use runner::chipset::pm::Pm;
use runner::chipset::serial::SerialPort;
use runner::device::{Clock, IrqLine, PortDevice, Power, TestClock, TestIrq, TestMemory, Timed};
use runner::pci::PciFunction;
use std::sync::Arc;

struct NoPower;

impl Power for NoPower {
    fn reset(&self) {}
    fn power_off(&self) {}
}

libfuzzer_sys::fuzz_target!(|steps: Vec<(u8, u16, u8, u32)>| {
    let clock = Arc::new(TestClock::default());
    let power: Arc<dyn Power> = Arc::new(NoPower);
    let mut cmos = Cmos::new(clock.clone(), TestIrq::new(), 951_782_400, 64 << 20, 0, 1);
    let mut fw_cfg = FwCfg::new(TestMemory::new(0x1000));
    fw_cfg.add_file("etc/test", vec![7; 100]);
    let mut pm = Pm::new(clock.clone(), TestIrq::new(), power.clone(), Box::new(|| {}));
    let mut serial = SerialPort::new(TestIrq::new(), std::io::sink());
    let mut bridge = I440fx::new();
    let isa = (0..16).map(|_| TestIrq::new() as Arc<dyn IrqLine>).collect();
    let mut piix3 = Piix3::new(isa);
    let line = piix3.interrupt(1, 4);
    let mut reset = ResetControl::new(power);
    for (step, port, size, value) in steps {
        let size = [1, 2, 4][usize::from(size) % 3];
        let offset = port.to_le_bytes()[0];
        match step % 16 {
            0 => cmos.write(0x70 + (port & 1), 1, value),
            1 => drop(cmos.read(0x70 + (port & 1), 1)),
            2 => fw_cfg.write(0x510 + port % 12, size, value),
            3 => drop(fw_cfg.read(0x510 + port % 12, size)),
            4 => fw_cfg.read_string(0x511, 1, &mut vec![0; usize::from(port) % 5000]),
            5 => pm.write_port(0, port & 63, size, value),
            6 => drop(pm.read_port(0, port & 63, size)),
            7 => pm.write_config(offset, size, value),
            8 => pm.write(0xB2 + (port & 1), 1, value),
            9 => serial.write(0x3F8 + (port & 7), 1, value),
            10 => drop(serial.read(0x3F8 + (port & 7), 1)),
            11 => {
                bridge.write_config(offset, size, value);
                let _ = shadow(bridge.config());
            }
            12 => piix3.write_config(offset, size, value),
            13 => line.set(value & 1 != 0),
            14 => reset.write(0xCF9, 1, value),
            _ => clock.advance(u64::from(value) * 1000),
        }
        for device in [&mut cmos as &mut dyn Timed, &mut pm] {
            if device.deadline().is_some_and(|deadline| deadline <= clock.now()) {
                device.expire(clock.now());
            }
        }
    }
});
