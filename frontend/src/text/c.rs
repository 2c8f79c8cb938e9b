//! C definitions as text.

use super::{Quoted, Writer};
use crate::ast::{CAlign, CEnum, CField, CItem, CRecord, CType, CTypeKind};

impl Writer<'_> {
    pub(super) fn c_item(&mut self, item: &CItem) {
        match item {
            CItem::Include { path, system, span } => {
                let kind = if *system { "system" } else { "own" };
                self.line(*span, format_args!("#include {kind} {}", Quoted(path)));
            }
            CItem::Define(define) => {
                let parameters = define.parameters.as_ref().map(|names| format!("({})", names.join(", ")));
                let name = format!("{}{}", define.name.text, parameters.unwrap_or_default());
                // Without places the text is for comparison, and the width of white space has no meaning.
                let body = match self.sources {
                    Some(_) => define.body.clone(),
                    None => define.body.split_whitespace().collect::<Vec<_>>().join(" "),
                };
                self.line(define.span, format_args!("#define {name} {}", Quoted(body.as_bytes())));
                self.inner(|writer| define.value.iter().for_each(|value| writer.expr(value)));
            }
            CItem::Undef(name) => self.line(name.span, format_args!("#undef {}", name.text)),
            CItem::Declaration(declaration) => {
                self.line(declaration.span, "declaration");
                self.inner(|writer| {
                    writer.c_type(&declaration.ty);
                    for typedef in &declaration.typedefs {
                        writer.line(typedef.name.span, format_args!("typedef {}", typedef.name.text));
                        writer.inner(|writer| writer.c_type(&typedef.ty));
                    }
                });
            }
        }
    }

    fn c_type(&mut self, ty: &CType) {
        let tag = |name: &Option<crate::ast::Name>| {
            name.as_ref().map_or(String::new(), |name| format!(" {}", name.text))
        };
        let head = match &ty.kind {
            CTypeKind::Base(base) => format!("{base:?}"),
            CTypeKind::Named(name) => format!("named {name}"),
            CTypeKind::Record(CRecord { union, name, packed, .. }) => {
                let packed = if *packed { " packed" } else { "" };
                format!("{}{}{packed}", if *union { "union" } else { "struct" }, tag(name))
            }
            CTypeKind::Enum(CEnum { name, packed, .. }) => {
                format!("enum{}{}", tag(name), if *packed { " packed" } else { "" })
            }
            CTypeKind::Pointer(_) => "pointer".to_owned(),
            CTypeKind::Array { .. } => "array".to_owned(),
            CTypeKind::Function { .. } => "function".to_owned(),
        };
        self.line(ty.span, head);
        self.inner(|writer| writer.c_type_parts(&ty.kind));
    }

    fn c_type_parts(&mut self, kind: &CTypeKind) {
        match kind {
            CTypeKind::Base(_) | CTypeKind::Named(_) => {}
            CTypeKind::Record(record) => {
                self.align(record.aligned.as_ref());
                record.fields.iter().flatten().for_each(|field| self.field(field));
            }
            CTypeKind::Enum(definition) => {
                for value in definition.values.iter().flatten() {
                    self.line(value.name.span, format_args!("enumerator {}", value.name.text));
                    self.inner(|writer| value.value.iter().for_each(|value| writer.expr(value)));
                }
            }
            CTypeKind::Pointer(inner) | CTypeKind::Function { result: inner } => self.c_type(inner),
            CTypeKind::Array { element, length } => {
                self.c_type(element);
                length.iter().for_each(|length| self.expr(length));
            }
        }
    }

    fn field(&mut self, field: &CField) {
        let name = field.name.as_ref().map_or("", |name| name.text.as_str());
        self.line(field.span, format_args!("field {name}{}", if field.packed { " packed" } else { "" }));
        self.inner(|writer| {
            writer.c_type(&field.ty);
            if let Some(bits) = &field.bits {
                writer.part("bits", |writer| writer.expr(bits));
            }
            writer.align(field.aligned.as_ref());
        });
    }

    fn align(&mut self, align: Option<&CAlign>) {
        match align {
            None => {}
            Some(CAlign::Maximum) => self.plain("aligned to the maximum"),
            Some(CAlign::Bytes(bytes)) => self.part("aligned", |writer| writer.expr(bytes)),
        }
    }
}
