//! Structures, unions and enumerations: the script's own, the kernel's, and those of tracepoints.
//!
//! A [`Catalog`] gives each of them a number when it is first named. Of the kernel's and a
//! tracepoint's structures it takes over only the fields that the script selects, so the program
//! stays as small as the script.

mod cdef;
mod constant;
mod format;
mod function;
mod kernel;
mod kernel_types;
mod tracepoint;
mod user;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use btaot_abi::Bytes;
use btaot_abi::arch::Arch;
use btaot_btf::{Btf, TypeId};
use btaot_frontend::Diagnostic;
use btaot_frontend::ast::{CItem, Expr as AstExpr, Tag};
use indexmap::IndexMap;

use crate::headers::Headers;
use crate::target::{Target, matches};
use crate::types::{Enum, EnumId, Origin, Space, Struct, StructId, Structs, Type};

pub(crate) use kernel_types::{KernelTypes, VMLINUX};
pub(crate) use tracepoint::TracepointFault;
pub(crate) use user::{Binary, UserPrototype};

/// All types by name, as the script sees them.
pub(crate) struct Catalog<'t> {
    target: &'t Target,
    kernel: &'t KernelTypes<'t>,
    /// The modules that attach points name, in which types are looked for before others.
    named_modules: Vec<u32>,
    structs: Structs,
    sources: Vec<Source>,
    headers: Option<&'t Headers>,
    header_types: Option<Btf<'t>>,
    binaries: &'t [Binary],
    binary_types: Vec<OnceCell<Option<Btf<'t>>>>,
    btf_structs: IndexMap<(Whose, TypeId), StructId>,
    btf_enums: IndexMap<(Whose, TypeId), EnumId>,
    incomplete: IndexMap<(bool, Bytes), StructId>,
    script: ScriptTypes,
    formats: IndexMap<(Bytes, Bytes), Option<Vec<format::Field>>>,
}

/// Whose BTF a type is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// The kernel's: found again on the target.
    Kernel,
    /// That of a module of the kernel, by number: found again on the target.
    Module(u32),
    /// That of included headers: fixed.
    Headers,
    /// That of a binary of the script, by its number: fixed.
    Binary(usize),
}

impl Whose {
    fn origin(self) -> Origin {
        match self {
            Self::Kernel | Self::Module(_) => Origin::Kernel,
            Self::Headers | Self::Binary(_) => Origin::Script,
        }
    }
}

/// Where the fields of a structure come from.
#[derive(Clone, Debug)]
enum Source {
    /// BTF.
    Btf(Whose, TypeId),
    /// The script, which gives all fields at once, and their alignment in bytes.
    Script(u32),
    /// The records of these tracepoints.
    Tracepoint(Vec<(Bytes, Bytes)>),
    /// The arguments of the function that this attach point names.
    Arguments(Bytes),
    /// The module of this number, whose structure is another one than the kernel's of the same name. Tools find
    /// structures again by their names, so its fields cannot be had.
    Differing(u32),
    /// Nothing is known but the name.
    Incomplete,
}

/// What the script's C definitions define.
#[derive(Debug, Default)]
pub(crate) struct ScriptTypes {
    tags: IndexMap<(Tag, String), Type>,
    typedefs: IndexMap<String, Type>,
    enumerators: IndexMap<String, (EnumId, i64)>,
    defines: IndexMap<String, Option<AstExpr>>,
    /// Numbers of headers, looked at last.
    constants: BTreeMap<String, i128>,
}

/// The structure that a type holds by value.
fn part(ty: &Type) -> Option<StructId> {
    match ty {
        Type::Struct(id) => Some(*id),
        Type::Array { element, .. } => part(element),
        _ => None,
    }
}

/// What a bare name means.
pub(crate) enum Named {
    /// An enumerator.
    Enumerator(EnumId, Bytes, i64),
    /// A number of a header.
    Constant(i128),
    /// A `#define`; without a value when its text is not an expression.
    Define(Option<AstExpr>),
}

impl<'t> Catalog<'t> {
    /// The types of a target, with the script's definitions before them. The diagnostics say what is wrong
    /// with those.
    pub fn new(
        (target, kernel): (&'t Target, &'t KernelTypes<'t>),
        (headers, binaries): (Option<&'t Headers>, &'t [Binary]),
        items: &[CItem],
    ) -> (Self, Vec<Diagnostic>) {
        let mut catalog = Self {
            target,
            kernel,
            named_modules: Vec::new(),
            structs: Structs::default(),
            sources: Vec::new(),
            headers,
            header_types: headers.and_then(|headers| Btf::scan(&headers.btf, None).ok()),
            binaries,
            binary_types: binaries.iter().map(|_| OnceCell::new()).collect(),
            btf_structs: IndexMap::new(),
            btf_enums: IndexMap::new(),
            incomplete: IndexMap::new(),
            script: ScriptTypes {
                constants: headers.map(|headers| headers.constants.clone()).unwrap_or_default(),
                ..ScriptTypes::default()
            },
            formats: IndexMap::new(),
        };
        let diagnostics = cdef::define(&mut catalog, items);
        (catalog, diagnostics)
    }

    /// The target's processor.
    pub fn arch(&self) -> Arch {
        self.target.arch()
    }

    /// Bytes of a symbol of a program or library.
    pub fn symbol_size(&self, path: &[u8], name: &[u8]) -> Option<u64> {
        self.target.symbol_size(path, name)
    }

    /// The types named so far.
    pub fn structs(&self) -> &Structs {
        &self.structs
    }

    /// Ends the catalog. Structures whose layout is fixed get all their fields, as a value of one is shown whole.
    pub fn into_structs(mut self) -> Structs {
        let mut waiting: Vec<StructId> = (0..self.structs.structs.len() as u32).map(StructId).collect();
        while let Some(id) = waiting.pop() {
            let Source::Btf(whose @ (Whose::Binary(_) | Whose::Headers), ty) = self.sources[id.0 as usize]
            else {
                continue;
            };
            let known = self.structs.structs.len();
            for name in self.btf_field_names(whose, ty) {
                self.field(id, &name);
            }
            // Of structures that are only pointed to, nothing is shown.
            let parts = self.structs[id].fields.iter().filter_map(|field| part(&field.ty));
            waiting.extend(parts.filter(|part| part.0 as usize >= known));
        }
        self.structs
    }

    /// Makes types of the modules that these names and patterns mean known before those of others.
    pub fn prefer_modules(&mut self, names: &[&[u8]]) {
        if !names.is_empty() {
            self.named_modules =
                self.kernel.modules_named(|module| names.iter().any(|name| matches(name, module)));
        }
    }

    /// The kernel's BTF, scanned when first needed; `None` when the target has none that can be used.
    pub fn btf(&self) -> Option<&'t Btf<'t>> {
        self.kernel.kernel()
    }

    /// The types of the kernel and its modules.
    pub fn kernel_types(&self) -> &'t KernelTypes<'t> {
        self.kernel
    }

    fn types_of(&self, whose: Whose) -> Option<&Btf<'t>> {
        match whose {
            Whose::Kernel => self.btf(),
            Whose::Module(number) => self.kernel.module(number),
            Whose::Headers => self.header_types.as_ref(),
            Whose::Binary(number) => self.binary_btf(number),
        }
    }

    /// `struct X`, `union X`, `enum X`: the script's, else that of a header of the user, else the kernel's, else that
    /// of another header.
    pub fn tagged(&mut self, tag: Tag, name: &str) -> Option<Type> {
        if let Some(ty) = self.script.tags.get(&(tag, name.to_owned())) {
            return Some(ty.clone());
        }
        let order = self.order(&format!("{} {name}", tag.keyword()));
        let found = order.into_iter().find_map(|whose| self.btf_tagged(whose, tag, name));
        found.or_else(|| self.of_modules().into_iter().find_map(|whose| self.btf_tagged(whose, tag, name)))
    }

    /// A typedef's name, looked for in the same order.
    pub fn typedef(&mut self, name: &str) -> Option<Type> {
        if let Some(ty) = self.script.typedefs.get(name) {
            return Some(ty.clone());
        }
        let found = self.order(name).into_iter().find_map(|whose| self.btf_typedef(whose, name));
        found.or_else(|| self.of_modules().into_iter().find_map(|whose| self.btf_typedef(whose, name)))
    }

    /// Where a type is looked for last: in the modules that attach points name, then in all others.
    fn of_modules(&self) -> Vec<Whose> {
        let mut numbers = self.named_modules.clone();
        numbers.extend(self.kernel.modules_named(|_| true));
        numbers.into_iter().map(Whose::Module).collect()
    }

    /// Where a type is looked for first.
    fn order(&self, name: &str) -> [Whose; 2] {
        let own = self.headers.is_some_and(|headers| headers.own.contains(name));
        if own { [Whose::Headers, Whose::Kernel] } else { [Whose::Kernel, Whose::Headers] }
    }

    /// Whether a type of this name is only known from internal headers of the kernel.
    pub fn is_fixed_by_kernel_header(&self, id: StructId) -> bool {
        let structure = &self.structs[id];
        let tag = if structure.union { Tag::Union } else { Tag::Struct };
        let name = format!("{} {}", tag.keyword(), structure.name.display());
        matches!(self.sources[id.0 as usize], Source::Btf(Whose::Headers, _))
            && self.headers.is_some_and(|headers| headers.kernel.contains(&name))
    }

    /// What may have defined a name that is not known.
    pub fn header_notes(&self) -> Vec<String> {
        let Some(headers) = self.headers else { return Vec::new() };
        let mut notes = Vec::new();
        if !headers.missing.is_empty() {
            notes.push(format!("{} could not be read, and may define it", headers.missing.join(", ")));
        }
        if !headers.partial.is_empty() {
            notes.push(format!(
                "the kernel's own {} may define it: install the kernel's headers, or name their tree with \
                 --kernel-headers FOLDER",
                headers.partial.join(", ")
            ));
        }
        notes
    }

    /// What a bare name means among the C definitions and the kernel's enumerators.
    pub fn named(&mut self, name: &str) -> Option<Named> {
        if let Some(define) = self.script.defines.get(name) {
            return Some(Named::Define(define.clone()));
        }
        if let Some((id, value)) = self.script.enumerators.get(name) {
            return Some(Named::Enumerator(*id, Bytes::from(name), *value));
        }
        let mut found = [Whose::Headers, Whose::Kernel].map(|whose| self.btf_enumerator(whose, name));
        let own = found[0].is_some_and(|(id, _)| {
            let tag = format!("enum {}", self.structs[id].name.display());
            self.headers.is_some_and(|headers| headers.own.contains(&tag))
        });
        if !own {
            found.reverse();
        }
        let of_modules = || {
            let named = self.named_modules.clone().into_iter();
            named.map(Whose::Module).find_map(|whose| self.btf_enumerator(whose, name))
        };
        if let Some((id, value)) = found.into_iter().flatten().next().or_else(of_modules) {
            return Some(Named::Enumerator(id, Bytes::from(name), value));
        }
        self.script.constants.get(name).map(|value| Named::Constant(*value))
    }

    /// The field of a structure: its index in the program's table. A field that is seen for the first time is
    /// added to the table.
    pub fn field(&mut self, id: StructId, name: &str) -> Option<u32> {
        let known = self.structs[id].fields.iter().position(|field| &field.name[..] == name.as_bytes());
        if let Some(index) = known {
            return u32::try_from(index).ok();
        }
        match self.sources[id.0 as usize].clone() {
            Source::Btf(whose, ty) => self.add_btf_field(id, (whose, ty), name),
            Source::Script(_)
            | Source::Tracepoint(_)
            | Source::Arguments(_)
            | Source::Differing(_)
            | Source::Incomplete => None,
        }
    }

    /// The names of all fields, for hints.
    pub fn field_names(&self, id: StructId) -> Vec<String> {
        match &self.sources[id.0 as usize] {
            Source::Btf(whose, ty) => self.btf_field_names(*whose, *ty),
            Source::Tracepoint(events) => self.tracepoint_field_names(events),
            Source::Script(_) | Source::Arguments(_) | Source::Differing(_) | Source::Incomplete => {
                let fields = self.structs[id].fields.iter();
                fields.map(|field| field.name.display().into_owned()).collect()
            }
        }
    }

    /// Whether the layout is known.
    pub fn is_complete(&self, id: StructId) -> bool {
        !matches!(self.sources[id.0 as usize], Source::Incomplete | Source::Differing(_))
    }

    /// The module whose structure cannot be told from the kernel's of the same name.
    pub fn differing_module(&self, id: StructId) -> Option<&Bytes> {
        let Source::Differing(number) = self.sources[id.0 as usize] else { return None };
        self.kernel.module_name(number)
    }

    /// `struct X`, for messages.
    pub fn name_of(&self, id: StructId) -> String {
        let structure = &self.structs[id];
        let keyword = if structure.union { "union" } else { "struct" };
        if structure.name.is_empty() {
            return format!("unnamed {keyword}");
        }
        format!("{keyword} {}", structure.name.display())
    }

    /// Bytes of a value of the type on the build machine; `None` when that is not known.
    pub fn size_of(&self, ty: &Type) -> Option<u32> {
        Some(match ty {
            Type::Void => return None,
            Type::Int(int) => int.size,
            Type::Bool => 1,
            Type::Str(size) => *size,
            Type::Buf(size) => size.checked_add(4)?,
            Type::Struct(id) if !self.is_complete(*id) => return None,
            Type::Struct(id) => self.structs[*id].size,
            Type::Array { element, len } => self.size_of(element)?.checked_mul(*len)?,
            Type::Enum(id) => self.structs[*id].int.size,
            Type::Tuple(fields) => self.size_of_fields(&mut fields.iter())?,
            Type::Record(fields) => self.size_of_fields(&mut fields.iter().map(|(_, ty)| ty))?,
            Type::KernelStack(_) | Type::UserStack(_) | Type::UserSymbol | Type::Timestamp => 16,
            Type::Pointer { .. }
            | Type::KernelSymbol
            | Type::Username
            | Type::CgroupPath(_)
            | Type::ProbeName
            | Type::ProbeFunction => 8,
            Type::Inet => 20,
            Type::Mac => 6,
        })
    }

    fn size_of_fields(&self, fields: &mut dyn Iterator<Item = &Type>) -> Option<u32> {
        let (mut end, mut align) = (0u32, 1);
        for ty in fields {
            let needed = self.align_of(ty);
            align = align.max(needed);
            end = end.checked_next_multiple_of(needed)?.checked_add(self.size_of(ty)?)?;
        }
        end.checked_next_multiple_of(align)
    }

    /// Alignment of a type in bytes; of the kernel's structures the largest there is.
    pub fn align_of(&self, ty: &Type) -> u32 {
        match ty {
            Type::Int(int) => int.size,
            Type::Enum(id) => self.structs[*id].int.size,
            Type::Array { element, .. } => self.align_of(element),
            Type::Tuple(fields) => fields.iter().map(|ty| self.align_of(ty)).max().unwrap_or(1),
            Type::Record(fields) => fields.iter().map(|(_, ty)| self.align_of(ty)).max().unwrap_or(1),
            Type::Struct(id) => match self.sources[id.0 as usize] {
                Source::Script(align) => align,
                Source::Btf(whose @ (Whose::Headers | Whose::Binary(_)), id) => {
                    self.types_of(whose).and_then(|types| u32::try_from(types.align(id)).ok()).unwrap_or(8)
                }
                Source::Btf(Whose::Kernel | Whose::Module(_), _)
                | Source::Tracepoint(_)
                | Source::Arguments(_)
                | Source::Differing(_)
                | Source::Incomplete => 8,
            },
            Type::Buf(_) | Type::Inet => 4,
            Type::Void | Type::Bool | Type::Str(_) | Type::Mac => 1,
            Type::Pointer { .. }
            | Type::KernelStack(_)
            | Type::UserStack(_)
            | Type::KernelSymbol
            | Type::UserSymbol
            | Type::Username
            | Type::Timestamp
            | Type::CgroupPath(_)
            | Type::ProbeName
            | Type::ProbeFunction => 8,
        }
    }

    /// A structure of which only the name is known; it may be completed later.
    fn incomplete(&mut self, union: bool, name: &str) -> StructId {
        if let Some(id) = self.incomplete.get(&(union, Bytes::from(name))) {
            return *id;
        }
        let structure =
            Struct { name: Bytes::from(name), union, origin: Origin::Script, size: 0, fields: Vec::new() };
        let id = self.add(structure, Source::Incomplete);
        self.incomplete.insert((union, Bytes::from(name)), id);
        id
    }

    fn add(&mut self, structure: Struct, source: Source) -> StructId {
        let id = StructId(self.structs.structs.len() as u32);
        self.structs.structs.push(structure);
        self.sources.push(source);
        id
    }

    fn add_enum(&mut self, enumeration: Enum) -> EnumId {
        let id = EnumId(self.structs.enums.len() as u32);
        self.structs.enums.push(enumeration);
        id
    }

    fn pointer(to: Type, space: Space) -> Type {
        Type::Pointer { to: Box::new(to), space }
    }
}
