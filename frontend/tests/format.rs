//! The formatter over every script of the repository and every recorded program.

use std::path::Path;

use btaot_frontend::format::{FormatError, format};
use btaot_frontend::{FileId, Source, parse, text};
use btaot_grammar::vocabulary::{Builtin, Function, MapKind, ProbeKind};
use serde_json::Value;

fn source(text: impl Into<Vec<u8>>) -> Source {
    Source::new(FileId(0), "script.bt", text)
}

/// Formats a script that parses, and checks what must hold of every result.
fn formatted(name: &str, text: &[u8]) -> Option<Vec<u8>> {
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let once = match format(&source(text)) {
        Ok(once) => once,
        Err(FormatError::Rejected(_)) => return None,
        Err(FormatError::Defect) => panic!("{name}: not formatted:\n{}", show(text)),
    };
    match format(&source(once.clone())) {
        Ok(twice) => assert_eq!(show(&twice), show(&once), "{name}: not stable:\n{}", show(text)),
        Err(error) => panic!("{name}: the result is not formatted: {error:?}\n{}", show(&once)),
    }
    for line in once.split(|byte| *byte == b'\n') {
        assert_eq!(line, line.trim_ascii_end(), "{name}: white space at the end of a line:\n{}", show(&once));
    }
    Some(once)
}

/// The programs of the data file and the vocabulary.
fn programs() -> Vec<(String, String)> {
    let mut programs = Vec::new();
    for line in include_str!("data/peer.jsonl").lines() {
        let record: Value = serde_json::from_str(line).expect("the data file holds JSON");
        let field = |name: &str| record[name].as_str().expect("id and program").to_owned();
        programs.push((field("id"), field("program")));
    }
    let mut example = |name: &str, text: &str| programs.push((name.to_owned(), text.to_owned()));
    Builtin::ALL.iter().for_each(|builtin| example(builtin.name(), builtin.row().example));
    Function::ALL.iter().for_each(|function| example(function.name(), function.row().example));
    MapKind::ALL.iter().for_each(|kind| example(kind.name(), kind.row().example));
    ProbeKind::ALL.iter().for_each(|kind| example(kind.name(), kind.row().example));
    programs
}

/// The scripts below the repository's root.
fn scripts() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "bt") {
                found.push((path.display().to_string(), std::fs::read(&path).expect("a script")));
            }
        }
    }
    found
}

#[test]
fn every_recorded_program_stays_the_same_program() {
    let count = programs().iter().filter_map(|(id, program)| formatted(id, program.as_bytes())).count();
    assert!(count > 900, "only {count} programs");
}

#[test]
fn every_script_keeps_its_comments() {
    let scripts = scripts();
    assert!(scripts.len() > 50, "only {} scripts", scripts.len());
    for (name, text) in scripts {
        if let Some(result) = formatted(&name, &text) {
            assert_eq!(comments(&text), comments(&result), "{name}");
        }
    }
}

/// The texts of the comments, sorted. Quotes are the only thing that can hide the beginning of one.
fn comments(text: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end = match rest {
            [b'"', ..] => {
                let mut length = 1;
                while length < rest.len() && rest[length] != b'"' {
                    length += if rest[length] == b'\\' { 2 } else { 1 };
                }
                at += length + 1;
                continue;
            }
            [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => rest.windows(2).position(|pair| pair == b"*/").expect("an end") + 2,
            _ => {
                at += 1;
                continue;
            }
        };
        let lines = rest[..end].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        found.push(lines.collect::<Vec<_>>().join(&b'\n'));
        at += end;
    }
    found.sort();
    found
}

/// Numbers that look random and are the same in each run: the generator of `MINSTD`.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        usize::try_from(self.0).unwrap_or(0) % limit.max(1)
    }
}

/// What is put where white space stands; `#` becomes a number.
const FILLINGS: &[&str] = &[
    " // c#c\n",
    "\n// c#c\n",
    " /* c#c */ ",
    "/* c#c */\n",
    "\n\n\n/* c#c */\n\n",
    " /* a\n   * c#c */ ",
    " /* a\n   c#c */\n",
    "\n",
    "\n\n\n",
    "\r\n",
    "\t",
];

#[test]
fn comments_anywhere_are_kept() {
    let mut random = Random(20_261);
    let mut tried = 0;
    for (id, program) in programs() {
        let Ok(plain) = parse(&source(program.clone())) else { continue };
        let shape = text::shape(&plain);
        for _ in 0..ROUNDS {
            let mut mutant = String::new();
            let mut number = 0;
            for piece in program.chars() {
                let chosen = random.below(3) == 0;
                match piece {
                    ' ' | '\n' if chosen => {
                        let filling = FILLINGS[random.below(FILLINGS.len())];
                        mutant.push_str(&filling.replace('#', &number.to_string()));
                        number += usize::from(filling.contains('#'));
                    }
                    ';' | ',' | ')' | '{' | '(' if chosen && random.below(4) == 0 => {
                        mutant.push_str(&format!(" /* c{number}c */ {piece}"));
                        number += 1;
                    }
                    _ => mutant.push(piece),
                }
            }
            let same = parse(&source(mutant.clone())).is_ok_and(|script| text::shape(&script) == shape);
            if !same {
                continue;
            }
            tried += 1;
            let result = formatted(&id, mutant.as_bytes()).expect("a script that parses");
            let result = String::from_utf8_lossy(&result);
            for number in 0..number {
                let marker = format!("c{number}c");
                let (before, after) = (mutant.matches(&marker).count(), result.matches(&marker).count());
                assert_eq!(before, after, "{id}: comment {number}:\n{mutant}\n---\n{result}");
            }
        }
    }
    assert!(tried > 1_000, "only {tried} programs were tried");
}

/// Variants of each program.
const ROUNDS: usize = 3;

/// Texts and how they are laid out.
const LAYOUTS: &[(&str, &str)] = &[
    ("", ""),
    ("\u{feff}#!/bin/x\nbegin{exit()}", "#!/bin/x\nbegin { exit(); }\n"),
    ("#!/bin/x\n// y\nend{$a=1;$b=2}", "#!/bin/x\n// y\nend {\n  $a = 1;\n  $b = 2;\n}\n"),
    ("begin{exit()}", "begin { exit(); }\n"),
    ("begin { $a=1;print($a) }", "begin {\n  $a = 1;\n  print($a);\n}\n"),
    ("begin\n{\nexit();\n\n\n// last\n}", "begin {\n  exit();\n\n  // last\n}\n"),
    // Attach points on several lines give predicate and brace a line of their own.
    ("kprobe:a,kprobe:b /pid==1/{@=count()}", "kprobe:a, kprobe:b /pid == 1/ { @ = count(); }\n"),
    ("kprobe:a,\nkprobe:b, /pid==1/{@=count()}", "kprobe:a,\nkprobe:b\n/pid == 1/\n{\n  @ = count();\n}\n"),
    // Tokens that would join stay apart.
    (
        "k:f / *$1 == 2/ { print(- -1); print(& &$x); }",
        "k:f / *$1 == 2/ {\n  print(- -1);\n  print(& &$x);\n}\n",
    ),
    // A comment behind the last argument waits for the end of the statement, if that is all that follows.
    ("end{f(1//a\n)}", "end {\n  f(1); //a\n}\n"),
    ("end{f(1//a\n);g()}", "end {\n  f(1); //a\n  g();\n}\n"),
    ("end{f(1//a\n)//b\n}", "end {\n  f(1 //a\n  ); //b\n}\n"),
    // Only a comma that makes a tuple stays.
    ("begin{print((1,));print((1,2,))}", "begin {\n  print((1,));\n  print((1, 2));\n}\n"),
    // The value of a block stays one.
    (
        "macro f(x){x+1}begin{$y={let $z=f(2);$z};}",
        "macro f(x) { x + 1 }\n\nbegin {\n  $y = {\n    let $z = f(2);\n    $z\n  };\n}\n",
    ),
    (
        "begin { if(1){exit()}else if 2{exit()} else{};}",
        "begin {\n  if (1) { exit(); } else if 2 { exit(); } else {}\n}\n",
    ),
    // Items of several lines have an empty line around them, and comments stay with what they describe.
    (
        "// head\nbegin{exit()}\n// more\nend{$a=1;\n$b=2}// tail",
        "// head\nbegin { exit(); }\n\n// more\nend {\n  $a = 1;\n  $b = 2;\n} // tail\n",
    ),
    ("begin { f(1, // one\n2); /* b */ exit() }", "begin {\n  f(1, // one\n    2);\n  /* b */ exit();\n}\n"),
    (
        "#define A 1 \\\r\n  + 2\r\nstruct s {\r\nint a;};\r\nend{}",
        "#define A 1 \\\n  + 2\nstruct s {\n  int a;};\nend {}\n",
    ),
    ("config={max_strlen=64;stack_mode=perf}", "config = {\n  max_strlen = 64;\n  stack_mode = perf;\n}\n"),
    ("fn add($a:int64,$b : struct x*):void{return}", "fn add($a: int64, $b: struct x *): void { return; }\n"),
    (
        "begin{for($i:0..5){print($i)}while(1){break}}",
        "begin {\n  for ($i : 0..5) { print($i); }\n  while (1) { break; }\n}\n",
    ),
    // A comment that moves behind the statement breaks no line of it.
    ("begin { 1 ? (2) : ( // x\n); }", "begin {\n  1 ? (2) : (); // x\n}\n"),
];

#[test]
fn layouts_are_as_written_here() {
    for (text, expected) in LAYOUTS {
        let result = formatted(text, text.as_bytes()).expect("a script");
        assert_eq!(String::from_utf8_lossy(&result), *expected, "{text}");
    }
}

#[test]
fn long_lines_break_at_commas_and_at_the_weakest_operators() {
    let word = "a".repeat(40);
    let text = format!("begin {{ f(\"{word}\", {word}, 1, 2); $x = {word} * 2 + {word} * 3 - {word}; }}");
    let expected = format!(
        "begin {{\n  f(\"{word}\", {word}, 1, 2);\n  $x = {word} * 2 +\n    {word} * 3 -\n    {word};\n}}\n"
    );
    assert_eq!(String::from_utf8_lossy(&formatted("long", text.as_bytes()).expect("a script")), expected);
    let text = format!("begin {{ f(\"{word}\", {word}, {word}); }}");
    let expected = format!("begin {{\n  f(\"{word}\", {word},\n    {word});\n}}\n");
    assert_eq!(String::from_utf8_lossy(&formatted("long", text.as_bytes()).expect("a script")), expected);
}

#[test]
fn deep_nesting_is_formatted() {
    for (open, inner, close) in
        [("(", "1", ")"), ("f(", "1", ")"), ("{ ", "1", " }"), ("- ", "1", ""), ("1 ? ", "1", " : 1")]
    {
        let text = format!("begin {{ $a = {}{inner}{}; }}", open.repeat(200), close.repeat(200));
        assert!(formatted(open, text.as_bytes()).is_some(), "{open}");
    }
}

#[test]
fn bytes_that_are_not_utf8_stay() {
    let result = formatted("bytes", b"begin{print(\"\xff\xc3\xa9\")} // \xfe").expect("a script");
    assert_eq!(result, b"begin { print(\"\xff\xc3\xa9\"); } // \xfe\n");
}
