//! Functions on texts and bytes.

use btaot_semantic::program::{Expr, NAME_SIZE, Names};
use inkwell::module::Linkage;

use super::read::Spot;
use super::{Fill, Lower};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Function, Int, Ptr};

/// Words of what the function that looks for a text is given: where it looks, for what, and where that was found.
const TEXT: u64 = 0;
const PART: u64 = 8;
const PLACE: u64 = 16;
const GIVEN: u32 = 24;

impl<'c> Lower<'_, '_, 'c> {
    /// The number of bytes before the first NUL, at most the capacity. The kernel counts while it copies; a loop
    /// would have the verifier follow each length through the rest of the program.
    pub(super) fn text_length(&mut self, text: Ptr<'c>, size: u32) -> Int<'c> {
        let ir = self.ir;
        let mark = self.frame.mark();
        // With room for one byte more, a text without a NUL is not taken for one that was cut.
        let copy = self.temporary(size + 1);
        let room = ir.i64(u64::from(size) + 1);
        let read = self.helper(Helper::ProbeReadKernelStr, &[copy.into(), room.into(), text.into()]);
        self.frame.reset(&mark);
        let length = ir.opaque(ir.sub(read, ir.i64(1)));
        let most = ir.i64(size.into());
        ir.select(ir.compare(Compare::ULT, length, most), length, most)
    }

    /// Where the text for a number stands: the frozen map of texts.
    pub(super) fn name_of(&mut self, names: Names, number: &Expr) -> Result<Ptr<'c>> {
        let ir = self.ir;
        let number = self.scalar(number)?;
        let number = match names {
            Names::Errors => {
                let negative = ir.compare(Compare::SLT, number, ir.i64(0));
                ir.select(negative, ir.sub(ir.i64(0), number), number)
            }
            Names::Signals | Names::Syscalls => number,
        };
        let (texts, count) = self.unit.names(names);
        let last = ir.i64(u64::from(count) - 1);
        let number = ir.opaque(number);
        let index = ir.select(ir.compare(Compare::ULT, number, last), number, last);
        Ok(ir.offset_by(texts, ir.mul(index, ir.i64(NAME_SIZE.into()))))
    }

    /// Compares bytes up to a number of them and the end of the shorter value: the difference of the first two
    /// that differ.
    pub(super) fn compare_bytes(&mut self, left: &Expr, right: &Expr, count: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let ((left, left_size), (right, right_size)) = (self.bytes_of(left)?, self.bytes_of(right)?);
        let count = self.scalar(count)?;
        let size = left_size.min(right_size);
        let counter = ir.alloca(self.function, 8, "offset");
        ir.store(counter, ir.i64(0), 8);
        let (head, inside) = (self.open("bytes"), self.open("inside"));
        let (next, differ, same, done) =
            (self.open("next"), self.open("differ"), self.open("same"), self.open("compared"));
        ir.jump(head);
        ir.at_end(head);
        let offset = ir.load(64, counter, 8);
        let within = ir.compare(Compare::ULT, offset, ir.i64(size.into()));
        let wanted = self.open("wanted");
        ir.branch(within, wanted, same, Likely::Unknown);
        ir.at_end(wanted);
        ir.branch(ir.compare(Compare::ULT, offset, count), inside, same, Likely::Unknown);
        ir.at_end(inside);
        let x = ir.zext(ir.load(8, ir.offset_by(left, offset), 1));
        let y = ir.zext(ir.load(8, ir.offset_by(right, offset), 1));
        ir.branch(ir.eq(x, y), next, differ, Likely::Unknown);
        ir.at_end(next);
        ir.store(counter, ir.add(offset, ir.i64(1)), 8);
        ir.jump(head);
        ir.at_end(differ);
        let difference = ir.sub(x, y);
        ir.jump(done);
        ir.at_end(same);
        ir.jump(done);
        ir.at_end(done);
        Ok(ir.phi(&[(difference, differ), (ir.i64(0), same)]))
    }

    /// `str_concat()`: both texts into a place that has room for them, and from there to the destination.
    pub(super) fn concatenate(&mut self, texts: &[Expr], to: Spot<'c>, at: &Expr) -> Result<()> {
        let ir = self.ir;
        let [left, right] = texts else {
            return self.unsupported(at.location, "two texts are put together");
        };
        let size = self.size_of(&at.ty, at.location)?;
        let (before, behind) =
            (self.size_of(&left.ty, left.location)?, self.size_of(&right.ty, right.location)?);
        let mark = self.frame.mark();
        let room = before + behind;
        let whole = self.scratch(room);
        let second = self.memory(right)?;
        self.zero(Spot::aligned(whole), room);
        self.fill(left, Spot::aligned(whole), Fill::Whole)?;
        let length = self.text_length(whole, before);
        let end = ir.offset_by(whole, length);
        let arguments = [end.into(), ir.i64(behind.into()).into(), second.into()];
        self.helper(Helper::ProbeReadKernel, &arguments);
        let copied = room.min(size);
        self.copy(to, Spot::aligned(whole), copied);
        if copied < size {
            self.zero(to.offset(ir, copied), size - copied);
        } else {
            ir.store(to.offset(ir, size - 1).pointer, ir.trunc(ir.i64(0), 8), 1);
        }
        self.frame.reset(&mark);
        Ok(())
    }

    /// Where a text stands in another, or -1.
    pub(super) fn find_text(&mut self, text: &Expr, part: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let (size, part_size) =
            (self.size_of(&text.ty, text.location)?, self.size_of(&part.ty, part.location)?);
        // Behind the text there are as many zeros as the part has bytes, so comparing need not look at the end.
        let text_place = self.scratch(size + part_size);
        self.fill(text, Spot::aligned(text_place), Fill::Whole)?;
        let behind = Spot::aligned(text_place).offset(ir, size);
        self.zero(behind, part_size);
        let part_place = self.scratch(part_size);
        self.fill(part, Spot::aligned(part_place), Fill::Whole)?;
        let given = ir.alloca(self.function, GIVEN, "given");
        ir.store_ptr(ir.offset(given, TEXT), text_place);
        ir.store_ptr(ir.offset(given, PART), part_place);
        ir.store(ir.offset(given, PLACE), ir.i64(u64::MAX), 8);
        let function = self.finder(size, part_size);
        let callee = function.as_global_value().as_pointer_value();
        let arguments = [ir.i64(size.into()).into(), callee.into(), given.into(), ir.i64(0).into()];
        self.need(Helper::Loop, "looking for a text in another", text.location);
        self.helper(Helper::Loop, &arguments);
        Ok(ir.load(64, ir.offset(given, PLACE), 8))
    }

    /// The function that `bpf_loop` calls for each place of a text. Verified once, not for each place.
    fn finder(&mut self, size: u32, part_size: u32) -> Function<'c> {
        let name = format!("find_{part_size}_in_{size}");
        if let Some(function) = self.unit.module.get_function(&name) {
            return function;
        }
        let (ir, debug, context) = (self.ir, self.unit.debug, self.unit.context);
        let caller = (ir.here(), ir.location());
        let (word, pointer) = (context.i64_type(), context.ptr_type(Default::default()));
        let signature = word.fn_type(&[word.into(), pointer.into()], false);
        let function = self.unit.module.add_function(&name, signature, Some(Linkage::Internal));
        function.set_section(Some(".text"));
        self.unit.mark(function);
        let number = debug.int(8, false);
        let parameters = [("place", number), ("given", debug.pointer(None))];
        let scope = debug.function(function, &name, 1, number, &parameters);
        ir.at_end(ir.block(function, "entry"));
        ir.set_location(debug.location(scope, 1, 1));
        let (Some(place), Some(given)) = (function.get_nth_param(0), function.get_nth_param(1)) else {
            panic!("bug in code generation: a function has lost its parameters");
        };
        self.look(function, (place.into_int_value(), given.into_pointer_value()), (size, part_size));
        ir.at_end(caller.0);
        ir.restore_location(caller.1);
        function
    }

    /// Whether the part stands at a place of the text; ends the loop when it does, or when the text ends.
    fn look(
        &self,
        function: Function<'c>,
        (place, given): (Int<'c>, Ptr<'c>),
        (size, part_size): (u32, u32),
    ) {
        let ir = self.ir;
        let names = ["inside", "head", "more", "next", "found", "differ", "stop"];
        let [inside, head, more, next, found, differ, stop] = names.map(|name| ir.block(function, name));
        let counter = ir.alloca(function, 8, "offset");
        ir.store(counter, ir.i64(0), 8);
        let text = ir.load_ptr(ir.offset(given, TEXT));
        let part = ir.load_ptr(ir.offset(given, PART));
        ir.branch(ir.compare(Compare::ULT, place, ir.i64(size.into())), inside, stop, Likely::Yes);
        ir.at_end(inside);
        let here = ir.offset_by(text, place);
        ir.jump(head);
        ir.at_end(head);
        let offset = ir.load(64, counter, 8);
        ir.branch(ir.compare(Compare::ULT, offset, ir.i64(part_size.into())), more, found, Likely::Yes);
        ir.at_end(more);
        let wanted = ir.load(8, ir.offset_by(part, offset), 1);
        let compare = ir.block(function, "compare");
        ir.branch(ir.is_nonzero(wanted), compare, found, Likely::Yes);
        ir.at_end(compare);
        let is = ir.load(8, ir.offset_by(here, offset), 1);
        ir.branch(ir.eq(is, wanted), next, differ, Likely::Unknown);
        ir.at_end(next);
        ir.store(counter, ir.add(offset, ir.i64(1)), 8);
        ir.jump(head);
        ir.at_end(found);
        ir.store(ir.offset(given, PLACE), place, 8);
        ir.jump(stop);
        ir.at_end(differ);
        let ends = ir.eq(ir.load(8, here, 1), ir.trunc(ir.i64(0), 8));
        ir.ret(ir.zext(ends));
        ir.at_end(stop);
        ir.ret(ir.i64(1));
    }
}
