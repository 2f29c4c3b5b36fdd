//! QEMU's `SchemaInfo`: the wire form of a schema.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use qom::Qom;
use serde::Serialize;

use super::{Builtin, Member, Members, QapiType, Shape, TypeRef, Types};
use crate::Commands;

/// A name as `SchemaInfo` has it.
type Name = String;

/// One entry of the answer to `query-qmp-schema` (QAPI `SchemaInfo`). Members stand in the order in which QEMU sends them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SchemaInfo {
    /// A command.
    #[serde(rename_all = "kebab-case")]
    Command {
        /// As it is on the wire.
        name: Name,
        /// What it returns.
        ret_type: Name,
        /// `command`.
        meta_type: &'static str,
        /// What it may be executed like beyond the usual.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        allow_oob: bool,
        /// What it takes.
        arg_type: Name,
        /// What a client may want to know of it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        features: Vec<&'static str>,
    },
    /// An event.
    #[serde(rename_all = "kebab-case")]
    Event {
        /// As it is on the wire.
        name: Name,
        /// `event`.
        meta_type: &'static str,
        /// Its data.
        arg_type: Name,
        /// What a client may want to know of it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        features: Vec<&'static str>,
    },
    /// An object that is the same always.
    #[serde(rename_all = "kebab-case")]
    Object {
        /// Its number.
        name: Name,
        /// The member that decides what else it has.
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<&'static str>,
        /// What that is, by its value.
        #[serde(skip_serializing_if = "Option::is_none")]
        variants: Option<Vec<SchemaInfoVariant>>,
        /// What it has always.
        members: Vec<SchemaInfoMember>,
        /// `object`.
        meta_type: &'static str,
    },
    /// An enumeration.
    #[serde(rename_all = "kebab-case")]
    Enum {
        /// Its number.
        name: Name,
        /// Its values.
        members: Vec<SchemaInfoEnumMember>,
        /// `enum`.
        meta_type: &'static str,
        /// Its values again, for old clients.
        values: Vec<Cow<'static, str>>,
    },
    /// One of several types.
    #[serde(rename_all = "kebab-case")]
    Alternate {
        /// Its number.
        name: Name,
        /// The types.
        members: Vec<SchemaInfoAlternateMember>,
        /// `alternate`.
        meta_type: &'static str,
    },
    /// A list.
    #[serde(rename_all = "kebab-case")]
    Array {
        /// Its element's in brackets.
        name: Name,
        /// What it is a list of.
        element_type: Name,
        /// `array`.
        meta_type: &'static str,
    },
    /// One of the protocol's own.
    #[serde(rename_all = "kebab-case")]
    Builtin {
        /// Its name.
        name: Name,
        /// What it is in JSON.
        json_type: &'static str,
        /// `builtin`.
        meta_type: &'static str,
    },
}

/// A member of an object (QAPI `SchemaInfoObjectMember`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, QapiType)]
pub struct SchemaInfoMember {
    /// Its name on the wire.
    pub name: &'static str,
    /// There, and `null`, if the member may be left out; absent if it is always there. What it means to leave it out is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[qapi(as = serde_json::Value)]
    pub default: Option<()>,
    /// The name of its type.
    #[serde(rename = "type")]
    pub ty: Name,
}

/// What an object has for a value of its tag (QAPI `SchemaInfoObjectVariant`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, QapiType)]
pub struct SchemaInfoVariant {
    /// The value of the tag.
    pub case: Cow<'static, str>,
    /// The name of an object type with the members that there are then.
    #[serde(rename = "type")]
    pub ty: Name,
}

/// A value of an enumeration (QAPI `SchemaInfoEnumMember`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, QapiType)]
pub struct SchemaInfoEnumMember {
    /// The value on the wire.
    pub name: Cow<'static, str>,
}

/// One of the types of an alternate (QAPI `SchemaInfoAlternateMember`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, QapiType)]
pub struct SchemaInfoAlternateMember {
    /// The name of that type.
    #[serde(rename = "type")]
    pub ty: Name,
}

/// The kinds of entries (QAPI `SchemaMetaType`).
#[derive(QapiType)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it is described, and never made")]
enum SchemaMetaType {
    /// One of the protocol's own types.
    Builtin,
    /// An enumeration: one of several texts.
    Enum,
    /// A list.
    Array,
    /// An object.
    Object,
    /// One of several types, told apart by what they are in JSON.
    Alternate,
    /// A command.
    Command,
    /// An event.
    Event,
}

/// JSON's types (QAPI `JSONType`).
#[derive(QapiType)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it is described, and never made")]
enum JsonType {
    /// A string.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// An object.
    Object,
    /// An array.
    Array,
    /// Anything.
    Value,
}

impl QapiType for SchemaInfo {
    fn describe(types: &mut Types) -> TypeRef {
        fn variant(
            types: &mut Types,
            rust_name: &'static str,
            add: impl FnOnce(&mut Members, &mut Types),
        ) -> TypeRef {
            types.define(rust_name, "", |types| {
                let mut members = Members::default();
                add(&mut members, types);
                Shape::Object(members)
            })
        }
        types.define("SchemaInfo", "One entry of the schema (QAPI `SchemaInfo`): a command, an event or a type.", |types| {
            let mut info = Members::default();
            info.add::<Name>(types, "name", false, "Its name: of a command or event that on the wire, of a type a number, of a list its element's in brackets.");
            info.add::<SchemaMetaType>(types, "meta-type", false, "Which of these it is; the other members depend on it.");
            info.add::<Vec<Name>>(types, "features", true, "What a client may want to know of it: `deprecated`, `unstable`, and `json-cli` with `json-cli-hotplug` where the command line takes the same as JSON. Absent where there is nothing.");
            let variants = vec![
                (
                    "builtin".into(),
                    variant(types, "SchemaInfoBuiltin", |own, types| {
                        own.add::<JsonType>(types, "json-type", false, "What it is in JSON.");
                    }),
                ),
                (
                    "enum".into(),
                    variant(types, "SchemaInfoEnum", |own, types| {
                        own.add::<Vec<SchemaInfoEnumMember>>(types, "members", false, "Its values.");
                        own.add::<Vec<Name>>(types, "values", false, "Its values again, as texts alone: for old clients.");
                    }),
                ),
                (
                    "array".into(),
                    variant(types, "SchemaInfoArray", |own, types| {
                        own.add::<Name>(types, "element-type", false, "The name of the type that it is a list of.");
                    }),
                ),
                (
                    "object".into(),
                    variant(types, "SchemaInfoObject", |own, types| {
                        own.add::<Vec<SchemaInfoMember>>(types, "members", false, "The members that it has always.");
                        own.add::<Name>(types, "tag", true, "The member that decides what else it has; absent if there is nothing else.");
                        own.add::<Vec<SchemaInfoVariant>>(
                            types,
                            "variants",
                            true,
                            "What that is, for each of its values; absent with `tag`.",
                        );
                    }),
                ),
                (
                    "alternate".into(),
                    variant(types, "SchemaInfoAlternate", |own, types| {
                        own.add::<Vec<SchemaInfoAlternateMember>>(types, "members", false, "The types that it can be.");
                    }),
                ),
                (
                    "command".into(),
                    variant(types, "SchemaInfoCommand", |own, types| {
                        own.add::<Name>(types, "arg-type", false, "The name of the object type that it takes.");
                        own.add::<Name>(types, "ret-type", false, "The name of the type that it returns.");
                        own.add::<bool>(types, "allow-oob", true, "True if it may be executed out of band; absent if not.");
                    }),
                ),
                (
                    "event".into(),
                    variant(types, "SchemaInfoEvent", |own, types| {
                        own.add::<Name>(types, "arg-type", false, "The name of the object type that its data is.");
                    }),
                ),
            ];
            info.variants = Some(("meta-type", variants));
            Shape::Object(info)
        })
    }
}

impl Builtin {
    fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Null => "null",
            Self::Any => "any",
        }
    }

    fn json_type(self) -> &'static str {
        match self {
            Self::Str => "string",
            Self::Int => "int",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Null => "null",
            Self::Any => "value",
        }
    }
}

/// Names types in the order in which they are met, each once.
struct Namer<'a> {
    types: &'a Types,
    numbers: HashMap<usize, usize>,
    /// Met, and not told yet.
    waiting: VecDeque<TypeRef>,
    arrays: HashSet<Name>,
    builtins: Vec<Builtin>,
}

impl Namer<'_> {
    fn name(&mut self, ty: &TypeRef) -> Name {
        match ty {
            TypeRef::Builtin(builtin) => {
                if !self.builtins.contains(builtin) {
                    self.builtins.push(*builtin);
                }
                builtin.name().to_owned()
            }
            TypeRef::Defined(number) => {
                let next = self.numbers.len();
                let waiting = &mut self.waiting;
                let name = self.numbers.entry(*number).or_insert_with(|| {
                    waiting.push_back(ty.clone());
                    next
                });
                name.to_string()
            }
            TypeRef::Array(element) => {
                let name = format!("[{}]", self.name(element));
                if self.arrays.insert(name.clone()) {
                    self.waiting.push_back(ty.clone());
                }
                name
            }
        }
    }

    fn info(&mut self, ty: &TypeRef) -> Option<SchemaInfo> {
        let name = self.name(ty);
        if let TypeRef::Array(element) = ty {
            let element_type = self.name(element);
            return Some(SchemaInfo::Array { name, element_type, meta_type: "array" });
        }
        let types = self.types;
        Some(match &types.get(ty)?.shape {
            Shape::Object(object) => {
                let members = object.members.iter().map(|member| self.member(member)).collect();
                let variants = object.variants.as_ref().map(|(_, variants)| {
                    variants
                        .iter()
                        .map(|(case, ty)| SchemaInfoVariant { case: case.clone(), ty: self.name(ty) })
                        .collect()
                });
                let tag = object.variants.as_ref().map(|(tag, _)| *tag);
                SchemaInfo::Object { name, tag, variants, members, meta_type: "object" }
            }
            Shape::Enum(values) => SchemaInfo::Enum {
                name,
                members: values
                    .iter()
                    .map(|value| SchemaInfoEnumMember { name: value.name.clone() })
                    .collect(),
                meta_type: "enum",
                values: values.iter().map(|value| value.name.clone()).collect(),
            },
            Shape::Alternate(alternatives) => {
                let members =
                    alternatives.iter().map(|ty| SchemaInfoAlternateMember { ty: self.name(ty) }).collect();
                SchemaInfo::Alternate { name, members, meta_type: "alternate" }
            }
        })
    }

    fn member(&mut self, member: &Member) -> SchemaInfoMember {
        let default = member.optional.then_some(());
        SchemaInfoMember { name: member.name, default, ty: self.name(&member.ty) }
    }
}

/// The schema of a program's commands and events, by name, and of all types that they reach, in the order in which they
/// are met.
#[must_use]
pub fn schema(commands: &Commands, qom: Arc<Qom>) -> Vec<SchemaInfo> {
    let mut types = Types::new(qom);
    let empty = types.empty();
    let described: Vec<_> =
        commands.qmp().iter().map(|command| (command, command.describe(&mut types))).collect();
    let events: Vec<_> = commands.events().iter().map(|event| (event, event.describe(&mut types))).collect();
    let mut namer = Namer {
        types: &types,
        numbers: HashMap::new(),
        waiting: VecDeque::new(),
        arrays: HashSet::new(),
        builtins: Vec::new(),
    };
    // As in QEMU the type without members is the first.
    namer.name(&empty);
    let mut infos = Vec::new();
    for (command, types) in described {
        infos.push(SchemaInfo::Command {
            name: command.name.to_owned(),
            arg_type: namer.name(&types.arguments),
            ret_type: namer.name(&types.returned),
            meta_type: "command",
            allow_oob: command.flags.allow_oob,
            features: command.features(),
        });
    }
    for (event, data) in events {
        infos.push(SchemaInfo::Event {
            name: event.name.to_owned(),
            meta_type: "event",
            arg_type: namer.name(&data),
            features: event.features(),
        });
    }
    while let Some(ty) = namer.waiting.pop_front() {
        infos.extend(namer.info(&ty));
    }
    infos.extend(namer.builtins.iter().map(|builtin| SchemaInfo::Builtin {
        name: builtin.name().to_owned(),
        json_type: builtin.json_type(),
        meta_type: "builtin",
    }));
    infos
}
