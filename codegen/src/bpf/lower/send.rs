//! Records for the runtime, built in ring memory.

use btaot_abi::Bytes;
use btaot_abi::constants::IntSource;
use btaot_abi::event::{EventKind, Header};
use btaot_abi::metadata::{Argument, Fault, Location, Printf};
use btaot_semantic::program::{Expr, Message};

use super::read::Spot;
use super::{Fill, Lower};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Int, Ptr};

/// `BPF_RB_AVAIL_DATA` of `include/uapi/linux/bpf.h`: bytes not yet read.
const BPF_RB_AVAIL_DATA: u64 = 0;

/// Rounds a record up: the ring hands out multiples of 8 bytes.
fn record_size(end: u32) -> u32 {
    end.next_multiple_of(8)
}

impl<'c> Lower<'_, '_, 'c> {
    /// Sends a record.
    pub(super) fn send(&mut self, message: &Message) -> Result<()> {
        match message {
            Message::Printf { format, arguments } => self.send_printf(format, arguments),
            Message::Value(value) => {
                let layout = self.layout(&value.ty, value.location)?;
                let size = record_size(Header::SIZE + layout.size());
                let id = self.unit.tables.value(layout).0;
                self.prefetch([value]);
                self.record(Header { kind: EventKind::Value, id }, size, |lower, record| {
                    lower.fill(value, record.offset(lower.ir, Header::SIZE), Fill::Loose)
                })
            }
            Message::PrintMap { map, top, div } => {
                let header = Header { kind: EventKind::PrintMap, id: map.0 };
                let limits = u64::from(*top) | u64::from(*div) << 32;
                self.record(header, 16, |lower, record| {
                    let ir = lower.ir;
                    ir.store(ir.offset(record.pointer, 8), ir.i64(limits), 8);
                    Ok(())
                })
            }
            Message::ClearMap(map) => self.bare(EventKind::ClearMap, map.0),
            Message::ZeroMap(map) => self.bare(EventKind::ZeroMap, map.0),
            Message::Time(format) => {
                let id = self.unit.tables.time(format).0;
                self.bare(EventKind::Time, id)
            }
            Message::Exit(code) => self.send_exit(code),
        }
    }

    fn bare(&mut self, kind: EventKind, id: u32) -> Result<()> {
        self.record(Header { kind, id }, Header::SIZE, |_, _| Ok(()))
    }

    fn send_printf(&mut self, format: &Bytes, values: &[Expr]) -> Result<()> {
        let mut end = Header::SIZE;
        let mut arguments = Vec::with_capacity(values.len());
        for value in values {
            let ty = self.layout(&value.ty, value.location)?;
            let offset = end.next_multiple_of(ty.align());
            end = offset + ty.size();
            arguments.push(Argument { offset, ty });
        }
        let size = record_size(end);
        let offsets: Vec<u32> = arguments.iter().map(|argument| argument.offset).collect();
        let id = self.unit.tables.printf(Printf { format: format.clone(), arguments, size }).0;
        self.prefetch(values);
        self.record(Header { kind: EventKind::Printf, id }, size, |lower, record| {
            for (value, offset) in values.iter().zip(offsets) {
                lower.fill(value, record.offset(lower.ir, offset), Fill::Loose)?;
            }
            Ok(())
        })
    }

    /// `exit()`: the request, then the mark that keeps later records from being sent.
    fn send_exit(&mut self, code: &Expr) -> Result<()> {
        let ir = self.ir;
        let code = self.scalar(code)?;
        self.record(Header { kind: EventKind::Exit, id: 0 }, 16, |lower, record| {
            let ir = lower.ir;
            ir.store(ir.offset(record.pointer, 8), code, 8);
            Ok(())
        })?;
        let exiting = self.unit.state(self.unit.state.globals.exiting);
        ir.store(exiting, ir.i64(1), 8);
        Ok(())
    }

    /// Opens a record, lets it be filled and publishes it. Without room, or when too little would
    /// be left for control records, the event is counted as lost instead; after `exit()` nothing
    /// is sent any more.
    fn record(
        &mut self,
        header: Header,
        size: u32,
        fill: impl FnOnce(&mut Self, Spot<'c>) -> Result<()>,
    ) -> Result<()> {
        let ir = self.ir;
        let (lost, done) = (self.open("lost"), self.open("sent"));
        let known = self.known.enter();
        let traffic = self.unit.traffic;
        if traffic.exits {
            let exiting = self.unit.state(self.unit.state.globals.exiting);
            let exiting = ir.is_nonzero(ir.load(64, exiting, 8));
            let running = self.open("running");
            ir.branch(exiting, done, running, Likely::No);
            ir.at_end(running);
        }
        let ring = self.unit.ring();
        if traffic.controls && !header.kind.is_control() {
            let unread = self.helper(Helper::RingbufQuery, &[ring.into(), ir.i64(BPF_RB_AVAIL_DATA).into()]);
            let limit = self.int_constant(IntSource::RingDataLimit);
            let room = self.open("room");
            ir.branch(ir.compare(Compare::UGT, unread, limit), lost, room, Likely::No);
            ir.at_end(room);
        }
        let record = self.reserve(ring, size);
        let open = self.open("record");
        ir.branch(ir.is_null(record), lost, open, Likely::No);
        ir.at_end(open);
        ir.store(record, ir.i64(header.word()), 8);
        fill(self, Spot::aligned(record))?;
        self.helper(Helper::RingbufSubmit, &[record.into(), ir.i64(0).into()]);
        ir.jump(done);
        self.known.leave(known);
        ir.at_end(lost);
        self.count_loss();
        ir.jump(done);
        ir.at_end(done);
        Ok(())
    }

    /// Sends a record about an error at this place: a mistake of the script, or a helper's failure
    /// with its result. It is written where it is needed, not called: kernels before 6.4 track
    /// every number of a program with subprograms exactly, which makes loops dear to verify.
    pub(super) fn report(&mut self, fault: Fault, location: Location, result: Option<Int<'c>>) {
        let ir = self.ir;
        let (kind, size) = match fault {
            Fault::Helper { .. } => (EventKind::HelperError, Header::SIZE + 8),
            Fault::DivideByZero | Fault::IndexOutOfBounds => (EventKind::RuntimeError, Header::SIZE),
        };
        let id = self.unit.tables.site(fault, location).0;
        let ring = self.unit.ring();
        let record = self.reserve(ring, size);
        let (open, lost, done) = (self.open("report"), self.open("lost"), self.open("reported"));
        ir.branch(ir.is_null(record), lost, open, Likely::No);
        ir.at_end(open);
        ir.store(record, ir.i64(Header { kind, id }.word()), 8);
        if let Some(result) = result {
            ir.store(ir.offset(record, Header::SIZE.into()), result, 8);
        }
        self.helper(Helper::RingbufSubmit, &[record.into(), ir.i64(0).into()]);
        ir.jump(done);
        ir.at_end(lost);
        self.count_loss();
        ir.jump(done);
        ir.at_end(done);
    }

    fn reserve(&mut self, ring: Ptr<'c>, size: u32) -> Ptr<'c> {
        let ir = self.ir;
        let arguments = [ring.into(), ir.i64(size.into()).into(), ir.i64(0).into()];
        ir.pointer(self.helper(Helper::RingbufReserve, &arguments))
    }
}
