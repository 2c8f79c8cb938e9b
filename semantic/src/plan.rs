//! Where maps are kept.

use btaot_abi::Bytes;
use btaot_grammar::vocabulary::MapKind;
use indexmap::IndexMap;

use crate::check::{MapState, Shape};
use crate::program::{Aggregation, Contents, Map, MapStorage};
use crate::ty::Ty;
use crate::types::Type;

/// The maps of the program, by number.
pub(crate) fn maps(states: &IndexMap<String, MapState>, max_map_keys: u32) -> Vec<Map> {
    states.iter().map(|(name, state)| map(name, state, max_map_keys)).collect()
}

fn map(name: &str, state: &MapState, max_map_keys: u32) -> Map {
    let contents = match &state.shape {
        Some(Shape::Aggregate(aggregation)) => Contents::Aggregate(*aggregation),
        Some(Shape::Plain(ty)) => Contents::Plain(ty.lower()),
        Some(Shape::Series(series)) => Contents::Aggregate(Aggregation::Series(*series)),
        // Only a declared map that is never used has no value.
        None => Contents::Plain(Type::I64),
    };
    let key = match (state.keyed, &state.key) {
        (Some(true), Some(key)) => Some(key.lower()),
        (Some(true), None) => Some(Ty::I64.lower()),
        (Some(false) | None, _) => None,
    };
    let storage = storage(state, &contents, key.is_some(), max_map_keys);
    Map { name: Bytes::from(format!("@{name}")), key, contents, storage, location: state.location }
}

/// Keyed maps are hashes, of one value for each CPU when they aggregate; without a key nothing is looked up.
fn storage(state: &MapState, contents: &Contents, keyed: bool, max_map_keys: u32) -> MapStorage {
    let aggregates = matches!(contents, Contents::Aggregate(_));
    match (keyed, aggregates) {
        (false, true) => MapStorage::CpuRows,
        (false, false) => MapStorage::Global,
        (true, per_cpu) => {
            let lru = matches!(state.declared, Some((MapKind::LruHash | MapKind::PerCpuLruHash, _)));
            let max_entries = state.declared.map_or(max_map_keys, |(_, entries)| entries);
            MapStorage::Hash { per_cpu, lru, max_entries }
        }
    }
}
