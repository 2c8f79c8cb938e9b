//! Structures of tracepoint records.

use btaot_abi::Bytes;
use btaot_abi::metadata::TRACEPOINT_RECORD;
use btaot_frontend::ast::Tag;

use super::format::{Field, parse};
use super::{Catalog, Source};
use crate::types::{Int, Origin, Space, Struct, StructField, StructId, Type};

/// Why a field of a tracepoint's record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TracepointFault {
    /// An event of the script does not exist here, so its fields are not known.
    NoEvent(String),
    /// No event has the field.
    NoField,
    /// This event lacks it, though another has it.
    MissingIn(String),
    /// Its size differs between two events.
    Differs(String, String),
    /// It belongs to the header that programs may not read.
    Common,
    /// It has a form that the language has no type for.
    BadType(String),
}

impl Catalog<'_> {
    /// The structure of the records of these events, which a body reads as one.
    pub fn tracepoint(&mut self, events: &[(Bytes, Bytes)]) -> StructId {
        let known =
            self.sources.iter().position(|source| matches!(source, Source::Tracepoint(e) if e == events));
        if let Some(index) = known {
            return StructId(index as u32);
        }
        let parts =
            events.iter().map(|(category, event)| format!("{}_{}", identifier(category), identifier(event)));
        let base = format!("{TRACEPOINT_RECORD}{}", parts.collect::<Vec<_>>().join("__"));
        let structure = Struct {
            name: self.free_name(base).into(),
            union: false,
            origin: Origin::Tracepoint,
            size: 0,
            fields: Vec::new(),
        };
        self.add(structure, Source::Tracepoint(events.to_vec()))
    }

    /// A name that no structure of the program has yet, like this one.
    pub(super) fn free_name(&self, base: String) -> String {
        let taken = |name: &str| self.structs.structs.iter().any(|known| &known.name[..] == name.as_bytes());
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(base)
    }

    /// A field of the records of a structure made by [`Self::tracepoint`]. It must exist in all events that are here,
    /// with one size; the tool checks that again where it runs.
    pub fn tracepoint_field(&mut self, id: StructId, name: &str) -> Result<u32, TracepointFault> {
        if let Some(known) = self.field(id, name) {
            return Ok(known);
        }
        let Source::Tracepoint(events) = self.sources[id.0 as usize].clone() else {
            return Err(TracepointFault::NoField);
        };
        let (event, field) = self.common_field(&events, name)?;
        if name.starts_with("common_") {
            return Err(TracepointFault::Common);
        }
        let space = if &event.0[..] == b"syscalls" { Space::User } else { Space::Kernel };
        let ty = self.field_type(&field, space).ok_or(TracepointFault::BadType(field.declaration))?;
        let structure = &mut self.structs.structs[id.0 as usize];
        structure.size = structure.size.max(field.offset + field.size);
        structure.fields.push(StructField {
            name: field.name,
            ty,
            bit_offset: u64::from(field.offset) * 8,
            bits: None,
            data_loc: field.data_loc,
        });
        Ok((structure.fields.len() - 1) as u32)
    }

    /// The field in the first event, if all have it alike.
    fn common_field(
        &mut self,
        patterns: &[(Bytes, Bytes)],
        name: &str,
    ) -> Result<((Bytes, Bytes), Field), TracepointFault> {
        let mut found: Option<((Bytes, Bytes), Field)> = None;
        let mut lacking = None;
        for pattern in patterns {
            let events = self.target.tracepoints(&pattern.0, &pattern.1);
            if events.is_empty() {
                return Err(TracepointFault::NoEvent(event_name(pattern)));
            }
            for event in events {
                let fields = self.record(&event);
                let field = fields.iter().find(|field| &field.name[..] == name.as_bytes()).cloned();
                match (field, &found) {
                    (None, _) => lacking = lacking.or(Some(event)),
                    (Some(field), None) => found = Some((event, field)),
                    (Some(field), Some((first, known))) if field.size != known.size => {
                        return Err(TracepointFault::Differs(event_name(first), event_name(&event)));
                    }
                    (Some(_), Some(_)) => {}
                }
            }
        }
        match (found, lacking) {
            (None, _) => Err(TracepointFault::NoField),
            (Some(_), Some(event)) => Err(TracepointFault::MissingIn(event_name(&event))),
            (Some(found), None) => Ok(found),
        }
    }

    fn record(&mut self, event: &(Bytes, Bytes)) -> Vec<Field> {
        let target = self.target;
        let read = || target.tracepoint_format(&event.0, &event.1).map(|text| parse(&text));
        self.formats.entry(event.clone()).or_insert_with(read).clone().unwrap_or_default()
    }

    pub(super) fn tracepoint_field_names(&self, patterns: &[(Bytes, Bytes)]) -> Vec<String> {
        let events = patterns.iter().flat_map(|pattern| self.target.tracepoints(&pattern.0, &pattern.1));
        let formats = events.filter_map(|event| self.target.tracepoint_format(&event.0, &event.1));
        let fields = formats.flat_map(|text| parse(&text));
        let names = fields.map(|field| field.name.display().into_owned());
        names.filter(|name| !name.starts_with("common_")).collect()
    }

    fn field_type(&mut self, field: &Field, space: Space) -> Option<Type> {
        let char = || Type::Int(Int { size: 1, signed: true });
        if field.data_loc {
            // The data lies behind the record, in kernel memory, whatever the event is about.
            return Some(Self::pointer(self.element(field).unwrap_or_else(char), Space::Kernel));
        }
        if let Some(pointee) = field.declaration.strip_suffix('*') {
            return Some(Self::pointer(self.pointee(pointee.trim()), space));
        }
        if field.array.is_some() {
            let element = self.element(field)?;
            let size = self.size_of(&element)?;
            if size == 1 && is_char(&field.declaration) {
                return Some(Type::Str(field.size));
            }
            return Some(Type::Array { element: Box::new(element), len: field.size / size.max(1) });
        }
        if let Some(name) = field.declaration.strip_prefix("enum ")
            && let Some(ty) = self.tagged(Tag::Enum, name.trim())
            && self.size_of(&ty) == Some(field.size)
        {
            return Some(ty);
        }
        if field.declaration == "bool" && field.size == 1 {
            return Some(Type::Bool);
        }
        // A structure by value has members of which the event's description says nothing; its size makes it no number.
        if ["struct ", "union "].iter().any(|keyword| field.declaration.starts_with(keyword)) {
            return None;
        }
        let int = Int { size: field.size, signed: field.signed };
        matches!(field.size, 1 | 2 | 4 | 8).then_some(Type::Int(int))
    }

    /// The type of an array's elements, by C's names and the kernel's.
    fn element(&mut self, field: &Field) -> Option<Type> {
        let name = field.declaration.trim_start_matches("const ").trim();
        self.named_integer(name)
    }

    /// What a pointer of a record leads to; nothing is read through pointers to other types than these.
    fn pointee(&mut self, declaration: &str) -> Type {
        let words = declaration.split_whitespace().filter(|word| *word != "const" && *word != "volatile");
        let words: Vec<&str> = words.collect();
        match words[..] {
            ["struct", name] => self.tagged(Tag::Struct, name).unwrap_or(Type::Void),
            ["union", name] => self.tagged(Tag::Union, name).unwrap_or(Type::Void),
            [.., last] if last.ends_with('*') => {
                let inner = declaration.trim_end_matches('*').trim().to_owned();
                Self::pointer(self.pointee(&inner), Space::Unknown)
            }
            _ => self.named_integer(&words.join(" ")).unwrap_or(Type::Void),
        }
    }

    fn named_integer(&mut self, name: &str) -> Option<Type> {
        use btaot_grammar::vocabulary::BuiltinType;
        if let Some(ty) = BuiltinType::lookup(name)
            && ty.is_integer()
        {
            let row = ty.row();
            return Some(Type::Int(Int { size: row.size.into(), signed: row.signed }));
        }
        self.typedef(name)
    }
}

fn is_char(declaration: &str) -> bool {
    declaration.split_whitespace().filter(|word| *word != "const").eq(["char"])
}

fn event_name((category, event): &(Bytes, Bytes)) -> String {
    format!("{}:{}", category.display(), event.display())
}

/// A part of a structure's name.
pub(super) fn identifier(text: &[u8]) -> String {
    let letter = |byte: &u8| if byte.is_ascii_alphanumeric() { char::from(*byte) } else { '_' };
    text.iter().map(letter).collect()
}
