//! `make bench`: how fast native code is that was made of eBPF, and how fast it is made.
//!
//! Every program runs in one process beside what clang -O2 makes of the same C and beside rbpf, in turns, so that
//! all of them see the same machine; the least time of many turns counts. Exits with 1 when a budget is exceeded.

mod calls;
mod subjects;

use btaot_runtime::user::Session;
use rbpf::EbpfVmRaw;
use std::path::Path;
use std::time::{Duration, Instant};
use subjects::{NAMES, RBPF_VERSION, Subjects, VERSIONS, btaot};

/// Geometric mean of native code over clang's.
const MEAN_LIMIT: f64 = 1.15;
/// The same for one program, if it is one of more than [`SHORT`] ns.
const PROGRAM_LIMIT: f64 = 1.5;
const SHORT: f64 = 10.0;
/// How much slower the interpreter must be, as a geometric mean, and in each program for which clang's own code gains
/// so much and [`MEAN_LIMIT`] more: where a division takes 20 cycles, no compiler does in a program that divides.
const INTERPRETER_LIMIT: f64 = 20.0;
/// Of the time of a 100-instruction object's compilation, of a load, and of the compilation of 60 000 instructions.
const BUILD_LIMIT: Duration = Duration::from_millis(50);
const LOAD_LIMIT: Duration = Duration::from_millis(1);
const LARGE_LIMIT: Duration = Duration::from_secs(10);
const LARGE: usize = 60_000;

/// How far two measurements of the same code may lie apart, as a part of it.
const NOISE: f64 = 0.01;
/// Turns that each contender takes.
const TURNS: usize = 40;
/// What a turn lasts, about.
const TURN_NS: f64 = 1e6;

type Measured<T> = Result<T, String>;

fn main() {
    let outcome = tempfile::tempdir().map_err(|error| error.to_string()).and_then(|folder| {
        let within = [programs(folder.path())?, compilation(folder.path())?];
        Ok(within == [true, true])
    });
    match outcome {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(problem) => {
            eprintln!("bench/native: {problem}");
            std::process::exit(1);
        }
    }
}

/// The memory that a program starts with: pseudo-random words, a string that occurs twice, a TCP packet to port 8080.
fn memory() -> Vec<u64> {
    let mut state = 0x0139_408d_cbbf_7a44_u64;
    let mut words: Vec<u64> = (0..512)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
        .collect();
    // Bytes 12 and 13 are the type, 14 the header's length, 23 the protocol, 36 and 37 the port.
    words[1] = words[1] & 0xffff_ffff | 0x0008 << 32 | 0x45 << 48;
    words[2] = words[2] & 0x00ff_ffff_ffff_ffff | 6 << 56;
    words[4] = words[4] & 0xffff_0000_ffff_ffff | 0x901f << 32;
    words.copy_within(0..5, 256);
    words
}

/// One of those that run a program.
enum Contender<'p> {
    /// Its addresses, which take turns.
    Native(Vec<usize>),
    Compiled(&'p EbpfVmRaw<'p>),
    Interpreted(&'p EbpfVmRaw<'p>),
}

impl Contender<'_> {
    /// Runs the program on fresh memory, `count` times: its first result, and ns a run.
    fn turn(&self, turn: usize, count: u64) -> Measured<(u64, f64)> {
        let mut words = memory();
        let mut bytes: Vec<u8> = words.drain(..).flat_map(u64::to_le_bytes).collect();
        let call = |bytes: &mut [u8], count| match self {
            Contender::Native(entries) => Ok(calls::native(entries[turn % entries.len()], bytes, count)),
            Contender::Compiled(machine) => calls::compiled_by_rbpf(machine, bytes, count),
            Contender::Interpreted(machine) => calls::interpreted_by_rbpf(machine, bytes, count),
        };
        let (result, _) = call(&mut bytes, 1)?;
        let (_, elapsed) = call(&mut bytes, count)?;
        Ok((result, elapsed.as_nanos() as f64 / count as f64))
    }
}

/// The least ns a run of each contender, which take turns; all must give one result.
fn compare(name: &str, contenders: &[Contender<'_>]) -> Measured<Vec<f64>> {
    let mut best = vec![f64::MAX; contenders.len()];
    let mut counts = vec![1; contenders.len()];
    let (expected, _) = contenders[0].turn(0, 1)?;
    for turn in 0..=TURNS {
        for ((contender, best), count) in contenders.iter().zip(&mut best).zip(&mut counts) {
            let (result, ns) = contender.turn(turn, *count)?;
            if result != expected {
                return Err(format!("{name}: results differ: {result} and {expected}"));
            }
            if turn == 0 {
                *count = (TURN_NS / ns.max(1.0)) as u64 + 1;
            } else {
                *best = best.min(ns);
            }
        }
    }
    Ok(best)
}

/// Compares the programs; whether all budgets are kept.
fn programs(folder: &Path) -> Measured<bool> {
    let subjects = Subjects::make(folder)?;
    println!("\nNative code, ns a run (least of {TURNS} turns) and times clang -O2:\n");
    println!(
        "| program | clang -O2 | from {} | from {} | from {} | rbpf JIT | rbpf interpreter | |",
        VERSIONS[0], VERSIONS[1], VERSIONS[2]
    );
    println!("|---|---|---|---|---|---|---|---|");
    let lifted = 1..=VERSIONS.len();
    let rbpf_input = 1 + VERSIONS.iter().position(|version| *version == RBPF_VERSION).unwrap_or_default();
    let mut logs = vec![0.0; VERSIONS.len() + 1];
    let (mut within, mut worst) = (true, Worst { over_clang: 0.0, over_jit: 0.0, gain: f64::MAX });
    for name in NAMES {
        let code = subjects.instructions(name)?;
        let mut machine = EbpfVmRaw::new(Some(&code)).map_err(|error| error.to_string())?;
        machine.jit_compile().map_err(|error| error.to_string())?;
        let mut contenders = vec![Contender::Native(subjects.baseline.entries(name)?)];
        for placed in &subjects.lifted {
            contenders.push(Contender::Native(placed.entries(name)?));
        }
        contenders.extend([Contender::Compiled(&machine), Contender::Interpreted(&machine)]);
        let ns = compare(name, &contenders)?;
        let (jit, interpreter) = (ns[ns.len() - 2], ns[ns.len() - 1]);
        let ratio = |index: usize| ns[index] / ns[0];
        for index in lifted.clone() {
            logs[index - 1] += ratio(index).ln();
        }
        logs[VERSIONS.len()] += (interpreter / ns[rbpf_input]).ln();
        let slowest = lifted.clone().map(ratio).fold(0.0, f64::max);
        let gain = interpreter / ns[rbpf_input];
        let here = Worst {
            over_clang: if ns[0] > SHORT { slowest } else { 0.0 },
            over_jit: ns[rbpf_input] / jit,
            gain: if interpreter / ns[0] >= INTERPRETER_LIMIT * MEAN_LIMIT { gain } else { f64::MAX },
        };
        within &= here.is_within();
        worst = worst.and(&here);
        let shown: Vec<String> =
            lifted.clone().map(|index| format!("{:.1} ({:.2})", ns[index], ratio(index))).collect();
        println!(
            "| {name} | {:.1} | {} | {jit:.1} ({:.2}) | {interpreter:.0} ({gain:.0} times native) | {} |",
            ns[0],
            shown.join(" | "),
            jit / ns[rbpf_input],
            verdict(here.is_within())
        );
    }
    let means: Vec<f64> = logs.iter().map(|log| (log / NAMES.len() as f64).exp()).collect();
    println!("\n| | budget | measured | |\n|---|---|---|---|");
    for (version, mean) in VERSIONS.iter().zip(&means) {
        let what = format!("geometric mean of native code from {version} over clang -O2");
        within &= row(&what, &format!("≤ {MEAN_LIMIT}"), &format!("{mean:.3}"), *mean <= MEAN_LIMIT);
    }
    worst.show();
    let gain = means[VERSIONS.len()];
    let what = "rbpf's interpreter over native code, geometric mean";
    within &= row(what, &format!("≥ {INTERPRETER_LIMIT}"), &format!("{gain:.1}"), gain >= INTERPRETER_LIMIT);
    Ok(within)
}

/// What is held for each program, or the worst of several.
struct Worst {
    /// Native code over clang's; 0 for a program that is too short.
    over_clang: f64,
    /// Native code over rbpf's compiler.
    over_jit: f64,
    /// The interpreter over native code, where clang's gains enough.
    gain: f64,
}

impl Worst {
    fn is_within(&self) -> bool {
        self.over_clang <= PROGRAM_LIMIT && self.over_jit <= 1.0 + NOISE && self.gain >= INTERPRETER_LIMIT
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            over_clang: self.over_clang.max(other.over_clang),
            over_jit: self.over_jit.max(other.over_jit),
            gain: self.gain.min(other.gain),
        }
    }

    fn show(&self) {
        let what = format!("the slowest program of more than {SHORT} ns over clang -O2");
        row(
            &what,
            &format!("≤ {PROGRAM_LIMIT}"),
            &format!("{:.2}", self.over_clang),
            self.over_clang <= PROGRAM_LIMIT,
        );
        let limit = 1.0 + NOISE;
        let measured = format!("{:.2}", self.over_jit);
        row("the slowest program over rbpf's JIT", &format!("≤ {limit}"), &measured, self.over_jit <= limit);
        let what = "rbpf's interpreter over the slowest program, where clang -O2 gains that";
        let measured = format!("{:.1}", self.gain);
        row(what, &format!("≥ {INTERPRETER_LIMIT}"), &measured, self.gain >= INTERPRETER_LIMIT);
    }
}

fn verdict(within: bool) -> &'static str {
    if within { "ok" } else { "**exceeded**" }
}

fn row(what: &str, budget: &str, measured: &str, within: bool) -> bool {
    println!("| {what} | {budget} | {measured} | {} |", verdict(within));
    within
}

/// Measures how long compiling and loading take.
fn compilation(folder: &Path) -> Measured<bool> {
    let (small, large) = (folder.join("small.o"), folder.join("large.o"));
    write_object(&small, 100)?;
    write_object(&large, LARGE)?;
    let build = |object: &Path| -> Measured<Duration> {
        let begin = Instant::now();
        subjects::run(btaot().arg("build").arg(object).arg("-o").arg(folder.join("out")))?;
        Ok(begin.elapsed())
    };
    let mut within = true;
    let mut time = |what: &str, limit: Duration, measured: Duration| {
        within &= row(what, &format!("≤ {limit:?}"), &format!("{measured:.1?}"), measured <= limit);
    };
    let best = |times: Measured<Vec<Duration>>| Ok::<_, String>(times?.into_iter().min().unwrap_or_default());
    time("`btaot build` of 100 instructions", BUILD_LIMIT, best((0..20).map(|_| build(&small)).collect())?);
    time("`btaot build` of 60 000 instructions", LARGE_LIMIT, build(&large)?);
    let object = subjects::read(&folder.join("v3.native.o"))?;
    let load = || {
        let begin = Instant::now();
        let session = Session::new(&object).map_err(|error| error.to_string())?;
        let elapsed = begin.elapsed();
        drop(session);
        Ok(elapsed)
    };
    time(
        "loading the native object of the programs above",
        LOAD_LIMIT,
        best((0..50).map(|_| load()).collect())?,
    );
    Ok(within)
}

/// An eBPF object of `count` instructions: loads, arithmetic that depends on them, and a branch every eighth.
fn write_object(path: &Path, count: usize) -> Measured<()> {
    use object::write::Object;
    let mut code: Vec<[u8; 8]> = (0..8).map(|to| [0x79, 0x10 | to, to * 8, 0, 0, 0, 0, 0]).collect();
    // r1 is the memory until the last of the loads above has replaced it, so that one comes last.
    code.swap(1, 7);
    while code.len() + 2 < count {
        let number = code.len();
        let (dst, src) = ((number * 5 % 8) as u8, (number * 3 % 7) as u8);
        code.push(match number % 8 {
            0 => [0x15, dst, 1, 0, src, 0, 0, 0],
            1 => [0x07, dst, 0, 0, 9, 0, 0, 0],
            2 | 5 => [0xaf, src << 4 | dst, 0, 0, 0, 0, 0, 0],
            3 => [0x2f, src << 4 | dst, 0, 0, 0, 0, 0, 0],
            _ => [0x0f, src << 4 | dst, 0, 0, 0, 0, 0, 0],
        });
    }
    code.push([0xb7, 1, 0, 0, 0, 0, 0, 0]);
    code.push([0x95, 0, 0, 0, 0, 0, 0, 0]);
    let mut elf =
        Object::new(object::BinaryFormat::Elf, object::Architecture::Bpf, object::Endianness::Little);
    let section = elf.add_section(Vec::new(), b"measured".to_vec(), object::SectionKind::Text);
    elf.set_section_data(section, code.concat(), 8);
    let bytes = elf.write().map_err(|error| error.to_string())?;
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
