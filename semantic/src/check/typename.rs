//! Type names, and types as text.

use btaot_abi::Bytes;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{BuiltinType, ConfigKey};

use super::Checker;
use crate::config::Unstable;
use crate::probes::did_you_mean;
use crate::program::Aggregation;
use crate::ty::Ty;
use crate::types::{Int, Space, StackMode, StackShape, Type};
use crate::value::{Checked, Literal, Value};

/// Frames of a stack whose number the script does not say.
pub(super) const DEFAULT_FRAMES: u32 = 127;

impl Checker<'_, '_> {
    /// The type of a name.
    pub(super) fn type_name(&mut self, ty: &ast::Type) -> Checked<Ty> {
        match &ty.kind {
            ast::TypeKind::Named(name) => self.named_type(name, ty.span),
            ast::TypeKind::Tagged { tag, name } => match self
                .traced_type(|catalog, binary| catalog.user_tagged(binary, *tag, name))
                .or_else(|| self.catalog.tagged(*tag, name))
            {
                Some(found) => Ok(self.found_type(found, ty.span)),
                None => {
                    let message = format!("there is no `{} {name}`, here or in the kernel", tag.keyword());
                    let error = Diagnostic::error(Code::UnknownType, ty.span, message);
                    let error = self.with_missing_headers(error.with_hint_opt(self.missing_btf_hint()));
                    self.fail(error)
                }
            },
            ast::TypeKind::Sized { base, size } => {
                let size = self.type_size(size, ty.span)?;
                Ok(Ty::Plain(match base {
                    ast::SizedType::String => Type::Str(size),
                    ast::SizedType::Buffer => Type::Buf(size),
                    ast::SizedType::Inet => Type::Inet,
                }))
            }
            ast::TypeKind::Pointer(to) => {
                let to = match self.type_name(&ast::Type { kind: to.kind.clone(), span: ty.span })? {
                    Ty::Aggregate(_) => {
                        return self.error(Code::UnknownType, ty.span, "there is no such pointer");
                    }
                    to => to.lower(),
                };
                Ok(Ty::Plain(Type::Pointer { to: Box::new(to), space: Space::Unknown }))
            }
            ast::TypeKind::Array { element, length } => {
                let element = self.type_name(element)?.lower();
                let len = match length {
                    Some(length) => self.type_size(length, ty.span)?,
                    None => 0,
                };
                Ok(Ty::Plain(Type::Array { element: Box::new(element), len }))
            }
            ast::TypeKind::TypeOf(of) => self.type_of(of),
        }
    }

    /// A type by its name, with what is doubtful about it.
    fn found_type(&mut self, ty: Type, span: Span) -> Ty {
        if let Type::Struct(id) = &ty
            && self.catalog.is_fixed_by_kernel_header(*id)
        {
            let message = format!(
                "`{}` is not in the kernel's BTF, so the tool keeps the layout of this machine's headers",
                self.catalog.name_of(*id)
            );
            self.warn(Code::CFixedLayout, span, message);
        }
        Ty::from(ty)
    }

    /// An error about a name that a header may have defined.
    pub(super) fn with_missing_headers(&self, error: Diagnostic) -> Diagnostic {
        self.catalog.header_notes().into_iter().fold(error, Diagnostic::with_note)
    }

    fn type_size(&mut self, size: &ast::Expr, span: Span) -> Checked<u32> {
        let value = self.expr(size)?;
        match value.known_int().and_then(|size| u32::try_from(size).ok()) {
            Some(size) => Ok(size),
            None => self.error(Code::NotConstant, span, "the size of a type must be a constant"),
        }
    }

    fn named_type(&mut self, name: &str, span: Span) -> Checked<Ty> {
        let Some(builtin) = BuiltinType::lookup(name) else {
            let found = self.traced_type(|catalog, binary| catalog.user_typedef(binary, name));
            return match found.or_else(|| self.catalog.typedef(name)) {
                Some(ty) => Ok(self.found_type(ty, span)),
                None => {
                    let hint = did_you_mean(name, BuiltinType::names());
                    let error = Diagnostic::error(Code::UnknownType, span, format!("unknown type `{name}`"));
                    let error = self.with_missing_headers(error.with_hint_opt(hint));
                    self.fail(error)
                }
            };
        };
        let shape = StackShape { mode: self.settings.stack_mode, limit: DEFAULT_FRAMES };
        let row = builtin.row();
        Ok(match builtin {
            BuiltinType::Int8
            | BuiltinType::Int16
            | BuiltinType::Int32
            | BuiltinType::Int64
            | BuiltinType::UInt8
            | BuiltinType::UInt16
            | BuiltinType::UInt32
            | BuiltinType::UInt64 => Ty::int(row.size.into(), row.signed),
            BuiltinType::Void => Ty::VOID,
            BuiltinType::Bool => Ty::BOOL,
            BuiltinType::String => Ty::Plain(Type::Str(0)),
            BuiltinType::Buffer => Ty::Plain(Type::Buf(0)),
            BuiltinType::Inet => Ty::Plain(Type::Inet),
            BuiltinType::Username => Ty::Plain(Type::Username),
            BuiltinType::Timestamp => Ty::Plain(Type::Timestamp),
            BuiltinType::KernelSymbol => Ty::Plain(Type::KernelSymbol),
            BuiltinType::UserSymbol => Ty::Plain(Type::UserSymbol),
            BuiltinType::KernelStack => Ty::Plain(Type::KernelStack(shape)),
            BuiltinType::UserStack => Ty::Plain(Type::UserStack(shape)),
            BuiltinType::MacAddress => Ty::Plain(Type::Mac),
            BuiltinType::CgroupPath => Ty::Plain(Type::CgroupPath(Bytes::from("*"))),
            BuiltinType::Count => Ty::Aggregate(Aggregation::Count),
            BuiltinType::Sum => Ty::Aggregate(Aggregation::Sum { signed: true }),
            BuiltinType::Min => Ty::Aggregate(Aggregation::Min { signed: true }),
            BuiltinType::Max => Ty::Aggregate(Aggregation::Max { signed: true }),
            BuiltinType::Avg => Ty::Aggregate(Aggregation::Avg { signed: true }),
            BuiltinType::Stats => Ty::Aggregate(Aggregation::Stats { signed: true }),
            BuiltinType::Hist => Ty::Aggregate(Aggregation::Hist { bits: 0 }),
            BuiltinType::LinearHist => Ty::Aggregate(Aggregation::Lhist { min: 0, max: 1, step: 1 }),
            BuiltinType::TimeSeries => Ty::Series,
        })
    }

    /// The type of `let $x: T`.
    pub(super) fn declared_type(&mut self, ty: &ast::Type) -> Checked<Ty> {
        let found = self.type_name(ty)?;
        if found.is_void() || matches!(found, Ty::Aggregate(_)) {
            let message = format!("a variable cannot be of type `{}`", self.show(&found));
            return self.error(Code::TypeMismatch, ty.span, message);
        }
        Ok(found)
    }

    pub(super) fn type_of(&mut self, of: &ast::TypeOrExpr) -> Checked<Ty> {
        match of {
            ast::TypeOrExpr::Type(ty) => self.type_name(ty),
            // The expression is not evaluated: only its type is taken.
            ast::TypeOrExpr::Expr(expr) => Ok(self.expr(expr)?.ty),
        }
    }

    /// `typeinfo`: the name of a type and of its kind.
    pub(super) fn type_info(&mut self, of: &ast::TypeOrExpr, span: Span) -> Checked<Value> {
        match self.settings.unstable(ConfigKey::UnstableTypeinfo) {
            Unstable::Enabled => {}
            Unstable::Warned => self.warn(Code::UnstableUsed, span, "`typeinfo` may still change"),
            Unstable::Refused => {
                let error = Diagnostic::error(
                    Code::UnstableFeature,
                    span,
                    "`typeinfo` may still change, so it is off",
                );
                return self.fail(error.with_hint("switch it on: `config = { unstable_typeinfo = enable }`"));
            }
        }
        let ty = self.type_of(of)?;
        let full = self.named(&ty, Detail::Name);
        let base = full.split(['[', ' ', '*', '(']).next().filter(|name| !name.is_empty()).unwrap_or("tuple");
        let base = match &ty {
            Ty::Int(_) => "int",
            Ty::Record(_) => "record",
            Ty::Plain(Type::Pointer { .. }) => "pointer",
            Ty::Plain(Type::Array { .. }) => "array",
            Ty::Plain(Type::Struct(_)) => "struct",
            _ => base,
        };
        let text = |text: &str| Literal::Str(text.into());
        let fields = vec![(Bytes::from("base_type"), text(base)), (Bytes::from("full_type"), text(&full))];
        Ok(Value::literal(Literal::Record(fields), self.location(span)))
    }

    /// A type as messages write it: two that differ have different texts.
    pub(super) fn show(&self, ty: &Ty) -> String {
        self.named(ty, Detail::Everything)
    }

    fn named(&self, ty: &Ty, detail: Detail) -> String {
        match ty {
            Ty::Int(int) => int_name(int.int),
            Ty::Aggregate(aggregation) => format!("{}()", aggregation.function()),
            Ty::Series => "tseries()".to_owned(),
            Ty::Tuple(fields) => {
                let fields: Vec<String> = fields.iter().map(|field| self.named(field, detail)).collect();
                format!("({})", fields.join(", "))
            }
            Ty::Record(fields) => {
                let field =
                    |(name, ty): &(Bytes, Ty)| format!("{} = {}", name.display(), self.named(ty, detail));
                format!("({})", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            Ty::Plain(ty) => self.named_plain(ty, detail),
        }
    }

    fn named_plain(&self, ty: &Type, detail: Detail) -> String {
        match ty {
            Type::Void => "void".into(),
            Type::Int(int) => int_name(*int),
            Type::Bool => "bool".into(),
            Type::Str(size) => format!("string[{size}]"),
            Type::Buf(size) => format!("buffer[{size}]"),
            Type::Pointer { to, .. } => format!("{} *", self.named(&Ty::from((**to).clone()), detail)),
            Type::Struct(id) => self.catalog.name_of(*id),
            Type::Array { element, len } => {
                format!("{}[{len}]", self.named(&Ty::from((**element).clone()), detail))
            }
            Type::Tuple(_) | Type::Record(_) => self.named(&Ty::from(ty.clone()), detail),
            Type::Enum(id) => format!("enum {}", self.catalog.structs()[*id].name.display()),
            Type::KernelStack(shape) => format!("kstack_t{}", detail.of_stack(*shape)),
            Type::UserStack(shape) => format!("ustack_t{}", detail.of_stack(*shape)),
            Type::KernelSymbol => "ksym_t".into(),
            Type::UserSymbol => "usym_t".into(),
            Type::Username => "username_t".into(),
            Type::Inet => "inet".into(),
            Type::Mac => "macaddr_t".into(),
            Type::Timestamp => "timestamp".into(),
            Type::CgroupPath(filter) if detail == Detail::Everything => {
                format!("cgroup_path_t({:?})", filter.display())
            }
            Type::CgroupPath(_) => "cgroup_path_t".into(),
            Type::ProbeName | Type::ProbeFunction if detail == Detail::Name => "string".into(),
            Type::ProbeName => "name of a probe".into(),
            Type::ProbeFunction => "name of a function".into(),
        }
    }
}

/// What of a type is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// The name that the language has for it, which several types share.
    Name,
    /// All that makes it another type.
    Everything,
}

impl Detail {
    fn of_stack(self, shape: StackShape) -> String {
        if self == Self::Name {
            return String::new();
        }
        let mode = match shape.mode {
            StackMode::Bpftrace => "bpftrace",
            StackMode::Perf => "perf",
            StackMode::Raw => "raw",
            StackMode::BuildId => "build_id",
        };
        format!("({mode}, {})", shape.limit)
    }
}

fn int_name(int: Int) -> String {
    format!("{}int{}", if int.signed { "" } else { "u" }, int.size * 8)
}
