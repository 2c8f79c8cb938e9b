//! Entries by name.

use super::entries::{self, Entry};
use crate::vocabulary::{
    Builtin, BuiltinType, ConfigKey, Function, HardwareEvent, MapKind, ProbeKind, SoftwareEvent,
};

/// All entries of a name, an alias, an attach point (`kprobe:f`) or a call (`print()`); some names have several.
#[must_use]
pub fn lookup(name: &str) -> Vec<Entry> {
    let (head, is_attach_point) = match name.split_once(':') {
        Some((provider, _)) => (provider, true),
        None => (name.split_once('(').map_or(name, |(callee, _)| callee), false),
    };
    let mut found: Vec<Entry> = ProbeKind::lookup(head).map(entries::probe).into_iter().collect();
    if is_attach_point {
        return found;
    }
    found.extend(Builtin::lookup(head).map(entries::builtin));
    found.extend(Function::lookup(head).map(entries::function));
    found.extend(MapKind::lookup(head).map(entries::map_kind));
    found.extend(ConfigKey::lookup(head).map(|(key, _)| entries::setting(key)));
    found.extend(SoftwareEvent::lookup(head).map(entries::software_event));
    found.extend(HardwareEvent::lookup(head).map(entries::hardware_event));
    found.extend(BuiltinType::lookup(head).map(entries::type_name));
    found.extend(entries::modes().into_iter().filter(|entry| entry.name == head));
    found.extend(entries::features().into_iter().filter(|entry| entry.name == head));
    found
}

/// Every name that [`lookup`] knows, each once, sorted.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for entry in entries::entries() {
        names.push(entry.name);
        names.extend(entry.aliases);
    }
    // C's names of several words are of no use on a command line.
    names.retain(|name| !name.contains(' '));
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::{lookup, names};
    use crate::manual::Chapter;

    #[test]
    fn every_name_has_an_entry() {
        for name in names() {
            // The form of the numbered builtins stands for them.
            let name =
                if let Some(stem) = name.strip_suffix('N') { format!("{stem}0") } else { name.to_owned() };
            assert!(!lookup(&name).is_empty(), "{name}");
        }
    }

    #[test]
    fn one_name_may_have_several_entries() {
        let chapters = |name: &str| -> Vec<_> { lookup(name).iter().map(|entry| entry.chapter).collect() };
        assert_eq!(chapters("uprobe:/bin/sh:main"), [Chapter::Probes]);
        assert_eq!(chapters("BEGIN"), [Chapter::Probes]);
        assert_eq!(chapters("arg3"), [Chapter::Builtins]);
        assert_eq!(chapters("pid").len(), 2);
        assert_eq!(chapters("BPFTRACE_MAX_STRLEN"), [Chapter::Settings]);
        assert_eq!(chapters("nothing"), []);
    }
}
