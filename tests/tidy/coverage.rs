//! Every row of the vocabulary is exercised by a script whose output is compared.

use crate::support::Checked;
use btaot_grammar::vocabulary::{Builtin, ConfigKey, ConfigType, Function, MapKind, ProbeKind};
use std::path::{Path, PathBuf};

/// Folders with scripts that are run, and whose output is compared.
const RUN: [&str; 5] = ["tests/run", "tests/kernels", "tests/peer", "tests/live", "tests/native"];
/// Folders with scripts of which the messages are compared.
const CHECKED: [&str; 1] = ["tests/ui"];

/// Rows that no script runs, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("dw_ustack", "is refused: unwinding by tables takes copies of whole stacks"),
    ("unstable_dw_ustack", "is about dw_ustack()"),
    ("cpp_demangle", "is a matter of the symbolizer, which has unit tests"),
];

/// Settings that only give a warning.
const WITHOUT_EFFECT: [ConfigKey; 8] = [
    ConfigKey::CacheUserSymbols,
    ConfigKey::LazySymbolication,
    ConfigKey::LogSize,
    ConfigKey::MaxBpfProgs,
    ConfigKey::MaxProbes,
    ConfigKey::OnStackLimit,
    ConfigKey::ShowDebugInfo,
    ConfigKey::UseBlazesym,
];

/// Fails for a row that neither a script nor an exception names.
pub fn every_row_is_exercised() -> Checked {
    let run = texts(&RUN)?;
    let both = format!("{run}{}", texts(&CHECKED)?);
    let mut missing = Vec::new();
    let mut expect = |what: &str, name: &str, text: &str| {
        if !mentions(text, name) && !EXCEPTIONS.iter().any(|(exception, _)| *exception == name) {
            missing.push(format!("no script exercises the {what} `{name}`"));
        }
    };
    for row in Function::ALL {
        expect("function", row.name(), &run);
    }
    for row in Builtin::ALL {
        let name = match row {
            Builtin::Arg(number) => format!("arg{number}"),
            // Messages say what became of it.
            Builtin::StackArg(_) => continue,
            other => other.name().to_owned(),
        };
        expect("builtin", &name, &run);
    }
    for row in MapKind::ALL {
        expect("map type", row.name(), &run);
    }
    for row in ProbeKind::ALL {
        expect("probe kind", row.name(), &run);
    }
    for key in ConfigKey::ALL {
        let ignored = matches!(key.row().values, ConfigType::Ignored) || WITHOUT_EFFECT.contains(key);
        expect("setting", key.name(), if ignored { &both } else { &run });
    }
    for (name, reason) in EXCEPTIONS {
        if reason.is_empty() {
            missing.push(format!("the exception `{name}` has no reason"));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}

/// The texts of all scripts in folders, without their comments.
fn texts(folders: &[&str]) -> Result<String, std::io::Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    let mut pending: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path
                .extension()
                .is_some_and(|ending| ["bt", "jsonl", "rs"].iter().any(|e| ending == *e))
            {
                let content = std::fs::read_to_string(&path)?;
                let lines = content.lines().filter(|line| !line.trim_start().starts_with("//"));
                lines.for_each(|line| text.extend([line, "\n"]));
            }
        }
    }
    Ok(text)
}

/// Whether a name stands in a text as a word.
fn mentions(text: &str, name: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text.match_indices(name).any(|(at, _)| {
        let bytes = text.as_bytes();
        !is_word(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !is_word(bytes.get(at + name.len()))
    })
}
