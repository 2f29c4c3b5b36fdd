//! The older form of options: `first,flag,noflag,key=value`, flat and typed by a table.
//!
//! * `key=value`, separated by commas; a comma in a value is doubled, also in an implied value.
//! * The first `key=` may be left out where an *implied key* is given.
//! * A word alone is a boolean: `flag` is `flag=on`, `noflag` is `flag=off`. That is deprecated, and said
//!   as a [`Deprecation`] except in the short forms of character devices (`unix:PATH,server,nowait`).
//! * `help` or `?` alone asks for help.
//! * Keys are flat: dots have no meaning. The last of several values counts.
//!
//! Values stay text here; [`Opts::check`] holds them against a table, and the typed getters read them.

use super::keyval::{is_help, split_value};
use super::parameter::{EXPECTED_BOOLEAN, ParameterError};
use super::{boolean, identifier, number, size};

/// One option's name and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptDescription {
    /// The key.
    pub name: &'static str,
    /// What its value is.
    pub kind: OptKind,
    /// A sentence for `help`; may be empty.
    pub help: &'static str,
}

/// Type of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptKind {
    /// Any text.
    String,
    /// [`boolean::parse_bool`].
    Bool,
    /// [`number::unsigned`].
    Number,
    /// [`size::parse`].
    Size,
}

impl OptKind {
    /// The type's name in help texts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "str",
            Self::Bool => "bool (on/off)",
            Self::Number => "num",
            Self::Size => "size",
        }
    }
}

/// A boolean was written without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// What was written.
    pub written: String,
    /// What to write.
    pub instead: String,
    /// How many pairs stand before it.
    pub position: usize,
}

impl std::fmt::Display for Deprecation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "short-form boolean option '{}' deprecated\nPlease use {} instead",
            self.written, self.instead
        )
    }
}

/// Options as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opts {
    /// Key and value, in order, repeated keys included, `id` left out.
    pub pairs: Vec<(String, String)>,
    /// The first `id`.
    pub id: Option<String>,
    /// They ask for help.
    pub help: bool,
    /// Booleans written without their value.
    pub deprecations: Vec<Deprecation>,
}

/// Reads options. Nothing is an error yet.
#[must_use]
pub fn parse(text: &str, implied_key: Option<&str>) -> Opts {
    let mut opts = Opts::default();
    let mut rest = text;
    let mut implied_key = implied_key;
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let implied = implied_key.take();
        let (key, value);
        if let Some(text) = after.strip_prefix('=') {
            key = word.to_owned();
            (value, rest) = split_value(text);
        } else if let Some(implied) = implied {
            key = implied.to_owned();
            (value, rest) = split_value(rest);
        } else {
            rest = after.strip_prefix(',').unwrap_or(after);
            if is_help(word) {
                opts.help = true;
                continue;
            }
            let (flag, state) = match word.strip_prefix("no") {
                Some(flag) => (flag, "off"),
                None => (word, "on"),
            };
            opts.deprecations.push(deprecation(word, flag, state, opts.pairs.len()));
            (key, value) = (flag.to_owned(), state.to_owned());
        }
        if key == "id" {
            opts.id.get_or_insert(value);
        } else {
            opts.pairs.push((key, value));
        }
    }
    opts
}

fn deprecation(word: &str, flag: &str, state: &str, position: usize) -> Deprecation {
    let instead = if flag == "delay" {
        // "nodelay" is the name of an option, whose opposite it is here.
        format!("nodelay={}", if state == "off" { "on" } else { "off" })
    } else {
        format!("{flag}={state}")
    };
    Deprecation { written: word.to_owned(), instead, position }
}

impl Opts {
    /// The last value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The last value of a boolean key.
    ///
    /// # Errors
    /// [`ParameterError::Expects`].
    pub fn get_bool(&self, key: &str) -> Result<Option<bool>, ParameterError> {
        self.get(key).map(|text| bool_parameter(key, text)).transpose()
    }

    /// The last value of a number key.
    ///
    /// # Errors
    /// [`ParameterError::Expects`] or [`ParameterError::TooLarge`].
    pub fn get_number(&self, key: &str) -> Result<Option<u64>, ParameterError> {
        self.get(key).map(|text| number_parameter(key, text)).transpose()
    }

    /// Checks the ID's form and every key and value against a table, in the order written.
    ///
    /// # Errors
    /// The first error and its place.
    pub fn check(&self, table: &[OptDescription]) -> Result<(), OptsError> {
        if let Some(id) = &self.id {
            identifier::check(id).map_err(|error| OptsError { position: None, error })?;
        }
        for (position, (key, value)) in self.pairs.iter().enumerate() {
            check_pair(table, key, value).map_err(|error| OptsError { position: Some(position), error })?;
        }
        Ok(())
    }

    /// The deprecations to speak of: those before the error, if there is one.
    pub fn deprecations_before(&self, error: Option<&OptsError>) -> impl Iterator<Item = &Deprecation> {
        let end = error.map_or(usize::MAX, |error| error.position.map_or(0, |position| position + 1));
        self.deprecations.iter().filter(move |deprecation| deprecation.position < end)
    }
}

/// Options that do not fit their table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct OptsError {
    /// The pair at fault; none if it is the ID.
    pub position: Option<usize>,
    /// What is wrong with it.
    pub error: ParameterError,
}

fn check_pair(table: &[OptDescription], key: &str, value: &str) -> Result<(), ParameterError> {
    let Some(description) = table.iter().find(|description| description.name == key) else {
        return Err(ParameterError::Invalid { name: key.to_owned() });
    };
    match description.kind {
        OptKind::String => Ok(()),
        OptKind::Bool => bool_parameter(key, value).map(drop),
        OptKind::Number => number_parameter(key, value).map(drop),
        OptKind::Size => size::parameter(key, value).map(drop),
    }
}

fn bool_parameter(name: &str, text: &str) -> Result<bool, ParameterError> {
    boolean::parse_bool(text).ok_or_else(|| ParameterError::expects(name, EXPECTED_BOOLEAN))
}

fn number_parameter(name: &str, text: &str) -> Result<u64, ParameterError> {
    number::unsigned(text).map_err(|error| match error {
        number::NumberError::Syntax => ParameterError::expects(name, "a number"),
        number::NumberError::Range => {
            ParameterError::TooLarge { name: name.to_owned(), value: text.to_owned() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str, implied: Option<&str>) -> Vec<(String, String)> {
        parse(text, implied).pairs
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    const TABLE: &[OptDescription] = &[
        OptDescription { name: "path", kind: OptKind::String, help: "" },
        OptDescription { name: "server", kind: OptKind::Bool, help: "" },
        OptDescription { name: "to", kind: OptKind::Number, help: "" },
        OptDescription { name: "size", kind: OptKind::Size, help: "" },
    ];

    #[test]
    fn flags_are_booleans() {
        let opts = parse("/run/sock,server,nowait", Some("path"));
        assert_eq!(opts.pairs, [pair("path", "/run/sock"), pair("server", "on"), pair("wait", "off")]);
        assert_eq!(
            opts.deprecations.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "short-form boolean option 'server' deprecated\nPlease use server=on instead",
                "short-form boolean option 'nowait' deprecated\nPlease use wait=off instead"
            ]
        );
    }

    #[test]
    fn nodelay_is_delay_off_with_its_own_advice() {
        let opts = parse("nodelay,delay", None);
        assert_eq!(opts.pairs, [pair("delay", "off"), pair("delay", "on")]);
        assert!(opts.deprecations[0].to_string().ends_with("Please use nodelay=on instead"));
        assert!(opts.deprecations[1].to_string().ends_with("Please use nodelay=off instead"));
    }

    #[test]
    fn commas_are_doubled_in_implied_values_too() {
        assert_eq!(pairs("a,,b,c=d,,e", Some("path")), [pair("path", "a,b"), pair("c", "d,e")]);
        assert_eq!(pairs("a,,b", None), [pair("a", "on"), pair("", "on"), pair("b", "on")]);
    }

    #[test]
    fn an_implied_value_may_be_empty_or_left_out() {
        assert_eq!(pairs(",server=on", Some("path")), [pair("path", ""), pair("server", "on")]);
        assert_eq!(pairs("server=on", Some("path")), [pair("server", "on")]);
        assert_eq!(pairs("", Some("path")), []);
    }

    #[test]
    fn the_first_id_and_the_last_value_count() {
        let opts = parse("id=a,to=1,id=b,to=2", None);
        assert_eq!(opts.id.as_deref(), Some("a"));
        assert_eq!(opts.get("to"), Some("2"));
        assert_eq!(opts.get_number("to"), Ok(Some(2)));
        assert_eq!(opts.get("id"), None);
    }

    #[test]
    fn help_is_a_flag() {
        assert!(parse("isa-serial,help", Some("driver")).help);
        assert!(parse("isa-serial,?", Some("driver")).help);
        assert!(!parse("help", Some("driver")).help);
        assert!(!parse("help=on", None).help);
    }

    #[test]
    fn values_are_checked_in_the_order_written() {
        let check = |text| parse(text, Some("path")).check(TABLE).map_err(|error| error.to_string());
        assert_eq!(check("x,server=on,to=0x10,size=1k"), Ok(()));
        assert_eq!(check("x,to=-1"), Ok(()));
        for (text, message) in [
            ("x,foo=1,server=x", "Invalid parameter 'foo'"),
            ("x,server=x,foo=1", "Parameter 'server' expects 'on' or 'off'"),
            ("x,to=x", "Parameter 'to' expects a number"),
            ("x,to=99999999999999999999", "Value '99999999999999999999' is too large for parameter 'to'"),
            ("x,size=1x", "Parameter 'size' expects a non-negative number below 2^64"),
            ("x,size=100E", "Value '100E' is out of range for parameter 'size'"),
            ("x,id=1", "Parameter 'id' expects an identifier"),
        ] {
            assert_eq!(check(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn deprecations_after_an_error_are_not_spoken_of() {
        let opts = parse("x,server,to=x,nofoo", Some("path"));
        let error = opts.check(TABLE).unwrap_err();
        assert_eq!(error.position, Some(2));
        let written = |error| opts.deprecations_before(error).map(|d| d.written.as_str()).collect::<Vec<_>>();
        assert_eq!(written(Some(&error)), ["server"]);
        assert_eq!(written(None), ["server", "nofoo"]);
        let opts = parse("foo", None);
        assert_eq!(opts.deprecations_before(opts.check(TABLE).err().as_ref()).count(), 1);
        assert_eq!(parse("server=on,noid", None).deprecations_before(None).count(), 1);
        let opts = parse("server,id=1", None);
        assert_eq!(opts.deprecations_before(opts.check(TABLE).err().as_ref()).count(), 0);
    }

    proptest! {
        #![proptest_config(crate::text::test_config())]

        #[test]
        fn pairs_read_back(written in prop::collection::vec(("[a-hj-z][a-z.-]{0,6}", ".{0,8}"), 0..6)) {
            let text: Vec<_> = written.iter()
                .map(|(key, value)| format!("{key}={}", crate::text::keyval::escape(value))).collect();
            prop_assert_eq!(pairs(&text.join(","), None), written);
        }

        #[test]
        fn any_text_is_answered(text in "[a-c,=?]{0,30}|.*", implied in prop::option::of(Just("first"))) {
            let _ = parse(&text, implied).check(TABLE);
        }
    }
}
