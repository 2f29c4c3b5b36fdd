//! What `help` prints: accelerators, machine types, devices and their properties. Everything is read from classes; nothing
//! is made for it. Forms are the reference's.

use std::fmt::Write as _;
use std::sync::Arc;

use qom::{Class, Device, Instance, OnOffAuto, PropertyEnum, Qom, device::device_class};

use crate::devices::DeviceCategory;
use crate::machine::{TYPE_SUFFIX, absent, find_machine, machine_classes};

/// `-accel help`: the accelerators that the program knows, whether they work here or not.
pub(crate) fn accelerators() -> String {
    "Accelerators supported in QEMU binary:\ntcg\nkvm\n".to_owned()
}

/// `-machine help`.
pub(crate) fn machines(qom: &Qom) -> String {
    let mut text = "Supported machines are:\n".to_owned();
    // Families by name, each from its last version name down; then what has no versions.
    let mut classes = machine_classes(qom);
    classes.sort_by(|a, b| match (a.family, b.family) {
        (None, None) => a.name.cmp(&b.name),
        (a_family, b_family) => {
            (a_family.is_none(), a_family).cmp(&(b_family.is_none(), b_family)).then(b.name.cmp(&a.name))
        }
    });
    for class in classes {
        let deprecated = if class.deprecated { " (deprecated)" } else { "" };
        if let Some(alias) = class.alias {
            let _ = writeln!(text, "{alias:<20} {} (alias of {})", class.description, class.name);
        }
        let default = if class.is_default { " (default)" } else { "" };
        let _ = writeln!(text, "{:<20} {}{default}{deprecated}", class.name, class.description);
    }
    text
}

/// `-machine TYPE,help`; none if there is no such machine type.
pub(crate) fn machine_properties(qom: &Qom, name: &str) -> Option<String> {
    let type_name = format!("{}{TYPE_SUFFIX}", find_machine(qom, name)?.name);
    let class = qom.class(&type_name).ok()?;
    Some(properties(class, |property| !absent::NOT_IN_HELP.contains(&property)))
}

/// Which of them a list of devices has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Those that a user can make: `-device help`.
    UserCreatable,
    /// The board's too, which are marked: `info qdm`.
    All,
}

/// The heading under which a class is listed. What no category is known of is a board's, and stands at the end.
fn category(class: &Arc<Class>) -> &'static str {
    match (class.name(), class.data::<DeviceCategory>()) {
        _ if class.is_a("cpu") => "CPU",
        (_, Some(DeviceCategory::Input)) | ("i8042", _) => "Input",
        ("ICH9-LPC", _) => "Controller/Bridge/Hub",
        ("mc146818rtc", _) => "Misc",
        _ if device_class(class).is_some_and(|class| class.user_creatable) => "Misc",
        _ => "Uncategorized",
    }
}

/// Types of devices under their headings, by name in either case of letters.
pub(crate) fn devices(qom: &Qom, listed: Listed) -> String {
    let mut text = String::new();
    let names = qom.type_names(Some(Device::TYPE_NAME), false);
    let classes = names.into_iter().filter_map(|name| qom.class(name).ok());
    let mut all: Vec<_> = classes.filter_map(|class| Some((class, device_class(class)?))).collect();
    all.retain(|(_, device)| device.user_creatable || listed == Listed::All);
    all.sort_by_key(|(class, _)| class.name().to_ascii_lowercase());
    for heading in ["Controller/Bridge/Hub", "Input", "Misc", "CPU", "Uncategorized"] {
        let mut begun = false;
        for (class, device) in all.iter().filter(|(class, _)| category(class) == heading) {
            if !begun {
                begun = true;
                let separator = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{separator}{heading} devices:");
            }
            let bus = device.bus_type.map(|bus| format!(", bus {bus}")).unwrap_or_default();
            let description = device.description.map(|text| format!(", desc \"{text}\"")).unwrap_or_default();
            let user = if device.user_creatable { "" } else { ", no-user" };
            let _ = writeln!(text, "name \"{}\"{bus}{description}{user}", class.name());
        }
    }
    text
}

/// `-device TYPE,help`; none if there is no such device.
pub(crate) fn device_properties(qom: &Qom, name: &str) -> Option<String> {
    let class = qom.class(name).ok().filter(|class| class.is_a(Device::TYPE_NAME) && !class.is_abstract())?;
    const STATE: [&str; 4] = ["realized", "hotplugged", "hotpluggable", "type"];
    Some(properties(class, |property| !STATE.contains(&property)))
}

/// The writable properties of a class, sorted by name.
fn properties(class: &Class, shown: impl Fn(&str) -> bool) -> String {
    let mut all: Vec<_> =
        class.properties().filter(|property| property.is_writable() && shown(property.name())).collect();
    // As lines sort, in which a name ends in `=`.
    all.sort_by_key(|property| format!("{}=", property.name()));
    let mut text = format!("{} options:\n", class.name());
    for property in all {
        let option = format!("{}=<{}>", property.name(), property.type_name());
        let default = class.default_value(property.name()).map(shown_default);
        match (property.description_text(), default) {
            (None, None) => {
                let _ = writeln!(text, "  {option}");
            }
            (description, default) => {
                let description = description.unwrap_or_default();
                let default = default.map(|value| format!(" (default: {value})")).unwrap_or_default();
                let _ = writeln!(text, "  {option:<22} - {description}{default}");
            }
        }
    }
    text
}

/// A default as people write it.
fn shown_default(value: &qom::Value) -> String {
    match value {
        qom::Value::Bool(true) => OnOffAuto::On.name().to_owned(),
        qom::Value::Bool(false) => OnOffAuto::Off.name().to_owned(),
        other => other.to_string(),
    }
}
