//! Places: where a structure's member, an array's element or a pointer's target stands.

use btaot_abi::metadata::Fault;
use btaot_semantic::program::{Context, EventValue, Expr, ExprKind};
use btaot_semantic::types::{Origin, Space, StructId, Type};

use super::read::Spot;
use super::{Home, Lower};
use crate::bpf::core::{FieldInfo, Path, type_size};
use crate::bpf::error::Result;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{AnyValue, Int, Ptr};

/// How a place is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Directly: the program's own memory, or a map's.
    Direct,
    /// Directly, at fixed offsets only: the program's context.
    Context,
    /// By `bpf_probe_read_kernel`.
    Kernel,
    /// By `bpf_probe_read_user`.
    User,
}

/// Where something stands.
#[derive(Clone, Debug)]
pub struct Place<'c> {
    /// Its address.
    pub pointer: Ptr<'c>,
    /// How it is read.
    pub reach: Reach,
    /// Alignment in bytes that is certain.
    pub align: u32,
    /// The members that led here, when the structure is the kernel's, and where they started.
    pub path: Option<(Path, Ptr<'c>)>,
}

impl<'c> Place<'c> {
    /// Memory of the program.
    pub fn direct(pointer: Ptr<'c>) -> Self {
        Self { pointer, reach: Reach::Direct, align: 8, path: None }
    }
}

/// The alignment certain at an offset from something aligned.
fn align_at(align: u32, offset: u64) -> u32 {
    if offset == 0 { align } else { align.min(1 << offset.trailing_zeros().min(3)) }
}

impl<'c> Lower<'_, '_, 'c> {
    /// Where an expression's value stands; values that stand nowhere are put into memory.
    pub(super) fn place(&mut self, expression: &Expr) -> Result<Place<'c>> {
        match &expression.kind {
            ExprKind::Deref(pointer) => self.target(pointer),
            ExprKind::Member { base, structure, field } => {
                let place = self.place(base)?;
                self.member(place, *structure, *field, expression)
            }
            ExprKind::Index { base, index } => self.element(base, index),
            ExprKind::Field { base, index } => {
                let offset = self.field_offset(base, *index)?;
                let place = self.place(base)?;
                Ok(Place {
                    pointer: self.ir.offset(place.pointer, offset.into()),
                    align: align_at(place.align, offset.into()),
                    ..place
                })
            }
            ExprKind::Variable(id) => {
                let (Home::Word(piece) | Home::Memory(piece)) = self.variable(*id)?;
                Ok(Place::direct(self.piece(piece)))
            }
            _ if !expression.ty.is_scalar() => Ok(Place::direct(self.memory(expression)?)),
            _ => self.unsupported(expression.location, "only something that stands in memory has an address"),
        }
    }

    fn target(&mut self, pointer: &Expr) -> Result<Place<'c>> {
        let space = match &pointer.ty {
            Type::Pointer { space, .. } => *space,
            _ => Space::Unknown,
        };
        let reach = self.reach(space);
        let pointer = if pointer.kind == ExprKind::Event(EventValue::Context) {
            self.context
        } else {
            let address = self.scalar(pointer)?;
            self.ir.pointer(address)
        };
        Ok(Place { pointer, reach, align: 8, path: None })
    }

    /// How memory of a space is read.
    pub(super) fn reach(&self, space: Space) -> Reach {
        match (space, self.body.context) {
            (Space::Context, _) => Reach::Context,
            // The verifier follows loads through objects that it knows.
            (Space::Kernel | Space::Unknown, _) if self.keeps_objects => Reach::Context,
            (Space::User, _) | (Space::Unknown, Context::Uprobe | Context::Usdt) => Reach::User,
            (Space::Kernel, _)
            | (
                Space::Unknown,
                Context::TestRun
                | Context::Kprobe
                | Context::Tracepoint(_)
                | Context::PerfEvent
                | Context::RawTracepoint(_)
                | Context::Tracing(_)
                | Context::Iter,
            ) => Reach::Kernel,
        }
    }

    fn member(&mut self, base: Place<'c>, id: StructId, field: u32, at: &Expr) -> Result<Place<'c>> {
        let program = self.unit.program;
        let structure = &program.structs[id];
        let Some(member) = structure.fields.get(field as usize) else {
            return self.unsupported(at.location, "the structure has no such member");
        };
        if structure.origin == Origin::Script {
            let offset = member.bit_offset / 8;
            let pointer = self.ir.offset(base.pointer, offset);
            let align = align_at(base.align, offset);
            return Ok(Place { pointer, reach: base.reach, align, path: None });
        }
        let (mut path, root) = match base.path {
            // The layout of a structure that is passed by value is the kernel's, under its own name.
            Some((path, _))
                if program.structs[path.root].origin == Origin::Arguments && !structure.name.is_empty() =>
            {
                (Path::new(id, structure.name.clone()), base.pointer)
            }
            Some(known) => known,
            None if structure.name.is_empty() => {
                return self.unsupported(
                    at.location,
                    "a structure without a name cannot be found on the target; go through the named \
                     structure that holds it",
                );
            }
            None => (Path::new(id, structure.name.clone()), base.pointer),
        };
        path.push(member, self.unit.core.member_index(id, field));
        if program.structs[path.root].origin == Origin::Kernel {
            self.unit.tables.core_root(&path.name);
        }
        let pointer = self.relocated(root, &path);
        Ok(Place { pointer, reach: base.reach, align: 1, path: Some((path, root)) })
    }

    /// The address of a member, at the offset that the target's BTF tells.
    fn relocated(&mut self, root: Ptr<'c>, path: &Path) -> Ptr<'c> {
        let ir = self.ir;
        let offset = self.unit.member_relocation(path, FieldInfo::ByteOffset);
        let member = ir.offset_by(root, ir.load(64, offset, 8));
        self.pass(member.into()).into_pointer_value()
    }

    /// The same value, which LLVM does not see through. It keeps an addition beside the access into which it is folded,
    /// and accesses of two branches apart: the verifier takes no load from the context at an offset that a branch chose.
    pub(super) fn pass(&mut self, value: AnyValue<'c>) -> AnyValue<'c> {
        let sequence = self.ir.i32(self.unit.core.next_sequence());
        self.ir.intrinsic(
            self.unit.module,
            "llvm.bpf.passthrough",
            &[value, value],
            &[sequence.into(), value],
        )
    }

    fn element(&mut self, base: &Expr, index: &Expr) -> Result<Place<'c>> {
        let ir = self.ir;
        let (element, len) = match &base.ty {
            Type::Array { element, len } => (&**element, *len),
            Type::Str(size) => (&Type::Int(btaot_semantic::types::Int { size: 1, signed: true }), *size),
            _ => return self.unsupported(base.location, "only arrays have elements"),
        };
        let size = self.element_size(element, base)?;
        let mut place = self.place(base)?;
        if place.reach == Reach::Context {
            // The verifier takes loads from the context at fixed offsets only.
            place.reach = Reach::Kernel;
        }
        let index_value = self.scalar(index)?;
        let constant = index_value.get_zero_extended_constant();
        if constant.is_some_and(|index| index < len.into()) {
            let offset = ir.mul(index_value, size);
            let align = match offset.get_zero_extended_constant() {
                Some(offset) => align_at(place.align, offset),
                None => 1,
            };
            return Ok(Place { pointer: ir.offset_by(place.pointer, offset), align, path: None, ..place });
        }
        let inside = ir.compare(Compare::ULT, index_value, ir.i64(len.into()));
        match place.reach {
            Reach::Kernel | Reach::User | Reach::Context => {
                self.far_element(place, index_value, size, (inside, index))
            }
            Reach::Direct => self.near_element(place, index_value, element, (inside, index)),
        }
    }

    /// Bytes of an element; those of a kernel structure are the target's.
    pub(super) fn element_size(&mut self, element: &Type, base: &Expr) -> Result<Int<'c>> {
        let program = self.unit.program;
        if let Type::Struct(id) = element
            && program.structs[*id].origin == Origin::Kernel
            && !program.structs[*id].name.is_empty()
        {
            self.unit.tables.core_root(&program.structs[*id].name);
            let variable = self.unit.size_relocation(*id);
            return Ok(self.ir.load(64, variable, 8));
        }
        match type_size(element, program) {
            Some(size) => Ok(self.ir.i64(size.into())),
            None => Ok(self.ir.i64(self.size_of(element, base.location)?.into())),
        }
    }

    /// An element of an array elsewhere. Outside the array the address becomes null, so that the
    /// read gives zeros.
    fn far_element(
        &mut self,
        place: Place<'c>,
        index: Int<'c>,
        size: Int<'c>,
        (inside, at): (Int<'c>, &Expr),
    ) -> Result<Place<'c>> {
        let ir = self.ir;
        let (fine, outside, join) = (self.open("inside"), self.open("outside"), self.open("element"));
        ir.branch(inside, fine, outside, Likely::Yes);
        ir.at_end(outside);
        self.report(Fault::IndexOutOfBounds, at.location, None);
        let outside = ir.here();
        ir.jump(join);
        ir.at_end(fine);
        let found = ir.offset_by(place.pointer, ir.mul(index, size));
        ir.jump(join);
        ir.at_end(join);
        let pointer = ir.phi_ptr(&[(ir.null(), outside), (found, fine)]);
        Ok(Place { pointer, align: 1, path: None, ..place })
    }

    /// A copy of an element of an array in the program's memory; zeros outside the array.
    fn near_element(
        &mut self,
        place: Place<'c>,
        index: Int<'c>,
        element: &Type,
        (inside, at): (Int<'c>, &Expr),
    ) -> Result<Place<'c>> {
        let size = self.size_of(element, at.location)?;
        let copy = self.temporary(size);
        let location = at.location;
        self.either(
            inside,
            Likely::Yes,
            |lower| {
                let ir = lower.ir;
                let offset = ir.mul(index, ir.i64(size.into()));
                let from = ir.offset_by(place.pointer, offset);
                let from = Spot { pointer: from, align: align_at(place.align, size.into()) };
                lower.copy(Spot::aligned(copy), from, size);
                Ok(())
            },
            |lower| {
                lower.report(Fault::IndexOutOfBounds, location, None);
                lower.zero(Spot::aligned(copy), size);
                Ok(())
            },
        )?;
        Ok(Place::direct(copy))
    }

    /// Byte offset of a field of a tuple or record.
    fn field_offset(&mut self, base: &Expr, index: u32) -> Result<u32> {
        use btaot_abi::value::ValueType::{Record, Tuple};
        match self.layout(&base.ty, base.location)? {
            Tuple(aggregate) | Record(aggregate) => match aggregate.fields.get(index as usize) {
                Some(field) => Ok(field.offset),
                None => self.unsupported(base.location, "the tuple has no such field"),
            },
            _ => self.unsupported(base.location, "only tuples and records have fields"),
        }
    }
}
