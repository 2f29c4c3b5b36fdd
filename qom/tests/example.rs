//! The example prints what its comments promise, and stays short enough to be read at a sitting.

#[expect(dead_code, reason = "the test calls what the example's main calls")]
#[path = "../examples/lamps.rs"]
mod lamps;

#[test]
fn the_example_runs() {
    let mut out = Vec::new();
    lamps::run(&mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "/house/lamp[0] is a bright-lamp\n\
         refused: a lamp gives 100 percent at most\n\
         dimmed: 40 percent\n\
         the next: 33 percent, Global\n"
    );
    assert!(include_str!("../examples/lamps.rs").lines().count() < 80);
}
