//! How the processors look to the guest: what KVM supports, as one package with a core for each processor, since old
//! Windows editions count packages and use one or two.
//!
//! Sources: Intel SDM volume 2A, CPUID; AMD64 Architecture Programmer's Manual volume 3, appendix E.

use super::vm::failed;
use crate::config::RunError;
use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES};
use kvm_ioctls::Kvm;

/// XSAVE in leaf 1, ECX.
const XSAVE: u32 = 1 << 26;
/// Features whose registers only XSAVE can save (leaf, subleaf; EAX, EBX, ECX, EDX): AVX with its kin, AVX-512, AMX.
const NEED_XSAVE: [(u32, u32, [u32; 4]); 4] = [
    // FMA, AVX, F16C.
    (1, 0, [0, 0, 1 << 12 | 1 << 28 | 1 << 29, 0]),
    // EBX: AVX2, AVX512F, DQ, IFMA, PF, ER, CD, BW, VL. ECX: VBMI, VBMI2, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ.
    // EDX: 4VNNIW, 4FMAPS, VP2INTERSECT, AMX-BF16, FP16, AMX-TILE, AMX-INT8.
    (7, 0, [0, 0xDC23_0020, 0x5E42, 0x03C0_010C]),
    // AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA; AVX-VNNI-INT8, AVX-NE-CONVERT, AMX-COMPLEX, AVX-VNNI-INT16, AVX10.
    (7, 1, [1 << 4 | 1 << 5 | 1 << 21 | 1 << 23, 0, 0, 0x0008_0530]),
    // XOP, FMA4.
    (0x8000_0001, 0, [0, 0, 1 << 11 | 1 << 16, 0]),
];

/// The features that KVM supports: a guest never meets an instruction that is not there.
pub fn supported(kvm: &Kvm) -> Result<CpuId, RunError> {
    let mut cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(failed(
        "ask which processor features KVM supports (KVM_GET_SUPPORTED_CPUID)",
    ))?;
    without_impossible(&mut cpuid);
    Ok(cpuid)
}

/// Where a hypervisor below ours hides XSAVE, KVM still tells of AVX, and a Linux that believes it stumbles over its first
/// such instruction.
fn without_impossible(cpuid: &mut CpuId) {
    let entries = cpuid.as_mut_slice();
    if entries
        .iter()
        .any(|entry| entry.function == 1 && entry.ecx & XSAVE != 0)
    {
        return;
    }
    for entry in entries {
        for (_, _, [eax, ebx, ecx, edx]) in NEED_XSAVE
            .iter()
            .filter(|(leaf, index, _)| (*leaf, *index) == (entry.function, entry.index))
        {
            entry.eax &= !eax;
            entry.ebx &= !ebx;
            entry.ecx &= !ecx;
            entry.edx &= !edx;
        }
    }
}

/// What processor `id` of `cpus` says of itself. APIC ids are the processors' numbers.
pub(super) fn of(template: &CpuId, id: u8, cpus: u8) -> CpuId {
    let mut cpuid = template.clone();
    let amd = template
        .as_slice()
        .iter()
        .any(|entry| entry.function == 0 && entry.ebx == u32::from_le_bytes(*b"Auth"));
    let id = u32::from(id);
    let cores = u32::from(cpus.max(1));
    // Bits of an APIC id that tell cores apart.
    let bits = cores.next_power_of_two().trailing_zeros();
    for entry in cpuid.as_mut_slice() {
        match entry.function {
            1 => {
                entry.ebx = entry.ebx & 0x0000_ffff | cores << 16 | id << 24;
                // The hypervisor bit lets guests find kvmclock.
                entry.ecx |= 1 << 31;
                entry.edx = if cores > 1 {
                    entry.edx | 1 << 28
                } else {
                    entry.edx & !(1 << 28)
                };
            }
            // Caches: which logical processors share one (the last level: all), and how many cores there are.
            4 if entry.eax & 0x1f != 0 => {
                let sharing = if entry.eax >> 5 & 7 >= 3 { cores - 1 } else { 0 };
                entry.eax = entry.eax & 0x3fff | sharing << 14 | (cores - 1) << 26;
            }
            0x8000_001d if entry.eax & 0x1f != 0 => {
                let sharing = if entry.eax >> 5 & 7 >= 3 { cores - 1 } else { 0 };
                entry.eax = entry.eax & 0x3fff | sharing << 14;
            }
            0xb | 0x1f => {
                (entry.eax, entry.ebx, entry.ecx) = match entry.index {
                    0 => (0, 1, 1 << 8),
                    1 => (bits, cores, 2 << 8 | 1),
                    index => (0, 0, index & 0xff),
                };
                entry.edx = id;
            }
            0x8000_0001 if amd && cores > 1 => entry.ecx |= 1 << 1,
            0x8000_0008 => entry.ecx = if amd { bits << 12 | (cores - 1) } else { 0 },
            0x8000_001e => (entry.eax, entry.ebx, entry.ecx) = (id, id, 0),
            _ => {}
        }
    }
    cpuid
}

/// What leaf 1 says in EAX and EDX to a guest with so many processors: which processor it is, and its features.
pub fn signature(template: &CpuId, cpus: u8) -> (u32, u32) {
    let cpuid = of(template, 0, cpus);
    let leaf = cpuid.as_slice().iter().find(|entry| entry.function == 1);
    leaf.map_or((0, 0), |leaf| (leaf.eax, leaf.edx))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvm_bindings::kvm_cpuid_entry2;

    #[test]
    fn without_xsave_there_is_no_avx() {
        let host = |ecx| {
            let entry = |function, index, ebx, ecx| kvm_cpuid_entry2 {
                function,
                index,
                ebx,
                ecx,
                ..Default::default()
            };
            let entries = [
                entry(1, 0, 7, ecx),
                entry(7, 0, 1 << 5 | 1 << 29 | 1 << 8, 1 << 10 | 1 << 22),
            ];
            let mut cpuid = CpuId::from_entries(&entries).unwrap();
            without_impossible(&mut cpuid);
            let [one, seven] = cpuid.as_slice() else { panic!() };
            [one.ebx, one.ecx, seven.ebx, seven.ecx]
        };
        let (avx, aes) = (1 << 28, 1 << 25);
        // SHA, BMI2 and RDPID need nothing but what every processor saves.
        assert_eq!(host(avx | aes), [7, aes, 1 << 29 | 1 << 8, 1 << 22]);
        let all = avx | aes | XSAVE;
        assert_eq!(host(all), [7, all, 1 << 5 | 1 << 29 | 1 << 8, 1 << 10 | 1 << 22]);
    }

    #[test]
    fn four_processors_are_one_package_of_four_cores() {
        let entry = |function, index, eax, ebx| kvm_cpuid_entry2 {
            function,
            index,
            eax,
            ebx,
            ..Default::default()
        };
        let host = [
            entry(0, 0, 13, u32::from_le_bytes(*b"Auth")),
            entry(1, 0, 0, 0x5510_0800),
            entry(4, 3, 0xffff_c163, 0),
            entry(0xb, 0, 1, 2),
            entry(0xb, 1, 7, 64),
            entry(0x8000_0008, 0, 0x3030, 0),
        ];
        let template = CpuId::from_entries(&host).unwrap();
        let cpuid = of(&template, 3, 4);
        let [_, one, four, smt, core, size] = cpuid.as_slice() else {
            panic!("entries were lost");
        };
        assert_eq!(one.ebx, 0x0304_0800);
        assert_eq!(one.edx >> 28 & 1, 1);
        assert_eq!((four.eax >> 26, four.eax >> 14 & 0xfff), (3, 3));
        assert_eq!((smt.eax, smt.ebx, smt.edx), (0, 1, 3));
        assert_eq!((core.eax, core.ebx, core.ecx, core.edx), (2, 4, 0x201, 3));
        assert_eq!(size.ecx, 0x2003);
        assert_eq!(of(&template, 0, 1).as_slice()[1].edx >> 28 & 1, 0);
    }
}
