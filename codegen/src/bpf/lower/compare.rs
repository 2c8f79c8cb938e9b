//! Comparing and converting values in memory.

use btaot_abi::value::ValueType;
use btaot_semantic::program::{Expr, ExprKind};
use btaot_semantic::types::Type;

use super::read::{Spot, chunks};
use super::scalar::shape;
use super::{Fill, Lower};
use crate::bpf::error::Result;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Block, Int, Ptr};

/// Comparisons of more bytes than that are a loop.
const UNROLLED: u32 = 64;

impl<'c> Lower<'_, '_, 'c> {
    /// Whether two values in memory are equal; texts over the shorter capacity and up to the first
    /// NUL.
    pub(super) fn equal_memory(&mut self, left: &Expr, right: &Expr) -> Result<Int<'c>> {
        if let ExprKind::Str(text) = &right.kind {
            return self.equal_literal(left, text);
        }
        if let ExprKind::Str(text) = &left.kind {
            return self.equal_literal(right, text);
        }
        let a = self.size_of(&left.ty, left.location)?;
        let b = self.size_of(&right.ty, right.location)?;
        let from = self.memory(left)?;
        let with = self.memory(right)?;
        // Both are padded with zeros, so bytes behind the NUL are equal when the texts are.
        self.equal_words(from, with, a.min(b))
    }

    /// Compares with a literal: its bytes and its NUL are immediate operands.
    fn equal_literal(&mut self, value: &Expr, text: &[u8]) -> Result<Int<'c>> {
        let ir = self.ir;
        let capacity = self.size_of(&value.ty, value.location)?;
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let mut bytes = text[..end].to_vec();
        bytes.push(0);
        bytes.truncate(capacity as usize);
        // Where the value is zero padded, whole words are compared instead of their first bytes.
        let padded = (bytes.len() as u32).next_multiple_of(8);
        if padded <= capacity {
            bytes.resize(padded as usize, 0);
        }
        let memory = self.memory(value)?;
        let (differ, join) = (self.open("differ"), self.open("compared"));
        for (offset, width) in chunks(bytes.len() as u32, 8) {
            let mut word = [0; 8];
            word[..width as usize].copy_from_slice(&bytes[offset as usize..(offset + width) as usize]);
            let found = ir.load(width * 8, ir.offset(memory, offset.into()), width);
            let wanted = ir.trunc(ir.i64(u64::from_le_bytes(word)), width * 8);
            let next = self.open("same");
            ir.branch(ir.eq(found, wanted), next, differ, Likely::Unknown);
            ir.at_end(next);
        }
        self.join_equal(differ, join)
    }

    fn join_equal(&mut self, differ: Block<'c>, join: Block<'c>) -> Result<Int<'c>> {
        let ir = self.ir;
        let same = ir.here();
        ir.jump(join);
        ir.at_end(differ);
        ir.jump(join);
        ir.at_end(join);
        Ok(ir.phi(&[(ir.bool(true), same), (ir.bool(false), differ)]))
    }

    fn equal_words(&mut self, a: Ptr<'c>, b: Ptr<'c>, size: u32) -> Result<Int<'c>> {
        let ir = self.ir;
        let (differ, join) = (self.open("differ"), self.open("compared"));
        let looped = if size > UNROLLED { size / 8 * 8 } else { 0 };
        if looped > 0 {
            self.compare_loop(a, b, looped, differ);
        }
        for (offset, width) in chunks(size - looped, 8) {
            let offset = u64::from(offset + looped);
            let x = ir.load(width * 8, ir.offset(a, offset), width);
            let y = ir.load(width * 8, ir.offset(b, offset), width);
            let next = self.open("same");
            ir.branch(ir.eq(x, y), next, differ, Likely::Unknown);
            ir.at_end(next);
        }
        self.join_equal(differ, join)
    }

    fn compare_loop(&mut self, a: Ptr<'c>, b: Ptr<'c>, size: u32, differ: Block<'c>) {
        let ir = self.ir;
        let counter = ir.alloca(self.function, 8, "offset");
        ir.store(counter, ir.i64(0), 8);
        let (head, same, done) = (self.open("words"), self.open("same"), self.open("all"));
        ir.jump(head);
        ir.at_end(head);
        let offset = ir.load(64, counter, 8);
        let x = ir.load(64, ir.offset_by(a, offset), 8);
        let y = ir.load(64, ir.offset_by(b, offset), 8);
        ir.branch(ir.eq(x, y), same, differ, Likely::Unknown);
        ir.at_end(same);
        let next = ir.add(offset, ir.i64(8));
        ir.store(counter, next, 8);
        let more = ir.compare(Compare::ULT, next, ir.i64(size.into()));
        ir.branch(more, head, done, Likely::Unknown);
        ir.at_end(done);
    }

    /// Writes a value converted to another type in memory.
    pub(super) fn fill_converted(&mut self, inner: &Expr, to: Spot<'c>, ty: &Type, how: Fill) -> Result<()> {
        let target = self.layout(ty, inner.location)?;
        if inner.ty.is_scalar() {
            // An integer as an array of its bytes.
            let value = self.scalar(inner)?;
            let size = target.size();
            if !matches!(size, 1 | 2 | 4 | 8) {
                return self.unsupported(inner.location, "an integer has 1, 2, 4 or 8 bytes");
            }
            self.ir.store(to.pointer, self.ir.trunc(value, size * 8), size.min(to.align));
            return Ok(());
        }
        let source = self.layout(&inner.ty, inner.location)?;
        match (&source, &target) {
            (ValueType::Str { size: from }, ValueType::Str { size }) if from <= size => {
                self.fill(inner, to, how)?;
                self.pad(to, *from, *size, how);
                Ok(())
            }
            _ => {
                let from = self.memory(inner)?;
                self.convert_memory(Spot::aligned(from), &source, to, &target);
                Ok(())
            }
        }
    }

    /// Converts a value that stands in memory, field by field.
    fn convert_memory(&mut self, from: Spot<'c>, source: &ValueType, to: Spot<'c>, target: &ValueType) {
        let ir = self.ir;
        match (source, target) {
            (ValueType::Tuple(a) | ValueType::Record(a), ValueType::Tuple(b) | ValueType::Record(b))
                if a.fields.len() == b.fields.len() =>
            {
                self.zero(to, b.size);
                for (x, y) in a.fields.iter().zip(&b.fields) {
                    self.convert_memory(from.offset(ir, x.offset), &x.ty, to.offset(ir, y.offset), &y.ty);
                }
            }
            _ if is_scalar(source) && is_scalar(target) => {
                let (size, signed) = shape(source);
                let value = ir.load(size * 8, from.pointer, size.min(from.align));
                let value = if signed { ir.sext(value) } else { ir.zext(value) };
                self.store(to, value, target);
            }
            (ValueType::Str { size: long }, ValueType::Str { size }) if long > size => {
                self.copy(to, from, size - 1);
                self.zero(to.offset(ir, size - 1), 1);
            }
            _ => {
                let (have, want) = (source.size(), target.size());
                self.copy(to, from, have.min(want));
                if have < want {
                    self.zero(to.offset(ir, have), want - have);
                }
            }
        }
    }
}

/// Whether a layout is one number.
fn is_scalar(ty: &ValueType) -> bool {
    matches!(
        ty,
        ValueType::Int { .. }
            | ValueType::Enum { .. }
            | ValueType::Bool
            | ValueType::Pointer
            | ValueType::KernelSymbol
            | ValueType::Username
            | ValueType::CgroupPath { .. }
            | ValueType::ProbeName
            | ValueType::ProbeFunction
    )
}
