//! Functions whose arguments are ordinary values, and what they give.

use core::net::IpAddr;

use btaot_abi::Bytes;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{BuiltinType, Function, ValueKind};

use super::super::Checker;
use super::super::convert::converted;
use super::super::ops::binary_kind;
use super::super::variables::storable;
use crate::program::{BinaryOp, Expr, ExprKind, NAME_SIZE, Names, Stmt, StmtKind, UnaryOp};
use crate::ty::Ty;
use crate::types::{Int, Space, Type};
use crate::value::{Checked, Stop, Value, int_expr};

/// Capacity of what `str_concat` makes.
pub(super) const CONCAT_SIZE: u32 = 1024;
/// `ERR_PTR` values are the last of the address space: `MAX_ERRNO` of `include/linux/err.h`.
const MAX_ERRNO: u64 = 4095;
/// Bytes of a hardware address.
const MAC_LEN: u32 = 6;

impl Checker<'_, '_> {
    /// A function that this release checks, but makes no code for.
    pub(super) fn uncompiled(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let values = self.arguments(function, arguments, span)?;
        let ty = match function.row().value {
            ValueKind::Void => Ty::VOID,
            ValueKind::Str(size) => Ty::Plain(Type::Str(size)),
            ValueKind::LongStr => Ty::Plain(Type::Str(self.settings.config.max_strlen)),
            ValueKind::Argument => values.first().map_or(Ty::VOID, |value| storable(&value.ty)),
            ValueKind::Type(ty) => self.result_type(ty),
            _ => self.depending_type(function, span),
        };
        match function {
            Function::DwUstack => self.never(
                span,
                "`dw_ustack()` is not offered: it takes copies of whole stacks, or unwind tables in the kernel",
                "use `ustack()`, and compile the traced program with -fno-omit-frame-pointer",
            ),
            other => self.later(span, &format!("`{}()`", other.name())),
        }
        Ok(self.placeholder(ty, span))
    }

    fn result_type(&mut self, ty: BuiltinType) -> Ty {
        match ty {
            BuiltinType::Bool => Ty::BOOL,
            BuiltinType::UInt32 => Ty::int(4, false),
            BuiltinType::Int64 => Ty::I64,
            BuiltinType::MacAddress => Ty::Plain(Type::Mac),
            BuiltinType::CgroupPath => Ty::Plain(Type::CgroupPath(Bytes::from("*"))),
            BuiltinType::Inet => Ty::Plain(Type::Inet),
            BuiltinType::Timestamp => Ty::Plain(Type::Timestamp),
            _ => Ty::U64,
        }
    }

    /// The type of a result that no column of the vocabulary tells.
    fn depending_type(&mut self, function: Function, _span: Span) -> Ty {
        let pointer = |space| {
            let to = Box::new(Type::U64);
            Ty::Plain(Type::Pointer { to, space })
        };
        match function {
            Function::Kaddr | Function::PercpuKaddr => pointer(Space::Kernel),
            Function::Uaddr => pointer(Space::User),
            Function::StrConcat => Ty::Plain(Type::Str(CONCAT_SIZE)),
            _ => Ty::U64,
        }
    }

    /// `strcap()`: the room of a text or array.
    pub(super) fn strcap(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::Strcap, arguments, span)?;
        let location = self.location(span);
        let room = match values.first().map(|value| &value.ty) {
            Some(Ty::Plain(Type::Str(size))) => Some(*size),
            Some(Ty::Plain(Type::Array { len, .. })) => Some(*len),
            _ => None,
        };
        Ok(match room {
            Some(room) => Value::new(Ty::I64, ExprKind::Int(room.into()), location),
            None => Value::new(Ty::I64, ExprKind::Int(-1i64 as u64), location),
        })
    }

    /// `strncmp()`: whether the first characters differ.
    pub(super) fn strncmp(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::Strncmp, arguments, span)?;
        let [left, right, count] = <[Value; 3]>::try_from(values).map_err(|_| Stop::Reported)?;
        let count = count.known_int().unwrap_or_default();
        let location = self.location(span);
        if let (Some(left), Some(right)) = (left.known_str(), right.known_str()) {
            let first = |text: &[u8]| -> Vec<u8> {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                text.iter().take(count).take_while(|byte| **byte != 0).copied().collect()
            };
            let differ = first(left) != first(right);
            return Ok(Value::new(Ty::U64, ExprKind::Int(differ.into()), location));
        }
        if count == 0 {
            return Ok(Value::new(Ty::U64, ExprKind::Int(0), location));
        }
        let room = u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
        let cut = |expr: Expr| match expr.ty {
            Type::Str(size) if room < size => converted(expr, Type::Str(room)),
            _ => expr,
        };
        let (left, right) = (self.text_operand(left, span)?, self.text_operand(right, span)?);
        let (left, right) = (cut(left), cut(right));
        let differ = Expr { kind: binary_kind(BinaryOp::NotEqual, left, right), ty: Type::Bool, location };
        Ok(Value::new(Ty::U64, ExprKind::Convert(Box::new(differ)), location))
    }

    /// `bswap()`: the bytes of an integer in the other order.
    pub(super) fn bswap(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::Bswap, arguments, span)?;
        let value = values.into_iter().next().ok_or(Stop::Reported)?;
        let Some(int) = value.ty.as_int() else { return Err(Stop::Reported) };
        let size = int.int.size;
        let ty = Ty::int(size, false);
        let operand = converted(value.expr, Type::Int(Int { size, signed: false }));
        if size == 1 {
            return Ok(Value::new(ty, operand.kind, self.location(span)));
        }
        let kind = ExprKind::Unary { op: UnaryOp::SwapBytes, operand: Box::new(operand) };
        Ok(Value::new(ty, kind, self.location(span)))
    }

    /// `is_err()`: whether a pointer is an error number.
    pub(super) fn is_err(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::IsErr, arguments, span)?;
        let value = values.into_iter().next().ok_or(Stop::Reported)?;
        if value.ty.as_pointer().is_none() {
            let message = format!("`is_err()` takes a pointer, not `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        let location = self.location(span);
        let address = self.as_address(value).ok_or(Stop::Reported)?;
        let first = int_expr(0u64.wrapping_sub(MAX_ERRNO), Int { size: 8, signed: false }, location);
        Ok(Value::new(Ty::BOOL, binary_kind(BinaryOp::GreaterEqual, address, first), location))
    }

    /// `strerror()`, `signal_name()`, `syscall_name()`: the text for a number.
    pub(super) fn name_of(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let values = self.arguments(function, arguments, span)?;
        let number = values.into_iter().next().ok_or(Stop::Reported)?;
        let number = Box::new(self.widened(number).ok_or(Stop::Reported)?);
        let names = match function {
            Function::Strerror => Names::Errors,
            Function::SignalName => Names::Signals,
            _ => Names::Syscalls,
        };
        let ty = Ty::Plain(Type::Str(NAME_SIZE));
        Ok(Value::new(ty, ExprKind::NameOf { names, number }, self.location(span)))
    }

    /// `macaddr()` takes the bytes of an address.
    pub(super) fn macaddr(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::Macaddr, arguments, span)?;
        let value = values.into_iter().next().ok_or(Stop::Reported)?;
        if value.known_str().is_some() {
            let message = "`macaddr()` takes the bytes of an address, not text";
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        let room = self.catalog.size_of(&value.ty.lower());
        if !matches!(value.ty, Ty::Plain(Type::Pointer { .. })) && room.is_none_or(|room| room < MAC_LEN) {
            let message =
                format!("a hardware address has {MAC_LEN} bytes, and this is `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        self.hardware_address(value, MAC_LEN, span)
    }

    /// `pton()`: the bytes of an address that is written out.
    pub(super) fn pton(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let text = self.literal_text(&arguments[0], span)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let bytes: Vec<u8> = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address.octets().to_vec(),
            Ok(IpAddr::V6(address)) => address.octets().to_vec(),
            Err(_) => {
                let message = format!("`{text}` is no internet address");
                let error = Diagnostic::error(Code::BadArgument, span, message)
                    .with_secondary(arguments[0].span, "this argument")
                    .with_hint("write it as `192.168.0.1` or `2001:db8::1`");
                return self.fail(error);
            }
        };
        let byte = Type::Int(Int { size: 1, signed: false });
        let ty = Ty::Plain(Type::Array { element: Box::new(byte), len: bytes.len() as u32 });
        Ok(Value::new(ty, ExprKind::Str(Bytes::from(bytes)), self.location(span)))
    }

    /// `find()`: reads an entry into a variable and says whether there is one. The key is evaluated once.
    pub(super) fn find_entry(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let [map, key, result] = arguments else { return Err(Stop::Reported) };
        let ast::ExprKind::Map(name) = &map.kind else {
            return self.bad_argument_of(span, map.span, "`find()` takes a map by its name");
        };
        let ast::ExprKind::Variable(variable) = &result.kind else {
            return self.bad_argument_of(span, result.span, "`find()` writes to a variable: name one");
        };
        if self.known_map(name, map.span).is_ok() && !self.is_keyed(name) {
            return self.bad_argument_of(
                span,
                map.span,
                format!("`@{name}` has no key: read it as `@{name}`"),
            );
        }
        let (id, key) = self.map_access(name, Some(std::slice::from_ref(key)), map.span)?;
        let key = key.ok_or(Stop::Reported)?;
        let location = self.location(span);
        let (keep, again) = self.held(key, map.span);
        let value = self.map_entry(name, id, Some(again.clone()), span)?;
        self.refuse_unstorable(&value.ty, span, "a variable")?;
        let target = self.find_or_declare(variable, result.span);
        let Some(ty) = self.widen_variable(target, &value.ty) else {
            let current = self.state(target).ty.clone().unwrap_or(Ty::VOID);
            return self.mismatch(&format!("${variable}"), &value.ty, &current, span);
        };
        let shown = value.ty.clone();
        let Some(value) = self.convert(value, &ty, span) else {
            return self.mismatch(&format!("${variable}"), &shown, &ty, span);
        };
        let has = Expr { kind: ExprKind::HasKey { map: id, key: Box::new(again) }, ty: Type::Bool, location };
        let at = |kind| Stmt { kind, location };
        let read = at(StmtKind::SetVariable { variable: target, value });
        let statements =
            vec![keep, at(StmtKind::If { condition: has.clone(), then: vec![read], otherwise: Vec::new() })];
        Ok(Value::new(Ty::BOOL, ExprKind::Block { statements, value: Box::new(has) }, location))
    }
}
