//! Integer expressions in monitor commands: `0x1000 + 4*(3-1)`.
//!
//! Operators bind as in the reference: `*`, `/`, `%`, then `&`, `|`, `^`, then `+`, `-`. Arithmetic wraps at
//! 64 bits. What a register (`$rip`) holds is asked of whoever has the CPUs.

/// How deep parentheses and signs may nest.
const DEPTH: usize = 64;

/// The longest name of a register.
const NAME: usize = 127;

/// What a register of the CPU in question holds, if there is one of that name.
pub(super) type Registers<'a> = dyn Fn(&str) -> Option<i64> + 'a;

pub(super) struct Expression<'a> {
    rest: &'a str,
    depth: usize,
    registers: &'a Registers<'a>,
}

/// Reads an expression from the start of `text`; returns it and the text after it.
pub(super) fn parse<'a>(text: &'a str, registers: &'a Registers<'a>) -> Result<(i64, &'a str), String> {
    let mut expression = Expression { rest: text.trim_start(), depth: 0, registers };
    let value = expression.sum()?;
    Ok((value, expression.rest))
}

impl Expression<'_> {
    /// Takes the operator, if the next one is of `operators`.
    fn operator(&mut self, operators: &str) -> Option<char> {
        let next = self.rest.chars().next().filter(|next| operators.contains(*next))?;
        self.rest = self.rest[1..].trim_start();
        Some(next)
    }

    fn sum(&mut self) -> Result<i64, String> {
        let mut value = self.logic()?;
        while let Some(operator) = self.operator("+-") {
            let other = self.logic()?;
            value = if operator == '+' { value.wrapping_add(other) } else { value.wrapping_sub(other) };
        }
        Ok(value)
    }

    fn logic(&mut self) -> Result<i64, String> {
        let mut value = self.product()?;
        while let Some(operator) = self.operator("&|^") {
            let other = self.product()?;
            value = match operator {
                '&' => value & other,
                '|' => value | other,
                _ => value ^ other,
            };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, String> {
        let mut value = self.unary()?;
        while let Some(operator) = self.operator("*/%") {
            let other = self.unary()?;
            if operator != '*' && other == 0 {
                return Err("division by zero".to_owned());
            }
            value = match operator {
                '*' => value.wrapping_mul(other),
                '/' => value.wrapping_div(other),
                _ => value.wrapping_rem(other),
            };
        }
        Ok(value)
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("expression nested too deeply".to_owned());
        }
        let value = match self.operator("+-~(") {
            Some('+') => self.unary()?,
            Some('-') => self.unary()?.wrapping_neg(),
            Some('~') => !self.unary()?,
            Some(_) => {
                let value = self.sum()?;
                self.operator(")").ok_or("')' expected")?;
                value
            }
            None => self.primary()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Result<i64, String> {
        let mut characters = self.rest.chars();
        match characters.next() {
            None => Err("unexpected end of expression".to_owned()),
            Some('\'') => {
                let value = characters.next().ok_or("character constant expected")?;
                if characters.next() != Some('\'') {
                    return Err("missing terminating ' character".to_owned());
                }
                self.rest = characters.as_str().trim_start();
                Ok(i64::from(u32::from(value)))
            }
            Some('$') => self.register(characters.as_str()),
            Some(first) if first.is_ascii_digit() => self.number(),
            Some(first) => Err(format!("invalid char '{first}' in expression")),
        }
    }

    /// What a register holds; its name has letters, digits, `_`, `.` and `:`.
    fn register(&mut self, text: &'_ str) -> Result<i64, String> {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"_.:".contains(c)).unwrap_or(text.len());
        let name = Some(&text[..end]).filter(|name| !name.is_empty() && name.len() <= NAME);
        let value = name.and_then(self.registers).ok_or("unknown register")?;
        self.rest = self.rest[1 + end..].trim_start();
        Ok(value)
    }

    /// Hexadecimal with `0x`, octal with `0`, decimal.
    fn number(&mut self) -> Result<i64, String> {
        let hexadecimal = self.rest.strip_prefix("0x").or_else(|| self.rest.strip_prefix("0X"));
        let (radix, digits) = match hexadecimal {
            Some(digits) if digits.starts_with(|c: char| c.is_ascii_hexdigit()) => (16, digits),
            _ if self.rest.starts_with('0') => (8, self.rest),
            _ => (10, self.rest),
        };
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let value = u64::from_str_radix(&digits[..end], radix).map_err(|_| "number too large")?;
        self.rest = digits[end..].trim_start();
        Ok(value.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<(i64, &str), String> {
        super::parse(text, &|name| match name {
            "rip" => Some(0xfff0),
            "cs.limit" => Some(0xffff),
            _ => None,
        })
    }

    #[test]
    fn expressions_have_the_references_values() {
        for (text, value, rest) in [
            ("(3+4)*2", 14, ""),
            ("0x10 + 010 x", 24, "x"),
            ("1+2&3", 3, ""),
            ("-1", -1, ""),
            ("~0", -1, ""),
            ("'a'", 97, ""),
            ("08", 0, "8"),
            ("18446744073709551615", -1, ""),
            ("7 % 4 - 1", 2, ""),
            ("$rip+1", 0xfff1, ""),
            ("$cs.limit & 0xff $rip", 0xff, "$rip"),
        ] {
            assert_eq!(parse(text), Ok((value, rest)), "{text}");
        }
    }

    #[test]
    fn errors_are_in_the_references_words() {
        for (text, error) in [
            ("1+", "unexpected end of expression"),
            ("", "unexpected end of expression"),
            ("0x10/0", "division by zero"),
            ("$eax", "unknown register"),
            ("$", "unknown register"),
            ("$rip.", "unknown register"),
            ("z", "invalid char 'z' in expression"),
            ("(1", "')' expected"),
            ("99999999999999999999", "number too large"),
            ("'ab", "missing terminating ' character"),
        ] {
            assert_eq!(parse(text), Err(error.to_owned()), "{text}");
        }
        assert!(parse(&"(".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn anything_ends(text in "[-+~()0-9x*/%&|^' $é.rip]{0,40}") {
            let _ = parse(&text);
        }
    }
}
