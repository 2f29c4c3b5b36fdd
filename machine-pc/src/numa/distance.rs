//! Distances between nodes.

use std::collections::BTreeMap;

use super::error::NumaError;

/// A node's distance from itself, and the smallest there is.
pub(super) const LOCAL: u8 = 10;

/// What was said of distances: from, to, how far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Distances(BTreeMap<(u16, u16), u8>);

impl Distances {
    pub(super) fn set(&mut self, from: u16, to: u16, distance: u8) {
        self.0.insert((from, to), distance);
    }

    fn get(&self, from: u16, to: u16) -> Option<u8> {
        self.0.get(&(from, to)).copied()
    }

    /// The table of `count` nodes, a row a node; none if nothing was said. If no pair differs by direction, one direction
    /// stands for both; else both must be known of every pair.
    ///
    /// # Errors
    /// [`NumaError::MissingDistance`], [`NumaError::IncompleteDistances`].
    pub(super) fn table(&self, count: u16) -> Result<Option<Vec<Vec<u8>>>, NumaError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let pairs = || (0..count).flat_map(|from| (from + 1..count).map(move |to| (from, to)));
        let mut asymmetric = false;
        for (a, b) in pairs() {
            match (self.get(a, b), self.get(b, a)) {
                (None, None) => return Err(NumaError::MissingDistance(a, b)),
                (Some(there), Some(back)) => asymmetric |= there != back,
                _ => {}
            }
        }
        if asymmetric && pairs().any(|(a, b)| self.get(a, b).is_none() || self.get(b, a).is_none()) {
            return Err(NumaError::IncompleteDistances);
        }
        let cell = |from, to| self.get(from, to).or_else(|| self.get(to, from)).unwrap_or(LOCAL);
        let row = |from| (0..count).map(|to| cell(from, to)).collect();
        Ok(Some((0..count).map(row).collect()))
    }
}
