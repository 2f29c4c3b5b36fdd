//! Command lines, right and wrong, recorded by `tests/differential/command_lines.py`: what the reference said of them.

use tests::run_with_input;

/// What each of them ended in.
const COMMON: [&str; 6] = ["-S", "-display", "none", "-nodefaults", "-qmp", "stdio"];

#[test]
fn the_reference_s_words_and_status() {
    let mut cases = 0;
    let mut differences = Vec::new();
    for line in include_str!("../transcripts/command-lines.txt").lines().filter(|line| !line.starts_with('#'))
    {
        let [words, said, status] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            panic!("{line}: not three columns")
        };
        let words: Vec<String> = serde_json::from_str(words).expect("words");
        let said: Vec<String> = serde_json::from_str(said).expect("lines");
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(COMMON).collect();
        let finished = run_with_input(&arguments, r#"{"execute": "qmp_capabilities"} {"execute": "quit"}"#);
        let said_here: Vec<&str> = finished
            .stderr
            .lines()
            .map(|line| line.strip_prefix("qom-system-x86_64: ").unwrap_or(line))
            // It says once that it is not the reference.
            .filter(|line| !line.is_empty() && !line.ends_with("no guest code is run"))
            .collect();
        let status = status.parse().ok();
        if said != said_here || status != finished.status {
            differences.push(format!(
                "{words:?}\n  expected {status:?} {said:?}\n  found    {:?} {said_here:?}",
                finished.status
            ));
        }
        cases += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases > 250, "{cases}");
}
