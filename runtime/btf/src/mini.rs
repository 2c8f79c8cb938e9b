//! Writes a small, self-contained BTF with just the types that relocations need.
//!
//! Parsing all of the kernel's BTF with a general library costs some 10 ms and 20 MB. CO-RE relocations
//! only look at the by-value closure of a few named types: behind a pointer nothing is compared but that it
//! is a pointer. So those few types are copied and renumbered, and every pointer becomes `void *`.

use std::collections::BTreeMap;

use crate::{Btf, Kind, TypeId, raw};

/// A small BTF under construction.
#[derive(Clone, Debug)]
pub struct MiniBtf {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Offsets of the strings written so far.
    interned: BTreeMap<String, u32>,
    /// Types with a number, whether written yet or not. The key is the source blob and the number there.
    numbers: BTreeMap<(u64, TypeId), u32>,
    next: u32,
}

/// The number of `void *`.
const VOID_POINTER: u32 = 1;

impl Default for MiniBtf {
    /// A BTF of just `void *`, which stands for all pointers.
    fn default() -> Self {
        let mut mini = Self {
            types: Vec::new(),
            strings: vec![0],
            interned: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next: VOID_POINTER + 1,
        };
        mini.write(&[0, info(Kind::Ptr, 0), 0], &[]);
        mini
    }
}

impl MiniBtf {
    /// A BTF without named types.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies the structs, unions, enumerations and typedefs of `btf` (not of its base) that bear one of
    /// `names`, with all types that they hold by value. Duplicates are all copied, so a relocation can find
    /// them ambiguous. Returns for each name whether it was there.
    pub fn add_roots(&mut self, btf: &Btf<'_>, names: &[&str]) -> Vec<bool> {
        let mut found = vec![false; names.len()];
        let mut roots = Vec::new();
        btf.visit_named(is_root, names, |which, id| {
            found[which] = true;
            roots.push(id);
            true
        });
        self.copy(btf, roots);
        found
    }

    /// Copies the types and everything they hold by value.
    fn copy(&mut self, btf: &Btf<'_>, roots: Vec<TypeId>) {
        let mut pending = Vec::new();
        for root in roots {
            self.number(btf, root, &mut pending);
        }
        self.write_pending(btf, pending);
    }

    /// Writes the types that have got a number, and those that they hold.
    fn write_pending(&mut self, btf: &Btf<'_>, mut pending: Vec<TypeId>) {
        // Numbers are given in the order of discovery, and records must stand in the order of numbers.
        let mut next = 0;
        while let Some(&id) = pending.get(next) {
            self.write_copy(btf, id, &mut pending);
            next += 1;
        }
    }

    /// The new number of a type, given on first sight.
    fn number(&mut self, btf: &Btf<'_>, id: TypeId, pending: &mut Vec<TypeId>) -> u32 {
        let id = unqualified(btf, id);
        match btf.kind(id) {
            Kind::Void => return 0,
            // Nothing holds a function, variable or tag by value, but a typedef may name one.
            Kind::Ptr | Kind::Func | Kind::FuncProto | Kind::Var | Kind::Datasec | Kind::DeclTag => {
                return VOID_POINTER;
            }
            _ => {}
        }
        let key = (btf.owner(id).identity(), id);
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let number = self.next;
        self.next += 1;
        self.numbers.insert(key, number);
        pending.push(id);
        number
    }

    fn write_copy(&mut self, btf: &Btf<'_>, id: TypeId, pending: &mut Vec<TypeId>) {
        let Some(record) = btf.record(id) else { return };
        let name = self.intern(btf.string(record.name));
        let mut tail = record.tail.to_vec();
        let mut size_or_type = record.size_or_type;
        match record.kind {
            Kind::Struct | Kind::Union => {
                for entry in tail.chunks_exact_mut(12) {
                    self.renumber_member(btf, entry, pending);
                }
            }
            Kind::Enum => self.rename_entries(btf, &mut tail, 8),
            Kind::Enum64 => self.rename_entries(btf, &mut tail, 12),
            Kind::Array => {
                for at in [0, 4] {
                    let id = self.number(btf, TypeId(raw::u32_at(&tail, at)), pending);
                    put(&mut tail, at, id);
                }
            }
            Kind::Typedef => size_or_type = self.number(btf, TypeId(size_or_type), pending),
            _ => {}
        }
        let info = (u32::from(record.flag) << 31) | info(record.kind, record.vlen);
        self.write(&[name, info, size_or_type], &tail);
    }

    /// Rewrites the name and the type of a member.
    fn renumber_member(&mut self, btf: &Btf<'_>, entry: &mut [u8], pending: &mut Vec<TypeId>) {
        let name = self.intern(btf.string(raw::u32_at(entry, 0)));
        let number = self.number(btf, TypeId(raw::u32_at(entry, 4)), pending);
        put(entry, 0, name);
        put(entry, 4, number);
    }

    fn rename_entries(&mut self, btf: &Btf<'_>, tail: &mut [u8], width: usize) {
        for entry in tail.chunks_exact_mut(width) {
            let name = self.intern(btf.string(raw::u32_at(entry, 0)));
            put(entry, 0, name);
        }
    }

    /// Copies a struct of `btf`, but puts each member at the byte that `place` tells; members without a
    /// place are left out. So a layout that is known from elsewhere than BTF (a tracepoint's format file)
    /// meets relocations in the very types that these were made from. `size` is the struct's, in bytes.
    /// False if there is no such struct.
    pub fn add_moved(
        &mut self,
        btf: &Btf<'_>,
        name: &str,
        size: u32,
        place: impl Fn(&str) -> Option<u32>,
    ) -> bool {
        let Some(id) = btf.find(Kind::Struct, name) else { return false };
        let mut pending = Vec::new();
        let mut tail = Vec::new();
        for member in btf.members(id) {
            let Some(offset) = place(member.name) else { continue };
            let name = self.intern(member.name);
            let ty = self.number(btf, member.ty, &mut pending);
            for word in [name, ty, offset.saturating_mul(8)] {
                tail.extend(word.to_le_bytes());
            }
        }
        self.write_pending(btf, pending);
        let name = self.intern(name);
        self.next += 1;
        self.write(&[name, info(Kind::Struct, (tail.len() / 12) as u32), size], &tail);
        true
    }

    fn write(&mut self, head: &[u32; 3], tail: &[u8]) {
        for word in head {
            self.types.extend(word.to_le_bytes());
        }
        self.types.extend(tail);
    }

    fn intern(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        if let Some(&offset) = self.interned.get(name) {
            return offset;
        }
        let offset = self.strings.len() as u32;
        self.strings.extend(name.bytes());
        self.strings.push(0);
        self.interned.insert(name.to_owned(), offset);
        offset
    }

    /// The blob.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut out = raw::header(self.types.len() as u32, self.strings.len() as u32).to_vec();
        out.extend(self.types);
        out.extend(self.strings);
        out
    }
}

/// What a relocation may start from.
fn is_root(kind: Kind) -> bool {
    matches!(kind, Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef)
}

fn is_qualifier(kind: Kind) -> bool {
    matches!(kind, Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag)
}

/// Qualifiers mean nothing to relocations, so they are not copied. A cycle of them reads as void.
fn unqualified(btf: &Btf<'_>, mut id: TypeId) -> TypeId {
    for _ in 0..32 {
        match btf.record(id) {
            Some(record) if is_qualifier(record.kind) => id = TypeId(record.size_or_type),
            Some(_) => return id,
            None => return TypeId::VOID,
        }
    }
    TypeId::VOID
}

/// A record's second word.
fn info(kind: Kind, vlen: u32) -> u32 {
    (u32::from(kind as u8) << 24) | vlen
}

/// Overwrites the word at `at` of a record's tail.
fn put(tail: &mut [u8], at: usize, word: u32) {
    if let Some(place) = tail.get_mut(at..at + 4) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}
