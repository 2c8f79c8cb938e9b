//! Attach points: from what the front end split to what the runtime attaches, and which of them share a program.

mod binaries;
mod notes;
mod resolve;

use btaot_abi::Bytes;
use btaot_abi::metadata::{AttachPoint, Fentry, Kprobe, Target as Attach};
use btaot_frontend::{Code, Diagnostic, Sources, Span, ast};
use btaot_grammar::vocabulary::{Builtin, ProbeKind, closest};

use crate::Options;
use crate::structs::VMLINUX;
use crate::types::Space;

pub(crate) use binaries::binaries;
pub(crate) use notes::notes;

/// What the context of a program is; clauses are cut into one body for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Run by the tool itself.
    TestRun,
    /// Registers of a user function.
    Uprobe,
    /// Registers at a static probe, which says where its arguments are.
    Usdt,
    /// Registers of a kernel function.
    Kprobe,
    /// The record of a tracepoint.
    Tracepoint,
    /// A sample.
    PerfEvent,
    /// The arguments of a raw tracepoint.
    RawTracepoint,
    /// The typed arguments of a kernel function.
    Tracing,
    /// What an iterator visits.
    Iter,
}

/// The attach points of a clause that share a program.
#[derive(Clone, Debug)]
pub(crate) struct Group<'a> {
    /// The program's context.
    pub layout: Layout,
    /// What `probetype` is, where the script asks for that.
    pub type_name: Option<&'static str>,
    /// The attach points as they were written, in source order.
    pub points: Vec<&'a ast::AttachPoint>,
    /// What the tool attaches to, in the same order.
    pub attach: Vec<AttachPoint>,
    /// Where each of those stands.
    pub spans: Vec<Span>,
}

/// A clause with its attach points resolved.
#[derive(Clone, Debug)]
pub(crate) struct Clause<'a> {
    /// The clause.
    pub probe: &'a ast::Probe,
    /// The kinds of all its attach points, in source order.
    pub kinds: Vec<ProbeKind>,
    /// By first appearance.
    pub groups: Vec<Group<'a>>,
}

/// Resolves the attach points of all clauses; those that are wrong are reported and left out.
pub(crate) fn clauses<'a>(
    script: &'a ast::Script,
    sources: &Sources,
    options: &Options,
) -> (Vec<Clause<'a>>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let clauses: Vec<Clause<'a>> =
        script.probes.iter().map(|probe| clause(probe, sources, options, &mut diagnostics)).collect();
    diagnostics.extend(together(&clauses));
    (clauses, diagnostics)
}

fn clause<'a>(
    probe: &'a ast::Probe,
    sources: &Sources,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Clause<'a> {
    // A type is a constant of a program. Scripts that ask for it get a program for each.
    let asks_for_type = sources.mention(Builtin::Probetype.name());
    let mut clause = Clause { probe, kinds: Vec::new(), groups: Vec::new() };
    for point in &probe.attach_points {
        let resolved = match resolve::attach_points(point, sources, options) {
            Ok(resolved) => resolved,
            Err(problem) => {
                diagnostics.push(*problem);
                continue;
            }
        };
        for one in resolved {
            clause.kinds.push(one.kind);
            let type_name = asks_for_type.then_some(one.kind.row().type_name);
            add(&mut clause.groups, (one.layout, type_name), point, one.attach);
        }
    }
    clause
}

fn add<'a>(
    groups: &mut Vec<Group<'a>>,
    (layout, type_name): (Layout, Option<&'static str>),
    point: &'a ast::AttachPoint,
    attach: AttachPoint,
) {
    let same = |group: &Group<'_>| group.layout == layout && group.type_name == type_name;
    let index = groups.iter().position(same).unwrap_or_else(|| {
        groups.push(Group { layout, type_name, points: Vec::new(), attach: Vec::new(), spans: Vec::new() });
        groups.len() - 1
    });
    let group = &mut groups[index];
    group.points.push(point);
    group.attach.push(attach);
    group.spans.push(point.span);
}

/// Rules that several attach points break together.
fn together(clauses: &[Clause<'_>]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut named: Vec<(ProbeKind, &ast::AttachPoint)> = Vec::new();
    for clause in clauses {
        let points = &clause.probe.attach_points;
        let iterators = points.iter().filter(|point| point.target.kind() == Some(ProbeKind::Iter));
        for second in iterators.skip(1).take(1) {
            let message = "an `iter` clause has one attach point";
            let error = Diagnostic::error(Code::ProbeMix, second.span, message);
            problems.push(error.with_hint("write a clause for each iterator"));
        }
        for point in points {
            let Some(kind @ (ProbeKind::Test | ProbeKind::Bench)) = point.target.kind() else { continue };
            match named.iter().find(|(other, first)| *other == kind && first.text == point.text) {
                Some((_, first)) => {
                    let message = format!("there are two `{}`", String::from_utf8_lossy(&point.text));
                    let error = Diagnostic::error(Code::Redeclared, point.span, message);
                    problems.push(
                        error.with_secondary(first.span, "the first one").with_hint("rename one of them"),
                    );
                }
                None => named.push((kind, point)),
            }
        }
    }
    problems
}

impl Layout {
    /// Whose memory addresses of unknown origin mean.
    pub fn space(self) -> Space {
        match self {
            Self::Uprobe | Self::Usdt => Space::User,
            Self::TestRun
            | Self::Kprobe
            | Self::Tracepoint
            | Self::PerfEvent
            | Self::RawTracepoint
            | Self::Tracing
            | Self::Iter => Space::Kernel,
        }
    }
}

/// Subsystem and name of the tracepoints of a group.
pub(crate) fn events(group: &Group<'_>) -> Vec<(Bytes, Bytes)> {
    let mut events = Vec::new();
    for point in &group.attach {
        if let Attach::Tracepoint { category, event } = &point.target {
            let event = (category.clone(), event.clone());
            if !events.contains(&event) {
                events.push(event);
            }
        }
    }
    events
}

/// The names and patterns of modules of the kernel in attach points.
pub(crate) fn modules<'c>(clauses: &'c [Clause<'_>]) -> Vec<&'c [u8]> {
    let points = clauses.iter().flat_map(|clause| &clause.groups).flat_map(|group| &group.attach);
    let module = |point: &'c AttachPoint| match &point.target {
        Attach::Kprobe(Kprobe { module, .. })
        | Attach::Fentry(Fentry { module, .. })
        | Attach::RawTracepoint { module, .. } => module.as_deref(),
        _ => None,
    };
    let mut names: Vec<&[u8]> = points.filter_map(module).filter(|name| *name != VMLINUX).collect();
    names.dedup();
    names
}

/// "did you mean" for a name.
pub(crate) fn did_you_mean<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    closest(name, names).map(|close| format!("did you mean `{close}`?"))
}

/// A note that something is absent on the compiling machine; only the target counts.
fn absent(span: Span, message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic::note(Code::AbsentHere, span, message)
        .with_note("the tool looks for it where it runs, so this need not be a mistake")
        .with_hint_opt(hint)
}
