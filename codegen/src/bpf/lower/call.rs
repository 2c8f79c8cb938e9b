//! Functions that are a call of a helper.

use btaot_abi::Bytes;
use btaot_abi::event::PacketHeader;
use btaot_abi::metadata::PacketFile;
use btaot_semantic::program::{Call, Context, Expr, ExprKind, Location, MAX_WRITE};
use btaot_semantic::types::{Space, Type};
use inkwell::values::BasicValueEnum;

use super::place::Reach;
use super::read::Spot;
use super::{Fill, Lower};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::bpf::imported;
use crate::llvm::Int;
use crate::llvm::ir::Compare;

impl<'c> Lower<'_, '_, 'c> {
    /// The value of a function; 0 of one without.
    pub(super) fn call(&mut self, call: Call, arguments: &[Expr], at: &Expr) -> Result<Int<'c>> {
        let location = at.location;
        match (call, arguments) {
            (Call::SignalProcess, [signal]) => self.send_signal(Helper::SendSignal, signal, location),
            (Call::SignalThread, [signal]) => self.send_signal(Helper::SendSignalThread, signal, location),
            (Call::OverrideReturn, [value]) => {
                let value = self.scalar(value)?;
                Ok(self.helper(Helper::OverrideReturn, &[self.context.into(), value.into()]))
            }
            (Call::WriteUser, [to, from, length]) => self.write_user(to, from, length),
            (Call::TracePipe, [format, values @ ..]) => self.trace_pipe(format, values),
            (Call::TextLength, [text]) => {
                let size = self.size_of(&text.ty, text.location)?;
                let memory = self.memory(text)?;
                Ok(self.text_length(memory, size))
            }
            (Call::FindText, [text, part]) => self.find_text(text, part),
            (Call::CompareBytes, [left, right, count]) => self.compare_bytes(left, right, count),
            (Call::SocketCookie, [socket]) => {
                self.need(Helper::GetSocketCookie, "a socket's number in a traced function", location);
                let socket = self.object(socket)?;
                Ok(self.helper(Helper::GetSocketCookie, &[socket.into()]))
            }
            (Call::PacketOutput, [path, packet, length, offset]) => {
                let (ExprKind::Str(path), ExprKind::Int(offset)) = (&path.kind, &offset.kind) else {
                    return self.unsupported(location, "a file and an offset are written out");
                };
                let file = PacketFile { path: path.clone(), offset: *offset };
                self.packet_output(file, packet, length, at)
            }
            _ => self.unsupported(location, "this call has no number as its value"),
        }
    }

    /// Hands a packet out. The helper takes as many of its bytes as the flags say.
    fn packet_output(
        &mut self,
        file: PacketFile,
        packet: &Expr,
        length: &Expr,
        at: &Expr,
    ) -> Result<Int<'c>> {
        /// `BPF_F_CURRENT_CPU` of `include/uapi/linux/bpf.h`.
        const CURRENT_CPU: u64 = 0xffff_ffff;
        let ir = self.ir;
        let id = self.unit.tables.packets(file);
        let length = self.scalar(length)?;
        let packet = self.object(packet)?;
        let time = self.helper(Helper::KtimeGetBootNs, &[]);
        let header = self.temporary(PacketHeader::SIZE);
        for (word, value) in [(0, ir.i64(id.0.into())), (8, time), (16, length)] {
            ir.store(ir.offset(header, word), value, 8);
        }
        let flags = ir.or(ir.shl(length, ir.i64(32)), ir.i64(CURRENT_CPU));
        let map = self.unit.packets();
        let size = ir.i64(PacketHeader::SIZE.into());
        let arguments = [packet.into(), map.into(), flags.into(), header.into(), size.into()];
        let result = self.helper(Helper::SkbOutput, &arguments);
        self.narrow(&at.ty, result, at.location)
    }

    /// The address of an object of the kernel, which the verifier knows to be that.
    fn object(&mut self, pointer: &Expr) -> Result<Int<'c>> {
        self.keeps_objects = true;
        let address = self.scalar(pointer);
        self.keeps_objects = false;
        address
    }

    /// Writes the text that a function gives.
    pub(super) fn fill_from_call(
        &mut self,
        call: Call,
        arguments: &[Expr],
        to: Spot<'c>,
        at: &Expr,
    ) -> Result<()> {
        match (call, arguments) {
            (Call::Concatenate, texts) => self.concatenate(texts, to, at),
            (Call::Path, [object]) => self.path(object, to, at),
            _ => self.unsupported(at.location, "this call gives no text"),
        }
    }

    /// Writes the path that a `struct path` means. Kernels write what there is room for, its end, also when they fail.
    fn path(&mut self, object: &Expr, to: Spot<'c>, at: &Expr) -> Result<()> {
        let size = self.size_of(&at.ty, at.location)?;
        self.zero(to, size);
        let absent = self.open("absent");
        let known = self.known.enter();
        self.absent = (self.body.context == Context::Iter).then_some(absent);
        let object = self.object(object)?;
        self.absent = None;
        let arguments = [object.into(), to.pointer.into(), self.ir.i64(size.into()).into()];
        self.helper(Helper::DPath, &arguments);
        self.known.leave(known);
        self.ir.jump(absent);
        self.ir.at_end(absent);
        Ok(())
    }

    /// A call of imported C code.
    pub(super) fn c_call(&mut self, function: &Bytes, arguments: &[Expr], at: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let values = arguments.iter().map(|argument| self.scalar(argument)).collect::<Result<Vec<_>>>()?;
        let name = String::from_utf8_lossy(function);
        let Some(callee) = self.unit.module.get_function(&imported::symbol(&name)) else {
            return self.unsupported(at.location, &format!("the imported C code does not define `{name}`"));
        };
        // It may have the address of any map.
        self.forget_reads();
        let Some(value) = ir.call(callee, &values) else {
            let what = format!("`{name}` takes or gives what the language has no values of");
            return self.unsupported(at.location, &what);
        };
        self.narrow(&at.ty, ir.zext(value), at.location)
    }

    fn send_signal(&mut self, helper: Helper, signal: &Expr, location: Location) -> Result<Int<'c>> {
        let signal = self.scalar(signal)?;
        self.checked(helper, &[signal.into()], location)?;
        Ok(self.ir.i64(0))
    }

    /// `write_user()`: the helper only takes memory of the program, so the bytes are copied there first.
    fn write_user(&mut self, to: &Expr, from: &Expr, length: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let to = self.scalar(to)?;
        let length = self.scalar(length)?;
        let known = length.get_zero_extended_constant().map(|length| length.min(MAX_WRITE.into()));
        let room = known.map_or(MAX_WRITE, |known| known as u32).max(1);
        let space = match &from.ty {
            Type::Pointer { space, .. } => *space,
            _ => Space::Kernel,
        };
        let read = match self.reach(space) {
            Reach::User => Helper::ProbeReadUser,
            Reach::Direct | Reach::Context | Reach::Kernel => Helper::ProbeReadKernel,
        };
        let location = from.location;
        let from = self.scalar(from)?;
        let length = match known {
            Some(known) => ir.i64(known.max(1)),
            None => {
                // The verifier needs both ends of the range.
                let most = ir.i64(MAX_WRITE.into());
                let wanted = ir.opaque(length);
                let wanted = ir.select(ir.compare(Compare::ULT, wanted, most), wanted, most);
                ir.select(ir.is_nonzero(wanted), wanted, ir.i64(1))
            }
        };
        let copy = self.temporary(room);
        if known.is_none() {
            self.zero(Spot::aligned(copy), room);
        }
        self.read_by(read, &[copy.into(), length.into(), from.into()], location);
        let failed = self.helper(Helper::ProbeWriteUser, &[to.into(), copy.into(), length.into()]);
        Ok(ir.zext(ir.eq(failed, ir.i64(0))))
    }

    /// `debugf()`: the kernel formats by itself; texts are given by their address.
    fn trace_pipe(&mut self, format: &Expr, values: &[Expr]) -> Result<Int<'c>> {
        let size = self.size_of(&format.ty, format.location)?;
        let text = self.temporary(size);
        self.fill(format, Spot::aligned(text), Fill::Whole)?;
        let mut arguments: Vec<BasicValueEnum<'c>> = vec![text.into(), self.ir.i64(size.into()).into()];
        for value in values {
            arguments.push(match value.ty.is_scalar() {
                true => self.scalar(value)?.into(),
                false => self.memory(value)?.into(),
            });
        }
        Ok(self.helper(Helper::TracePrintk, &arguments))
    }

    /// Where a value in memory has its bytes, and how many they are.
    pub(super) fn bytes_of(&mut self, value: &Expr) -> Result<(crate::llvm::Ptr<'c>, u32)> {
        let size = self.size_of(&value.ty, value.location)?;
        let memory = match &value.kind {
            ExprKind::Str(_) => {
                let copy = self.temporary(size);
                self.fill(value, Spot::aligned(copy), Fill::Whole)?;
                copy
            }
            _ => self.memory(value)?,
        };
        // The bytes of a buffer stand behind the word with their number.
        let before = if matches!(value.ty, Type::Buf(_)) { 4 } else { 0 };
        Ok((self.ir.offset(memory, before.into()), size - before))
    }
}
