//! Members: fields of structs and unions, enumerators.

use super::Result;
use super::declaration::{Attributes, Parser, Specifiers};
use crate::ast::{CEnumerator, CField, CTypeKind};

impl Parser<'_> {
    /// `{ int a; char b[4], *c; }`
    pub fn fields(&mut self) -> Result<Vec<CField>> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while !self.eat("}") {
            // An extra `;` is no field.
            if !self.eat(";") {
                self.field(&mut fields)?;
            }
        }
        Ok(fields)
    }

    /// One declaration: as many fields as it has declarators.
    fn field(&mut self, fields: &mut Vec<CField>) -> Result<()> {
        let start = self.place();
        let Specifiers { ty, attributes: common } = self.specifiers()?;
        if self.eat(";") {
            // Without a name it is an anonymous struct or union, or it declares nothing.
            let anonymous = matches!(&ty.kind, CTypeKind::Record(record) if record.fields.is_some() && record.name.is_none());
            if anonymous {
                let span = start.to(ty.span);
                let Attributes { packed, aligned } = common;
                fields.push(CField { name: None, ty, bits: None, packed, aligned, span });
            }
            return Ok(());
        }
        loop {
            let declared = self.declarator(ty.clone())?;
            let bits = if self.eat(":") { Some(self.constant(&[",", ";", "__attribute__"])?) } else { None };
            if declared.name.is_none() && bits.is_none() {
                return Err(self.expected("a field's name"));
            }
            let Attributes { packed, aligned } = self.attributes()?;
            let span = start.to(self.tokens[self.at - 1].span);
            fields.push(CField {
                name: declared.name,
                ty: declared.ty,
                bits,
                packed: packed || common.packed,
                aligned: aligned.or_else(|| common.aligned.clone()),
                span,
            });
            if !self.eat(",") {
                break;
            }
        }
        self.expect(";")?;
        Ok(())
    }

    /// `{ A, B = 3, }`
    pub fn enumerators(&mut self) -> Result<Vec<CEnumerator>> {
        self.expect("{")?;
        let mut values = Vec::new();
        while !self.peek_is("}") {
            let name = self.name().ok_or_else(|| self.expected("an enumerator's name"))?;
            self.attributes()?;
            let value = if self.eat("=") { Some(self.constant(&[",", "}"])?) } else { None };
            values.push(CEnumerator { name, value });
            if !self.eat(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(values)
    }
}
