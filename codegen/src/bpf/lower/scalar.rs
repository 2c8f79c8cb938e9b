//! Expressions whose value fits a register.

use btaot_abi::metadata::Fault;
use btaot_abi::value::ValueType;
use btaot_semantic::program::{BinaryOp, Expr, ExprKind, Location, Target, UnaryOp};
use btaot_semantic::types::{Int as IntType, Type};

use super::{Home, Lower};
use crate::bpf::error::Result;
use crate::llvm::Int;
use crate::llvm::ir::{Compare, Likely};

/// Width in bytes and sign of a scalar type.
pub fn shape(ty: &ValueType) -> (u32, bool) {
    match ty {
        ValueType::Int { size, signed } | ValueType::Enum { size, signed, .. } => (*size, *signed),
        ValueType::Bool => (1, false),
        _ => (8, false),
    }
}

impl<'c> Lower<'_, '_, 'c> {
    /// The value of a scalar expression as 64 bits, extended by its type's sign.
    pub(super) fn scalar(&mut self, expression: &Expr) -> Result<Int<'c>> {
        let mark = self.frame.mark();
        let value = self.scalar_inner(expression)?;
        self.frame.reset(&mark);
        Ok(value)
    }

    fn scalar_inner(&mut self, expression: &Expr) -> Result<Int<'c>> {
        let (ir, location) = (self.ir, expression.location);
        Ok(match &expression.kind {
            ExprKind::Int(value) => ir.i64(*value),
            ExprKind::Enumerator { name, variant, value } => self.enumerator(name, variant, *value),
            ExprKind::IntConstant(source) => {
                let value = self.int_constant(source.clone());
                self.narrow(&expression.ty, value, location)?
            }
            ExprKind::Variable(id) => match self.variable(*id)? {
                Home::Word(piece) => ir.load(64, self.piece(piece), 8),
                Home::Memory(_) => return self.unsupported(location, "this variable is not a number"),
            },
            ExprKind::Event(value) => self.event_value(*value, location)?,
            ExprKind::Binary { op, .. } if is_condition(*op) => {
                let condition = self.condition(expression)?;
                ir.zext(condition)
            }
            ExprKind::Binary { op, left, right } => {
                let left = self.scalar(left)?;
                let right = self.scalar(right)?;
                let value = self.arithmetic(*op, left, right, location)?;
                self.narrow(&expression.ty, value, location)?
            }
            ExprKind::Unary { op, operand } => self.unary(*op, operand, expression)?,
            ExprKind::Block { statements, value } => {
                self.block(statements)?;
                self.scalar(value)?
            }
            ExprKind::Ternary { condition, then, otherwise } => self.ternary(condition, then, otherwise)?,
            ExprKind::Convert(inner) => self.convert(inner, &expression.ty, location)?,
            ExprKind::Increment { target, by, post } => {
                self.increment(target, *by, *post, &expression.ty, location)?
            }
            ExprKind::MapValue { map, key } => {
                self.map_scalar(*map, key.as_deref(), &expression.ty, location)?
            }
            ExprKind::HasKey { map, key } => {
                let found = self.has_key(*map, key, location)?;
                ir.zext(found)
            }
            ExprKind::SizeOf(id) => self.element_size(&Type::Struct(*id), expression)?,
            ExprKind::DeleteKey { map, key } => self.delete_key(*map, key.as_deref(), location)?,
            ExprKind::Call { call, arguments } => self.call(*call, arguments, expression)?,
            ExprKind::CallC { function, arguments } => self.c_call(function, arguments, expression)?,
            ExprKind::MapAddress(map) => {
                let map = self.unit.user_map(*map, location)?;
                ir.address(map)
            }
            ExprKind::MapLen(map) => self.map_len(*map, location)?,
            ExprKind::StackLen(stack) => {
                let memory = self.memory(stack)?;
                ir.zext(ir.load(32, ir.offset(memory, 8), 8))
            }
            ExprKind::Deref(_)
            | ExprKind::Member { .. }
            | ExprKind::Index { .. }
            | ExprKind::Field { .. } => self.read_scalar(expression)?,
            ExprKind::AddressOf(place) => {
                if let ExprKind::Variable(id) = &place.kind {
                    let piece = self.variable(*id)?.piece();
                    let pointer = self.piece(piece);
                    return Ok(ir.address(pointer));
                }
                let place = self.place(place)?;
                ir.address(place.pointer)
            }
            ExprKind::Str(_)
            | ExprKind::StrConstant(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Pieces(_)
            | ExprKind::ReadStr { .. }
            | ExprKind::ReadBuf { .. }
            | ExprKind::UserSymbol(_)
            | ExprKind::NameOf { .. }
            | ExprKind::Inet { .. }
            | ExprKind::Timestamp { .. } => {
                return self.unsupported(location, "a number is needed here");
            }
        })
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr, at: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let value = self.scalar(operand)?;
        let value = match op {
            UnaryOp::Negate => ir.sub(ir.i64(0), value),
            UnaryOp::Complement => ir.not(value),
            UnaryOp::Not => ir.xor(value, ir.i64(1)),
            UnaryOp::SwapBytes => self.swap_bytes(value, &at.ty),
        };
        self.narrow(&at.ty, value, at.location)
    }

    fn swap_bytes(&self, value: Int<'c>, ty: &Type) -> Int<'c> {
        let ir = self.ir;
        let bits = if let Type::Int(int) = ty { int.size * 8 } else { 64 };
        let value = ir.trunc(value, bits).into();
        ir.zext(ir.intrinsic(self.unit.module, "llvm.bswap", &[value], &[value]).into_int_value())
    }

    /// A truth value for a branch.
    pub(super) fn condition(&mut self, expression: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        match &expression.kind {
            ExprKind::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => {
                self.short_circuit(*op == BinaryOp::And, left, right)
            }
            ExprKind::Binary { op, left, right } if is_condition(*op) => {
                let mark = self.frame.mark();
                let result = self.comparison(*op, left, right)?;
                self.frame.reset(&mark);
                Ok(result)
            }
            ExprKind::Unary { op: UnaryOp::Not, operand } => {
                let value = self.condition(operand)?;
                Ok(ir.not(value))
            }
            ExprKind::Convert(inner) if inner.ty.is_scalar() => {
                let value = self.scalar(inner)?;
                Ok(ir.is_nonzero(value))
            }
            _ => {
                let value = self.scalar(expression)?;
                Ok(ir.is_nonzero(value))
            }
        }
    }

    /// `&&` and `||`: the right side only runs when it decides.
    fn short_circuit(&mut self, and: bool, left: &Expr, right: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let left = self.condition(left)?;
        let (more, join) = (self.open("right"), self.open("decided"));
        let from = ir.here();
        if and {
            ir.branch(left, more, join, Likely::Unknown);
        } else {
            ir.branch(left, join, more, Likely::Unknown);
        }
        ir.at_end(more);
        let known = self.known.enter();
        let right = self.condition(right)?;
        self.known.leave(known);
        let to = ir.here();
        ir.jump(join);
        ir.at_end(join);
        Ok(ir.phi(&[(ir.bool(!and), from), (right, to)]))
    }

    fn comparison(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Int<'c>> {
        if !left.ty.is_scalar() {
            let equal = self.equal_memory(left, right)?;
            return match op {
                BinaryOp::Equal => Ok(equal),
                BinaryOp::NotEqual => Ok(self.ir.not(equal)),
                _ => self.unsupported(left.location, "values of this type have no order"),
            };
        }
        let signed = self.is_signed(&left.ty);
        let a = self.scalar(left)?;
        let b = self.scalar(right)?;
        let how = match (op, signed) {
            (BinaryOp::Equal, _) => Compare::EQ,
            (BinaryOp::NotEqual, _) => Compare::NE,
            (BinaryOp::Less, true) => Compare::SLT,
            (BinaryOp::Less, false) => Compare::ULT,
            (BinaryOp::LessEqual, true) => Compare::SLE,
            (BinaryOp::LessEqual, false) => Compare::ULE,
            (BinaryOp::Greater, true) => Compare::SGT,
            (BinaryOp::Greater, false) => Compare::UGT,
            (BinaryOp::GreaterEqual, true) => Compare::SGE,
            (BinaryOp::GreaterEqual, false) => Compare::UGE,
            _ => return self.unsupported(left.location, "this operation is not a comparison"),
        };
        Ok(self.ir.compare(how, a, b))
    }

    fn is_signed(&self, ty: &Type) -> bool {
        match ty {
            Type::Int(IntType { signed, .. }) => *signed,
            Type::Enum(id) => self.unit.program.structs[*id].int.signed,
            _ => false,
        }
    }

    /// An operation on 64-bit values.
    pub(super) fn arithmetic(
        &mut self,
        op: BinaryOp,
        a: Int<'c>,
        b: Int<'c>,
        location: Location,
    ) -> Result<Int<'c>> {
        let ir = self.ir;
        // The machine looks at the low 6 bits of a shift's distance; LLVM must be told.
        let distance = |b| ir.and(b, ir.i64(63));
        Ok(match op {
            BinaryOp::Add => ir.add(a, b),
            BinaryOp::Sub => ir.sub(a, b),
            BinaryOp::Mul => ir.mul(a, b),
            BinaryOp::BitAnd => ir.and(a, b),
            BinaryOp::BitOr => ir.or(a, b),
            BinaryOp::BitXor => ir.xor(a, b),
            BinaryOp::ShiftLeft => ir.shl(a, distance(b)),
            BinaryOp::ShiftRight => ir.shr(a, distance(b)),
            BinaryOp::Div | BinaryOp::Mod => return self.divide(op == BinaryOp::Div, a, b, location),
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual
            | BinaryOp::And
            | BinaryOp::Or => return self.unsupported(location, "this operation gives no number"),
        })
    }

    /// Unsigned division; by zero it gives 1 and reports the mistake.
    fn divide(&mut self, quotient: bool, a: Int<'c>, b: Int<'c>, location: Location) -> Result<Int<'c>> {
        let ir = self.ir;
        let apply = |b| if quotient { ir.div(a, b) } else { ir.rem(a, b) };
        match b.get_zero_extended_constant() {
            Some(0) => {
                self.report(Fault::DivideByZero, location, None);
                return Ok(ir.i64(1));
            }
            Some(_) => return Ok(apply(b)),
            None => {}
        }
        let (zero, fine, join) = (self.open("divide_by_zero"), self.open("divide"), self.open("divided"));
        ir.branch(ir.is_nonzero(b), fine, zero, Likely::Yes);
        ir.at_end(zero);
        self.report(Fault::DivideByZero, location, None);
        let zero = ir.here();
        ir.jump(join);
        ir.at_end(fine);
        let value = apply(b);
        ir.jump(join);
        ir.at_end(join);
        Ok(ir.phi(&[(ir.i64(1), zero), (value, fine)]))
    }

    fn ternary(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        let condition = self.condition(condition)?;
        let (yes, no, join) = (self.open("then"), self.open("else"), self.open("join"));
        ir.branch(condition, yes, no, Likely::Unknown);
        let mut incoming = Vec::with_capacity(2);
        for (block, value) in [(yes, then), (no, otherwise)] {
            ir.at_end(block);
            let known = self.known.enter();
            let value = self.scalar(value)?;
            self.known.leave(known);
            incoming.push((value, ir.here()));
            ir.jump(join);
        }
        ir.at_end(join);
        Ok(ir.phi(&incoming))
    }

    fn convert(&mut self, inner: &Expr, to: &Type, location: Location) -> Result<Int<'c>> {
        let ir = self.ir;
        let value = if inner.ty.is_scalar() {
            self.scalar(inner)?
        } else {
            // A text is true when it is not empty; an array of integers keeps its bytes.
            let size = self.size_of(&inner.ty, location)?;
            let memory = self.memory(inner)?;
            let bits = match (&inner.ty, size) {
                (Type::Str(_), _) | (_, 1) => 8,
                (_, 2) => 16,
                (_, 4) => 32,
                (_, 8) => 64,
                _ => return self.unsupported(location, "an array of this size is not a number"),
            };
            ir.zext(ir.load(bits, memory, bits / 8))
        };
        if *to == Type::Bool {
            return Ok(ir.zext(ir.is_nonzero(value)));
        }
        self.narrow(to, value, location)
    }

    /// Cuts 64 bits to a type and extends them again by its sign.
    pub(super) fn narrow(&mut self, ty: &Type, value: Int<'c>, location: Location) -> Result<Int<'c>> {
        if *ty == Type::Void {
            return Ok(value);
        }
        let (size, signed) = shape(&self.layout(ty, location)?);
        Ok(self.narrow_to(size, signed, value))
    }

    /// Cuts 64 bits to that many bytes and extends them again.
    pub(super) fn narrow_to(&self, size: u32, signed: bool, value: Int<'c>) -> Int<'c> {
        let ir = self.ir;
        let cut = ir.trunc(value, size * 8);
        if signed { ir.sext(cut) } else { ir.zext(cut) }
    }

    fn increment(
        &mut self,
        target: &Target,
        by: i64,
        post: bool,
        ty: &Type,
        location: Location,
    ) -> Result<Int<'c>> {
        let ir = self.ir;
        let by = ir.i64(by as u64);
        match target {
            Target::Variable(id) => {
                let Home::Word(piece) = self.variable(*id)? else {
                    return self.unsupported(location, "this variable is not a number");
                };
                let word = self.piece(piece);
                let before = ir.load(64, word, 8);
                let declared = self.body.variables[id.0 as usize].ty.clone();
                let after = self.narrow(&declared, ir.add(before, by), location)?;
                ir.store(word, after, 8);
                Ok(if post { before } else { after })
            }
            Target::Map { map, key } => {
                let before = self.add_to_map(*map, key.as_deref(), by, true, location)?;
                if post {
                    return Ok(before);
                }
                self.narrow(ty, ir.add(before, by), location)
            }
        }
    }
}

/// Whether an operation gives a truth value.
fn is_condition(op: BinaryOp) -> bool {
    match op {
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::And
        | BinaryOp::Or => true,
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Mod
        | BinaryOp::BitAnd
        | BinaryOp::BitOr
        | BinaryOp::BitXor
        | BinaryOp::ShiftLeft
        | BinaryOp::ShiftRight => false,
    }
}
