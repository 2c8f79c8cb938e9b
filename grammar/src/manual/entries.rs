//! From rows to entries.

use super::describe;
use crate::vocabulary::feature::FEATURES;
use crate::vocabulary::{
    Builtin, BuiltinType, ClockMode, ConfigKey, ConfigType, Function, FunctionGroup, HardwareEvent, MapKind,
    Need, PerfEventRow, PidMode, ProbeKind, SeriesAggregation, SoftwareEvent, StackMode,
};

/// Where an entry stands in the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapter {
    /// Probe types.
    Probes,
    /// Names with a value.
    Builtins,
    /// Functions, by what they are for.
    Functions(FunctionGroup),
    /// Kinds of maps.
    MapKinds,
    /// Settings.
    Settings,
    /// Events of `software` probes.
    SoftwareEvents,
    /// Events of `hardware` probes.
    HardwareEvents,
    /// Named types.
    Types,
    /// Words that choose how a stack prints.
    StackModes,
    /// Words that choose a clock.
    ClockModes,
    /// Words that choose a PID namespace.
    PidModes,
    /// Words that choose what a time series keeps.
    SeriesAggregations,
    /// Words of `--feature`.
    Features,
}

/// One name and all that is said of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands.
    pub chapter: Chapter,
    /// The canonical name.
    pub name: &'static str,
    /// Other names for the same thing.
    pub aliases: Vec<&'static str>,
    /// How it is written.
    pub forms: Vec<String>,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// What else is to be known: a heading and a text.
    pub facts: Vec<(&'static str, String)>,
    /// A program that uses it; empty when there is none to show.
    pub example: String,
}

impl Entry {
    fn new(chapter: Chapter, name: &'static str, doc: &'static str) -> Self {
        Self {
            chapter,
            name,
            aliases: Vec::new(),
            forms: Vec::new(),
            doc,
            facts: Vec::new(),
            example: String::new(),
        }
    }

    fn fact(mut self, heading: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.facts.push((heading, text));
        }
        self
    }
}

/// All entries, in the order of the reference.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let mut all: Vec<Entry> = ProbeKind::ALL.iter().map(|kind| probe(*kind)).collect();
    all.extend(Builtin::ALL.iter().map(|builtin| self::builtin(*builtin)));
    all.extend(Function::ALL.iter().map(|function| self::function(*function)));
    all.extend(MapKind::ALL.iter().map(|kind| map_kind(*kind)));
    all.extend(ConfigKey::ALL.iter().map(|key| setting(*key)));
    all.extend(SoftwareEvent::ALL.iter().map(|event| software_event(*event)));
    all.extend(HardwareEvent::ALL.iter().map(|event| hardware_event(*event)));
    all.extend(BuiltinType::ALL.iter().map(|ty| type_name(*ty)));
    all.extend(modes());
    all.extend(features());
    all
}

pub(super) fn probe(kind: ProbeKind) -> Entry {
    let row = kind.row();
    let patterns = if row.wildcard {
        "`*`, `?` and `[…]` match names on the host where the tool runs"
    } else {
        "none"
    };
    let memory = if row.user_memory { "user space, unless marked otherwise" } else { "" };
    let same = kind.name() == row.type_name;
    let mut entry = Entry::new(Chapter::Probes, row.name, row.doc)
        .fact("Patterns", patterns)
        .fact("Pointers lead to", memory)
        .fact("Kernels", describe::kernels(row.since))
        .fact("`probetype` says", if same { String::new() } else { format!("`{}`", row.type_name) });
    entry.aliases = row.aliases.to_vec();
    entry.forms = row.forms.iter().map(|form| (*form).to_owned()).collect();
    row.example.clone_into(&mut entry.example);
    entry
}

pub(super) fn builtin(builtin: Builtin) -> Entry {
    let row = builtin.row();
    let mut entry = Entry::new(Chapter::Builtins, row.name, row.doc)
        .fact("Value", describe::value(row.value))
        .fact("Probes", describe::probes(row.probes))
        .fact("Known", describe::known(row.known))
        .fact("Kernels", describe::kernels(row.since));
    entry.aliases = row.aliases.to_vec();
    entry.forms = vec![row.name.to_owned()];
    row.example.clone_into(&mut entry.example);
    entry
}

pub(super) fn function(function: Function) -> Entry {
    let row = function.row();
    let parameter = |param: &crate::vocabulary::Param| {
        let need = match param.need {
            Need::Required => "",
            Need::Optional => ", may be left out",
            Need::Repeated => ", any number of times",
        };
        format!("`{}`: {}{need}", param.name, describe::parameter(param.kind))
    };
    let parameters: Vec<_> = row.params.iter().map(parameter).collect();
    let mut entry = Entry::new(Chapter::Functions(row.group), row.name, row.doc)
        .fact("Parameters", parameters.join("; "))
        .fact("Value", describe::value(row.value))
        .fact("Probes", describe::probes(row.probes))
        .fact("Known", describe::known(row.known))
        .fact("Safety", describe::safety(row.safety))
        .fact("Kernels", describe::kernels(row.since));
    entry.forms = vec![row.signature()];
    row.example.clone_into(&mut entry.example);
    entry
}

pub(super) fn map_kind(kind: MapKind) -> Entry {
    let row = kind.row();
    let values = if row.per_cpu { "one per CPU" } else { "shared by all CPUs" };
    let mut entry = Entry::new(Chapter::MapKinds, row.name, row.doc)
        .fact("Values", values)
        .fact("Kernel's map type", format!("{} (`enum bpf_map_type`)", row.map_type));
    entry.forms = vec![format!("let @name = {}({});", row.name, if row.sized { "ENTRIES" } else { "" })];
    row.example.clone_into(&mut entry.example);
    entry
}

pub(super) fn setting(key: ConfigKey) -> Entry {
    let row = key.row();
    let (values, value) = match row.values {
        ConfigType::Integer { default } => (format!("a number; {default} by default"), default.to_string()),
        ConfigType::Boolean { default } => {
            (format!("`true` or `false`; `{default}` by default"), default.to_string())
        }
        ConfigType::Text { default } => {
            (format!("text; `\"{default}\"` by default"), format!("\"{default}\""))
        }
        ConfigType::Choice(words) => {
            let word = |word: &&str| format!("`{word}`");
            let list: Vec<_> = words.iter().map(word).collect();
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let plain = words[0].bytes().all(is_word);
            let value = if plain { words[0].to_owned() } else { format!("\"{}\"", words[0]) };
            (format!("{}; the first by default", list.join(", ")), value)
        }
        ConfigType::Ignored => ("anything; it has no effect".to_owned(), "1".to_owned()),
    };
    let changes = if row.at_load {
        "the environment variable can change it"
    } else {
        "fixed: it shapes what is compiled"
    };
    let mut entry = Entry::new(Chapter::Settings, row.name, row.doc)
        .fact("Values", values)
        .fact("Environment", format!("`{}`", key.environment_variable()));
    if row.values != ConfigType::Ignored {
        entry = entry.fact("At start", changes);
    }
    entry.aliases = row.renamed_from.to_vec();
    entry.forms = vec![format!("config = {{ {} = VALUE }}", row.name)];
    entry.example = format!("config = {{ {} = {value} }} begin {{ exit(); }}", row.name);
    entry
}

pub(super) fn software_event(event: SoftwareEvent) -> Entry {
    perf_event(Chapter::SoftwareEvents, ProbeKind::Software, event.row())
}

pub(super) fn hardware_event(event: HardwareEvent) -> Entry {
    perf_event(Chapter::HardwareEvents, ProbeKind::Hardware, event.row())
}

fn perf_event(chapter: Chapter, probe: ProbeKind, row: &'static PerfEventRow) -> Entry {
    let mut entry = Entry::new(chapter, row.name, row.doc)
        .fact("Fires", format!("once in {} by default", row.default_count))
        .fact("`perf_event_attr.config`", row.config.to_string());
    entry.aliases = [row.alias].into_iter().filter(|alias| *alias != row.name).collect();
    entry.forms = vec![format!("{}:{}[:COUNT]", probe.name(), row.name)];
    entry.example = format!("{}:{}:{} {{ @[comm] = count(); }}", probe.name(), row.name, row.default_count);
    entry
}

pub(super) fn type_name(ty: BuiltinType) -> Entry {
    let row = ty.row();
    let size = if row.size == 0 { String::new() } else { format!("{} bytes", row.size) };
    let mut entry = Entry::new(Chapter::Types, row.name, row.doc).fact("Size", size);
    entry.aliases = row.aliases.to_vec();
    entry
}

pub(super) fn modes() -> Vec<Entry> {
    let mut all = Vec::new();
    let mut mode = |chapter, name, doc, form: &str| {
        let mut entry = Entry::new(chapter, name, doc);
        entry.forms = vec![form.replace('#', name)];
        all.push(entry);
    };
    for word in StackMode::ALL {
        mode(Chapter::StackModes, word.name(), word.row().doc, "kstack(#)");
    }
    for word in ClockMode::ALL {
        mode(Chapter::ClockModes, word.name(), word.row().doc, "nsecs(#)");
    }
    for word in PidMode::ALL {
        mode(Chapter::PidModes, word.name(), word.row().doc, "pid(#)");
    }
    for word in SeriesAggregation::ALL {
        mode(
            Chapter::SeriesAggregations,
            word.name(),
            word.row().doc,
            "tseries(value, interval, count, \"#\")",
        );
    }
    all
}

pub(super) fn features() -> Vec<Entry> {
    let entry = |row: &'static crate::vocabulary::feature::FeatureRow| {
        let (major, minor) = row.since;
        let mut entry = Entry::new(Chapter::Features, row.name, row.doc)
            .fact("Kernels", format!("Linux {major}.{minor} and later"));
        entry.forms = vec![format!("--feature +{}", row.name), format!("--feature -{}", row.name)];
        entry
    };
    FEATURES.iter().map(entry).collect()
}
