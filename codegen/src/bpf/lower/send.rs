//! Records for the runtime, built in ring memory.

use btaot_abi::Bytes;
use btaot_abi::constants::IntSource;
use btaot_abi::event::{EventKind, Header};
use btaot_abi::metadata::{Action, Argument, Fault, JOIN_LIMIT, Location, Printf};
use btaot_semantic::program::{Expr, Message};
use btaot_semantic::types::Space;

use super::iterate;
use super::place::Reach;
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
        if iterate::is_pinned(self.body) {
            return self.write_for_reader(message);
        }
        match message {
            Message::Printf { format, arguments } => {
                let (text, offsets) = self.formatted(format, arguments)?;
                let size = text.size;
                let id = self.unit.tables.printf(text).0;
                self.send_formatted(Header { kind: EventKind::Printf, id }, (size, &offsets), arguments)
            }
            Message::Action { kind, format, arguments } => {
                let (text, offsets) = self.formatted(format, arguments)?;
                let size = text.size;
                let id = self.unit.tables.action(Action { kind: *kind, text }).0;
                self.send_formatted(Header { kind: EventKind::Action, id }, (size, &offsets), arguments)
            }
            Message::Join { array, space, separator } => self.send_join(array, *space, separator),
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
            Message::Unwatch(address) => self.number(EventKind::Unwatch, address),
        }
    }

    /// A record with one number of 64 bits.
    fn number(&mut self, kind: EventKind, number: &Expr) -> Result<()> {
        let number = self.scalar(number)?;
        self.record(Header { kind, id: 0 }, 16, |lower, record| {
            let ir = lower.ir;
            ir.store(ir.offset(record.pointer, 8), number, 8);
            Ok(())
        })
    }

    fn bare(&mut self, kind: EventKind, id: u32) -> Result<()> {
        self.record(Header { kind, id }, Header::SIZE, |_, _| Ok(()))
    }

    /// A format with the layout of its values, and their offsets in the record.
    fn formatted(&mut self, format: &Bytes, values: &[Expr]) -> Result<(Printf, Vec<u32>)> {
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
        Ok((Printf { format: format.clone(), arguments, size }, offsets))
    }

    fn send_formatted(
        &mut self,
        header: Header,
        (size, offsets): (u32, &[u32]),
        values: &[Expr],
    ) -> Result<()> {
        self.prefetch(values);
        self.record(header, size, |lower, record| {
            for (value, offset) in values.iter().zip(offsets) {
                lower.fill(value, record.offset(lower.ir, *offset), Fill::Loose)?;
            }
            Ok(())
        })
    }

    /// `join()`: texts are read in place, up to the first null or an address that cannot be read.
    fn send_join(&mut self, array: &Expr, space: Space, separator: &Bytes) -> Result<()> {
        let ir = self.ir;
        let array = self.scalar(array)?;
        let room = self.unit.program.config.max_strlen;
        let texts = Header::SIZE + 8;
        let size = record_size(texts + JOIN_LIMIT * room);
        let id = self.unit.tables.join(separator).0;
        let (address, text) = match self.reach(space) {
            Reach::User => (Helper::ProbeReadUser, Helper::ProbeReadUserStr),
            Reach::Direct | Reach::Context | Reach::Kernel => {
                (Helper::ProbeReadKernel, Helper::ProbeReadKernelStr)
            }
        };
        let found = ir.alloca(self.function, 8, "text");
        self.record(Header { kind: EventKind::Join, id }, size, |lower, record| {
            let count = ir.offset(record.pointer, Header::SIZE.into());
            let all = lower.open("joined");
            for index in 0..u64::from(JOIN_LIMIT) {
                ir.store(count, ir.i64(index), 8);
                let from = ir.add(array, ir.i64(index * 8));
                let read = lower.helper(address, &[found.into(), ir.i64(8).into(), from.into()]);
                let pointer = ir.load(64, found, 8);
                let usable = ir.and(ir.eq(read, ir.i64(0)), ir.is_nonzero(pointer));
                let more = lower.open("text");
                ir.branch(usable, more, all, Likely::Yes);
                ir.at_end(more);
                let to = ir.offset(record.pointer, u64::from(texts) + index * u64::from(room));
                let read = lower.helper(text, &[to.into(), ir.i64(room.into()).into(), pointer.into()]);
                let next = lower.open("next");
                ir.branch(ir.compare(Compare::SGT, read, ir.i64(0)), next, all, Likely::Yes);
                ir.at_end(next);
            }
            ir.store(count, ir.i64(JOIN_LIMIT.into()), 8);
            ir.jump(all);
            ir.at_end(all);
            Ok(())
        })
    }

    /// `exit()`: the request, then the mark that keeps later records from being sent.
    fn send_exit(&mut self, code: &Expr) -> Result<()> {
        let ir = self.ir;
        self.number(EventKind::Exit, code)?;
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
        if iterate::is_pinned(self.body) {
            // There is no tool to report to.
            return;
        }
        let ir = self.ir;
        let (kind, size) = match fault {
            Fault::Helper { .. } => (EventKind::HelperError, Header::SIZE + 8),
            Fault::DivideByZero | Fault::IndexOutOfBounds => (EventKind::RuntimeError, Header::SIZE),
        };
        let id = self.unit.tables.site(fault, location).0;
        let mark = self.frame.mark();
        let record = self.temporary(size);
        ir.store(record, ir.i64(Header { kind, id }.word()), 8);
        if let Some(result) = result {
            ir.store(ir.offset(record, Header::SIZE.into()), result, 8);
        }
        let ring = self.unit.ring();
        // One call: what opens a record in the ring and publishes it would be twice the code.
        let arguments = [ring.into(), record.into(), ir.i64(size.into()).into(), ir.i64(0).into()];
        let failed = self.helper(Helper::RingbufOutput, &arguments);
        self.frame.reset(&mark);
        let (lost, done) = (self.open("lost"), self.open("reported"));
        ir.branch(ir.is_nonzero(failed), lost, done, Likely::No);
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
