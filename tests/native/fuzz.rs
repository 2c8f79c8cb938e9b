//! Damaged objects: `btaot build` refuses them in words or makes something of them, and soon.
//!
//! Each attempt is a process of its own with little memory, so that whatever happens is seen: a panic, a signal, a hang,
//! a flood of memory. `BTAOT_FUZZ_SECONDS` and `BTAOT_FUZZ_SEED` are those of the other fuzzers; a failure names the
//! seed, the attempt and the file, which stays.

use super::elf;
use super::objects::compile_bpf_for;
use crate::fuzz::{Random, seconds, seed};
use crate::support::Checked;
use crate::support::compiler::{btaot, compile_text, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use libtest_mimic::Trial;
use object::{Object as _, ObjectSection};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Processes at the same time.
const WORKERS: usize = 2;
/// What an attempt may use, in bytes of address space. The compiler itself needs a few hundred megabytes.
const MEMORY: u64 = 2 << 30;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[Need], policy::Check); _] = [("build", &[], damaged_objects_are_answered)];
    policy::table("native::fuzz", &[Need::Program("clang-19"), Need::Program("prlimit")], rows)
}

fn damaged_objects_are_answered(folder: &Path) -> Checked {
    let corpus = Corpus::make(folder)?;
    let (seed, end) = (seed(), Instant::now() + Duration::from_secs(seconds()));
    let (next, accepted) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = |worker: usize| -> Result<(), String> {
        let place = folder.join(format!("worker{worker}"));
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        while Instant::now() < end {
            let attempt = next.fetch_add(1, Ordering::Relaxed);
            let mut dice = Random::new(seed << 32 ^ attempt);
            let file = corpus.damaged(&mut dice);
            match corpus.answer(&mut dice, &file, &place) {
                Ok(true) => accepted.fetch_add(1, Ordering::Relaxed),
                Ok(false) => 0,
                Err(problem) => return Err(report(seed, attempt, &file, &problem)),
            };
        }
        Ok(())
    };
    let results: Vec<Result<(), String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || work(worker))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or(Err("a worker panicked".to_owned())))
            .collect()
    });
    results.into_iter().collect::<Result<(), String>>()?;
    let (count, accepted) = (next.into_inner(), accepted.into_inner());
    println!("native::fuzz::build: seed {seed}: {count} objects, {accepted} of them compiled");
    // Both answers must occur, or the damage is of no use.
    if count > 100 && (accepted == 0 || accepted == count) {
        return Err(format!("{accepted} of {count} objects were accepted").into());
    }
    Ok(())
}

/// Keeps the file, which the scratch folder would not.
fn report(seed: u64, attempt: u64, file: &[u8], problem: &str) -> String {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-build-{seed}-{attempt}.o"));
    let place = match std::fs::write(&kept, file) {
        Ok(()) => kept.display().to_string(),
        Err(error) => format!("(not kept: {error})"),
    };
    format!("seed {seed}, attempt {attempt}, object {place}: {problem}")
}

/// An object and the places in it.
struct Subject {
    bytes: Vec<u8>,
    /// The sections' contents, and the tables of sections and symbols.
    parts: Vec<Range<usize>>,
    /// The instructions.
    code: Vec<Range<usize>>,
}

/// What is damaged.
struct Corpus {
    subjects: Vec<Subject>,
    types: PathBuf,
}

impl Corpus {
    fn make(folder: &Path) -> Result<Self, String> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| error.to_string());
        let mut subjects = Vec::new();
        for (name, version) in
            [("shapes", "v2"), ("shapes", "v4"), ("maps", "v3"), ("legacy", "v3"), ("core", "v3")]
        {
            subjects.push(Subject::new(read(&compile_bpf_for(name, version, folder)?)?)?);
        }
        let tool = compile_text("begin { @[pid] = count(); printf(\"%d\\n\", 3); }", folder, "tool")?;
        let carried = folder.join("carried.o");
        let mut extract = btaot();
        extract.arg("inspect").arg(tool).args(["--extract", "bpf"]).arg(&carried);
        process::run(&mut extract)?.expect_code(0)?;
        subjects.push(Subject::new(read(&carried)?)?);
        let types = folder.join("target.btf");
        let target = read(&compile_bpf_for("target", "v3", folder)?)?;
        std::fs::write(&types, elf::section(&target, ".BTF")?).map_err(|error| error.to_string())?;
        Ok(Self { subjects, types })
    }

    /// One of the objects with some damage.
    fn damaged(&self, dice: &mut Random) -> Vec<u8> {
        let subject = &self.subjects[dice.below(self.subjects.len())];
        let mut bytes = subject.bytes.clone();
        for _ in 0..=dice.below(4) {
            match dice.below(8) {
                0 => scatter(dice, &mut bytes),
                1 | 2 => number(dice, &mut bytes, &subject.parts),
                3..=5 => instruction(dice, &mut bytes, &subject.code),
                6 => {
                    let other = &self.subjects[dice.below(self.subjects.len())].bytes;
                    splice(dice, &mut bytes, other);
                }
                _ if dice.below(4) == 0 => {
                    let len = dice.below(bytes.len() + 1);
                    bytes.truncate(len);
                }
                _ => number(dice, &mut bytes, &[0..64, subject.headers()]),
            }
        }
        bytes
    }

    /// Whether the compiler accepts the object; an error when it does neither that nor refuse it in words.
    fn answer(&self, dice: &mut Random, file: &[u8], place: &Path) -> Result<bool, String> {
        let (object, out) = (place.join("object.o"), place.join("out"));
        std::fs::write(&object, file).map_err(|error| error.to_string())?;
        let compiler = btaot();
        let mut command = Command::new("prlimit");
        command.arg(format!("--as={MEMORY}")).arg(compiler.get_program()).arg("build").arg(&object);
        command.env_remove("RUST_BACKTRACE").env("NO_COLOR", "1");
        command.arg("--btf").arg(&self.types).arg(format!("-O{}", dice.below(4))).arg("-o").arg(&out);
        if dice.below(2) == 0 {
            command.arg("--combined");
        }
        let finished = process::run(&mut command)?;
        let written = out.exists();
        let _ = std::fs::remove_dir_all(&out);
        judge(&finished, written)
    }
}

fn judge(finished: &Finished, written: bool) -> Result<bool, String> {
    expect_no_panic(finished)?;
    let problem = |what: &str| Err(format!("{what}: {finished:?}"));
    match finished.code {
        Some(0) if !written => problem("nothing was written"),
        Some(0) => Ok(true),
        Some(1) if written => problem("a refusal, and yet something was written"),
        Some(1) if !finished.stderr.starts_with("error: ") => problem("no message"),
        Some(1) if finished.stderr.contains("instruction ") && !names_place(&finished.stderr) => {
            problem("the place is not named")
        }
        Some(1) => Ok(false),
        _ => problem("a crash"),
    }
}

/// Whether a message names a program (or another function, if symbols tell), section, instruction and reason.
fn names_place(message: &str) -> bool {
    let Some((before, after)) = message.split_once("`, instruction ") else { return false };
    let digits = after.chars().take_while(char::is_ascii_digit).count();
    let reason = after[digits..].strip_prefix(": ").is_some_and(|reason| reason.trim().len() > 3);
    digits > 0 && reason && before.contains("section `")
}

impl Subject {
    fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let elf = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
        let range = |section: &object::Section<'_, '_>| {
            let (start, len) = section.file_range()?;
            (len > 0).then_some(start as usize..(start + len) as usize)
        };
        let parts: Vec<Range<usize>> = elf.sections().filter_map(|section| range(&section)).collect();
        let code = elf.sections().filter(|section| section.kind() == object::SectionKind::Text);
        let code: Vec<Range<usize>> = code.filter_map(|section| range(&section)).collect();
        Ok(Self { parts, code, bytes: bytes.clone() })
    }

    /// The table of sections, which compilers write last.
    fn headers(&self) -> Range<usize> {
        let end = self.parts.iter().map(|part| part.end).max().unwrap_or_default();
        end.min(self.bytes.len())..self.bytes.len()
    }
}

/// A place in one of the ranges.
fn place(dice: &mut Random, ranges: &[Range<usize>]) -> usize {
    let range = ranges.get(dice.below(ranges.len())).cloned().unwrap_or_default();
    range.start + dice.below(range.len())
}

/// Some bytes anywhere.
fn scatter(dice: &mut Random, bytes: &mut [u8]) {
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = dice.below(256) as u8;
        }
    }
}

/// A number at an aligned place becomes one that is often forgotten.
fn number(dice: &mut Random, bytes: &mut [u8], ranges: &[Range<usize>]) {
    const NUMBERS: [u64; 12] =
        [0, 1, 2, 7, 8, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];
    let size = [1, 2, 4, 8][dice.below(4)];
    let at = place(dice, ranges) / size * size;
    let number = NUMBERS[dice.below(NUMBERS.len())].to_le_bytes();
    if let Some(field) = bytes.get_mut(at..at + size) {
        field.copy_from_slice(&number[..size]);
    }
}

/// A field of an instruction, or all of it.
fn instruction(dice: &mut Random, bytes: &mut [u8], code: &[Range<usize>]) {
    let section = code.get(dice.below(code.len())).cloned().unwrap_or_default();
    let at = section.start + dice.below(section.len() / 8) * 8;
    let Some(insn) = bytes.get_mut(at..at + 8) else { return };
    match dice.below(5) {
        0 => insn[0] = dice.below(256) as u8,
        1 => insn[1] = dice.below(256) as u8,
        2 => insn[2..4].copy_from_slice(&(dice.below(64) as i16 - 32).to_le_bytes()),
        3 => insn[4..8].copy_from_slice(&(dice.below(300) as i32 - 20).to_le_bytes()),
        _ => insn.fill_with(|| dice.below(256) as u8),
    }
}

/// A piece of another object.
fn splice(dice: &mut Random, bytes: &mut [u8], other: &[u8]) {
    let (from, to) = (dice.below(other.len()) / 8 * 8, dice.below(bytes.len()) / 8 * 8);
    let len = dice.below(200).min(other.len() - from).min(bytes.len().saturating_sub(to));
    bytes[to..to + len].copy_from_slice(&other[from..from + len]);
}
