//! The slots of a tool's native code: what is known only where the tool runs (`btaot_abi::code`).

use super::object::Place;
use btaot_abi::code::Slot;
use indexmap::IndexSet;
use std::collections::BTreeSet;

/// The symbol of a slot, before its number.
const PREFIX: &str = "__btaot_slot_";

/// The slots of a module, numbered by first use.
#[derive(Debug, Default)]
pub(super) struct Slots<'u> {
    core: Option<&'u BTreeSet<Place>>,
    all: IndexSet<Slot>,
}

impl<'u> Slots<'u> {
    /// No slots yet. `core` are the instructions with CO-RE relocations.
    pub fn new(core: &'u BTreeSet<Place>) -> Self {
        Self { core: Some(core), all: IndexSet::new() }
    }

    /// Whether an instruction has a CO-RE relocation.
    pub fn is_load_time(&self, place: Place) -> bool {
        self.core.is_some_and(|core| core.contains(&place))
    }

    /// The symbol of a slot.
    pub fn symbol(&mut self, slot: Slot) -> String {
        format!("{PREFIX}{}", self.all.insert_full(slot).0)
    }

    /// The slot of a symbol.
    pub fn of_symbol(&self, symbol: &str) -> Option<&Slot> {
        self.all.get_index(symbol.strip_prefix(PREFIX)?.parse().ok()?)
    }
}
