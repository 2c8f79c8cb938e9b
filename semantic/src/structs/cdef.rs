//! The script's own C definitions, laid out by the rules of the System V ABI.

use btaot_abi::Bytes;
use btaot_frontend::ast::{
    CAlign, CBase, CDeclaration, CEnum, CField, CItem, CRecord, CType, CTypeKind, Expr, Tag,
};
use btaot_frontend::{Code, Diagnostic, Span};
use btaot_grammar::vocabulary::BuiltinType;

use super::constant::{evaluate, unknown_names};
use super::{Catalog, Source, Whose};
use crate::types::{Enum, EnumId, Int, Origin, Space, Struct, StructField, StructId, Type};

/// The largest alignment of any type on the supported targets, in bytes.
const MAX_ALIGN: u64 = 16;

/// Takes the definitions over. The diagnostics say what is wrong with them.
pub(super) fn define(catalog: &mut Catalog<'_>, items: &[CItem]) -> Vec<Diagnostic> {
    let mut definer = Definer { catalog, diagnostics: Vec::new() };
    for item in items {
        definer.item(item);
    }
    definer.diagnostics
}

struct Definer<'c, 't> {
    catalog: &'c mut Catalog<'t>,
    diagnostics: Vec<Diagnostic>,
}

/// A type with its place in memory.
#[derive(Clone)]
struct Laid {
    ty: Type,
    size: u64,
    align: u64,
}

/// Where the next field goes.
#[derive(Default)]
struct Cursor {
    bits: u64,
    align: u64,
    end: u64,
}

impl Definer<'_, '_> {
    fn item(&mut self, item: &CItem) {
        match item {
            // What headers define was looked up before the script is checked.
            CItem::Include { .. } => {}
            // Such a macro only means something where C stands; a call of it is told what to do.
            CItem::Define(define) if define.parameters.is_some() => {
                self.catalog.script.defines.insert(define.name.text.clone(), None);
            }
            CItem::Define(define) => {
                self.catalog.script.defines.insert(define.name.text.clone(), define.value.clone());
            }
            CItem::Undef(name) => {
                self.catalog.script.defines.shift_remove(&name.text);
            }
            CItem::Declaration(declaration) => self.declaration(declaration),
        }
    }

    fn declaration(&mut self, declaration: &CDeclaration) {
        if self.ty(&declaration.ty).is_none() && declaration.typedefs.is_empty() {
            return;
        }
        for typedef in &declaration.typedefs {
            if let Some(laid) = self.ty(&typedef.ty) {
                self.catalog.script.typedefs.insert(typedef.name.text.clone(), laid.ty);
            }
        }
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, span, message));
    }

    fn constant(&mut self, expr: &Expr) -> Option<i64> {
        self.kernel_constants(expr);
        let value = evaluate(&self.catalog.script, expr);
        if value.is_none() {
            self.error(Code::NotConstant, expr.span, "this must be a constant expression");
        }
        value
    }

    /// Enumerators of the kernel, which give a definition of the script the size that they have here.
    fn kernel_constants(&mut self, expr: &Expr) {
        for (name, span) in unknown_names(&self.catalog.script, expr) {
            if let Some((_, value)) = self.catalog.btf_enumerator(Whose::Kernel, &name) {
                let message =
                    format!("`{name}` is {value} in this machine's kernel, and so it is in the tool");
                self.diagnostics.push(Diagnostic::warning(Code::CFixedLayout, span, message));
                self.catalog.script.constants.insert(name, value.into());
            }
        }
    }

    fn ty(&mut self, ty: &CType) -> Option<Laid> {
        match &ty.kind {
            CTypeKind::Base(base) => self.base(*base, ty.span),
            CTypeKind::Named(name) => self.named(name, ty.span),
            CTypeKind::Record(record) => self.record(record),
            CTypeKind::Enum(enumeration) => self.enumeration(enumeration, ty.span),
            CTypeKind::Pointer(to) => {
                let to = match &to.kind {
                    CTypeKind::Function { .. } => Type::Void,
                    CTypeKind::Base(CBase::Void | CBase::Float | CBase::Double | CBase::LongDouble) => {
                        Type::Void
                    }
                    _ => self.ty(to)?.ty,
                };
                Some(Laid { ty: Catalog::pointer(to, Space::Unknown), size: 8, align: 8 })
            }
            CTypeKind::Array { element, length } => self.array(element, length.as_deref()),
            CTypeKind::Function { .. } => {
                self.error(Code::CSyntax, ty.span, "a function has no value; a pointer to it has");
                None
            }
        }
    }

    fn array(&mut self, element: &CType, length: Option<&Expr>) -> Option<Laid> {
        let is_char = matches!(element.kind, CTypeKind::Base(CBase::Char));
        let laid = self.ty(element)?;
        let len = match length {
            None => 0,
            Some(length) => {
                let value = self.constant(length)?;
                let Ok(len) = u32::try_from(value) else {
                    self.error(Code::BadIndex, length.span, "an array cannot have this length");
                    return None;
                };
                len
            }
        };
        let size = laid.size.saturating_mul(u64::from(len));
        if size > u64::from(u32::MAX) {
            self.error(Code::TooLarge, element.span, "this array has more than 4 GiB");
            return None;
        }
        let ty =
            if is_char && len > 0 { Type::Str(len) } else { Type::Array { element: Box::new(laid.ty), len } };
        Some(Laid { ty, size, align: laid.align })
    }

    fn base(&mut self, base: CBase, span: Span) -> Option<Laid> {
        let int = |size: u32, signed| Some((Type::Int(Int { size, signed }), u64::from(size)));
        let found = match base {
            CBase::Bool => Some((Type::Bool, 1)),
            CBase::Char | CBase::SignedChar => int(1, true),
            CBase::UnsignedChar => int(1, false),
            CBase::Short => int(2, true),
            CBase::UnsignedShort => int(2, false),
            CBase::Int => int(4, true),
            CBase::UnsignedInt => int(4, false),
            CBase::Long | CBase::LongLong => int(8, true),
            CBase::UnsignedLong | CBase::UnsignedLongLong => int(8, false),
            // Numbers that the language cannot compute with still take their room.
            CBase::Float => Some((bytes(4), 4)),
            CBase::Double => Some((bytes(8), 8)),
            CBase::LongDouble | CBase::Int128 | CBase::UnsignedInt128 => Some((bytes(16), 16)),
            CBase::Void => None,
        };
        let Some((ty, size)) = found else {
            self.error(Code::CIncomplete, span, "void has no size");
            return None;
        };
        Some(Laid { ty, size, align: size })
    }

    fn named(&mut self, name: &str, span: Span) -> Option<Laid> {
        let builtin = BuiltinType::lookup(name).filter(|ty| ty.is_integer() || *ty == BuiltinType::Bool);
        let ty = match builtin {
            Some(BuiltinType::Bool) => Type::Bool,
            Some(row) => Type::Int(Int { size: row.row().size.into(), signed: row.row().signed }),
            None => match self.catalog.typedef(name) {
                Some(ty) => ty,
                None => {
                    self.error(Code::UnknownType, span, format!("unknown type `{name}`"));
                    return None;
                }
            },
        };
        Some(self.laid(ty))
    }

    /// A type that is already known, with its place in memory.
    fn laid(&self, ty: Type) -> Laid {
        let size = self.catalog.size_of(&ty).unwrap_or(0).into();
        Laid { size, align: self.catalog.align_of(&ty).into(), ty }
    }

    fn record(&mut self, record: &CRecord) -> Option<Laid> {
        let tag = if record.union { Tag::Union } else { Tag::Struct };
        let Some(fields) = &record.fields else {
            let name = record.name.as_ref()?;
            // Behind a pointer a structure need not be defined.
            let known = self.catalog.tagged(tag, &name.text);
            let ty = known.unwrap_or_else(|| Type::Struct(self.catalog.incomplete(record.union, &name.text)));
            return Some(self.laid(ty));
        };
        let id = self.start(record, tag)?;
        let mut cursor = Cursor { align: 1, ..Cursor::default() };
        let mut laid_fields = Vec::new();
        for field in fields {
            self.field(record, field, &mut cursor, &mut laid_fields);
        }
        let align = match &record.aligned {
            None => cursor.align,
            Some(align) => cursor.align.max(self.alignment(align)?),
        };
        let size = cursor.end.div_ceil(8).next_multiple_of(align);
        let Ok(total) = u32::try_from(size) else {
            let span = record.name.as_ref().map_or_else(|| fields_span(fields), |name| name.span);
            self.error(Code::TooLarge, span, "this type has more than 4 GiB");
            return None;
        };
        let structure = &mut self.catalog.structs.structs[id.0 as usize];
        structure.fields = laid_fields;
        structure.size = total;
        self.catalog.sources[id.0 as usize] = Source::Script(align as u32);
        Some(Laid { ty: Type::Struct(id), size, align })
    }

    /// The number of a structure that is being defined: known before its fields, which may point to it.
    fn start(&mut self, record: &CRecord, tag: Tag) -> Option<StructId> {
        let Some(name) = &record.name else {
            let unnamed = Struct {
                name: Bytes::default(),
                union: record.union,
                origin: Origin::Script,
                size: 0,
                fields: Vec::new(),
            };
            return Some(self.catalog.add(unnamed, Source::Script(1)));
        };
        let key = (tag, name.text.clone());
        if self.catalog.script.tags.contains_key(&key) {
            let message = format!("`{} {}` is defined twice", tag.keyword(), name.text);
            self.error(Code::CRedefinition, name.span, message);
            return None;
        }
        let id = self.catalog.incomplete(record.union, &name.text);
        self.catalog.script.tags.insert(key, Type::Struct(id));
        Some(id)
    }

    fn field(&mut self, record: &CRecord, field: &CField, cursor: &mut Cursor, out: &mut Vec<StructField>) {
        let Some(laid) = self.ty(&field.ty) else { return };
        if let Type::Struct(id) = laid.ty
            && !self.catalog.is_complete(id)
        {
            let name = self.catalog.name_of(id);
            self.error(Code::CIncomplete, field.span, format!("`{name}` is not defined"));
            return;
        }
        let packed = record.packed || field.packed;
        let mut align = if packed { 1 } else { laid.align };
        if let Some(wanted) = &field.aligned {
            let Some(wanted) = self.alignment(wanted) else { return };
            align = align.max(wanted);
        }
        let start = if record.union { 0 } else { cursor.bits };
        let (offset, bits) = match &field.bits {
            None => (start.next_multiple_of(align * 8), None),
            Some(width) => {
                let Some(width) = self.width(width, &laid) else { return };
                if width == 0 {
                    cursor.bits = start.next_multiple_of(laid.align * 8);
                    return;
                }
                let unit = laid.size * 8;
                // A bit field never crosses a border of its type, unless packed.
                let crosses = start % unit + u64::from(width) > unit;
                let offset = if crosses && !packed { start.next_multiple_of(unit) } else { start };
                (offset, Some(width))
            }
        };
        let width = bits.map_or(laid.size * 8, u64::from);
        cursor.bits = offset + width;
        cursor.end = cursor.end.max(cursor.bits);
        if bits.is_none() || field.name.is_some() {
            cursor.align = cursor.align.max(align);
        }
        match (&field.name, &laid.ty) {
            (Some(name), _) => {
                out.push(StructField {
                    name: Bytes::from(name.text.as_str()),
                    ty: laid.ty,
                    bit_offset: offset,
                    bits,
                    data_loc: false,
                });
            }
            // Fields of an anonymous member are fields of the structure itself.
            (None, Type::Struct(inner)) => {
                let inner = self.catalog.structs.structs[inner.0 as usize].fields.clone();
                out.extend(
                    inner
                        .into_iter()
                        .map(|field| StructField { bit_offset: field.bit_offset + offset, ..field }),
                );
            }
            (None, _) => {}
        }
    }

    fn width(&mut self, width: &Expr, laid: &Laid) -> Option<u32> {
        let bits = self.constant(width)?;
        let fits = u32::try_from(bits).ok().filter(|bits| u64::from(*bits) <= laid.size * 8);
        let integer = matches!(laid.ty, Type::Int(_) | Type::Bool | Type::Enum(_));
        if fits.is_none() || !integer {
            self.error(Code::CSyntax, width.span, "a bit field is at most as wide as its integer type");
            return None;
        }
        fits
    }

    fn alignment(&mut self, align: &CAlign) -> Option<u64> {
        let CAlign::Bytes(expr) = align else { return Some(MAX_ALIGN) };
        let value = self.constant(expr)?;
        let align = u64::try_from(value).ok().filter(|align| align.is_power_of_two() && *align <= 4096);
        if align.is_none() {
            self.error(Code::CSyntax, expr.span, "an alignment is a power of two, at most 4096");
        }
        align
    }

    fn enumeration(&mut self, definition: &CEnum, span: Span) -> Option<Laid> {
        let Some(values) = &definition.values else {
            let name = definition.name.as_ref()?;
            let Some(ty) = self.catalog.tagged(Tag::Enum, &name.text) else {
                self.error(Code::CIncomplete, span, format!("`enum {}` is not defined", name.text));
                return None;
            };
            return Some(self.laid(ty));
        };
        let id = EnumId(self.catalog.structs.enums.len() as u32);
        let mut next = 0i64;
        let mut variants = Vec::new();
        for enumerator in values {
            let value = match &enumerator.value {
                Some(expr) => self.constant(expr)?,
                None => next,
            };
            next = value.wrapping_add(1);
            let name = enumerator.name.text.clone();
            if self.catalog.script.enumerators.insert(name.clone(), (id, value)).is_some() {
                let message = format!("the enumerator `{name}` is defined twice");
                self.error(Code::CRedefinition, enumerator.name.span, message);
            }
            variants.push((Bytes::from(name), value));
        }
        let signed = variants.iter().any(|(_, value)| *value < 0);
        let small = |(_, value): &(Bytes, i64)| {
            if signed { i32::try_from(*value).is_ok() } else { u32::try_from(*value).is_ok() }
        };
        let size = if variants.iter().all(small) { 4 } else { 8 };
        let name = definition.name.as_ref().map(|name| name.text.clone());
        let tag = Bytes::from(name.clone().unwrap_or_default());
        self.catalog.add_enum(Enum {
            name: tag,
            int: Int { size, signed },
            variants,
            origin: Origin::Script,
        });
        if let Some(name) = name {
            self.catalog.script.tags.insert((Tag::Enum, name), Type::Enum(id));
        }
        Some(Laid { ty: Type::Enum(id), size: size.into(), align: size.into() })
    }
}

/// The place of a structure without a name.
fn fields_span(fields: &[CField]) -> Span {
    fields.first().map_or_else(Span::default, |field| field.span)
}

/// Bytes without a meaning.
fn bytes(len: u32) -> Type {
    Type::Array { element: Box::new(Type::Int(Int { size: 1, signed: false })), len }
}
