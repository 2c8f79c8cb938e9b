//! Signatures of functions that the kernel's BTF knows.

use btaot_abi::Bytes;
use btaot_btf::{Kind, TypeId};

use super::{Catalog, Whose};
use crate::target::matches;
use crate::types::Type;

/// Parameters by name, and the result.
pub(crate) type Prototype = (Vec<(Bytes, Type)>, Type);

impl Catalog<'_> {
    /// The signature of a kernel function, or of the first that a pattern matches.
    pub fn kernel_function(&mut self, pattern: &[u8]) -> Option<Prototype> {
        let btf = self.btf()?;
        let name = String::from_utf8_lossy(pattern).into_owned();
        let id = btf.find(Kind::Func, &name).or_else(|| {
            let pattern = Bytes::from(pattern.to_vec());
            let functions = btf.own_ids().filter(|id| btf.kind(*id) == Kind::Func);
            functions.into_iter().find(|id| matches(&pattern, &Bytes::from(btf.name(*id))))
        })?;
        self.prototype(id, 0)
    }

    /// What a raw tracepoint passes on: the parameters of its probe behind the private pointer.
    pub fn raw_tracepoint(&mut self, event: &[u8]) -> Option<Prototype> {
        let btf = self.btf()?;
        let event = String::from_utf8_lossy(event).into_owned();
        let names = [format!("__probestub_{event}"), format!("__traceiter_{event}")];
        let id = names.iter().find_map(|name| btf.find(Kind::Func, name))?;
        self.prototype(id, 1)
    }

    /// What an iterator visits: the members of `struct bpf_iter__NAME` behind the metadata.
    pub fn iterator(&mut self, name: &[u8]) -> Option<Prototype> {
        let btf = self.btf()?;
        let id = btf.find(Kind::Struct, &format!("bpf_iter__{}", String::from_utf8_lossy(name)))?;
        let members: Vec<(String, TypeId)> =
            btf.members(id).map(|member| (member.name.to_owned(), member.ty)).collect();
        let mut fields = Vec::new();
        for (name, ty) in members {
            match name.is_empty() {
                true => fields.extend(self.union_member(ty)),
                false => fields
                    .push((Bytes::from(name.as_str()), self.import(Whose::Kernel, ty).unwrap_or(Type::Void))),
            }
        }
        Some((fields, Type::Void))
    }

    /// The kernel pads pointers of iterators to 64 bits by anonymous unions of one member.
    fn union_member(&mut self, ty: TypeId) -> Option<(Bytes, Type)> {
        let btf = self.btf()?;
        let member = btf.members(btf.resolve(ty)).next()?;
        let (name, ty) = (Bytes::from(member.name), member.ty);
        Some((name, self.import(Whose::Kernel, ty).unwrap_or(Type::Void)))
    }

    fn prototype(&mut self, id: TypeId, skip: usize) -> Option<Prototype> {
        let btf = self.btf()?;
        let (parameters, result) = btf.prototype(id)?;
        let parameters: Vec<(String, TypeId)> =
            parameters.skip(skip).map(|parameter| (parameter.name.to_owned(), parameter.ty)).collect();
        let mut fields = Vec::new();
        for (name, ty) in parameters {
            fields.push((Bytes::from(name.as_str()), self.import(Whose::Kernel, ty).unwrap_or(Type::Void)));
        }
        Some((fields, self.import(Whose::Kernel, result).unwrap_or(Type::Void)))
    }
}
