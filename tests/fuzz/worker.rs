//! The process in which texts are tried.

use super::corpus;
use super::mutate::{Random, mutant};
use btaot_codegen::bpf::{self, CodegenError};
use btaot_frontend::diagnostic::{Color, Diagnostic, Format, render};
use btaot_frontend::format::{FormatError, format};
use btaot_frontend::{NoFiles, Source, Sources, load, parse, text};
use btaot_semantic::program::Program;
use btaot_semantic::{Options, Target, analyze};
use std::path::Path;
use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is done with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Parse, render, format.
    Syntax,
    /// Parse and check.
    Check,
    /// Parse, check, and generate code of what has no mistake.
    Compile,
}

impl Kind {
    /// The word in a job and in the test's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Check => "check",
            Self::Compile => "compile",
        }
    }
}

/// One text takes at most this long on a processor, without optimisation.
const LIMIT: Duration = Duration::from_secs(30);
/// The same for waiting, on a machine that does other work as well.
const WAIT: Duration = Duration::from_secs(600);
/// Exit code when a text took longer.
const TOO_SLOW: i32 = 3;

/// Does the job of `BTAOT_FUZZ` and ends the process; returns when there is none.
pub fn run_as_worker() {
    let Ok(job) = std::env::var("BTAOT_FUZZ") else { return };
    let parts: Vec<&str> = job.split(':').collect();
    let kinds = [Kind::Syntax, Kind::Check, Kind::Compile];
    let kind = kinds.into_iter().find(|kind| kind.name() == parts[0]).expect("the job begins with a kind");
    watch();
    let tries = Tries { kind, target: Target::live() };
    match parts[1..] {
        [file] => tries.one(&std::fs::read(file).expect("the job names a file")),
        [file, seed, seconds] => {
            let number = |text: &str| text.parse().expect("the job has numbers");
            tries.many(file, number(seed), Duration::from_secs(number(seconds)));
        }
        _ => panic!("not KIND:FILE or KIND:FILE:SEED:SECONDS: {job}"),
    }
    exit(0);
}

/// The number of the text that is tried.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Ends the process when a text takes too long.
fn watch() {
    std::thread::spawn(|| {
        let mut number = 0;
        let (mut begun, mut processor) = (Instant::now(), processor_time(MAIN_THREAD));
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let used = processor_time(MAIN_THREAD);
            if number != NUMBER.load(Ordering::Relaxed) {
                number = NUMBER.load(Ordering::Relaxed);
                (begun, processor) = (Instant::now(), used);
            } else if used - processor > LIMIT || begun.elapsed() > WAIT {
                println!(
                    "no answer after {:?}, {:?} of them on a processor",
                    begun.elapsed(),
                    used - processor
                );
                exit(TOO_SLOW);
            }
        }
    });
}

/// The statistics of the thread that does the work.
const MAIN_THREAD: &str = "/proc/self/schedstat";

/// Time that a thread has spent on a processor: other work on the machine does not count.
fn processor_time(statistics: &str) -> Duration {
    let statistics = std::fs::read_to_string(statistics).unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("Linux counts it"))
}

struct Tries {
    kind: Kind,
    target: Target,
}

impl Tries {
    fn many(&self, file: &str, seed: u64, time: Duration) {
        let start = Instant::now();
        let texts = corpus::texts();
        let mut random = Random::new(seed);
        let (mut count, mut understood) = (0, 0);
        while start.elapsed() < time {
            let text = mutant(&mut random, &texts);
            std::fs::write(file, &text).expect("the scratch folder can be written");
            understood += u32::from(self.try_text(&text));
            count += 1;
        }
        println!("{count} texts, {understood} of them without a mistake");
    }

    /// Tries one text and says how long it took.
    fn one(&self, text: &[u8]) {
        let before = processor_time(MAIN_THREAD);
        self.try_text(text);
        println!("processor: {} ms", (processor_time(MAIN_THREAD) - before).as_millis());
    }

    /// Whether the text is a script without mistakes.
    fn try_text(&self, bytes: &[u8]) -> bool {
        NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut sources = Sources::new();
        let file = sources.add("fuzz.bt", bytes);
        match self.kind {
            Kind::Syntax => syntax(&sources, sources.get(file)),
            Kind::Check | Kind::Compile => {
                // Half of all texts may do what is unsafe, and the same text always may or may not.
                let options = Options {
                    allow_unsafe: bytes.len().is_multiple_of(2),
                    one_process: bytes.len().is_multiple_of(3),
                };
                let found = load(file, Path::new("fuzz.bt"), &mut sources, &NoFiles)
                    .and_then(|loaded| analyze(&loaded.script, &sources, &self.target, None, &options));
                match found {
                    Ok(analysis) => {
                        show(&analysis.warnings, &sources);
                        show(&analysis.later, &sources);
                        // The text form walks through the whole program.
                        assert!(analysis.program.to_string().len() < 1 << 30);
                        if self.kind == Kind::Compile && analysis.later.is_empty() {
                            self.generate(&analysis.program);
                        }
                        true
                    }
                    Err(problems) => {
                        assert!(problems.iter().any(Diagnostic::is_error), "rejected without an error");
                        show(&problems, &sources);
                        false
                    }
                }
            }
        }
    }
}

impl Tries {
    /// Generates code, for which LLVM may refuse a program that needs too much stack, but nothing else.
    fn generate(&self, program: &Program) {
        match bpf::compile(program, &bpf::Options::new(self.target.arch())) {
            Ok(_) | Err(CodegenError::Unsupported { .. }) => {}
            Err(CodegenError::Llvm(message)) if message.contains("stack") => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn syntax(sources: &Sources, source: &Source) -> bool {
    let script = match parse(source) {
        Ok(script) => script,
        Err(problems) => {
            assert!(problems.iter().any(Diagnostic::is_error), "rejected without an error");
            show(&problems, sources);
            return false;
        }
    };
    // The text form walks through the whole tree.
    assert!(text::script(&script, sources).len() < 1 << 30);
    let once = match format(source) {
        Ok(once) => once,
        Err(FormatError::Rejected(_)) => panic!("parsed, and yet not formatted"),
        Err(FormatError::Defect) => panic!("formatting would change the meaning"),
    };
    let again = Source::new(source.id(), "fuzz.bt", once.clone());
    match format(&again) {
        Ok(twice) => {
            let (once, twice) = (String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
            assert_eq!(once, twice, "formatting again changes something");
        }
        Err(problem) => panic!("the result cannot be formatted again: {problem:?}"),
    }
    true
}

/// Renders messages in every form.
fn show(diagnostics: &[Diagnostic], sources: &Sources) {
    for format in [Format::Text(Color::Never), Format::Json, Format::Github] {
        let text = render(diagnostics, sources, format);
        assert_eq!(text.is_empty(), diagnostics.is_empty());
    }
}
