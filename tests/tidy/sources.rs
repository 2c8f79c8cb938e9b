//! What the source files may hold.

use super::lexer::code_of;
use crate::support::Checked;
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 800;
const LONGEST_FUNCTION: usize = 80;
const LONGEST_ARCHITECTURE_PAGE: usize = 80;

/// The only places of `unsafe`: the door to the kernel, native code in this process, the edge to LLVM, the example of
/// how a user's own program calls native code, and the measure of its speed.
const UNSAFE_FOLDERS: [&str; 5] =
    ["runtime/src/sys", "runtime/src/user", "codegen/src/llvm", "examples/link", "bench/native/calls.rs"];

/// The folders of the compiler whose result depends on their input alone.
const PURE_FOLDERS: [&str; 6] =
    ["runtime/abi/src", "runtime/btf/src", "grammar/src", "frontend/src", "semantic/src", "codegen/src"];

/// Modules of those that touch the machine: they capture a live target, read imported sources, or
/// write the finished tool.
const IMPURE_MODULES: [&str; 1] = ["semantic/src/target/live"];

/// A file of the repository, with its path relative to the root.
struct Source {
    path: String,
    text: String,
}

pub fn files_are_short() -> Checked {
    report(rust().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > LONGEST_FILE).then(|| format!("{}: {lines} lines", source.path))
    }))
}

/// Lines of code, as clippy counts them; but clippy lets a function pass that carries an `allow`.
pub fn functions_are_short() -> Checked {
    report(rust().into_iter().flat_map(|source| {
        let functions = functions(&code_of(&source.text));
        functions.into_iter().filter(|function| function.lines > LONGEST_FUNCTION).map(move |function| {
            format!("{}:{}: a function of {} lines", source.path, function.start, function.lines)
        })
    }))
}

pub fn lint_exceptions_give_a_reason() -> Checked {
    report(rust().into_iter().flat_map(|source| {
        let code = code_of(&source.text);
        let mut found = Vec::new();
        for mark in ["[allow(", "[expect("] {
            for (start, _) in code.match_indices(mark) {
                let attribute = &code[start..];
                let end = attribute.find(")]").unwrap_or(attribute.len());
                if !attribute[..end].contains("reason =") {
                    found.push(format!("{}:{}: no reason", source.path, line_of(&code, start)));
                }
            }
        }
        found
    }))
}

pub fn unsafe_stays_in_its_folders() -> Checked {
    let mut seen_at_home = false;
    let mut strays = Vec::new();
    for source in rust() {
        let code = code_of(&source.text);
        let at_home = UNSAFE_FOLDERS.iter().any(|folder| source.path.starts_with(folder));
        for (start, _) in code.match_indices("unsafe") {
            if !is_word(&code, start, "unsafe") {
                continue;
            }
            seen_at_home |= at_home;
            if !at_home {
                strays.push(format!("{}:{}: unsafe", source.path, line_of(&code, start)));
            }
        }
    }
    report(strays)?;
    if !seen_at_home {
        return Err("no `unsafe` at all: the search is broken or its folders have moved".into());
    }
    Ok(())
}

pub fn compiling_is_pure() -> Checked {
    const OUTSIDE: [&str; 9] = [
        "std::env",
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "std::time",
        "Instant::now",
        "SystemTime",
        "HashMap",
    ];
    for module in IMPURE_MODULES {
        let exists = rust().iter().any(|source| source.path.starts_with(module));
        if !exists {
            return Err(format!("{module} is listed as impure but does not exist").into());
        }
    }
    report(rust().into_iter().flat_map(|source| {
        let pure = PURE_FOLDERS.iter().any(|folder| source.path.starts_with(folder))
            && !source.path.contains("/tests/")
            && !IMPURE_MODULES.iter().any(|module| source.path.starts_with(module));
        let code = if pure { without_tests(&code_of(&source.text)) } else { String::new() };
        let found = OUTSIDE.iter().flat_map(|name| code.match_indices(name).collect::<Vec<_>>());
        let found: Vec<_> = found.map(|(at, name)| (line_of(&code, at), name.to_owned())).collect();
        found.into_iter().map(move |(line, name)| format!("{}:{line}: {name}", source.path))
    }))
}

/// Later stages match on the vocabulary's enums. A name compared as a string shows as an arm or an operand.
pub fn names_stay_in_the_vocabulary() -> Checked {
    let names = vocabulary();
    if names.len() < 40 {
        return Err(format!("only {} names found in the vocabulary", names.len()).into());
    }
    const STAGES: [&str; 5] = ["frontend/src", "semantic/src", "codegen/src", "runtime/src", "shim/src"];
    report(rust().into_iter().flat_map(|source| {
        let in_stage = STAGES.iter().any(|folder| source.path.starts_with(folder));
        let code = if in_stage { without_tests(&source.text) } else { String::new() };
        let mut found = Vec::new();
        for (index, line) in code.lines().enumerate() {
            let compares =
                names.iter().filter(|name| compares_with(line, name) && !is_linked(&source.path, name));
            found.extend(compares.map(|name| format!("{}:{}: \"{name}\"", source.path, index + 1)));
        }
        found
    }))
}

/// Names that object files use too: a section `license`, the C function `memcmp`.
fn is_linked(path: &str, name: &str) -> bool {
    let folders = ["codegen/src/native", "runtime/src/user"];
    folders.iter().any(|folder| path.starts_with(folder)) && ["license", "memcmp"].contains(&name)
}

fn compares_with(line: &str, name: &str) -> bool {
    let literal = format!("\"{name}\"");
    line.match_indices(&literal).any(|(start, _)| {
        let (before, after) = (line[..start].trim_end(), line[start + literal.len()..].trim_start());
        let before = before.trim_end_matches('b');
        after.starts_with("=>")
            || after.starts_with("| \"")
            || before.ends_with("==")
            || before.ends_with("!=")
    })
}

pub fn no_machine_traces() -> Checked {
    let mut traces = vec![concat!("/wo", "rk/").to_owned()];
    // A folder right below the root has a name that any text may have.
    let here = env!("CARGO_MANIFEST_DIR");
    traces.extend((here.matches('/').count() > 1).then(|| here.to_owned()));
    traces.extend(package_hosts());
    report(all_files().into_iter().flat_map(|source| {
        let found = traces.iter().filter(|trace| source.text.contains(trace.as_str()));
        found.map(|trace| format!("{}: {trace}", source.path)).collect::<Vec<_>>()
    }))
}

pub fn architecture_page_is_short() -> Checked {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let lines = page.lines().count();
    if lines >= LONGEST_ARCHITECTURE_PAGE {
        return Err(format!("ARCHITECTURE.md has {lines} lines").into());
    }
    Ok(())
}

/// The hosts this machine installs packages from: a mirror's name says nothing to anyone else.
fn package_hosts() -> Vec<String> {
    let folder = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut hosts = Vec::new();
    for file in folder.map(|entry| entry.path()).chain([PathBuf::from("/etc/apt/sources.list")]) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        for url in text.split("://").skip(1) {
            let host = url.split(['/', ' ', '\n']).next().unwrap_or_default();
            hosts.push(host.to_owned());
        }
    }
    hosts.retain(|host| !host.is_empty());
    hosts
}

/// The names of all rows of the vocabulary.
fn vocabulary() -> Vec<&'static str> {
    use btaot_grammar::vocabulary as v;
    let mut names: Vec<&str> = v::Builtin::names().chain(v::Function::names()).collect();
    names.extend(v::ProbeKind::names().chain(v::MapKind::names()));
    names.extend(v::ConfigKey::names().chain(v::feature::names()));
    names.extend(v::SoftwareEvent::names().chain(v::HardwareEvent::names()));
    // Aliases of one or two letters stand for other things as well, such as the types of symbols.
    names.retain(|name| name.len() > 2);
    names.sort_unstable();
    names.dedup();
    names
}

/// A function found by its indentation: rustfmt closes it with a brace in the column of its `fn`.
struct Function {
    start: usize,
    lines: usize,
}

fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if !is_function(line.trim_start()) {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let rest = &lines[index..];
        let end = rest.iter().position(|line| **line == closing);
        let open = rest.iter().position(|line| line.ends_with('{'));
        // A declaration without a body ends in `;` before any brace.
        let semicolon = rest.iter().position(|line| line.ends_with(';'));
        if let (Some(open), Some(end)) = (open, end)
            && open < end
            && semicolon.is_none_or(|semicolon| open < semicolon)
        {
            let lines = rest[open + 1..end].iter().filter(|line| !line.is_empty()).count();
            found.push(Function { start: index + 1, lines });
        }
    }
    found
}

fn is_function(line: &str) -> bool {
    let words = line.split_whitespace();
    let mut rest = words.skip_while(|word| {
        word.starts_with("pub") || ["const", "unsafe", "extern", "async", "\"C\""].contains(word)
    });
    rest.next() == Some("fn")
}

/// The text before its unit tests, which may do what the code may not.
fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn is_word(text: &str, start: usize, word: &str) -> bool {
    let part = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    !part(text[..start].chars().next_back()) && !part(text[start + word.len()..].chars().next())
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn rust() -> Vec<Source> {
    let mut sources = all_files();
    sources.retain(|source| source.path.ends_with(".rs") || source.path.ends_with(".pest"));
    assert!(sources.len() > 10, "the search for sources is broken");
    sources
}

/// The text files below the root, but for what cargo and git keep there.
fn all_files() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            // Only at the root: a module may be called `target` too.
            let at_root = path.parent() == Some(root());
            if at_root && ["target", ".git", "Cargo.lock"].iter().any(|skipped| name == *skipped) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root()).unwrap_or(&path);
                found.push(Source { path: path.to_string_lossy().into_owned(), text });
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn report(problems: impl IntoIterator<Item = String>) -> Checked {
    let problems: Vec<String> = problems.into_iter().collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}
