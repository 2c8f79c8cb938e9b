//! Attach points: from what the front end split to what the runtime attaches, and which of them share a program.

mod notes;
mod resolve;

use btaot_abi::Bytes;
use btaot_abi::metadata::{AttachPoint, Target as Attach};
use btaot_frontend::{Code, Diagnostic, Sources, Span, ast};
use btaot_grammar::vocabulary::{ProbeKind, closest};

use crate::Options;
use crate::types::Space;

pub(crate) use notes::notes;

/// What the context of a program is; clauses are cut into one body for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Run by the tool itself.
    TestRun,
    /// Registers of a user function.
    Uprobe,
    /// Registers of a kernel function.
    Kprobe,
    /// The record of a tracepoint.
    Tracepoint,
    /// A sample.
    PerfEvent,
}

/// The attach points of a clause that share a program.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The program's context.
    pub layout: Layout,
    /// In source order.
    pub attach: Vec<AttachPoint>,
    /// Where each of them stands.
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
    pub groups: Vec<Group>,
}

/// Resolves the attach points of all clauses; those that are wrong are reported and left out.
pub(crate) fn clauses<'a>(
    script: &'a ast::Script,
    sources: &Sources,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Clause<'a>> {
    let resolve = |probe| clause(probe, sources, options, diagnostics);
    script.probes.iter().map(resolve).collect()
}

fn clause<'a>(
    probe: &'a ast::Probe,
    sources: &Sources,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Clause<'a> {
    let mut clause = Clause { probe, kinds: Vec::new(), groups: Vec::new() };
    for point in &probe.attach_points {
        match resolve::attach_point(point, sources, options) {
            Ok((kind, attach)) => {
                clause.kinds.push(kind);
                add(&mut clause.groups, attach, point.span);
            }
            Err(problem) => diagnostics.push(*problem),
        }
    }
    clause
}

fn add(groups: &mut Vec<Group>, attach: AttachPoint, span: Span) {
    let layout = match &attach.target {
        Attach::Begin | Attach::End | Attach::Interval { .. } => Layout::TestRun,
        Attach::Profile { .. } | Attach::Software { .. } => Layout::PerfEvent,
        Attach::Uprobe(_) => Layout::Uprobe,
        Attach::Kprobe(_) => Layout::Kprobe,
        Attach::Tracepoint { .. } => Layout::Tracepoint,
    };
    match groups.iter_mut().find(|group| group.layout == layout) {
        Some(group) => {
            group.attach.push(attach);
            group.spans.push(span);
        }
        None => groups.push(Group { layout, attach: vec![attach], spans: vec![span] }),
    }
}

impl Layout {
    /// Whose memory addresses of unknown origin mean.
    pub fn space(self) -> Space {
        match self {
            Self::Uprobe => Space::User,
            Self::TestRun | Self::Kprobe | Self::Tracepoint | Self::PerfEvent => Space::Kernel,
        }
    }
}

/// Subsystem and name of the tracepoints of a group.
pub(crate) fn events(group: &Group) -> Vec<(Bytes, Bytes)> {
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
