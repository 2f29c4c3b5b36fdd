//! Rules that hold for any options. What the reference answers to each is replayed by the crate `tests`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KEYS: &[&str] = &[
    "type",
    "nodeid",
    "cpus",
    "mem",
    "memdev",
    "initiator",
    "src",
    "dst",
    "val",
    "node-id",
    "socket-id",
    "die-id",
    "module-id",
    "core-id",
    "thread-id",
    "target",
    "hierarchy",
    "data-type",
    "latency",
    "bandwidth",
    "size",
    "level",
    "associativity",
    "policy",
    "line",
    "help",
];

/// Keys and values of which many make sense.
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let kind = prop::sample::select(vec!["node", "dist", "cpu", "hmat-lb", "hmat-cache", "x"]);
    let value = prop_oneof![
        (0u64..5).prop_map(|number| number.to_string()),
        (0u64..9, 0u64..9).prop_map(|(first, last)| format!("{first}-{last}")),
        prop::sample::select(vec![
            "m0",
            "memory",
            "access-latency",
            "read-bandwidth",
            "none",
            "10",
            "20",
            "1M",
            "10M"
        ])
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        "[0-9kMx \\-]{0,6}|.{0,4}",
    ];
    let pair = (prop::sample::select(KEYS).prop_map(str::to_owned), value);
    (kind, prop::collection::vec(pair, 0..6)).prop_map(|(kind, mut pairs)| {
        pairs.insert(0, ("type".to_owned(), kind.to_owned()));
        pairs
    })
}

fn slots(sockets: u32, dies: u32, cores: u32) -> Vec<CpuSlot> {
    let place = |index: u32| CpuSlot {
        socket: index / (dies * cores),
        die: (dies > 1).then_some(index / cores % dies),
        module: None,
        core: index % cores,
        thread: 0,
    };
    (0..sockets * dies * cores).map(place).collect()
}

fn memory(name: &str) -> Option<Memdev> {
    let number: u64 = name.strip_prefix('m')?.parse().ok()?;
    Some(Memdev { path: format!("/objects/{name}"), id: name.to_owned(), size: (number + 1) << 20 })
}

/// Nodes, CPUs in them, distances between them: options of which most sets are accepted.
fn sensible() -> impl Strategy<Value = Vec<NumaOptions>> {
    let node = (prop::option::weighted(0.2, 0u16..4), prop::collection::vec(0u16..12, 0..3), 0usize..6)
        .prop_map(|(nodeid, cpus, number)| {
            NumaOptions::Node(NodeOptions {
                nodeid,
                cpus,
                memdev: Some(format!("m{number}")),
                ..Default::default()
            })
        });
    let id = || prop::option::weighted(0.3, -1i64..3);
    let cpu = (0i64..4, id(), id(), id()).prop_map(|(node, socket_id, die_id, core_id)| {
        let node_id = Some(node);
        NumaOptions::Cpu(CpuOptions { node_id, socket_id, die_id, core_id, ..Default::default() })
    });
    let distance = (0u16..4, 0u16..4, prop::sample::select(vec![10u8, 20, 20, 20, 30, 255]))
        .prop_map(|(src, dst, val)| NumaOptions::Distance(DistanceOptions { src, dst, val }));
    prop::collection::vec(prop_oneof![3 => node, 2 => cpu, 2 => distance], 0..14)
}

fn ram(state: &NumaState) -> u64 {
    match state.complete(0) {
        Err(NumaError::TotalMemory { nodes, .. }) => u64::try_from(nodes).unwrap(),
        _ => 0,
    }
}

proptest! {
    /// Any words are read or refused, and so is any JSON; numbers in the one mean the same in the other.
    #[test]
    fn any_option_is_answered(pairs in pairs()) {
        let words = NumaOptions::from_pairs(&pairs);
        let members = pairs.iter().map(|(key, value)| {
            let number = value.parse::<i64>().ok().filter(|_| key != "memdev").map(Value::from);
            let value = number.unwrap_or_else(|| Value::from(value.as_str()));
            (key.clone(), if key == "cpus" { json!([value]) } else { value })
        });
        let json = NumaOptions::from_json(members.collect());
        let once = pairs.iter().all(|(key, _)| pairs.iter().filter(|(other, _)| other == key).count() == 1);
        let plain = pairs.iter().all(|(key, value)| {
            value.parse::<i64>().is_ok_and(|number| number >= 0 && number.to_string() == *value) || matches!(key.as_str(),
                "type" | "memdev" | "hierarchy" | "data-type" | "associativity" | "policy")
        });
        if once && plain && pairs.iter().all(|(key, _)| key != "mem") && words.is_ok() {
            prop_assert_eq!(words.unwrap(), json.unwrap());
        }
    }

    /// A refused option changes nothing, and options that were read from anywhere never panic.
    #[test]
    fn a_refused_option_changes_nothing(all in prop::collection::vec(pairs(), 1..12), hmat: bool, mem: bool) {
        let mut state = NumaState::new(slots(2, 2, 2), mem, hmat);
        for option in all.iter().filter_map(|pairs| NumaOptions::from_pairs(pairs).ok()) {
            let before = state.clone();
            if state.apply(&option, memory).is_err() {
                prop_assert_eq!(&state, &before);
            }
        }
        let _ = state.complete(ram(&state));
    }

    /// However CPUs were named: each slot is in one node that is there, distances are symmetric unless a pair was given both
    /// ways, and each node is 10 from itself.
    #[test]
    fn a_whole_has_every_cpu_in_one_node(
        options in sensible(), sockets in 1u32..4, dies in 1u32..3, cores in 1u32..3, hmat: bool,
    ) {
        let mut state = NumaState::new(slots(sockets, dies, cores), false, hmat);
        let accepted: Vec<_> = options.into_iter().filter(|option| state.apply(option, memory).is_ok()).collect();
        let Ok(whole) = state.complete(ram(&state)) else { return Ok(()) };
        let count = whole.nodes.len();
        if count == 0 {
            prop_assert!(whole.cpu_nodes.is_empty() && whole.distances.is_none());
            return Ok(());
        }
        prop_assert_eq!(whole.cpu_nodes.len(), state.cpu_nodes().len());
        for (given, node) in state.cpu_nodes().iter().zip(&whole.cpu_nodes) {
            prop_assert!(usize::from(*node) < count && given.is_none_or(|given| given == *node));
            prop_assert!(whole.nodes[usize::from(*node)].has_cpu);
        }
        let strays = state.cpu_nodes().iter().filter(|node| node.is_none()).count();
        prop_assert_eq!(whole.warnings.is_empty(), strays == 0 || strays == whole.cpu_nodes.len());
        let said: Vec<_> = accepted.iter().filter_map(|option| match option {
            NumaOptions::Distance(distance) => Some(*distance),
            _ => None,
        }).collect();
        prop_assert_eq!(whole.distances.is_some(), !said.is_empty());
        for (from, row) in whole.distances.iter().flatten().enumerate() {
            prop_assert_eq!((row.len(), row[from]), (count, 10));
            for (to, distance) in row.iter().enumerate() {
                let given = |a: usize, b: usize| {
                    said.iter().rev().find(|d| (usize::from(d.src), usize::from(d.dst)) == (a, b)).map(|d| d.val)
                };
                let expected = given(from, to).or(given(to, from)).unwrap_or(10);
                prop_assert_eq!(*distance, expected);
            }
        }
    }
}

/// Texts of `set-numa-node` of QEMU 11.1.2; the item of a list has a name here.
#[test]
fn json_is_refused_in_its_own_words() {
    for (members, text) in [
        (json!({}), "Parameter 'type' is missing"),
        (json!({"type": "foo"}), "Parameter 'type' does not accept value 'foo'"),
        (json!({"type": 1}), "Invalid parameter type for 'type', expected: string"),
        (json!({"type": "node", "foo": 1}), "Parameter 'foo' is unexpected"),
        (json!({"type": "node", "nodeid": "1"}), "Parameter 'nodeid' expects uint64"),
        (json!({"type": "node", "nodeid": 65536}), "Parameter 'nodeid' expects uint16_t"),
        (json!({"type": "node", "nodeid": -1}), "Parameter 'nodeid' expects uint16_t"),
        (json!({"type": "node", "nodeid": 1.5}), "Parameter 'nodeid' expects uint64"),
        (json!({"type": "node", "cpus": 0}), "Invalid parameter type for 'cpus', expected: array"),
        (json!({"type": "node", "cpus": [0, "x"]}), "Parameter 'cpus[1]' expects uint64"),
        (json!({"type": "node", "cpus": [70000]}), "Parameter 'cpus[0]' expects uint16_t"),
        (json!({"type": "node", "mem": "1M"}), "Parameter 'mem' expects uint64"),
        (json!({"type": "cpu", "node-id": 1.5}), "Invalid parameter type for 'node-id', expected: integer"),
        (json!({"type": "dist", "src": 0, "dst": 1}), "Parameter 'val' is missing"),
        (json!({"type": "dist", "src": 0, "dst": 1, "val": 256}), "Parameter 'val' expects uint8_t"),
    ] {
        let Value::Object(map) = members.clone() else { unreachable!() };
        assert_eq!(NumaOptions::from_json(map).unwrap_err().to_string(), text, "{members}");
    }
}

/// Memory by size, which no machine type of this version has.
#[test]
fn memory_by_size_where_a_machine_has_it() {
    let node = |mem| NumaOptions::Node(NodeOptions { mem: Some(mem), ..Default::default() });
    let mut state = NumaState::new(slots(1, 1, 2), true, false);
    state.apply(&node(3 << 20), memory).unwrap();
    state.apply(&node(1 << 20), memory).unwrap();
    let whole = state.complete(4 << 20).unwrap();
    assert_eq!(whole.nodes.iter().map(|node| node.mem >> 20).collect::<Vec<_>>(), [3, 1]);
    let named = NumaOptions::Node(NodeOptions { memdev: Some("m1".to_owned()), ..Default::default() });
    assert_eq!(state.apply(&named, memory), Err(NumaError::MemAndMemdev));
}
