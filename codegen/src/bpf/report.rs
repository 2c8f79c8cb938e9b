//! Functions that programs share: they stand in `.text` and are called, so that error paths
//! do not make programs long.

use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::module::Linkage;

use super::helpers::Helper;
use super::unit::Unit;
use crate::bpf::define::{Definition, MapKind};
use crate::llvm::ir::Likely;
use crate::llvm::{Function, Ptr};
use btaot_abi::event::RING_MAP;

/// Bytes of an error's record: header and the helper's result.
const RECORD: u64 = 16;

/// Size of the ring in the object; the tool sets it when it starts.
const RING_BYTES: u32 = 256 * 1024;

impl<'c> Unit<'_, 'c> {
    /// The ring of events.
    pub fn ring(&mut self) -> Ptr<'c> {
        self.map(RING_MAP, || Definition {
            kind: MapKind::Ringbuf,
            max_entries: RING_BYTES,
            key: None,
            value: None,
        })
    }

    /// A function of this object only, which is called, never copied into its callers.
    fn shared(&self, name: &str, parameters: &[&str]) -> (Function<'c>, crate::llvm::debug::Node) {
        let word = self.context.i64_type();
        let types: Vec<_> = parameters.iter().map(|_| word.into()).collect();
        let function = self.module.add_function(name, word.fn_type(&types, false), Some(Linkage::Internal));
        self.mark(function);
        // LLVM would put cold code into a section of its own, which loaders do not know.
        function.set_section(Some(".text"));
        for attribute in ["noinline", "cold"] {
            let kind = Attribute::get_named_enum_kind_id(attribute);
            function.add_attribute(AttributeLoc::Function, self.context.create_enum_attribute(kind, 0));
        }
        let ty = self.debug.int(8, false);
        let described: Vec<_> = parameters.iter().map(|name| (*name, ty)).collect();
        let scope = self.debug.function(function, name, 1, ty, &described);
        (function, scope)
    }

    /// The function that sends a record of an error: header, result of the helper, number of the
    /// program for the count of losses.
    pub fn reporter(&mut self) -> Function<'c> {
        if let Some(function) = self.reporter {
            return function;
        }
        let (ir, debug) = (self.ir, self.debug);
        let caller = ir.here();
        let (function, scope) = self.shared("report_error", &["header", "result", "program"]);
        let entry = ir.block(function, "entry");
        let (sent, lost, done) =
            (ir.block(function, "send"), ir.block(function, "lost"), ir.block(function, "done"));
        let parameter = |n| match function.get_nth_param(n) {
            Some(value) => value.into_int_value(),
            None => ir.i64(0),
        };
        let location = ir.location();
        ir.set_location(debug.location(scope, 1, 1));
        ir.at_end(entry);
        let ring = self.ring();
        let (size, flags) = (ir.i64(RECORD), ir.i64(0));
        let arguments = [ring.into(), size.into(), flags.into()];
        let record = ir.pointer(ir.call_helper(Helper::RingbufReserve.row().number, &arguments));
        ir.branch(ir.is_null(record), lost, sent, Likely::No);
        ir.at_end(sent);
        ir.store(record, parameter(0), 8);
        ir.store(ir.offset(record, 8), parameter(1), 8);
        ir.call_helper(Helper::RingbufSubmit.row().number, &[record.into(), flags.into()]);
        ir.jump(done);
        ir.at_end(lost);
        let last = ir.i64(self.program.bodies.len() as u64 - 1);
        let inside = ir.compare(crate::llvm::ir::Compare::ULE, parameter(2), last);
        let count = ir.block(function, "count");
        ir.branch(inside, count, done, Likely::Yes);
        ir.at_end(count);
        let counters = self.state(self.state.globals.lost);
        ir.atomic_add(ir.offset_by(counters, ir.mul(parameter(2), ir.i64(8))), ir.i64(1));
        ir.jump(done);
        ir.at_end(done);
        ir.ret(ir.i64(0));
        ir.at_end(caller);
        ir.restore_location(location);
        self.reporter = Some(function);
        function
    }

    /// The function given to `bpf_for_each_map_elem`, whose result is the number of entries.
    pub fn counter(&mut self) -> Function<'c> {
        if let Some(function) = self.counter {
            return function;
        }
        let (ir, debug) = (self.ir, self.debug);
        let caller = ir.here();
        let (function, scope) = self.shared("count_entry", &["map", "key", "value", "context"]);
        let location = ir.location();
        ir.set_location(debug.location(scope, 1, 1));
        ir.at_end(ir.block(function, "entry"));
        ir.ret(ir.i64(0));
        ir.at_end(caller);
        ir.restore_location(location);
        self.counter = Some(function);
        function
    }
}
