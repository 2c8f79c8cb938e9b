//! What bpftrace takes from the environment. Only `btaot exec` does so too: what is compiled to a file follows from the
//! command line alone.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use btaot_frontend::ast::{Config, ConfigEntry, ConfigValue, Name, Script};
use btaot_frontend::{FileId, Span};
use btaot_grammar::vocabulary::{ConfigKey, ConfigType};
use btaot_semantic::target::KernelBtf;

use crate::failure::Failure;
use crate::kernel_types;

/// Words for the two values of a setting that is on or off.
const WORDS: [(&str, bool); 8] = [
    ("1", true),
    ("true", true),
    ("on", true),
    ("yes", true),
    ("0", false),
    ("false", false),
    ("off", false),
    ("no", false),
];

/// A setting and its value.
pub type Setting = (ConfigKey, ConfigValue);

/// The settings that the environment has: `BPFTRACE_MAX_STRLEN` and its like.
///
/// # Errors
/// A value that is not of the setting's type.
pub fn settings() -> Result<Vec<Setting>, Failure> {
    let mut found = Vec::new();
    for key in ConfigKey::ALL.iter().copied() {
        let name = key.environment_variable();
        let Some(value) = env::var_os(&name) else { continue };
        let text = value.to_string_lossy().into_owned();
        let bad = |expected: &str| Failure::Environment(format!("{name}: `{text}` is not {expected}"));
        let value = match key.row().values {
            ConfigType::Integer { .. } => {
                text.parse().map(ConfigValue::Int).map_err(|_| bad("an integer"))?
            }
            ConfigType::Boolean { .. } => {
                let lower = text.to_ascii_lowercase();
                let word = WORDS.iter().find(|(word, _)| *word == lower);
                word.map(|(_, value)| ConfigValue::Bool(*value)).ok_or_else(|| bad("true or false"))?
            }
            ConfigType::Text { .. } => ConfigValue::Str(value.as_bytes().to_vec()),
            ConfigType::Choice(words) => {
                let known = words.iter().any(|word| word.eq_ignore_ascii_case(&text));
                let value = known.then(|| ConfigValue::Word(text.clone()));
                value.ok_or_else(|| bad(&format!("one of {}", words.join(", "))))?
            }
            ConfigType::Ignored => continue,
        };
        found.push((key, value));
    }
    Ok(found)
}

/// The script with these settings instead of its own.
pub fn with_settings(mut script: Script, settings: &[Setting], file: FileId) -> Script {
    if settings.is_empty() {
        return script;
    }
    let span = Span::new(file, 0, 0);
    let config = script.config.get_or_insert(Config { entries: Vec::new(), span });
    for (key, value) in settings {
        config
            .entries
            .retain(|entry| ConfigKey::lookup(&entry.key.text).is_none_or(|(other, _)| other != *key));
        let key = Name { text: key.name().to_owned(), span };
        config.entries.push(ConfigEntry { key, value: value.clone(), value_span: span });
    }
    script
}

/// The types that `BPFTRACE_BTF` names, to be used instead of the running kernel's.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn kernel_types() -> Result<Option<KernelBtf>, Failure> {
    env::var_os("BPFTRACE_BTF").map(|path| kernel_types::read(Path::new(&path))).transpose()
}

/// The words of `BPFTRACE_COLOR`.
const COLOR: &str = "BPFTRACE_COLOR";

/// Whether messages are colored: on a terminal, unless `BPFTRACE_COLOR` says otherwise, or `NO_COLOR` is set
/// (https://no-color.org).
pub fn colored(is_terminal: bool) -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    match env::var_os(COLOR).as_deref().and_then(OsStr::to_str) {
        Some("always") => true,
        Some("never") => false,
        _ => is_terminal && !is_set("NO_COLOR"),
    }
}

/// What is to be said of variables that change nothing.
pub fn warnings() -> Vec<String> {
    let mut found = Vec::new();
    if let Some(value) = env::var_os(COLOR)
        && !["auto", "always", "never"].iter().any(|known| value == *known)
    {
        found.push(format!("{COLOR}: `{}` is not auto, always or never; it counts as auto", value.display()));
    }
    if env::var_os("BPFTRACE_VMLINUX").is_some() {
        found.push(
            "BPFTRACE_VMLINUX has no effect: the kernel itself checks the offsets of kprobes".to_owned(),
        );
    }
    found
}

/// The kernel's source tree that `BPFTRACE_KERNEL_SOURCE` and `BPFTRACE_KERNEL_BUILD` name.
pub fn kernel_headers() -> Vec<PathBuf> {
    let names = ["BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD"];
    names.iter().filter_map(env::var_os).map(PathBuf::from).collect()
}
