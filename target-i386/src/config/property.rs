//! The properties of a CPU by name: reading, writing, and their descriptions for introspection.
//!
//! Besides the table here, every feature is a boolean property of its name. Property names, types
//! and defaults are QEMU's; so are the texts of errors.

use super::parse::{parse_bool, parse_frequency, parse_signed, parse_unsigned};
pub use super::value::{Default, PropertyError, Value, ValueKind};
use super::{AUTOMATIC, CpuConfig, LBR_FORMAT_MASK, LBR_FORMAT_UNSET, UNASSIGNED_APIC_ID, pad_model_id};
use crate::feature;
use crate::hyperv::{Enlightenment, NEVER_NOTIFY, OnOffAuto};
use crate::model::ModelKind;
use crate::provenance::Changed;
use crate::vendor::{Signature, Vendor};

/// Which CPUs have a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// `max` and `host`.
    Max,
}

/// A property that is not a feature.
#[derive(Debug, Clone, Copy)]
pub struct PropertyDef {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: ValueKind,
    /// Which CPUs have it.
    pub scope: Scope,
    /// Default as `device-list-properties` reports it; `None` where it reports none.
    pub default: Option<Default>,
    get: fn(&CpuConfig) -> Value,
    set: fn(&mut CpuConfig, Value) -> Result<(), PropertyError>,
}

/// Value conversions that the setters use. Types were checked before, so a mismatch cannot occur;
/// it would leave the setting alone.
trait FromValue: Sized {
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bool(b) = value { Some(*b) } else { None }
    }
}

macro_rules! from_unsigned {
    ($($t:ty)*) => { $(
        impl FromValue for $t {
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::Uint(n) = value { (*n).try_into().ok() } else { None }
            }
        }
    )* };
}
from_unsigned!(u8 u16 u32 u64);

impl FromValue for i32 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(n) = value { (*n).try_into().ok() } else { None }
    }
}

macro_rules! plain {
    ($name:literal, bool, $default:literal, $($field:tt)+) => {
        plain!(@ $name, ValueKind::Bool, Default::Bool($default), Value::Bool, bool, $($field)+)
    };
    ($name:literal, u8, $default:expr, $($field:tt)+) => {
        plain!(@ $name, ValueKind::Uint(8), Default::Uint($default), |v: u8| Value::Uint(v.into()), u8, $($field)+)
    };
    ($name:literal, u16, $default:expr, $($field:tt)+) => {
        plain!(@ $name, ValueKind::Uint(16), Default::Uint($default), |v: u16| Value::Uint(v.into()), u16, $($field)+)
    };
    ($name:literal, u32, $default:expr, $($field:tt)+) => {
        plain!(@ $name, ValueKind::Uint(32), Default::Uint($default), |v: u32| Value::Uint(v.into()), u32, $($field)+)
    };
    ($name:literal, u64, $default:expr, $($field:tt)+) => {
        plain!(@ $name, ValueKind::Uint(64), Default::Uint($default), Value::Uint, u64, $($field)+)
    };
    ($name:literal, i32, $default:expr, $($field:tt)+) => {
        plain!(@ $name, ValueKind::Int32, Default::Int($default), |v: i32| Value::Int(v.into()), i32, $($field)+)
    };
    (@ $name:literal, $kind:expr, $default:expr, $wrap:expr, $t:ty, $($field:tt)+) => {
        PropertyDef {
            name: $name,
            kind: $kind,
            scope: Scope::All,
            default: Some($default),
            get: |config| ($wrap)(config.$($field)+),
            set: |config, value| {
                if let Some(value) = <$t>::from_value(&value) {
                    config.$($field)+ = value;
                }
                Ok(())
            },
        }
    };
}

macro_rules! enlightenment {
    ($name:literal, $which:ident) => {
        PropertyDef {
            name: $name,
            kind: ValueKind::Bool,
            scope: Scope::All,
            default: Some(Default::Bool(false)),
            get: |config| Value::Bool(config.hyperv.features.has(Enlightenment::$which)),
            set: |config, value| {
                if let Value::Bool(on) = value {
                    config.hyperv.features.assign(Enlightenment::$which, on);
                }
                Ok(())
            },
        }
    };
}

const fn max_only(mut def: PropertyDef) -> PropertyDef {
    def.scope = Scope::Max;
    def
}

const AUTO: u64 = AUTOMATIC as u64;

/// Reads an unsigned value that the type check let through.
fn number(value: &Value) -> u64 {
    u64::from_value(value).unwrap_or(u64::MAX)
}

fn at_most(name: &str, value: &Value, max: u64) -> Result<u64, PropertyError> {
    let value = number(value);
    if value > max {
        return Err(PropertyError::TooLarge { name: name.to_owned(), max });
    }
    Ok(value)
}

/// The properties that are not features, in alphabetical order.
pub static PROPERTIES: &[PropertyDef] = &[
    plain!("apic-id", u32, UNASSIGNED_APIC_ID as u64, apic_id),
    PropertyDef {
        name: "avx10-version",
        kind: ValueKind::Uint(8),
        scope: Scope::All,
        default: None,
        get: |config| Value::Uint(config.avx10_version.into()),
        set: |config, value| match u8::from_value(&value) {
            Some(version @ 0..=2) => {
                config.enable_avx10(version);
                Ok(())
            }
            _ => Err(PropertyError::Avx10(2)),
        },
    },
    plain!("check", bool, true, check),
    plain!("core-id", i32, -1, place.core),
    plain!("cpuid-0xb", bool, true, cpuid_0xb),
    plain!("die-id", i32, -1, place.die),
    plain!("enforce", bool, false, enforce),
    PropertyDef {
        name: "family",
        kind: ValueKind::Number,
        scope: Scope::All,
        default: None,
        get: |config| Value::Int(config.signature.family().into()),
        set: |config, value| {
            let family = at_most("family", &value, Signature::MAX_FAMILY)?;
            config.signature = config.signature.with_family(u16::try_from(family).unwrap_or(u16::MAX));
            Ok(())
        },
    },
    plain!("fill-mtrr-mask", bool, true, fill_mtrr_mask),
    plain!("guest-phys-bits", u32, AUTO, guest_phys_bits),
    max_only(plain!("host-cache-info", bool, false, host_cache_info)),
    plain!("host-phys-bits", bool, false, host_phys_bits),
    plain!("host-phys-bits-limit", u8, 0, host_phys_bits_limit),
    enlightenment!("hv-apicv", Avic),
    enlightenment!("hv-avic", Avic),
    enlightenment!("hv-crash", Crash),
    enlightenment!("hv-emsr-bitmap", EmsrBitmap),
    plain!("hv-enforce-cpuid", bool, false, hyperv.enforce_cpuid),
    enlightenment!("hv-evmcs", Evmcs),
    enlightenment!("hv-frequencies", Frequencies),
    enlightenment!("hv-ipi", Ipi),
    PropertyDef {
        name: "hv-no-nonarch-coresharing",
        kind: ValueKind::OnOffAuto,
        scope: Scope::All,
        default: Some(Default::Str(OnOffAuto::Off.name())),
        get: |config| Value::Str(config.hyperv.no_nonarch_coresharing.name().to_owned()),
        set: |config, value| {
            if let Value::Str(text) = value {
                config.hyperv.no_nonarch_coresharing = OnOffAuto::parse(&text)
                    .ok_or(PropertyError::NotAccepted { name: "hv-no-nonarch-coresharing", value: text })?;
            }
            Ok(())
        },
    },
    plain!("hv-passthrough", bool, false, hyperv.passthrough),
    enlightenment!("hv-reenlightenment", Reenlightenment),
    enlightenment!("hv-relaxed", Relaxed),
    enlightenment!("hv-reset", Reset),
    enlightenment!("hv-runtime", Runtime),
    plain!("hv-spinlocks", u32, NEVER_NOTIFY as u64, hyperv.spinlock_retries),
    enlightenment!("hv-stimer", Stimer),
    enlightenment!("hv-stimer-direct", StimerDirect),
    enlightenment!("hv-syndbg", Syndbg),
    enlightenment!("hv-synic", Synic),
    enlightenment!("hv-time", Time),
    enlightenment!("hv-tlbflush", Tlbflush),
    enlightenment!("hv-tlbflush-direct", TlbflushDirect),
    enlightenment!("hv-tlbflush-ext", TlbflushExt),
    enlightenment!("hv-vapic", Vapic),
    PropertyDef {
        name: "hv-vendor-id",
        kind: ValueKind::Text,
        scope: Scope::All,
        default: None,
        get: |config| Value::Str(config.hyperv.vendor.clone().unwrap_or_default()),
        set: |config, value| {
            if let Value::Str(text) = value {
                config.hyperv.vendor = Some(text);
            }
            Ok(())
        },
    },
    plain!("hv-version-id-build", u32, 14393, hyperv.version.build),
    plain!("hv-version-id-major", u16, 10, hyperv.version.major),
    plain!("hv-version-id-minor", u16, 0, hyperv.version.minor),
    plain!("hv-version-id-sbranch", u8, 0, hyperv.version.service_branch),
    plain!("hv-version-id-snumber", u32, 0, hyperv.version.service_number),
    plain!("hv-version-id-spack", u32, 0, hyperv.version.service_pack),
    enlightenment!("hv-vpindex", Vpindex),
    enlightenment!("hv-xmm-input", XmmInput),
    plain!("kvm", bool, true, expose_kvm),
    plain!("kvm-pv-enforce-cpuid", bool, false, kvm_pv_enforce_cpuid),
    plain!("l3-cache", bool, true, l3_cache),
    PropertyDef {
        name: "lbr-fmt",
        kind: ValueKind::Uint(64),
        scope: Scope::All,
        default: None,
        get: |config| Value::Uint(config.lbr_format),
        set: |config, value| {
            let format = number(&value);
            if format & !LBR_FORMAT_MASK != 0 && format != LBR_FORMAT_UNSET {
                return Err(PropertyError::Mask { name: "lbr-fmt".to_owned(), mask: LBR_FORMAT_MASK });
            }
            config.lbr_format = format;
            Ok(())
        },
    },
    plain!("legacy-cache", bool, true, legacy_cache),
    plain!("legacy-multi-node", bool, false, legacy_multi_node),
    plain!("level", u32, AUTO, level),
    plain!("level-func7", u32, AUTO, level_func7),
    plain!("lmce", bool, false, lmce),
    max_only(plain!("migratable", bool, true, migratable)),
    plain!("min-level", u32, 0, min_level),
    plain!("min-xlevel", u32, 0, min_xlevel),
    plain!("min-xlevel2", u32, 0, min_xlevel2),
    PropertyDef {
        name: "model",
        kind: ValueKind::Number,
        scope: Scope::All,
        default: None,
        get: |config| {
            // Families before 6 have no extended model.
            let model = config.signature.model();
            Value::Int(if config.signature.family() < 6 { model & 0xf } else { model }.into())
        },
        set: |config, value| {
            let model = at_most("model", &value, Signature::MAX_MODEL)?;
            config.signature = config.signature.with_model(u8::try_from(model).unwrap_or(u8::MAX));
            Ok(())
        },
    },
    PropertyDef {
        name: "model-id",
        kind: ValueKind::Str,
        scope: Scope::All,
        default: None,
        get: |config| Value::Str(config.model_id_text()),
        set: |config, value| {
            if let Value::Str(text) = value {
                config.model_id = pad_model_id(text.as_bytes());
            }
            Ok(())
        },
    },
    plain!("module-id", i32, -1, place.module),
    plain!("node-id", i32, -1, place.node),
    plain!("phys-bits", u32, 0, phys_bits),
    plain!("pmu", bool, false, pmu),
    plain!("socket-id", i32, -1, place.socket),
    PropertyDef {
        name: "stepping",
        kind: ValueKind::Number,
        scope: Scope::All,
        default: None,
        get: |config| Value::Int(config.signature.stepping().into()),
        set: |config, value| {
            let stepping = at_most("stepping", &value, Signature::MAX_STEPPING)?;
            config.signature = config.signature.with_stepping(u8::try_from(stepping).unwrap_or(u8::MAX));
            Ok(())
        },
    },
    plain!("tcg-cpuid", bool, true, expose_tcg),
    plain!("thread-id", i32, -1, place.thread),
    PropertyDef {
        name: "tsc-frequency",
        kind: ValueKind::SignedNumber,
        scope: Scope::All,
        default: None,
        get: |config| Value::Int(config.tsc_khz.saturating_mul(1000)),
        set: |config, value| match value {
            Value::Int(hz @ 0..) => {
                config.tsc_khz = hz / 1000;
                config.user_tsc_khz = config.tsc_khz;
                Ok(())
            }
            _ => Err(PropertyError::TooLarge { name: "tsc-frequency".to_owned(), max: i64::MAX as u64 }),
        },
    },
    plain!("ucode-rev", u64, 0, ucode_rev),
    PropertyDef {
        name: "vendor",
        kind: ValueKind::Str,
        scope: Scope::All,
        default: None,
        get: |config| Value::Str(config.vendor.to_string()),
        set: |config, value| {
            if let Value::Str(text) = value {
                config.vendor = Vendor::new(&text)?;
            }
            Ok(())
        },
    },
    plain!("vmware-cpuid-freq", bool, true, vmware_cpuid_freq),
    plain!("x-amd-topoext-features-only", bool, true, amd_topoext_features_only),
    plain!("x-arch-cap-always-on", bool, false, arch_cap_always_on),
    plain!("x-consistent-cache", bool, true, consistent_cache),
    plain!("x-force-cpuid-0x1f", bool, false, force_cpuid_0x1f),
    plain!("x-force-features", bool, false, force_features),
    plain!("x-hv-max-vps", i32, -1, hyperv.max_vps),
    plain!("x-l1-cache-per-thread", bool, true, l1_cache_per_core),
    plain!("x-migrate-error-code", bool, true, migrate_error_code),
    plain!("x-migrate-smi-count", bool, true, migrate_smi_count),
    plain!("x-pdcm-on-even-without-pmu", bool, false, pdcm_without_pmu),
    plain!("x-vendor-cpuid-only", bool, true, vendor_cpuid_only),
    plain!("x-vendor-cpuid-only-v2", bool, true, vendor_cpuid_only_v2),
    plain!("xen-vapic", bool, false, xen_vapic),
    plain!("xlevel", u32, AUTO, xlevel),
    plain!("xlevel2", u32, AUTO, xlevel2),
];

/// The definition of a property that is not a feature.
#[must_use]
pub fn property(name: &str) -> Option<&'static PropertyDef> {
    let name = if name == "lbr_fmt" { "lbr-fmt" } else { name };
    PROPERTIES.binary_search_by(|def| def.name.cmp(name)).ok().map(|i| &PROPERTIES[i])
}

fn convert(def: &PropertyDef, name: &str, text: &str) -> Result<Value, PropertyError> {
    let malformed = |expected| PropertyError::Malformed { name: name.to_owned(), expected };
    match def.kind {
        ValueKind::Bool => parse_bool(text).map(Value::Bool).ok_or_else(|| malformed("'on' or 'off'")),
        ValueKind::Str | ValueKind::Text | ValueKind::OnOffAuto => Ok(Value::Str(text.to_owned())),
        ValueKind::Uint(bits) => {
            let value = parse_unsigned(text).ok_or_else(|| malformed("uint64"))?;
            check_width(name, value, bits)?;
            Ok(Value::Uint(value))
        }
        ValueKind::Number => parse_unsigned(text).map(Value::Uint).ok_or_else(|| malformed("uint64")),
        ValueKind::SignedNumber => parse_signed(text).map(Value::Int).ok_or_else(|| malformed("int64")),
        ValueKind::Int32 => {
            let value = parse_signed(text).ok_or_else(|| malformed("int64"))?;
            i32::try_from(value).map_err(|_| malformed("int32_t"))?;
            Ok(Value::Int(value))
        }
    }
}

fn check_width(name: &str, value: u64, bits: u32) -> Result<(), PropertyError> {
    let (fits, expected) = match bits {
        8 => (u8::try_from(value).is_ok(), "uint8_t"),
        16 => (u16::try_from(value).is_ok(), "uint16_t"),
        32 => (u32::try_from(value).is_ok(), "uint32_t"),
        _ => (true, "uint64"),
    };
    if fits { Ok(()) } else { Err(PropertyError::Malformed { name: name.to_owned(), expected }) }
}

/// Brings a typed value to the form that the property's setter takes.
fn adapt(def: &PropertyDef, name: &str, value: Value) -> Result<Value, PropertyError> {
    let typed = |expected| PropertyError::Type { name: name.to_owned(), expected };
    let malformed = |expected| PropertyError::Malformed { name: name.to_owned(), expected };
    match (def.kind, value) {
        (ValueKind::Bool, value @ Value::Bool(_))
        | (ValueKind::Str | ValueKind::Text | ValueKind::OnOffAuto, value @ Value::Str(_)) => Ok(value),
        (ValueKind::Uint(bits), Value::Uint(n)) => check_width(name, n, bits).map(|()| Value::Uint(n)),
        (ValueKind::Uint(bits), Value::Int(n)) => {
            let n = n.cast_unsigned();
            check_width(name, n, bits).map(|()| Value::Uint(n))
        }
        (ValueKind::Number, Value::Uint(n)) => Ok(Value::Uint(n)),
        (ValueKind::Number, Value::Int(n)) => Ok(Value::Uint(n.cast_unsigned())),
        (ValueKind::SignedNumber, Value::Int(n)) => Ok(Value::Int(n)),
        (ValueKind::SignedNumber, Value::Uint(n)) => {
            i64::try_from(n).map(Value::Int).map_err(|_| typed("integer"))
        }
        (ValueKind::Int32, Value::Int(n)) => {
            i32::try_from(n).map(|_| Value::Int(n)).map_err(|_| malformed("int32_t"))
        }
        (ValueKind::Int32, Value::Uint(n)) => {
            let n = i64::try_from(n).map_err(|_| typed("integer"))?;
            i32::try_from(n).map(|n| Value::Int(n.into())).map_err(|_| malformed("int32_t"))
        }
        (ValueKind::Bool, _) => Err(typed("boolean")),
        (ValueKind::Str | ValueKind::Text | ValueKind::OnOffAuto, _) => Err(typed("string")),
        (ValueKind::Int32 | ValueKind::SignedNumber, _) => Err(typed("integer")),
        (ValueKind::Uint(_) | ValueKind::Number, _) => Err(malformed("uint64")),
    }
}

/// A frequency in Hz, with suffixes, as `tsc-freq` takes it.
///
/// # Errors
///
/// If the text is no frequency.
pub(crate) fn frequency(text: &str) -> Result<u64, PropertyError> {
    parse_frequency(text).ok_or_else(|| PropertyError::Frequency(text.to_owned()))
}

impl CpuConfig {
    fn scoped(&self, name: &str) -> Option<&'static PropertyDef> {
        property(name)
            .filter(|def| def.scope == Scope::All || matches!(self.kind, ModelKind::Max | ModelKind::Host))
    }

    fn not_found(&self, name: &str) -> PropertyError {
        PropertyError::NotFound { model: self.model_name.to_owned(), name: name.to_owned() }
    }

    fn set_feature(&mut self, f: feature::Feature, on: bool) {
        self.features.assign(f, on);
        self.user_features.insert(f.word, f.mask);
        self.history.property(f.name, Changed::Feature(f, on));
    }

    /// Sets a property from text, as `name=text` on the command line does.
    ///
    /// # Errors
    ///
    /// If there is no such property or the text is no value of it; nothing is changed then.
    pub fn set_text(&mut self, name: &str, text: &str) -> Result<(), PropertyError> {
        if let Some(f) = feature::find(name) {
            let on = parse_bool(text).ok_or_else(|| PropertyError::Malformed {
                name: name.to_owned(),
                expected: "'on' or 'off'",
            })?;
            self.set_feature(f, on);
            return Ok(());
        }
        let def = self.scoped(name).ok_or_else(|| self.not_found(name))?;
        let value = convert(def, name, text)?;
        self.write(def, value)
    }

    fn write(&mut self, def: &'static PropertyDef, value: Value) -> Result<(), PropertyError> {
        let before = self.features;
        (def.set)(self, value)?;
        self.history.property(def.name, Changed::From(&before, &self.features));
        Ok(())
    }

    /// Sets `tsc-freq`, the command line's form of `tsc-frequency` with suffixes.
    ///
    /// # Errors
    ///
    /// If the text is no frequency.
    pub fn set_tsc_freq(&mut self, text: &str) -> Result<(), PropertyError> {
        self.set("tsc-frequency", Value::Uint(frequency(text)?))
    }

    /// Sets a property from a typed value.
    ///
    /// # Errors
    ///
    /// If there is no such property or it does not take the value; nothing is changed then.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), PropertyError> {
        if let Some(f) = feature::find(name) {
            let Value::Bool(on) = value else {
                return Err(PropertyError::Type { name: name.to_owned(), expected: "boolean" });
            };
            self.set_feature(f, on);
            return Ok(());
        }
        let def = self.scoped(name).ok_or_else(|| self.not_found(name))?;
        let value = adapt(def, name, value)?;
        self.write(def, value)
    }

    /// The value of a property, a feature's included; `None` if the CPU has no such property.
    ///
    /// A feature that governs several bits is on when all of them are.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        match feature::find(name) {
            Some(f) => Some(Value::Bool(self.features.has(f))),
            None => self.scoped(name).map(|def| (def.get)(self)),
        }
    }
}
