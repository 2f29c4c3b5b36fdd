//! Models of AMD processors, a file for each group of generations.
//!
//! Source of all figures: `query-cpu-model-expansion` of QEMU 11.1 without an accelerator's defaults
//! (`-accel qtest`), with `svm=on` and the like for what depends on another feature; least levels
//! with all features off.
//!
//! Caches: what a guest of it reads from leaves 8000_0005h, 8000_0006h and 8000_001Dh, and, for
//! complex indexing, from leaf 4 with Intel as the vendor.

mod bits;
mod epyc;
mod epyc_later;
mod opteron;

pub use epyc::{Epyc, EpycRome};
pub use epyc_later::{EpycGenoa, EpycMilan, EpycTurin};
pub use opteron::{Athlon, OpteronG1, OpteronG2, OpteronG3, OpteronG4, OpteronG5, Phenom};
