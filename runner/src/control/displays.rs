//! Remote screens as `query-vnc` and `query-vnc-servers` describe them.

use crate::display::DisplayStatus;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Members that QMP's `VncBasicInfo` has.
fn basic(display: &DisplayStatus, address: Option<SocketAddr>) -> Value {
    match address {
        Some(address) => json!({
            "host": address.ip().to_string(),
            "service": address.port().to_string(),
            "family": if address.is_ipv4() { "ipv4" } else { "ipv6" },
            "websocket": display.url.is_some(),
        }),
        None => json!({
            "host": display.socket.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            "service": "",
            "family": "unix",
            "websocket": false,
        }),
    }
}

fn auth(display: &DisplayStatus) -> &'static str {
    if display.password { "vnc" } else { "none" }
}

fn clients(display: &DisplayStatus) -> Value {
    display.clients.iter().map(|client| basic(display, *client)).collect()
}

/// The first screen for VNC clients (`VncInfo`).
pub(super) fn vnc(displays: &[DisplayStatus]) -> Value {
    let Some(display) = displays.iter().find(|display| display.url.is_none()) else {
        return json!({ "enabled": false });
    };
    let mut info = basic(display, display.address);
    info["enabled"] = json!(true);
    info["auth"] = json!(auth(display));
    info["clients"] = clients(display);
    info
}

/// All of them (`VncInfo2`); those for browsers have a `url`, which QEMU's do not.
pub(super) fn servers(displays: &[DisplayStatus]) -> Value {
    let one = |(number, display): (usize, &DisplayStatus)| {
        let mut server = basic(display, display.address);
        server["auth"] = json!(auth(display));
        let mut info = json!({
            "id": format!("display{number}"),
            "auth": auth(display),
            "server": [server],
            "clients": clients(display),
        });
        if let Some(url) = &display.url {
            info["url"] = json!(url);
        }
        info
    };
    displays.iter().enumerate().map(one).collect()
}
