//! What programs share: the ring of events, and a function in `.text`.

use btaot_abi::event::{PACKET_MAP, RING_MAP};
use btaot_abi::metadata::REST_MAP;
use btaot_abi::value::ValueType;
use inkwell::module::Linkage;

use super::define::{Definition, MapKind};
use super::unit::Unit;
use crate::llvm::{Function, Ptr};

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

    /// The perf events, one for each CPU, through which packets are handed out. The tool sets their number.
    pub fn packets(&mut self) -> Ptr<'c> {
        let word = ValueType::Int { size: 4, signed: false };
        self.map(PACKET_MAP, || Definition {
            kind: MapKind::PerfEventArray,
            max_entries: 1,
            key: Some(word.clone()),
            value: Some(word),
        })
    }

    /// The map of the program to jump to.
    pub fn rest(&mut self) -> Ptr<'c> {
        let word = ValueType::Int { size: 4, signed: false };
        self.map(REST_MAP, || Definition {
            kind: MapKind::ProgArray,
            max_entries: 1,
            key: Some(word.clone()),
            value: Some(word),
        })
    }

    /// The function given to `bpf_for_each_map_elem`, whose result is the number of entries: it has
    /// nothing to do.
    pub fn counter(&mut self) -> Function<'c> {
        const NAME: &str = "count_entry";
        if let Some(function) = self.module.get_function(NAME) {
            return function;
        }
        let (ir, debug) = (self.ir, self.debug);
        let caller = (ir.here(), ir.location());
        let word = self.context.i64_type();
        let signature = word.fn_type(&[word.into(); 4], false);
        let function = self.module.add_function(NAME, signature, Some(Linkage::Internal));
        function.set_section(Some(".text"));
        self.mark(function);
        let ty = debug.int(8, false);
        let parameters = ["map", "key", "value", "context"].map(|name| (name, ty));
        let scope = debug.function(function, NAME, 1, ty, &parameters);
        ir.set_location(debug.location(scope, 1, 1));
        ir.at_end(ir.block(function, "entry"));
        ir.ret(ir.i64(0));
        ir.at_end(caller.0);
        ir.restore_location(caller.1);
        function
    }
}
