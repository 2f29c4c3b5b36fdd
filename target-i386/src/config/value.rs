//! Values of properties, their types, and why one is refused. Texts and type names are QEMU's.

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Boolean.
    Bool(bool),
    /// Signed number.
    Int(i64),
    /// Unsigned number.
    Uint(u64),
    /// Text.
    Str(String),
}

impl From<Value> for serde_json::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(on) => on.into(),
            Value::Int(number) => number.into(),
            Value::Uint(number) => number.into(),
            Value::Str(text) => text.into(),
        }
    }
}

/// The type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// `bool`
    Bool,
    /// `uint8`, `uint32`, `uint64`: unsigned of so many bits.
    Uint(u32),
    /// `int32`
    Int32,
    /// `int`: a number whose range the property itself checks.
    Number,
    /// `int`: as [`Number`](Self::Number), but signed.
    SignedNumber,
    /// `OnOffAuto`
    OnOffAuto,
    /// `string`
    Str,
    /// `str`: text too; the reference has two names for it.
    Text,
}

impl ValueKind {
    /// Type name as `device-list-properties` reports it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Uint(8) => "uint8",
            Self::Uint(16) => "uint16",
            Self::Uint(32) => "uint32",
            Self::Uint(_) => "uint64",
            Self::Int32 => "int32",
            Self::Number | Self::SignedNumber => "int",
            Self::OnOffAuto => "OnOffAuto",
            Self::Str => "string",
            Self::Text => "str",
        }
    }

    /// Whether only a text is of this type.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::OnOffAuto | Self::Str | Self::Text)
    }
}

/// A property cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// The CPU has no such property.
    #[error("Property '{model}-x86_64-cpu.{name}' not found")]
    NotFound {
        /// The model.
        model: String,
        /// The name.
        name: String,
    },
    /// The text is not a value of the property's type.
    #[error("Parameter '{name}' expects {expected}")]
    Malformed {
        /// The property.
        name: String,
        /// What it takes.
        expected: &'static str,
    },
    /// A typed value is of another type than the property.
    #[error("Invalid parameter type for '{name}', expected: {expected}")]
    Type {
        /// The property.
        name: String,
        /// What it takes.
        expected: &'static str,
    },
    /// The text is none of the values that the property takes.
    #[error("Parameter '{name}' does not accept value '{value}'")]
    NotAccepted {
        /// The property.
        name: &'static str,
        /// The text.
        value: String,
    },
    /// The number is too large.
    #[error("parameter '{name}' can be at most {max}")]
    TooLarge {
        /// The property.
        name: String,
        /// Largest value.
        max: u64,
    },
    /// The vendor has the wrong length.
    #[error(transparent)]
    Vendor(#[from] crate::vendor::BadVendor),
    /// There is no such AVX10 version.
    #[error("avx10-version can be at most {0}")]
    Avx10(u8),
    /// Bits outside the property's field.
    #[error("Property value for '{name}' has bits outside mask '0x{mask:x}'")]
    Mask {
        /// The property.
        name: String,
        /// Allowed bits.
        mask: u64,
    },
    /// A frequency that is no number.
    #[error("bad numerical value {0}")]
    Frequency(String),
}

/// A default in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Boolean.
    Bool(bool),
    /// Signed.
    Int(i64),
    /// Unsigned.
    Uint(u64),
    /// Text.
    Str(&'static str),
}

impl From<Default> for Value {
    fn from(default: Default) -> Self {
        match default {
            Default::Bool(b) => Self::Bool(b),
            Default::Int(n) => Self::Int(n),
            Default::Uint(n) => Self::Uint(n),
            Default::Str(text) => Self::Str(text.to_owned()),
        }
    }
}
