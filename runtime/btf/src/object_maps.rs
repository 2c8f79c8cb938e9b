//! Maps that an eBPF object defines by the type of a variable in its section `.maps`.
//!
//! A number is written as the length of an array that a pointer points to, a type as the target of a pointer
//! (libbpf's `__uint` and `__type`).

use crate::{Btf, Def, Kind, TypeId};

/// The definition of a map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapType {
    /// The variable's name.
    pub name: String,
    /// The map's kind (`enum bpf_map_type` of the kernel).
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The most entries.
    pub max_entries: u32,
    /// The flags of its creation.
    pub flags: u32,
    /// Where the initial values start in the variable, in bytes.
    pub values: Option<u32>,
    /// The definition of the maps inside this one.
    pub inner: Option<Box<MapType>>,
}

/// The maps of the section `.maps`.
pub fn object_maps(btf: &Btf<'_>) -> Vec<MapType> {
    let Some(section) = btf.find(Kind::Datasec, ".maps") else { return Vec::new() };
    let Def::Datasec(variables) = btf.def(section) else { return Vec::new() };
    let definition = |variable: TypeId| match btf.def(variable) {
        Def::Var(target) => {
            Some(MapType { name: btf.name(variable).to_owned(), ..map_type(btf, target, true) })
        }
        _ => None,
    };
    variables.filter_map(|variable| definition(variable.var)).collect()
}

/// Reads a map's definition; `outer` allows it to hold maps.
fn map_type(btf: &Btf<'_>, id: TypeId, outer: bool) -> MapType {
    let mut map = MapType::default();
    for member in btf.members(id) {
        let number = || pointed_array_len(btf, member.ty).unwrap_or_default();
        let size = || btf.pointee(member.ty).and_then(|target| btf.size(target)).unwrap_or_default() as u32;
        match member.name {
            "type" => map.kind = number(),
            "max_entries" => map.max_entries = number(),
            "map_flags" => map.flags = number(),
            "key_size" => map.key_size = number(),
            "value_size" => map.value_size = number(),
            "key" => map.key_size = size(),
            "value" => map.value_size = size(),
            "values" => {
                map.values = Some(member.bit_offset / 8);
                if let (true, Def::Array { element, .. }) = (outer, btf.def(btf.resolve(member.ty))) {
                    let inner = btf.pointee(element).filter(|inner| btf.kind(*inner) == Kind::Struct);
                    map.inner = inner.map(|inner| Box::new(map_type(btf, inner, false)));
                }
            }
            _ => {}
        }
    }
    // What libbpf fills in: values of these kinds are descriptors.
    if matches!(map.kind, 3 | 4 | 12 | 13) {
        map.value_size = 4;
        if map.kind != 13 {
            map.key_size = 4;
        }
    }
    map
}

fn pointed_array_len(btf: &Btf<'_>, id: TypeId) -> Option<u32> {
    match btf.def(btf.pointee(id)?) {
        Def::Array { len, .. } => Some(len),
        _ => None,
    }
}
