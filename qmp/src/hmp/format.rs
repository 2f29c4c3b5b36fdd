//! How numbers are shown: the `/fmt` of `print`, `x`, `xp`, `i` and `o`, as in `x /4xb 0xf0000`.
//!
//! A format is a count, a letter for the notation (`x`, `d`, `u`, `o`, `c`, `i` for instructions) and a letter for the
//! size (`b`, `h`, `w`, `g`), each optional. What is left out is as in the format before, whoever gave that: so the
//! defaults belong to the virtual machine and not to a session, as in the reference.

/// A notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// `x`: hexadecimal with `0x`.
    Hexadecimal,
    /// `d`: decimal; of eight bytes with its sign.
    Decimal,
    /// `u`: decimal without a sign.
    Unsigned,
    /// `o`: octal with a leading 0.
    Octal,
    /// `c`: a character in quotes.
    Character,
    /// `i`: an instruction; as a number, `d`.
    Instruction,
}

impl Notation {
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'x' => Self::Hexadecimal,
            'd' => Self::Decimal,
            'u' => Self::Unsigned,
            'o' => Self::Octal,
            'c' => Self::Character,
            'i' => Self::Instruction,
            _ => return None,
        })
    }
}

/// A format with all that was left out filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// How many; 0 is possible.
    pub count: u32,
    /// The notation.
    pub notation: Notation,
    /// Bytes of each: 1, 2, 4 or 8. For instructions that have none given, what was there before.
    pub size: u8,
}

impl Default for Format {
    fn default() -> Self {
        Self { count: 1, notation: Notation::Hexadecimal, size: 4 }
    }
}

impl Format {
    /// Reads a format from the start of `text`, if one is there; what it leaves out is as in `before`. Returns it and the text
    /// after it.
    ///
    /// # Errors
    /// A letter that means nothing, in the reference's words.
    pub(super) fn parse(text: &str, before: Self) -> Result<(Self, &str), String> {
        let mut format = Self { count: 1, ..before };
        let Some(mut rest) = text.trim_start().strip_prefix('/') else { return Ok((format, text)) };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits > 0 {
            format.count = rest[..digits].parse().unwrap_or(u32::MAX);
            rest = &rest[digits..];
        }
        while let Some(letter) = rest.chars().next().filter(|letter| !letter.is_ascii_whitespace()) {
            match (Notation::of(letter), letter) {
                (Some(notation), _) => format.notation = notation,
                (None, 'b') => format.size = 1,
                (None, 'h') => format.size = 2,
                (None, 'w') => format.size = 4,
                (None, 'g' | 'L') => format.size = 8,
                _ => return Err(format!("invalid char in format: '{letter}'")),
            }
            rest = &rest[letter.len_utf8()..];
        }
        Ok((format, rest))
    }

    /// A number by itself, as `print` shows it. The size does not matter.
    #[must_use]
    pub fn number(&self, value: i64) -> String {
        let bits = value.cast_unsigned();
        match self.notation {
            // As C's `%#x` and `%#o`, which leave 0 alone.
            Notation::Hexadecimal if value != 0 => format!("{bits:#x}"),
            Notation::Octal if value != 0 => format!("0{bits:o}"),
            Notation::Hexadecimal | Notation::Octal => "0".to_owned(),
            Notation::Unsigned => format!("{bits}"),
            Notation::Decimal | Notation::Instruction => format!("{value}"),
            Notation::Character => character(value),
        }
    }

    /// A number in a dump, as wide as the largest of its size. The notation is one of numbers.
    #[must_use]
    pub fn element(&self, value: u64) -> String {
        let bits = usize::from(self.size) * 8;
        match self.notation {
            Notation::Octal => format!("0{value:width$o}", width = bits.div_ceil(3)),
            // Ten digits for 33 bits, as the reference reckons.
            Notation::Unsigned => format!("{value:width$}", width = (bits * 10).div_ceil(33)),
            Notation::Decimal => format!("{:width$}", value.cast_signed(), width = (bits * 10).div_ceil(33)),
            Notation::Character => character(value.cast_signed()),
            Notation::Hexadecimal | Notation::Instruction => format!("0x{value:0width$x}", width = bits / 4),
        }
    }
}

/// Of the low 32 bits: the reference has a C `int` there.
fn character(value: i64) -> String {
    let code = value.cast_unsigned() & 0xffff_ffff;
    match u8::try_from(code) {
        Ok(b'\'') => r"'\''".to_owned(),
        Ok(b'\\') => r"'\\'".to_owned(),
        Ok(b'\n') => r"'\n'".to_owned(),
        Ok(b'\r') => r"'\r'".to_owned(),
        Ok(plain @ 0x20..=0x7e) => format!("'{}'", char::from(plain)),
        _ => format!(r"'\x{code:02x}'"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn format(text: &str) -> Format {
        Format::parse(text, Format::default()).unwrap().0
    }

    #[test]
    fn what_is_left_out_is_as_before() {
        let before = Format { count: 7, notation: Notation::Octal, size: 2 };
        assert_eq!(Format::parse(" 5", before), Ok((Format { count: 1, ..before }, " 5")));
        assert_eq!(Format::parse("/3 5", before), Ok((Format { count: 3, ..before }, " 5")));
        let words = Format { count: 4, notation: Notation::Hexadecimal, size: 8 };
        assert_eq!(Format::parse(" /4xg", before), Ok((words, "")));
        assert_eq!(Format::parse("/4gx", before), Ok((words, "")));
        assert_eq!(format("/99999999999").count, u32::MAX);
        assert_eq!(format("/0").count, 0);
    }

    #[test]
    fn letters_that_mean_nothing_are_refused_in_the_references_words() {
        for (text, letter) in [("/z 1", 'z'), ("/-1x", '-'), ("/4x4", '4'), ("/é", 'é')] {
            let refused = Format::parse(text, Format::default());
            assert_eq!(refused, Err(format!("invalid char in format: '{letter}'")));
        }
    }

    /// Each line was printed by the reference.
    #[test]
    fn numbers_look_as_the_references_do() {
        for (text, value, shown) in [
            ("/x", 10, "0xa"),
            ("/x", 0, "0"),
            ("/o", 0, "0"),
            ("/o", 100, "0144"),
            ("/d", -10, "-10"),
            ("/i", 10, "10"),
            ("/u", -10, "18446744073709551606"),
            ("/c", 65, "'A'"),
            ("/c", 10, r"'\n'"),
            ("/c", 9, r"'\x09'"),
            ("/c", 39, r"'\''"),
            ("/c", 92, r"'\\'"),
            ("/c", 128, r"'\x80'"),
            ("/c", 300, r"'\x12c'"),
            ("/c", -1, r"'\xffffffff'"),
            // Of more than 32 bits.
            ("/x", 0x1_4142_4344, "0x141424344"),
            ("/d", 0x1_4142_4344, "5389828932"),
            ("/o", 0x1_ffff_ffff, "077777777777"),
            ("/u", 0xffff_ffff_0000_0041_u64.cast_signed(), "18446744069414584385"),
            ("/i", 0x10_0000_0000, "68719476736"),
            ("/c", 0x1_4142_4344, r"'\x41424344'"),
            ("/c", 0x1_0000_0041, "'A'"),
            ("/c", 0xffff_ffff_0000_0041_u64.cast_signed(), "'A'"),
            ("/c", 0x1_0000_000a, r"'\n'"),
            ("/c", 0x1_0000_005c, r"'\\'"),
            ("/c", 0x8000_0000_0000_0027_u64.cast_signed(), r"'\''"),
        ] {
            assert_eq!(format(text).number(value), shown, "{text} {value}");
        }
        for (text, value, shown) in [
            ("/xb", 5, "0x05"),
            ("/xg", 5, "0x0000000000000005"),
            ("/ob", 0, "0  0"),
            ("/ow", 0x4164_d839, "010131154071"),
            ("/ow", 0, "0          0"),
            ("/db", 69, " 69"),
            ("/dh", 11375, "11375"),
            ("/dw", 0x9f76_7c45, "2675342405"),
            ("/dg", 0xb0c1_1fde_cb91_ce37, "-5710247810770547145"),
            ("/dg", 4_712_128_852_136_459_333, " 4712128852136459333"),
        ] {
            assert_eq!(format(text).element(value), shown, "{text} {value}");
        }
    }

    proptest! {
        #[test]
        fn any_format_is_read_or_refused(text in "[ /0-9a-zA-Zé-]{0,12}") {
            if let Ok((format, rest)) = Format::parse(&text, Format::default()) {
                prop_assert!(matches!(format.size, 1 | 2 | 4 | 8));
                prop_assert!(rest.is_empty() || rest.starts_with(' ') || !text.trim_start().starts_with('/'));
            }
        }

        /// What is printed is what was there.
        #[test]
        fn numbers_can_be_read_back(value: u64, size in prop::sample::select(vec![1u8, 2, 4, 8])) {
            let value = value >> (64 - 8 * u32::from(size));
            for (letter, radix) in [('x', 16), ('o', 8), ('u', 10)] {
                let text = Format { count: 1, notation: Notation::of(letter).unwrap(), size }.element(value);
                let digits = text.trim_start_matches("0x").trim();
                let digits = digits.strip_prefix('0').filter(|rest| radix == 8 && !rest.is_empty()).unwrap_or(digits);
                prop_assert_eq!(u64::from_str_radix(digits.trim(), radix), Ok(value));
            }
        }
    }
}
