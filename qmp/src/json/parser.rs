//! From tokens to values: a push parser with an explicit stack.
//!
//! A *message* is one value at the top level with everything up to its end. After an error the rest
//! of the message, counted by braces and brackets, is skipped without another word, so that one
//! mistake gives one reply. A lexical error ends the message at once.

use serde_json::{Map, Value};

use super::text;

/// How much one message may hold. The defaults are the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all tokens of a message together, white space not counted.
    pub token_bytes: usize,
    /// Tokens of a message.
    pub tokens: usize,
    /// Open braces and brackets.
    pub nesting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { token_bytes: 64 << 20, tokens: 2 << 20, nesting: 1 << 10 }
    }
}

/// Input that is not JSON, in the reference's words; the text goes to the client as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The grammar is broken at a place. Lines and columns count from 1, columns in bytes.
    #[error("{line}:{column}: JSON parse error, {message}")]
    Syntax {
        /// Line since the session began.
        line: u32,
        /// Byte within the line where the token starts. A token right after a number, a keyword or
        /// a skipped stretch is reported one column late, as the reference does.
        column: u32,
        /// What is wrong there.
        message: String,
    },
    /// [`Limits::token_bytes`].
    #[error("JSON token size limit exceeded")]
    TokenSize,
    /// [`Limits::tokens`].
    #[error("JSON token count limit exceeded")]
    TokenCount,
    /// [`Limits::nesting`].
    #[error("JSON nesting depth limit exceeded")]
    Nesting,
}

/// Longest message of a syntax error in bytes; the reference cuts there too.
const MESSAGE_BYTES: usize = 1023;

/// Where a token starts: line and column, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    fn error(self, message: &[u8]) -> JsonError {
        let message = text::lossy(&message[..message.len().min(MESSAGE_BYTES)]);
        JsonError::Syntax { line: self.line, column: self.column, message }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Colon,
    Comma,
    Integer,
    Float,
    Keyword,
    String,
    /// Bytes that are no token.
    Stray,
}

/// What the grammar allows next within the innermost open value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

#[derive(Debug)]
enum Open {
    Array(Vec<Value>),
    Object { members: Map<String, Value>, key: String },
}

/// Consumes tokens, gives values and errors.
#[derive(Debug)]
pub(super) struct Parser {
    limits: Limits,
    stack: Vec<Open>,
    expect: Expect,
    /// Opened minus closed; kept apart, because either below zero ends a message.
    braces: i64,
    brackets: i64,
    tokens: usize,
    bytes: usize,
    /// The message had its error; the rest is skipped.
    failed: bool,
}

impl Parser {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            stack: Vec::new(),
            expect: Expect::Value,
            braces: 0,
            brackets: 0,
            tokens: 0,
            bytes: 0,
            failed: false,
        }
    }

    /// Bytes that the current token may still grow by.
    pub(super) fn token_budget(&self) -> usize {
        self.limits.token_bytes.saturating_sub(self.bytes)
    }

    fn end_message(&mut self) {
        self.stack.clear();
        self.expect = Expect::Value;
        self.braces = 0;
        self.brackets = 0;
        self.tokens = 0;
        self.bytes = 0;
        self.failed = false;
    }

    /// Ends the message with an error, unless it has had one.
    pub(super) fn abandon(&mut self, error: JsonError) -> Option<JsonError> {
        let first = !self.failed;
        self.end_message();
        first.then_some(error)
    }

    /// Takes the next token; `bytes` are its own.
    pub(super) fn token(
        &mut self,
        kind: TokenKind,
        bytes: &[u8],
        at: Position,
    ) -> Option<Result<Value, JsonError>> {
        match kind {
            TokenKind::LeftBrace => self.braces += 1,
            TokenKind::RightBrace => self.braces -= 1,
            TokenKind::LeftBracket => self.brackets += 1,
            TokenKind::RightBracket => self.brackets -= 1,
            TokenKind::Stray => {
                let cut = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                let message = [b"stray '", &bytes[..cut.min(MESSAGE_BYTES)], b"'"].concat();
                return self.abandon(at.error(&message)).map(Err);
            }
            _ => {}
        }
        self.tokens += 1;
        self.bytes += bytes.len();
        let result = if self.failed {
            None
        } else {
            match self.check_limits().and_then(|()| self.step(kind, bytes, at)) {
                Ok(value) => value.map(Ok),
                Err(error) => {
                    self.failed = true;
                    self.stack.clear();
                    Some(Err(error))
                }
            }
        };
        if self.braces < 0 || self.brackets < 0 || (self.braces == 0 && self.brackets == 0) {
            self.end_message();
        }
        result
    }

    fn check_limits(&self) -> Result<(), JsonError> {
        if self.bytes > self.limits.token_bytes {
            return Err(JsonError::TokenSize);
        }
        if self.tokens > self.limits.tokens {
            return Err(JsonError::TokenCount);
        }
        let depth = usize::try_from(self.braces + self.brackets).unwrap_or(0);
        if depth > self.limits.nesting {
            return Err(JsonError::Nesting);
        }
        Ok(())
    }

    fn step(&mut self, kind: TokenKind, bytes: &[u8], at: Position) -> Result<Option<Value>, JsonError> {
        match (self.expect, kind) {
            (Expect::KeyOrEnd | Expect::CommaOrEnd, TokenKind::RightBrace)
            | (Expect::ValueOrEnd | Expect::CommaOrEnd, TokenKind::RightBracket) => self.close(kind, at),
            (Expect::Value | Expect::ValueOrEnd, _) => self.value(kind, bytes, at),
            (Expect::Key | Expect::KeyOrEnd, TokenKind::String) => {
                let name = text::unquote(bytes).map_err(|message| at.error(&message))?;
                if let Some(Open::Object { key, .. }) = self.stack.last_mut() {
                    *key = name;
                }
                self.expect = Expect::Colon;
                Ok(None)
            }
            (Expect::Key | Expect::KeyOrEnd, _) => Err(at.error(b"expecting key")),
            (Expect::Colon, TokenKind::Colon) => {
                self.expect = Expect::Value;
                Ok(None)
            }
            (Expect::Colon, _) => Err(at.error(b"expecting ':'")),
            (Expect::CommaOrEnd, TokenKind::Comma) => {
                let in_array = matches!(self.stack.last(), Some(Open::Array(_)));
                self.expect = if in_array { Expect::Value } else { Expect::Key };
                Ok(None)
            }
            (Expect::CommaOrEnd, _) => Err(self.separator_error(at)),
        }
    }

    fn separator_error(&self, at: Position) -> JsonError {
        match self.stack.last() {
            Some(Open::Array(_)) => at.error(b"expected ',' or ']'"),
            _ => at.error(b"expected ',' or '}'"),
        }
    }

    /// A closing brace or bracket where the grammar allows one of them.
    fn close(&mut self, kind: TokenKind, at: Position) -> Result<Option<Value>, JsonError> {
        match (self.stack.pop(), kind) {
            (Some(Open::Array(items)), TokenKind::RightBracket) => self.complete(Value::Array(items), at),
            (Some(Open::Object { members, .. }), TokenKind::RightBrace) => {
                self.complete(Value::Object(members), at)
            }
            (Some(open), _) => {
                self.stack.push(open);
                Err(self.separator_error(at))
            }
            (None, _) => Err(at.error(b"expecting value")),
        }
    }

    fn value(&mut self, kind: TokenKind, bytes: &[u8], at: Position) -> Result<Option<Value>, JsonError> {
        let value = match kind {
            TokenKind::LeftBrace => {
                self.stack.push(Open::Object { members: Map::new(), key: String::new() });
                self.expect = Expect::KeyOrEnd;
                return Ok(None);
            }
            TokenKind::LeftBracket => {
                self.stack.push(Open::Array(Vec::new()));
                self.expect = Expect::ValueOrEnd;
                return Ok(None);
            }
            TokenKind::String => Value::String(text::unquote(bytes).map_err(|message| at.error(&message))?),
            TokenKind::Integer | TokenKind::Float => number(kind, bytes, at)?,
            TokenKind::Keyword => match bytes {
                b"true" => Value::Bool(true),
                b"false" => Value::Bool(false),
                b"null" => Value::Null,
                _ => return Err(at.error(&[b"invalid keyword '", bytes, b"'"].concat())),
            },
            _ => return Err(at.error(b"expecting value")),
        };
        self.complete(value, at)
    }

    /// Puts a finished value where it belongs; gives it out at the top level. `at` is its last token.
    fn complete(&mut self, value: Value, at: Position) -> Result<Option<Value>, JsonError> {
        match self.stack.last_mut() {
            None => return Ok(Some(value)),
            Some(Open::Array(items)) => items.push(value),
            Some(Open::Object { members, key }) => {
                if members.insert(std::mem::take(key), value).is_some() {
                    return Err(at.error(b"duplicate key"));
                }
            }
        }
        self.expect = Expect::CommaOrEnd;
        Ok(None)
    }
}

/// An integer stays one where it fits 64 bits, signed or not; everything else is a double. What not
/// even a double holds is refused: the reference reads it as infinity, and answers with what is not JSON.
fn number(kind: TokenKind, bytes: &[u8], at: Position) -> Result<Value, JsonError> {
    let out_of_range = || at.error(b"number out of range");
    let digits = std::str::from_utf8(bytes).map_err(|_| out_of_range())?;
    if kind == TokenKind::Integer {
        if let Ok(number) = digits.parse::<i64>() {
            return Ok(Value::from(number));
        }
        if let Ok(number) = digits.parse::<u64>() {
            return Ok(Value::from(number));
        }
    }
    let number = digits.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
    number.map(Value::Number).ok_or_else(out_of_range)
}
