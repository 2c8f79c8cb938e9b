//! `#include`: asks the C compiler of this machine what the headers define.
//!
//! The compiler is only needed by scripts with an `#include`. It is given the headers and, for each name of the script,
//! the question whether that is a type or a constant; lines that it rejects are taken out, and the rest comes back as
//! BTF. Nothing is written to a disk.
//!
//! Headers of the kernel are read as the kernel reads them when they are installed. Otherwise types of the kernel
//! come from its BTF, and constants from the C library, whose values are the kernel's.

mod answer;
mod clang;
mod places;
mod question;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use btaot_btf::{Btf, Kind};
use btaot_frontend::ast::{CItem, Script};
use btaot_frontend::diagnostic::{Code, Diagnostic};
use btaot_frontend::{Sources, Span};
use btaot_semantic::{Headers, Target};

use crate::cli::Includes;
pub use clang::{Clang, Dialect, section};
pub use places::Places;

use answer::Answer;
use question::{Known, Question, Words};

/// Begins the names that the questions use.
const OURS: &str = "__btaot_";

/// Headers of the C library with numbers of the kernel's interface. Kernel headers of the same purpose define other
/// things too, but cannot be read together with them.
const LIBRARY: [&str; 12] = [
    "errno.h",
    "fcntl.h",
    "limits.h",
    "netinet/in.h",
    "netinet/tcp.h",
    "poll.h",
    "sched.h",
    "signal.h",
    "sys/mman.h",
    "sys/socket.h",
    "sys/stat.h",
    "sys/wait.h",
];

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
    let includes = includes(script, sources, options);
    if includes.is_empty() {
        return (None, Vec::new());
    }
    let kernel_types = target.has_kernel_types();
    let Some(clang) = Clang::find(options.clang.as_deref(), target.arch()) else {
        let (message, hint) = match &options.clang {
            None => (
                "reading a header needs clang, and there is none on this machine".to_owned(),
                "install clang, name it with --clang PROGRAM, or define the types in the script",
            ),
            Some(program) => (
                format!("reading a header needs clang, and `{}` does not run", program.display()),
                "give --clang the path of a clang that runs here",
            ),
        };
        let missing = includes.iter().map(Include::operand).collect();
        let diagnostics =
            includes.iter().map(|include| unread(include, kernel_types, &message, hint)).collect();
        return (Some(Headers { missing, ..Headers::default() }), diagnostics);
    };
    let places = Places::new(folder, options, target.arch());
    let words = Words::of(sources);
    let kernel = target.kernel_btf().and_then(|btf| Btf::scan(btf, None).ok());
    let known = |kind: Kind, name: &str| kernel.as_ref().is_some_and(|btf| btf.find(kind, name).is_some());
    let reader = Reader { clang, places, words, known: &known };
    match reader.read(&includes) {
        Ok(answer) => {
            let diagnostics = answer.missing.iter().map(|index| {
                let include = &includes[*index];
                let message = format!("there is no header `{}` on this machine", include.path);
                unread(include, kernel_types, &message, "name its folder with -I DIR")
            });
            let mut diagnostics: Vec<Diagnostic> = diagnostics.collect();
            if let (Some(problem), Some(first)) = (answer.problem, includes.first()) {
                let message = format!("clang cannot read the kernel's headers: {problem}");
                let note = Diagnostic::note(Code::MissingInclude, first.span, message);
                diagnostics.push(note.with_note("headers are read as programs see them"));
            }
            let missing = answer.missing.iter().map(|index| includes[*index].operand()).collect();
            let file = sources.add("<headers>", answer.defines);
            if let Ok(headers) = btaot_frontend::parse(sources.get(file)) {
                script.c_items.splice(0..0, headers.c_items);
            }
            (Some(Headers { missing, ..answer.headers }), diagnostics)
        }
        Err(problem) => {
            let message = format!("clang cannot read the headers: {problem}");
            let hint = "name folders that they need with -I DIR";
            let missing = includes.iter().map(Include::operand).collect();
            let diagnostics = includes
                .first()
                .map(|first| unread(first, kernel_types, &message, hint))
                .into_iter()
                .collect();
            (Some(Headers { missing, ..Headers::default() }), diagnostics)
        }
    }
}

/// What reading takes.
struct Reader<'k> {
    clang: Clang,
    places: Places,
    words: Words,
    known: &'k Known<'k>,
}

impl Reader<'_> {
    /// Reads headers as the kernel does, when its headers are here and that works, or else as programs do.
    fn read(&self, includes: &[Include]) -> Result<Answer, String> {
        let mut problem = None;
        if self.places.has_kernel() {
            match self.read_as(Dialect::Kernel, includes) {
                Ok(answer) => return Ok(answer),
                Err(error) => problem = Some(error),
            }
        }
        let mut answer = self.read_as(Dialect::Program, includes)?;
        answer.problem = problem;
        let shared = |include: &&Include| include.system && include.path.starts_with("linux/");
        let shared = includes.iter().enumerate().filter(|(_, include)| shared(include));
        answer.headers.partial = shared
            .filter(|(index, _)| !answer.missing.contains(index))
            .map(|(_, include)| include.operand())
            .collect();
        if includes.iter().any(|include| include.system) {
            answer.complete(self.library());
        }
        Ok(answer)
    }

    fn read_as(&self, dialect: Dialect, includes: &[Include]) -> Result<Answer, String> {
        let clang = self.clang.speaking(dialect, &self.places);
        let mut preamble = String::new();
        for (index, include) in includes.iter().enumerate() {
            let operand = include.operand();
            preamble.push_str(&format!(
                "#if __has_include({operand})\n#include {operand}\n#else\n#define {OURS}missing_{index} 1\n#endif\n"
            ));
        }
        let macros = clang.macros(&preamble)?;
        let is_missing = |index: &usize| macros.contains_key(&format!("{OURS}missing_{index}"));
        let missing = (0..includes.len()).filter(is_missing).collect();
        let found = Question::new(preamble, self.words.clone()).ask(&clang, self.known)?;
        Ok(Answer::new(found, &macros, &self.words, &self.places, missing))
    }

    /// Numbers of the kernel's interface, as the C library has them.
    fn library(&self) -> BTreeMap<String, i128> {
        let clang = self.clang.speaking(Dialect::Program, &self.places);
        let include = |name: &str| format!("#if __has_include(<{name}>)\n#include <{name}>\n#endif\n");
        let includes: String = LIBRARY.iter().map(|name| include(name)).collect();
        let preamble = format!("#define _GNU_SOURCE\n{includes}");
        let Ok(macros) = clang.macros(&preamble) else { return BTreeMap::new() };
        let words = self.words.constants_of(&macros);
        match Question::new(preamble, words).ask(&clang, self.known) {
            Ok(found) => answer::constants(&found.btf).into_iter().collect(),
            Err(_) => BTreeMap::new(),
        }
    }
}

/// The headers of a script, after those of the command line.
fn includes(script: &Script, sources: &mut Sources, options: &Includes) -> Vec<Include> {
    let mut found = Vec::new();
    if !options.files.is_empty() {
        let lines: String =
            options.files.iter().map(|file| format!("#include \"{}\"\n", file.display())).collect();
        let file = sources.add("<command line>", lines);
        let mut start = 0;
        for path in &options.files {
            let path = path.display().to_string();
            let end = start + path.len() + "#include \"\"".len();
            found.push(Include { path, system: false, span: Span::new(file, start, end) });
            start = end + 1;
        }
    }
    for item in &script.c_items {
        if let CItem::Include { path, system, span } = item {
            let path = String::from_utf8_lossy(path).into_owned();
            let path = if *system { path } else { beside(&path, sources.get(span.file).name()) };
            found.push(Include { path, system: *system, span: *span });
        }
    }
    found
}

/// A header next to the file that names it, or else the name as it is.
fn beside(path: &str, file: &str) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let found: PathBuf = folder.join(path);
    match found.is_file() {
        true => found.display().to_string(),
        false => path.to_owned(),
    }
}

/// A header that was not read. Types of the kernel are known without its headers.
fn unread(include: &Include, kernel_types: bool, message: &str, hint: &str) -> Diagnostic {
    if include.system && kernel_types {
        return Diagnostic::note(Code::MissingInclude, include.span, message).with_note(
            "types of the kernel come from its BTF, constants from the C library as far as that has them",
        );
    }
    Diagnostic::error(Code::MissingInclude, include.span, message).with_hint(hint)
}
