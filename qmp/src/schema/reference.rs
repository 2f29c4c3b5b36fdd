//! The protocol's reference for people: what `query-qmp-schema` tells to programs, with the documentation of the Rust types beside it.
//!
//! A type that has a name in Rust has a section of its own and is linked to; one that has none is described where it stands. Names of types are
//! no part of the protocol.

use std::collections::{BTreeMap, HashSet, VecDeque};
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
    let mut reference =
        Reference { types: &types, text: String::new(), named: HashSet::new(), waiting: VecDeque::new() };
    reference.line("## Commands");
    for (command, types) in &described {
        reference.section(&format!("`{}`", command.name), command.doc);
        reference.flags(command);
        reference.members_of(&types.arguments, "Takes");
        reference.returns(&types.returned);
    }
    reference.line("\n## Events");
    for (event, data) in &events {
        reference.section(&format!("`{}`", event.name), types.get(data).map_or("", |data| data.doc));
        reference.members_of(data, "Data");
    }
    reference.line("\n## Types");
    reference.sections_of_types();
    reference.text
}

struct Reference<'a> {
    types: &'a Types,
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

impl<'a> Reference<'a> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str, doc: &str) {
        self.line(&format!("\n### {title}"));
        let doc = one_line(doc);
        if !doc.is_empty() {
            self.line(&format!("\n{doc}"));
        }
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
            Some(Shape::Object(members)) if members.members.is_empty() && members.variants.is_none() => {}
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
        let nothing = matches!(self.types.get(ty), Some(Definition { shape: Shape::Object(members), .. })
            if members.members.is_empty() && members.variants.is_none());
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
        // Values with the same members stand together.
        let mut cases: BTreeMap<usize, (Vec<&str>, &'a Members)> = BTreeMap::new();
        for (at, (case, ty)) in variants.iter().enumerate() {
            let Some(Definition { shape: Shape::Object(own), .. }) = self.types.get(ty) else { continue };
            if own.members.is_empty() && own.variants.is_none() {
                continue;
            }
            let same = cases.values_mut().find(|(_, other)| *other == own);
            match same {
                Some((names, _)) => names.push(case),
                None => {
                    cases.insert(at, (vec![case], own));
                }
            }
        }
        for (names, own) in cases.into_values() {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let indent = "  ".repeat(depth);
            self.line(&format!("{indent}* where `{tag}` is {}:", names.join(", ")));
            self.members(own, depth + 1);
        }
    }

    fn member(&mut self, member: &'a Member, depth: usize) {
        let indent = "  ".repeat(depth);
        let optional = if member.optional { ", optional" } else { "" };
        let ty = self.name(&member.ty);
        let doc = one_line(member.doc);
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
            TypeRef::Array(element) => return format!("list of {}", self.name(element)),
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

    /// A section for each type that has been named, sorted by name; those name more.
    fn sections_of_types(&mut self) {
        let mut sections = BTreeMap::new();
        while let Some(number) = self.waiting.pop_front() {
            let Some(definition) = self.types.get(&TypeRef::Defined(number)) else { continue };
            let before = std::mem::take(&mut self.text);
            self.type_section(definition);
            let section = std::mem::replace(&mut self.text, before);
            // By their whole names, where two end the same.
            sections.insert((short(definition.rust_name).to_lowercase(), definition.rust_name), section);
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
                    let doc = one_line(value.doc);
                    let colon = if doc.is_empty() { "" } else { ": " };
                    self.line(&format!("* `{}`{colon}{doc}", value.name));
                }
            }
            Shape::Alternate(types) => {
                let names: Vec<String> = types.iter().map(|ty| self.name(ty)).collect();
                self.line(&format!("\nEither {}.", names.join(" or ")));
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
