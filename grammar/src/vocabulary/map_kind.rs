//! Kinds of maps that a script may ask for by `let @m = kind(entries);`.

use super::vocabulary;

/// What the compiler knows of a map kind.
#[derive(Clone, Copy, Debug)]
pub struct MapKindRow {
    /// The word in a declaration.
    pub name: &'static str,
    /// The kernel's `bpf_map_type` (linux/bpf.h).
    pub map_type: u32,
    /// One value per CPU.
    pub per_cpu: bool,
    /// Whether the declaration must state the number of entries.
    pub sized: bool,
    /// One line for help.
    pub doc: &'static str,
    /// A program.
    pub example: &'static str,
}

vocabulary! {
    /// The kinds of maps.
    pub enum MapKind: MapKindRow {
        Hash => MapKindRow {
            name: "hash", map_type: 1, per_cpu: false, sized: true,
            doc: "A hash table shared by all CPUs.",
            example: "let @m = hash(100); begin { @m[1] = 1; }",
        };
        LruHash => MapKindRow {
            name: "lruhash", map_type: 9, per_cpu: false, sized: true,
            doc: "A hash table that drops entries not used for long when it is full.",
            example: "let @m = lruhash(100); begin { @m[1] = 1; }",
        };
        PerCpuHash => MapKindRow {
            name: "percpuhash", map_type: 5, per_cpu: true, sized: true,
            doc: "A hash table with one value per CPU; the value of an aggregation.",
            example: "let @m = percpuhash(100); begin { @m[1] = count(); }",
        };
        PerCpuLruHash => MapKindRow {
            name: "percpulruhash", map_type: 10, per_cpu: true, sized: true,
            doc: "One value per CPU, and entries not used for long are dropped when it is full.",
            example: "let @m = percpulruhash(100); begin { @m[1] = count(); }",
        };
        PerCpuArray => MapKindRow {
            name: "percpuarray", map_type: 6, per_cpu: true, sized: true,
            doc: "One value per CPU without a key.",
            example: "let @m = percpuarray(1); begin { @m = count(); }",
        };
    }
}

impl MapKind {
    /// The kind of this word.
    #[must_use]
    pub fn lookup(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Every word, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|kind| kind.name())
    }
}
