//! What the SYSTEM hive says: the computer's name, its clock, its processor, and the edition of Windows before Vista.

use super::product::Product;
use crate::registry::{Hive, HiveError, Key};

/// Settings of the current control set.
#[derive(Debug, Default)]
pub(super) struct SystemHive {
    pub(super) computer_name: Option<String>,
    pub(super) rtc_utc: Option<bool>,
    pub(super) architecture: Option<String>,
    /// Whether Fast Startup is on, or may be: it is by default from Windows 8 on.
    pub(super) fast_startup: bool,
    /// `WinNT` for a workstation, `ServerNT` or `LanmanNT` for a server.
    product_type: Option<String>,
    /// `Personal`, `Enterprise`…
    suites: Vec<String>,
    /// Media Center and Tablet PC are marked outside of the control sets.
    variant: Option<&'static str>,
}

impl SystemHive {
    pub(super) fn read(hive: &Hive) -> Result<Self, HiveError> {
        let root = hive.root()?;
        let Some(set) = control_set(root)? else {
            return Ok(SystemHive::default());
        };
        let Some(control) = set.subkey("Control")? else {
            return Ok(SystemHive::default());
        };
        let string = |path: &str, name: &str| match control.descendant(path)? {
            Some(key) => key.string(name),
            None => Ok(None),
        };
        let number = |path: &str, name: &str| match control.descendant(path)? {
            Some(key) => key.number(name),
            None => Ok(None),
        };
        let suites = match control.subkey("ProductOptions")? {
            Some(key) => key
                .value("ProductSuite")?
                .map_or(Ok(None), |value| value.as_strings())?,
            None => None,
        };
        let utc = number("TimeZoneInformation", "RealTimeIsUniversal")?;
        let processor = string(r"Session Manager\Environment", "PROCESSOR_ARCHITECTURE")?;
        Ok(SystemHive {
            computer_name: string(r"ComputerName\ComputerName", "ComputerName")?,
            // Without the value Windows keeps the clock in local time.
            rtc_utc: Some(utc.is_some_and(|utc| utc != 0)),
            architecture: processor.map(|name| architecture(&name)),
            fast_startup: number(r"Session Manager\Power", "HiberbootEnabled")?.is_some_and(|on| on != 0),
            product_type: string("ProductOptions", "ProductType")?,
            suites: suites.unwrap_or_default(),
            variant: variant(root)?,
        })
    }

    /// The edition of a Windows before Vista, which has no EditionID.
    pub(super) fn edition(&self, product: &Product) -> Option<String> {
        let kernel = product.kernel()?;
        let is_server = self.product_type.as_deref()? != "WinNT";
        let has = |suite| self.suites.iter().any(|name| name.eq_ignore_ascii_case(suite));
        let edition = match (kernel, is_server) {
            ("5.1", false) if self.variant.is_some() => self.variant?,
            ("5.1", false) if has("Personal") => "Home Edition",
            ("4.0", false) => "Workstation",
            ("5.0" | "5.1" | "5.2", false) => "Professional",
            ("5.0", true) if has("DataCenter") => "Datacenter Server",
            ("5.0", true) if has("Enterprise") => "Advanced Server",
            ("4.0" | "5.0", true) => "Server",
            ("5.2", true) if has("Small Business(Restricted)") => "for Small Business Server",
            ("5.2", true) if has("DataCenter") => "Datacenter Edition",
            ("5.2", true) if has("Enterprise") => "Enterprise Edition",
            ("5.2", true) if has("Blade") => "Web Edition",
            ("5.2", true) => "Standard Edition",
            _ => return None,
        };
        Some(edition.to_owned())
    }
}

/// The control set that Windows starts with: `Select` says which.
fn control_set(root: Key<'_>) -> Result<Option<Key<'_>>, HiveError> {
    let select = root.subkey("Select")?;
    for name in ["Current", "Default", "LastKnownGood"] {
        let Some(number) = select.map_or(Ok(None), |select| select.number(name))? else {
            continue;
        };
        if let Some(set) = root.subkey(&format!("ControlSet{number:03}"))? {
            return Ok(Some(set));
        }
    }
    root.subkey("ControlSet001")
}

/// Media Center and Tablet PC Edition of Windows XP.
fn variant(root: Key<'_>) -> Result<Option<&'static str>, HiveError> {
    for (path, name) in [
        (r"WPA\MediaCenter", "Media Center Edition"),
        (r"WPA\TabletPC", "Tablet PC Edition"),
    ] {
        if let Some(key) = root.descendant(path)?
            && key.number("Installed")? == Some(1)
        {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// PROCESSOR_ARCHITECTURE in the words that the rest of the project uses.
fn architecture(name: &str) -> String {
    match name.to_uppercase().as_str() {
        "X86" => "x86".to_owned(),
        "AMD64" => "x86_64".to_owned(),
        "ARM64" => "aarch64".to_owned(),
        _ => name.to_lowercase(),
    }
}
