//! Signatures of functions that the kernel's BTF knows, and the structures that their arguments are read as.

use btaot_abi::Bytes;
use btaot_abi::metadata::ARGUMENTS_RECORD;
use btaot_btf::{Kind, TypeId};

use super::tracepoint::identifier;
use super::{Catalog, Source, Whose};
use crate::types::{Origin, Struct, StructField, StructId, Type};

/// Bytes of a register. Arguments are passed in as many of them as they fill.
const WORD: u32 = 8;

/// What a function takes and gives.
#[derive(Clone, Debug)]
pub(crate) struct Prototype {
    /// Its parameters in order; [`Type::Void`] stands for types that the language has no values of.
    pub parameters: Vec<(Bytes, Type)>,
    /// Its result.
    pub result: Type,
}

impl Catalog<'_> {
    /// The signature of a function of the kernel or of a module, or of the first that a pattern matches.
    pub fn kernel_function(&mut self, module: Option<&[u8]>, pattern: &[u8]) -> Option<Prototype> {
        let (whose, id) = self.kernel.function(module, pattern)?;
        self.prototype((whose, id), 0)
    }

    /// What a raw tracepoint passes on: the parameters of its probe behind the private pointer.
    pub fn raw_tracepoint(&mut self, module: Option<&[u8]>, event: &[u8]) -> Option<Prototype> {
        let of = |prefix: &[u8]| self.kernel.function(module, &[prefix, event].concat());
        let found = of(b"__probestub_").or_else(|| of(b"__traceiter_"))?;
        self.prototype(found, 1)
    }

    /// The names of what an iterator visits: the members of `struct bpf_iter__NAME`.
    pub fn iterator(&mut self, name: &[u8]) -> Option<Prototype> {
        let btf = self.btf()?;
        let id = btf.find(Kind::Struct, &format!("bpf_iter__{}", String::from_utf8_lossy(name)))?;
        let members: Vec<(String, TypeId)> =
            btf.members(id).map(|member| (member.name.to_owned(), member.ty)).collect();
        let mut parameters = Vec::new();
        for (name, ty) in members {
            match name.is_empty() {
                true => parameters.extend(self.union_member(ty)),
                false => parameters
                    .push((Bytes::from(name.as_str()), self.import(Whose::Kernel, ty).unwrap_or(Type::Void))),
            }
        }
        Some(Prototype { parameters, result: Type::Void })
    }

    /// The kernel pads pointers of iterators to 64 bits by anonymous unions of one member.
    fn union_member(&mut self, ty: TypeId) -> Option<(Bytes, Type)> {
        let btf = self.btf()?;
        let member = btf.members(btf.resolve(ty)).next()?;
        let (name, ty) = (Bytes::from(member.name), member.ty);
        Some((name, self.import(Whose::Kernel, ty).unwrap_or(Type::Void)))
    }

    fn prototype(&mut self, (whose, id): (Whose, TypeId), skip: usize) -> Option<Prototype> {
        let btf = self.types_of(whose)?;
        let (parameters, result) = btf.prototype(id)?;
        let given: Vec<(String, TypeId)> =
            parameters.skip(skip).map(|parameter| (parameter.name.to_owned(), parameter.ty)).collect();
        let mut parameters = Vec::new();
        for (name, ty) in given {
            parameters.push((Bytes::from(name.as_str()), self.import(whose, ty).unwrap_or(Type::Void)));
        }
        Some(Prototype { parameters, result: self.import(whose, result).unwrap_or(Type::Void) })
    }

    /// The structure that stands for the arguments of the function that an attach point names.
    pub fn arguments(&mut self, of: &Bytes) -> StructId {
        let known =
            self.sources.iter().position(|source| matches!(source, Source::Arguments(name) if name == of));
        if let Some(index) = known {
            return StructId(index as u32);
        }
        let name = self.free_name(format!("{ARGUMENTS_RECORD}{}", identifier(of)));
        let (origin, fields) = (Origin::Arguments, Vec::new());
        let structure = Struct { name: name.into(), union: false, origin, size: 0, fields };
        self.add(structure, Source::Arguments(of.clone()))
    }

    /// A field of such a structure: an argument of this type behind so many words.
    pub fn argument(&mut self, id: StructId, name: &Bytes, ty: &Type, word: u32) -> u32 {
        let known = self.structs[id].fields.iter().position(|field| field.name == *name);
        if let Some(index) = known {
            return index as u32;
        }
        let end = (word + self.words(ty)) * WORD;
        let structure = &mut self.structs.structs[id.0 as usize];
        structure.size = structure.size.max(end);
        structure.fields.push(StructField {
            name: name.clone(),
            ty: ty.clone(),
            bit_offset: u64::from(word * WORD) * 8,
            bits: None,
            data_loc: false,
        });
        (structure.fields.len() - 1) as u32
    }

    /// How many words an argument takes.
    pub fn words(&self, ty: &Type) -> u32 {
        self.size_of(ty).unwrap_or(WORD).div_ceil(WORD).max(1)
    }
}
