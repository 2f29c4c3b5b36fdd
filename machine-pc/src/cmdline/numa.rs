//! `-numa`.
//!
//! Options are kept as they were written. What they say depends on the machine and on each other, so they are read one
//! by one when there is a machine: see [`crate::numa`]. There an ID is refused, as all that nodes do not have is.

use std::collections::HashMap;

use qom::text::identifier;
use qom::text::opts::{self, Opts};

use super::NumaOption;
use super::build::Builder;
use super::error::{ErrorKind, Failure};

/// IDs of options on the way, with the options' places. They mean nothing, and yet must differ.
#[derive(Debug, Default)]
pub(super) struct NumaIds(HashMap<String, usize>);

impl Builder {
    pub(super) fn numa(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        let opts = opts::parse(argument, Some("type"));
        self.numa_opts(opts, location).map_err(|error| Failure::at(location, error))
    }

    pub(super) fn numa_opts(&mut self, opts: Opts, location: &str) -> Result<(), ErrorKind> {
        if let Some(id) = &opts.id {
            identifier::check(id)?;
            if self.numa_ids.0.insert(id.clone(), self.line.numa.len()).is_some() {
                return Err(ErrorKind::DuplicateId { id: id.clone(), group: "numa" });
            }
        }
        self.warn_of(&opts, None, location);
        let mut pairs = opts.pairs;
        if opts.help {
            // There is none to give: the word is a key like any other.
            pairs.push(("help".to_owned(), "on".to_owned()));
        }
        pairs.extend(opts.id.map(|id| ("id".to_owned(), id)));
        self.line.numa.push(NumaOption { pairs, location: location.to_owned() });
        Ok(())
    }

    /// Adds to what the option of an ID says; whether there is one.
    pub(super) fn set_numa(&mut self, id: &str, key: &str, value: &str) -> bool {
        let place = self.numa_ids.0.get(id).copied();
        let Some(option) = place.and_then(|place| self.line.numa.get_mut(place)) else { return false };
        // Before the ID, which was put behind all.
        option.pairs.insert(option.pairs.len().saturating_sub(1), (key.to_owned(), value.to_owned()));
        true
    }
}
