//! `fn`: functions of the script.
//!
//! A function has types of its own and sees only its parameters, so it is checked once by itself. A call puts its
//! statements in the place of the call: they are the body of a loop that runs once, and `return` leaves that loop. LLVM
//! makes straight code of it, and no function of the kernel's has to be called.

use std::collections::{BTreeMap, BTreeSet};

use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::ProbeSet;

use super::{BodyState, Checker};
use crate::probes::Layout;
use crate::program::{Expr, ExprKind, Stmt, StmtKind, VarId};
use crate::ty::Ty;
use crate::types::Type;
use crate::value::{Checked, Stop, Value};

use btaot_abi::ids::ProgramId;

/// Calls of a clause, those of the functions that it calls included: each is a copy.
const MAX_CALLS: usize = 1000;
/// Functions may call each other this deep.
const MAX_CHAIN: usize = 64;

/// The function whose body is being walked.
pub(super) struct Inside {
    /// Its name.
    name: String,
    /// Takes the result; `None` of `void`.
    result: Option<VarId>,
    /// Is set when a `return` has to leave several loops.
    returned: VarId,
    /// How many of those there are so far.
    from_loops: usize,
    /// How many `return`s there are so far.
    returns: usize,
    /// Calls that led here, innermost last, as indices of the script's functions.
    chain: Vec<usize>,
    /// The function is checked by itself; what it calls is only looked at from outside.
    alone: bool,
}

/// The functions of a script.
pub(super) struct ScriptFunctions<'a> {
    /// In source order.
    all: &'a [ast::FunctionDefinition],
    /// The first of each name.
    names: BTreeMap<&'a str, usize>,
    /// Which calls which, and where.
    calls: Vec<(usize, usize, Span)>,
}

impl<'a> ScriptFunctions<'a> {
    pub fn new(all: &'a [ast::FunctionDefinition]) -> Self {
        let names = all.iter().enumerate().rev();
        let names = names.map(|(index, function)| (function.name.text.as_str(), index)).collect();
        Self { all, names, calls: Vec::new() }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.names.keys().copied()
    }

    /// A call by which each function that calls itself, also by way of others, does so.
    fn circles(&self) -> Vec<(usize, Span)> {
        let mut calls: Vec<Vec<(usize, Span)>> = vec![Vec::new(); self.all.len()];
        for (caller, callee, span) in &self.calls {
            calls[*caller].push((*callee, *span));
        }
        let mut circles = Vec::new();
        // 0: not seen, 1: on the way from the start, 2: done.
        let mut seen = vec![0; self.all.len()];
        for start in 0..self.all.len() {
            let mut way = vec![(start, 0)];
            while let Some((at, next)) = way.last_mut() {
                let at = *at;
                seen[at] = seen[at].max(1);
                let Some((callee, span)) = calls[at].get(*next) else {
                    seen[at] = 2;
                    way.pop();
                    continue;
                };
                *next += 1;
                match seen[*callee] {
                    0 => way.push((*callee, 0)),
                    1 => circles.push((*callee, *span)),
                    _ => {}
                }
            }
        }
        circles
    }
}

impl<'a> Checker<'a, '_> {
    /// The function of the script that has this name.
    fn script_function(&self, name: &str) -> Option<(usize, &'a ast::FunctionDefinition)> {
        let index = *self.functions.names.get(name)?;
        Some((index, &self.functions.all[index]))
    }

    /// Whether a name is that of a function of the script.
    pub(super) fn is_script_function(&self, name: &str) -> bool {
        self.script_function(name).is_some()
    }

    /// Checks all functions by themselves, called or not.
    pub(super) fn check_functions(&mut self) {
        self.functions.calls.clear();
        let mut repeated = BTreeSet::new();
        for (index, function) in self.functions.all.iter().enumerate() {
            if let Some((first, other)) = self.script_function(&function.name.text)
                && first < index
            {
                // One message says it of all that follow.
                if !repeated.insert(first) {
                    continue;
                }
                let message = format!("there are two functions `{}`", function.name.text);
                let error = Diagnostic::error(Code::Redeclared, head(function), message);
                self.report(error.with_secondary(head(other), "first defined here"));
                continue;
            }
            // No clause has a number so high.
            let id = ProgramId(u32::MAX - index as u32);
            self.body = BodyState::new(id, Layout::TestRun, &[], Vec::new());
            self.expansions = 0;
            let checked = self.function_body(index, function, None, function.span);
            self.settle(checked, head(function));
            self.warn_unassigned();
        }
        for (index, span) in self.functions.circles() {
            let function = &self.functions.all[index];
            let message = format!("the function `{}` calls itself", function.name.text);
            let error = Diagnostic::error(Code::MacroRecursion, span, message)
                .with_secondary(head(function), "this function")
                .with_hint("use a loop to repeat something");
            self.report(error);
        }
    }

    /// A call of a function of the script.
    pub(super) fn call_script_function(
        &mut self,
        name: &ast::Name,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let Some((index, function)) = self.script_function(&name.text) else { return Err(Stop::Reported) };
        let inside = self.body.inside.as_ref();
        let caller = inside.filter(|inside| inside.alone).and_then(|inside| inside.chain.last()).copied();
        let chain = inside.map_or(&[][..], |inside| &inside.chain[..]);
        if chain.contains(&index) && caller.is_none() {
            // That was said when the function was checked by itself.
            return Err(Stop::Reported);
        }
        self.expansions += 1;
        if (self.expansions > MAX_CALLS || chain.len() >= MAX_CHAIN) && caller.is_none() {
            return self.error(Code::TooDeep, span, "the functions of this clause call each other too often");
        }
        let (given, wanted) = (arguments.len(), function.parameters.len());
        let values: Vec<Checked<Value>> = arguments.iter().map(|argument| self.expr(argument)).collect();
        if given != wanted {
            let plural = if wanted == 1 { "" } else { "s" };
            let message = format!("`{}` takes {wanted} argument{plural}, not {given}", name.text);
            let error = Diagnostic::error(Code::WrongArgumentCount, span, message);
            return self.fail(error.with_secondary(head(function), "defined here"));
        }
        let values = values.into_iter().collect::<Checked<Vec<Value>>>()?;
        let given = Some((arguments, values));
        let Some(caller) = caller else { return self.function_body(index, function, given, span) };
        self.functions.calls.push((caller, index, span));
        self.scoped(|checker| {
            checker.bind_parameters(function, given, &mut Vec::new())?;
            Ok(match checker.type_name(&function.result)? {
                ty if ty.is_void() => Value::void(checker.location(span)),
                // A text whose size only calls tell takes any place.
                Ty::Plain(Type::Str(0)) => checker.placeholder(Ty::Plain(Type::Str(1)), span),
                ty => checker.placeholder(ty, span),
            })
        })
    }

    /// The statements of a function and its value. Without arguments it is checked by itself.
    fn function_body(
        &mut self,
        index: usize,
        function: &ast::FunctionDefinition,
        arguments: Option<(&[ast::Expr], Vec<Value>)>,
        span: Span,
    ) -> Checked<Value> {
        let ty = self.type_name(&function.result)?;
        if matches!(ty, Ty::Aggregate(_) | Ty::Series) {
            let message = format!("a function cannot give a `{}`", self.show(&ty));
            return self.error(Code::TypeMismatch, function.result.span, message);
        }
        let outer_scopes = std::mem::replace(&mut self.body.scopes, vec![Vec::new()]);
        let outer_loops = std::mem::take(&mut self.body.loops);
        let alone = arguments.is_none();
        let mut statements = Vec::new();
        let bound = self.bind_parameters(function, arguments, &mut statements);
        let returned = self.declared_as(" returned", function.name.span, Ty::BOOL);
        let result = (!ty.is_void()).then(|| self.declared_as(" result", function.result.span, ty.clone()));
        let outer = self.body.inside.take();
        let mut chain = outer.as_ref().map_or_else(Vec::new, |outer| outer.chain.clone());
        chain.push(index);
        let name = function.name.text.clone();
        self.body.inside = Some(Inside { name, result, returned, from_loops: 0, returns: 0, chain, alone });
        let body = self.block(&function.body);
        let inside = std::mem::replace(&mut self.body.inside, outer);
        self.body.scopes = outer_scopes;
        self.body.loops = outer_loops;
        bound?;
        if let Some(result) = result {
            self.start_at_zero(result, span, &mut statements);
        }
        let (returns, from_loops) = inside.map_or((0, 0), |inside| (inside.returns, inside.from_loops));
        if from_loops > 0 {
            self.set_number(returned, 0, span, &mut statements);
        }
        self.once(body, returns, span, &mut statements);
        let Some(result) = result else { return Ok(self.only_effects(statements, span)) };
        let ty = self.state(result).ty.clone().ok_or(Stop::Unknown)?;
        let value = self.at(ExprKind::Variable(result), ty.lower(), span);
        let kind = ExprKind::Block { statements, value: Box::new(value) };
        Ok(Value::new(ty, kind, self.location(span)))
    }

    /// Declares the parameters, and sets them to the arguments.
    fn bind_parameters(
        &mut self,
        function: &ast::FunctionDefinition,
        arguments: Option<(&[ast::Expr], Vec<Value>)>,
        out: &mut Vec<Stmt>,
    ) -> Checked<()> {
        let mut bound = Ok(());
        let (written, values) = arguments.unzip();
        let mut values = values.into_iter().flatten();
        for (position, parameter) in function.parameters.iter().enumerate() {
            let declared = self.declared_type(&parameter.ty);
            let value = values.next();
            let id = match declared {
                Ok(ty) => self.declared_as(&parameter.name.text, parameter.name.span, ty),
                Err(stop) => {
                    self.find_or_declare(&parameter.name.text, parameter.name.span);
                    bound = Err(stop);
                    continue;
                }
            };
            let Some((value, argument)) = value.zip(written.and_then(|written| written.get(position))) else {
                continue;
            };
            match self.parameter_value(function, parameter, id, (value, argument.span)) {
                Ok(value) => self.push(out, StmtKind::SetVariable { variable: id, value }, argument.span),
                Err(stop) => bound = Err(stop),
            }
        }
        bound
    }

    fn parameter_value(
        &mut self,
        function: &ast::FunctionDefinition,
        parameter: &ast::FunctionParameter,
        id: VarId,
        (value, span): (Value, Span),
    ) -> Checked<Expr> {
        self.refuse_unstorable(&value.ty, span, "a parameter")?;
        let shown = self.show(&value.ty);
        let converted = match self.widen_variable(id, &value.ty) {
            Some(ty) => self.convert(value, &ty, span),
            None => None,
        };
        if let Some(value) = converted {
            return Ok(value);
        }
        let ty = self.state(id).ty.clone().unwrap_or(Ty::VOID);
        let message = format!(
            "`${}` of `{}` takes `{}`, and this is `{shown}`",
            parameter.name.text,
            function.name.text,
            self.show(&ty)
        );
        let error = Diagnostic::error(Code::BadArgument, span, message);
        self.fail(error.with_secondary(parameter.ty.span, "its type is declared here"))
    }

    /// A variable whose type is known; a text without a size takes that of its values.
    fn declared_as(&mut self, name: &str, place: Span, ty: Ty) -> VarId {
        let id = self.declare(name, place);
        self.body.variables[id.0 as usize].assigned = true;
        let state = self.state(id);
        state.declared = !matches!(ty, Ty::Plain(Type::Str(0)));
        if state.ty.is_none() {
            state.ty = Some(ty);
            self.changed = true;
        }
        id
    }

    /// `return` in a function.
    pub(super) fn return_from_function(
        &mut self,
        value: Option<&ast::Expr>,
        span: Span,
        out: &mut Vec<Stmt>,
    ) {
        let checked = value.map(|value| self.expr(value));
        let Some(inside) = &self.body.inside else { return };
        let (name, result, returned) = (inside.name.clone(), inside.result, inside.returned);
        let set = match (checked, result) {
            (None, None) => Ok(None),
            (Some(Err(stop)), _) => Err(stop),
            (None, Some(result)) => {
                let ty = self.state(result).ty.clone().unwrap_or(Ty::VOID);
                let message = format!("`{name}` gives `{}`, so `return` needs a value", self.show(&ty));
                self.error(Code::BadReturn, span, message)
            }
            (Some(Ok(value)), None) => {
                let message = format!("`{name}` gives nothing, and this returns `{}`", self.show(&value.ty));
                self.error(Code::BadReturn, span, message)
            }
            (Some(Ok(value)), Some(result)) => self.returned_value(&name, result, value, span).map(Some),
        };
        if let Some(Some(kind)) = self.settle(set, span) {
            self.push(out, kind, span);
        }
        let in_loop = !self.body.loops.is_empty();
        if in_loop {
            self.set_number(returned, 1, span, out);
        }
        if let Some(inside) = &mut self.body.inside {
            inside.returns += 1;
            inside.from_loops += usize::from(in_loop);
        }
        self.push(out, StmtKind::Break, span);
    }

    fn returned_value(&mut self, name: &str, result: VarId, value: Value, span: Span) -> Checked<StmtKind> {
        self.refuse_unstorable(&value.ty, span, "a result")?;
        let shown = self.show(&value.ty);
        let converted = match self.widen_variable(result, &value.ty) {
            Some(ty) => self.convert(value, &ty, span),
            None => None,
        };
        match converted {
            Some(value) => Ok(StmtKind::SetVariable { variable: result, value }),
            None => {
                let ty = self.state(result).ty.clone().unwrap_or(Ty::VOID);
                let message = format!("`{name}` gives `{}`, and this is `{shown}`", self.show(&ty));
                self.error(Code::BadReturn, span, message)
            }
        }
    }

    /// How many times a `return` stood in a loop of this function so far.
    pub(super) fn returns_from_loops(&self) -> usize {
        self.body.inside.as_ref().map_or(0, |inside| inside.from_loops)
    }

    /// Behind a loop that a `return` may have left: goes on returning.
    pub(super) fn go_on_returning(&mut self, before: usize, span: Span, out: &mut Vec<Stmt>) {
        let Some(inside) = &self.body.inside else { return };
        if inside.from_loops == before {
            return;
        }
        let condition = self.at(ExprKind::Variable(inside.returned), Type::Bool, span);
        let mut then = Vec::new();
        self.push(&mut then, StmtKind::Break, span);
        self.push(out, StmtKind::If { condition, then, otherwise: Vec::new() }, span);
    }

    /// Statements that so many `return`s leave, each as a `break`.
    fn once(&mut self, mut body: Vec<Stmt>, returns: usize, span: Span, out: &mut Vec<Stmt>) {
        let at_end = matches!(body.last(), Some(Stmt { kind: StmtKind::Break, .. }));
        if returns == usize::from(at_end) {
            // None but the last statement, which leaves nothing out.
            body.truncate(body.len() - usize::from(at_end));
            out.extend(body);
            return;
        }
        self.push(&mut body, StmtKind::Break, span);
        let condition = self.at(ExprKind::Int(1), Type::Bool, span);
        self.push(out, StmtKind::While { condition, body }, span);
    }

    fn set_number(&mut self, variable: VarId, value: u64, span: Span, out: &mut Vec<Stmt>) {
        let value = self.at(ExprKind::Int(value), Type::Bool, span);
        self.push(out, StmtKind::SetVariable { variable, value }, span);
    }

    /// Refuses in a function what only some probes have: it may be called from any.
    pub(super) fn refuse_in_function(&mut self, name: &str, probes: ProbeSet, span: Span) -> Checked<()> {
        if self.body.inside.is_none() || probes == ProbeSet::ALL {
            return Ok(());
        }
        let message = format!("`{name}` is not available in a function, which any probe may call");
        let error = Diagnostic::error(Code::NotInThisProbe, span, message);
        self.fail(error.with_hint("pass it to the function as an argument"))
    }
}

/// The head of a definition, without its body.
fn head(function: &ast::FunctionDefinition) -> Span {
    let end = function.body.span.start.max(function.name.span.end);
    Span { end, ..function.span }
}
