//! Is there a KVM that can be used, and if not, what is missing and what can be done about it?

use kvm_ioctls::{Cap, Kvm};
use std::fs;

/// What this computer offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvmStatus {
    /// KVM on a processor with virtualization: everything runs.
    Hardware,
    /// KVM without it (implemented in software): firmware and DOS-class guests run, others do not.
    Software,
    /// No usable KVM.
    Absent {
        /// What is missing.
        problem: String,
        /// What to do about it.
        advice: String,
    },
}

/// What the diagnosis is made of, so that it can be tested.
struct Facts<'a> {
    /// `/proc/cpuinfo`.
    cpuinfo: &'a str,
    /// `/proc/modules`.
    modules: &'a str,
    /// The error of opening `/dev/kvm`, if it failed.
    open_error: Option<i32>,
    /// The interface version, where it opened.
    api_version: i32,
    /// Capabilities that this program needs and that are not there.
    missing: &'a [&'static str],
    /// The error of making a virtual machine, if it failed.
    create_error: Option<i32>,
}

const NEEDED: [(Cap, &str); 7] = [
    (Cap::Irqchip, "KVM_CAP_IRQCHIP"),
    (Cap::Pit2, "KVM_CAP_PIT2"),
    (Cap::UserMemory, "KVM_CAP_USER_MEMORY"),
    (Cap::ReadonlyMem, "KVM_CAP_READONLY_MEM"),
    (Cap::ImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
    (Cap::SetIdentityMapAddr, "KVM_CAP_SET_IDENTITY_MAP_ADDR"),
    (Cap::ExtCpuid, "KVM_CAP_EXT_CPUID"),
];

/// Looks whether this computer's KVM can be used. Leaves nothing behind.
pub fn probe() -> KvmStatus {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let modules = fs::read_to_string("/proc/modules").unwrap_or_default();
    let mut facts = Facts {
        cpuinfo: &cpuinfo,
        modules: &modules,
        open_error: None,
        api_version: 12,
        missing: &[],
        create_error: None,
    };
    let kvm = match Kvm::new() {
        Ok(kvm) => kvm,
        Err(error) => {
            facts.open_error = Some(error.errno());
            return diagnose(&facts);
        }
    };
    facts.api_version = kvm.get_api_version();
    let missing: Vec<_> = NEEDED
        .into_iter()
        .filter(|(cap, _)| facts.api_version == 12 && !kvm.check_extension(*cap))
        .map(|(_, name)| name)
        .collect();
    facts.missing = &missing;
    facts.create_error = kvm.create_vm().err().map(kvm_ioctls::Error::errno);
    diagnose(&facts)
}

fn diagnose(facts: &Facts<'_>) -> KvmStatus {
    let has_flag = |flag| {
        let mut lines = facts.cpuinfo.lines().filter(|line| line.starts_with("flags"));
        lines
            .next()
            .is_some_and(|line| line.split_whitespace().any(|word| word == flag))
    };
    let (vmx, svm) = (has_flag("vmx"), has_flag("svm"));
    let amd = facts.cpuinfo.contains("AuthenticAMD") || facts.cpuinfo.contains("HygonGenuine");
    let module = if amd { "kvm-amd" } else { "kvm-intel" };
    let absent = |problem: String, advice: String| KvmStatus::Absent { problem, advice };
    let firmware = || {
        let setting = if amd {
            "SVM Mode"
        } else {
            "Intel Virtualization Technology (VT-x)"
        };
        format!(
            "Switch on \"{setting}\" in the firmware setup (BIOS/UEFI) of this computer. If this is itself a virtual \
             machine, its host must allow nested virtualization."
        )
    };
    match facts.open_error {
        None => {}
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) if !vmx && !svm => {
            return absent(
                "There is no /dev/kvm, and the processor shows no virtualization (neither vmx nor svm).".into(),
                firmware(),
            );
        }
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            let loaded = facts
                .modules
                .lines()
                .any(|line| line.starts_with(&module.replace('-', "_")));
            return if loaded {
                absent(
                    format!("The kernel module {module} is loaded, but /dev/kvm is not there."),
                    "If this is a container, give it the device (--device /dev/kvm).".into(),
                )
            } else {
                absent(
                    format!("There is no /dev/kvm: the kernel module {module} is not loaded."),
                    format!(
                        "Load it: sudo modprobe {module}. If that fails, look at the end of \"sudo dmesg\": \
                         \"disabled by BIOS\" means: {}",
                        firmware()
                    ),
                )
            };
        }
        Some(libc::EACCES | libc::EPERM) => {
            return absent(
                "You may not use /dev/kvm (permission denied).".into(),
                "Join the group that owns it: sudo adduser $USER kvm; then log out and in again.".into(),
            );
        }
        Some(libc::EBUSY) => return busy(),
        Some(errno) => {
            let error = std::io::Error::from_raw_os_error(errno);
            return absent(
                format!("/dev/kvm cannot be opened: {error}."),
                "Look at the end of \"sudo dmesg\" for the reason.".into(),
            );
        }
    }
    if facts.api_version != 12 {
        return absent(
            format!(
                "/dev/kvm speaks version {} of its interface, not 12.",
                facts.api_version
            ),
            "Use a Linux kernel of this century: any since 2.6.22 will do.".into(),
        );
    }
    if !facts.missing.is_empty() {
        return absent(
            format!("This computer's KVM lacks {}.", facts.missing.join(", ")),
            "Use a newer Linux kernel (4.13 or later), on a computer rather than in a restricted sandbox.".into(),
        );
    }
    match facts.create_error {
        Some(libc::EBUSY) => busy(),
        Some(errno) => absent(
            format!(
                "KVM makes no virtual machine: {}.",
                std::io::Error::from_raw_os_error(errno)
            ),
            "Look at the end of \"sudo dmesg\" for the reason.".into(),
        ),
        None if vmx || svm => KvmStatus::Hardware,
        None => KvmStatus::Software,
    }
}

fn busy() -> KvmStatus {
    KvmStatus::Absent {
        problem: "Another hypervisor is using the processor's virtualization.".into(),
        advice: "End it first (VirtualBox or VMware machines, for example) and try again.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEL: &str = "vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx sse\n";
    const AMD_OFF: &str = "vendor_id\t: AuthenticAMD\nflags\t\t: fpu sse\n";

    fn facts(cpuinfo: &str) -> Facts<'_> {
        Facts {
            cpuinfo,
            modules: "",
            open_error: None,
            api_version: 12,
            missing: &[],
            create_error: None,
        }
    }

    fn text(facts: &Facts<'_>) -> String {
        match diagnose(facts) {
            KvmStatus::Absent { problem, advice } => format!("{problem} {advice}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_cause_is_named_with_what_to_do() {
        let with = |cpuinfo, errno| {
            text(&Facts {
                open_error: Some(errno),
                ..facts(cpuinfo)
            })
        };
        assert!(with(INTEL, libc::ENOENT).contains("modprobe kvm-intel"));
        assert!(with(AMD_OFF, libc::ENOENT).contains("SVM Mode"));
        assert!(with(INTEL, libc::EACCES).contains("adduser $USER kvm"));
        assert!(with(INTEL, libc::EBUSY).contains("hypervisor"));
        let busy = Facts {
            create_error: Some(libc::EBUSY),
            ..facts(INTEL)
        };
        assert!(text(&busy).contains("VirtualBox"));
        let lacking = Facts {
            missing: &["KVM_CAP_PIT2"],
            ..facts(INTEL)
        };
        assert!(text(&lacking).contains("KVM_CAP_PIT2"));
        let old = Facts {
            api_version: 10,
            ..facts(INTEL)
        };
        assert!(text(&old).contains("version 10"));
        assert_eq!(diagnose(&facts(INTEL)), KvmStatus::Hardware);
        assert_eq!(diagnose(&facts(AMD_OFF)), KvmStatus::Software);
    }
}
