//! Athlon, Phenom and Opteron: before EPYC.

use super::bits::{
    ATHLON_LEAF_1_EDX, OPTERON_G3_LEAF_8000_0001_EDX, OPTERON_G4_LEAF_1_ECX, OPTERON_G4_LEAF_8000_0001_ECX,
    PHENOM_LEAF_1_ECX, PHENOM_LEAF_8000_0001_ECX, PHENOM_LEAF_8000_0001_EDX,
};
use crate::model::CpuModel;
use crate::model::generic::QEMU_MODEL_ID;
use crate::vendor::Vendor;

/// `athlon`: Athlon, 1999, with the SSE2 of later ones.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "athlon",
    vendor = Vendor::AMD,
    signature(6, 2, 3),
    levels(2, 0x8000_0008),
    model_id = QEMU_MODEL_ID
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX))]
#[cpu_model(features("mmxext", "3dnowext", "3dnow"))]
pub struct Athlon;

/// `phenom`: Phenom X4 9550, 2008.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "phenom",
    vendor = Vendor::AMD,
    signature(16, 2, 3),
    levels(5, 0x8000_001a),
    model_id = "AMD Phenom(tm) 9550 Quad-Core Processor"
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(PHENOM_LEAF_1_ECX))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_EDX, "3dnowext", "3dnow"))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_ECX))]
#[cpu_model(features("npt"))]
pub struct Phenom;

/// `Opteron_G1`: Opteron 240, 2003.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Opteron_G1",
    vendor = Vendor::AMD,
    signature(15, 6, 1),
    levels(5, 0x8000_0008),
    model_id = "AMD Opteron 240 (Gen 1 Class Opteron)"
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features("pni"))]
#[cpu_model(features("syscall", "nx", "lm"))]
pub struct OpteronG1;

/// `Opteron_G2`: Opteron 2200, with SVM, 2006.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Opteron_G2",
    vendor = Vendor::AMD,
    signature(15, 6, 1),
    levels(5, 0x8000_0008),
    model_id = "AMD Opteron 22xx (Gen 2 Class Opteron)"
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features("pni", "cx16"))]
#[cpu_model(features("syscall", "nx", "lm"))]
#[cpu_model(features("lahf-lm", "svm"))]
pub struct OpteronG2;

/// `Opteron_G3`: Opteron 2300, 2007.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Opteron_G3",
    vendor = Vendor::AMD,
    signature(16, 2, 3),
    levels(5, 0x8000_0008),
    model_id = "AMD Opteron 23xx (Gen 3 Class Opteron)"
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(PHENOM_LEAF_1_ECX))]
#[cpu_model(features(OPTERON_G3_LEAF_8000_0001_EDX))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_ECX, "misalignsse"))]
pub struct OpteronG3;

/// `Opteron_G4`: Opteron 6200, with AVX, 2011.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Opteron_G4",
    vendor = Vendor::AMD,
    signature(21, 1, 2),
    levels(0xd, 0x8000_001a),
    model_id = "AMD Opteron 62xx class CPU"
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(OPTERON_G4_LEAF_1_ECX))]
#[cpu_model(features(OPTERON_G3_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_ECX, OPTERON_G4_LEAF_8000_0001_ECX))]
#[cpu_model(features("npt", "nrip-save"))]
pub struct OpteronG4;

/// `Opteron_G5`: Opteron 6300, 2012.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Opteron_G5",
    vendor = Vendor::AMD,
    signature(21, 2, 0),
    levels(0xd, 0x8000_001a),
    model_id = "AMD Opteron 63xx class CPU"
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(OPTERON_G4_LEAF_1_ECX, "fma", "f16c"))]
#[cpu_model(features(OPTERON_G3_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_ECX, OPTERON_G4_LEAF_8000_0001_ECX, "tbm"))]
#[cpu_model(features("npt", "nrip-save"))]
pub struct OpteronG5;
