//! `secret`: a password or key, given on the command line or in a file, and kept in memory only.
//!
//! It may be written as it is or in base64, and may be encrypted with another secret (AES-256 in CBC mode, PKCS #7
//! padding), whose id is `keyid`. What comes out is found by id with [`lookup`].
//!
//! The clear text lies in memory that is wiped when it is let go of. It is in no property: as in the reference, `data` reads
//! as it was written, so what should not be seen there is given in a file or encrypted.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use aes::Aes256;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use qom::user_creatable::{CONTAINER, Member, MemberType, UserCreatableClass};
use qom::{ClassInit, Error, Field, Instance, Object, ObjectCore, PropertyError, UserCreatable};
use qom_derive::Object;
use thiserror::Error as ThisError;
use zeroize::Zeroizing;

use super::{part, property, too_late};
use crate::os_error;

/// Bytes that are wiped when they are let go of.
pub type SecretBytes = Zeroizing<Vec<u8>>;

/// The size of a key of AES-256.
const KEY_BYTES: usize = 32;
/// The size of a block of AES, and so of an initial vector.
const BLOCK_BYTES: usize = 16;
/// The most bytes that a file may have.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum SecretError {
    /// Nothing says what it is.
    #[error("Either 'file' or 'data' must be provided")]
    Nothing,
    /// Both say it.
    #[error("'file' and 'data' are mutually exclusive")]
    Both,
    /// The file does not open.
    #[error("Unable to read {path}: Failed to open file \u{201c}{path}\u{201d}: {reason}")]
    Open {
        /// The file.
        path: String,
        /// What the host said.
        reason: String,
    },
    /// The file does not read.
    #[error("Unable to read {path}: Error reading file \u{201c}{path}\u{201d}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the host said.
        reason: String,
    },
    /// The file is larger than any secret.
    #[error("Unable to read {path}: it has more than {MAX_FILE_BYTES} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// A character that is none of base64's.
    #[error("Base64 data contains invalid characters")]
    Base64Characters,
    /// A NUL in base64.
    #[error("Base64 data contains embedded NUL characters")]
    Base64Nul,
    /// Characters of base64 that stand for no bytes.
    #[error("Base64 data is incomplete or wrongly padded")]
    Base64Form,
    /// No object has the id of a key.
    #[error("No secret with id '{0}'")]
    NotFound(String),
    /// The object of that id is something else.
    #[error("Object with id '{0}' is not a secret")]
    NotASecret(String),
    /// The key is not known yet: it is the secret itself.
    #[error("Secret with id '{0}' has no data")]
    NoData(String),
    /// The key's size is not that of AES-256.
    #[error("Key should be {KEY_BYTES} bytes in length")]
    KeyLength,
    /// There is a key and no initial vector.
    #[error("IV is required to decrypt secret")]
    NoIv,
    /// The initial vector is no block.
    #[error("IV should be {BLOCK_BYTES} bytes in length not {0}")]
    IvLength(usize),
    /// The cipher text is not made of whole blocks.
    #[error("Length {0} must be a multiple of block size {BLOCK_BYTES}")]
    CipherLength(usize),
    /// The clear text ends in what is no padding: most likely the key is another.
    #[error("Incorrect number of padding bytes ({0}) found on decrypted data")]
    Padding(u8),
}

qom::property_enum! {
    /// How a secret is written.
    pub enum SecretFormat("QCryptoSecretFormat") {
        /// As it is.
        Raw = "raw",
        /// In base64.
        Base64 = "base64",
    }
}

/// Base64 as the reference takes it: padding may be missing, and bits that stand for no byte are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Reads base64, line ends in it included.
fn decode_base64(text: &[u8]) -> Result<SecretBytes, SecretError> {
    if text.contains(&0) {
        return Err(SecretError::Base64Nul);
    }
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\n".contains(byte);
    if !text.iter().all(is_base64) {
        return Err(SecretError::Base64Characters);
    }
    let line: SecretBytes =
        Zeroizing::new(text.iter().copied().filter(|byte| *byte != b'\n').collect::<Vec<u8>>());
    BASE64.decode(&*line).map(Zeroizing::new).map_err(|_| SecretError::Base64Form)
}

/// Takes AES-256-CBC and its padding off.
fn decrypt(mut bytes: SecretBytes, key: &[u8; KEY_BYTES], iv: &[u8]) -> Result<SecretBytes, SecretError> {
    let cipher =
        cbc::Decryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| SecretError::IvLength(iv.len()))?;
    let length = bytes.len();
    cipher.decrypt_padded::<NoPadding>(&mut bytes).map_err(|_| SecretError::CipherLength(length))?;
    let Some(&padding) = bytes.last() else { return Ok(bytes) };
    if usize::from(padding) > BLOCK_BYTES {
        return Err(SecretError::Padding(padding));
    }
    bytes.truncate(length - usize::from(padding));
    Ok(bytes)
}

/// The class data that `secret_common` introduces.
#[derive(Debug, Clone)]
pub struct SecretClass {
    /// Gets the secret as it is written, from wherever the type has it.
    pub load: fn(&dyn Object) -> Result<SecretBytes, SecretError>,
}

impl Default for SecretClass {
    fn default() -> Self {
        Self { load: |_| Err(SecretError::Nothing) }
    }
}

/// The clear text; never printed.
#[derive(Default)]
struct Clear(Option<Arc<SecretBytes>>);

impl std::fmt::Debug for Clear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "loaded" } else { "not loaded" })
    }
}

/// The state of every secret, wherever it comes from.
#[derive(Debug, Object)]
#[object(
    name = "secret_common",
    abstract,
    class_init = SecretCommon::class_init,
    interfaces(dyn UserCreatable)
)]
pub struct SecretCommon {
    parent: ObjectCore,
    #[object(default = Field::new(SecretFormat::Raw))]
    format: Field<SecretFormat>,
    keyid: Field<Option<String>>,
    iv: Field<Option<String>>,
    clear: Field<Clear>,
}

impl SecretCommon {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<SecretClass>();
        class.add_property(property::<Self, SecretFormat>(
            "format",
            "QCryptoSecretFormat",
            |this| this.format.get(),
            |this, value| this.set(&this.format, value),
        ));
        class.add_property(property::<Self, Option<String>>(
            "keyid",
            "string",
            |this| this.keyid.get(),
            |this, value| this.set(&this.keyid, value),
        ));
        class.add_property(property::<Self, Option<String>>(
            "iv",
            "string",
            |this| this.iv.get(),
            |this, value| this.set(&this.iv, value),
        ));
        class.data_mut::<UserCreatableClass>().members.extend([
            Member::optional("format", MemberType::Enum(&["raw", "base64"]))
                .doc("How the secret is written: `raw` (as it is) or `base64`; `raw` by default."),
            Member::optional("keyid", MemberType::Text)
                .doc("The name of another secret, of 32 bytes, that this one is encrypted with (AES-256 in CBC mode); by default it is not."),
            Member::optional("iv", MemberType::Text)
                .doc("The initial vector of the encryption: 16 bytes in base64. Needed with `keyid`."),
        ]);
    }

    /// Sets a field of a secret that is not loaded yet.
    fn set<T>(&self, field: &Field<T>, value: T) -> Result<(), PropertyError> {
        if self.clear.with(|clear| clear.0.is_some()) {
            return Err(too_late());
        }
        field.set(value);
        Ok(())
    }

    fn decode(&self, written: SecretBytes) -> Result<SecretBytes, SecretError> {
        match self.format.get() {
            SecretFormat::Raw => Ok(written),
            SecretFormat::Base64 => decode_base64(&written),
        }
    }

    /// The key and the initial vector are judged before the cipher text, as in the reference.
    fn load(&self) -> Result<SecretBytes, SecretError> {
        let core = Object::core(self);
        let load = core.class().data::<SecretClass>().map(|class| class.load);
        let (Some(load), Some(object)) = (load, core.upgrade()) else { return Err(SecretError::Nothing) };
        let written = load(&*object)?;
        let Some(keyid) = self.keyid.get() else { return self.decode(written) };
        let root = core.root().ok_or_else(|| SecretError::NotFound(keyid.clone()))?;
        let key = lookup(&root, &keyid)?;
        let key: &[u8; KEY_BYTES] = key.as_slice().try_into().map_err(|_| SecretError::KeyLength)?;
        let iv = self.iv.get().ok_or(SecretError::NoIv)?;
        let iv = decode_base64(iv.as_bytes())?;
        if iv.len() != BLOCK_BYTES {
            return Err(SecretError::IvLength(iv.len()));
        }
        decrypt(self.decode(written)?, key, &iv)
    }
}

impl UserCreatable for SecretCommon {
    fn complete(&self) -> Result<(), Error> {
        let clear = self.load().map_err(Error::new)?;
        self.clear.set(Clear(Some(Arc::new(clear))));
        Ok(())
    }
}

/// The clear text of the secret with that id, in the tree of `root`.
///
/// # Errors
/// [`SecretError::NotFound`], [`SecretError::NotASecret`], [`SecretError::NoData`].
pub fn lookup(root: &Arc<dyn Object>, id: &str) -> Result<Arc<SecretBytes>, SecretError> {
    let missing = || SecretError::NotFound(id.to_owned());
    let home = qom::resolve(root, CONTAINER).map_err(|_| missing())?;
    let object = home.core().child(id).ok_or_else(missing)?;
    let secret =
        object.downcast_ref::<SecretCommon>().ok_or_else(|| SecretError::NotASecret(id.to_owned()))?;
    secret.clear.with(|clear| clear.0.clone()).ok_or_else(|| SecretError::NoData(id.to_owned()))
}

/// The state of a `secret`.
#[derive(Debug, Object)]
#[object(name = "secret", class_init = Secret::class_init)]
pub struct Secret {
    parent: SecretCommon,
    data: Field<Option<String>>,
    file: Field<Option<String>>,
}

qom::register_types!(<SecretCommon as Instance>::type_info, <Secret as Instance>::type_info);

impl Secret {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<SecretClass>().load = |object| match part::<Self>(object) {
            Ok(this) => this.written(),
            Err(_) => Err(SecretError::Nothing),
        };
        class.add_property(property::<Self, Option<String>>(
            "data",
            "string",
            |this| this.data.get(),
            |this, value| this.parent.set(&this.data, value),
        ));
        class.add_property(property::<Self, Option<String>>(
            "file",
            "string",
            |this| this.file.get(),
            |this, value| this.parent.set(&this.file, value),
        ));
        let user_creatable = class.data_mut::<UserCreatableClass>();
        user_creatable.doc = "A password or a key. Whoever has the monitor can read its `data` as any other property; the log does not show it.";
        user_creatable.members.extend([
            Member::optional("data", MemberType::Text)
                .doc("The secret itself, as text. Either this or `file` is needed."),
            Member::optional("file", MemberType::Text).doc("A file with the secret, of at most 1 MiB."),
        ]);
    }

    /// The secret as it is written.
    fn written(&self) -> Result<SecretBytes, SecretError> {
        match (self.file.get(), self.data.get()) {
            (Some(_), Some(_)) => Err(SecretError::Both),
            (Some(path), None) => read_file(path),
            (None, Some(data)) => Ok(Zeroizing::new(data.into_bytes())),
            (None, None) => Err(SecretError::Nothing),
        }
    }
}

fn read_file(path: String) -> Result<SecretBytes, SecretError> {
    let reason = |error: &io::Error| os_error::text(error);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return Err(SecretError::Open { reason: reason(&error), path }),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    match file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes) {
        Err(error) => Err(SecretError::Read { reason: reason(&error), path }),
        Ok(length) if length as u64 > MAX_FILE_BYTES => Err(SecretError::TooLarge { path }),
        Ok(_) => Ok(bytes),
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
