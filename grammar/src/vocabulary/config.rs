//! Settings of the config block and of `BPFTRACE_…` environment variables.

use super::vocabulary;

/// The values that a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// A number.
    Integer {
        /// When not set.
        default: u64,
    },
    /// true or false; `on`, `off`, 1 and 0 in the environment.
    Boolean {
        /// When not set.
        default: bool,
    },
    /// Any text.
    Text {
        /// When not set.
        default: &'static str,
    },
    /// One of these words, compared without regard to case; the first is the default.
    Choice(&'static [&'static str]),
    /// An old setting without effect.
    Ignored,
}

/// What the compiler knows of a setting.
#[derive(Clone, Copy, Debug)]
pub struct ConfigRow {
    /// The key, lower case.
    pub name: &'static str,
    /// Older names; their use is warned of.
    pub renamed_from: &'static [&'static str],
    /// What it takes.
    pub values: ConfigType,
    /// Whether the tool can still change it at start, because it shapes no type and no instruction.
    pub at_load: bool,
    /// One line for help.
    pub doc: &'static str,
}

const fn row(name: &'static str, values: ConfigType, at_load: bool, doc: &'static str) -> ConfigRow {
    ConfigRow { name, renamed_from: &[], values, at_load, doc }
}

const fn integer(default: u64) -> ConfigType {
    ConfigType::Integer { default }
}

const fn boolean(default: bool) -> ConfigType {
    ConfigType::Boolean { default }
}

const UNSTABLE: ConfigType = ConfigType::Choice(&["warn", "enable", "error"]);
const UNSTABLE_OFF: ConfigType = ConfigType::Choice(&["error", "enable", "warn"]);
const LICENSES: ConfigType = ConfigType::Choice(&[
    "GPL",
    "GPL v2",
    "GPL and additional rights",
    "Dual BSD/GPL",
    "Dual MIT/GPL",
    "Dual MPL/GPL",
]);

vocabulary! {
    /// The settings.
    pub enum ConfigKey: ConfigRow {
        CacheUserSymbols => row(
            "cache_user_symbols", ConfigType::Choice(&["PER_PID", "PER_PROGRAM", "NONE"]), true,
            "Whether symbols of processes are kept per process, per program or not at all.");
        CppDemangle => ConfigRow {
            renamed_from: &["no_cpp_demangle"],
            ..row("cpp_demangle", boolean(true), true, "Show C++ names as in the source.")
        };
        LazySymbolication => row(
            "lazy_symbolication", boolean(true), true, "Look user symbols up when printed, not beforehand.");
        License => row("license", LICENSES, false, "The licence that the programs state to the kernel.");
        LogSize => row("log_size", integer(1_000_000), true, "Bytes for the verifier's log.");
        MaxBpfProgs => row("max_bpf_progs", integer(1024), true, "Most BPF programs of one tool.");
        MaxCatBytes => ConfigRow {
            renamed_from: &["cat_bytes_max"],
            ..row("max_cat_bytes", integer(10_240), true, "Most bytes that cat() prints of a file.")
        };
        MaxMapKeys => ConfigRow {
            renamed_from: &["map_keys_max"],
            ..row("max_map_keys", integer(4096), true, "Entries of a map that is not declared.")
        };
        MaxProbes => row("max_probes", integer(1024), true, "Most attach points of one tool.");
        MaxStrlen => ConfigRow {
            renamed_from: &["strlen"],
            ..row("max_strlen", integer(1024), false, "Most bytes that str(), buf() and path() read.")
        };
        MissingProbes => row(
            "missing_probes", ConfigType::Choice(&["error", "warn", "ignore"]), true,
            "What to do when a probe cannot be attached.");
        OnStackLimit => row(
            "on_stack_limit", integer(32), false, "Largest value in bytes that lies on the BPF stack.");
        PerfRbPages => row("perf_rb_pages", integer(0), true, "Pages of the event ring; 0 chooses.");
        PrintMapsOnExit => row("print_maps_on_exit", boolean(true), true, "Print the maps at the end.");
        ShowDebugInfo => row("show_debug_info", boolean(true), true, "Has no effect: stacks show functions, not files and lines.");
        StackMode => row(
            "stack_mode", ConfigType::Choice(&["bpftrace", "perf", "raw", "build_id"]), false,
            "How stacks print.");
        StrTruncTrailer => row(
            "str_trunc_trailer", ConfigType::Text { default: ".." }, true, "Printed after a string that was cut.");
        UnstableDwUstack => row("unstable_dw_ustack", UNSTABLE, false, "Whether dw_ustack() may be used.");
        UnstableImportStatement => row(
            "unstable_import_statement", UNSTABLE_OFF, false, "Whether import may stand inside a block.");
        UnstableTseries => row("unstable_tseries", UNSTABLE, false, "Whether tseries() may be used.");
        UnstableTypeinfo => row("unstable_typeinfo", UNSTABLE_OFF, false, "Whether typeinfo() may be used.");
        UnstableMacro => row("unstable_macro", ConfigType::Ignored, false, "Macros are stable now.");
        UnstableMapDecl => row("unstable_map_decl", ConfigType::Ignored, false, "Map declarations are stable now.");
        UnstableImport => row("unstable_import", ConfigType::Ignored, false, "Imports are stable now.");
        UnstableAddr => row("unstable_addr", ConfigType::Ignored, false, "Addresses of variables are stable now.");
        MaxTypeResIterations => row(
            "max_type_res_iterations", ConfigType::Ignored, false, "Types are resolved until nothing changes.");
        SymbolSource => row("symbol_source", ConfigType::Ignored, false, "Symbols come from where they are found.");
        UseBlazesym => row(
            "use_blazesym", boolean(true), true, "Has one value: there is a single symbolizer.");
    }
}

impl ConfigKey {
    /// The setting of a key as written: case does not matter, a `BPFTRACE_` prefix is optional, and old names count.
    /// The flag tells of an old name.
    #[must_use]
    pub fn lookup(key: &str) -> Option<(Self, bool)> {
        let lower = key.to_ascii_lowercase();
        let bare = lower.strip_prefix("bpftrace_").unwrap_or(&lower);
        let new = Self::ALL.iter().copied().find(|key| key.name() == bare).map(|key| (key, false));
        let old = || {
            Self::ALL
                .iter()
                .copied()
                .find(|key| key.row().renamed_from.contains(&bare))
                .map(|key| (key, true))
        };
        new.or_else(old)
    }

    /// The environment variable that overrides the block.
    #[must_use]
    pub fn environment_variable(self) -> String {
        format!("BPFTRACE_{}", self.name().to_ascii_uppercase())
    }

    /// Every key, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|key| key.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ConfigKey;

    #[test]
    fn keys_are_found_in_every_spelling() {
        assert_eq!(ConfigKey::lookup("BPFTRACE_MAX_STRLEN"), Some((ConfigKey::MaxStrlen, false)));
        assert_eq!(ConfigKey::lookup("Stack_Mode"), Some((ConfigKey::StackMode, false)));
        assert_eq!(ConfigKey::lookup("map_keys_max"), Some((ConfigKey::MaxMapKeys, true)));
        assert_eq!(ConfigKey::lookup("btf"), None);
    }
}
