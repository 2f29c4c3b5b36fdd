//! The protocol's reference for people: what `query-qmp-schema` tells to programs, with the documentation of the Rust types beside it.
//!
//! A type that has a name in Rust has a section of its own and is linked to; one that has none is described where it stands. Names of types are
//! no part of the protocol.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use qom::Qom;

use super::{Builtin, Definition, Member, Members, Shape, TypeRef, Types};
use crate::{CommandEntry, Commands};

/// A reference of a program's commands and events in Markdown, sorted by name, and after them of the types that these reach.
/// Sections are of the third level, their groups of the second; the title is left to the caller.
#[must_use]
pub fn reference(commands: &Commands, qom: Arc<Qom>) -> String {
    let mut types = Types::new(qom);
    let described: Vec<_> =
        commands.qmp().iter().map(|command| (command, command.describe(&mut types))).collect();
    let events: Vec<_> = commands.events().iter().map(|event| (event, event.describe(&mut types))).collect();
    let mut anchors: HashMap<&str, String> = HashMap::new();
    anchors.extend(described.iter().map(|(command, _)| (command.name, command.name.to_lowercase())));
    anchors
        .extend(events.iter().map(|(event, _)| (event.name, format!("event-{}", event.name.to_lowercase()))));
    let (named, waiting) = (HashSet::new(), VecDeque::new());
    let mut reference = Reference { types: &types, anchors, at: "", text: String::new(), named, waiting };
    reference.line("## Commands");
    for (command, types) in &described {
        reference.at = command.name;
        reference.section(&format!("`{}`", command.name), command.doc);
        reference.flags(command);
        reference.members_of(&types.arguments, "Takes");
        reference.returns(&types.returned);
    }
    reference.line("\n## Events");
    for (event, data) in &events {
        reference.at = event.name;
        reference.section(&format!("Event `{}`", event.name), types.get(data).map_or("", |data| data.doc));
        reference.members_of(data, "Data");
    }
    reference.at = "";
    reference.line("\n## Types");
    reference.sections_of_types();
    reference.text
}

struct Reference<'a> {
    types: &'a Types,
    /// Of the sections of commands and events, by their names.
    anchors: HashMap<&'a str, String>,
    /// The command or event that is told of.
    at: &'a str,
    text: String,
    /// Types with a section, by their number.
    named: HashSet<usize>,
    /// Those that were linked to and not described yet.
    waiting: VecDeque<usize>,
}

/// The last part of a Rust path.
fn short(rust_name: &str) -> &str {
    rust_name.rsplit("::").next().unwrap_or(rust_name)
}

/// Whether a type has a section: the values of a tag have none, whose name is the member's.
fn has_section(definition: &Definition) -> bool {
    short(definition.rust_name).starts_with(char::is_uppercase)
}

/// Documentation on one line. Links to Rust items keep their text only.
fn one_line(doc: &str) -> String {
    let words: Vec<&str> = doc.split_whitespace().collect();
    let mut rest = &*words.join(" ");
    let mut text = String::new();
    while let Some((before, link)) = rest.split_once("](") {
        let Some((_, after)) = link.split_once(')') else { break };
        match before.rsplit_once('[') {
            Some((start, shown)) => text.extend([start, shown]),
            None => text.push_str(before),
        }
        rest = after;
    }
    text.push_str(rest);
    text.replace("[`", "`").replace("`]", "`")
}

/// Documentation with a line for each paragraph.
fn paragraphs(doc: &str) -> Vec<String> {
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .map(|lines| one_line(&lines.join(" ")))
        .filter(|text| !text.is_empty())
        .collect()
}

/// Whether it is an object in which nothing can stand.
fn is_empty(members: &Members) -> bool {
    members.members.is_empty() && members.variants.is_none()
}

impl<'a> Reference<'a> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str, doc: &str) {
        self.line(&format!("\n### {title}"));
        for paragraph in paragraphs(doc) {
            let paragraph = self.linked(&paragraph);
            self.line(&format!("\n{paragraph}"));
        }
    }

    /// The text with names of other commands and events made links to them.
    fn linked(&self, text: &str) -> String {
        let mut linked = String::new();
        // Between backticks stands every second part.
        for (number, part) in text.split('`').enumerate() {
            match self.anchors.get(part).filter(|_| number % 2 == 1 && part != self.at) {
                Some(anchor) => linked.push_str(&format!("[`{part}`](#{anchor})")),
                None if number % 2 == 1 => linked.push_str(&format!("`{part}`")),
                None => linked.push_str(part),
            }
        }
        linked
    }

    /// Documentation within a line.
    fn doc(&self, doc: &str) -> String {
        self.linked(&one_line(doc))
    }

    fn flags(&mut self, command: &CommandEntry) {
        let unstable = command.name.starts_with("x-");
        let said: Vec<&str> = [
            (command.flags.allow_preconfig, "It also works before the machine is built (`-preconfig`)."),
            (command.flags.allow_oob, "It can be executed out of band (`exec-oob`)."),
            (command.flags.deprecated, "It is deprecated."),
            (unstable, "It may change."),
        ]
        .into_iter()
        .filter_map(|(is, text)| is.then_some(text))
        .collect();
        if !said.is_empty() {
            self.line(&format!("\n{}", said.join(" ")));
        }
    }

    /// The members of an object, without a section of its own.
    fn members_of(&mut self, ty: &TypeRef, what: &str) {
        match self.types.get(ty).map(|definition| &definition.shape) {
            Some(Shape::Object(members)) if is_empty(members) => {}
            Some(Shape::Object(members)) => {
                self.line(&format!("\n{what}:\n"));
                self.members(members, 0);
            }
            _ => {
                let ty = self.name(ty);
                self.line(&format!("\n{what}: {ty}"));
            }
        }
    }

    fn returns(&mut self, ty: &TypeRef) {
        let nothing = matches!(self.types.get(ty), Some(Definition { shape: Shape::Object(members), .. }) if is_empty(members));
        if !nothing {
            let ty = self.name(ty);
            self.line(&format!("\nReturns: {ty}"));
        }
    }

    fn members(&mut self, members: &'a Members, depth: usize) {
        for member in &members.members {
            self.member(member, depth);
        }
        let Some((tag, variants)) = &members.variants else { return };
        for (case, ty) in variants {
            let Some(Definition { shape: Shape::Object(own), .. }) = self.types.get(ty) else { continue };
            let doc = self.doc(self.doc_of_value(members, tag, case));
            if is_empty(own) && doc.is_empty() {
                continue;
            }
            let indent = "  ".repeat(depth);
            let space = if doc.is_empty() { "" } else { " " };
            self.line(&format!("{indent}* Where `{tag}` is `{case}`:{space}{doc}"));
            self.members(own, depth + 1);
        }
    }

    /// What a value of a tag means, where no section tells it.
    fn doc_of_value(&self, members: &Members, tag: &str, value: &str) -> &'a str {
        let member = members.members.iter().find(|member| member.name == tag);
        match member.and_then(|member| self.types.get(&member.ty)) {
            Some(definition) if !has_section(definition) => match &definition.shape {
                Shape::Enum(values) => {
                    values.iter().find(|one| one.name == value).map_or("", |value| value.doc)
                }
                _ => "",
            },
            _ => "",
        }
    }

    fn member(&mut self, member: &'a Member, depth: usize) {
        let indent = "  ".repeat(depth);
        let optional = if member.optional { ", optional" } else { "" };
        let ty = self.name(&member.ty);
        let doc = self.doc(member.doc);
        let colon = if doc.is_empty() { "" } else { ": " };
        self.line(&format!("{indent}* `{}` ({ty}{optional}){colon}{doc}", member.name));
        if let Some(Definition { rust_name: "", shape: Shape::Object(own), .. }) = self.types.get(&member.ty)
        {
            self.members(own, depth + 1);
        }
    }

    /// What a type is called: its Rust name, with the module's if another type has it too.
    fn title(&self, definition: &Definition) -> &'static str {
        let name = short(definition.rust_name);
        let others = self.types.definitions.iter().filter(|other| short(other.rust_name) == name).count();
        let module = definition.rust_name.rsplitn(3, "::").nth(2).filter(|_| others > 1);
        module.map_or(name, |module| &definition.rust_name[module.len() + 2..])
    }

    /// A type where it is used.
    fn name(&mut self, ty: &TypeRef) -> String {
        let definition = match ty {
            TypeRef::Builtin(builtin) => return builtin_name(*builtin).to_owned(),
            TypeRef::Array(element) => return self.list_name(element),
            TypeRef::Defined(number) => {
                let Some(definition) = self.types.get(ty) else { return "object".to_owned() };
                if has_section(definition) {
                    if self.named.insert(*number) {
                        self.waiting.push_back(*number);
                    }
                    let name = self.title(definition);
                    // As a heading's anchor is made: of letters, digits, `-` and `_`.
                    let anchor = name.to_lowercase().replace(':', "");
                    return format!("[`{name}`](#type-{anchor})");
                }
                definition
            }
        };
        match &definition.shape {
            Shape::Object(_) => "object".to_owned(),
            Shape::Enum(values) => {
                let names: Vec<String> = values.iter().map(|value| format!("`{}`", value.name)).collect();
                format!("one of {}", names.join(", "))
            }
            Shape::Alternate(types) => {
                let names: Vec<String> = types.iter().map(|ty| self.name(ty)).collect();
                names.join(" or ")
            }
        }
    }

    /// A list of these where it is used.
    fn list_name(&mut self, element: &TypeRef) -> String {
        match element {
            // What is one of the others has no plural.
            TypeRef::Builtin(builtin @ (Builtin::Int | Builtin::Number | Builtin::Bool | Builtin::Str)) => {
                format!("list of {}s", builtin_name(*builtin))
            }
            // No element says anything: where a list has them, there are none.
            _ if matches!(self.types.get(element), Some(Definition { rust_name: "", shape: Shape::Object(members), .. }) if is_empty(members)) => {
                "empty list".to_owned()
            }
            _ => format!("list of {}", self.name(element)),
        }
    }

    /// A section for each type that has been named, sorted by name; those name more.
    fn sections_of_types(&mut self) {
        let mut sections = BTreeMap::new();
        while let Some(number) = self.waiting.pop_front() {
            let Some(definition) = self.types.get(&TypeRef::Defined(number)) else { continue };
            let before = std::mem::take(&mut self.text);
            self.type_section(definition);
            let section = std::mem::replace(&mut self.text, before);
            // Where two end the same, the module in their titles counts.
            let order = (short(definition.rust_name).to_lowercase(), self.title(definition), number);
            sections.insert(order, section);
        }
        self.text.extend(sections.into_values());
    }

    fn type_section(&mut self, definition: &'a Definition) {
        self.section(&format!("Type `{}`", self.title(definition)), definition.doc);
        match &definition.shape {
            Shape::Object(members) => {
                self.line("");
                self.members(members, 0);
            }
            Shape::Enum(values) => {
                self.line("\nOne of:\n");
                for value in values {
                    let doc = self.doc(value.doc);
                    let colon = if doc.is_empty() { "" } else { ": " };
                    self.line(&format!("* `{}`{colon}{doc}", value.name));
                }
            }
            Shape::Alternate(types) => {
                let names: Vec<String> = types.iter().map(|ty| self.name(ty)).collect();
                self.line(&format!("\nOne of the types: {}.", names.join(", ")));
            }
        }
    }
}

/// What a built-in type is to people.
fn builtin_name(builtin: Builtin) -> &'static str {
    match builtin {
        Builtin::Str => "text",
        Builtin::Int => "integer",
        Builtin::Number => "number",
        Builtin::Bool => "boolean",
        Builtin::Null => "`null`",
        Builtin::Any => "any value",
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{Context, Empty, Error, EventInfo, EventType, QapiType};

    /// Where one can be.
    #[derive(Debug, Serialize, Deserialize, QapiType)]
    #[serde(tag = "kind", content = "data", rename_all = "kebab-case")]
    enum Place {
        /// On the ground.
        Ground,
        /// In the air, after [`fly`].
        Air(Height),
    }

    /// How high it is.
    #[derive(Debug, Serialize, Deserialize, QapiType)]
    struct Height {
        /// Metres.
        metres: u32,
    }

    mod other {
        /// Of another module.
        #[derive(Debug, serde::Serialize, qmp::QapiType)]
        pub(super) struct Height {
            pub(super) feet: Vec<u32>,
        }
    }

    /// What `fly` takes.
    #[derive(Debug, Deserialize, QapiType)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "it is described, and never made")]
    struct Fly {
        /// To there,
        /// over more than one line.
        to: Place,
        /// As `land` has it; none by default.
        stop_overs: Option<Vec<String>>,
    }

    /// One or several.
    #[derive(Debug, Serialize, QapiType)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "it is described, and never made")]
    enum Heights {
        One(u32),
        Several(Vec<u32>),
        Other(other::Height),
    }

    crate::__command_type! {
        /// Takes off, which `TAKEN_OFF` tells.
        ///
        /// Fails on the ground (`fly` is [not](crate::Error)
        /// for everybody).
        "fly" (allow_preconfig) => fn fly(_: &mut Context, _: Fly) -> Result<Empty, Error> { Ok(Empty) }
    }

    crate::__command_type! {
        /// Tells how high it is.
        "x-query-heights" (deprecated) => fn heights(_: &mut Context, (): ()) -> Result<Vec<Heights>, Error> { Ok(Vec::new()) }
    }

    crate::__command_type! {
        /// Tells nothing.
        "land" (allow_oob) => fn land(_: &mut Context, (): ()) -> Result<Vec<()>, Error> { Ok(Vec::new()) }
    }

    /// It is in the air.
    #[derive(Debug, Serialize, QapiType)]
    struct TakenOff {
        /// By this.
        height: Height,
    }

    impl EventType for TakenOff {
        const NAME: &'static str = "TAKEN_OFF";
    }

    const EXPECTED: &str = "\
## Commands

### `fly`

Takes off, which [`TAKEN_OFF`](#event-taken_off) tells.

Fails on the ground (`fly` is not for everybody).

It also works before the machine is built (`-preconfig`).

Takes:

* `to` ([`Place`](#type-place)): To there, over more than one line.
* `stop-overs` (list of texts, optional): As [`land`](#land) has it; none by default.

### `land`

Tells nothing.

It can be executed out of band (`exec-oob`).

Returns: empty list

### `x-query-heights`

Tells how high it is.

It is deprecated. It may change.

Returns: list of [`Heights`](#type-heights)

## Events

### Event `TAKEN_OFF`

It is in the air.

Data:

* `height` ([`tests::Height`](#type-testsheight)): By this.

## Types

### Type `other::Height`

Of another module.

* `feet` (list of integers)

### Type `tests::Height`

How high it is.

* `metres` (integer): Metres.

### Type `Heights`

One or several.

One of the types: integer, list of integers, [`other::Height`](#type-otherheight).

### Type `Place`

Where one can be.

* `kind` (one of `ground`, `air`): Which of these it is; the other members depend on it.
* Where `kind` is `ground`: On the ground.
* Where `kind` is `air`: In the air, after [`fly`](#fly).
  * `data` ([`tests::Height`](#type-testsheight)): What else is said of it.
";

    #[test]
    fn a_reference_is_markdown() {
        let bootstrap = qom::Bootstrap::empty();
        let accel = bootstrap.create("container").unwrap();
        let qom = bootstrap.accel_ready(accel).unwrap().seal().unwrap();
        let entries =
            [CommandEntry::of::<land>("a"), CommandEntry::of::<heights>("b"), CommandEntry::of::<fly>("c")];
        let commands = Commands::new(entries, [], [], [EventInfo::of::<TakenOff>("d")]).unwrap();
        assert_eq!(reference(&commands, qom), EXPECTED);
    }

    #[test]
    fn documentation_is_joined_and_links_to_rust_items_are_text() {
        for (doc, line) in [
            ("", ""),
            (" One\n two.\n", "One two."),
            ("A [`Thing`] and [two](crate::Two) [more](m).", "A `Thing` and two more."),
            ("No link: a[0] (zero), ](, [x](y", "No link: a[0] (zero), ](, [x](y"),
        ] {
            assert_eq!(one_line(doc), line, "{doc}");
        }
        assert_eq!(paragraphs(" One\n two.\n\n\n Three.\n\n"), ["One two.", "Three."]);
        assert!(paragraphs(" \n\n").is_empty());
    }
}
