//! Programs that the reference implementation took or refused, through the parser.
//!
//! `data/peer.jsonl` has a record a line: a program, and the line and column of its first error when the reference
//! implementation refuses it for a reason of the language (bpftrace 0.27.1, Linux 6.18). Most refusals are about
//! meaning, so the parser may take a program that is refused later, but what it refuses must be refused at that place.

use std::time::{Duration, Instant};

use btaot_frontend::{Code, Diagnostic, FileId, Source, parse};
use serde_json::Value;

/// Refused at another place on purpose: where an unclosed string begins, not where its line ends.
const OTHER_PLACE: &[&str] = &["lex-043"];

fn refusal(program: &str) -> Option<(Diagnostic, [u64; 2])> {
    let source = Source::new(FileId(0), "stdin", program);
    let first = parse(&source).err()?.remove(0);
    let place = source.position(first.span.start);
    Some((first, [place.line.into(), place.column.into()]))
}

#[test]
fn programs_are_taken_and_refused_as_recorded() {
    let mut problems = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    for line in include_str!("data/peer.jsonl").lines() {
        let record: Value = serde_json::from_str(line).expect("the data file holds JSON");
        let (id, program) =
            (record["id"].as_str().expect("id"), record["program"].as_str().expect("program"));
        let place = |value: &Value| [value[0].as_u64().unwrap_or(0), value[1].as_u64().unwrap_or(0)];
        match (record.get("error"), refusal(program)) {
            (_, None) => taken += 1,
            (None, Some((problem, _))) => {
                problems.push(format!("{id}: {program}: refused: {}", problem.message))
            }
            (Some(expected), Some((problem, found))) => {
                refused += 1;
                if place(expected) != found && !OTHER_PLACE.contains(&id) {
                    problems
                        .push(format!("{id}: {program}: {} at {found:?}, not {expected}", problem.message));
                }
            }
        }
    }
    assert_eq!(problems, [] as [String; 0]);
    assert_eq!((taken, refused), (TAKEN, REFUSED));
}

/// How many programs of the data file the parser takes.
const TAKEN: u32 = 946;
/// How many it refuses by itself.
const REFUSED: u32 = 70;

/// What nests: an opening, the innermost text and a closing.
const NESTS: &[(&str, &str, &str)] = &[
    ("(", "1", ")"),
    ("{", "1", "}"),
    ("@x[", "1", "]"),
    ("f(", "1", ")"),
    ("(1,", "1", ")"),
    ("(a=", "1", ")"),
    ("(int32)", "1", ""),
    ("sizeof(", "1", ")"),
    ("1 ? ", "1", " : 1"),
    ("1 ?: ", "1", ""),
    ("!", "1", ""),
    ("1 + ", "1", ""),
    ("if (1) { 1 } else ", "{ 1 }", ""),
];

fn nested((open, inner, close): (&str, &str, &str), depth: usize, mistake: &str) -> Source {
    let text = format!("begin {{ $a = {}{inner}{mistake}{}; }}", open.repeat(depth), close.repeat(depth));
    Source::new(FileId(0), "stdin", text)
}

/// Time that this thread has spent on a processor: other work on the machine does not count. Without the kernel's
/// statistics it is the time since some fixed moment.
fn processor_time(start: Instant) -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

#[test]
fn deep_nesting_takes_little_time() {
    let start = Instant::now();
    for nest in NESTS {
        for mistake in ["", " $"] {
            let times = (0..3).map(|_| {
                let source = nested(*nest, 200, mistake);
                let before = processor_time(start);
                assert_eq!(parse(&source).is_ok(), mistake.is_empty(), "{nest:?}");
                processor_time(start) - before
            });
            let best = times.min().expect("three runs");
            // A text with a mistake is parsed twice, the second time with a record of all attempts.
            let limit = if mistake.is_empty() { 50 } else { 150 };
            assert!(best < Duration::from_millis(limit), "{nest:?} {mistake:?}: {best:?}");
        }
    }
}

#[test]
fn absurd_nesting_is_refused() {
    for nest in NESTS {
        let source = nested(*nest, 20_000, "");
        let problems = parse(&source).expect_err("deeper than any limit");
        assert_eq!(
            problems.iter().map(|problem| problem.code).collect::<Vec<_>>(),
            [Code::TooDeep],
            "{nest:?}"
        );
    }
}
