//! Small rules of the reference's output: the order of members, and how a double looks.

use serde_json::{Map, Value};

/// The bucket of QEMU's dictionary (512 of them, hash function of the Trivial Database) that `key` is in.
pub(crate) fn bucket(key: &[u8]) -> u32 {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = 0x238f_13af_u32.wrapping_mul(length);
    // The byte at `index` is shifted by `index * 5 % 24`.
    let mut shift = 0;
    for &byte in key {
        hash = hash.wrapping_add(u32::from(byte) << shift);
        shift += 5;
        if shift >= 24 {
            shift -= 24;
        }
    }
    hash.wrapping_mul(1_103_515_243).wrapping_add(12345) % 512
}

/// The members as QEMU walks them: by bucket, and in one bucket the newest first. Where a member has an effect on another, or two
/// are wrong, a client can tell in which order they were taken.
#[must_use]
pub fn qdict_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut ordered: Vec<_> = members.iter().rev().collect();
    ordered.sort_by_key(|(name, _)| bucket(name.as_bytes()));
    ordered
}

/// C's `%.17g`.
pub(super) fn general(value: f64) -> String {
    const DIGITS: i32 = 17;
    let scientific = format!("{value:.16e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
}
