//! Stacks: walked into scratch memory, hashed, and kept once in a store of their own. The value
//! of a stack is its hash, so keys and records stay small and no stack is confused with another
//! by a table of fixed size.

use btaot_abi::metadata::StackMap;
use btaot_abi::value::{StackKey, ValueType};
use btaot_semantic::program::{Context, Expr};
use btaot_semantic::types::Type;

use super::read::Spot;
use super::{Lower, helper_fault};
use crate::bpf::define::{Definition, MapKind};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Int, Ptr};

/// `BPF_F_USER_STACK` of `include/uapi/linux/bpf.h`.
const BPF_F_USER_STACK: u64 = 1 << 8;
/// `BPF_NOEXIST` of the same file.
pub const BPF_NOEXIST: u64 = 1;

/// Multiplier of the hash: 2^64 divided by the golden ratio, odd.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl<'c> Lower<'_, '_, 'c> {
    /// Writes the 16 bytes of the current stack.
    pub(super) fn fill_stack(&mut self, at: &Expr, to: Spot<'c>) -> Result<()> {
        let ir = self.ir;
        let (user, shape) = match &at.ty {
            Type::KernelStack(shape) => (false, *shape),
            Type::UserStack(shape) => (true, *shape),
            _ => return self.unsupported(at.location, "a stack has a type of its own"),
        };
        let mark = self.frame.mark();
        let (bytes, frames) = self.room_for_frames(shape.limit);
        if self.wants_initialised_buffers() {
            // Before Linux 6.3 the verifier wants this buffer to be initialised in raw tracepoint
            // programs, though the helper only writes to it.
            self.zero(Spot::aligned(frames), bytes);
        }
        let flags = ir.i64(if user { BPF_F_USER_STACK } else { 0 });
        let arguments = [self.context.into(), frames.into(), ir.i64(bytes.into()).into(), flags.into()];
        let got = self.helper(Helper::GetStack, &arguments);
        if let Some(rest) = self.rest {
            // Perhaps more frames than there is room for. A failure is a huge number. The verifier follows the comparison
            // only if it is made with the number itself.
            let most = ir.i64(u64::from(bytes) - 8);
            self.unless_unusual(rest, ir.compare(Compare::UGT, got, most));
        }
        let used = match self.rest {
            // LLVM must not rely on that comparison for the loop below: old verifiers do not.
            Some(_) => ir.opaque(got),
            // A failed walk is a stack without frames.
            None => ir.select(ir.compare(Compare::SLT, got, ir.i64(0)), ir.i64(0), got),
        };
        // The loop below teaches the verifier the number of bytes wherever it leaves it. That must
        // not reach the number of frames, or the rest of the program is verified for each of them.
        let count = ir.opaque(ir.shr(used, ir.i64(3)));
        let hash = self.hash_frames(frames, used, bytes);
        let key = self.temporary(StackKey::SIZE);
        ir.store(key, hash, 8);
        ir.store(ir.offset(key, 8), count, 8);
        self.keep_stack(key, frames, shape.limit, at)?;
        ir.store(to.pointer, hash, to.align);
        let tail = ir.offset(to.pointer, 8);
        if user {
            let pid = self.pid();
            ir.store(tail, ir.or(count, ir.shl(pid, ir.i64(32))), to.align);
        } else {
            ir.store(tail, count, to.align);
        }
        self.frame.reset(&mark);
        Ok(())
    }

    /// Memory for the frames of a stack, and its bytes. A short program has room for few, on its own stack.
    fn room_for_frames(&mut self, limit: u32) -> (u32, Ptr<'c>) {
        if self.rest.is_none() {
            return (limit * 8, self.temporary(limit * 8));
        }
        let bytes = limit.min(self.unit.division.frames) * 8;
        (bytes, self.ir.alloca(self.function, bytes, "frames"))
    }

    /// Whether the program is of a type whose variant of the helper takes initialised memory only.
    fn wants_initialised_buffers(&self) -> bool {
        match self.body.context {
            Context::TestRun | Context::RawTracepoint(_) | Context::Tracing(_) | Context::Iter => true,
            Context::Uprobe
            | Context::Usdt
            | Context::Kprobe
            | Context::Tracepoint(_)
            | Context::PerfEvent => false,
        }
    }

    /// Mixes the used bytes of the frames into 64 bits. The loop ends at the constant limit too, or the verifier
    /// would not see its end.
    fn hash_frames(&mut self, frames: Ptr<'c>, used: Int<'c>, limit: u32) -> Int<'c> {
        let ir = self.ir;
        let offset = ir.alloca(self.function, 8, "frame");
        let hash = ir.alloca(self.function, 8, "hash");
        ir.store(offset, ir.i64(0), 8);
        ir.store(hash, ir.i64(0), 8);
        let (head, mix, done) = (self.open("frames"), self.open("mix"), self.open("hashed"));
        ir.jump(head);
        ir.at_end(head);
        let at = ir.load(64, offset, 8);
        let more = ir.compare(Compare::ULT, at, used);
        let inside = self.open("inside");
        ir.branch(more, inside, done, Likely::Yes);
        ir.at_end(inside);
        ir.branch(ir.compare(Compare::ULT, at, ir.i64(limit.into())), mix, done, Likely::Yes);
        ir.at_end(mix);
        let frame = ir.load(64, ir.offset_by(frames, at), 8);
        let mixed = ir.mul(ir.xor(ir.load(64, hash, 8), frame), ir.i64(MULTIPLIER));
        ir.store(hash, ir.xor(mixed, ir.shr(mixed, ir.i64(29))), 8);
        ir.store(offset, ir.add(at, ir.i64(8)), 8);
        ir.jump(head);
        ir.at_end(done);
        ir.load(64, hash, 8)
    }

    /// Puts the frames into the store unless they are there.
    fn keep_stack(&mut self, key: Ptr<'c>, frames: Ptr<'c>, limit: u32, at: &Expr) -> Result<()> {
        let ir = self.ir;
        let id = self.unit.tables.stack_map(limit);
        let max_entries = self.unit.program.config.max_map_keys;
        let word = |size| ValueType::Int { size, signed: false };
        let store = self.unit.map(&StackMap::symbol_of(id), || Definition {
            kind: MapKind::Hash,
            max_entries,
            key: Some(ValueType::Array { element: Box::new(word(8)), len: StackKey::SIZE / 8 }),
            value: Some(ValueType::Array { element: Box::new(word(8)), len: limit }),
        });
        // No branch on the number of frames here: after the loop above it would have the verifier
        // follow every length of stack through the rest of the program.
        let location = at.location;
        let known = self.lookup(store, key);
        if let Some(rest) = self.rest {
            self.unless_unusual(rest, ir.is_null(known));
            return Ok(());
        }
        self.when(ir.is_null(known), Likely::No, |lower| {
            let arguments = [store.into(), key.into(), frames.into(), ir.i64(BPF_NOEXIST).into()];
            let failed = lower.helper(Helper::MapUpdateElem, &arguments);
            let error = lower.is_failure(failed);
            lower.when(error, Likely::No, |lower| {
                lower.report(helper_fault(Helper::MapUpdateElem), location, Some(failed));
                Ok(())
            })
        })
    }

    /// Whether an insertion failed for another reason than that the entry exists by now.
    fn is_failure(&self, result: Int<'c>) -> Int<'c> {
        const EEXIST: i64 = -17;
        let ir = self.ir;
        let exists = ir.eq(result, ir.i64(EEXIST as u64));
        ir.and(ir.is_nonzero(result), ir.not(exists))
    }
}
