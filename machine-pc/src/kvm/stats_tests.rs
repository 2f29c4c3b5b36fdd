//! Statistics as a kernel had them, against what the reference said of them on the same kernel
//! (`tests/differential/record_kvm_stats.py`; `fixtures/stats-source.txt` names both), and files that no kernel makes.

use std::io::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const VM: &[u8] = include_bytes!("fixtures/stats-vm.bin");
const VCPU: &[u8] = include_bytes!("fixtures/stats-vcpu.bin");

fn read(bytes: &[u8]) -> io::Result<Statistics> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Statistics::new(file)
}

/// As the reference's members are.
fn described(statistic: &Statistic) -> Value {
    let (kind, bucket_size) = match statistic.kind {
        StatisticKind::Cumulative => ("cumulative", None),
        StatisticKind::Instant => ("instant", None),
        StatisticKind::Peak => ("peak", None),
        StatisticKind::LinearHistogram { bucket_size } => ("linear-histogram", Some(bucket_size)),
        StatisticKind::Log2Histogram => ("log2-histogram", None),
    };
    let unit = match statistic.unit {
        StatisticUnit::None => None,
        StatisticUnit::Bytes => Some("bytes"),
        StatisticUnit::Seconds => Some("seconds"),
        StatisticUnit::Cycles => Some("cycles"),
        StatisticUnit::Boolean => Some("boolean"),
    };
    let mut value = json!({"name": statistic.name, "type": kind, "exponent": statistic.exponent});
    if let Some(unit) = unit {
        value["unit"] = unit.into();
    }
    if let Some(bucket_size) = bucket_size {
        value["bucket-size"] = bucket_size.into();
    }
    // The reference leaves out a base that makes no difference.
    if statistic.exponent != 0 {
        value["base"] = statistic.base.into();
    }
    value
}

#[test]
fn a_kernels_descriptions_are_read_as_the_reference_reads_them() {
    let schemas: Vec<Value> = serde_json::from_str(include_str!("fixtures/stats.json")).unwrap();
    for (target, bytes) in [("vm", VM), ("vcpu", VCPU)] {
        let statistics = read(bytes).unwrap();
        let found: Vec<Value> = statistics.described().iter().rev().map(described).collect();
        let schema = schemas.iter().find(|schema| schema["target"] == target).unwrap();
        assert_eq!(&found, schema["stats"].as_array().unwrap(), "{target}");
        let values = statistics.values().unwrap();
        assert_eq!(values.len(), found.len());
        for (statistic, numbers) in statistics.described().iter().zip(&values) {
            let is_histogram = statistic.kind == StatisticKind::Log2Histogram;
            assert_eq!(numbers.len() > 1, is_histogram, "{}: {numbers:?}", statistic.name);
        }
    }
}

/// A file with one description and one number.
fn one(flags: u32, exponent: i16, bucket_size: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [0, 8, 1, 24, 32, 56] {
        bytes.extend(u32::to_le_bytes(number));
    }
    bytes.extend(*b"vcpu-0\0\0");
    bytes.extend(flags.to_le_bytes());
    bytes.extend(exponent.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(bucket_size.to_le_bytes());
    bytes.extend(*b"bytes\0\0\0");
    bytes.extend(42_u64.to_le_bytes());
    bytes
}

/// The numbers of `linux/kvm.h`.
#[test]
fn kinds_units_and_bases_are_told_apart() {
    let statistics = read(&one(3 | 1 << 4 | 1 << 8, 20, 7)).unwrap();
    let told = described(&statistics.described()[0]);
    let expected = json!({"name": "bytes", "type": "linear-histogram", "unit": "bytes", "base": 2, "exponent": 20,
                          "bucket-size": 7});
    assert_eq!((told, statistics.values().unwrap()), (expected, vec![vec![42]]));
    // What a later kernel may have is left out, and the rest is there.
    for flags in [5, 5 << 4, 2 << 8] {
        let statistics = read(&one(flags, 0, 0)).unwrap();
        assert_eq!((statistics.described(), statistics.values().unwrap()), (&[][..], vec![]));
    }
}

#[test]
fn files_that_cannot_be_are_errors() {
    let good = one(0, 0, 0);
    for (at, number, what) in [
        (4, u32::MAX, "a name without end"),
        (8, u32::MAX, "descriptions without end"),
        (16, u32::MAX - 8, "descriptions that lie nowhere"),
        (40, u32::MAX, "a number that lies nowhere"),
    ] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        assert!(read(&bytes).is_err(), "{what}");
    }
    let mut none = good.clone();
    none[38..40].fill(0);
    assert!(read(&none).unwrap_err().to_string().ends_with("no number of one"));
    assert!(read(&good[..good.len() - 1]).unwrap().values().is_err());
    assert!(read(&good[..40]).is_err());
}

proptest! {
    #[test]
    fn no_file_is_too_much(start in prop::collection::vec(any::<u32>(), 6), change in any::<[u8; 4]>(), at in 0_usize..200) {
        let header: Vec<u8> = start.iter().flat_map(|number| (number % 4096).to_le_bytes()).collect();
        let mut bytes = VM.to_vec();
        bytes[..24].copy_from_slice(&header);
        let _ = read(&bytes).and_then(|statistics| statistics.values());
        let mut bytes = VM.to_vec();
        bytes[at..at + 4].copy_from_slice(&change);
        let _ = read(&bytes).and_then(|statistics| statistics.values());
    }
}
