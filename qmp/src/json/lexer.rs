//! From bytes to tokens, at any split of the input.
//!
//! Tokens are those of RFC 8259, and strings in single quotes. What is no token is *stray*: it gives
//! one error, and everything up to the next line, control character or structural character is
//! skipped (*recovery*), so that text in another language gives one error a line and not one a byte.

use serde_json::Value;

use super::parser::{JsonError, Limits, Parser, Position, TokenKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between tokens.
    Start,
    /// After a stray token.
    Recovery,
    /// In a string that ends with this quote.
    String(u8),
    /// The same, after a backslash.
    Escape(u8),
    /// After the minus sign.
    Minus,
    /// After a leading zero.
    Zero,
    /// In the integer part.
    Digits,
    /// After the decimal point.
    Point,
    /// In the fraction.
    Fraction,
    /// After the `e`.
    Exponent,
    /// After the exponent's sign.
    ExponentSign,
    /// In the exponent.
    ExponentDigits,
    /// In a run of lower-case letters.
    Keyword,
}

/// What one byte does to a token that is being read.
enum Step {
    /// It belongs to the token.
    Continue(State),
    /// The token ended before it.
    EndBefore(TokenKind),
    /// No token goes on like this.
    Stray,
}

/// Reads a stream of JSON values that comes in pieces.
///
/// ```
/// let mut reader = qmp::json::Reader::new();
/// let input = b"{'execute': 'stop'} }";
/// let (used, first) = reader.feed(input);
/// assert_eq!(first.unwrap().unwrap()["execute"], "stop");
/// let (_, second) = reader.feed(&input[used..]);
/// assert_eq!(second.unwrap().unwrap_err().to_string(), "1:21: JSON parse error, expecting value");
/// ```
#[derive(Debug)]
pub struct Reader {
    state: State,
    /// The token so far.
    token: Vec<u8>,
    start: Position,
    line: u32,
    /// Bytes of the current line that were read.
    column: u32,
    /// The next byte has ended a token already, and is in `line` and `column`.
    counted: bool,
    parser: Parser,
}

/// Capacity that the token buffer keeps from one token to the next.
const KEPT_TOKEN_BYTES: usize = 4096;

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader at line 1, with the reference's limits.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A reader with limits of its own.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            state: State::Start,
            token: Vec::new(),
            start: Position::default(),
            line: 1,
            column: 0,
            counted: false,
            parser: Parser::new(limits),
        }
    }

    /// Reads up to the next value or error. Returns how many bytes it used, and what it found; with
    /// nothing found, all bytes were used. The rest of `input` is to be given again.
    ///
    /// A number or keyword at the top level is complete only when the byte after it is there.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Result<Value, JsonError>>) {
        let mut at = 0;
        while at < input.len() {
            let found = match self.state {
                State::Start => self.start(input, &mut at),
                State::Recovery => {
                    self.recover(input, &mut at);
                    None
                }
                State::String(quote) => self.string(quote, input, &mut at),
                _ => self.scalar(input, &mut at),
            };
            if found.is_some() {
                return (at, found);
            }
        }
        (at, None)
    }

    /// Takes a byte into the position.
    fn count(&mut self, byte: u8) {
        if std::mem::take(&mut self.counted) {
            return;
        }
        if byte == b'\n' {
            self.line = self.line.saturating_add(1);
            self.column = 0;
        } else {
            self.column = self.column.saturating_add(1);
        }
    }

    fn start(&mut self, input: &[u8], at: &mut usize) -> Option<Result<Value, JsonError>> {
        let byte = input[*at];
        self.start = Position { line: self.line, column: self.column.saturating_add(1) };
        self.count(byte);
        *at += 1;
        let structural = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return None,
            b'{' => TokenKind::LeftBrace,
            b'}' => TokenKind::RightBrace,
            b'[' => TokenKind::LeftBracket,
            b']' => TokenKind::RightBracket,
            b':' => TokenKind::Colon,
            b',' => TokenKind::Comma,
            _ => {
                self.token.clear();
                self.token.push(byte);
                self.state = match byte {
                    b'"' | b'\'' => State::String(byte),
                    b'-' => State::Minus,
                    b'0' => State::Zero,
                    b'1'..=b'9' => State::Digits,
                    b'a'..=b'z' => State::Keyword,
                    _ => return self.stray(),
                };
                return None;
            }
        };
        self.parser.token(structural, &[byte], self.start)
    }

    /// Skips to the byte with which reading may begin again.
    fn recover(&mut self, input: &[u8], at: &mut usize) {
        let byte = input[*at];
        self.count(byte);
        match byte {
            b'\t' => *at += 1,
            0..=0x1f | 0xfe.. | b'{' | b'}' | b'[' | b']' | b':' | b',' => {
                self.state = State::Start;
                self.counted = true;
            }
            _ => *at += 1,
        }
    }

    fn string(&mut self, quote: u8, input: &[u8], at: &mut usize) -> Option<Result<Value, JsonError>> {
        let rest = &input[*at..];
        let plain = rest
            .iter()
            .position(|&byte| byte == quote || byte == b'\\' || !(0x20..0xfe).contains(&byte))
            .unwrap_or(rest.len());
        // Most strings lie in the input from quote to quote, and need not be collected.
        if self.token.len() == 1
            && rest.get(plain) == Some(&quote)
            && plain < self.parser.token_budget()
            && let Some(before) = at.checked_sub(1)
        {
            *at += plain + 1;
            let token = &input[before..*at];
            self.pass(plain + 1);
            self.state = State::Start;
            return self.parser.token(TokenKind::String, token, self.start);
        }
        self.token.extend_from_slice(&rest[..plain]);
        self.pass(plain);
        *at += plain;
        if self.token.len() > self.parser.token_budget() {
            return self.too_large();
        }
        let &byte = rest.get(plain)?;
        self.count(byte);
        *at += 1;
        self.token.push(byte);
        match byte {
            b'\\' => {
                self.state = State::Escape(quote);
                None
            }
            _ if byte == quote => self.emit(TokenKind::String),
            _ => self.stray(),
        }
    }

    /// Goes on over bytes of a string that need no look.
    fn pass(&mut self, bytes: usize) {
        self.column = self.column.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Numbers, keywords, and the byte after a backslash.
    fn scalar(&mut self, input: &[u8], at: &mut usize) -> Option<Result<Value, JsonError>> {
        let byte = input[*at];
        self.count(byte);
        match step(self.state, byte) {
            Step::Continue(state) => {
                self.state = state;
                self.token.push(byte);
                *at += 1;
                if self.token.len() > self.parser.token_budget() {
                    return self.too_large();
                }
                None
            }
            Step::EndBefore(kind) => {
                self.counted = true;
                self.emit(kind)
            }
            Step::Stray => {
                self.token.push(byte);
                *at += 1;
                self.stray()
            }
        }
    }

    fn emit(&mut self, kind: TokenKind) -> Option<Result<Value, JsonError>> {
        self.state = State::Start;
        let found = self.parser.token(kind, &self.token, self.start);
        self.token.clear();
        self.token.shrink_to(KEPT_TOKEN_BYTES);
        found
    }

    fn stray(&mut self) -> Option<Result<Value, JsonError>> {
        let found = self.emit(TokenKind::Stray);
        self.state = State::Recovery;
        found
    }

    fn too_large(&mut self) -> Option<Result<Value, JsonError>> {
        self.token = Vec::new();
        self.state = State::Recovery;
        self.parser.abandon(JsonError::TokenSize).map(Err)
    }
}

fn step(state: State, byte: u8) -> Step {
    let digit = byte.is_ascii_digit();
    match (state, byte) {
        (State::Escape(quote), 0x20..=0xfd) => Step::Continue(State::String(quote)),
        (State::Minus, b'0') => Step::Continue(State::Zero),
        (State::Minus, _) if digit => Step::Continue(State::Digits),
        (State::Zero, _) if digit => Step::Stray,
        (State::Digits, _) if digit => Step::Continue(State::Digits),
        (State::Zero | State::Digits, b'.') => Step::Continue(State::Point),
        (State::Zero | State::Digits | State::Fraction, b'e' | b'E') => Step::Continue(State::Exponent),
        (State::Zero | State::Digits, _) => Step::EndBefore(TokenKind::Integer),
        (State::Point | State::Fraction, _) if digit => Step::Continue(State::Fraction),
        (State::Exponent, b'+' | b'-') => Step::Continue(State::ExponentSign),
        (State::Exponent | State::ExponentSign | State::ExponentDigits, _) if digit => {
            Step::Continue(State::ExponentDigits)
        }
        (State::Fraction | State::ExponentDigits, _) => Step::EndBefore(TokenKind::Float),
        (State::Keyword, b'a'..=b'z') => Step::Continue(State::Keyword),
        (State::Keyword, _) => Step::EndBefore(TokenKind::Keyword),
        _ => Step::Stray,
    }
}
