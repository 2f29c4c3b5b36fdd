//! A planted data race: `.ci/miri` and `.ci/tsan` first see that their tool finds it.

use std::cell::UnsafeCell;

struct Planted(UnsafeCell<u64>);

// SAFETY: none. Two threads write the cell with nothing in between; that is what the tools have to see.
unsafe impl Sync for Planted {}

static PLANTED: Planted = Planted(UnsafeCell::new(0));

#[inline(never)]
fn planted_write() {
    for _ in 0..1000 {
        // SAFETY: none, as above.
        unsafe { PLANTED.0.get().write_volatile(PLANTED.0.get().read_volatile() + 1) };
    }
}

fn main() {
    let threads = [std::thread::spawn(planted_write), std::thread::spawn(planted_write)];
    for thread in threads {
        thread.join().expect("it does not panic");
    }
}
