//! Formatting never changes what a script compiles to.
//!
//! Every script of the repository and every recorded program is compiled as it stands and formatted. The objects and the
//! metadata must have the same bytes, but for the places in the script, which are the only thing that may move; a script
//! that is rejected must be rejected for the same reasons.

use crate::fuzz::corpus;
use crate::support::{policy, text};
use btaot_codegen::bpf;
use btaot_frontend::format::format;
use btaot_frontend::{NoFiles, Sources, load};
use btaot_semantic::{Options, Target, analyze};
use libtest_mimic::Trial;
use object::{Object, ObjectSection};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Tests between which the texts are divided, so that they use all processors.
const SHARES: usize = 8;

/// The tests.
pub fn trials() -> Vec<Trial> {
    let texts = Arc::new(corpus::texts());
    let trial = |share: usize| {
        let texts = Arc::clone(&texts);
        policy::trial(format!("format::same_program_{share}"), [], move || {
            let share = texts.iter().enumerate().filter(|(number, _)| number % SHARES == share);
            let compared = share.filter_map(|(_, text)| same_program(text).transpose());
            let compiled = compared.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|compiled| *compiled);
            // Fewer would mean that something else keeps the scripts from being compiled.
            let count = compiled.count();
            if count < 30 { Err(format!("only {count} programs were compiled").into()) } else { Ok(()) }
        })
    };
    (0..SHARES).map(trial).collect()
}

/// Whether the script was compiled; `None` when it is laid out as usual or is no script.
fn same_program(script: &[u8]) -> Result<Option<bool>, String> {
    let mut sources = Sources::new();
    let file = sources.add("script.bt", script);
    let formatted = match format(sources.get(file)) {
        Ok(formatted) if formatted != script => formatted,
        _ => return Ok(None),
    };
    let (before, after) = (compile(script), compile(&formatted));
    if before != after {
        return Err(format!("{}\n{}", String::from_utf8_lossy(script), difference(&before, &after)));
    }
    Ok(Some(matches!(before, Outcome::Compiled { .. })))
}

/// Where two outcomes differ.
fn difference(before: &Outcome, after: &Outcome) -> String {
    let (
        Outcome::Compiled { sections, metadata },
        Outcome::Compiled { sections: new, metadata: new_metadata },
    ) = (before, after)
    else {
        let show = |outcome: &Outcome| match outcome {
            Outcome::Compiled { .. } => "compiled".to_owned(),
            other => format!("{other:#?}"),
        };
        return format!("--- as it stands\n{}\n--- formatted\n{}", show(before), show(after));
    };
    let changed = sections.iter().filter(|section| !new.contains(section)).map(|(name, _)| name.as_str());
    let mut lines = vec![format!("sections that differ: {}", changed.collect::<Vec<_>>().join(", "))];
    lines.extend(
        text::expect_equal("metadata", &format!("{metadata:#}\n"), &format!("{new_metadata:#}\n")).err(),
    );
    lines.join("\n")
}

/// What became of a script, without places.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The codes and messages of what is wrong.
    Rejected(Vec<(&'static str, String)>),
    /// Right, but a part cannot be compiled yet: the codes of the warnings.
    Checked(Vec<(&'static str, String)>),
    /// The sections of the object and the metadata.
    Compiled { sections: Vec<(String, Vec<u8>)>, metadata: Value },
}

fn compile(text: &[u8]) -> Outcome {
    thread_local!(static TARGET: Target = Target::live());
    TARGET.with(|target| compile_for(text, target))
}

fn compile_for(text: &[u8], target: &Target) -> Outcome {
    let mut sources = Sources::new();
    let file = sources.add("script.bt", text);
    let found = load(file, Path::new("script.bt"), &mut sources, &NoFiles).and_then(|loaded| {
        analyze(&loaded.script, &sources, target, None, &Options { allow_unsafe: true, one_process: false })
    });
    let messages = |found: Vec<btaot_frontend::Diagnostic>| -> Vec<_> {
        found.into_iter().map(|found| (found.code.number(), found.message)).collect()
    };
    let analysis = match found {
        Ok(analysis) if analysis.later.is_empty() => analysis,
        Ok(analysis) => return Outcome::Checked(messages(analysis.warnings)),
        Err(problems) => return Outcome::Rejected(messages(problems)),
    };
    // Without the text of the script, which the kernel shows beside the bytecode.
    match bpf::compile(&analysis.program, &bpf::Options::new(target.arch())) {
        Ok(compiled) => {
            let mut metadata = serde_json::to_value(&compiled.metadata).expect("it is written into tools");
            blank_places(&mut metadata);
            Outcome::Compiled { sections: sections(&compiled.object), metadata }
        }
        Err(error) => Outcome::Rejected(vec![("codegen", error.to_string())]),
    }
}

/// Sets every line and column to zero.
fn blank_places(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if ["line", "column", "end_column"].contains(&name.as_str()) {
                    *value = Value::from(0);
                } else {
                    blank_places(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(blank_places),
        _ => {}
    }
}

/// What of the object is not line information.
fn sections(object: &[u8]) -> Vec<(String, Vec<u8>)> {
    let file = object::File::parse(object).expect("the compiler's own object");
    let section = |section: object::Section| {
        let name = String::from_utf8_lossy(section.name_bytes().unwrap_or_default()).into_owned();
        let bytes = section.data().unwrap_or_default();
        match name.as_str() {
            ".BTF.ext" => (name, without_lines(bytes)),
            _ => (name, bytes.to_vec()),
        }
    };
    // These relocations speak of the line information as well.
    file.sections().map(section).filter(|(name, _)| name != ".rel.BTF.ext").collect()
}

/// Takes out the line information. LLVM gives an instruction that stands for two others their line if it is the same, and
/// none if not; so there may be more or less of it. The header has the offset and length of functions, lines and
/// relocations (Documentation/bpf/btf.rst).
fn without_lines(bytes: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let header = word(4);
    let part = |at: usize| &bytes[header + word(at)..header + word(at) + word(at + 4)];
    let relocations = if header >= 32 { part(24) } else { &[] };
    [part(8), relocations].concat()
}
