//! `#include`: asks the C compiler of this machine what the headers define.
//!
//! The compiler is only needed by scripts with an `#include`. It is given the headers and, for each name of the script,
//! the question whether that is a type or a constant; lines that it rejects are taken out, and the rest comes back as
//! BTF. Nothing is written to a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use btaot_btf::{Btf, Def, Kind};
use btaot_frontend::ast::{CItem, Script};
use btaot_frontend::diagnostic::{Code, Diagnostic};
use btaot_frontend::{Sources, Span};
use btaot_semantic::{Headers, Target};

use crate::cli::Includes;

/// Names of the compiler, best first: those without a version are what the user wants.
const COMPILERS: [&str; 8] =
    ["clang", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14", "clang-20"];
/// Rounds of asking: each makes types complete that the one before only named.
const ROUNDS: usize = 4;
/// Begins the names that the questions use.
const OURS: &str = "__btaot_";

/// An `#include` of a script.
struct Include {
    path: String,
    system: bool,
    span: Span,
}

impl Include {
    fn operand(&self) -> String {
        let (open, close) = if self.system { ('<', '>') } else { ('"', '"') };
        format!("{open}{}{close}", self.path)
    }
}

/// Reads the headers of a script; their constants become `#define`s in front of its own definitions.
pub fn read(
    script: &mut Script,
    sources: &mut Sources,
    folder: &Path,
    options: &Includes,
    target: &Target,
) -> (Option<Headers>, Vec<Diagnostic>) {
    let includes: Vec<Include> = script.c_items.iter().filter_map(include).collect();
    if includes.is_empty() && options.files.is_empty() {
        return (None, Vec::new());
    }
    let kernel_types = target.has_kernel_types();
    let Some(clang) = Clang::find(folder, options) else {
        let message = "reading a header needs clang, and there is none on this machine";
        let say = |include: &Include| {
            unread(include, kernel_types, message, "install clang, or define the types in the script")
        };
        return (None, includes.iter().map(say).collect());
    };
    let mut question = Question::new(&includes, &options.files, sources);
    let macros = clang.macros(&question.preamble);
    let mut diagnostics = Vec::new();
    for (index, include) in includes.iter().enumerate() {
        if macros.contains_key(&format!("{OURS}missing_{index}")) {
            let message = format!("there is no header `{}` on this machine", include.path);
            diagnostics.push(unread(include, kernel_types, &message, "name its folder with -I DIR"));
        }
    }
    match question.ask(&clang) {
        Ok(btf) => {
            let texts = defines(&btf, &macros, &question);
            let file = sources.add("<headers>", texts);
            if let Ok(headers) = btaot_frontend::parse(sources.get(file)) {
                script.c_items.splice(0..0, headers.c_items);
            }
            (Some(Headers { btf }), diagnostics)
        }
        Err(problem) => {
            if let Some(first) = includes.first() {
                let message = format!("clang cannot read the headers: {problem}");
                diagnostics.push(unread(
                    first,
                    kernel_types,
                    &message,
                    "name folders that they need with -I DIR",
                ));
            }
            (None, diagnostics)
        }
    }
}

fn include(item: &CItem) -> Option<Include> {
    match item {
        CItem::Include { path, system, span } => {
            Some(Include { path: String::from_utf8_lossy(path).into_owned(), system: *system, span: *span })
        }
        _ => None,
    }
}

/// A header that was not read. Types of the kernel are known without its headers.
fn unread(include: &Include, kernel_types: bool, message: &str, hint: &str) -> Diagnostic {
    if include.system && kernel_types {
        return Diagnostic::note(Code::MissingInclude, include.span, message)
            .with_note("types of the kernel come from its BTF; constants of the header are not known");
    }
    Diagnostic::error(Code::MissingInclude, include.span, message).with_hint(hint)
}

/// The compiler and its options.
pub struct Clang {
    program: &'static str,
    options: Vec<String>,
}

impl Clang {
    /// Looks for the compiler; it finds quoted headers in `folder`.
    pub fn find(folder: &Path, includes: &Includes) -> Option<Self> {
        let works = |program: &&str| {
            let output = Command::new(program).arg("--version").stderr(Stdio::null()).output();
            output.is_ok_and(|output| output.status.success())
        };
        let program = COMPILERS.into_iter().find(works)?;
        let mut options: Vec<String> =
            ["-x", "c", "-target", "bpf", "-D__x86_64__", "-w", "-ferror-limit=0"].map(String::from).to_vec();
        let mut flag = |flag: &str, path: &Path| options.push(format!("{flag}{}", path.display()));
        // A file without a folder lies in the current one; the option would take its neighbour for the folder.
        flag("-iquote", if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        includes.folders.iter().for_each(|folder| flag("-I", folder));
        // Debian keeps headers of an architecture in a folder of their own.
        flag("-idirafter", Path::new("/usr/include/x86_64-linux-gnu"));
        kernel_folders().iter().for_each(|folder| flag("-idirafter", folder));
        Some(Self { program, options })
    }

    /// Runs it on a text. The error says why it did not even start.
    pub fn run(&self, arguments: &[&str], text: &str) -> Result<Output, String> {
        let mut child = Command::new(self.program)
            .args(&self.options)
            .args(arguments)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program))?;
        let input = child.stdin.take();
        let text = text.to_owned();
        let writer = thread::spawn(move || input.map(|mut input| input.write_all(text.as_bytes())));
        let output = child.wait_with_output().map_err(|error| format!("{}: {error}", self.program))?;
        // A compiler that stops early closes its input, which its own messages explain.
        let _ = writer.join();
        Ok(output)
    }

    /// All macros without parameters that the headers leave defined.
    fn macros(&self, text: &str) -> BTreeMap<String, String> {
        let Ok(output) = self.run(&["-E", "-dM"], text) else { return BTreeMap::new() };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let entry = |line: &str| {
            let rest = line.strip_prefix("#define ")?;
            let (name, body) = rest.split_once(' ').unwrap_or((rest, ""));
            (!name.contains('(')).then(|| (name.to_owned(), body.to_owned()))
        };
        text.lines().filter_map(entry).collect()
    }
}

/// Headers of the running kernel, where the distribution installed them.
fn kernel_folders() -> Vec<PathBuf> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = Path::new("/lib/modules").join(release.trim());
    let roots = ["build", "source"].map(|name| modules.join(name));
    let parts = [
        "include",
        "arch/x86/include",
        "arch/x86/include/generated",
        "include/uapi",
        "arch/x86/include/uapi",
        "arch/x86/include/generated/uapi",
        "include/generated/uapi",
    ];
    let folders = roots.iter().flat_map(|root| parts.map(|part| root.join(part)));
    folders.filter(|folder| folder.is_dir()).collect()
}

/// What the compiler is asked: the headers, and a line for each name.
struct Question {
    preamble: String,
    names: BTreeSet<String>,
    tags: BTreeSet<(String, String)>,
    rejected: BTreeSet<String>,
}

impl Question {
    fn new(includes: &[Include], files: &[PathBuf], sources: &Sources) -> Self {
        let mut preamble = String::new();
        for file in files {
            preamble.push_str(&format!("#include \"{}\"\n", file.display()));
        }
        for (index, include) in includes.iter().enumerate() {
            let operand = include.operand();
            preamble.push_str(&format!(
                "#if __has_include({operand})\n#include {operand}\n#else\n#define {OURS}missing_{index} 1\n#endif\n"
            ));
        }
        let (mut names, mut tags) = (BTreeSet::new(), BTreeSet::new());
        for source in sources.iter() {
            let text = String::from_utf8_lossy(source.bytes()).into_owned();
            let words = words(&text);
            for pair in words.windows(2) {
                if ["struct", "union", "enum"].contains(&pair[0]) {
                    tags.insert((pair[0].to_owned(), pair[1].to_owned()));
                }
            }
            names.extend(words.into_iter().map(str::to_owned));
        }
        Self { preamble, names, tags, rejected: BTreeSet::new() }
    }

    /// BTF of what the compiler knows of the names.
    fn ask(&mut self, clang: &Clang) -> Result<Vec<u8>, String> {
        let mut found = Err("it answers nothing".to_owned());
        for _ in 0..ROUNDS {
            self.reject(clang)?;
            let (text, _) = self.text();
            let output = clang.run(&["-g", "-O0", "-c", "-o", "-"], &text)?;
            if !output.status.success() {
                return Err(first_line(&output.stderr));
            }
            // Without any type of theirs there is none.
            let btf = section(&output.stdout).unwrap_or_default();
            let more = self.incomplete(&btf);
            found = Ok(btf);
            if !more {
                break;
            }
        }
        found
    }

    /// The text, and the name that each line of it asks for.
    fn text(&self) -> (String, Vec<(usize, String)>) {
        let mut text = self.preamble.clone();
        let mut lines = Vec::new();
        let mut line = text.lines().count();
        let mut ask = |key: String, question: String, text: &mut String| {
            if !self.rejected.contains(&key) {
                line += 1;
                lines.push((line, key));
                text.push_str(&question);
                text.push('\n');
            }
        };
        for (index, (tag, name)) in self.tags.iter().enumerate() {
            ask(format!("{tag} {name}"), format!("{tag} {name} *{OURS}g{index};"), &mut text);
        }
        for (index, name) in self.names.iter().enumerate() {
            ask(
                format!("type {name}"),
                format!("typedef {name} {OURS}p{index}; {name} *{OURS}t{index};"),
                &mut text,
            );
            let constant = format!("enum {OURS}e{index} {{ {OURS}c_{name} = ({name}) }} {OURS}v{index};");
            ask(format!("constant {name}"), constant, &mut text);
        }
        (text, lines)
    }

    /// Takes the lines out that mean nothing.
    fn reject(&mut self, clang: &Clang) -> Result<(), String> {
        let (text, lines) = self.text();
        let output = clang.run(&["-fsyntax-only"], &text)?;
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        let wrong = |message: &str| -> Option<usize> {
            let rest = message.strip_prefix("<stdin>:")?;
            rest.contains("error:").then(|| rest.split(':').next()?.parse().ok()).flatten()
        };
        let wrong: BTreeSet<usize> = messages.lines().filter_map(wrong).collect();
        self.rejected.extend(lines.into_iter().filter(|(line, _)| wrong.contains(line)).map(|(_, key)| key));
        Ok(())
    }

    /// Adds types that are only named so far; says whether there are any.
    fn incomplete(&mut self, btf: &[u8]) -> bool {
        let Ok(types) = Btf::scan(btf, None) else { return false };
        let before = self.tags.len();
        for id in types.own_ids() {
            if let Def::Fwd { union } = types.def(id) {
                let tag = if union { "union" } else { "struct" };
                self.tags.insert((tag.to_owned(), types.name(id).to_owned()));
            }
        }
        self.tags.len() != before
    }
}

/// `#define`s for what the script's names stand for in the headers.
fn defines(btf: &[u8], macros: &BTreeMap<String, String>, question: &Question) -> String {
    let mut text = String::new();
    let prefix = format!("{OURS}c_");
    if let Ok(types) = Btf::scan(btf, None) {
        for id in types.own_ids().filter(|id| matches!(types.kind(*id), Kind::Enum | Kind::Enum64)) {
            let Def::Enum { values, .. } = types.def(id) else { continue };
            for value in values {
                if let Some(name) = value.name.strip_prefix(&prefix)
                    && macros.contains_key(name)
                {
                    text.push_str(&format!("#define {name} {}\n", value.value));
                }
            }
        }
    }
    for name in &question.names {
        if let Some(body) = macros.get(name).filter(|body| body.starts_with('"')) {
            text.push_str(&format!("#define {name} {body}\n"));
        }
    }
    text
}

fn words(text: &str) -> Vec<&str> {
    let is_word = |word: &&str| word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(is_word).collect()
}

/// The first error among a compiler's messages.
pub fn first_line(messages: &[u8]) -> String {
    let text = String::from_utf8_lossy(messages).into_owned();
    let line = text.lines().find(|line| line.contains("error:"));
    line.map_or_else(|| "it fails without a message".to_owned(), |line| line.trim().to_owned())
}

/// The BTF of an object.
pub fn section(object: &[u8]) -> Option<Vec<u8>> {
    use object::{Object, ObjectSection};
    let file = object::File::parse(object).ok()?;
    let section = file.section_by_name(".BTF")?;
    Some(section.data().ok()?.to_vec())
}
