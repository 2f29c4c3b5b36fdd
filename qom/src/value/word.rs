//! Words whose bits can be properties.

/// An unsigned integer, seen as a row of bits. Bit 0 is the lowest.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no bits to be properties: a word is `u8`, `u16`, `u32` or `u64`"
)]
pub trait Word: Copy + Send + Sync + 'static {
    /// How many bits it has.
    const BITS: u32;

    /// Whether a bit below [`BITS`](Self::BITS) is set.
    fn bit(self, bit: u32) -> bool;

    /// The word with that bit set or clear.
    #[must_use]
    fn with_bit(self, bit: u32, on: bool) -> Self;
}

macro_rules! word {
    ($($type:ty)*) => {$(
        impl Word for $type {
            const BITS: u32 = <$type>::BITS;

            fn bit(self, bit: u32) -> bool {
                self.checked_shr(bit).is_some_and(|word| word & 1 == 1)
            }

            fn with_bit(self, bit: u32, on: bool) -> Self {
                let mask = (1 as $type).checked_shl(bit).unwrap_or(0);
                if on { self | mask } else { self & !mask }
            }
        }
    )*};
}

word!(u8 u16 u32 u64);
