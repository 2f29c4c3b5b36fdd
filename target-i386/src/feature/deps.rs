//! Which features are pointless without which others.
//!
//! When the needed feature is absent, the dependent ones are taken away silently, unless the
//! user asked for them by name, which earns a warning. Sources: Intel SDM volume 3, appendix A
//! (VMX controls and the instructions they govern) and the enumerating leaves themselves.

use super::FeatureWord as W;
use super::names::{Feature, feature, mask_in};

/// A rule: without any bit of `needs`, the bits `mask` of `word` go.
#[derive(Debug, Clone, Copy)]
pub struct Dependency {
    /// The needed feature; for several bits any one suffices.
    pub needs: Feature,
    /// Word of the dependent bits.
    pub word: W,
    /// The dependent bits.
    pub mask: u64,
}

const ALL: u64 = u64::MAX;
const LOW: u64 = 0xffff_ffff;

const fn whole(needs: &'static str, word: W) -> Dependency {
    Dependency { needs: feature(needs), word, mask: ALL }
}

const fn part(needs: &'static str, word: W, mask: u64) -> Dependency {
    Dependency { needs: feature(needs), word, mask }
}

const fn bit(needs: &'static str, dependent: &'static str) -> Dependency {
    let f = feature(dependent);
    part(needs, f.word, f.mask)
}

const ANY_AVX10_LENGTH: Feature = Feature {
    name: "avx10-128",
    word: W::Leaf24Sub0Ebx,
    mask: mask_in(W::Leaf24Sub0Ebx, &["avx10-128", "avx10-256", "avx10-512"]),
};

/// The rules, in the order in which they are applied: a later one sees what an earlier one took.
pub static DEPENDENCIES: &[Dependency] = &[
    whole("arch-capabilities", W::ArchCapabilities),
    whole("core-capability", W::CoreCapability),
    whole("pdcm", W::PerfCapabilities),
    whole("vmx", W::VmxProcbasedCtls),
    whole("vmx", W::VmxPinbasedCtls),
    whole("vmx", W::VmxExitCtls),
    whole("vmx", W::VmxEntryCtls),
    whole("vmx", W::VmxMisc),
    whole("vmx", W::VmxBasic),
    bit("lm", "vmx-entry-ia32e-mode"),
    whole("vmx-secondary-ctls", W::VmxSecondaryCtls),
    bit("xsaves", "vmx-xsaves"),
    bit("rdrand", "vmx-rdrand-exit"),
    bit("invpcid", "vmx-invpcid-exit"),
    bit("mpx", "vmx-exit-clear-bndcfgs"),
    bit("mpx", "vmx-entry-load-bndcfgs"),
    bit("rdseed", "vmx-rdseed-exit"),
    whole("intel-pt", W::Leaf14Sub0Ecx),
    bit("rdtscp", "vmx-rdtscp-exit"),
    part("vmx-ept", W::VmxEptVpidCaps, LOW),
    bit("vmx-ept", "vmx-unrestricted-guest"),
    bit("vmx-ept", "vmx-mbec"),
    part("vmx-vpid", W::VmxEptVpidCaps, !LOW),
    whole("vmx-vmfunc", W::VmxVmfunc),
    whole("svm", W::Leaf8000000AEdx),
    bit("waitpkg", "vmx-enable-user-wait-pause"),
    bit("lm", "fred"),
    bit("lkgs", "fred"),
    bit("sgx", "sgxlc"),
    whole("sgx", W::Leaf12Sub0Eax),
    whole("sgx", W::Leaf12Sub0Ebx),
    whole("sgx", W::Leaf12Sub1Eax),
    bit("avx10-128", "avx10-256"),
    bit("avx10-256", "avx10-512"),
    Dependency { needs: ANY_AVX10_LENGTH, word: W::Leaf7Sub1Edx, mask: feature("avx10").mask },
    whole("avx10", W::Leaf24Sub0Ebx),
    whole("apxf", W::Leaf29Sub0Ebx),
    whole("avx10", W::Leaf24Sub1Ecx),
    bit("fred", "vmx-entry-load-fred"),
];
