//! QMP: ending connections that hang. These commands may be given out of band, so that they overtake what waits.

use qmp::schema::{Members, QapiType, Shape, TypeRef, Types};
use qmp::{Context, Empty, Error, command};
use qom::ErrorClass;
use serde::{Deserialize, Serialize};

use crate::main_loop::Chardevs;

/// A kind of connection (QAPI `YankInstanceType`), of those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum YankInstanceType {
    /// A chardev that is a socket.
    Chardev,
}

/// A connection that can be ended (QAPI `YankInstance`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
struct YankInstance {
    #[serde(rename = "type")]
    kind: YankInstanceType,
    id: String,
}

/// As a union, which it is.
impl QapiType for YankInstance {
    fn describe(types: &mut Types) -> TypeRef {
        let doc = "A connection that can be ended (QAPI `YankInstance`).";
        types.define(concat!(module_path!(), "::YankInstance"), doc, |types| {
            let tag = YankInstanceType::describe(types);
            let chardev = types.define(concat!(module_path!(), "::YankInstance::chardev"), "", |types| {
                let mut members = Members::default();
                members.add::<String>(types, "id", false, "The name of the chardev.");
                Shape::Object(members)
            });
            Shape::Object(Members::union("type", tag, vec![("chardev".into(), chardev)]))
        })
    }
}

/// What `yank` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct Yank {
    /// The connections to end, as `query-yank` lists them.
    instances: Vec<YankInstance>,
}

fn instances(context: &Context) -> Result<Vec<YankInstance>, Error> {
    let sockets = context.require::<Chardevs>()?.sockets().into_iter();
    Ok(sockets.map(|id| YankInstance { kind: YankInstanceType::Chardev, id }).collect())
}

command! {
    /// Returns the connections that `yank` can end: the chardevs that are sockets, those of monitors among them, whether or not
    /// somebody is connected.
    "query-yank" (allow_oob) => fn query_yank(context: &mut Context, (): ()) -> Result<Vec<YankInstance>, Error> {
        instances(context)
    }
}

command! {
    /// Ends connections without waiting for anything. A listening socket then takes the next client; one that connects does so
    /// again if it was told to (`reconnect-ms`).
    ///
    /// Fails with class `DeviceNotFound` if one of them is not there (`Instance not found`); then none is ended.
    "yank" (allow_oob) => fn yank(context: &mut Context, arguments: Yank) -> Result<Empty, Error> {
        let there = instances(context)?;
        if !arguments.instances.iter().all(|instance| there.contains(instance)) {
            return Err(Error::new(ErrorClass::DeviceNotFound, "Instance not found"));
        }
        let chardevs = context.require::<Chardevs>()?;
        for instance in arguments.instances {
            chardevs.yank(&instance.id);
        }
        Ok(Empty)
    }
}
