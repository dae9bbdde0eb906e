//! INF files: what a driver package installs on a system.
//!
//! Enough of them to put a boot driver in place without Windows: which devices it drives, its files, its service with
//! the settings that it needs. Not read: co-installers, `Include` and `Needs`, per-device (`.HW`) settings, security.
//!
//! Source: Microsoft, "INF File Sections and Directives".
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod service;
mod target;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests;
mod text;

pub(crate) use service::{Data, Service};
pub(crate) use target::Target;

use target::{Rank, number_of};
use text::Text;

/// `DIRID_DRIVERS`: `System32\drivers`.
pub(crate) const DRIVERS_FOLDER: u32 = 12;

/// An INF file.
#[derive(Clone, Debug)]
pub(crate) struct Inf(Text);

/// An INF file does not say what must be known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the INF file {0}")]
pub(crate) struct InfError(String);

impl InfError {
    fn new(what: impl Into<String>) -> Self {
        InfError(what.into())
    }
}

/// A device that the package drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// `Red Hat VirtIO SCSI controller`.
    pub(crate) description: String,
    /// The section that installs it, without decoration.
    pub(crate) install: String,
    /// Hardware ids, then compatible ids, as they are spelt.
    pub(crate) hardware_ids: Vec<String>,
}

/// What is installed for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Install {
    /// The section's name, with its decoration.
    pub(crate) section: String,
    pub(crate) files: Vec<CopyFile>,
    pub(crate) services: Vec<Service>,
}

/// A file to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyFile {
    /// Its name where it is copied to.
    pub(crate) name: String,
    /// Its name in the package.
    pub(crate) source: String,
    /// The folder's number ([`DRIVERS_FOLDER`]; 13 is the package's own folder in the driver store), if it is told.
    pub(crate) folder: Option<u32>,
}

impl Inf {
    /// Reads an INF file of any encoding.
    ///
    /// # Errors
    /// If it is no INF file for Windows NT.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, InfError> {
        let text = Text::parse(bytes);
        let signature = text.entry("Version", "Signature").unwrap_or_default();
        match signature.first().map(|signature| signature.to_lowercase()).as_deref() {
            Some("$windows nt$" | "$chicago$") => Ok(Inf(text)),
            _ => Err(InfError::new("has no signature: it is something else, or damaged")),
        }
    }

    /// An entry of the `Version` section: `Class`, `ClassGuid`, `Provider`.
    pub(crate) fn version_entry(&self, key: &str) -> Option<String> {
        let value = self.0.entry("Version", key)?.into_iter().next()?;
        (!value.is_empty()).then_some(value)
    }

    /// The driver's version: `100.93.104.26200`.
    pub(crate) fn driver_version(&self) -> Option<String> {
        self.0.entry("Version", "DriverVer")?.into_iter().nth(1)
    }

    /// The file with the signatures.
    pub(crate) fn catalog(&self, target: &Target) -> Option<String> {
        let decorated = format!("CatalogFile.NT{}", target.platform());
        [&decorated[..], "CatalogFile.NT", "CatalogFile"]
            .into_iter()
            .find_map(|key| self.version_entry(key))
    }

    /// The devices that the package drives on `target`. Empty if it is not meant for such a system.
    pub(crate) fn models(&self, target: &Target) -> Vec<Model> {
        let mut models = Vec::new();
        for maker in self.0.section("Manufacturer").unwrap_or_default() {
            // `%name% = section, decoration, …`; a name alone is the section, too.
            let section = match maker.value(0) {
                "" => continue,
                section => section,
            };
            let decorations = maker.values.iter().skip(1);
            let fitting = decorations.filter_map(|decoration| {
                let section = format!("{section}.{decoration}");
                Some((target.rank(decoration)?, section)).filter(|(_, section)| self.0.has(section))
            });
            let best = fitting.max_by_key(|(rank, _): &(Rank, String)| *rank);
            // Sections without decoration are for x86 only.
            let best = best
                .map(|(_, section)| section)
                .or_else(|| (target.architecture == "x86").then(|| section.to_owned()));
            for line in best.and_then(|section| self.0.section(&section)).unwrap_or_default() {
                let (Some(description), install) = (line.key.clone(), line.value(0)) else {
                    continue;
                };
                let ids = line.values.iter().skip(1).filter(|id| !id.is_empty());
                models.push(Model {
                    description,
                    install: install.to_owned(),
                    hardware_ids: ids.cloned().collect(),
                });
            }
        }
        models
    }

    /// What the section `install` of a [`Model`] installs on `target`.
    pub(crate) fn install(&self, install: &str, target: &Target) -> Result<Install, InfError> {
        let section = self.decorated(install, target);
        let section = section.ok_or_else(|| InfError::new(format!("has no section [{install}] for this system")))?;
        let mut files = Vec::new();
        let lines = self.0.section(&section).unwrap_or_default();
        for line in lines.iter().filter(|line| line.is("CopyFiles")) {
            for value in &line.values {
                files.extend(self.copied(value, target)?);
            }
        }
        let services = service::services(&self.0, &format!("{section}.Services"))?;
        Ok(Install {
            section,
            files,
            services,
        })
    }

    /// The best section of this name: for the platform, for Windows NT, for all.
    fn decorated(&self, name: &str, target: &Target) -> Option<String> {
        let candidates = [
            format!("{name}.NT{}", target.platform()),
            format!("{name}.NT"),
            name.to_owned(),
        ];
        candidates.into_iter().find(|section| self.0.has(section))
    }

    /// The files that one value of `CopyFiles` stands for: `@file`, or a section that lists them.
    fn copied(&self, value: &str, target: &Target) -> Result<Vec<CopyFile>, InfError> {
        let folder = |section: &str| {
            let number = |key| number_of(self.0.entry("DestinationDirs", key)?.first()?);
            number(section).or_else(|| number("DefaultDestDir"))
        };
        if let Some(name) = value.strip_prefix('@') {
            return Ok(vec![CopyFile {
                name: name.to_owned(),
                source: name.to_owned(),
                folder: folder("DefaultDestDir"),
            }]);
        }
        if value.is_empty() {
            return Ok(Vec::new());
        }
        let section = self.decorated(value, target);
        let section = section.ok_or_else(|| InfError::new(format!("has no section [{value}], which lists files")))?;
        let lines = self.0.section(&section).unwrap_or_default();
        let files = lines
            .iter()
            .filter(|line| !line.value(0).is_empty())
            .map(|line| CopyFile {
                name: line.value(0).to_owned(),
                source: match line.value(1) {
                    "" => line.value(0).to_owned(),
                    source => source.to_owned(),
                },
                folder: folder(&section),
            });
        Ok(files.collect())
    }
}
