//! What the objects do, besides what they say of themselves (which the recorded session of the reference shows).

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use qom::user_creatable::{Form, NewObject, remove};
use qom::{Bootstrap, Input, Object, Origin, Qom};
use serde_json::{Value, json};
use vm_memory::{Bytes, VolatileMemory};

use super::iothread::IoThread;
use super::memory::MemoryBackend;
use super::rng::RngBackend;
use super::secret;

fn system() -> Arc<Qom> {
    let types = Bootstrap::from_link_time().unwrap();
    let accel = types.create("tcg-accel").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

fn add(qom: &Qom, values: Value) -> Result<Arc<dyn Object>, String> {
    let Value::Object(values) = values else { unreachable!("the tests give objects") };
    let new = NewObject::read(qom, values, Form::Json).map_err(|error| error.to_string())?;
    new.add(qom, Origin::Monitor).map_err(|error| error.to_string())
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// The kernel may show a thread for a moment after it was joined.
fn wait_for_end(task: &str) {
    let start = Instant::now();
    while std::path::Path::new(task).exists() {
        assert!(start.elapsed() < Duration::from_secs(10), "the thread stays");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_iothread_works_in_order_and_ends_with_its_object() {
    let qom = system();
    let object = add(&qom, json!({"qom-type": "iothread", "id": "io"})).unwrap();
    let thread = object.downcast_ref::<IoThread>().unwrap();
    let told = thread.info().unwrap().thread_id;
    let (send, receive) = mpsc::channel();
    for at in 0..100 {
        let send = send.clone();
        assert!(thread.post(move || send.send((at, crate::raw::gettid())).unwrap()));
    }
    drop(send);
    let done: Vec<(i32, u32)> = receive.iter().collect();
    assert_eq!(done, (0..100).map(|at| (at, told)).collect::<Vec<_>>());

    let task = format!("/proc/self/task/{told}");
    assert!(std::path::Path::new(&task).exists());
    let (send, receive) = mpsc::channel();
    thread.post(move || {
        std::thread::sleep(Duration::from_millis(20));
        send.send(()).unwrap();
    });
    remove(&qom, "io").unwrap();
    drop(object);
    assert_eq!(receive.try_recv(), Ok(()), "what was posted is done before the end");
    wait_for_end(&task);
}

/// Work that lets go of the last reference runs on the very thread that then ends.
#[test]
fn an_iothread_may_end_itself() {
    let qom = system();
    let object = add(&qom, json!({"qom-type": "iothread", "id": "io"})).unwrap();
    let thread = object.downcast_ref::<IoThread>().unwrap();
    let task = format!("/proc/self/task/{}", thread.info().unwrap().thread_id);
    let (go, wait) = mpsc::channel::<()>();
    let last = object.clone();
    thread.post(move || {
        let _ = wait.recv();
        drop(last);
    });
    remove(&qom, "io").unwrap();
    drop(object);
    go.send(()).unwrap();
    wait_for_end(&task);
}

#[test]
fn a_refused_iothread_leaves_no_thread() {
    let qom = system();
    let values = json!({"qom-type": "iothread", "id": "io", "thread-pool-min": 65});
    for _ in 0..50 {
        assert_eq!(add(&qom, values.clone()).unwrap_err(), "bad thread-pool-min/thread-pool-max values");
    }
    // Other tests have threads too, but not that many.
    assert!(threads() < 50, "{}", threads());
    assert!(qom.resolve("/objects").unwrap().core().children().is_empty());
}

/// What the kernel says of a region: its line in smaps, and how many KiB of it are there.
fn flags(region: &vm_memory::MmapRegion) -> (String, u64) {
    let start = format!("{:x}-", region.as_ptr() as usize);
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let mut lines = maps.lines().skip_while(|line| !line.starts_with(&start));
    let head = lines.next().unwrap_or_default().to_owned();
    let resident = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap_or_default();
    let kib = resident.trim().trim_end_matches(" kB").parse().unwrap_or(0);
    (head, kib)
}

#[test]
fn memory_is_mapped_shared_and_preallocated_as_asked() {
    let qom = system();
    let values = json!({
        "qom-type": "memory-backend-ram", "id": "m", "size": 8_388_608, "share": true, "prealloc": true,
        "prealloc-threads": 3
    });
    let object = add(&qom, values).unwrap();
    let region = object.downcast_ref::<MemoryBackend>().unwrap().region().unwrap();
    assert_eq!(region.size(), 8 << 20);
    let (head, resident) = flags(&region);
    assert!(head.contains(" rw-s "), "{head}");
    assert_eq!(resident, 8 << 10, "{head}");

    let lazy = add(&qom, json!({"qom-type": "memory-backend-ram", "id": "l", "size": 8_388_609})).unwrap();
    let region = lazy.downcast_ref::<MemoryBackend>().unwrap().region().unwrap();
    assert_eq!(region.size(), (8 << 20) + 4096, "whole pages");
    let (head, resident) = flags(&region);
    assert!(head.contains(" rw-p "), "{head}");
    assert_eq!(resident, 0, "{head}");

    // Later is as good; what was written stays.
    let text = b"written before";
    let memory = region.as_volatile_slice();
    memory.write_slice(text, 4000).unwrap();
    lazy.set("prealloc", &Input::Json(&json!(true)), Origin::Monitor).unwrap();
    assert_eq!(flags(&region).1, (8 << 10) + 4);
    let mut read = [0; 14];
    memory.read_slice(&mut read, 4000).unwrap();
    assert_eq!(&read, text);
}

#[test]
fn memory_that_somebody_has_stays() {
    let qom = system();
    let object = add(&qom, json!({"qom-type": "memory-backend-ram", "id": "m", "size": 4096})).unwrap();
    let region = object.downcast_ref::<MemoryBackend>().unwrap().region();
    drop(object);
    let text = remove(&qom, "m").unwrap_err().to_string();
    assert_eq!(text, "Cannot delete host memory backend 'm' which is mapped");
    drop(region);
    remove(&qom, "m").unwrap();
}

/// What comes too late is refused here; the reference takes it, and nothing changes.
#[test]
fn what_has_no_effect_any_more_is_refused() {
    let qom = system();
    let memory = add(&qom, json!({"qom-type": "memory-backend-ram", "id": "m", "size": 4096})).unwrap();
    let secret = add(&qom, json!({"qom-type": "secret", "id": "s", "data": "d"})).unwrap();
    for (object, property, value) in [
        (&memory, "policy", json!("bind")),
        (&memory, "host-nodes", json!([0])),
        (&memory, "x-use-canonical-path-for-ramblock-id", json!(true)),
        (&secret, "data", json!("e")),
        (&secret, "file", json!("e")),
        (&secret, "format", json!("base64")),
        (&secret, "keyid", json!("e")),
        (&secret, "iv", json!("e")),
    ] {
        let before = object.get(property).unwrap();
        let error = object.set(property, &Input::Json(&value), Origin::Monitor).unwrap_err();
        assert_eq!(error.to_string(), "cannot change property value", "{property}");
        assert_eq!(object.get(property).unwrap(), before, "{property}");
    }
    // A figure that contradicts another is not kept.
    let thread = add(&qom, json!({"qom-type": "iothread", "id": "io"})).unwrap();
    assert!(thread.set("thread-pool-max", &Input::Json(&json!(0)), Origin::Monitor).is_err());
    assert_eq!(thread.get("thread-pool-max").unwrap(), 64);
}

#[test]
fn the_canonical_path_names_memory_in_messages() {
    let qom = system();
    let values = json!({
        "qom-type": "memory-backend-ram", "id": "m", "size": 1_u64 << 62,
        "x-use-canonical-path-for-ramblock-id": true
    });
    let text = add(&qom, values).unwrap_err();
    assert_eq!(text, "cannot set up guest memory '/objects/m': Cannot allocate memory");
    assert!(qom.resolve("/objects/m").is_err());
}

#[test]
fn a_secret_is_found_by_its_id() {
    let qom = system();
    let key = json!({
        "qom-type": "secret", "id": "k", "format": "base64", "data": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    });
    add(&qom, key).unwrap();
    let values = json!({
        "qom-type": "secret", "id": "s", "format": "base64", "data": "f9Etr7fpWZ0LhJrYwuPCHw==", "keyid": "k",
        "iv": "AAECAwQFBgcICQoLDA0ODw=="
    });
    let object = add(&qom, values).unwrap();
    assert_eq!(secret::lookup(qom.root(), "s").unwrap().as_slice(), b"hello");
    assert_eq!(secret::lookup(qom.root(), "nope").unwrap_err().to_string(), "No secret with id 'nope'");
    assert!(!format!("{object:?}").contains("104, 101, 108"), "the clear text is printed: {object:?}");
    let own = json!({"qom-type": "secret", "id": "o", "data": "d", "keyid": "o"});
    assert_eq!(add(&qom, own).unwrap_err(), "Secret with id 'o' has no data");
}

#[test]
fn the_hosts_random_bytes_differ() {
    let qom = system();
    let object = add(&qom, json!({"qom-type": "rng-builtin", "id": "r"})).unwrap();
    let rng = object.downcast_ref::<RngBackend>().unwrap();
    let (mut first, mut second) = ([0; 32], [0; 32]);
    rng.fill(&mut first).unwrap();
    rng.fill(&mut second).unwrap();
    assert_ne!(first, second);
    assert_ne!(first, [0; 32]);
}
