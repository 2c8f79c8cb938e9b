//! The kernel's types, in C.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use btaot_abi::metadata::has_wildcard;
use btaot_abi::pattern::matches;
use btaot_btf::{Btf, Def, Kind, Member, TypeId};
use btaot_grammar::vocabulary::closest;
use btaot_semantic::Target;

use super::Request;
use crate::failure::Failure;

/// Anonymous structures nest less deep than this in any source; damaged types do not end.
const DEEPEST: usize = 16;

/// Types by kind and pattern.
pub struct Wanted<'p> {
    kinds: &'static [Kind],
    keyword: &'static str,
    pattern: &'p str,
}

/// `struct NAME`, `union NAME`, `enum NAME`.
pub fn pattern(text: &str) -> Option<Wanted<'_>> {
    let keywords: [(&'static str, &'static [Kind]); 3] =
        [("struct", &[Kind::Struct]), ("union", &[Kind::Union]), ("enum", &[Kind::Enum, Kind::Enum64])];
    keywords.into_iter().find_map(|(keyword, kinds)| {
        let pattern = text.strip_prefix(keyword)?.strip_prefix(' ')?.trim();
        Some(Wanted { kinds, keyword, pattern })
    })
}

/// Whether a word begins a pattern of types.
pub fn is_keyword(word: &str) -> bool {
    pattern(&format!("{word} *")).is_some()
}

/// Lists types by name, or with `-v` their definitions.
pub fn list(text: &mut String, wanted: &Wanted<'_>, request: &Request<'_>) -> Result<(), Failure> {
    let types = Types::read(request)?;
    let kernel = types.kernel();
    let mut names = BTreeSet::new();
    for kind in wanted.kinds {
        names.extend(kernel.names(*kind));
    }
    if !has_wildcard(wanted.pattern.as_bytes())
        && !names.contains(wanted.pattern)
        && let Some(close) = closest(wanted.pattern, names.iter().copied())
    {
        eprintln!("warning: there is no {} `{}`; did you mean `{close}`?", wanted.keyword, wanted.pattern);
    }
    for name in names.into_iter().filter(|name| matches(wanted.pattern.as_bytes(), name.as_bytes())) {
        if !request.verbose {
            let _ = writeln!(text, "{} {name}", wanted.keyword);
            continue;
        }
        if let Some(id) = wanted.kinds.iter().find_map(|kind| kernel.find(*kind, name)) {
            let _ = writeln!(text, "vmlinux: {};", kernel.definition(id, 0));
        }
    }
    Ok(())
}

/// The bytes of the kernel's BTF.
pub struct Types {
    bytes: Vec<u8>,
}

impl Types {
    /// Those that are named for compiling, or the running kernel's.
    pub fn read(request: &Request<'_>) -> Result<Self, Failure> {
        let named = request.settings.kernel_types.as_ref().map(|types| types.kernel.clone());
        let bytes = named.or_else(|| Target::live().kernel_btf().map(<[u8]>::to_vec));
        let bytes = bytes.ok_or_else(|| {
            Failure::Usage("this kernel does not tell its types: there is no /sys/kernel/btf/vmlinux".into())
        })?;
        Btf::scan(&bytes, None).map_err(|error| Failure::input("/sys/kernel/btf/vmlinux", error))?;
        Ok(Self { bytes })
    }

    /// The types, ready for questions.
    pub fn kernel(&self) -> Kernel<'_> {
        // It was scanned before: what could be wrong was told then.
        let btf = Btf::scan(&self.bytes, None).unwrap_or_else(|error| panic!("types changed: {error}"));
        Kernel { btf }
    }
}

/// The kernel's types.
pub struct Kernel<'d> {
    /// What they are read from.
    pub btf: Btf<'d>,
}

impl<'d> Kernel<'d> {
    /// The names of all types of a kind.
    pub fn names(&self, kind: Kind) -> BTreeSet<&'d str> {
        let ids = self.btf.own_ids().filter(|id| self.btf.kind(*id) == kind);
        ids.map(|id| self.btf.name(id)).filter(|name| !name.is_empty()).collect()
    }

    /// The type of a kind and name.
    pub fn find(&self, kind: Kind, name: &str) -> Option<TypeId> {
        self.btf.find(kind, name)
    }

    /// A type without a declared name: `struct sock *`.
    pub fn type_name(&self, id: TypeId) -> String {
        self.declaration(id, String::new(), DEEPEST).trim_end().to_owned()
    }

    /// A definition, without the semicolon behind it. `depth` is that of its closing brace.
    pub fn definition(&self, id: TypeId, depth: usize) -> String {
        let tabs = "\t".repeat(depth);
        let name = self.btf.name(id);
        let space = if name.is_empty() { "" } else { " " };
        let (keyword, members) = match self.btf.def(id) {
            Def::Struct { members, .. } => ("struct", members),
            Def::Union { members, .. } => ("union", members),
            Def::Enum { values, .. } => {
                let mut text = format!("enum{space}{name} {{\n");
                for value in values {
                    let _ = writeln!(text, "{tabs}\t{} = {},", value.name, value.value);
                }
                return text + &tabs + "}";
            }
            _ => return name.to_owned(),
        };
        let mut text = format!("{keyword}{space}{name} {{\n");
        for member in members {
            let _ = writeln!(text, "{tabs}\t{};", self.member(&member, depth + 1));
        }
        text + &tabs + "}"
    }

    fn member(&self, member: &Member<'_>, depth: usize) -> String {
        let mut text = self.declaration(member.ty, member.name.to_owned(), depth);
        if member.bitfield_size > 0 {
            let _ = write!(text, ": {}", member.bitfield_size);
        }
        text.trim_end().to_owned()
    }

    /// The declaration of a name with a type. In C the name stands inside: what is known of it so far grows outwards.
    fn declaration(&self, mut id: TypeId, mut inner: String, depth: usize) -> String {
        loop {
            match self.btf.def(id) {
                Def::Ptr(to) => {
                    let behind = self.unqualified(to);
                    let is_compound =
                        matches!(self.btf.def(behind), Def::Array { .. } | Def::FuncProto { .. });
                    inner = if is_compound { format!("(*{inner})") } else { format!("*{inner}") };
                    id = to;
                }
                Def::Array { element, len, .. } => {
                    inner = format!("{inner}[{len}]");
                    id = element;
                }
                Def::FuncProto { result, params } => {
                    let named = |name: &str, ty| match (name, ty) {
                        ("", TypeId::VOID) => "...".to_owned(),
                        _ => self.declaration(ty, name.to_owned(), depth).trim_end().to_owned(),
                    };
                    let mut list: Vec<String> =
                        params.map(|parameter| named(parameter.name, parameter.ty)).collect();
                    if list.is_empty() {
                        list.push("void".into());
                    }
                    inner = format!("{inner}({})", list.join(", "));
                    id = result;
                }
                Def::Modifier(of) => {
                    let word = match self.btf.kind(id) {
                        Kind::Const => "const",
                        Kind::Volatile => "volatile",
                        Kind::Restrict => "restrict",
                        // Tags are for checkers.
                        _ => "",
                    };
                    if word.is_empty() {
                        id = of;
                    } else if matches!(self.btf.def(of), Def::Ptr(_)) {
                        inner = format!("{word} {inner}");
                        id = of;
                    } else {
                        return format!("{word} {}", self.declaration(of, inner, depth));
                    }
                }
                _ => return format!("{} {inner}", self.base(id, depth)),
            }
        }
    }

    /// What stands in front of a declaration.
    fn base(&self, id: TypeId, depth: usize) -> String {
        let name = self.btf.name(id);
        let keyword = match self.btf.def(id) {
            Def::Void => return "void".into(),
            Def::Struct { .. } | Def::Fwd { union: false } => "struct",
            Def::Union { .. } | Def::Fwd { union: true } => "union",
            Def::Enum { .. } => "enum",
            _ => return name.to_owned(),
        };
        match name {
            "" if depth < DEEPEST => self.definition(id, depth),
            "" => format!("{keyword} {{ … }}"),
            _ => format!("{keyword} {name}"),
        }
    }

    /// The type behind qualifiers.
    fn unqualified(&self, mut id: TypeId) -> TypeId {
        while let Def::Modifier(of) = self.btf.def(id) {
            id = of;
        }
        id
    }
}
