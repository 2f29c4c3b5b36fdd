//! Address spaces as text: `info mtree`.
//!
//! This module only draws. What the spaces of a machine are is said in [`super::address_spaces`].

use std::fmt::Write as _;

/// What answers in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What lies in it, and nothing else.
    Container,
    /// Memory.
    Ram,
    /// Memory that a guest does not write.
    Rom,
    /// Registers.
    Io,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Ram => "ram",
            Self::Rom => "rom",
            Self::Io => "i/o",
        }
    }
}

/// A region of an address space, with those that lie in it.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    /// First address in the space.
    pub first: u64,
    /// Last address in the space.
    pub last: u64,
    /// The higher one is seen where two overlap.
    pub priority: i32,
    /// What answers.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// It shows a part of a region of another name, from this offset on.
    pub alias: Option<(String, u64)>,
    /// The device or object that it is part of, as the reference writes one.
    pub owner: Option<String>,
    /// What lies in it, in rising order of address.
    pub children: Vec<Region>,
}

impl Region {
    /// A region of priority 0 with nothing in it.
    pub(crate) fn new(kind: Kind, first: u64, last: u64, name: impl Into<String>) -> Self {
        Self {
            first,
            last,
            priority: 0,
            kind,
            name: name.into(),
            alias: None,
            owner: None,
            children: Vec::new(),
        }
    }
}

/// What an address space shows at some of its addresses.
#[derive(Debug, Clone)]
pub(crate) struct FlatRange {
    /// First address in the space.
    pub first: u64,
    /// Last address in the space.
    pub last: u64,
    /// Of the region that is seen there.
    pub priority: i32,
    /// What answers.
    pub kind: Kind,
    /// The region that is seen there.
    pub name: String,
    /// Where in that region the range begins, in bytes.
    pub offset: u64,
    /// The device or object that it is part of, as the reference writes one.
    pub owner: Option<String>,
    /// KVM has it as a memory slot.
    pub in_kvm: bool,
}

/// An address space.
#[derive(Debug, Clone)]
pub(crate) struct AddressSpace {
    /// Its name.
    pub name: &'static str,
    /// All of it.
    pub root: Region,
    /// What is seen, in rising order of address, nothing overlapping; empty if nothing is.
    pub flat: Vec<FlatRange>,
}

fn draw_owner(to: &mut String, owner: Option<&str>) {
    match owner {
        Some(owner) => {
            let _ = write!(to, " owner:{{{owner}}}");
        }
        // The reference's word for what is no object and part of none.
        None => to.push_str(" orphan"),
    }
}

fn draw(to: &mut String, region: &Region, level: usize, owners: bool) {
    let Region { first, last, priority, kind, name, alias, owner, children } = region;
    let (indent, kind) = (2 * level, kind.name());
    // Appending to a String cannot fail.
    let _ = write!(to, "{:indent$}{first:016x}-{last:016x} (prio {priority}, {kind}): ", "");
    let _ = match alias {
        Some((of, offset)) => write!(to, "alias {name} @{of} {offset:016x}-{:016x}", offset + (last - first)),
        None => write!(to, "{name}"),
    };
    if owners {
        draw_owner(to, owner.as_deref());
    }
    to.push('\n');
    for child in children {
        draw(to, child, level + 1, owners);
    }
}

/// The spaces as trees, then what their aliases show. `owners` adds what each region is part of.
pub(crate) fn tree(spaces: &[AddressSpace], shown: &[Region], owners: bool) -> String {
    let mut text = String::new();
    for AddressSpace { name, root, .. } in spaces {
        let _ = writeln!(text, "address-space: {name}");
        draw(&mut text, root, 1, owners);
        text.push('\n');
    }
    for region in shown {
        let _ = writeln!(text, "memory-region: {}", region.name);
        draw(&mut text, region, 1, owners);
        text.push('\n');
    }
    text
}

/// What is seen in each space.
pub(crate) fn flat(spaces: &[AddressSpace], owners: bool) -> String {
    let mut text = String::new();
    for (number, AddressSpace { name, root, flat }) in spaces.iter().enumerate() {
        let seen = if flat.is_empty() { "(none)" } else { &root.name };
        let _ = writeln!(
            text,
            "FlatView #{number}\n AS \"{name}\", root: {}\n Root memory region: {seen}",
            root.name
        );
        if flat.is_empty() {
            text.push_str("  No rendered FlatView\n");
        }
        for FlatRange { first, last, priority, kind, name, offset, owner, in_kvm } in flat {
            let kind = kind.name();
            let _ = write!(text, "  {first:016x}-{last:016x} (prio {priority}, {kind}): {name}");
            if *offset > 0 {
                let _ = write!(text, " @{offset:016x}");
            }
            if owners {
                draw_owner(&mut text, owner.as_deref());
            }
            text.push_str(if *in_kvm { " KVM\n" } else { "\n" });
        }
        text.push('\n');
    }
    text
}
