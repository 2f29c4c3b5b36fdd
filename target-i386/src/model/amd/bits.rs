//! Features that several models share, by CPUID leaf and by the model that they came with.
//!
//! A later model names all parts that it has; the parts of a word are disjoint.

/// Bits of leaf 1 EDX that came with `athlon`.
pub(super) const ATHLON_LEAF_1_EDX: &[&str] = &[
    "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "sep", "mtrr", "pge", "mca",
    "cmov", "pat", "pse36", "mmx", "fxsr", "sse", "sse2",
];

/// Bits of leaf 1 ECX that came with `phenom`.
pub(super) const PHENOM_LEAF_1_ECX: &[&str] = &["pni", "monitor", "cx16", "popcnt"];

/// Bits of leaf 8000_0001h EDX that came with `phenom`.
pub(super) const PHENOM_LEAF_8000_0001_EDX: &[&str] =
    &["syscall", "nx", "mmxext", "fxsr-opt", "pdpe1gb", "rdtscp", "lm"];

/// Bits of leaf 8000_0001h ECX that came with `phenom`.
pub(super) const PHENOM_LEAF_8000_0001_ECX: &[&str] = &["lahf-lm", "svm", "abm", "sse4a"];

/// Bits of leaf 8000_0001h EDX that came with `Opteron_G3`.
pub(super) const OPTERON_G3_LEAF_8000_0001_EDX: &[&str] = &["syscall", "nx", "rdtscp", "lm"];

/// Bits of leaf 1 ECX that came with `Opteron_G4`.
pub(super) const OPTERON_G4_LEAF_1_ECX: &[&str] =
    &["pni", "pclmulqdq", "ssse3", "cx16", "sse4.1", "sse4.2", "popcnt", "aes", "xsave", "avx"];

/// Bits of leaf 8000_0001h ECX that came with `Opteron_G4`.
pub(super) const OPTERON_G4_LEAF_8000_0001_ECX: &[&str] = &["misalignsse", "3dnowprefetch", "xop", "fma4"];

/// Bits of leaf 1 ECX that came with `EPYC`.
pub(super) const EPYC_LEAF_1_ECX: &[&str] = &["monitor", "fma", "movbe", "f16c", "rdrand"];

/// Bits of leaf 7 EBX that came with `EPYC`.
pub(super) const EPYC_LEAF_7_EBX: &[&str] =
    &["fsgsbase", "bmi1", "avx2", "smep", "bmi2", "rdseed", "adx", "smap", "clflushopt", "sha-ni"];

/// Bits of leaf 8000_0001h ECX that came with `EPYC`.
pub(super) const EPYC_LEAF_8000_0001_ECX: &[&str] =
    &["cr8legacy", "misalignsse", "3dnowprefetch", "osvw", "topoext"];

/// Bits of leaf 8000_0008h EBX that came with `EPYC-Rome`.
pub(super) const EPYC_ROME_LEAF_8000_0008_EBX: &[&str] =
    &["clzero", "xsaveerptr", "wbnoinvd", "ibpb", "amd-stibp"];

/// Bits of leaf Dh, sub-leaf 1, EAX that came with `EPYC-Rome`.
pub(super) const EPYC_ROME_LEAF_D_SUB_1_EAX: &[&str] = &["xsaveopt", "xsavec", "xgetbv1", "xsaves"];

/// Bits of leaf 7 EBX that came with `EPYC-Genoa`.
pub(super) const EPYC_GENOA_LEAF_7_EBX: &[&str] =
    &["erms", "invpcid", "avx512f", "avx512dq", "avx512ifma", "clwb", "avx512cd", "avx512bw", "avx512vl"];

/// Bits of leaf 7 ECX that came with `EPYC-Genoa`.
pub(super) const EPYC_GENOA_LEAF_7_ECX: &[&str] = &[
    "avx512vbmi",
    "umip",
    "pku",
    "avx512vbmi2",
    "gfni",
    "vaes",
    "vpclmulqdq",
    "avx512vnni",
    "avx512bitalg",
    "avx512-vpopcntdq",
    "la57",
    "rdpid",
];

/// Bits of leaf 8000_0008h EBX that came with `EPYC-Genoa`.
pub(super) const EPYC_GENOA_LEAF_8000_0008_EBX: &[&str] =
    &["ibrs", "stibp-always-on", "amd-ssbd", "amd-psfd"];

/// Bits of leaf 8000_0021h EAX that came with `EPYC-Genoa`.
pub(super) const EPYC_GENOA_LEAF_8000_0021_EAX: &[&str] =
    &["no-nested-data-bp", "lfence-always-serializing", "null-sel-clr-base", "auto-ibrs"];

/// Bits of leaf 8000_000Ah EDX that came with `EPYC-Genoa`.
pub(super) const EPYC_GENOA_LEAF_8000_000A_EDX: &[&str] = &["npt", "nrip-save", "vnmi", "svme-addr-chk"];
