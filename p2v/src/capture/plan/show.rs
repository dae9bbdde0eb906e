//! A plan as people and scripts see it.

use super::Plan;
use crate::capture::resume::Before;
use crate::machine::Machine;
use crate::machine::firmware::Said;
use crate::report;
use disk::layout::DiskLayout;
use disk::qcow2::Compression;
use disk::source::SourceInfo;
use drivers_inject::System;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

impl Plan {
    /// The plan for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let info = &self.info;
        let model = info
            .model
            .as_deref()
            .map_or(String::new(), |model| format!("  {model}"));
        let _ = writeln!(
            text,
            "Source   {}{model}  {} ({} bytes)",
            info.path.display(),
            report::size(info.size),
            info.size
        );
        let _ = writeln!(text, "Target   {}  {} free", self.place(), report::size(self.free));
        text.push_str(&report::layout_text(&self.layout));
        for system in &self.systems {
            let _ = writeln!(text, "System   {}", report::system_text(system));
        }
        if let Some(parts) = self.firmware.text() {
            let _ = writeln!(text, "Firmware {parts}");
        }
        let (used, read) = (self.used.bytes(), self.read.bytes());
        let skipped = info.size.saturating_sub(used);
        let _ = writeln!(
            text,
            "To copy  {} ({} free space is skipped)",
            report::size(used),
            report::size(skipped)
        );
        if read < used {
            let _ = writeln!(
                text,
                "         {} of it must be read; the rest are holes of the file",
                report::size(read)
            );
        }
        if let Before::Past(_) = &self.before {
            let _ = writeln!(
                text,
                "Goes on  {} of {} were copied before",
                report::size(self.copied_before()),
                report::size(read)
            );
        }
        let _ = writeln!(
            text,
            "Image    {}, at most {}",
            compression_name(self.compression),
            report::size(read)
        );
        for warning in &self.warnings {
            let _ = writeln!(text, "Warning: {warning}");
        }
        text
    }

    /// The plan for scripts.
    pub(crate) fn json(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct Json<'a> {
            source: &'a SourceInfo,
            target: &'a Path,
            target_host: Option<&'a str>,
            target_free: u64,
            layout: &'a DiskLayout,
            systems: &'a [System],
            used_bytes: u64,
            read_bytes: u64,
            skipped_bytes: u64,
            copied_before_bytes: u64,
            compression: String,
            machine: &'a Machine,
            firmware: Said<'a>,
            warnings: &'a [String],
        }
        Json {
            source: &self.info,
            target: &self.folder,
            target_host: self.host(),
            target_free: self.free,
            layout: &self.layout,
            systems: &self.systems,
            used_bytes: self.used.bytes(),
            read_bytes: self.read.bytes(),
            skipped_bytes: self.info.size.saturating_sub(self.used.bytes()),
            copied_before_bytes: self.copied_before(),
            compression: compression_name(self.compression),
            machine: &self.machine,
            firmware: self.firmware.json(),
            warnings: &self.warnings,
        }
    }
}

fn compression_name(compression: Compression) -> String {
    match compression {
        Compression::None => "qcow2, not compressed".to_owned(),
        Compression::Zlib => "qcow2, zlib".to_owned(),
        Compression::Zstd(level) => format!("qcow2, zstd level {level}"),
    }
}
