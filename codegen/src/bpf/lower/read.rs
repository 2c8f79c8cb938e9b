//! Reading from places, CO-RE values, and copying memory.

use btaot_abi::Bytes;
use btaot_semantic::program::{Context, Expr, ExprKind, Location};
use btaot_semantic::types::{Origin, StructField, StructId, Type};
use inkwell::values::BasicValueEnum;

use super::place::{Place, Reach};
use super::scalar::shape;
use super::{Lower, helper_fault};
use crate::bpf::core::{FieldInfo, Path, field_size};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::{Compare, Ir, Likely};
use crate::llvm::{Int, Ptr};

/// Copies of more bytes than that are one helper call instead of loads and stores.
const INLINE_COPY: u32 = 64;

/// Memory of the program and the alignment that is certain of it: the verifier refuses accesses
/// to the stack that are not aligned.
#[derive(Clone, Copy)]
pub struct Spot<'c> {
    /// Its address.
    pub pointer: Ptr<'c>,
    /// Alignment in bytes, at most 8.
    pub align: u32,
}

impl<'c> Spot<'c> {
    /// Memory aligned to 8 bytes.
    pub fn aligned(pointer: Ptr<'c>) -> Self {
        Self { pointer, align: 8 }
    }

    /// That many bytes further on.
    pub fn offset(self, ir: &Ir<'c>, bytes: u32) -> Self {
        let align = if bytes == 0 { self.align } else { self.align.min(1 << bytes.trailing_zeros().min(3)) };
        Self { pointer: ir.offset(self.pointer, bytes.into()), align }
    }
}

impl<'c> Lower<'_, '_, 'c> {
    /// The number at a place.
    pub(super) fn read_scalar(&mut self, expression: &Expr) -> Result<Int<'c>> {
        let program = self.unit.program;
        if let ExprKind::Member { base, structure, field } = &expression.kind
            && let Some(member) = program.structs[*structure].fields.get(*field as usize)
        {
            let place = self.place(expression)?;
            if member.data_loc {
                return Ok(self.data_loc(place));
            }
            if let Some(bits) = member.bits {
                let (_, signed) = shape(&self.layout(&expression.ty, expression.location)?);
                return match program.structs[*structure].origin {
                    Origin::Script => self.plain_bits(place, member, bits, (signed, base)),
                    Origin::Kernel | Origin::Tracepoint | Origin::Arguments => {
                        self.relocated_bits(place, signed, expression)
                    }
                };
            }
            if program.structs[*structure].origin == Origin::Kernel {
                self.check(&place, field_size(member, program), expression);
            }
            return self.read(&place, &expression.ty, expression);
        }
        let place = self.place(expression)?;
        self.read(&place, &expression.ty, expression)
    }

    /// Notes that the code relies on a field's size. Pointers have one size everywhere, and sizes of arguments are
    /// compared when their function is found.
    pub(super) fn check(&mut self, place: &Place<'c>, size: Option<u32>, at: &Expr) {
        if let (Some((path, _)), Some(size)) = (&place.path, size)
            && self.unit.program.structs[path.root].origin == Origin::Kernel
            && !matches!(at.ty, Type::Pointer { .. })
        {
            self.unit.tables.layout_check(path.check(size, at.location));
        }
    }

    /// Notes that the code holds a whole structure of the kernel.
    pub(super) fn check_whole(&mut self, id: StructId, size: u32, at: Location) {
        let structure = &self.unit.program.structs[id];
        if structure.origin == Origin::Kernel && !structure.name.is_empty() {
            self.unit.tables.core_root(&structure.name);
            self.unit.tables.layout_check(Path::new(id, structure.name.clone()).check(size, at));
        }
    }

    fn read(&mut self, place: &Place<'c>, ty: &Type, at: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let (size, signed) = shape(&self.layout(ty, at.location)?);
        let loaded = match place.reach {
            Reach::Direct => ir.load(size * 8, place.pointer, size.min(place.align)),
            Reach::Context => self.read_context(place, size),
            Reach::Kernel | Reach::User => {
                let copy = self.temporary(size);
                self.read_far(copy, place, size, at.location);
                ir.load(size * 8, copy, 8)
            }
        };
        Ok(if signed { ir.sext(loaded) } else { ir.zext(loaded) })
    }

    /// A number of the context. The kernel only takes loads at multiples of their size, which is how it lays contexts
    /// out, and of arguments it takes whole words.
    fn read_context(&mut self, place: &Place<'c>, size: u32) -> Int<'c> {
        let ir = self.ir;
        let whole = matches!(self.body.context, Context::Tracing(_) | Context::RawTracepoint(_));
        let loaded = if whole { 8 } else { size };
        let word = self.pass(ir.load(loaded * 8, place.pointer, loaded).into()).into_int_value();
        // What the verifier knows to be a pointer it allows no arithmetic with, but to scripts it is a number.
        let is_typed = matches!(self.body.context, Context::Tracing(_) | Context::Iter) && loaded == 8;
        let word = if is_typed && !self.keeps_objects { ir.disguised(word) } else { word };
        if let (true, true, Some(absent)) = (is_typed, self.keeps_objects, self.absent) {
            let there = self.open("there");
            ir.branch(ir.is_nonzero(word), there, absent, Likely::Yes);
            ir.at_end(there);
        }
        if whole { ir.trunc(word, size * 8) } else { word }
    }

    /// The address of a tracepoint's variable-length data: its offset from the record is the low
    /// half of the word in the record.
    fn data_loc(&mut self, place: Place<'c>) -> Int<'c> {
        let ir = self.ir;
        let word = ir.zext(ir.load(32, place.pointer, 4));
        let offset = ir.and(word, ir.i64(0xffff));
        ir.add(ir.address(self.context), offset)
    }

    /// A bit field of a structure with a fixed layout (little-endian: bits count from the lowest).
    fn plain_bits(
        &mut self,
        place: Place<'c>,
        member: &StructField,
        bits: u32,
        (signed, at): (bool, &Expr),
    ) -> Result<Int<'c>> {
        let ir = self.ir;
        let first = (member.bit_offset % 8) as u32;
        let size = (first + bits).div_ceil(8);
        if size > 8 {
            return self.unsupported(at.location, "a bit field across more than 8 bytes");
        }
        let copy = self.temporary(8);
        ir.store(copy, ir.i64(0), 8);
        self.copy_from(Spot::aligned(copy), &place, size, at.location);
        let word = ir.load(64, copy, 8);
        let left = ir.shl(word, ir.i64((64 - first - bits).into()));
        let right = ir.i64((64 - bits).into());
        Ok(if signed { ir.sar(left, right) } else { ir.shr(left, right) })
    }

    /// A bit field of a kernel structure: storage and position are the target's.
    fn relocated_bits(&mut self, place: Place<'c>, signed: bool, at: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let Some((path, root)) = place.path else {
            return self.unsupported(at.location, "a bit field of a structure that has no name");
        };
        let mut info = |what| {
            let variable = self.unit.member_relocation(&path, what);
            ir.load(64, variable, 8)
        };
        let offset = info(FieldInfo::ByteOffset);
        let size = info(FieldInfo::ByteSize);
        let left = info(FieldInfo::LeftShift);
        let right = info(FieldInfo::RightShift);
        let copy = self.temporary(8);
        ir.store(copy, ir.i64(0), 8);
        // The offset is counted from where the chain of members started.
        let from = ir.offset_by(root, offset);
        let helper = match place.reach {
            Reach::User => Helper::ProbeReadUser,
            Reach::Direct | Reach::Context | Reach::Kernel => Helper::ProbeReadKernel,
        };
        self.read_by(helper, &[copy.into(), size.into(), from.into()], at.location);
        let word = ir.shl(ir.load(64, copy, 8), left);
        Ok(if signed { ir.sar(word, right) } else { ir.shr(word, right) })
    }

    /// Calls a helper that reads memory, whose failure gives zeros. It is reported when that was asked for; gives the
    /// helper's result.
    pub(super) fn read_by(
        &mut self,
        helper: Helper,
        arguments: &[BasicValueEnum<'c>],
        location: Location,
    ) -> Int<'c> {
        let ir = self.ir;
        let result = self.helper(helper, arguments);
        if self.unit.options.check_helpers {
            let (failed, fine) = (self.open("failed"), self.open("fine"));
            ir.branch(ir.compare(Compare::SLT, result, ir.i64(0)), failed, fine, Likely::No);
            ir.at_end(failed);
            self.report(helper_fault(helper), location, Some(result));
            ir.jump(fine);
            ir.at_end(fine);
        }
        result
    }

    /// Reads memory that is not the program's.
    pub(super) fn read_far(&mut self, to: Ptr<'c>, place: &Place<'c>, size: u32, location: Location) {
        let helper = match place.reach {
            Reach::User => Helper::ProbeReadUser,
            Reach::Direct | Reach::Context | Reach::Kernel => Helper::ProbeReadKernel,
        };
        let size = self.ir.i64(size.into());
        self.read_by(helper, &[to.into(), size.into(), place.pointer.into()], location);
    }

    /// Copies from any place into the program's memory.
    pub(super) fn copy_from(&mut self, to: Spot<'c>, place: &Place<'c>, size: u32, location: Location) {
        match place.reach {
            Reach::Direct => self.copy(to, Spot { pointer: place.pointer, align: place.align }, size),
            Reach::Context | Reach::Kernel | Reach::User => {
                self.read_far(to.pointer, place, size, location);
            }
        }
    }

    /// Copies between places in the program's memory: by words when short.
    pub(super) fn copy(&mut self, to: Spot<'c>, from: Spot<'c>, size: u32) {
        let ir = self.ir;
        if size > INLINE_COPY {
            let arguments = [to.pointer.into(), ir.i64(size.into()).into(), from.pointer.into()];
            self.helper(Helper::ProbeReadKernel, &arguments);
            return;
        }
        for (offset, bytes) in chunks(size, to.align.min(from.align)) {
            let word = ir.load(bytes * 8, ir.offset(from.pointer, offset.into()), bytes);
            ir.store(ir.offset(to.pointer, offset.into()), word, bytes);
        }
    }

    /// Clears memory. A failing read of address 0 makes the kernel clear the destination, so a
    /// large piece is one call.
    pub(super) fn zero(&mut self, to: Spot<'c>, size: u32) {
        let ir = self.ir;
        if size > INLINE_COPY {
            let arguments = [to.pointer.into(), ir.i64(size.into()).into(), ir.null().into()];
            self.helper(Helper::ProbeReadKernel, &arguments);
            return;
        }
        // Up to the first aligned word by what the alignment allows, then by words.
        let mut offset = 0;
        while offset < size {
            let align = to.offset(ir, offset).align;
            let width = [8, 4, 2, 1].into_iter().find(|width| *width <= align && offset + width <= size);
            let width = width.unwrap_or(1);
            ir.store(ir.offset(to.pointer, offset.into()), ir.trunc(ir.i64(0), width * 8), width);
            offset += width;
        }
    }

    /// The target's value of an enumerator.
    pub(super) fn enumerator(&mut self, name: &Bytes, variant: &Bytes, value: i64) -> Int<'c> {
        if name.is_empty() {
            return self.ir.i64(value as u64);
        }
        self.unit.tables.core_root(name);
        let variable = self.unit.enumerator_relocation(name, variant, value);
        self.ir.load(64, variable, 8)
    }
}

/// Cuts a size into the largest naturally aligned words: offset and bytes of each.
pub fn chunks(size: u32, align: u32) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    let mut offset = 0;
    while offset < size {
        let mut bytes = align.clamp(1, 8);
        while bytes > size - offset {
            bytes /= 2;
        }
        out.push((offset, bytes));
        offset += bytes;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn words_before_bytes() {
        assert_eq!(chunks(15, 8), [(0, 8), (8, 4), (12, 2), (14, 1)]);
        assert_eq!(chunks(6, 4), [(0, 4), (4, 2)]);
        assert_eq!(chunks(0, 8), []);
    }
}
