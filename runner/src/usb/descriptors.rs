//! What the tablet says about itself.
//! Sources: Universal Serial Bus Specification 1.1, 9.6; Device Class Definition for Human Interface Devices 1.11.

/// Bytes in a packet of endpoint 0, and room in one of the interrupt endpoint.
pub(super) const PACKET: u8 = 8;
/// The interrupt endpoint's number.
pub(super) const REPORTS: u8 = 1;
/// How often the host is to ask for reports, in milliseconds.
const INTERVAL: u8 = 8;

// Types of descriptors.
const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const STRING: u8 = 3;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;
const HID: u8 = 0x21;
const REPORT: u8 = 0x22;

const ENGLISH: u16 = 0x0409;

/// Coordinates go from 0 to this.
pub(super) const LAST: u16 = 0x7FFF;

/// A mouse with three buttons, two coordinates and a wheel: 1 + 2 + 2 + 1 bytes. Windows and Linux take one whose
/// coordinates are absolute for a tablet without a driver of its own; with more buttons Linux would offer it to games
/// as a joystick, too.
#[rustfmt::skip]
const REPORT_DESCRIPTOR: &[u8] = &[
    0x05, 0x01,                   // usage page: generic desktop
    0x09, 0x02,                   // usage: mouse
    0xA1, 0x01,                   // collection: application
    0x09, 0x01,                   //   usage: pointer
    0xA1, 0x00,                   //   collection: physical
    0x05, 0x09,                   //     usage page: buttons
    0x19, 0x01, 0x29, 0x03,       //     usages 1 to 3
    0x15, 0x00, 0x25, 0x01,       //     each 0 or 1
    0x75, 0x01, 0x95, 0x03,       //     one bit, three times
    0x81, 0x02,                   //     input: data, variable, absolute
    0x75, 0x05, 0x95, 0x01,       //     five bits
    0x81, 0x03,                   //     input: constant
    0x05, 0x01,                   //     usage page: generic desktop
    0x09, 0x30, 0x09, 0x31,       //     usages X and Y
    0x15, 0x00, 0x26, 0xFF, 0x7F, //     from 0 to 32767
    0x35, 0x00, 0x46, 0xFF, 0x7F, //     the same in physical units
    0x75, 0x10, 0x95, 0x02,       //     sixteen bits, twice
    0x81, 0x02,                   //     input: data, variable, absolute
    0x09, 0x38,                   //     usage: wheel
    0x15, 0x81, 0x25, 0x7F,       //     from -127 to 127
    0x35, 0x00, 0x45, 0x00,       //     physical units: the same
    0x75, 0x08, 0x95, 0x01,       //     eight bits
    0x81, 0x06,                   //     input: data, variable, relative
    0xC0, 0xC0,                   // both collections end
];

/// The descriptor of a type and number; `None` if there is no such one.
pub(super) fn descriptor(kind: u8, index: u8) -> Option<Vec<u8>> {
    match (kind, index) {
        (DEVICE, 0) => Some(device()),
        (CONFIGURATION, 0) => Some(configuration()),
        (STRING, 0) => Some(with_header(STRING, &ENGLISH.to_le_bytes())),
        (STRING, _) => {
            let text = match index {
                1 => "p2v",
                2 => "p2v USB Tablet",
                3 => "1",
                _ => return None,
            };
            let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            Some(with_header(STRING, &units))
        }
        (HID, 0) => Some(hid()),
        (REPORT, 0) => Some(REPORT_DESCRIPTOR.to_vec()),
        _ => None,
    }
}

fn with_header(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, kind];
    bytes.extend(body);
    bytes[0] = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    bytes
}

fn device() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0x0110u16.to_le_bytes()); // USB 1.1
    body.extend([0, 0, 0, PACKET]); // the class is the interface's
    // The identity of QEMU's tablet, which guests know as a virtual one.
    body.extend(0x0627u16.to_le_bytes());
    body.extend(0x0001u16.to_le_bytes());
    body.extend(0x0100u16.to_le_bytes());
    body.extend([1, 2, 3, 1]); // strings: maker, product, serial number; one configuration
    with_header(DEVICE, &body)
}

fn configuration() -> Vec<u8> {
    // One endpoint; HID without a boot protocol, so that firmware leaves it alone.
    let interface = with_header(INTERFACE, &[0, 0, 1, 3, 0, 0, 0]);
    // Endpoint 1, to the host, of the interrupt type.
    let endpoint = with_header(ENDPOINT, &[0x80 | REPORTS, 3, PACKET, 0, INTERVAL]);
    let parts = [interface, hid(), endpoint].concat();
    let total = u16::try_from(9 + parts.len()).unwrap_or(u16::MAX).to_le_bytes();
    // One interface, configuration 1, without a name; powered by the bus, may wake the host; 100 mA.
    let mut bytes = with_header(CONFIGURATION, &[total[0], total[1], 1, 1, 0, 0xA0, 50]);
    bytes.extend(parts);
    bytes
}

fn hid() -> Vec<u8> {
    let size = u16::try_from(REPORT_DESCRIPTOR.len()).unwrap_or(u16::MAX).to_le_bytes();
    // HID 1.11, no country, one descriptor: that of the reports.
    with_header(HID, &[0x11, 0x01, 0, 1, REPORT, size[0], size[1]])
}
