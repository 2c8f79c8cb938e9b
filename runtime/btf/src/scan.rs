//! Validates a blob and answers questions by id and by name.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    BtfError, Kind,
    raw::{self, Record, u32_at},
};

/// The number of blobs scanned so far.
static SCANNED: AtomicU64 = AtomicU64::new(0);

/// The number of a type. Numbers start at 1; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`, which has no record.
    pub const VOID: Self = Self(0);
}

/// A validated blob of BTF, borrowed. Costs four bytes of memory a type.
///
/// A *split* blob (a module's) continues the type numbers and string offsets of its base.
#[derive(Debug)]
pub struct Btf<'d> {
    types: &'d [u8],
    strings: &'d str,
    /// Where each own type's record starts.
    offsets: Vec<u32>,
    base: Option<&'d Btf<'d>>,
    first_id: u32,
    first_string: u32,
    /// Tells this blob from all others that this process has scanned.
    identity: u64,
}

impl<'d> Btf<'d> {
    /// Validates `bytes` in one pass. `base` is the kernel's own BTF when `bytes` are a module's.
    ///
    /// # Errors
    /// Any malformed part is an error; see [`BtfError`].
    pub fn scan(bytes: &'d [u8], base: Option<&'d Btf<'d>>) -> Result<Self, BtfError> {
        if base.is_some_and(|base| base.base.is_some()) {
            return Err(BtfError::SplitBase);
        }
        let sections = raw::sections(bytes, base.is_some())?;
        let mut btf = Self {
            types: sections.types,
            strings: sections.strings,
            // Kernel BTF has about 27 bytes a type; a wrong guess costs a copy, not correctness.
            offsets: Vec::with_capacity(sections.types.len() / 26),
            base,
            first_id: base.map_or(1, Self::end_id),
            first_string: base.map_or(0, Self::end_string),
            identity: SCANNED.fetch_add(1, Ordering::Relaxed),
        };
        btf.fill()?;
        Ok(btf)
    }

    fn fill(&mut self) -> Result<(), BtfError> {
        let mut check = Check { names: self.end_string(), max_id: 0 };
        let mut offset = 0;
        while (offset as usize) < self.types.len() {
            let record = Record::read(self.types, offset)?;
            check.record(&record, offset)?;
            self.offsets.push(offset);
            offset += record.len();
        }
        if check.max_id >= self.end_id().max(1) {
            return Err(BtfError::TypeReference { id: check.max_id });
        }
        Ok(())
    }

    /// One more than the highest type number, the base's types included.
    #[must_use]
    pub fn end_id(&self) -> u32 {
        // Every record takes 12 bytes of a section whose length fits 32 bits, twice at most.
        self.first_id + self.offsets.len() as u32
    }

    fn end_string(&self) -> u32 {
        self.first_string.saturating_add(self.strings.len() as u32)
    }

    /// The numbers of this blob's own types, without the base's.
    pub fn own_ids(&self) -> impl Iterator<Item = TypeId> + use<> {
        (self.first_id..self.end_id()).map(TypeId)
    }

    /// Whether `id` is one of this blob's own types, not of its base's.
    #[must_use]
    pub fn owns(&self, id: TypeId) -> bool {
        id.0 >= self.first_id
    }

    /// The blob that holds `id`: this one or its base.
    pub(crate) fn owner(&self, id: TypeId) -> &Btf<'d> {
        match self.base {
            Some(base) if id.0 < self.first_id => base,
            _ => self,
        }
    }

    /// A number of its own for each scanned blob.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    /// The record of `id`; none for void and for numbers that do not exist.
    pub(crate) fn record(&self, id: TypeId) -> Option<Record<'d>> {
        let owner = self.owner(id);
        let index = id.0.checked_sub(owner.first_id)?;
        let offset = *owner.offsets.get(index as usize)?;
        Record::read(owner.types, offset).ok()
    }

    /// The string at `offset`, which may lie in the base. An offset inside a multi-byte character, which
    /// no compiler writes, reads as the empty string.
    pub(crate) fn string(&self, offset: u32) -> &'d str {
        let (strings, start) = match self.base {
            Some(base) if offset < self.first_string => (base.strings, offset),
            _ => (self.strings, offset.saturating_sub(self.first_string)),
        };
        let rest = strings.get(start as usize..).unwrap_or("");
        rest.split_once('\0').map_or("", |(name, _)| name)
    }

    /// The kind of a type. A number that does not exist reads as [`Kind::Void`].
    #[must_use]
    pub fn kind(&self, id: TypeId) -> Kind {
        self.record(id).map_or(Kind::Void, |record| record.kind)
    }

    /// The name of a type, empty when it has none.
    #[must_use]
    pub fn name(&self, id: TypeId) -> &'d str {
        self.record(id).map_or("", |record| self.string(record.name))
    }

    /// The first type of this kind and name: the base's before the split blob's own.
    #[must_use]
    pub fn find(&self, kind: Kind, name: &str) -> Option<TypeId> {
        if let Some(found) = self.base.and_then(|base| base.find(kind, name)) {
            return Some(found);
        }
        let mut found = None;
        self.visit_named(
            |k| k == kind,
            &[name],
            |_, id| {
                found = Some(id);
                false
            },
        );
        found
    }

    /// Looks up several names in one pass over this blob's own types (not the base's). Calls `hit` with
    /// the index in `names` and the type for every match, until it answers false.
    pub fn visit_named(
        &self,
        kinds: impl Fn(Kind) -> bool,
        names: &[&str],
        mut hit: impl FnMut(usize, TypeId) -> bool,
    ) {
        // Most types are rejected by the first byte of their name.
        let mut first_bytes = [false; 256];
        for name in names {
            first_bytes[usize::from(name.as_bytes().first().copied().unwrap_or(0))] = true;
        }
        let strings = self.strings.as_bytes();
        for (index, &offset) in self.offsets.iter().enumerate() {
            let Some(common) = self.types.get(offset as usize..).and_then(<[u8]>::first_chunk::<12>) else {
                return;
            };
            let Ok(kind) = raw::kind_of(u32_at(common, 4)) else {
                return;
            };
            if !kinds(kind) {
                continue;
            }
            let name = u32_at(common, 0);
            if let Some(own) = name.checked_sub(self.first_string)
                && !strings.get(own as usize).is_some_and(|&byte| first_bytes[usize::from(byte)])
            {
                continue;
            }
            let name = self.string_bytes_at(name);
            for (which, wanted) in names.iter().enumerate() {
                let wanted = wanted.as_bytes();
                let equal = name.starts_with(wanted) && name.get(wanted.len()) == Some(&0);
                if equal && !hit(which, TypeId(self.first_id + index as u32)) {
                    return;
                }
            }
        }
    }

    /// The string section from `offset` on.
    fn string_bytes_at(&self, offset: u32) -> &'d [u8] {
        let (strings, start) = match self.base {
            Some(base) if offset < self.first_string => (base.strings, offset),
            _ => (self.strings, offset.saturating_sub(self.first_string)),
        };
        strings.as_bytes().get(start as usize..).unwrap_or(&[])
    }
}

/// The checks of one scan: all names lie within the strings, all references below the highest type.
struct Check {
    /// End of the string offsets.
    names: u32,
    /// Highest type referred to so far; compared once all types are counted.
    max_id: u32,
}

impl Check {
    #[inline]
    fn record(&mut self, record: &Record<'_>, offset: u32) -> Result<(), BtfError> {
        let mut names_end = record.name;
        if record.kind.refers() {
            self.max_id = self.max_id.max(record.size_or_type);
        }
        let tail = record.tail;
        match record.kind {
            Kind::Struct | Kind::Union => {
                for entry in tail.chunks_exact(12) {
                    names_end = names_end.max(u32_at(entry, 0));
                    self.max_id = self.max_id.max(u32_at(entry, 4));
                }
            }
            Kind::FuncProto => {
                for entry in tail.chunks_exact(8) {
                    names_end = names_end.max(u32_at(entry, 0));
                    self.max_id = self.max_id.max(u32_at(entry, 4));
                }
            }
            Kind::Enum => names_end = max_word(tail, 8, names_end),
            Kind::Enum64 => names_end = max_word(tail, 12, names_end),
            Kind::Datasec => self.max_id = max_word(tail, 12, self.max_id),
            Kind::Array => self.max_id = self.max_id.max(u32_at(tail, 0)).max(u32_at(tail, 4)),
            _ => {}
        }
        if names_end >= self.names && names_end != 0 {
            return Err(BtfError::NameOffset { offset });
        }
        Ok(())
    }
}

/// The largest first word of entries of `width` bytes.
fn max_word(tail: &[u8], width: usize, start: u32) -> u32 {
    tail.chunks_exact(width).map(|entry| u32_at(entry, 0)).fold(start, u32::max)
}
