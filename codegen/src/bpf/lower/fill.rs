//! Expressions whose value is memory: each is written where it is wanted.

use btaot_abi::value::ValueType;
use btaot_semantic::program::{EventValue, Expr, ExprKind, Location, NAME_SIZE};
use btaot_semantic::types::{Space, Type};

use super::place::{Place, Reach};
use super::read::{Spot, chunks};
use super::scalar::shape;
use super::{Fill, Home, Lower};
use crate::bpf::core::type_size;
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Int, Ptr};

/// Address families of `include/linux/socket.h`.
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;

/// Capacity of texts unless the settings say another.
const USUAL_STRLEN: u32 = 1024;

impl<'c> Lower<'_, '_, 'c> {
    /// The value in memory of the program: where it already is, or a temporary copy.
    pub(super) fn memory(&mut self, expression: &Expr) -> Result<Ptr<'c>> {
        match &expression.kind {
            ExprKind::Variable(id) => {
                if let Home::Memory(piece) = self.variable(*id)? {
                    return Ok(self.piece(piece));
                }
            }
            ExprKind::StrConstant(source)
                if expression.ty == Type::Str(self.unit.program.config.max_strlen) =>
            {
                return Ok(self.str_constant(source.clone()));
            }
            ExprKind::NameOf { names, number } => return self.name_of(*names, number),
            ExprKind::Event(EventValue::Comm) => return Ok(self.comm()),
            ExprKind::Member { .. } | ExprKind::Field { .. } | ExprKind::Index { .. } => {
                let mark = self.frame.mark();
                let place = self.place(expression)?;
                if place.reach == Reach::Direct && place.align == 8 {
                    return Ok(place.pointer);
                }
                self.frame.reset(&mark);
                let size = self.size_of(&expression.ty, expression.location)?;
                let copy = self.temporary(size);
                self.read_memory(Spot::aligned(copy), &place, expression, Fill::Whole)?;
                return Ok(copy);
            }
            _ => {}
        }
        let size = self.size_of(&expression.ty, expression.location)?;
        let copy = self.temporary(size);
        self.fill(expression, Spot::aligned(copy), Fill::Whole)?;
        Ok(copy)
    }

    /// Writes a value of any type to a destination with its layout's alignment.
    pub(super) fn fill(&mut self, expression: &Expr, to: Spot<'c>, how: Fill) -> Result<()> {
        let location = expression.location;
        if expression.ty.is_scalar() {
            if self.fill_scalar_from_afar(expression, to)? {
                return Ok(());
            }
            let layout = self.layout(&expression.ty, location)?;
            let value = self.scalar(expression)?;
            self.store(to, value, &layout);
            return Ok(());
        }
        match &expression.kind {
            ExprKind::Str(text) => self.fill_literal(text, to, &expression.ty, how),
            ExprKind::StrConstant(source) => {
                let from = self.str_constant(source.clone());
                let size = self.size_of(&expression.ty, location)?;
                let known = size.min(self.unit.program.config.max_strlen);
                self.copy(to, Spot::aligned(from), known);
                self.pad(to, known, size, how);
            }
            ExprKind::Event(EventValue::Comm) => self.fill_comm(to, how),
            ExprKind::Event(EventValue::KernelStack | EventValue::UserStack) => {
                self.fill_stack(expression, to)?;
            }
            ExprKind::Variable(_) => {
                let from = self.memory(expression)?;
                let size = self.size_of(&expression.ty, location)?;
                self.copy(to, Spot::aligned(from), size);
            }
            ExprKind::MapValue { map, key } => self.fill_from_map(*map, key.as_deref(), to, expression)?,
            ExprKind::Ternary { condition, then, otherwise } => {
                let condition = self.condition(condition)?;
                self.either(
                    condition,
                    Likely::Unknown,
                    |lower| lower.fill(then, to, how),
                    |lower| lower.fill(otherwise, to, how),
                )?;
            }
            ExprKind::Block { statements, value } => {
                self.block(statements)?;
                self.fill(value, to, how)?;
            }
            ExprKind::Convert(inner) => self.fill_converted(inner, to, &expression.ty, how)?,
            ExprKind::Deref(_)
            | ExprKind::Member { .. }
            | ExprKind::Index { .. }
            | ExprKind::Field { .. } => {
                let mark = self.frame.mark();
                let place = self.place(expression)?;
                self.read_memory(to, &place, expression, how)?;
                self.frame.reset(&mark);
            }
            ExprKind::Aggregate(fields) => self.fill_aggregate(fields, to, expression, how)?,
            ExprKind::Pieces(pieces) => self.fill_pieces(pieces, to, expression)?,
            ExprKind::ReadStr { address, space, length } => {
                self.read_text(to, address, *space, length.as_deref(), (expression, how))?;
            }
            ExprKind::ReadBuf { address, space, length } => {
                self.read_buffer(to, address, *space, length.as_deref(), (expression, how))?;
            }
            ExprKind::Call { call, arguments } => self.fill_from_call(*call, arguments, to, expression)?,
            ExprKind::NameOf { names, number } => {
                let from = self.name_of(*names, number)?;
                self.copy(to, Spot::aligned(from), NAME_SIZE);
            }
            ExprKind::UserSymbol(address) => {
                let (address, pid) = (self.scalar(address)?, self.pid());
                // Process id in the lower half, zero in the upper.
                self.store_pair(to, address, pid);
            }
            ExprKind::Inet { family, address } => self.fill_inet(to, family.as_deref(), address)?,
            ExprKind::Timestamp { format, ns } => {
                let ns = self.scalar(ns)?;
                let id = self.unit.tables.strftime(format);
                self.store_pair(to, ns, self.ir.i64(id.0.into()));
            }
            _ => return self.unsupported(location, "there is no code for a value of this kind"),
        }
        Ok(())
    }

    fn store_pair(&self, to: Spot<'c>, first: Int<'c>, second: Int<'c>) {
        self.ir.store(to.pointer, first, 8);
        self.ir.store(self.ir.offset(to.pointer, 8), second, 8);
    }

    /// Reads a number that stands elsewhere straight into its destination, where no bits have to be
    /// picked out of it.
    fn fill_scalar_from_afar(&mut self, expression: &Expr, to: Spot<'c>) -> Result<bool> {
        let program = self.unit.program;
        match &expression.kind {
            ExprKind::Deref(_) | ExprKind::Index { .. } => {}
            ExprKind::Member { structure, field, .. } => {
                match program.structs[*structure].fields.get(*field as usize) {
                    Some(member) if member.bits.is_none() && !member.data_loc => {}
                    _ => return Ok(false),
                }
            }
            _ => return Ok(false),
        }
        if !self.is_far(expression) {
            return Ok(false);
        }
        let mark = self.frame.mark();
        let place = self.place(expression)?;
        self.read_memory(to, &place, expression, Fill::Loose)?;
        self.frame.reset(&mark);
        Ok(true)
    }

    /// Whether an expression stands in memory that helpers read.
    fn is_far(&self, expression: &Expr) -> bool {
        match &expression.kind {
            ExprKind::Deref(pointer) => match &pointer.ty {
                Type::Pointer { space, .. } => {
                    matches!(self.reach(*space), Reach::Kernel | Reach::User)
                }
                _ => false,
            },
            ExprKind::Member { base, .. } | ExprKind::Index { base, .. } => self.is_far(base),
            _ => false,
        }
    }

    /// Stores a scalar with its width.
    pub(super) fn store(&mut self, to: Spot<'c>, value: Int<'c>, layout: &ValueType) {
        let (size, _) = shape(layout);
        self.ir.store(to.pointer, self.ir.trunc(value, size * 8), size.min(to.align));
    }

    /// Clears the bytes of a text behind those that were written.
    pub(super) fn pad(&mut self, to: Spot<'c>, written: u32, size: u32, how: Fill) {
        if how == Fill::Whole && written < size {
            let rest = to.offset(self.ir, written);
            self.zero(rest, size - written);
        }
    }

    pub(super) fn fill_literal(&mut self, text: &[u8], to: Spot<'c>, ty: &Type, how: Fill) {
        let ir = self.ir;
        let (size, mut bytes) = match ty {
            Type::Str(size) => (*size as usize, text[..text.len().min(*size as usize - 1)].to_vec()),
            _ => (text.len(), text.to_vec()),
        };
        bytes.resize((bytes.len() + 1).next_multiple_of(8).min(size), 0);
        for (offset, width) in chunks(bytes.len() as u32, to.align) {
            let mut word = [0; 8];
            word[..width as usize].copy_from_slice(&bytes[offset as usize..(offset + width) as usize]);
            let value = ir.trunc(ir.i64(u64::from_le_bytes(word)), width * 8);
            ir.store(ir.offset(to.pointer, offset.into()), value, width);
        }
        self.pad(to, bytes.len() as u32, size as u32, how);
    }

    /// Integers at their places in a structure; the rest of it is cleared.
    fn fill_pieces(&mut self, pieces: &[(u32, Expr)], to: Spot<'c>, whole: &Expr) -> Result<()> {
        let size = self.size_of(&whole.ty, whole.location)?;
        self.zero(to, size);
        for (offset, piece) in pieces {
            let layout = self.layout(&piece.ty, piece.location)?;
            let value = self.scalar(piece)?;
            let place = to.offset(self.ir, *offset);
            self.store(place, value, &layout);
        }
        Ok(())
    }

    fn fill_aggregate(&mut self, fields: &[Expr], to: Spot<'c>, whole: &Expr, how: Fill) -> Result<()> {
        let layout = match self.layout(&whole.ty, whole.location)? {
            ValueType::Tuple(aggregate) | ValueType::Record(aggregate) => aggregate,
            _ => return self.unsupported(whole.location, "only tuples and records are made of fields"),
        };
        let mut end = 0;
        for (field, place) in fields.iter().zip(&layout.fields) {
            self.gap(to, end, place.offset, how);
            let target = to.offset(self.ir, place.offset);
            self.fill(field, target, how)?;
            end = place.offset + place.ty.size();
        }
        self.gap(to, end, layout.size, how);
        Ok(())
    }

    /// Clears the padding between two fields.
    fn gap(&mut self, to: Spot<'c>, from: u32, end: u32, how: Fill) {
        if how == Fill::Loose || from == end {
            return;
        }
        let start = to.offset(self.ir, from);
        self.zero(start, end - from);
    }

    /// Reads a value in memory from a place.
    fn read_memory(&mut self, to: Spot<'c>, place: &Place<'c>, at: &Expr, how: Fill) -> Result<()> {
        let program = self.unit.program;
        if let ExprKind::Member { structure, field, .. } = &at.kind
            && let Some(member) = program.structs[*structure].fields.get(*field as usize)
        {
            if member.data_loc {
                return self.unsupported(at.location, "data of variable length is read by str() or buf()");
            }
            let size = type_size(&member.ty, program);
            if program.structs[*structure].origin == btaot_semantic::types::Origin::Kernel {
                self.check(place, size, at);
            }
        }
        let size = self.size_of(&at.ty, at.location)?;
        if let Type::Struct(id) = &at.ty {
            self.check_whole(*id, size, at.location);
        }
        if let (Type::Str(_), Fill::Whole, Reach::Kernel | Reach::User | Reach::Context) =
            (&at.ty, how, place.reach)
        {
            self.read_padded(to, place, size, at.location);
            return Ok(());
        }
        self.copy_from(to, place, size, at.location);
        Ok(())
    }

    /// Reads a text that may fill its array to the last byte, and clears what stands behind its end.
    fn read_padded(&mut self, to: Spot<'c>, place: &Place<'c>, size: u32, location: Location) {
        let ir = self.ir;
        self.zero(to, size);
        let helper = text_helper(place.reach);
        let arguments = [to.pointer.into(), ir.i64(size.into()).into(), place.pointer.into()];
        let length = self.read_by(helper, &arguments, location);
        let (full, join) = (self.open("full"), self.open("read"));
        ir.branch(ir.eq(length, ir.i64(size.into())), full, join, Likely::No);
        ir.at_end(full);
        let last = u64::from(size) - 1;
        let rest = Place { pointer: ir.offset(place.pointer, last), ..place.clone() };
        self.read_far(ir.offset(to.pointer, last), &rest, 1, location);
        ir.jump(join);
        ir.at_end(join);
    }

    /// `str()`: at most the capacity, the NUL included.
    fn read_text(
        &mut self,
        to: Spot<'c>,
        address: &Expr,
        space: Space,
        length: Option<&Expr>,
        (at, how): (&Expr, Fill),
    ) -> Result<()> {
        let ir = self.ir;
        let size = self.size_of(&at.ty, at.location)?;
        let address = self.scalar(address)?;
        let wanted = length.map(|length| self.scalar(length)).transpose()?;
        let most = self.bounded(wanted, size);
        if how == Fill::Whole {
            self.zero(to, size);
        } else if length.is_some() {
            // A length of 0 makes the helper write nothing.
            ir.store(to.pointer, ir.trunc(ir.i64(0), 8), 1);
        }
        let reach = self.reach(space);
        let read =
            self.read_by(text_helper(reach), &[to.pointer.into(), most.into(), address.into()], at.location);
        if length.is_none() && self.has_trailer(size) {
            // A text without room for its end is shown as cut: its last byte takes the place of the end.
            let full = ir.eq(read, ir.i64(size.into()));
            self.when(full, Likely::No, |lower| {
                let last = u64::from(size) - 1;
                let helper =
                    if reach == Reach::User { Helper::ProbeReadUser } else { Helper::ProbeReadKernel };
                let from = ir.add(address, ir.i64(last));
                lower.helper(helper, &[ir.offset(to.pointer, last).into(), ir.i64(1).into(), from.into()]);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Whether texts of this capacity show that they were cut: those that a setting made shorter than usual.
    fn has_trailer(&self, size: u32) -> bool {
        let config = &self.unit.program.config;
        size == config.max_strlen && size < USUAL_STRLEN && !config.str_trunc_trailer.is_empty()
    }

    /// `buf()`: a length word, then the bytes.
    fn read_buffer(
        &mut self,
        to: Spot<'c>,
        address: &Expr,
        space: Space,
        length: Option<&Expr>,
        (at, how): (&Expr, Fill),
    ) -> Result<()> {
        let ir = self.ir;
        let ValueType::Buf { size } = self.layout(&at.ty, at.location)? else {
            return self.unsupported(at.location, "buf() gives a buffer");
        };
        let address = self.scalar(address)?;
        let wanted = length.map(|length| self.scalar(length)).transpose()?;
        let most = self.bounded(wanted, size);
        let bytes = to.offset(ir, 4);
        if how == Fill::Whole {
            self.zero(bytes, size);
        }
        ir.store(to.pointer, ir.trunc(most, 32), 4);
        let reach = self.reach(space);
        let helper = if reach == Reach::User { Helper::ProbeReadUser } else { Helper::ProbeReadKernel };
        self.read_by(helper, &[bytes.pointer.into(), most.into(), address.into()], at.location);
        Ok(())
    }

    /// A length cut to a capacity, so that the verifier knows its bound.
    pub(super) fn bounded(&self, wanted: Option<Int<'c>>, capacity: u32) -> Int<'c> {
        let ir = self.ir;
        let most = ir.i64(capacity.into());
        let Some(wanted) = wanted else { return most };
        if let Some(constant) = wanted.get_zero_extended_constant() {
            return ir.i64(constant.min(capacity.into()));
        }
        let wanted = ir.opaque(wanted);
        ir.select(ir.compare(Compare::ULT, wanted, most), wanted, most)
    }

    fn fill_inet(&mut self, to: Spot<'c>, family: Option<&Expr>, address: &Expr) -> Result<()> {
        let ir = self.ir;
        let size = self.size_of(&address.ty, address.location)?;
        let family = match family {
            Some(family) => self.scalar(family)?,
            None => ir.i64(if size == 16 { AF_INET6 } else { AF_INET }),
        };
        ir.store(to.pointer, ir.trunc(family, 32), 4);
        let bytes = to.offset(ir, 4);
        let known = size.min(16);
        if known < 16 {
            self.zero(bytes.offset(ir, known), 16 - known);
        }
        if address.ty.is_scalar() {
            let value = self.scalar(address)?;
            ir.store(bytes.pointer, ir.trunc(value, 32), 4);
            return Ok(());
        }
        let from = self.memory(address)?;
        self.copy(bytes, Spot::aligned(from), known);
        Ok(())
    }
}

/// The helper that reads a text.
pub(super) fn text_helper(reach: Reach) -> Helper {
    match reach {
        Reach::User => Helper::ProbeReadUserStr,
        Reach::Direct | Reach::Context | Reach::Kernel => Helper::ProbeReadKernelStr,
    }
}
