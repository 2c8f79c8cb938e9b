//! The `config` block.

use btaot_abi::Bytes;
use btaot_abi::metadata::{Config, MissingProbes};
use btaot_frontend::ast::{self, ConfigEntry, ConfigValue};
use btaot_frontend::{Code, Diagnostic};
use indexmap::IndexMap;

use btaot_grammar::vocabulary::{ConfigKey, ConfigType, StackMode as StackWord};

use crate::probes::did_you_mean;
use crate::types::StackMode;
use crate::value::Literal;

/// The settings, with those that only the compiler needs.
pub(crate) struct Settings {
    /// What the tool keeps.
    pub config: Config,
    /// How stacks print when the script does not say.
    pub stack_mode: StackMode,
    /// All of them, as `config` shows them.
    pub values: IndexMap<ConfigKey, Literal>,
    /// Settings that are right, but that the tool does not obey yet.
    pub later: Vec<Diagnostic>,
}

/// Whether a feature that may still change can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unstable {
    /// Without a word.
    Enabled,
    /// With a warning.
    Warned,
    /// Not.
    Refused,
}

impl Settings {
    /// What a setting says of its feature.
    pub fn unstable(&self, key: ConfigKey) -> Unstable {
        match self.values.get(&key) {
            Some(Literal::Str(word)) if word == b"enable" => Unstable::Enabled,
            Some(Literal::Str(word)) if word == b"warn" => Unstable::Warned,
            _ => Unstable::Refused,
        }
    }
}

/// The value of a setting after its type was checked.
enum Setting {
    Integer(u64),
    Boolean(bool),
    Text(Vec<u8>),
    Choice(usize),
}

/// Reads the block of a script.
pub(crate) fn read(block: Option<&ast::Config>, diagnostics: &mut Vec<Diagnostic>) -> Settings {
    let values = ConfigKey::ALL.iter().filter_map(|key| Some((*key, default_of(*key)?))).collect();
    let mut settings =
        Settings { config: defaults(), stack_mode: StackMode::default(), values, later: Vec::new() };
    for entry in block.into_iter().flat_map(|block| &block.entries) {
        if let Err(problem) = apply(&mut settings, entry, diagnostics) {
            diagnostics.push(*problem);
        }
    }
    settings
}

/// What a setting is when the script does not say.
fn default_of(key: ConfigKey) -> Option<Literal> {
    match key.row().values {
        ConfigType::Integer { default } => Some(Literal::Int(default)),
        ConfigType::Boolean { default } => Some(Literal::Bool(default)),
        ConfigType::Text { default } => Some(Literal::Str(default.into())),
        ConfigType::Choice(words) => words.first().map(|word| Literal::Str((*word).into())),
        ConfigType::Ignored => None,
    }
}

/// The literal that a setting is.
fn literal_of(key: ConfigKey, setting: &Setting) -> Literal {
    match (setting, key.row().values) {
        (Setting::Integer(value), _) => Literal::Int(*value),
        (Setting::Boolean(value), _) => Literal::Bool(*value),
        (Setting::Text(text), _) => Literal::Str(text.clone()),
        (Setting::Choice(index), ConfigType::Choice(words)) => {
            Literal::Str(words.get(*index).copied().unwrap_or_default().into())
        }
        (Setting::Choice(_), _) => Literal::Str(Vec::new()),
    }
}

fn defaults() -> Config {
    Config {
        max_strlen: 1024,
        str_trunc_trailer: Bytes::from(".."),
        max_map_keys: 4096,
        print_maps_on_exit: true,
        demangle: true,
        ring_pages: None,
        max_cat_bytes: 10_240,
        missing_probes: MissingProbes::default(),
        license: Bytes::from("GPL"),
    }
}

fn apply(
    settings: &mut Settings,
    entry: &ConfigEntry,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Box<Diagnostic>> {
    let span = entry.key.span;
    let Some((key, renamed)) = ConfigKey::lookup(&entry.key.text) else {
        let message = format!("there is no setting `{}`", entry.key.text);
        let hint = did_you_mean(&entry.key.text.to_ascii_lowercase(), ConfigKey::names());
        return Err(Box::new(Diagnostic::error(Code::UnknownConfigKey, span, message).with_hint_opt(hint)));
    };
    let name = key.name();
    if renamed {
        let message = format!("`{}` is now called `{name}`", entry.key.text);
        diagnostics.push(Diagnostic::warning(Code::Deprecated, span, message));
    }
    let setting = check(key, entry)?;
    let literal = setting.as_ref().map(|setting| literal_of(key, setting));
    if let Some(literal) = &literal {
        settings.values.insert(key, literal.clone());
    }
    let config = &mut settings.config;
    match (key, setting) {
        (
            ConfigKey::UnstableDwUstack
            | ConfigKey::UnstableImportStatement
            | ConfigKey::UnstableTseries
            | ConfigKey::UnstableTypeinfo,
            Some(_),
        ) => {}
        (ConfigKey::License, Some(_)) => {
            if let Some(Literal::Str(license)) = literal {
                config.license = license.into();
            }
        }
        (ConfigKey::ShowDebugInfo, Some(Setting::Boolean(false))) => {}
        (ConfigKey::ShowDebugInfo, Some(_)) => {
            let message = format!("`{name}` has no effect: stacks show functions, not files and lines");
            diagnostics.push(Diagnostic::warning(Code::Deprecated, span, message));
        }
        (ConfigKey::MaxStrlen, Some(Setting::Integer(size))) => {
            config.max_strlen = in_range(entry, size, 1, u64::from(u32::MAX))?;
        }
        (ConfigKey::MaxMapKeys, Some(Setting::Integer(keys))) => {
            config.max_map_keys = in_range(entry, keys, 1, u64::from(u32::MAX))?;
        }
        (ConfigKey::PerfRbPages, Some(Setting::Integer(pages))) => {
            config.ring_pages = Some(in_range(entry, pages, 0, 1 << 20)?).filter(|pages| *pages != 0);
        }
        (ConfigKey::MaxCatBytes, Some(Setting::Integer(bytes))) => config.max_cat_bytes = bytes,
        (ConfigKey::PrintMapsOnExit, Some(Setting::Boolean(value))) => config.print_maps_on_exit = value,
        (ConfigKey::CppDemangle, Some(Setting::Boolean(value))) => config.demangle = value,
        (ConfigKey::StrTruncTrailer, Some(Setting::Text(text))) => config.str_trunc_trailer = text.into(),
        (ConfigKey::MissingProbes, Some(Setting::Choice(index))) => {
            let policies = [MissingProbes::Error, MissingProbes::Warn, MissingProbes::Ignore];
            config.missing_probes = policies.get(index).copied().unwrap_or_default();
        }
        (ConfigKey::StackMode, Some(Setting::Choice(index))) => {
            settings.stack_mode = stack_mode(*StackWord::ALL.get(index).unwrap_or(&StackWord::Bpftrace));
        }
        (
            ConfigKey::OnStackLimit
            | ConfigKey::LogSize
            | ConfigKey::MaxBpfProgs
            | ConfigKey::MaxProbes
            | ConfigKey::UseBlazesym
            | ConfigKey::CacheUserSymbols
            | ConfigKey::LazySymbolication,
            _,
        ) => {
            let message = format!("`{name}` has no effect: tools choose this by themselves");
            diagnostics.push(Diagnostic::warning(Code::Deprecated, span, message));
        }
        (_, None) => {
            let message = format!("`{name}` has no effect any more");
            diagnostics.push(Diagnostic::warning(Code::Deprecated, span, message));
        }
        (_, Some(_)) => {
            let message = format!("the setting `{name}` is not obeyed yet");
            settings.later.push(Diagnostic::error(Code::NotSupportedYet, span, message));
        }
    }
    Ok(())
}

/// Checks a value against the type of its key; `None` for keys without a meaning.
fn check(key: ConfigKey, entry: &ConfigEntry) -> Result<Option<Setting>, Box<Diagnostic>> {
    let bad = |expected: String| {
        let message = format!("`{}` takes {expected}", key.name());
        let error = Diagnostic::error(Code::BadConfigValue, entry.key.span, message);
        Box::new(error.with_secondary(entry.value_span, "not this"))
    };
    let word = || match &entry.value {
        ConfigValue::Str(text) => Some(String::from_utf8_lossy(text).into_owned()),
        ConfigValue::Word(word) => Some(word.clone()),
        ConfigValue::Int(_) | ConfigValue::Bool(_) => None,
    };
    match (key.row().values, &entry.value) {
        (ConfigType::Ignored, _) => Ok(None),
        (ConfigType::Integer { .. }, ConfigValue::Int(value)) => Ok(Some(Setting::Integer(*value))),
        (ConfigType::Integer { .. }, _) => Err(bad("an integer".into())),
        (ConfigType::Boolean { .. }, ConfigValue::Bool(value)) => Ok(Some(Setting::Boolean(*value))),
        (ConfigType::Boolean { .. }, ConfigValue::Int(value @ (0 | 1))) => {
            Ok(Some(Setting::Boolean(*value == 1)))
        }
        (ConfigType::Boolean { .. }, _) => Err(bad("true or false".into())),
        (ConfigType::Text { .. }, ConfigValue::Str(text)) => Ok(Some(Setting::Text(text.clone()))),
        (ConfigType::Text { .. }, ConfigValue::Word(word)) => {
            Ok(Some(Setting::Text(word.clone().into_bytes())))
        }
        (ConfigType::Text { .. }, ConfigValue::Int(value)) => {
            Ok(Some(Setting::Text(value.to_string().into_bytes())))
        }
        (ConfigType::Text { .. }, ConfigValue::Bool(_)) => Err(bad("a text".into())),
        (ConfigType::Choice(choices), _) => {
            let given = word();
            let same = |choice: &&str| given.as_ref().is_some_and(|word| word.eq_ignore_ascii_case(choice));
            match choices.iter().position(same) {
                Some(index) => Ok(Some(Setting::Choice(index))),
                None => Err(bad(format!("one of {}", choices.join(", ")))),
            }
        }
    }
}

fn in_range(entry: &ConfigEntry, value: u64, least: u64, most: u64) -> Result<u32, Box<Diagnostic>> {
    let fits = u32::try_from(value).ok().filter(|_| (least..=most).contains(&value));
    fits.ok_or_else(|| {
        let message = format!("`{}` must be from {least} to {most}", entry.key.text);
        let error = Diagnostic::error(Code::BadConfigValue, entry.key.span, message);
        Box::new(error.with_secondary(entry.value_span, format!("this is {value}")))
    })
}

/// The mode of a word.
pub(crate) fn stack_mode(word: StackWord) -> StackMode {
    match word {
        StackWord::Bpftrace => StackMode::Bpftrace,
        StackWord::Perf => StackMode::Perf,
        StackWord::Raw => StackMode::Raw,
        StackWord::BuildId => StackMode::BuildId,
    }
}
