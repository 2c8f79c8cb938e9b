//! Arguments of user functions, by name: debugging information tells their types, and conventions for calls where they
//! are.

use btaot_abi::metadata::{AttachPoint, KnownBinary, Place, Target as Attach, Uprobe};
use btaot_frontend::{Code, Diagnostic, Span};

use super::Checker;
use super::convert::converted;
use super::functions::{Parameter, ParameterPlace, Signature};
use super::ops::binary_kind;
use crate::dwarf::{Part, Passed, Source, Unknown};
use crate::probes::Group;
use crate::program::{BinaryOp, EventValue, Expr, ExprKind, Location};
use crate::structs::{Catalog, UserPrototype};
use crate::ty::Ty;
use crate::types::{Int, Space, Type};
use crate::value::{Checked, Stop, Value};

/// Bytes of a register.
const WORD: u32 = 8;

/// The attach points of a group at which arguments may be asked for.
pub(super) fn uprobes(group: &Group<'_>) -> Vec<Uprobe> {
    let uprobe = |point: &AttachPoint| match &point.target {
        Attach::Uprobe(uprobe) => Some(uprobe.clone()),
        _ => None,
    };
    group.attach.iter().filter_map(uprobe).collect()
}

impl Checker<'_, '_> {
    /// The signature that all functions of the clause have, as far as it is used: that of the first.
    pub(super) fn user_signature(&mut self, span: Span) -> Checked<Signature> {
        // Each use of an argument would say the same.
        if std::mem::replace(&mut self.body.explained, true) {
            return Err(Stop::Reported);
        }
        let mut functions = Vec::new();
        for uprobe in self.body.uprobes.clone() {
            functions.extend(self.user_functions(&uprobe, span)?);
        }
        let mut functions = functions.into_iter().map(typed);
        let Some((of, parameters)) = functions.next() else {
            let message = "no function of this clause is known here, so its arguments are not either";
            return self.error(Code::MissingTypeInformation, span, message);
        };
        let signature = Signature { of, parameters, result: (Ty::U64, 0), others: functions.collect() };
        self.body.arguments = Some(signature.clone());
        Ok(signature)
    }

    /// The functions that an attach point means here.
    fn user_functions(&mut self, uprobe: &Uprobe, span: Span) -> Checked<Vec<UserPrototype>> {
        let missing = |message: String, hint: &str| {
            Diagnostic::error(Code::MissingTypeInformation, span, message).with_hint(hint)
        };
        let path = uprobe.path.display();
        if uprobe.ret {
            let message = "when a function returns, its arguments are no longer in their places";
            let hint = "keep them in a map at the uprobe, and read it at the uretprobe: `@a[tid] = args.x`";
            return self.fail(Diagnostic::error(Code::NotInThisProbe, span, message).with_hint(hint));
        }
        let is_inside = matches!(uprobe.place, Place::Symbol { offset, .. } if offset != 0);
        if is_inside || matches!(uprobe.place, Place::Line { .. }) {
            let message = "arguments are in their places only where a function begins";
            let hint = "trace the function without an offset or line";
            return self.fail(Diagnostic::error(Code::NotInThisProbe, span, message).with_hint(hint));
        }
        let Some(number) = self.catalog.binary(&uprobe.path) else {
            let message =
                "which binary is traced is not known while compiling, so its types are not either".into();
            return self.fail(missing(message, "name the binary by its path, or use arg0, arg1, …"));
        };
        match self.catalog.user_types(number) {
            Ok(_) => {}
            Err(Unknown::NoBinary) => {
                let message = format!("`{path}` cannot be read here, so its types are not known");
                return self.fail(missing(message, "compile where the binary is, or use arg0, arg1, …"));
            }
            Err(Unknown::NoDebugInformation) => {
                let message = format!("`{path}` has no debugging information, so its types are not known");
                let hint = "compile it with -g, install its debug symbols (or name their folder with \
                            --debuginfo), or use arg0, arg1, …";
                return self.fail(missing(message, hint));
            }
            Err(Unknown::OtherProcessor) => {
                let message = format!("`{path}` is not for the processor that is compiled for");
                return self.fail(missing(message, "use arg0, arg1, …"));
            }
        }
        let functions = self.catalog.user_functions(number, &uprobe.place);
        if functions.is_empty() {
            let message = format!("the debugging information of `{path}` does not tell of this function");
            return self.fail(missing(message, "use arg0, arg1, …"));
        }
        self.rely_on(uprobe, number);
        Ok(functions)
    }

    /// A type of a binary whose functions are traced, if they have one of the name. Types of user code that the kernel
    /// has, too, may differ from those.
    pub(super) fn traced_type(
        &mut self,
        find: impl Fn(&mut Catalog<'_>, usize) -> Option<Type>,
    ) -> Option<Type> {
        for uprobe in self.body.uprobes.clone() {
            let Some(number) = self.catalog.binary(&uprobe.path) else { continue };
            if let Some(found) = find(self.catalog, number) {
                self.rely_on(&uprobe, number);
                return Some(found);
            }
        }
        None
    }

    /// Notes that the body is made for a binary as it is here.
    fn rely_on(&mut self, uprobe: &Uprobe, number: usize) {
        let Ok(types) = self.catalog.user_types(number) else { return };
        let known = KnownBinary { path: uprobe.path.clone(), build_id: hexadecimal(&types.build_id) };
        if !self.body.binaries.contains(&known) {
            self.body.binaries.push(known);
        }
    }

    /// The value of an argument that is passed like this.
    pub(super) fn passed(&mut self, parameter: &Parameter, passed: &Passed, span: Span) -> Checked<Value> {
        let location = self.location(span);
        let ty = parameter.ty.lower();
        let in_memory = |address: Expr| {
            let pointer = Type::Pointer { to: Box::new(ty.clone()), space: Space::User };
            ExprKind::Deref(Box::new(converted(address, pointer)))
        };
        let kind = match passed {
            Passed::Unreadable(why) => {
                let message = format!("`{}` cannot be read: {why}", parameter.name.display());
                return self.error(Code::NotInThisProbe, span, message);
            }
            Passed::Reference(source) => in_memory(self.passed_word(*source, location)),
            Passed::Stack(offset) => in_memory(self.stack_address(*offset, location)),
            Passed::Parts(parts) if parts.is_empty() => {
                let message = format!("`{}` has no bytes", parameter.name.display());
                return self.error(Code::UnknownType, span, message);
            }
            Passed::Parts(parts) if ty.is_scalar() => {
                let word = self.passed_word(parts[0].from, location);
                return Ok(Value {
                    expr: narrowed(word, &ty),
                    ty: parameter.ty.clone(),
                    literal: None,
                    span: None,
                });
            }
            Passed::Parts(parts) => {
                let pieces = parts.iter().flat_map(|part| {
                    let word = self.passed_word(part.from, location);
                    pieces(*part, &word)
                });
                ExprKind::Pieces(pieces.collect())
            }
        };
        Ok(Value::new(parameter.ty.clone(), kind, location))
    }

    /// The 64 bits at a place.
    fn passed_word(&self, source: Source, location: Location) -> Expr {
        match source {
            Source::Constant(value) => Expr { kind: ExprKind::Int(value), ty: Type::U64, location },
            Source::Register(offset) => {
                Expr { kind: ExprKind::Event(EventValue::Register(offset)), ty: Type::U64, location }
            }
            Source::Stack(offset) => {
                let pointer = Type::Pointer { to: Box::new(Type::U64), space: Space::User };
                let address = converted(self.stack_address(offset, location), pointer);
                Expr { kind: ExprKind::Deref(Box::new(address)), ty: Type::U64, location }
            }
        }
    }

    /// An address among the arguments on the stack.
    fn stack_address(&self, offset: u32, location: Location) -> Expr {
        let arch = self.catalog.arch();
        let part = |kind| Expr { kind, ty: Type::U64, location };
        let pointer = part(ExprKind::Event(EventValue::Register(arch.pt_regs().stack_pointer)));
        let offset = part(ExprKind::Int(u64::from(arch.pt_regs().stack_arguments + offset)));
        part(binary_kind(BinaryOp::Add, pointer, offset))
    }
}

/// A function with its parameters, whose addresses are those of the traced process.
fn typed(function: UserPrototype) -> (btaot_abi::Bytes, Vec<Parameter>) {
    let parameters = function.parameters.into_iter().map(|(name, ty, passed)| Parameter {
        name,
        ty: Ty::from(ty).in_default_space(Space::User),
        place: ParameterPlace::Passed(passed),
    });
    (function.name, parameters.collect())
}

/// The low bits of a register, as a value of the type. The rest of the register is not defined.
fn narrowed(word: Expr, ty: &Type) -> Expr {
    match ty {
        Type::Bool => converted(converted(word, Type::Int(Int { size: 1, signed: false })), Type::Bool),
        other => converted(word, other.clone()),
    }
}

/// What a part of an argument brings into the whole: numbers of sizes that can be stored, each with its place.
fn pieces(part: Part, word: &Expr) -> Vec<(u32, Expr)> {
    let mut found = Vec::new();
    let mut done = 0;
    while done < part.size {
        let size = [WORD, 4, 2, 1].into_iter().find(|size| done + size <= part.size).unwrap_or(1);
        let location = word.location;
        let bits = Expr { kind: ExprKind::Int(u64::from(done) * 8), ty: Type::U64, location };
        let shifted = match done {
            0 => word.clone(),
            _ => Expr { kind: binary_kind(BinaryOp::ShiftRight, word.clone(), bits), ..word.clone() },
        };
        found.push((part.offset + done, converted(shifted, Type::Int(Int { size, signed: false }))));
        done += size;
    }
    found
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
