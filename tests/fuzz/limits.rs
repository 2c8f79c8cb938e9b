//! Sizes and depths that nobody writes by hand.

use super::mutate::Random;
use super::worker::Kind;
use super::{once, processor_time};
use crate::support::policy::{self, Need};
use crate::support::{Checked, scratch};
use libtest_mimic::Trial;
use std::path::Path;

/// A test per limit.
pub fn trials() -> Vec<Trial> {
    let rows: [(&str, &[Need], policy::Check); _] = [
        ("fuzz::deep_texts_are_answered", &[], deep_texts),
        ("fuzz::a_megabyte_of_garbage", &[], garbage),
        ("fuzz::a_thousand_lines", &[Need::KernelBtf], a_thousand_lines),
    ];
    let trial = |(name, needs, body): (&'static str, &[Need], policy::Check)| {
        policy::trial(name, needs.iter().copied(), move || body(&scratch::folder(name)?))
    };
    rows.into_iter().map(trial).collect()
}

/// What nests: what stands before it, an opening, the innermost text, a closing, and what stands behind.
const NESTS: &[[&str; 5]] = &[
    ["begin { $a = ", "(", "1", ")", "; }"],
    ["begin { ", "{ ", "exit();", " }", " }"],
    ["begin { @x = 1; @y[1] = 1; print(", "@y[", "1", "]", "); }"],
    ["begin { print(", "str(", "1", ")", "); }"],
    ["begin { print(", "(1, ", "1", ")", "); }"],
    ["begin { print(", "(a = ", "1", ")", "); }"],
    ["begin { print(", "(int32)", "1", "", "); }"],
    ["begin { print(", "sizeof(", "1", ")", "); }"],
    ["begin { $a = ", "1 ? ", "1", " : 1", "; }"],
    ["begin { $a = ", "1 ?: ", "1", "", "; }"],
    ["begin { $a = ", "!", "1", "", "; }"],
    ["begin { $a = ", "-", "1", "", "; }"],
    ["begin { $a = ", "*", "arg0", "", "; }"],
    ["begin { $a = ", "1 + ", "1", "", "; }"],
    ["begin { $a = curtask", ".parent", "", "", "; }"],
    ["begin { $a = curtask", "->parent", "", "", "; }"],
    ["begin { $a = arg0", "[0]", "", "", "; }"],
    ["begin { ", "if (1) { exit(); } else ", "{ exit(); }", "", " }"],
    ["begin { ", "if (1) { ", "exit();", " }", " }"],
    ["begin { ", "while (1) { ", "exit();", " }", " }"],
    ["begin { ", "for ($i : 0..5) { ", "exit();", " }", " }"],
    ["begin { ", "unroll (2) { ", "exit();", " }", " }"],
    ["begin { $a = ", "{ ", "1", " }", "; }"],
    ["struct s { ", "struct { ", "int a;", " };", " }; begin { print(sizeof(struct s)); }"],
    ["struct s { int ", "*", "a", "", "; }; begin { print(sizeof(struct s)); }"],
    ["struct s { int a", "[2]", "", "", "; }; begin { print(sizeof(struct s)); }"],
    ["struct s { int ", "(", "a", ")", "; }; begin { print(sizeof(struct s)); }"],
    ["enum e { A = ", "(", "1", ")", " }; begin { print(A); }"],
    ["#define A ", "(", "1", ")", "\nbegin { print(A); }"],
    ["", "#if 1\n", "begin { exit(); }\n", "#endif\n", ""],
    ["begin { let $a: int8", "*", "", "", " = 0; }"],
    ["begin { print((int8", "[2]", "", "", ")0); }"],
    ["macro f(x) { x } begin { print(", "f(", "1", ")", "); }"],
    ["macro f(x) { let $y = x; $y } begin { print(", "f(", "1", ")", "); }"],
    ["macro f(x) { ", "{ ", "x", " }", " } begin { print(f(1)); }"],
    ["fn f($x : int64) : int64 { return ", "(", "$x", ")", "; } begin { print(f(1)); }"],
    ["fn f($x : int64) : int64 { return $x; } begin { print(", "f(", "1", ")", "); }"],
    ["kprobe:f /", "(", "1", ")", "/ { exit(); }"],
    ["kprobe:", "a*", "", "", " { exit(); }"],
    ["", "kprobe:a,", "kprobe:b", "", " { exit(); }"],
    ["", "*", "k", "", ":f { exit(); }"],
    ["", "?*", "z", "", ":f { exit(); }"],
];

fn deep_texts(folder: &Path) -> Checked {
    let file = folder.join("text.bt");
    let mut problems = Vec::new();
    for [head, open, inner, close, tail] in NESTS {
        for depth in [200, 490, 20_000] {
            let text = format!("{head}{}{inner}{}{tail}", open.repeat(depth), close.repeat(depth));
            // What is too deep is not formatted, so both kinds would do the same.
            let kinds = if depth > 500 { &[Kind::Check][..] } else { &[Kind::Syntax, Kind::Check] };
            for &kind in kinds {
                let (status, said) = once(kind, text.as_bytes(), &file)?;
                if !status.success() {
                    problems.push(format!("{head}{open} {depth} {kind:?}: {status} {said}"));
                }
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// Milliseconds of the processor that a script of a thousand lines may take. Without optimisation it takes 140, and a slow
/// processor, or one that is shared, several times as much.
const THOUSAND_LINES_LIMIT: u64 = if cfg!(debug_assertions) { 1500 } else { 60 };
/// The shortest of so many tries counts: other work can only lengthen them.
const TRIES: usize = 3;

fn a_thousand_lines(folder: &Path) -> Checked {
    let clause = "// counts\nkprobe:vfs_read, kprobe:vfs_write\n/ pid > NUMBER /\n{\n  $task = curtask;\n  if \
                  ($task->pid != 1) { @calls_NUMBER[comm, $task->real_parent->tgid] = count(); }\n  else { \
                  printf(\"%d %s %x\\n\", pid, comm, nsecs / 1000); }\n  @size_NUMBER = hist(arg2);\n  \
                  @last_NUMBER[tid] = nsecs;\n}\n\n";
    let script: String = (0..91).map(|number| clause.replace("NUMBER", &number.to_string())).collect();
    assert!(script.lines().count() > 1000);
    let mut shortest = u64::MAX;
    for _ in 0..TRIES {
        let (status, said) = once(Kind::Check, script.as_bytes(), &folder.join("text.bt"))?;
        if !status.success() {
            return Err(format!("{status}: {said}").into());
        }
        shortest = shortest.min(processor_time(&said)?);
    }
    if shortest > THOUSAND_LINES_LIMIT { Err(format!("{shortest} ms").into()) } else { Ok(()) }
}

/// Milliseconds of the processor that a megabyte may take, whose square would be hours. Without optimisation everything is
/// slower, and some machines are several times slower than others.
const GARBAGE_LIMIT: u64 = if cfg!(debug_assertions) { 20_000 } else { 1000 };

fn garbage(folder: &Path) -> Checked {
    const SIZE: usize = 1 << 20;
    let mut random = Random::new(7);
    let signs = b" \n\t;(){}[]/\"@$#abc019.,:=+-*<>!&|?";
    let mut texts = vec![
        (0..SIZE).map(|_| random.below(256) as u8).collect::<Vec<u8>>(),
        (0..SIZE).map(|_| signs[random.below(signs.len())]).collect(),
    ];
    let pieces = [
        "\0",
        "(",
        "}",
        "\"",
        "/*",
        "#",
        "#if 1\n",
        "#define A A\n",
        "word\n",
        "@",
        "kprobe:a,",
        "BEGIN { exit() ",
        "macro f(x) { x } ",
        "struct s { ",
        "\r",
    ];
    texts.extend(pieces.map(|piece| piece.repeat(SIZE / piece.len()).into_bytes()));
    texts.push(vec![0xff; SIZE]);
    texts.push(format!("BEGIN {{ $x = 1{}$y = 2; }}", " ".repeat(SIZE)).into_bytes());
    for piece in ["1 / ", "[1", "9", "-"] {
        texts.push(format!("BEGIN {{ $x = {}", piece.repeat(SIZE / piece.len())).into_bytes());
    }
    // Each macro stands for twice as much as the one before.
    let doubled: String = (0..60).map(|row| format!("#define A{row} A{} A{}\n", row + 1, row + 1)).collect();
    texts.push(format!("{doubled}struct s {{ A0 }};\n").into_bytes());
    let chain: String = (0..40_000).map(|row| format!("#define A{row} A{} ;\n", row + 1)).collect();
    texts.push(format!("{chain}struct s {{ A0 }};\n").into_bytes());
    let file = folder.join("text.bt");
    let mut problems = Vec::new();
    for text in texts {
        let (status, said) = once(Kind::Check, &text, &file)?;
        let time = processor_time(&said).unwrap_or(u64::MAX);
        if !status.success() || time > GARBAGE_LIMIT {
            let head: String = String::from_utf8_lossy(&text).chars().take(40).collect();
            problems.push(format!("{head:?}: {time} ms, {status} {said}"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}
